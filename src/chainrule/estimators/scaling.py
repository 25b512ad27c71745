"""Means and scales of columns, for networks that learn from columns of like size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["mean_and_scale", "needs_scaling", "row_parts"]

Floats = NDArray[np.float64]
#: Sums are taken over rows of so many bytes at a time, so that no copy of the table is made.
_PART_BYTES = 2**24
#: A column whose root mean square is larger drowns the others.
_LARGE = 10.0
#: A network learns slowly from columns whose standard deviations are all smaller.
_SMALL = 0.01
#: A column whose mean is more than so many of its standard deviations looks constant to a network.
_OFFSET = 10.0


def mean_and_scale(columns: NDArray[Any], weight: Floats | None = None) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column, in float64; a column that is constant up to rounding has scale 1.

    Parameters  columns : (N, columns) ; weight : (N,) of the rows, None for equal weights
    Shapes      (columns,) each

    Example
        >>> mean_and_scale(np.array([[1e300, 5.0], [-1e300, 5.0]]))
        (array([0., 5.]), array([1.e+300, 1.e+000]))
    """
    # In units of the largest value: the squares of numbers near the end of the range would overflow.
    largest = np.maximum(columns.max(axis=0), -columns.min(axis=0).astype(np.float64)).astype(np.float64)
    largest = np.maximum(largest, np.finfo(np.float64).tiny)
    total = float(len(columns)) if weight is None else float(weight.sum())
    mean, square = np.zeros(columns.shape[1]), np.zeros(columns.shape[1])
    for rows in row_parts(columns):
        unit = columns[rows] / largest
        mean += (unit if weight is None else unit * weight[rows, None]).sum(axis=0) / total
    for rows in row_parts(columns):
        unit = (columns[rows] / largest - mean) ** 2
        square += (unit if weight is None else unit * weight[rows, None]).sum(axis=0) / total
    deviation = np.sqrt(square)
    return mean * largest, np.where(deviation > 10 * np.finfo(np.float64).eps, deviation * largest, 1.0)


def row_parts(columns: NDArray[Any]) -> Iterator[slice]:
    """Stretches of rows that take little memory in float64."""
    step = max(1, _PART_BYTES // (8 * max(1, columns.shape[1])))
    for first in range(0, len(columns), step):
        yield slice(first, first + step)


def needs_scaling(columns: NDArray[Any], mean: Floats, scale: Floats) -> bool:
    """Whether a network would learn badly from these columns as they are.

    It would when a column that varies has a root mean square above 10, or a mean above 1 that is more than ten times its
    standard deviation, or when the standard deviations of all columns are below 0.01.

    Parameters  columns : (N, columns) ; mean, scale : of ``mean_and_scale``
    """
    varies = columns.max(axis=0) != columns.min(axis=0)
    if not varies.any():
        return False
    mean, scale = np.abs(mean[varies]), scale[varies]
    large = np.hypot(mean, scale) > _LARGE
    return bool(large.any() or ((mean > _OFFSET * scale) & (mean > 1)).any() or scale.max() < _SMALL)
