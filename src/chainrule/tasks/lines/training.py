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
from ...images.folder import PARTS
from ...images.lines import LineAugmentation, as_columns, synthetic_lines
from ...losses import CTC
from ...model import Network
from ...optimizers import Cosine
from ...training import EarlyStopping
from ...training.settings import FitSettings
from ..tabular import inner_share
from ..task import PreparedNetwork
from ..transcription import Units, guess_texts
from ..words import some, training_text
from . import TASK
from .line_model import LineModel
from .line_set import LineSet, has_lines, read_line_set
from .settings import LineSettings

__all__ = ["LineParts", "prepare", "read", "resume"]

#: Steps that a training has by default, and the bounds of the epochs that they are made of.
_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 4000, 15, 120


class LineParts(NamedTuple):
    """Lines to train on, to validate on and to test on; None for a part that there is not.

    Parameters  units : characters ; texts : of the training part ; notes : sentences about the lines
    """

    train: RaggedData
    validation: RaggedData | None
    test: LineSet | None
    units: Units
    texts: list[str]
    notes: list[str]


def read(settings: LineSettings) -> LineParts:
    """The lines in parts. Raises  ImageError, naming the file ; DataError for a wrong file of labels, or too few lines"""
    found = _files_in_parts(settings)
    rng = np.random.default_rng(settings.random_state)
    if "test" not in found and settings.shares[0]:
        found["train"], found["test"] = _split(settings, found["train"], settings.shares[0], rng, "--test-fraction")
    share = 0.0 if "validation" in found else inner_share(settings, len(found["train"]))
    if share:
        found["train"], found["validation"] = _split(settings, found["train"], share, rng, "--validation-fraction")
    texts = found["train"].texts
    units = Units.of(texts, "characters")
    notes: list[str] = []
    drawn: list[Any] = []
    drawn_texts: list[str] = []
    if settings.synthetic:
        drawn_texts = [_mixed(texts, rng) for _ in range(settings.synthetic)]
        drawn = synthetic_lines(drawn_texts, height=settings.height, random_state=rng)
        notes.append(f"{settings.synthetic:,} lines more are drawn with the fonts of this machine.")
    change = LineAugmentation() if settings.augment == "light" else None
    train = _data(found["train"], settings, units, change, notes, "training", drawn, drawn_texts)
    validation = None
    if "validation" in found:
        validation = _data(found["validation"], settings, units, None, notes, "validation")
    return LineParts(train, validation, found.get("test"), units, texts, notes)


def _mixed(texts: list[str], rng: np.random.Generator) -> str:
    """A text of one to four words of others, in which digits are drawn anew."""
    words = [word for i in rng.integers(0, len(texts), 3) for word in texts[i].split()] or [texts[0]]
    chosen = [words[i] for i in rng.integers(0, len(words), rng.integers(1, 5))]
    digits = "".join(sorted({letter for text in texts for letter in text if letter.isdecimal()}))
    return "".join(str(rng.choice(list(digits))) if letter.isdecimal() else letter for letter in " ".join(chosen))


def _data(
    given: LineSet,
    settings: LineSettings,
    units: Units,
    change: Any,
    notes: list[str],
    part: str,
    more: list[Any] | None = None,
    more_texts: list[str] | None = None,
) -> RaggedData:
    good = [i for i, text in enumerate(given.texts) if units.knows(text)]
    if len(good) < len(given):
        notes.append(f"{len(given) - len(good)} lines of the {part} part have characters that are not learned: left out.")
    if not good:
        raise DataError(f"{settings.data}: no line of the {part} part is made of the characters of those to learn from.")
    lines = [as_columns(given.pictures[i], settings.height, where=given.names[i]) for i in good] + (more or [])
    targets = padded_targets(units.encode([given.texts[i] for i in good] + (more_texts or []), name="texts"))
    return RaggedData(Sequences(lines), targets, change=change, scale=1 / 255)


def _files_in_parts(settings: LineSettings) -> dict[str, LineSet]:
    """The parts that are folders of their own, "train" among them."""
    places: dict[str, Path | None] = {"train": settings.data, "validation": settings.validation, "test": settings.test}
    if settings.data.is_dir() and not _own_lines(settings.data):
        own = {PARTS[p.name.lower()]: p for p in settings.data.iterdir() if p.is_dir() and p.name.lower() in PARTS}
        if "train" in own:
            places = {part: own.get(part) if part == "train" else places[part] or own.get(part) for part in places}
    return {part: read_line_set(place) for part, place in places.items() if place is not None}


def _own_lines(folder: Path) -> bool:
    """Whether lines lie in the folder itself rather than in folders such as train and test."""
    parts = any(p.is_dir() and PARTS.get(p.name.lower()) == "train" for p in folder.iterdir())
    return has_lines(folder) and not parts


def _split(settings: LineSettings, given: LineSet, share: float, rng: Any, option: str) -> tuple[LineSet, LineSet]:
    """(rest, part) of lines; those of one page stay together, since they share its print and its words."""
    sources = np.arange(len(given)) if given.sources is None else np.asarray(given.sources)
    known = np.unique(sources)
    try:
        rest, part = split_validation(len(known), share, rng)
    except DataError as error:
        what = "lines" if given.sources is None else "pages"
        raise DataError(f"{settings.data}: {len(known)} {what} cannot be split with {option} {share:g}. {error}") from error
    first, second = (given.take(np.flatnonzero(np.isin(sources, known[rows])).tolist()) for rows in (rest, part))
    return first, second


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
        test=None if data.test is None else LineModel(network, height, units).read(data.test.pictures, data.test.texts),
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
              0 if data.test is None else len(data.test)]  # fmt: skip
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
