"""From clips and settings to a training that can begin."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...architectures.clip_networks import clip_network
from ...errors import DataError, ParameterError
from ...images.folder import PARTS
from ...optimizers import Cosine
from ...training import EarlyStopping
from ...training.settings import FitSettings
from ...video import ClipData, frames
from ...video.clip_folders import clip_folders
from ..scores import guess_classes
from ..task import PreparedNetwork
from ..words import some, training_text
from . import TASK
from .clip_model import ClipModel
from .settings import ClipSettings

__all__ = ["ClipParts", "prepare", "read", "resume"]

_SIDE, _STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS, _RATE = 64, 1500, 8, 40, 0.003


class ClipParts(NamedTuple):
    """Clips to train on, to validate on and to test on, standardised; None for a part that there is not."""

    train: ClipData
    validation: ClipData | None
    test: ClipData | None


def read(settings: ClipSettings) -> ClipParts:
    """The clips in parts. Raises  ImageError, naming the file or folder ; DataError for fewer than two classes"""
    folders = {"train": settings.data}
    own = {}
    if settings.data.is_dir():
        own = {PARTS[p.name.lower()]: p for p in sorted(settings.data.iterdir()) if p.is_dir() and p.name.lower() in PARTS}
        if "train" in own:
            folders = own
    for part in ("validation", "test"):
        named: Path | None = getattr(settings, part)
        if named is not None:
            folders[part] = named
    first = next(iter(clip_folders(folders["train"]).values()))[0]
    side = next(frames(first)).shape
    size = settings.size or (min(_SIDE, side[0]), min(_SIDE, side[1]))
    options: dict[str, Any] = {
        "length": settings.frames, "step": settings.every, "size": size, "channels": settings.channels or 3,
        "fit": settings.fit or "stretch",
    }  # fmt: skip
    found = {part: ClipData.from_folder(folder, **options) for part, folder in folders.items()}
    train = found["train"]
    if len(train.classes) < 2:
        raise DataError(f"{folders['train']}: there is one class only, {train.classes[0]!r}. At least two are needed.")
    assert train.labels is not None
    for part, data in found.items():
        unknown = sorted(set(data.classes) - set(train.classes))
        if unknown:
            raise DataError(
                f"{folders[part]}: the class {unknown[0]!r} is not one of the training part's: {some(train.classes)}."
            )
    found = {part: data if part == "train" else data.labelled(train.labels) for part, data in found.items()}
    rng = np.random.default_rng(settings.random_state)
    for part, share in zip(("test", "validation"), settings.shares, strict=True):
        if part in found or not share:
            continue
        try:
            found["train"], found[part] = found["train"].split(share, rng)
        except (DataError, ParameterError) as error:
            raise DataError(
                f"{settings.data}: {found['train'].n_clips} clips cannot be split with --{part}-fraction {share:g}. {error} "
                f"Give more clips, or --{part}-fraction 0."
            ) from error
    train = found["train"].standardised().augmented(settings.augmentation())
    others = {part: data.standardised(like=train) for part, data in found.items() if part != "train"}
    return ClipParts(train, others.get("validation"), others.get("test"))


def prepare(data: ClipParts, settings: ClipSettings) -> PreparedNetwork:
    """A new network for the clips, and its training."""
    train, labels = data.train, data.train.labels
    assert labels is not None and train.targets is not None
    make = clip_network(settings.network)
    network = make(labels.n_classes, input_shape=train.shape, random_state=settings.random_state, dtype=settings.dtype)
    fit, targets = _fit_settings(settings, data), train.targets
    counts = [0 if part is None else part.n_clips for part in data]
    length, height, width, channels = train.shape

    def model(trained: Any, facts: Any) -> ClipModel:
        return ClipModel(trained, train.preprocessor, labels, frames=settings.frames, every=settings.every, facts=facts)

    every = "" if settings.every == 1 else f", every {settings.every}th one"
    return PreparedNetwork(
        TASK,
        f"{settings.data}: {train.n_clips:,} clips, {labels.n_classes} classes",
        network,
        (train,),
        fit,
        model,
        settings.data.resolve().name,
        train.n_clips,
        description=[
            ("Data", f"{settings.data}: {sum(counts):,} clips, {labels.n_classes} classes"),
            ("Classes", some(train.classes, 8)),
            ("Inputs", f"{length} frames{every}, {height} × {width} pixels, {'grey' if channels == 1 else 'colours'}"),
            ("Split", f"{counts[0]:,} clips to train on, {counts[1]:,} to validate on, {counts[2]:,} to test on"),
            ("Windows", f"{train.n_samples:,} to train on"),
            ("Augmentation", settings.augment),
            ("Network", f"{settings.network}, {network.parameters.count:,} parameters"),
            ("Training", training_text(fit)),
        ],
        facts={"augmentation": settings.augment},
        test=data.test,
        guess=lambda truth: guess_classes(labels.classes.tolist(), targets, truth),
        units={"loss": "nats per window", "accuracy": "share of windows"},
    )


def resume(model: ClipModel, settings: ClipSettings) -> PreparedNetwork:
    """More training of the network of a model, with its own settings where none is set."""
    samples = model.read(settings.data)
    if samples.truth is None:
        raise DataError(
            f"{settings.data}: the clips have no classes. Name the folders like them: {some(model.classes or [])}."
        )
    return PreparedNetwork(
        TASK,
        f"{settings.data}: {samples.count:,} clips",
        model.network,
        (samples.data,),
        settings.resumed(model.network),
        lambda network, facts: ClipModel(
            network, model.preprocessor, model.class_labels, frames=model.frames, every=model.every,
            facts={**model.facts, **facts},
        ),
        settings.data.resolve().name,
        samples.count,
    )  # fmt: skip


def _fit_settings(settings: ClipSettings, data: ClipParts) -> FitSettings:
    n, optimizer = data.train.n_samples, settings.make_optimizer()
    batch_size = settings.batch_size or (8 if n < 400 else 16)
    if not settings.batch_size:  # of a last window alone no layer could find a variance
        batch_size = next((b for b in range(batch_size, batch_size + 9) if n % b != 1), batch_size)
    epochs = settings.epochs or min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, math.ceil(_STEPS / math.ceil(n / batch_size))))
    rate = _RATE if settings.optimizer is None else optimizer.learning_rate
    patience = settings.patience or max(5, epochs // 2)
    return FitSettings.of(
        {
            "loss": "softmax_cross_entropy",
            "optimizer": optimizer,
            "learning_rate": settings.learning_rate or Cosine(float(rate), total=epochs, unit="epochs"),
            "epochs": epochs,
            "batch_size": batch_size,
            "validation_data": data.validation,
            "early_stopping": EarlyStopping(patience=patience) if data.validation is not None else None,
            **settings.machine(),
        }
    )
