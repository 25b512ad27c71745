"""Numbers that a smaller dtype cannot tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

__all__ = ["LostResolution", "in_words", "lost_resolution"]

#: A column that takes fewer than this many different values in the smaller dtype, between its least and its largest number,
#: has lost its resolution.
_STEPS = 100


@dataclass(frozen=True)
class LostResolution:
    """A column whose numbers a smaller dtype merges.

    Parameters
        column : its number on the last axis ; low, high : its least and largest number
        spacing : the distance of neighbouring numbers of the dtype there
    """

    column: int
    low: float
    high: float
    spacing: float

    def __str__(self) -> str:
        return f"they lie between {self.low:.12g} and {self.high:.12g}, where float32 numbers are {self.spacing:g} apart"


def lost_resolution(array: Any, dtype: DTypeLike = np.float32) -> list[LostResolution]:
    """The columns (of the last axis, or the array itself when it has one axis) that lose their resolution in ``dtype``.

    Only finite numbers count, and columns that are constant have no resolution to lose.

    Parameters  array : of numbers with at least one axis, samples first

    Example
        >>> lost_resolution(5_300_000 + 0.05 * np.arange(4.0))[0].spacing
        0.5
        >>> lost_resolution(np.array([[1e9, 1.0], [1e9 + 5, 2.0]]))[0].column
        0
    """
    values, target = np.asarray(array), np.dtype(dtype)
    if target.kind != "f" or values.dtype.kind not in "iuf" or not values.size or not values.ndim:
        return []
    if values.dtype.kind == "f" and values.itemsize <= target.itemsize:
        return []
    columns = values.reshape(len(values), -1) if values.ndim < 2 else values.reshape(-1, values.shape[-1])
    low, high = (part.astype(np.float64) for part in (columns.min(axis=0), columns.max(axis=0)))
    with np.errstate(all="ignore"):
        spacing = np.spacing(np.maximum(np.abs(low), np.abs(high)).astype(target)).astype(np.float64)
        lost = (high > low) & (spacing * _STEPS > high - low)
    return [LostResolution(int(i), float(low[i]), float(high[i]), float(spacing[i])) for i in np.flatnonzero(lost)]


def in_words(name: str, found: list[LostResolution], axes: int) -> str:
    """What was lost, as the beginning of a message. Parameters  name : of the array ; axes : that it has"""
    first = found[0]
    where = f"column {first.column} of {name}" if axes > 1 else name
    more = f", and {len(found) - 1} more columns alike" if len(found) > 1 else ""
    return f"float32 cannot tell the numbers of {where} apart: {first}{more}"
