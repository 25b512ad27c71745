"""From pictures of lines and settings to a training that can begin: a folder with a file of texts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...architectures.text_reader import text_reader
from ...data import RaggedData, Sequences
from ...data.batches import split_validation
from ...data.ragged_data import padded_targets
from ...errors import DataError
from ...images.folder import PARTS, PICTURES
from ...images.lines import LineAugmentation, as_columns, synthetic_lines
from ...losses import CTC
from ...model import Network
from ...optimizers import Cosine
from ...training import EarlyStopping
from ...training.settings import FitSettings
from ..labels_file import find_labels_file, read_labels_file
from ..tabular import inner_share
from ..task import PreparedNetwork
from ..transcription import Units, guess_texts
from ..words import some, training_text
from . import TASK
from .line_model import LineModel
from .settings import LineSettings

__all__ = ["LineParts", "prepare", "read", "resume"]

#: Steps that a training has by default, and the bounds of the epochs that they are made of.
_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 4000, 15, 120


class LineParts(NamedTuple):
    """Lines to train on, to validate on and to test on; None for a part that there is not.

    Parameters  test : (files, texts) ; units : characters ; texts : of the training part ; notes : sentences about the lines
    """

    train: RaggedData
    validation: RaggedData | None
    test: tuple[list[Path], list[str]] | None
    units: Units
    texts: list[str]
    notes: list[str]


def read(settings: LineSettings) -> LineParts:
    """The lines in parts. Raises  ImageError, naming the file ; DataError for a wrong file of labels, or too few lines"""
    found = _files_in_parts(settings)
    rng = np.random.default_rng(settings.random_state)
    files, texts = found["train"]
    if "test" not in found and settings.shares[0]:
        found["train"], found["test"] = _split(settings, files, texts, settings.shares[0], rng, "--test-fraction")
        files, texts = found["train"]
    share = 0.0 if "validation" in found else inner_share(settings, len(files))
    if share:
        found["train"], found["validation"] = _split(settings, files, texts, share, rng, "--validation-fraction")
        files, texts = found["train"]
    units = Units.of(texts, "characters")
    notes: list[str] = []
    drawn: list[Any] = []
    drawn_texts: list[str] = []
    if settings.synthetic:
        drawn_texts = [_mixed(texts, rng) for _ in range(settings.synthetic)]
        drawn = synthetic_lines(drawn_texts, height=settings.height, random_state=rng)
        notes.append(f"{settings.synthetic:,} lines more are drawn with the fonts of this machine.")
    change = LineAugmentation() if settings.augment == "light" else None
    train = _data(files, texts, settings, units, change, notes, "training", drawn, drawn_texts)
    validation = None
    if "validation" in found:
        paths, written = found["validation"]
        validation = _data(paths, written, settings, units, None, notes, "validation")
    return LineParts(train, validation, found.get("test"), units, texts, notes)


def _mixed(texts: list[str], rng: np.random.Generator) -> str:
    """A text of one to four words of others, in which digits are drawn anew."""
    words = [word for i in rng.integers(0, len(texts), 3) for word in texts[i].split()] or [texts[0]]
    chosen = [words[i] for i in rng.integers(0, len(words), rng.integers(1, 5))]
    digits = "".join(sorted({letter for text in texts for letter in text if letter.isdecimal()}))
    return "".join(str(rng.choice(list(digits))) if letter.isdecimal() else letter for letter in " ".join(chosen))


def _data(
    files: list[Path],
    texts: list[str],
    settings: LineSettings,
    units: Units,
    change: Any,
    notes: list[str],
    part: str,
    more: list[Any] | None = None,
    more_texts: list[str] | None = None,
) -> RaggedData:
    good = [i for i, text in enumerate(texts) if units.knows(text)]
    if len(good) < len(texts):
        notes.append(f"{len(texts) - len(good)} lines of the {part} part have characters that are not learned: left out.")
    if not good:
        raise DataError(f"{settings.data}: no line of the {part} part is made of the characters of those to learn from.")
    lines = [as_columns(files[i], settings.height, where=str(files[i])) for i in good] + (more or [])
    targets = padded_targets(units.encode([texts[i] for i in good] + (more_texts or []), name="texts"))
    return RaggedData(Sequences(lines), targets, change=change, scale=1 / 255)


def _files_in_parts(settings: LineSettings) -> dict[str, Any]:
    """{"train": (files, texts), ...}, of the parts that are folders of their own."""
    places: dict[str, Path | None] = {"train": settings.data, "validation": settings.validation, "test": settings.test}
    if settings.data.is_dir() and find_labels_file(settings.data) is None:
        own = {PARTS[p.name.lower()]: p for p in settings.data.iterdir() if p.is_dir() and p.name.lower() in PARTS}
        if "train" in own:
            places = {part: own.get(part) if part == "train" else places[part] or own.get(part) for part in places}
    found: dict[str, Any] = {}
    for part, place in places.items():
        if place is None:
            continue
        labels = find_labels_file(place) if place.is_dir() else None
        if labels is None:
            raise DataError(
                f"{place}: there is no file of labels, such as {place / 'labels.csv'} with the name of a picture and its "
                "text in each line."
            )
        found[part] = read_labels_file(labels, PICTURES)
    return found


def _split(
    settings: LineSettings, files: list[Path], texts: list[str], share: float, rng: Any, option: str
) -> tuple[tuple[list[Path], list[str]], tuple[list[Path], list[str]]]:
    try:
        rest, part = split_validation(len(files), share, rng)
    except DataError as error:
        raise DataError(f"{settings.data}: {len(files)} lines cannot be split with {option} {share:g}. {error}") from error
    return tuple(([files[i] for i in rows], [texts[i] for i in rows]) for rows in (rest, part))  # type: ignore[return-value]


def _fit_settings(settings: LineSettings, data: LineParts) -> FitSettings:
    n, optimizer = data.train.n_samples, settings.make_optimizer()
    batch_size = settings.batch_size or (8 if n < 400 else 16 if n < 2000 else 32)
    if not settings.batch_size:  # of a last line alone no layer could find a variance
        batch_size = next((b for b in range(batch_size, batch_size + 9) if n % b != 1), batch_size)
    epochs = settings.epochs or min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, math.ceil(_STEPS / math.ceil(n / batch_size))))
    if settings.optimizer is None and settings.learning_rate is None:
        optimizer.learning_rate = 0.002
    optimizer.clip_norm = 5.0
    rate = optimizer.learning_rate if isinstance(optimizer.learning_rate, (int, float)) else 0.001
    patience = settings.patience or max(6, epochs // 2)
    return FitSettings.of(
        {
            "loss": CTC(zero_infinity=True),
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


def _shorten(data: RaggedData) -> int:
    """4 columns for a step where nearly all texts fit into so few, else 2."""
    needed = CTC().steps_needed(data.targets[data.rows])
    return 4 if np.mean(data.samples.lengths[data.rows] // 4 >= 1.2 * needed) > 0.98 else 2


def prepare(data: LineParts, settings: LineSettings) -> PreparedNetwork:
    """A new network for the lines, and its training."""
    units, height = data.units, settings.height
    network = text_reader(
        len(units) + 1,
        height=height,
        width=settings.width,
        shorten=_shorten(data.train),
        random_state=settings.random_state,
        dtype=settings.dtype,
    )
    fit = _fit_settings(settings, data)
    return PreparedNetwork(
        TASK,
        f"{settings.data}: {data.train.n_samples:,} lines, {len(units)} characters",
        network,
        (data.train,),
        fit,
        lambda trained, facts: LineModel(trained, height, units, facts),
        settings.data.resolve().name,
        data.train.n_samples,
        description=_description(settings, data, network, fit),
        test=None if data.test is None else LineModel(network, height, units).read(*data.test),
        guess=lambda truth: guess_texts(data.texts, truth),
        units={"loss": "nats per line"},
    )


def resume(model: LineModel, settings: LineSettings) -> PreparedNetwork:
    """More training of the network of a model, with its own settings where none is set."""
    samples = model.read(settings.data)
    if samples.truth is None:
        raise DataError(f"{settings.data}: {samples.missing} Give a folder with a file labels.csv.")
    targets = padded_targets(model.units.encode(samples.truth, name=str(settings.data)))
    data = RaggedData(samples.data, targets, scale=1 / 255)
    return PreparedNetwork(
        TASK,
        f"{settings.data}: {data.n_samples:,} lines",
        model.network,
        (data,),
        settings.resumed(model.network),
        lambda network, facts: LineModel(network, model.height, model.units, {**model.facts, **facts}),
        settings.data.resolve().name,
        data.n_samples,
    )


def _description(settings: LineSettings, data: LineParts, network: Network, fit: FitSettings) -> list[tuple[str, str]]:
    counts = [data.train.n_samples, 0 if data.validation is None else data.validation.n_samples,
              0 if data.test is None else len(data.test[0])]  # fmt: skip
    widths = data.train.samples.lengths
    return [
        ("Data", f"{settings.data}: {sum(counts):,} lines, {len(data.units)} characters"),
        ("Characters", some(["space" if name == " " else name for name in data.units.names], 40)),
        ("Inputs", f"grey, {settings.height} pixels high, {widths.min()} to {widths.max()} wide"),
        ("Split", f"{counts[0]:,} lines to train on, {counts[1]:,} to validate on, {counts[2]:,} to test on"),
        ("Augmentation", settings.augment),
        *(("Note", note) for note in data.notes),
        ("Network", f"4 convolutions, an LSTM in both directions, {network.parameters.count:,} parameters"),
        ("Training", training_text(fit)),
    ]
