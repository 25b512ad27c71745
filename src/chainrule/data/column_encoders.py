"""How one column of a table becomes numbers: each encoder is fitted on one training column and is plain data.

An encoder holds only numbers, texts and truth values, so ``to_config`` and ``from_config`` are its fields.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Sized
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chainrule.errors import TableError

from ._types import Array, FloatArray
from .booleans_in_text import are_booleans, truth_of
from .columns import Column
from .dates_in_text import Instants, parse_dates, parse_epoch
from .table import Table, parse_number
from .table_format import ColumnFormat, DateOrder

__all__ = [
    "DateTime",
    "Embedded",
    "Encoder",
    "Numeric",
    "OneHot",
    "Standardizer",
    "encoder_from_config",
    "encoder_to_config",
    "numbers_of",
    "texts_of",
]

_SECOND, _DAY, _YEAR = 10**6, 86400 * 10**6, 365.2425 * 86400e6
#: The cycles of a time, with their lengths in microseconds; a month is as long as its days are many.
CYCLES = {"day": float(_DAY), "week": 7.0 * _DAY, "month": _YEAR / 12, "year": _YEAR}


@dataclass(frozen=True)
class Standardizer:
    """``z = (x - mean) / std``, with the population standard deviation; 0 everywhere when std is 0."""

    mean: float
    std: float

    @classmethod
    def fit(cls, x: FloatArray) -> Standardizer:
        """From the finite values x (n,), n >= 1."""
        scale = float(np.abs(x).max())
        if x.min() == x.max() or scale == 0.0:
            return cls(mean=float(x[0]), std=0.0)
        unit = x / scale  # so that squares of very large numbers do not overflow
        return cls(mean=float(unit.mean()) * scale, std=float(unit.std()) * scale)

    def apply(self, x: Array) -> Array:
        """Standardise."""
        if self.std == 0.0:
            return np.zeros(x.shape)
        with np.errstate(over="ignore"):
            return np.asarray((x - self.mean) / self.std)

    def invert(self, z: Array) -> Array:
        """Back to the unit of x, in float64."""
        return np.asarray(z, dtype=np.float64) * self.std + self.mean


@dataclass(frozen=True)
class Numeric:
    """Standardised number; missing becomes the mean, with an indicator column of 0 and 1 if training had any.

    Parameters  truth : whether training had the numbers 0 and 1 alone, so that "yes" and "False" are understood, too
    """

    name: str
    mean: float
    std: float
    indicator: bool
    truth: bool = False

    @property
    def output_names(self) -> list[str]:
        """The names of the columns this becomes."""
        return [self.name] + ([f"{self.name} is missing"] if self.indicator else [])

    def encode(self, table: Table) -> Array:
        """(N, 1) or, with the indicator, (N, 2)."""
        x = numbers_of(table, self.name, truth=self.truth)
        missing = np.isnan(x)
        z = Standardizer(self.mean, self.std).apply(np.where(missing, self.mean, x))
        _check_near(z, x, self.name, table)
        return np.stack([z, missing.astype(np.float64)] if self.indicator else [z], axis=1)

    def describe(self) -> str:
        """What is done to the column, in a few words."""
        missing = ", missing: mean and a column of 0 and 1" if self.indicator else ""
        return f"(x − {self.mean:.4g}) / {self.std:.4g}{missing}"


@dataclass(frozen=True)
class OneHot:
    """One column of 0 and 1 for each category, and one for missing if training had any missing.

    An unknown category is zero in all of them: an "other" column would never be 1 in training, so its
    weights would stay random and disturb the prediction. Missing without such a column is all zeros too.
    """

    name: str
    categories: Sequence[str]
    indicator: bool

    @property
    def output_names(self) -> list[str]:
        """The names of the columns this becomes."""
        return [f"{self.name}={c}" for c in self.categories] + ([f"{self.name} is missing"] if self.indicator else [])

    def encode(self, table: Table) -> Array:
        """(N, K) or, with the indicator, (N, K + 1)."""
        codes = category_codes(table.column(self.name), self.categories)
        if self.indicator:
            codes[codes == _MISSING] = len(self.categories)
        return np.asarray(codes[:, None] == np.arange(len(self.categories) + self.indicator), dtype=np.float64)

    def describe(self) -> str:
        """What is done to the column, in a few words."""
        shown = ", ".join(self.categories[:6]) + (
            f", ... ({len(self.categories)} in all)" if len(self.categories) > 6 else ""
        )
        return f"one-hot: {shown}{' + missing' if self.indicator else ''}"


@dataclass(frozen=True)
class Embedded:
    """An index for an embedding layer: 0 is unknown, missing or rare, 1..K are the categories.

    Parameters  rare : the share of training rows whose category occurs there once and so has index 0, from which its
    vector learns
    """

    name: str
    categories: Sequence[str]
    rare: float = 0.0

    @property
    def cardinality(self) -> int:
        """K + 1: how many rows the embedding needs."""
        return len(self.categories) + 1

    def encode(self, table: Table) -> Array:
        """(N,) int32."""
        codes: Array = np.maximum(category_codes(table.column(self.name), self.categories) + 1, 0).astype(np.int32)
        return codes

    def describe(self) -> str:
        """What is done to the column, in a few words."""
        return f"embedded: {len(self.categories)} categories, and one for unknown, missing or rare"


@dataclass(frozen=True)
class DateTime:
    """An instant as a trend and as cycles.

        trend    (t − mean) / std, in seconds since 1970
        cycles   sin 2πφ and cos 2πφ for each, with φ the share that has passed of the day, week, month or year (UTC)

    Missing becomes the mean, with cycles of 0, and an indicator column if training had any.

    Parameters  cycles : those that training saw at least twice and in more than one place ; order, epoch : how texts and
    numbers
                are read as dates
    """

    name: str
    mean: float
    std: float
    cycles: Sequence[str]
    indicator: bool
    order: DateOrder = "ymd"
    epoch: float | None = None

    @classmethod
    def fit(cls, name: str, column: Column) -> DateTime:
        """From the column of the training rows, which has at least one value."""
        known = column.values[~column.is_missing]
        micros = known.astype("datetime64[us]").astype(np.int64)
        scale = Standardizer.fit(micros / _SECOND)
        places = {cycle: places_in_cycle(known, cycle) for cycle in CYCLES}
        how = column.format or ColumnFormat("datetime")
        return cls.of(name, scale, float(micros.max() - micros.min()), places, len(known) < len(column.values), how)

    @classmethod
    def of(
        cls,
        name: str,
        scale: Standardizer,
        span: float,
        places: Mapping[str, Sized],
        indicator: bool,
        how: ColumnFormat,
    ) -> DateTime:
        """From what is known of the training rows.

        Parameters  scale : of the seconds ; span : from the first to the last instant, in microseconds ; places : that occur
                    in each cycle, as ``places_in_cycle`` gives them ; how : the cells are written
        """
        cycles = tuple(cycle for cycle, length in CYCLES.items() if span >= 2 * length and len(places[cycle]) > 1)
        return cls(name, scale.mean, scale.std, cycles, indicator, how.order, how.epoch)

    @property
    def output_names(self) -> list[str]:
        """The names of the columns this becomes."""
        waves = [f"{self.name} {wave} of {cycle}" for cycle in self.cycles for wave in ("sine", "cosine")]
        return [self.name, *waves] + ([f"{self.name} is missing"] if self.indicator else [])

    def encode(self, table: Table) -> Array:
        """(N, 1 + 2 cycles) or, with the indicator, one more."""
        instants = _instants_of(table, self.name, self.order, self.epoch)
        missing = np.isnat(instants)
        seconds = np.where(missing, 0, instants.astype(np.int64)) / _SECOND
        z = Standardizer(self.mean, self.std).apply(np.where(missing, self.mean, seconds))
        _check_near(z, seconds, self.name, table)
        parts = [z]
        for cycle in self.cycles:
            angle = 2 * np.pi * _phase(instants, cycle)
            parts += [np.where(missing, 0.0, np.sin(angle)), np.where(missing, 0.0, np.cos(angle))]
        return np.stack([*parts, missing.astype(np.float64)] if self.indicator else parts, axis=1)

    def describe(self) -> str:
        """What is done to the column, in a few words."""
        middle = np.datetime64(int(self.mean), "s") if abs(self.mean) < 2**40 else "?"
        parts = [f"date: trend (t − {str(middle).replace('T', ' ')}) / {self.std / 86400:.4g} days"]
        parts += [f"sine and cosine of {', '.join(self.cycles)}"] if self.cycles else []
        return ", ".join(parts) + (", missing: mean and a column of 0 and 1" if self.indicator else "")


Encoder = Numeric | OneHot | Embedded | DateTime
_KINDS: dict[str, Any] = {"numeric": Numeric, "one_hot": OneHot, "embedded": Embedded, "datetime": DateTime}


def encoder_to_config(encoder: Encoder) -> dict[str, Any]:
    """The fields of an encoder and its kind, as JSON can hold them."""
    kind = next(kind for kind, cls in _KINDS.items() if isinstance(encoder, cls))
    fields = asdict(encoder)
    return {"kind": kind, **{name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}}


def encoder_from_config(config: dict[str, Any]) -> Encoder:
    """The encoder that ``encoder_to_config`` wrote; ValueError or KeyError when that is not what came."""
    fields = dict(config)
    cls = _KINDS[fields.pop("kind")]
    if not isinstance(fields["name"], str):
        raise ValueError("a column name is not text")
    for name in ("mean", "std", "rare", "epoch"):
        if fields.get(name) is not None:
            fields[name] = float(fields[name])
            if not np.isfinite(fields[name]):
                raise ValueError(f"column {fields['name']!r} has the {name} {fields[name]}, which is not finite")
    for name in ("categories", "cycles"):
        if name in fields:
            fields[name] = tuple(fields[name])
            if not all(isinstance(text, str) for text in fields[name]):
                raise ValueError(f"column {fields['name']!r} has {name} that are not text")
    if set(fields.get("cycles", ())) - set(CYCLES) or fields.get("order", "ymd") not in ("ymd", "dmy", "mdy"):
        raise ValueError(f"column {fields['name']!r} has dates of an unknown kind")
    encoder: Encoder = cls(**fields)
    return encoder


# ------------------------------------------------------------------------------------------------- columns as something


def numbers_of(table: Table, name: str, *, truth: bool = False) -> FloatArray:
    """A column as float64 with NaN for missing; TableError with row and value for text or infinity.

    Parameters  truth : whether "yes" and "False" are the numbers 1 and 0
    """
    column = table.column(name)
    if column.kind == "numeric":
        x: FloatArray = column.values
    else:
        x = np.full(table.n_rows, np.nan)
        for row, text in enumerate(texts_of(table, name)):
            number = np.nan if text is None else parse_number(text)
            if number is None and truth and text is not None and truth_of(text) is not None:
                number = float(bool(truth_of(text)))
            if number is None:
                raise TableError(
                    f"{table.source}, column {name!r}, row {row} (counted from 0 below the header): expected a number, "
                    f"as in training, got {text!r}."
                )
            x[row] = number
    if np.isinf(x).any():
        row = int(np.isinf(x).argmax())
        raise TableError(
            f"{table.source}, column {name!r}, row {row} (counted from 0 below the header): got {x[row]}, which is not "
            "finite. Correct it, or leave the cell empty if the value is unknown."
        )
    return x


def texts_of(table: Table, name: str) -> list[str | None]:
    """A column as text; numbers are written as they are in the file, or would be (3, 3.5), missing is None."""
    return column_texts(table.column(name))


def column_texts(column: Column) -> list[str | None]:
    """The values of a column as text, missing is None."""
    if column.kind == "categorical":
        return list(column.values)
    values: list[Any] = column.values.tolist()
    if column.kind == "datetime":
        texts = [None if v is None else str(v) for v in values]
    else:
        texts = [None if v != v else str(int(v)) if abs(v) < 2**53 and v == int(v) else repr(v) for v in values]
    if column.written is None:
        return texts
    return [text if text is None or word is None else word for text, word in zip(texts, column.written, strict=True)]


#: Codes of what is no category.
_UNKNOWN, _MISSING = -2, -1


def category_codes(column: Column, categories: Sequence[str]) -> Array:
    """(N,) the number of each category, −2 for one that is not among them, −1 for a missing value.

    True, yes and 1 are one category where the categories are two spellings of true and false.
    """
    texts = column_texts(column)
    index: dict[str | None, int] = {category: i for i, category in enumerate(categories)}
    if None in texts and column.written is not None:  # a word for a missing value that was a category in training
        texts = [word if text is None and word in index else text for text, word in zip(texts, column.written, strict=True)]
    index[None] = _MISSING
    if len(categories) == 2 and are_booleans(categories):
        by_truth = {truth_of(category): i for i, category in enumerate(categories)}
        for text in set(texts) - set(index):
            assert text is not None
            if truth_of(text) is not None:
                index[text] = by_truth[truth_of(text)]
    return np.fromiter((index.get(text, _UNKNOWN) for text in texts), np.int64, len(texts))


def unknown_texts(column: Column, categories: Sequence[str]) -> tuple[float, list[str]]:
    """The share of values that are none of the categories, and the most frequent of these."""
    codes = category_codes(column, categories)
    n_known = int((codes != _MISSING).sum())
    unknown = codes == _UNKNOWN
    if not unknown.any():
        return 0.0, []
    counts = Counter(text for text, is_new in zip(column_texts(column), unknown, strict=True) if is_new and text is not None)
    return float(unknown.sum()) / n_known, [text for text, _ in counts.most_common(3)]


def _instants_of(table: Table, name: str, order: DateOrder, epoch: float | None) -> Instants:
    """A column as instants, NaT for missing; TableError with row and value for what is no date."""
    column = table.column(name)
    if column.kind == "datetime":
        instants: Instants = column.values
        return instants
    if epoch is not None:
        return parse_epoch(numbers_of(table, name), epoch)
    texts = column_texts(column)
    instants, others = parse_dates(["" if text is None else text for text in texts], order)
    if others:
        text = next(iter(others))
        raise TableError(
            f"{table.source}, column {name!r}, row {texts.index(text)} (counted from 0 below the header): expected a "
            "date, as in "
            f"training, got {text!r}."
        )
    return instants


def places_in_cycle(known: Instants, cycle: str) -> Array:
    """The different places, in thousandths of the cycle, at which these instants lie."""
    return np.unique(np.rint(_phase(known, cycle) * 1000) % 1000)


def _phase(instants: Instants, cycle: str) -> FloatArray:
    """The share of its cycle that has passed, 0 to 1; anything for NaT."""
    moments = instants.astype("datetime64[us]")
    if cycle in ("month", "year"):
        unit = "M" if cycle == "month" else "Y"
        start = moments.astype(f"datetime64[{unit}]")
        length = ((start + 1).astype("datetime64[us]") - start.astype("datetime64[us]")).astype(np.float64)
        return np.asarray((moments - start.astype("datetime64[us]")).astype(np.float64) / length)
    # The first day of 1970 was a Thursday; a week begins on Monday.
    shift = 3 * _DAY if cycle == "week" else 0
    return np.asarray(((moments.astype(np.int64) + shift) % int(CYCLES[cycle])) / CYCLES[cycle])


def _check_near(z: Array, x: FloatArray, name: str, table: Table) -> None:
    far = np.abs(z) > np.finfo(np.float32).max
    if far.any():
        row = int(far.argmax())
        raise TableError(
            f"{table.source}, column {name!r}, row {row} (counted from 0 below the header): {x[row]} is so far from "
            "the values in training that it overflows float32."
        )
