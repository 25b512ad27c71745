"""Tables: named columns of numbers, dates or categories, from files and DataFrames."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import DtypeError, ShapeError, TableError, did_you_mean

from ._types import Array, IndexArray
from .columns import Column, object_array, read_columns
from .csv_file import read_text_columns, unique_names, write_predictions
from .dates_in_text import instants_from_datetimes
from .frames import column_array, column_names, frame_kind, series_of
from .numbers_in_text import MISSING, parse_number
from .parquet_file import read_parquet_columns
from .table_format import ColumnFormat, ColumnKind, TableFormat

__all__ = ["Column", "ColumnKind", "Table", "parse_number", "read_table", "table_of", "write_predictions"]

TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt")


class Table:
    """Named columns in order, all of one length.

    Parameters  columns : name -> Column ; source : what the error messages call the table (its file) ; notes : what was
    found out
                about how the table is written, and guessed, in sentences for its user
    Raises      ShapeError for columns of unequal lengths; TableError for no columns
    Example
        >>> table = Table({"age": Column("numeric", np.array([20.0, 30.0]))})
        >>> table.n_rows, table.names
        (2, ['age'])
        >>> table.column("Age")
        Traceback (most recent call last):
        ...
        chainrule.errors.TableError: The table has no column 'Age'. Did you mean 'age'? Its columns are: 'age'.
    """

    def __init__(self, columns: Mapping[str, Column], *, source: str = "The table", notes: Sequence[str] = ()) -> None:
        self.columns = dict(columns)
        self.source = source
        self.notes = list(notes)
        if not self.columns:
            raise TableError(f"{source} has no columns.")
        lengths = {name: len(column.values) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ShapeError(f"{source} has columns of different lengths: {lengths}.")
        self.n_rows = next(iter(lengths.values()))

    @classmethod
    def from_dataframe(cls, frame: Any, *, source: str = "The DataFrame") -> Table:
        """A pandas or polars DataFrame. Bools and categories become text, as they are in a CSV file.

        Raises      DtypeError when it is no DataFrame; TableError for no rows
        """
        library, is_series = frame_kind(frame)
        if library is None or is_series:
            raise DtypeError(f"Expected a pandas or polars DataFrame, got {type(frame).__name__}.")
        values = [column_array(series, library) for series in series_of(frame, library)]
        return table_of(column_names(frame), values, source)

    @classmethod
    def from_columns(cls, columns: Mapping[Any, Any], *, source: str = "The dict") -> Table:
        """Columns of numbers, texts, bools or dates: lists, arrays or Series, all of one length.

        Raises      TableError for no columns or rows, or lists inside a column; ShapeError for unequal lengths
        Example
            >>> Table.from_columns({"age": [20, None], "town": ["Rome", "Oslo"]})
            Table(2 rows; 'age': numeric, 'town': categorical)
        """
        values = [
            v if isinstance(v, np.ndarray) and v.dtype.kind in "iuf" else object_array(list(v)) for v in columns.values()
        ]
        return table_of([str(name) for name in columns], values, source)

    @property
    def names(self) -> list[str]:
        """The names of the columns, in order."""
        return list(self.columns)

    def column(self, name: str) -> Column:
        """The column of that name; TableError with the names there are when there is none."""
        try:
            return self.columns[name]
        except KeyError:
            known = ", ".join(map(repr, self.columns))
            raise TableError(
                f"{self.source} has no column {name!r}.{did_you_mean(name, self.columns)} Its columns are: {known}."
            ) from None

    def take(self, rows: IndexArray | slice) -> Table:
        """The table of these rows, in this order."""
        return Table(
            {name: column.take(rows) for name, column in self.columns.items()}, source=self.source, notes=self.notes
        )

    @classmethod
    def joined(cls, tables: Sequence[Table]) -> Table:
        """The rows of several tables of the same columns, one below the other. Parameters  tables : one or more"""
        first = tables[0]
        columns = {}
        for name in first.columns:
            parts = [table.column(name) for table in tables]
            known = next((p for p in parts if not p.is_missing.all()), parts[0])
            parts = [p if p.kind == known.kind else _all_missing(known.kind, len(p.values)) for p in parts]
            written = None
            if any(p.written is not None for p in parts):
                written = np.concatenate(
                    [object_array([None] * len(p.values)) if p.written is None else p.written for p in parts]
                )
            columns[name] = Column(known.kind, np.concatenate([p.values for p in parts]), written, known.format)
        return cls(columns, source=first.source, notes=first.notes)

    def __len__(self) -> int:
        return self.n_rows

    def __repr__(self) -> str:
        kinds = ", ".join(f"{name!r}: {column.kind}" for name, column in self.columns.items())
        return f"Table({self.n_rows} rows; {kinds})"


def read_table(
    path: str | os.PathLike[str],
    *,
    format: TableFormat | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    kinds: Mapping[str, ColumnKind | ColumnFormat] | None = None,
) -> Table:
    """Read a .csv, .tsv, .tab or .txt file (also with .gz), or a .parquet file.

    How a text file is written (delimiter, decimal sign, dates, ...) is found out from all its cells; ``format`` says it
    instead, and what was found out or guessed stands in the table's ``notes``. The file needs a header line; a blank
    name becomes ``unnamed_<position>``, a repeated one gets a number. A column is numeric when its cells are numbers, of
    dates when they are dates, each but for a few that then count as missing; otherwise it is categorical. Missing is an
    empty cell, NA, NaN, null, None, ?, -, #N/A and the like, in any case. Spaces around a cell are dropped.

    Parameters
        format : how the file is written ; delimiter, encoding : the two of it that are needed most often
        kinds : column name -> kind or ColumnFormat, to fix what is otherwise inferred (names not in the file are passed
            over)
    Raises
        TableError : the file is missing, unreadable, empty, binary, too large, wrongly encoded, ... with file and line
        MissingDependencyError : a .parquet file without pyarrow
    Example
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "pets.csv"
        >>> _ = path.write_text("name;weight\\nRex;31,5\\nTom;?\\n")
        >>> table = read_table(path)
        >>> table
        Table(2 rows; 'name': categorical, 'weight': numeric)
        >>> table.notes
        ["Decimal comma, 1 column: 'weight' (to change that: --decimal, in Python decimal=)."]
    """
    path = Path(path)
    how = format or TableFormat()
    how = replace(how, delimiter=delimiter or how.delimiter, encoding=encoding or how.encoding)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    last = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else "".join(suffixes[-1:])
    if last == ".parquet" and suffixes[-1] != ".gz":
        names, values = read_parquet_columns(path, how.max_memory)
        return table_of(names, values, str(path))
    if last not in TEXT_SUFFIXES and not os.path.isdir(path):
        raise TableError(
            f"{path}: expected a file named .csv, .tsv, .txt (each also .gz) or .parquet, "
            f"got {path.suffix or 'no suffix'!r}."
        )
    text = read_text_columns(path, table_format=how)
    columns, notes = read_columns(text, how, kinds or {})
    return Table(columns, source=str(path), notes=[*text.notes, *notes])


def table_of(names: Sequence[str], values: Sequence[Array], source: str) -> Table:
    """A table from columns of numbers or objects, as DataFrames and Parquet files have them."""
    if not names or not len(values[0]):
        raise TableError(f"{source} has {len(names)} columns and {len(values[0]) if names else 0} rows; none can be 0.")
    notes: list[str] = []
    unique = unique_names(names, notes)
    return Table({n: _any_column(v, n, source) for n, v in zip(unique, values, strict=True)}, source=source, notes=notes)


def _any_column(values: Array, name: str, source: str) -> Column:
    if values.dtype.kind in "iuf":
        numbers = values.astype(np.float64)
        exact = values.dtype.kind == "f" or not len(values) or float(np.abs(numbers).max()) < 2.0**53
        return Column("numeric", numbers, None if exact else object_array(list(map(str, values.tolist()))))
    items = values.tolist()
    if str in (types := set(map(type, items))) and types <= {str, type(None)}:
        return _text_column(items)
    known = [v for v in items if not _is_none(v)]
    if any(isinstance(v, (list, tuple, dict, set, np.ndarray, complex)) for v in known):
        raise TableError(f"{source}: column {name!r} holds lists or other objects; expected numbers or text.")
    if values.dtype.kind == "O" and all(isinstance(v, (int, float, Decimal)) and not isinstance(v, bool) for v in known):
        try:
            numbers = np.array([np.nan if _is_none(v) else float(v) for v in items])
        except OverflowError as error:
            raise TableError(f"{source}: column {name!r} has a whole number too large for any float.") from error
        large = any(isinstance(v, int) and abs(v) >= 2**53 for v in known)
        return Column("numeric", numbers, object_array([None if _is_none(v) else str(v) for v in items]) if large else None)
    if known and all(isinstance(v, datetime.timedelta) for v in known):
        return Column("numeric", np.array([np.nan if _is_none(v) else v.total_seconds() for v in items]))
    if known and (instants := instants_from_datetimes(None if _is_none(v) else v for v in items)) is not None:
        texts = object_array([None if _is_none(v) else str(v) for v in items])
        return Column("datetime", instants, texts, ColumnFormat("datetime"))
    return _text_column([None if _is_none(v) else str(v) for v in items])


def _text_column(items: Sequence[str | None]) -> Column:
    """Texts without spaces around them, and the words for a missing value; each distinct text is looked at once."""
    texts: dict[str | None, str | None] = {None: None}
    words: dict[str | None, str | None] = {None: None}
    for item in set(items) - {None}:
        assert item is not None
        text = item.strip()
        missing = text.lower() in MISSING
        texts[item], words[item] = (None, text or None) if missing else (text, None)
    written = object_array([words[item] for item in items]) if any(words.values()) else None
    return Column("categorical", object_array([texts[item] for item in items]), written)


def _all_missing(kind: ColumnKind, n: int) -> Column:
    if kind == "categorical":
        return Column(kind, object_array([None] * n))
    return Column(kind, np.full(n, np.nan) if kind == "numeric" else np.full(n, "NaT", "datetime64[us]"))


def _is_none(value: object) -> bool:
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, (float, Decimal)) and value != value)
    )
