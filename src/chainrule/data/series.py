"""Time series: in the order of their dates, with gaps refused or filled, and cut into windows that share their memory."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..constraints import Interval
from ..errors import DataError, ShapeError, UnknownNameError
from ._types import Array, FloatArray
from .arrays import as_targets
from .frames import frame_kind

__all__ = ["MISSING", "TimeSeries", "as_series", "follows", "overlaps", "read_series", "windows"]

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


@dataclass(frozen=True, eq=False)
class TimeSeries:
    """A series in the order of time, with one value a step.

    Parameters  y : (T,) ; X : (T, F) further columns at the same steps, None for none
                dates : (T,) datetime64 in UTC, None where neither y nor X has an index of dates
    """

    y: FloatArray
    X: FloatArray | None
    dates: Array | None


def read_series(y: Any, X: Any = None, *, missing: str = "error") -> TimeSeries:
    """A series and its further columns, in the order of time.

    A pandas index of dates decides the order: rows are sorted by it, and X is aligned with y by it (rows of X at other
    dates are left out). Dates that are absent from an otherwise even spacing count as missing values. Without dates, the
    rows are taken to be in the order of time and evenly spaced.

    Parameters
        y : (T,) array, list, Series or DataFrame of one column
        X : (T, F) or (T,) likewise, None for none
        missing : what to do with missing values and missing dates, as ``as_series`` takes it
    Raises
        DataError : a date that occurs twice, is missing (unless ``missing`` fills it), or has no row in X ; dates that are
            not evenly spaced ; y and X of unequal lengths ; and what ``as_series`` raises

    Example
        >>> import pandas
        >>> newest_first = pandas.Series([3.0, 2.0, 1.0], pandas.to_datetime(["2024-03-01", "2024-02-01", "2024-01-01"]))
        >>> read_series(newest_first).y
        array([1., 2., 3.])
    """
    if missing not in MISSING:
        raise UnknownNameError("missing", missing, MISSING)
    values = as_targets(y, dtype=np.float64, allow_nan=True, ndim=(1, 2))
    columns = None if X is None else as_targets(X, name="X", dtype=np.float64, allow_nan=True, ndim=(1, 2))
    dates, own = _dates(y, "y"), _dates(X, "X")
    if columns is not None and dates is not None and own is not None:
        columns = columns[_rows_at(own, dates)]
    elif columns is not None and len(columns) != len(values):
        raise DataError(f"X has {len(columns)} steps but y has {len(values)}. Every step needs one row of X.")
    name = "y" if dates is not None else "X"
    dates = own if dates is None else dates
    if dates is not None:
        order = np.argsort(dates, kind="stable")
        dates = dates[order]
        _refuse_repeated(dates, name)
        steps, spacing = _steps(dates, name)
        if steps[-1] >= 10 * len(steps):
            raise DataError(
                f"{name} has {len(dates)} dates from {_shown(dates[0])} to {_shown(dates[-1])} with a spacing of {spacing}: "
                "more than nine tenths of the dates are missing. Look for a wrong date, or bring the series to an even "
                "spacing."
            )
        if missing == "error" and len(steps) and steps[-1] != len(steps) - 1:
            at = int(np.flatnonzero(np.diff(steps) > 1)[0])
            raise DataError(
                f"{name} lacks {int(steps[-1]) + 1 - len(steps)} of {int(steps[-1]) + 1} dates: its spacing is {spacing}, "
                f'and {_shown(dates[at])} is followed by {_shown(dates[at + 1])}. Pass missing="interpolate" or "forward" '
                "to "
                "fill them in. If the rows are evenly spaced in another sense, such as trading days, pass the values "
                "without the dates: y.to_numpy()."
            )
        values = _spread(values[order], steps)
        columns = None if columns is None else _spread(columns[order], steps)
        dates = _filled_dates(dates, steps)
    series = as_series(values, missing=missing)
    return TimeSeries(series, None if columns is None else as_series(columns, name="X", missing=missing, ndim=2), dates)


def follows(before: Array, dates: Array) -> bool:
    """Whether ``dates`` begin one step after the last date of ``before``; both in order, (T,) datetime64."""
    joined = np.concatenate([before, dates])
    if not before[-1] < dates[0]:
        return False
    try:
        steps, _ = _steps(joined, "y")
    except DataError:
        return False
    return bool(steps[len(before)] == steps[len(before) - 1] + 1)


def _dates(data: Any, name: str) -> Array | None:
    """The index of a pandas object as datetime64 in UTC, None where the index holds no dates."""
    library, _ = frame_kind(data)
    if library != "pandas":
        return None
    import pandas as pd

    index = data.index
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    elif not isinstance(index, pd.DatetimeIndex):
        entries = index.tolist() if index.dtype.kind in "OUT" or str(index.dtype).startswith(("str", "string")) else []
        if not entries or not all(_is_date(entry) for entry in entries):
            return None
        try:
            index = pd.to_datetime(index, format="ISO8601")
        except ValueError:
            return None
    if index.hasnans:
        raise DataError(
            f"The index of {name} lacks the date of row {int(index.isna().argmax())} (NaT). Drop the row, or date it."
        )
    if index.tz is not None:
        # Midnights in local time are evenly spaced even where they are not in UTC; hours are evenly spaced in UTC.
        local = index.tz_localize(None)
        index = local if local.is_unique and (local == local.normalize()).all() else index.tz_convert(None)
    return np.asarray(index.to_numpy("datetime64[ns]"))


_ISO_DATE = re.compile(r"\d{4}-\d{2}(-\d{2}([ T]\d{2}:\d{2}.*)?)?$")


def _is_date(entry: Any) -> bool:
    return isinstance(entry, datetime.date) or (isinstance(entry, str) and _ISO_DATE.match(entry) is not None)


def _shown(date: Any) -> str:
    """A date as text, without a time of day that is midnight."""
    return str(np.datetime_as_string(date, unit="s")).removesuffix("T00:00:00")


def _refuse_repeated(dates: Array, name: str) -> None:
    same = np.flatnonzero(dates[1:] == dates[:-1])
    if len(same):
        n = int((dates == dates[same[0]]).sum())
        raise DataError(
            f"The date {_shown(dates[same[0]])} occurs {n} times in the index of {name}. Every step needs one value: "
            f"combine the rows of a date first, for example by {name}.groupby(level=0).sum() or .mean()."
        )


def _rows_at(found: Array, wanted: Array) -> Array:
    """The rows of X, dated ``found``, at the dates of y."""
    order = np.argsort(found, kind="stable")
    ordered = found[order]
    _refuse_repeated(ordered, "X")
    at = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    absent = ordered[at] != wanted
    if absent.any():
        raise DataError(
            f"X has no row at {int(absent.sum())} of the {len(wanted)} dates of y, first at {_shown(wanted[absent].min())}. "
            "Give X a row at each date of y."
        )
    return order[at]


def _steps(dates: Array, name: str) -> tuple[Array, str]:
    """(T,) the number of each step counted from the first, and the spacing in words.

    Months, quarters and years are told by dates on the same day of their months, or all near the beginnings or ends of
    months ; business days by daily dates without a weekend ; all else by the most frequent distance, which must divide
    the others.

    Raises      DataError where no even spacing explains the dates
    """
    if len(dates) < 3:
        return np.arange(len(dates)), "one step"
    gaps: Array = np.diff(dates.astype("datetime64[ns]").astype(np.int64))
    distinct, counts = np.unique(gaps, return_counts=True)
    step, day = int(distinct[counts.argmax()]), 86_400_000_000_000
    if step >= 28 * day:
        months = dates.astype("datetime64[M]")
        in_month = (dates.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
        to_end = ((months + 1).astype("datetime64[D]") - dates.astype("datetime64[D]")).astype(np.int64)
        if np.ptp(in_month) == 0 or in_month.max() <= 3 or to_end.max() <= 4:
            jumps: Array = np.diff(months.astype(np.int64))
            distinct, counts = np.unique(jumps, return_counts=True)
            every = int(distinct[counts.argmax()])
            if every > 0 and not (jumps % every).any():
                return np.concatenate([[0], np.cumsum(jumps // every)]), "1 month" if every == 1 else f"{every} months"
    days = dates.astype("datetime64[D]")
    if step == day and not (gaps % day).any() and gaps.sum() > 6 * day and np.is_busday(days).all():
        return np.asarray(np.busday_count(days[0], days)), "1 business day"
    uneven = np.flatnonzero(gaps % step)
    if len(uneven):
        before, after = _shown(dates[uneven[0]]), _shown(dates[uneven[0] + 1])
        raise DataError(
            f"The dates of {name} are not evenly spaced: most are {_length(step)} apart, but {before} is followed by "
            f"{after}. "
            f'Bring the series to an even spacing first, for example by {name}.resample("D").mean(), or pass the values '
            f"without the dates: {name}.to_numpy()."
        )
    return np.concatenate([[0], np.cumsum(gaps // step)]), _length(step)


def _length(nanoseconds: int) -> str:
    for size, unit in ((604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        number, rest = divmod(nanoseconds, size * 10**9)
        if number and not rest:
            return f"{number} {unit}{'s' * (number > 1)}"
    return f"{nanoseconds / 1e9:g} seconds"


def _spread(values: FloatArray, steps: Array) -> FloatArray:
    """The rows at their steps, NaN at those between them."""
    if not len(steps) or steps[-1] == len(steps) - 1:
        return values
    found = np.full((int(steps[-1]) + 1, *values.shape[1:]), np.nan)
    found[steps] = values
    return found


def _filled_dates(dates: Array, steps: Array) -> Array:
    """A date for every step; those that were absent lie evenly between their neighbours."""
    number = dates.astype("datetime64[ns]").astype(np.int64)
    every = np.arange(int(steps[-1]) + 1)
    at = np.searchsorted(steps, every, "right") - 1
    after = np.minimum(at + 1, len(steps) - 1)
    span = np.maximum(steps[after] - steps[at], 1)
    between = (number[after] - number[at]) * (every - steps[at]) // span
    return np.asarray((number[at] + between).astype("datetime64[ns]"))


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
    length = Interval(int, 1).check("windows", "length", length)
    stride = Interval(int, 1).check("windows", "stride", stride)
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
