"""Parquet files to columns, by pyarrow, which is imported when the first one is read."""

from __future__ import annotations

import importlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import MissingDependencyError, TableError

from ._types import Array
from .text_file import read_bytes

__all__ = ["read_parquet_columns"]


def read_parquet_columns(path: Path, limit: int | None = None) -> tuple[list[str], list[Array]]:
    """The names and the columns of a Parquet file: numbers as float64 (missing: NaN), the rest as objects."""
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
        arrow: Any = importlib.import_module("pyarrow")
    except ImportError as error:
        raise MissingDependencyError("pyarrow", "Reading a .parquet file", extra="parquet") from error
    data = read_bytes(path, limit)
    if not data:
        raise TableError(f"{path}: the file is empty; expected a Parquet file.")
    try:
        table = parquet.read_table(io.BytesIO(data))
        if not table.num_rows or not table.num_columns:
            raise TableError(f"{path}: the table has {table.num_columns} columns and {table.num_rows} rows; none can be 0.")
        return list(table.column_names), [_column(arrow, column) for column in table.columns]
    except (arrow.ArrowException, OSError) as error:
        raise TableError(f"{path}: not a Parquet file, or a damaged one: {error}.") from error


def _column(arrow: Any, column: Any) -> Array:
    kind = column.type
    types = arrow.types
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        if types.is_integer(kind) and column.null_count:
            listed = column.to_pylist()
            if any(v is not None and abs(v) >= 2**53 for v in listed):  # more digits than a float has
                exact: Array = np.array(listed, dtype=object)
                return exact
        values = column.to_pylist() if types.is_decimal(kind) or column.null_count else column.to_numpy()
        return np.array([np.nan if v is None else float(v) for v in values]) if isinstance(values, list) else values
    out: Array = np.empty(len(column), dtype=object)
    out[:] = column.to_pylist()
    return out
