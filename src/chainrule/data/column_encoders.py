"""How one column of a table becomes numbers: each encoder is fitted on one training column and is plain data.

An encoder holds only floats, text and bools, so ``to_config`` and ``from_config`` are its fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chainrule.errors import TableError

from ._types import Array, FloatArray
from .table import Table, parse_number

__all__ = [
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
    """Standardised number; missing becomes the mean, with an indicator column of 0 and 1 if training had any."""

    name: str
    mean: float
    std: float
    indicator: bool

    @property
    def output_names(self) -> list[str]:
        """The names of the columns this becomes."""
        return [self.name] + ([f"{self.name} is missing"] if self.indicator else [])

    def encode(self, table: Table) -> Array:
        """(N, 1) or, with the indicator, (N, 2)."""
        x = numbers_of(table, self.name)
        missing = np.isnan(x)
        z = Standardizer(self.mean, self.std).apply(np.where(missing, self.mean, x))
        _check_near(z, x, self.name, table)
        return np.stack([z, missing.astype(np.float64)] if self.indicator else [z], axis=1)


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
        texts = texts_of(table, self.name)
        index = {category: i for i, category in enumerate(self.categories)}
        if self.indicator:
            index[None] = len(self.categories)  # type: ignore[index]
        codes = np.array([index.get(text, -1) for text in texts])  # type: ignore[arg-type]
        return np.asarray(codes[:, None] == np.arange(len(index)), dtype=np.float64)


@dataclass(frozen=True)
class Embedded:
    """An index for an embedding layer: 0 is unknown or missing, 1..K are the categories."""

    name: str
    categories: Sequence[str]

    @property
    def cardinality(self) -> int:
        """K + 1: how many rows the embedding needs."""
        return len(self.categories) + 1

    def encode(self, table: Table) -> Array:
        """(N,) int32."""
        index: dict[str | None, int] = {category: i for i, category in enumerate(self.categories, start=1)}
        return np.array([index.get(text, 0) for text in texts_of(table, self.name)], dtype=np.int32)


Encoder = Numeric | OneHot | Embedded
_KINDS: dict[str, type[Numeric] | type[OneHot] | type[Embedded]] = {
    "numeric": Numeric,
    "one_hot": OneHot,
    "embedded": Embedded,
}


def encoder_to_config(encoder: Encoder) -> dict[str, Any]:
    """The fields of an encoder and its kind, as JSON can hold them."""
    kind = next(kind for kind, cls in _KINDS.items() if isinstance(encoder, cls))
    fields = asdict(encoder)
    if "categories" in fields:
        fields["categories"] = list(fields["categories"])
    return {"kind": kind, **fields}


def encoder_from_config(config: dict[str, Any]) -> Encoder:
    """The encoder that ``encoder_to_config`` wrote; ValueError or KeyError when that is not what came."""
    fields = dict(config)
    cls = _KINDS[fields.pop("kind")]
    if not isinstance(fields["name"], str):
        raise ValueError("a column name is not text")
    if cls is Numeric:
        fields["mean"], fields["std"] = float(fields["mean"]), float(fields["std"])
        if not (np.isfinite(fields["mean"]) and np.isfinite(fields["std"])):
            raise ValueError(f"column {fields['name']!r} has a mean or deviation that is not finite")
    else:
        fields["categories"] = tuple(fields["categories"])
        if not all(isinstance(category, str) for category in fields["categories"]):
            raise ValueError(f"column {fields['name']!r} has categories that are not text")
    return cls(**fields)


def numbers_of(table: Table, name: str) -> FloatArray:
    """A column as float64 with NaN for missing; TableError with row and value for text or infinity."""
    column = table.column(name)
    if column.kind == "numeric":
        x: FloatArray = column.values
    else:
        x = np.full(table.n_rows, np.nan)
        for row, text in enumerate(column.values):
            number = np.nan if text is None else parse_number(text)
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
    """A column as text; numbers are written as they would be in a file (3, 3.5), missing is None."""
    column = table.column(name)
    if column.kind == "categorical":
        return list(column.values)
    values = column.values.tolist()
    return [None if v != v else str(int(v)) if abs(v) < 2**53 and v == int(v) else repr(v) for v in values]


def _check_near(z: Array, x: FloatArray, name: str, table: Table) -> None:
    far = np.abs(z) > np.finfo(np.float32).max
    if far.any():
        row = int(far.argmax())
        raise TableError(
            f"{table.source}, column {name!r}, row {row} (counted from 0 below the header): {x[row]} is so far from "
            "the values in training that it overflows float32."
        )
