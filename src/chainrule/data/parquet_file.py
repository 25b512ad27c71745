"""Parquet files to columns, by pyarrow, which is imported when the first one is read."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from chainrule.errors import MissingDependencyError, TableError

from ._types import Array
from .text_file import read_bytes

__all__ = ["arrow_column", "parquet_writer", "read_parquet_columns"]


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
        return list(table.column_names), [arrow_column(arrow, column) for column in table.columns]
    except (arrow.ArrowException, OSError) as error:
        raise TableError(f"{path}: not a Parquet file, or a damaged one: {error}.") from error


def arrow_column(arrow: Any, column: Any) -> Array:
    """A column of Arrow: numbers as float64 (missing: NaN), the rest as objects."""
    kind = column.type
    types = arrow.types
    exact: Array
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        if types.is_integer(kind) and column.null_count:
            listed = column.to_pylist()
            if any(v is not None and abs(v) >= 2**53 for v in listed):  # more digits than a float has
                exact = np.array(listed, dtype=object)
                return exact
        if types.is_floating(kind) or not (types.is_decimal(kind) or column.null_count):
            exact = column.to_numpy(zero_copy_only=False)
            return exact
        values = column.to_pylist()
        return np.array([np.nan if v is None else float(v) for v in values])
    out: Array = np.empty(len(column), dtype=object)
    out[:] = column.to_pylist()
    return out


@contextmanager
def parquet_writer(file: BinaryIO) -> Iterator[Callable[[Mapping[str, Sequence[Any]]], None]]:
    """A function that writes some more rows to a Parquet file; the first rows decide on the kinds of the columns.

    Raises      MissingDependencyError without pyarrow
    """
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
        arrow: Any = importlib.import_module("pyarrow")
    except ImportError as error:
        raise MissingDependencyError("pyarrow", "Writing a .parquet file", extra="parquet") from error
    writer: Any = None

    def write(columns: Mapping[str, Sequence[Any]]) -> None:
        nonlocal writer
        if writer is None:
            arrays = [_arrow_array(arrow, values, None) for values in columns.values()]
            schema = arrow.schema([(name, a.type) for name, a in zip(columns, arrays, strict=True)])
            writer = parquet.ParquetWriter(file, schema)
        else:
            arrays = [_arrow_array(arrow, v, kind) for v, kind in zip(columns.values(), writer.schema.types, strict=True)]
        writer.write_table(arrow.Table.from_arrays(arrays, schema=writer.schema))

    yield write
    if writer is not None:
        writer.close()


def _arrow_array(arrow: Any, values: Sequence[Any], kind: Any) -> Any:
    """The values as a column of Arrow of this kind; None takes the one that fits them, text for what has no other."""
    try:
        made = arrow.array(values, type=kind, from_pandas=True)
        return made if not arrow.types.is_null(made.type) else made.cast(arrow.string())
    except (arrow.ArrowException, TypeError):
        return arrow.array([None if value is None else str(value) for value in values], type=kind or arrow.string())
