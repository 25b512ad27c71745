"""From sounds and settings to a training that can begin: a folder of classes, or a folder with a file of texts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...architectures.sound_networks import SHORTENINGS, sound_classifier, sound_transcriber
from ...data import ClassLabels, RaggedData
from ...data.ragged_data import padded_targets
from ...errors import DataError, ParameterError
from ...images.folder import class_folders, own_parts
from ...losses import CTC
from ...model import Network
from ...optimizers import Cosine
from ...sounds import SOUNDS, as_waves
from ...sounds.sound_file import rate_of
from ...training import EarlyStopping
from ...training.settings import FitSettings
from ..labels_file import find_labels_file, read_labels_file
from ..scores import guess_classes
from ..tabular import inner_share
from ..task import PreparedNetwork
from ..transcription import Units, guess_texts
from ..words import some, training_text
from . import TASK
from .settings import SoundSettings
from .sound_model import SoundModel

__all__ = ["SoundParts", "make_sound_network", "prepare", "read", "resume"]

#: Steps that a training has by default, and the bounds of the epochs that they are made of.
_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 2400, 15, 80
_HIGHEST_RATE, _LOOKED_AT = 16000.0, 200
#: Frames of spectra a second, and the fewest steps of the output that a unit of a text has on the average.
_FRAMES, _STEPS_A_UNIT = 100, 3


class SoundParts(NamedTuple):
    """Sounds to train on, to validate on and to test on; None for a part that there is not.

    Parameters  rate : samples a second ; labels : of the classes, or the units of texts ; texts : of the training part
                test : (files, classes or texts) ; notes : sentences about the sounds
    """

    train: RaggedData
    validation: RaggedData | None
    test: tuple[list[Path], list[str]] | None
    rate: float
    labels: ClassLabels | Units
    train_labels: list[str]
    notes: list[str]


def read(settings: SoundSettings) -> SoundParts:
    """The sounds in parts. Raises  SoundError, naming the file or folder ; DataError for too few sounds or classes"""
    parts = _files_in_parts(settings)
    rng = np.random.default_rng(settings.random_state)
    classes = parts.pop("classes")
    share_of_test, _ = settings.shares
    files, labels = parts["train"]
    if not classes and settings.units != "auto" and settings.units not in ("words", "characters"):
        raise ParameterError(f"--units must be auto, words or characters. Got {settings.units!r}.")
    if classes and len(set(labels)) < 2:
        raise DataError(
            f"{settings.data}: there is one class only, {labels[0]!r}. At least two are needed to tell sounds apart."
        )
    if "test" not in parts and share_of_test:
        parts["train"], parts["test"] = _split(settings, files, labels, share_of_test, rng, classes, "--test-fraction")
        files, labels = parts["train"]
    share = 0.0 if "validation" in parts else inner_share(settings, len(files))
    if share:
        parts["train"], parts["validation"] = _split(settings, files, labels, share, rng, classes, "--validation-fraction")
        files, labels = parts["train"]
    rate, notes = _common_rate(settings, files)
    known: ClassLabels | Units = ClassLabels.fit(np.array(labels)) if classes else Units.of(labels, settings.units)
    made: dict[str, RaggedData] = {}
    for part in ("train", "validation"):
        if part in parts:
            change = settings.augmentation(rate) if part == "train" else None
            paths, written = parts[part]
            made[part] = _data(paths, written, rate, known, change, str(settings.data), notes, part)
    return SoundParts(made["train"], made.get("validation"), parts.get("test"), rate, known, labels, notes)


def _data(
    files: list[Path], labels: list[str], rate: float, known: Any, change: Any, source: str, notes: list[str], part: str
) -> RaggedData:
    if isinstance(known, ClassLabels):
        return RaggedData(as_waves(files, rate), known.encode(np.array(labels)), change=change)
    good = [i for i, text in enumerate(labels) if known.knows(text)]
    if len(good) < len(labels):
        notes.append(
            f"{len(labels) - len(good)} texts of the {part} part have units that no text to learn from has: left out."
        )
    if not good:
        raise DataError(f"{source}: no text of the {part} part is made of the {known.kind} of the texts to learn from.")
    targets = padded_targets(known.encode([labels[i] for i in good], name="texts"))
    return RaggedData(as_waves([files[i] for i in good], rate), targets, change=change)


def _files_in_parts(settings: SoundSettings) -> dict[str, Any]:
    """{"train": (files, labels), ...} and {"classes": whether labels are classes}."""
    places = {"train": settings.data, "validation": settings.validation, "test": settings.test}
    found: dict[str, Any] = {}
    if own := own_parts(settings.data):
        places = {part: place if part != "train" and place else own.get(part) for part, place in places.items()}
    for part, place in places.items():
        if place is None:
            continue
        labels_file = find_labels_file(place) if place.is_dir() else None
        if labels_file is not None:
            kind, pairs = "texts", read_labels_file(labels_file, SOUNDS)
        else:
            folders = class_folders(place, SOUNDS)
            kind = "classes"
            pairs = [f for files in folders.values() for f in files], [n for n, files in folders.items() for _ in files]
        if found.setdefault("classes", kind == "classes") != (kind == "classes"):
            raise DataError(f"{place}: it holds {kind}, and {settings.data} does not. Give parts of one kind.")
        if part != "train" and kind == "classes":
            unknown = sorted(set(pairs[1]) - set(found["train"][1]))
            if unknown:
                raise DataError(f"{place}: the class {unknown[0]!r} is not one of the training part's.")
        found[part] = pairs
    return found


def _split(
    settings: SoundSettings, files: list[Path], labels: list[str], share: float, rng: Any, classes: bool, option: str
) -> tuple[tuple[list[Path], list[str]], tuple[list[Path], list[str]]]:
    from ...data.batches import split_validation

    try:
        rest, part = split_validation(len(files), share, rng, np.array(labels) if classes else None)
    except DataError as error:
        raise DataError(f"{settings.data}: {len(files)} sounds cannot be split with {option} {share:g}. {error}") from error
    return tuple(([files[i] for i in rows], [labels[i] for i in rows]) for rows in (rest, part))  # type: ignore[return-value]


def _common_rate(settings: SoundSettings, files: Sequence[Path]) -> tuple[float, list[str]]:
    """The rate that sounds are brought to, and a note where they have several."""
    step = max(1, len(files) // _LOOKED_AT)
    rates = Counter(rate_of(file) for file in files[::step])
    rate = settings.rate or min(_HIGHEST_RATE, rates.most_common(1)[0][0])
    notes = []
    if len(rates) > 1:
        notes.append(f"The sounds have {len(rates)} sampling rates, from {min(rates):g} to {max(rates):g} Hz.")
    return float(rate), notes


def make_sound_network(
    labels: ClassLabels | Units, rate: float, *, mels: int, width: int, random_state: Any, dtype: str, shorten: int = 4
) -> Network:
    """A new network for these classes or units of texts."""
    options: dict[str, Any] = {"rate": rate, "mels": mels, "width": width, "random_state": random_state, "dtype": dtype}
    if isinstance(labels, ClassLabels):
        return sound_classifier(labels.n_classes, **options)
    return sound_transcriber(len(labels) + 1, **options, shorten=shorten)


def _shortening(data: SoundParts) -> int:
    """How many frames a step of the output stands for: as many as leave each unit enough steps, and each text its own."""
    frames = _FRAMES * data.train.samples.lengths[data.train.rows] / data.rate
    targets = data.train.targets[data.train.rows]
    units = (targets > 0).sum(axis=1)
    # Between two equal units CTC writes a blank, which takes a step, too.
    needed = units + ((targets[:, 1:] == targets[:, :-1]) & (targets[:, 1:] > 0)).sum(axis=1)
    most = min(frames.sum() / max(1, _STEPS_A_UNIT * units.sum()), float((frames / np.maximum(needed, 1)).min()) / 1.25)
    return max((one for one in SHORTENINGS if one <= most), default=1)


def _fit_settings(settings: SoundSettings, data: SoundParts, loss: Any) -> FitSettings:
    n, optimizer = data.train.n_samples, settings.make_optimizer()
    few = max(2, n // 12) if isinstance(loss, CTC) else 8  # CTC finds where words lie by many steps, not by large ones
    batch_size = settings.batch_size or min(few, 8 if n < 200 else 16 if n < 800 else 32)
    if not settings.batch_size:  # of a last sound alone no layer could find a variance
        batch_size = next((b for b in range(batch_size, batch_size + 9) if n % b != 1), batch_size)
    most = _MOST_EPOCHS if isinstance(data.labels, ClassLabels) else 2 * _MOST_EPOCHS
    epochs = settings.epochs or min(most, max(_FEWEST_EPOCHS, math.ceil(_STEPS / math.ceil(n / batch_size))))
    if settings.optimizer is None and settings.learning_rate is None:
        optimizer.learning_rate = 0.003
    optimizer.clip_norm = optimizer.clip_norm if isinstance(data.labels, ClassLabels) else 5.0
    rate = optimizer.learning_rate if isinstance(optimizer.learning_rate, (int, float)) else 0.001
    patience = settings.patience or max(6, epochs // 2)
    return FitSettings.of(
        {
            "loss": loss,
            "optimizer": optimizer,
            # A rate that falls to 0 over the epochs ends in better weights than a constant one. One that was set stays.
            "learning_rate": settings.learning_rate or Cosine(rate, total=epochs, unit="epochs"),
            "epochs": epochs,
            "batch_size": batch_size,
            "validation_data": data.validation,
            "early_stopping": EarlyStopping(patience=patience) if data.validation is not None else None,
            **settings.machine(),
        }
    )


def prepare(data: SoundParts, settings: SoundSettings) -> PreparedNetwork:
    """A new network for the sounds, and its training."""
    labels, rate = data.labels, data.rate
    shorten = 4 if isinstance(labels, ClassLabels) else _shortening(data)
    network = make_sound_network(
        labels, rate, mels=settings.mels, width=settings.width, random_state=settings.random_state, dtype=settings.dtype,
        shorten=shorten,
    )  # fmt: skip
    loss: Any = "softmax_cross_entropy" if isinstance(labels, ClassLabels) else CTC(zero_infinity=True)
    fit = _fit_settings(settings, data, loss)
    what = f"{labels.n_classes} classes" if isinstance(labels, ClassLabels) else f"texts of {len(labels)} {labels.kind}"

    def guess(truth: Any) -> Any:
        if isinstance(labels, ClassLabels):
            return guess_classes(labels.classes.tolist(), data.train.targets, truth)
        return guess_texts(data.train_labels, truth)

    return PreparedNetwork(
        TASK,
        f"{settings.data}: {data.train.n_samples:,} sounds, {what}",
        network,
        (data.train,),
        fit,
        lambda trained, facts: SoundModel(trained, rate, labels, facts),
        settings.data.resolve().name,
        data.train.n_samples,
        description=_description(settings, data, network, fit, what),
        facts={"augmentation": "none" if data.train.change is None else settings.augment},
        test=None if data.test is None else SoundModel(network, rate, labels).read(*data.test),
        guess=guess,
        units={"loss": "nats per sound", "accuracy": "share of sounds"},
    )


def resume(model: SoundModel, settings: SoundSettings) -> PreparedNetwork:
    """More training of the network of a model, with its own settings where none is set."""
    samples = model.read(settings.data)
    if samples.truth is None:
        raise DataError(f"{settings.data}: {samples.refused or samples.missing} Give sounds as those of the training were.")
    targets: Any = samples.truth
    if model.units is not None:
        targets = padded_targets(model.units.encode(samples.truth, name=str(settings.data)))
    data = RaggedData(samples.data, targets)
    return PreparedNetwork(
        TASK,
        f"{settings.data}: {data.n_samples:,} sounds",
        model.network,
        (data,),
        settings.resumed(model.network),
        lambda network, facts: SoundModel(network, model.rate, model._labels, {**model.facts, **facts}),
        settings.data.resolve().name,
        data.n_samples,
    )


def _description(
    settings: SoundSettings, data: SoundParts, network: Network, fit: FitSettings, what: str
) -> list[tuple[str, str]]:
    train = data.train
    counts = [train.n_samples, 0 if data.validation is None else data.validation.n_samples,
              0 if data.test is None else len(data.test[0])]  # fmt: skip
    seconds = train.samples.lengths / data.rate
    names = data.labels.classes.tolist() if isinstance(data.labels, ClassLabels) else data.labels.names
    return [
        ("Data", f"{settings.data}: {sum(counts):,} sounds, {what}"),
        ("Classes" if isinstance(data.labels, ClassLabels) else data.labels.kind.capitalize(), some(list(names), 12)),
        ("Inputs", f"{seconds.min():.2g} to {seconds.max():.2g} seconds, one channel at {data.rate:g} samples a second, "
                   f"as {settings.mels} mel bands"),
        ("Split", f"{counts[0]:,} sounds to train on, {counts[1]:,} to validate on, {counts[2]:,} to test on"),
        ("Augmentation", settings.augment),
        *(("Note", note) for note in data.notes),
        ("Network", f"3 convolutions{'' if isinstance(data.labels, ClassLabels) else ', an LSTM in both directions'}, "
                    f"{network.parameters.count:,} parameters"),
        ("Training", training_text(fit)),
    ]  # fmt: skip
