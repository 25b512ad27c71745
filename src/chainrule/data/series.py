"""Time series: checked, with gaps refused or filled, and cut into windows that share the series' memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DataError, ParameterError, ShapeError, UnknownNameError
from ._types import Array, FloatArray
from .arrays import as_targets

__all__ = ["MISSING", "as_series", "overlaps", "windows"]

#: What may be done with missing values: refuse them, draw a line across a gap, or repeat the last value before it.
MISSING = ("error", "interpolate", "forward")


def as_series(y: Any, *, name: str = "y", missing: str = "error", ndim: int = 1) -> FloatArray:
    """A series (T,), or several side by side (T, F), as float64 without gaps.

    Parameters
        y : array, list, Series or DataFrame, in the order of time
        missing : what to do with NaN: "error" ; "interpolate", on a straight line between the values around a gap (at the
            ends the nearest value) ; "forward", the last value before the gap (before the first, that)
        ndim : 1 for (T,), 2 for (T, F) ; a single column is taken for a series and the other way round
    Raises      DataError, with the first gap, for NaN where they are refused, for infinity and for columns without a value ;
                DtypeError for text ; ShapeError for other dimensions

    Example
        >>> as_series([1.0, float("nan"), 3.0], missing="interpolate")
        array([1., 2., 3.])
        >>> as_series([1.0, float("nan"), float("nan"), 3.0])
        Traceback (most recent call last):
        ...
        chainrule.errors.DataError: y has a gap: 2 of 4 values are NaN, the first gap at steps 1 to 2. Fill it in, ...
    """
    if missing not in MISSING:
        raise UnknownNameError("missing", missing, MISSING)
    array = as_targets(y, name=name, dtype=np.float64, allow_nan=True, ndim=(1, 2))
    if array.ndim == 2 and ndim == 1:
        if array.shape[1] != 1:
            raise ShapeError(f"{name} must be one series, shape (T,). Got shape {array.shape}: give one column.")
        array = array[:, 0]
    columns = array.reshape(len(array), -1)
    gaps = np.isnan(columns)
    if not gaps.any():
        return array if ndim == 1 else columns
    where = int(gaps.any(axis=0).argmax())
    place = name if columns.shape[1] == 1 else f"{name}[:, {where}]"
    if missing == "error":
        first = int(gaps[:, where].argmax())
        after = gaps[first:, where]
        last = first + (int((~after).argmax()) if not after.all() else len(after)) - 1
        steps = f"step {first}" if first == last else f"steps {first} to {last}"
        raise DataError(
            f"{place} has a gap: {int(gaps[:, where].sum())} of {len(columns)} values are NaN, the first gap at {steps}. "
            'Fill it in, or pass missing="interpolate" (a straight line across each gap) or "forward" (the last value).'
        )
    filled = columns.copy()
    steps_ = np.arange(len(columns))
    for i in np.flatnonzero(gaps.any(axis=0)):
        known = np.flatnonzero(~gaps[:, i])
        if not len(known):
            raise DataError(f"{name}{f'[:, {i}]' * (columns.shape[1] > 1)} has no value at all: every step is NaN.")
        if missing == "interpolate":
            filled[:, i] = np.interp(steps_, known, columns[known, i])
        else:
            filled[:, i] = columns[known[np.maximum(np.searchsorted(known, steps_, "right") - 1, 0)], i]
    return filled[:, 0] if ndim == 1 else filled


def windows(series: Array, length: int, *, stride: int = 1) -> Array:
    """All stretches of ``length`` steps of a series, as views of its memory: nothing is copied.

    Parameters  series : (T,) or (T, F) ; length : steps of a window ; stride : steps from one window to the next
    Shapes      (N, length) or (N, length, F) with N = (T − length) // stride + 1
    Raises      DataError when the series is shorter than a window ; ParameterError for a length or stride below 1

    Example
        >>> x = windows(np.arange(5.0), 3)
        >>> x
        array([[0., 1., 2.],
               [1., 2., 3.],
               [2., 3., 4.]])
        >>> overlaps(x)
        True
    """
    for name, value in (("length", length), ("stride", stride)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ParameterError(f"windows: {name} must be an int of at least 1. Got {value!r}.")
    if len(series) < length:
        raise DataError(f"a series of {len(series)} steps is shorter than a window of {length}. Give more steps.")
    view = np.lib.stride_tricks.sliding_window_view(series, length, axis=0)[::stride]
    return view if view.ndim == 2 else np.moveaxis(view, -1, 1)


def overlaps(array: Array) -> bool:
    """Whether elements of the array lie in the same memory, as in windows: it is then read as it is, never copied whole."""
    if array.flags.c_contiguous or not array.size:
        return False
    span = sum((n - 1) * abs(s) for n, s in zip(array.shape, array.strides, strict=True)) + array.itemsize
    return bool(span < array.nbytes)
