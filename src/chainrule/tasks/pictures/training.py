"""From pictures and settings to a training that can begin: a folder that has one folder for each class, or an .npz file."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import DataError, ImageError, ParameterError
from ...images import Augmentation, ImageData, class_folders
from ...images.folder import own_parts
from ...images.picture import Header, read_header
from ...optimizers import Cosine, Optimizer
from ...pretrained import Body, body_rates, for_arrays, load_body, with_head
from ...training import EarlyStopping
from ...training.settings import FitSettings
from ..scores import guess_classes
from ..tabular import inner_share
from ..task import PreparedNetwork
from ..words import some, training_text
from . import TASK
from .picture_model import PictureModel, make_network
from .settings import PictureSettings

__all__ = ["PictureParts", "prepare", "read", "resume"]

#: Pictures of one size up to the first number of pixels stay as they are; all others get the second one at most.
_AS_THEY_ARE, _SIDE = 96, 64
#: Steps that a training has by default, and the bounds of the epochs that they are made of.
_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 3000, 10, 60
#: The epochs of a body that learns along, and the dropout of the features of one that has learned before.
_TUNING_EPOCHS, _HEAD_DROPOUT = 5, 0.2


class PictureParts(NamedTuple):
    """Pictures to train on, to validate on and to test on, standardised; None for a part that there is not.

    Parameters  notes : sentences about the pictures ; body : that has learned before and takes these pictures, or None
    """

    train: ImageData
    validation: ImageData | None
    test: ImageData | None
    notes: list[str]
    body: Body | None = None


def read(settings: PictureSettings) -> PictureParts:
    """The pictures in parts.

    Raises      ImageError, naming the file or folder ; DataError for fewer than two classes, or too few pictures
    """
    body = None if settings.pretrained is None else _body(settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is left out is said in the notes; a picture that is too large is refused
        parts, notes = _read_npz(settings) if _is_npz(settings.data) else _read_folders(settings, body)
    divided = _divide(settings, parts)
    train = divided["train"].augmented(settings.augmentation())
    if body is not None and _is_npz(settings.data):
        # Arrays are not resized when they are read, so the body begins with layers that do it.
        body = replace(body, network=for_arrays(body, train.shape, 1.0))
    elif body is not None and body.preprocessor is not None:
        train = train.standardised(like=body.preprocessor)
    if body is None or body.preprocessor is None:
        train = train.standardised()
    others = {part: data.standardised(like=train) for part, data in divided.items() if part != "train"}
    return PictureParts(train, others.get("validation"), others.get("test"), notes, body)


def _body(settings: PictureSettings) -> Body:
    """The body that has learned before, for pictures of the size that was asked for."""
    size, channels = settings.size, settings.channels or 3
    name = None if settings.network == "auto" else settings.network
    body = load_body(
        settings.pretrained, "pictures", architecture=name, size=size, channels=channels, dtype=settings.dtype
    )  # fmt: skip
    takes = body.network.input_shapes
    assert takes is not None
    if size is not None and takes[0][:2] != size and not _is_npz(settings.data):
        raise ParameterError(
            f"--size: {settings.pretrained} takes pictures of {takes[0][0]} × {takes[0][1]} pixels. Leave the option out."
        )
    if settings.channels is not None and settings.channels != takes[0][2]:
        raise ParameterError(f"--channels: {settings.pretrained} takes pictures of {takes[0][2]} channels. Leave it out.")
    return body


def prepare(data: PictureParts, settings: PictureSettings) -> PreparedNetwork:
    """A new network for the pictures, and its training."""
    train, labels = data.train, data.train.labels
    assert labels is not None and train.targets is not None
    if data.body is not None:
        network = with_head(
            data.body.network,
            labels.n_classes,
            dropout=_HEAD_DROPOUT,
            fine_tune=settings.fine_tune,
            random_state=settings.random_state,
        )
    else:
        network = make_network(
            settings.network, train.shape, labels.n_classes, random_state=settings.random_state, dtype=settings.dtype
        )
    model, y_train = PictureModel(network, train.preprocessor, labels), train.targets
    fit = _fit_settings(settings, data)
    if settings.fine_tune:
        fit = fit.replace(learning_rate_factors=body_rates(network))
    place = settings.data.resolve().name
    return PreparedNetwork(
        TASK,
        f"{settings.data}: {train.n_samples:,} pictures, {labels.n_classes} classes",
        network,
        (train,),
        fit,
        lambda trained, facts: PictureModel(trained, train.preprocessor, labels, facts),
        place,
        train.n_samples,
        description=_description(settings, data, model, fit),
        facts={"augmentation": _changes(train.augmentation)},
        test=data.test,
        guess=lambda truth: guess_classes(labels.classes.tolist(), y_train, truth),
        units={"loss": "nats per picture", "accuracy": "share of pictures"},
    )


def resume(model: PictureModel, settings: PictureSettings) -> PreparedNetwork:
    """More training of the network of a model, with its own settings where none is set."""
    parts = own_parts(settings.data) if settings.keeps_test_part else {}
    data = _with_classes(model, parts.get("train", settings.data), settings)
    test = None
    if settings.test is not None or "test" in parts:
        test = _with_classes(model, settings.test or parts["test"], settings)
    elif settings.keeps_test_part:
        data, test = data.split(settings.shares[0], np.random.default_rng(settings.random_state))
    return PreparedNetwork(
        TASK,
        f"{settings.data}: {data.n_samples:,} pictures",
        model.network,
        (data,),
        settings.resumed(model.network),
        lambda network, facts: PictureModel(network, model.preprocessor, model.class_labels, {**model.facts, **facts}),
        settings.data.resolve().name,
        data.n_samples,
        test=test,
    )


def _with_classes(model: PictureModel, place: Path, settings: PictureSettings) -> ImageData:
    """Pictures as the model takes them. Raises  DataError where their classes are not known"""
    samples = model.read(place, broken=settings.broken or "stop")
    if samples.truth is None:
        raise DataError(
            f"{place}: the pictures have no classes. Give a folder with one folder for each class, named like them: "
            f"{some(model.classes or [])}."
        )
    data: ImageData = samples.data
    return data


def _fit_settings(settings: PictureSettings, data: PictureParts) -> FitSettings:
    n, optimizer = data.train.n_samples, settings.make_optimizer()
    batch_size = settings.batch_size or (16 if n < 400 else 32 if n < 20_000 else 64)
    if not settings.batch_size:  # of a last picture alone no layer could find a variance
        batch_size = next((b for b in range(batch_size, batch_size + 9) if n % b != 1), batch_size)
    few = _TUNING_EPOCHS if settings.fine_tune else None
    epochs = settings.epochs or few or min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, math.ceil(_STEPS / math.ceil(n / batch_size))))
    # The rate falls to the end, so the last epochs are the best ones: only a loss that has long been rising stops them.
    patience = settings.patience or max(5, epochs // 2)
    return FitSettings.of(
        {
            "loss": "softmax_cross_entropy",
            "optimizer": optimizer,
            # A rate that falls to 0 over the epochs ends in better weights than a constant one. One that was set stays.
            "learning_rate": settings.learning_rate or Cosine(_rate(optimizer), total=epochs, unit="epochs"),
            "epochs": epochs,
            "batch_size": batch_size,
            "validation_data": data.validation,
            "early_stopping": EarlyStopping(patience=patience) if data.validation is not None else None,
            **settings.machine(),
        }
    )


def _rate(optimizer: Optimizer) -> float:
    rate = optimizer.learning_rate
    return float(rate) if isinstance(rate, (int, float)) else 0.001


# ---------------------------------------------------------------- reading


def _is_npz(path: Path) -> bool:
    return path.suffix.lower() == ".npz" and not path.is_dir()


def _read_npz(settings: PictureSettings) -> tuple[dict[str, ImageData], list[str]]:
    """The parts that are files of their own, "train" first."""
    found: dict[str, ImageData] = {}
    for part, path in _files(settings).items():
        data = found[part] = ImageData.from_npz(path)
        if data.labels is None:
            raise DataError(f"{path}: the labels must be classes (whole numbers or text), not decimal numbers.")
        if part == "train":
            _require_classes(path, data)
        _require_channels(path, data)
        if data.shape != found["train"].shape:
            raise DataError(f"{path}: its pictures have shape {data.shape}, those to train on {found['train'].shape}.")
    return _same_labels(found, _files(settings)), []


def _files(settings: PictureSettings) -> dict[str, Path]:
    """The files or folders that were named, by part."""
    named = {"train": settings.data, "validation": settings.validation, "test": settings.test}
    return {part: path for part, path in named.items() if path is not None}


def _read_folders(settings: PictureSettings, body: Body | None) -> tuple[dict[str, ImageData], list[str]]:
    """The parts that are folders of their own, "train" first, and what should be said about the pictures."""
    own = own_parts(settings.data)
    folders = {"train": own.get("train", settings.data)}
    notes: list[str] = []
    for part in ("validation", "test"):
        named = getattr(settings, part)
        if named is not None and part in own:
            notes.append(f"The folder {own[part]} is not used, because --{part} names other pictures.")
        elif part in own and getattr(settings, f"{part}_fraction") is not None:
            raise ParameterError(f"--{part}-fraction: {settings.data} has a {part} part already. Leave the option out.")
        if named is not None or part in own:
            folders[part] = named or own[part]
    broken = settings.broken or "stop"
    fit = body.preprocessor.fit if body is not None and body.preprocessor is not None else "stretch"
    options: dict[str, Any] = {"fit": settings.fit or fit, "on_error": broken, "channels": settings.channels}
    first, found_notes = _layout(folders["train"], settings)
    if body is not None:
        height, width, channels = body.network.input_shapes[0]  # type: ignore[index]
        first = {"size": (height, width), "channels": channels}
    options |= first
    notes += found_notes
    found: dict[str, ImageData] = {}
    left_out = 0
    for part, folder in folders.items():
        found[part] = ImageData.from_folder(folder, **options)
        if broken == "stop":
            found[part].check()
        left_out += len(found[part].skipped)
        if broken == "skip":
            notes += [f"Left out: {why}" for _, why in found[part].skipped[:3]]
        options["channels"] = found[part].shape[2]
    if left_out > 3:
        notes.append(f"{left_out:,} pictures in all cannot be read and are left out.")
    _require_classes(folders["train"], found["train"])
    return _same_labels(found, folders), notes


def _same_labels(found: dict[str, ImageData], places: dict[str, Path]) -> dict[str, ImageData]:
    """The parts with the classes numbered as in the first. Raises  DataError for a class that is not in it"""
    train = found["train"]
    labels = train.labels
    assert labels is not None
    for part, other in found.items():
        unknown = sorted(set(other.classes) - set(train.classes))
        if unknown:
            raise DataError(
                f"{places[part]}: the class {unknown[0]!r} is not one of the training part's: {some(train.classes, 20)}."
            )
    return {part: data if part == "train" else data.labelled(labels) for part, data in found.items()}


def _require_channels(place: Path, data: ImageData) -> None:
    """DataError unless the pictures are grey or have three colours, last."""
    first, channels = data.shape[0], data.shape[2]
    if channels not in (1, 3):
        cure = (
            "They have their channels first: pass images.transpose(0, 2, 3, 1)."
            if first in (1, 3)
            else "Leave out the others."
        )
        raise DataError(
            f"{place}: pictures must be (N, H, W) or (N, H, W, C) with 1 or 3 channels. Got {channels} channels, in "
            f"samples of shape {data.shape}. {cure}"
        )


def _layout(folder: Path, settings: PictureSettings) -> tuple[dict[str, Any], list[str]]:
    """Size and channels for the pictures of a folder, from the beginnings of all its files, and a note about the sizes."""
    headers: list[Header] = []
    for files in class_folders(folder).values():
        for path in files:
            try:
                headers.append(read_header(path))
            except ImageError:
                if settings.broken != "skip":
                    raise
    if not headers:
        raise ImageError(f"{folder}: none of the pictures can be read.")
    sizes = Counter((h.height, h.width) for h in headers)
    notes = []
    if len(sizes) > 1:
        low, high = min(sizes, key=lambda s: s[0] * s[1]), max(sizes, key=lambda s: s[0] * s[1])
        notes.append(f"The pictures have {len(sizes):,} sizes, from {low[0]} × {low[1]} to {high[0]} × {high[1]} pixels.")
    size = settings.size
    if size is None:
        only = next(iter(sizes))
        side = min(_SIDE, int(np.median([min(h.height, h.width) for h in headers])))
        size = only if len(sizes) == 1 and max(only) <= _AS_THEY_ARE else (side, side)
    channels = settings.channels or (1 if all(h.grey for h in headers) else 3)
    return {"size": size, "channels": channels}, notes


def _require_classes(where: Path, data: ImageData) -> None:
    if len(data.classes) < 2:
        raise DataError(
            f"{where}: there is one class only, {data.classes[0]!r}. At least two are needed to tell pictures apart."
        )


def _divide(settings: PictureSettings, parts: dict[str, ImageData]) -> dict[str, ImageData]:
    """The parts, with a test and a validation part taken off the training part where there are none."""
    rng, divided = np.random.default_rng(settings.random_state), dict(parts)
    test = settings.shares[0]
    try:
        if "test" not in divided and test:
            divided["train"], divided["test"] = divided["train"].split(test, rng)
        share = 0.0 if "validation" in divided else inner_share(settings, divided["train"].n_samples)
        if share:
            divided["train"], divided["validation"] = divided["train"].split(share, rng)
    except DataError as error:
        raise DataError(
            f"{settings.data}: {divided['train'].n_samples} pictures cannot be split with --test-fraction {test:g}. "
            f"{error} Give more pictures, or --test-fraction 0 to test on none."
        ) from error
    return divided


# ---------------------------------------------------------------- words


def _description(
    settings: PictureSettings, data: PictureParts, model: PictureModel, fit: FitSettings
) -> list[tuple[str, str]]:
    counts = [0 if part is None else part.n_samples for part in data[:3]]
    height, width, channels = model.preprocessor.shape
    colours = {1: "grey", 3: "colours"}.get(channels, f"{channels} channels")
    known = data.body is not None and data.body.preprocessor is not None
    scaled = f"scaled as {settings.pretrained} takes them" if known else "standardised"
    network = f"{_chain(model)}, {model.network.parameters.count:,} parameters"
    if data.body is not None:
        learns = "learns along" if settings.fine_tune else "stays as it is"
        network = (
            f"{settings.pretrained}, which {learns}, and a new last layer, {model.network.parameters.count:,} parameters"
        )
    how = "" if data.train.paths is None else f", {settings.fit or 'stretch'}"
    classes = model.classes or []
    return [
        ("Data", f"{settings.data}: {sum(counts):,} pictures, {len(classes)} classes"),
        ("Classes", some(classes, 8)),
        ("Inputs", f"{height} × {width} pixels{how}, {colours}, {scaled}"),
        ("Split", f"{counts[0]:,} pictures to train on, {counts[1]:,} to validate on, {counts[2]:,} to test on"),
        ("Augmentation", _changes(data.train.augmentation)),
        *(("Note", note) for note in data.notes),
        ("Network", network),
        ("Training", training_text(fit)),
    ]


def _changes(augmentation: Augmentation | None) -> str:
    return "none" if augmentation is None else repr(augmentation).removeprefix("Augmentation(").removesuffix(")")


def _chain(model: PictureModel) -> str:
    """The layers that hold weights, in order; of many the first and the last."""
    names = [repr(layer) for layer in model.network.layers.values() if hasattr(layer, "units") or hasattr(layer, "kernel")]
    names = [name.split(",")[0].removesuffix(")") + ")" for name in names if not name.startswith("MaxPool")]
    if len(names) > 8:
        names = [*names[:3], f"... {len(names) - 5} more", *names[-2:]]
    return " → ".join(names)
