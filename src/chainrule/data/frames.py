"""Looking into pandas and polars objects without ever importing pandas or polars.

An object can only be a DataFrame when its library is already loaded, so ``sys.modules`` is asked,
never ``import``.
"""

from __future__ import annotations

import sys
from typing import Any, Literal

import numpy as np

from ._types import Array

__all__ = ["FrameKind", "column_array", "column_names", "frame_array", "frame_kind", "series_of"]

FrameKind = Literal["pandas", "polars"]


def frame_kind(obj: object) -> tuple[FrameKind | None, bool]:
    """``(library, is_series)`` of a DataFrame or Series; ``(None, False)`` for anything else."""
    libraries: tuple[FrameKind, ...] = ("pandas", "polars")
    for library in libraries:
        module: Any = sys.modules.get(library)
        for attribute in ("DataFrame", "Series"):
            cls = getattr(module, attribute, None)
            if isinstance(cls, type) and isinstance(obj, cls):
                return library, attribute == "Series"
    return None, False


def column_names(frame: Any) -> list[str]:
    """The names of a DataFrame's columns as text, in order."""
    return [str(name) for name in frame.columns]


def series_of(frame: Any, library: FrameKind) -> list[Any]:
    """The columns of a DataFrame in order; by position, so that repeated names do no harm."""
    if library == "pandas":
        return [frame.iloc[:, i] for i in range(frame.shape[1])]
    return list(frame.get_columns())


def column_array(series: Any, library: FrameKind) -> Array:
    """One Series as a 1-D array: numbers where it holds numbers (missing: NaN), else objects (missing: None)."""
    if library == "pandas":
        return _pandas_column(series)
    return _polars_column(series)


def frame_array(frame: Any, library: FrameKind) -> Array:
    """A DataFrame as an (N, F) array: numeric when all columns are, else of objects."""
    if library == "pandas" and all(isinstance(d, np.dtype) and d.kind in "biufc" for d in frame.dtypes):
        whole: Array = frame.to_numpy()
        if whole.dtype.kind != "O":
            return whole
    columns = [column_array(series, library) for series in series_of(frame, library)]
    if not columns:
        return np.empty((len(frame), 0), dtype=np.float64)
    is_text = any(column.dtype.kind not in "biufc" for column in columns)
    dtype = np.dtype(object) if is_text else np.result_type(*columns)
    out: Array = np.empty((len(columns[0]), len(columns)), dtype=dtype)
    for i, column in enumerate(columns):
        out[:, i] = column
    return out


def _pandas_column(series: Any) -> Array:
    dtype = series.dtype
    kind = getattr(dtype, "kind", "O")
    out: Array
    if isinstance(dtype, np.dtype):
        if kind in "Mm":
            return _objects(series.astype(object).where(series.notna(), None).tolist())
        out = series.to_numpy()
        return out
    if kind in "biuf":  # nullable and Arrow-backed numbers
        if series.hasnans and kind == "b":
            return _objects([None if missing else bool(v) for v, missing in zip(series, series.isna(), strict=True)])
        if series.hasnans and kind in "iu" and (abs(series.dropna()) >= 2**53).any():  # more digits than a float has
            return _objects([None if m else int(v) for v, m in zip(series.tolist(), series.isna(), strict=True)])
        if series.hasnans:
            out = series.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            out = series.to_numpy(dtype=np.dtype(f"{kind}{dtype.itemsize}") if kind != "b" else np.bool_)
        return out
    return _objects([None if missing else value for value, missing in zip(series.tolist(), series.isna(), strict=True)])


def _polars_column(series: Any) -> Array:
    polars: Any = sys.modules["polars"]
    out: Array
    if series.dtype == polars.Null or series.dtype.is_decimal():
        out = series.cast(polars.Float64).to_numpy()
    elif series.dtype.is_numeric() or series.dtype == polars.Boolean:
        if series.null_count() and series.dtype == polars.Boolean:
            return _objects(series.to_list())
        if series.null_count():
            if series.dtype.is_integer() and max(abs(series.max() or 0), abs(series.min() or 0)) >= 2**53:
                return _objects(series.to_list())
            series = series.cast(polars.Float64)
        out = series.to_numpy()
    else:
        out = _objects(series.to_list())
    return out


def _objects(values: list[Any]) -> Array:
    out: Array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):  # one by one: a list inside a cell stays one object
        out[i] = value
    return out
