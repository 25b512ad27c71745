"""Tables: named columns of numbers or categories, from files and DataFrames."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from chainrule.errors import DtypeError, ShapeError, TableError, did_you_mean

from ._types import Array, IndexArray
from .csv_file import read_text_columns, write_predictions
from .frames import column_array, column_names, frame_kind, series_of
from .parquet_file import read_parquet_columns

__all__ = ["Column", "ColumnKind", "Table", "parse_number", "read_table", "write_predictions"]

ColumnKind = Literal["numeric", "categorical"]
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt")


@dataclass(frozen=True, eq=False)
class Column:
    """One column: ``values`` (N,) are float64 with NaN (numeric), or objects, str or None (categorical)."""

    kind: ColumnKind
    values: Array

    @property
    def is_missing(self) -> Array:
        """(N,) bool."""
        if self.kind == "numeric":
            return np.isnan(self.values)
        return np.array([value is None for value in self.values], dtype=bool)


class Table:
    """Named columns in order, all of one length.

    Parameters  columns : name -> Column ; source : what the error messages call the table (its file)
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

    def __init__(self, columns: Mapping[str, Column], *, source: str = "The table") -> None:
        self.columns = dict(columns)
        self.source = source
        if not self.columns:
            raise TableError(f"{source} has no columns.")
        lengths = {name: len(column.values) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ShapeError(f"{source} has columns of different lengths: {lengths}.")
        self.n_rows = next(iter(lengths.values()))

    @classmethod
    def from_dataframe(cls, frame: Any, *, source: str = "The DataFrame") -> Table:
        """A pandas or polars DataFrame. Bools, dates and categories become text, as they are in a CSV file.

        Raises      DtypeError when it is no DataFrame; TableError for no rows or repeated names
        """
        library, is_series = frame_kind(frame)
        if library is None or is_series:
            raise DtypeError(f"Expected a pandas or polars DataFrame, got {type(frame).__name__}.")
        values = [column_array(series, library) for series in series_of(frame, library)]
        return _table(column_names(frame), values, source)

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
        taken = {name: Column(column.kind, column.values[rows]) for name, column in self.columns.items()}
        return Table(taken, source=self.source)

    def __len__(self) -> int:
        return self.n_rows

    def __repr__(self) -> str:
        kinds = ", ".join(f"{name!r}: {column.kind}" for name, column in self.columns.items())
        return f"Table({self.n_rows} rows; {kinds})"


def read_table(
    path: str | os.PathLike[str],
    *,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    kinds: Mapping[str, ColumnKind] | None = None,
) -> Table:
    """Read a .csv, .tsv, .tab or .txt file (also with .gz), or a .parquet file.

    A text file needs a header line; a blank name becomes ``unnamed_<position>``. A column is numeric when
    every value in it that is not missing is a number (also "inf"), else categorical. Missing is an empty
    cell, NA, N/A, NaN, null, None or ?, in any case. Spaces around a cell are dropped.

    Parameters
        delimiter : between fields; None finds out which of , ; tab | it is (always tab in .tsv)
        encoding : of a text file; a byte order mark is skipped
        kinds : column name -> kind, to fix a kind instead of inferring it (names not in the file are passed over)
    Raises
        TableError : the file is missing, unreadable, empty, binary, wrongly encoded or ragged, ... with file and line
        MissingDependencyError : a .parquet file without pyarrow
    Example
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "pets.csv"
        >>> _ = path.write_text("name;weight\\nRex;31.5\\nTom;?\\n")
        >>> read_table(path)
        Table(2 rows; 'name': categorical, 'weight': numeric)
    """
    path = Path(path)
    kinds = kinds or {}
    suffixes = [suffix.lower() for suffix in path.suffixes]
    last = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else "".join(suffixes[-1:])
    if last == ".parquet" and suffixes[-1] != ".gz":
        names, values = read_parquet_columns(path)
        return _table(names, values, str(path))
    if last not in TEXT_SUFFIXES and not path.is_dir():
        raise TableError(
            f"{path}: expected a file named .csv, .tsv, .txt (each also .gz) or .parquet, "
            f"got {path.suffix or 'no suffix'!r}."
        )
    text = read_text_columns(path, delimiter, encoding)
    columns = {}
    for name, cells in zip(text.names, text.cells, strict=True):
        column = _text_column(cells, kinds.get(name))
        if isinstance(column, int):
            raise TableError(
                f"{path}, line {text.lines[column]}: expected a number in column {name!r}, got {cells[column]!r}."
            )
        columns[name] = column
    return Table(columns, source=str(path))


def parse_number(cell: str) -> float | None:
    """The number in a cell, NaN for a missing one, None for any other text."""
    try:
        number = float(cell)
    except ValueError:
        return float("nan") if cell.strip().lower() in MISSING else None
    return None if "_" in cell else number  # Python reads 1_000 as a number; tables do not mean one


def _text_column(cells: list[str], kind: ColumnKind | None) -> Column | int:
    """The column, or the row of the first cell that is no number where numbers are required."""
    if kind != "categorical":
        try:  # the common case, fast: every cell is a number
            if not any("_" in cell for cell in cells):
                return Column("numeric", np.array(list(map(float, cells))))
        except ValueError:
            pass
        numbers = np.empty(len(cells))
        for row, cell in enumerate(cells):
            number = parse_number(cell)
            if number is None:
                if kind == "numeric":
                    return row
                break
            numbers[row] = number
        else:
            return Column("numeric", numbers)
    stripped = (cell.strip() for cell in cells)
    return Column("categorical", _object_array([None if cell.lower() in MISSING else cell for cell in stripped]))


def _table(names: Sequence[str], values: Sequence[Array], source: str) -> Table:
    """A table from columns of numbers or objects, as DataFrames and Parquet files have them."""
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    if repeated:
        raise TableError(f"{source} repeats the columns {', '.join(map(repr, repeated))}; every column needs its own name.")
    if not names or not len(values[0]):
        raise TableError(f"{source} has {len(names)} columns and {len(values[0]) if names else 0} rows; none can be 0.")
    return Table({n: _any_column(v, n, source) for n, v in zip(names, values, strict=True)}, source=source)


def _any_column(values: Array, name: str, source: str) -> Column:
    if values.dtype.kind in "iuf":
        return Column("numeric", values.astype(np.float64))
    items = values.tolist()
    known = [v for v in items if not (v is None or (isinstance(v, float) and np.isnan(v)))]
    if any(isinstance(v, (list, tuple, dict, set, np.ndarray, complex)) for v in known):
        raise TableError(f"{source}: column {name!r} holds lists or other objects; expected numbers or text.")
    if values.dtype.kind == "O" and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in known):
        return Column("numeric", np.array([np.nan if v is None else float(v) for v in items]))
    texts = (None if v is None or (isinstance(v, float) and np.isnan(v)) else str(v).strip() for v in items)
    return Column("categorical", _object_array([None if t is None or t.lower() in MISSING else t for t in texts]))


def _object_array(values: list[str | None]) -> Array:
    out: Array = np.empty(len(values), dtype=object)
    out[:] = values
    return out
