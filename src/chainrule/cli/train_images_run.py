"""What ``chainrule train`` does with pictures: a folder that has one folder for each class, or an .npz file."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from ..architectures import get_architecture
from ..engine import get_engine
from ..errors import DataError, ImageError, ParameterError
from ..images import Augmentation, ImageData
from ..images.folder import PARTS
from ..images.picture import FITS, Header, read_header
from ..images.preprocessor import size_of
from ..optimizers import Cosine, Optimizer
from ..report import check_picture_path, learning_curves, prediction_grid
from ..training import EarlyStopping
from . import choices
from .console import facts, heading, is_terminal, out
from .image_model import ImageModel, make_network
from .progress import ProgressTable
from .scores import score_classes, show_scores
from .table_model import Prediction
from .train_run import (
    FEWEST_ROWS,
    INTERRUPTED,
    TrainOptions,
    check_common,
    on_machine,
    say_how_it_ended,
    say_what_next,
    say_what_was_seen,
    watching,
)

__all__ = ["ImageTraining", "draw_grid", "parse_size", "prepare_images", "reading", "run"]

Array = NDArray[Any]
#: Pictures of one size up to the first number of pixels stay as they are; all others get the second one at most.
_AS_THEY_ARE, _SIDE = 96, 64
#: Steps that training is given by default, and the bounds of the epochs they are made of.
_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 3000, 10, 60
#: Pictures of the grid, and how many of them may be mistakes.
_GRID, _MISTAKES = 32, 8


class _Parts(NamedTuple):
    """Pictures to train on, to validate on, to test on; None for a part that there is not."""

    train: ImageData
    validation: ImageData | None
    test: ImageData | None


class _Options(NamedTuple):
    """What the options mean."""

    optimizer: Optimizer
    place: Path
    augmentation: Augmentation | None
    size: tuple[int, int] | None


class ImageTraining(NamedTuple):
    """A training on pictures, before it begins.

    Parameters  parts : standardised ; notes : what should be said about the pictures ; fit : arguments of ``Network.fit``
    """

    parts: _Parts
    notes: list[str]
    model: ImageModel
    fit: dict[str, Any]
    chosen: _Options


def prepare_images(given: TrainOptions) -> ImageTraining:
    """Reads the pictures and makes the network, with all that its training needs."""
    chosen = _check(given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is left out is said below; a picture that is too large is refused
        parts, notes = _read(given, chosen)
    train = parts.train.standardised().augmented(chosen.augmentation)
    validation, test = (None if p is None else p.standardised(like=train) for p in parts[1:])
    labels = train.labels
    assert labels is not None
    network = make_network(
        given.network, train.shape, labels.n_classes, random_state=given.seed,
        dtype="float64" if given.precision == "float64" else "float32",
    )  # fmt: skip
    model = ImageModel(network, train.preprocessor, labels)
    n = train.n_samples
    batch_size = given.batch_size or (16 if n < 400 else 32 if n < 20_000 else 64)
    if not given.batch_size:  # of a last picture alone no layer could find a variance
        batch_size = next((b for b in range(batch_size, batch_size + 9) if n % b != 1), batch_size)
    epochs = given.epochs or min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, math.ceil(_STEPS / math.ceil(n / batch_size))))
    # The rate falls to the end, so the last epochs are the best ones: only a loss that has long been rising stops them.
    patience = given.patience or max(5, epochs // 2)
    fit = {
        "loss": "softmax_cross_entropy",
        "optimizer": chosen.optimizer,
        # A rate that falls to 0 over the epochs ends in better weights than one that stays; one that was typed stays.
        "learning_rate": given.learning_rate or Cosine(_rate(chosen.optimizer), total=epochs, unit="epochs"),
        "epochs": epochs,
        "batch_size": batch_size,
        "validation_data": validation,
        "early_stopping": EarlyStopping(patience=patience) if validation is not None else None,
        **on_machine(given),
    }
    return ImageTraining(_Parts(train, validation, test), notes, model, fit, chosen)


def run(given: TrainOptions) -> None:
    """Trains, scores and saves; exits with 130 when Ctrl-C ended the training."""
    parts, notes, model, fit, chosen = prepare_images(given)
    train, _, test = parts
    network, epochs, stopping, n = model.network, fit["epochs"], fit["early_stopping"], train.n_samples
    if not given.quiet:
        when = f"{epochs} epochs"
        if stopping is not None:
            when = f"at most {epochs} epochs, {stopping.patience} without better validation loss"
        decay = f" with weight decay {chosen.optimizer.weight_decay:g}" if chosen.optimizer.weight_decay else ""
        how = f"{given.optimizer}{decay}, softmax cross entropy, batches of {fit['batch_size']}, {when}"
        get_engine().prepare("images and graphs")  # on a new machine it compiles, and says so, before anything is shown
        _describe(given, model, parts, notes, how)
    progress = [] if given.quiet else [ProgressTable(every_epoch=given.verbose)]
    with watching():
        network.fit(train, **fit, callbacks=progress, verbose=0, diagnose=given.diagnose)
    history = network.history_
    best = stopping.best_epoch_ if stopping is not None and history.epochs else None
    if not given.quiet:
        say_how_it_ended(history.interrupted, stopping, len(history.epochs))
    model.facts = {"data": given.data.resolve().name, "rows": n, "epochs": len(history.epochs), "kept epoch": best,
                   "augmentation": _changes(train.augmentation)}  # fmt: skip
    prediction = None if test is None else model.predict(test)
    if test is not None and prediction is not None:
        _scores(given, model, train, test, prediction)
    model.save(chosen.place)
    title = given.data.resolve().name
    if given.plot is not None and history.epochs:
        units = {"loss": "nats per picture", "accuracy": "share of pictures"}
        learning_curves(history, given.plot, title=title, best_epoch=best, units=units)
    if given.grid is not None and test is not None and prediction is not None:
        draw_grid(given.grid, test, prediction, model.classes, title=f"{title}, test part", seed=given.seed)
    say_what_was_seen(given, network)
    if not given.quiet:
        grid = given.grid if test is not None else None
        say_what_next(given, chosen.place, "PICTURE.png", given.plot if history.epochs else None, grid)
    if history.interrupted:
        raise typer.Exit(INTERRUPTED)


def _rate(optimizer: Optimizer) -> float:
    rate = optimizer.learning_rate
    return float(rate) if isinstance(rate, (int, float)) else 0.001


# ------------------------------------------------------------ options


def _check(given: TrainOptions) -> _Options:
    """Everything that can be wrong with the options, before a picture is read."""
    optimizer, place = check_common(given)
    choices.known_name("--fit", given.fit, FITS)
    choices.known_name("--broken", given.broken, ("skip", "stop"))
    if given.channels not in (None, 1, 3):
        raise ParameterError(f"--channels must be 3 (colours) or 1 (grey). Got {given.channels}.")
    if given.network != "auto":
        get_architecture(given.network)
    if given.grid is not None:
        check_picture_path(given.grid)
        if not given.test_fraction:
            raise ParameterError(
                "--grid draws the test part, and --test-fraction 0 leaves none. Give one without the other."
            )
    changes = None if given.augment.strip().lower() in ("none", "") else Augmentation.from_text(given.augment)
    return _Options(optimizer, place, changes, parse_size(given.size))


def parse_size(text: str | None) -> tuple[int, int] | None:
    """``"64"`` as (64, 64), ``"48x64"`` as (48, 64): height and width."""
    if text is None:
        return None
    numbers = text.lower().replace("×", "x").split("x")
    if len(numbers) > 2 or not all(number.strip().isdigit() and int(number) for number in numbers):
        raise ParameterError(f"--size must be pixels, such as 64, or height and width, such as 48x64. Got {text!r}.")
    return size_of([int(number) for number in numbers] if len(numbers) == 2 else int(numbers[0]))


# ------------------------------------------------------------ reading


def _read(given: TrainOptions, chosen: _Options) -> tuple[_Parts, list[str]]:
    """The parts, with what should be said about the pictures."""
    if given.data.suffix.lower() == ".npz" and not given.data.is_dir():
        if chosen.size is not None:
            raise ParameterError("--size is for files of pictures; those of an .npz file have their size. Leave it out.")
        whole = ImageData.from_npz(given.data)
        if whole.labels is None:
            raise DataError(f"{given.data}: the labels must be classes (whole numbers or text), not decimal numbers.")
        _require_classes(given.data, whole)
        _require_channels(given.data, whole)
        return _divide(given, whole, None, None), []
    found = {}
    if given.data.is_dir():
        names = [p.name for p in given.data.iterdir() if p.is_dir() and not p.name.startswith(".")]
        if names and all(name.lower() in PARTS for name in names) and any(PARTS[name.lower()] == "train" for name in names):
            found = {PARTS[name.lower()]: given.data / name for name in names}
    folders = found or {"train": given.data}
    options: dict[str, Any] = {"fit": given.fit, "on_error": given.broken, "channels": given.channels}
    first, notes = _layout(folders["train"], given, chosen.size)
    options |= first
    data, left_out = {}, 0
    for part, folder in folders.items():
        with reading(f"reading the pictures of {folder} ..."):
            data[part] = ImageData.from_folder(folder, **options)
            if given.broken == "stop":
                data[part].check()
        left_out += len(data[part].skipped)
        if given.broken == "skip":
            notes += [f"Left out: {why}" for _, why in data[part].skipped[:3]]
        options["channels"] = data[part].shape[2]
    if left_out > 3:
        notes.append(f"{left_out:,} pictures in all cannot be read and are left out.")
    whole = data["train"]
    _require_classes(folders["train"], whole)
    for part, other in data.items():
        unknown = sorted(set(other.classes) - set(whole.classes))
        if unknown:
            raise DataError(
                f"{folders[part]}: the class {unknown[0]!r} is not one of the training part's: {', '.join(whole.classes)}."
            )
    labels = whole.labels
    assert labels is not None
    others = [None if part not in data else data[part].labelled(labels) for part in ("validation", "test")]
    return _divide(given, whole, *others), notes


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


def _layout(folder: Path, given: TrainOptions, size: tuple[int, int] | None) -> tuple[dict[str, Any], list[str]]:
    """Size and channels for the pictures of a folder, from the beginnings of all its files."""
    from ..images import class_folders

    headers: list[Header] = []
    for files in class_folders(folder).values():
        for path in files:
            try:
                headers.append(read_header(path))
            except ImageError:
                if given.broken == "stop":
                    raise
    if not headers:
        raise ImageError(f"{folder}: none of the pictures can be read.")
    sizes = Counter((h.height, h.width) for h in headers)
    notes = []
    if len(sizes) > 1:
        low, high = min(sizes, key=lambda s: s[0] * s[1]), max(sizes, key=lambda s: s[0] * s[1])
        notes.append(f"The pictures have {len(sizes):,} sizes, from {low[0]} × {low[1]} to {high[0]} × {high[1]} pixels.")
    if size is None:
        only = next(iter(sizes))
        if len(sizes) == 1 and max(only) <= _AS_THEY_ARE:
            size = only
        else:
            side = min(_SIDE, int(np.median([min(h.height, h.width) for h in headers])))
            size = (side, side)
    channels = given.channels or (1 if all(h.grey for h in headers) else 3)
    return {"size": size, "channels": channels}, notes


def _require_classes(where: Path, data: ImageData) -> None:
    if len(data.classes) < 2:
        raise DataError(
            f"{where}: there is one class only, {data.classes[0]!r}. At least two are needed to tell pictures apart."
        )


def _divide(given: TrainOptions, train: ImageData, validation: ImageData | None, test: ImageData | None) -> _Parts:
    """Takes a test and a validation part off the training part, where there are none."""
    rng = np.random.default_rng(given.seed)
    try:
        if test is None and given.test_fraction:
            train, test = train.split(given.test_fraction, rng)
        if validation is None and math.ceil(train.n_samples * given.validation_fraction) >= FEWEST_ROWS:
            train, validation = train.split(given.validation_fraction, rng)
    except DataError as error:
        raise DataError(
            f"{given.data}: {train.n_samples} pictures cannot be split with --test-fraction {given.test_fraction:g}. "
            f"{error} Give more pictures, or --test-fraction 0 to test on none."
        ) from error
    return _Parts(train, validation, test)


@contextmanager
def reading(text: str) -> Iterator[None]:
    """Says on a terminal what is being waited for."""
    if not is_terminal():
        yield
        return
    with out().status(text):
        yield


# ------------------------------------------------------------ what is said


def _describe(given: TrainOptions, model: ImageModel, parts: _Parts, notes: list[str], how: str) -> None:
    counts = [0 if part is None else part.n_samples for part in parts]
    heading(f"{given.data}: {sum(counts):,} pictures, {len(model.classes)} classes")
    shown = ", ".join(model.classes[:8]) + (f", ... ({len(model.classes)} in all)" if len(model.classes) > 8 else "")
    height, width, channels = model.preprocessor.shape
    colours = {1: "grey", 3: "colours"}.get(channels, f"{channels} channels")
    fit = "" if parts.train.paths is None else f", {given.fit}"
    rows = [
        ("Classes", shown),
        ("Inputs", f"{height} × {width} pixels{fit}, {colours}, standardised"),
        ("Split", f"{counts[0]:,} pictures to train on, {counts[1]:,} to validate on, {counts[2]:,} to test on"),
        ("Augmentation", _changes(parts.train.augmentation)),
        *(("Note", note) for note in notes),
        ("Network", f"{_chain(model)}, {model.network.parameters.count:,} parameters"),
        ("Training", how),
    ]
    facts(rows)
    out().print()


def _changes(augmentation: Augmentation | None) -> str:
    return "none" if augmentation is None else repr(augmentation).removeprefix("Augmentation(").removesuffix(")")


def _chain(model: ImageModel) -> str:
    """The layers that hold weights, in order; of many the first and the last."""
    names = [repr(layer) for layer in model.network.layers.values() if hasattr(layer, "units") or hasattr(layer, "kernel")]
    names = [name.split(",")[0].removesuffix(")") + ")" for name in names if not name.startswith("MaxPool")]
    if len(names) > 8:
        names = [*names[:3], f"... {len(names) - 5} more", *names[-2:]]
    return " → ".join(names)


def _scores(given: TrainOptions, model: ImageModel, train: ImageData, test: ImageData, prediction: Prediction) -> None:
    y, y_train = test.targets, train.targets
    assert y is not None and y_train is not None and prediction.probabilities is not None
    own = score_classes(model.classes, y, prediction.probabilities.argmax(axis=1), prediction.probabilities)
    shares = np.bincount(y_train, minlength=len(model.classes)) / len(y_train)
    most = np.full(len(y), int(shares.argmax()))
    guess = score_classes(model.classes, y, most, np.tile(shares, (len(y), 1)))
    model.facts["test"] = {metric: float(value) for metric, value in own.values.items()}
    model.facts["test rows"] = own.rows
    if not given.quiet:
        show_scores(
            f"Test part ({own.rows:,} picture{'s' * (own.rows != 1)})",
            own,
            [("most frequent class", guess)],
            target="class",
            unit="pictures",
        )


def draw_grid(path: Path, data: ImageData, prediction: Prediction, classes: list[str], *, title: str, seed: int = 0) -> None:
    """Some pictures with what they were taken for: the surest mistakes first, then others at random."""
    p, y = prediction.probabilities, data.targets
    assert p is not None
    rng = np.random.default_rng(seed)
    if y is None:
        chosen = np.arange(min(_GRID, len(p)))
        said = title
    else:
        wrong = np.flatnonzero(p.argmax(axis=1) != y)
        mistakes = wrong[np.argsort(-p[wrong].max(axis=1), kind="stable")][:_MISTAKES]
        right = rng.permutation(np.flatnonzero(p.argmax(axis=1) == y))[: _GRID - len(mistakes)]
        chosen = np.concatenate([mistakes, right])
        said = f"{title}: {len(y) - len(wrong):,} of {len(y):,} right"
        if len(mistakes):
            said += f"; the {len(mistakes)} surest mistakes first" if len(mistakes) > 1 else "; the mistake first"
    shown = list(data.pictures(chosen))
    true = None if y is None else y[chosen]
    prediction_grid(shown, p[chosen], classes, path, true=true, title=said, columns=min(8, len(chosen)))
