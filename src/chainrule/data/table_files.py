"""Tables in files that together, or even alone, are larger than the memory: read in chunks of rows, each of them a Table."""

from __future__ import annotations

import glob
import importlib
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import MissingDependencyError, TableError

from ._types import Array
from .column_encoders import texts_of
from .columns import read_columns
from .csv_file import DELIMITERS, TextColumns, following_columns, text_columns
from .memory import memory_limit
from .parquet_file import arrow_column
from .table import TEXT_SUFFIXES, Table, table_of
from .table_format import ColumnFormat, ColumnKind, TableFormat
from .text_file import open_text

__all__ = ["TableChunk", "TableFiles", "is_large", "table_paths"]

#: Rows and cells of a chunk of a Parquet file at most, and letters of one of a text file.
_ROWS, _CELLS, _LETTERS = 65_536, 2**20, 8 * 2**20
#: Bytes of a column of a Parquet file that are read at a time; else all columns of a group of rows would be in memory.
_PARQUET_BYTES = 2**16
#: Lines from which it is found out how a file is written, at least.
_FIRST_LINES = 100
#: The most letters in which no end of a row is found.
_LONGEST = 256 * 2**20
#: A file that is larger than this share of the memory limit is read in chunks: cells take several times their letters.
_LARGE_SHARE = 8
Kinds = Mapping[str, ColumnKind | ColumnFormat]


class TableChunk(NamedTuple):
    """Some rows. Parameters  table ; cells : of the columns as they stand in a text file, None for another file"""

    table: Table
    cells: Mapping[str, Sequence[str]] | None

    def given(self) -> dict[str, Sequence[Any]]:
        """The columns as they were written, or would be."""
        return dict(self.cells) if self.cells is not None else {n: texts_of(self.table, n) for n in self.table.names}


def table_paths(data: str | os.PathLike[str]) -> list[Path] | None:
    """The files that a pattern such as "data/*.csv" or a folder of tables stands for, sorted; None for a single path.

    Raises      TableError for a pattern that no file has, or a folder without tables that has files of other kinds alone
    """
    text = os.fspath(data)
    if not text:  # to Path the empty text is the current folder, and nobody means that
        return None
    suffixes = (*TEXT_SUFFIXES, ".parquet")
    path = Path(text)
    if path.is_dir():
        found = [p for p in path.iterdir() if p.is_file() and p.name.lower().removesuffix(".gz").endswith(suffixes)]
        return sorted(found) or None
    if not glob.has_magic(text) or path.exists():
        return None
    found = [Path(name) for name in sorted(glob.glob(text, recursive=True)) if Path(name).is_file()]
    if not found:
        raise TableError(f"{text}: no file has such a name. Look at the folder, and at the spelling of the pattern.")
    return found


def is_large(path: Path) -> bool:
    """Whether a file is so large that it is better read in chunks."""
    try:
        size = path.stat().st_size * (4 if path.suffix.lower() in (".gz", ".parquet") else 1)
    except OSError:
        return False
    return path.is_file() and size > memory_limit(None) // _LARGE_SHARE


class TableFiles:
    """One table in one or many files of the same columns, read in chunks: the memory does not grow with the rows.

    How cells are written is found out from the first chunk; all others are read alike. Parquet files may be of any size in
    groups of rows; text files may be gzipped.

    Parameters
        paths : of the files, all .parquet or all text files ; format : of text files
        kinds : column name -> kind or format, as in ``read_table``
    Attributes  source : what error messages call the table
    Raises      TableError for no files, or files of different kinds

    Example
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for i in range(2):
        ...     _ = (folder / f"{i}.csv").write_text(f"size,kind\\n{i},small\\n7,large\\n")
        >>> [chunk.table.n_rows for chunk in TableFiles(sorted(folder.glob("*.csv"))).chunks()]
        [2, 2]
    """

    def __init__(
        self, paths: Sequence[str | os.PathLike[str]], format: TableFormat | None = None, kinds: Kinds | None = None
    ) -> None:
        self.paths = [Path(path) for path in paths]
        self.format, self.kinds = format or TableFormat(), dict(kinds or {})
        if not self.paths:
            raise TableError("There is no file to read.")
        self.source = str(self.paths[0]) + (f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else "")
        endings = {path.name.lower().removesuffix(".gz").rpartition(".")[2] for path in self.paths}
        self.is_parquet = endings == {"parquet"}
        if not self.is_parquet and ("parquet" in endings or not {f".{end}" for end in endings} <= set(TEXT_SUFFIXES)):
            raise TableError(
                f"{self.source}: expected files that are all .parquet, or all .csv, .tsv or .txt (each also .gz). Got the "
                f"endings {', '.join(sorted(endings))}."
            )
        self._seen = [self._signature(path) for path in self.paths]

    @property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(size for size, _ in self._seen)

    def counts(self) -> list[int]:
        """The rows of each Parquet file, which the file itself says. Raises  TableError as ``chunks``"""
        found = []
        for path in self.paths:
            parquet, arrow = _pyarrow()
            try:
                found.append(parquet.ParquetFile(path).metadata.num_rows)
            except (arrow.ArrowException, OSError) as error:
                raise TableError(f"{path}: not a Parquet file, or a damaged one: {error}.") from error
        return found

    @staticmethod
    def _signature(path: Path) -> tuple[int, int]:
        try:
            found = path.stat()
        except OSError as error:
            raise TableError(f"{path}: the file cannot be read: {error.strerror or error}.") from error
        return found.st_size, found.st_mtime_ns

    def _check_unchanged(self, i: int) -> None:
        if self._signature(self.paths[i]) != self._seen[i]:
            raise TableError(
                f"{self.paths[i]}: the file has changed while it was read. Wait until whoever writes it is done, and begin "
                "again."
            )

    def chunks(self) -> Iterator[TableChunk]:
        """All rows in order, some tens of thousands at a time; the first chunk's table has the notes.

        Raises      TableError for a file that cannot be read, has other columns than the first, or changes while it is read
        """
        names: list[str] | None = None
        kinds, notes = dict(self.kinds), True
        for i, path in enumerate(self.paths):
            self._check_unchanged(i)
            for chunk in self._parquet(path) if self.is_parquet else self._text(path, kinds):
                table = chunk.table
                if names is None:
                    names = table.names
                elif set(names) != set(table.names):
                    lacks = sorted(set(names) - set(table.names))[:5]
                    more = sorted(set(table.names) - set(names))[:5]
                    what = [f"lacks {', '.join(map(repr, lacks))}"] * bool(lacks) + [
                        f"has {', '.join(map(repr, more))}"
                    ] * bool(more)
                    raise TableError(f"{path} has other columns than {self.paths[0]}: it {' and '.join(what)}.")
                if not self.is_parquet and notes:
                    kinds |= {n: c.format or ColumnFormat(c.kind) for n, c in table.columns.items() if n not in kinds}
                    notes = False
                else:
                    table.notes.clear()
                self._check_unchanged(i)
                yield chunk

    # ------------------------------------------------------------ Parquet

    def _parquet(self, path: Path) -> Iterator[TableChunk]:
        parquet, arrow = _pyarrow()
        rows = 0
        try:
            with parquet.ParquetFile(path, pre_buffer=False, buffer_size=_PARQUET_BYTES) as file:
                columns = max(1, len(file.schema_arrow.names))
                size = min(_ROWS, max(1, _CELLS // columns))
                for batch in file.iter_batches(batch_size=size, use_threads=False):
                    if batch.num_rows:
                        rows += batch.num_rows
                        values = [arrow_column(arrow, column) for column in batch.columns]
                        yield TableChunk(table_of(batch.schema.names, values, str(path)), None)
        except (arrow.ArrowException, OSError, EOFError) as error:
            raise TableError(f"{path}: not a Parquet file, or a damaged one: {error}.") from error
        if not rows and len(self.paths) == 1:
            raise TableError(f"{path}: the table has no rows.")

    # ------------------------------------------------------------ text

    def _text(self, path: Path, kinds: Kinds) -> Iterator[TableChunk]:
        stream, note = open_text(path, self.format.encoding)
        first: TextColumns | None = None
        line = 1
        with stream:
            for text in self._pieces(path, stream):
                if first is None:
                    found = first = text_columns(path, text, self.format, [note] if note else [], whole=False)
                else:
                    found = following_columns(first, text, line, self.format.comment)
                line += text.count("\n")
                if not len(found.cells[0]):
                    continue
                columns, notes = read_columns(found, self.format, kinds)
                if not kinds:
                    kinds = {name: column.format or ColumnFormat(column.kind) for name, column in columns.items()}
                table = Table(columns, source=str(path), notes=[*found.notes, *notes])
                yield TableChunk(table, dict(zip(found.names, found.cells, strict=True)))
        if first is None:
            text_columns(path, "", self.format, [])  # which says that it is empty

    @staticmethod
    def _pieces(path: Path, stream: Any) -> Iterator[str]:
        """The text in pieces that end where a row ends."""
        rest, size, begun = "", _LETTERS, False
        while True:
            try:
                more = stream.read(size)
            except UnicodeDecodeError as error:
                raise TableError(
                    f"{path}: byte 0x{error.object[error.start]:02X} is not {error.encoding}, though the beginning of the "
                    "file is. Save the file as UTF-8, or name its encoding: --encoding latin-1, in Python "
                    "encoding='latin-1'."
                ) from error
            except (EOFError, zlib.error, OSError) as error:
                raise TableError(f"{path}: the file cannot be read further, or is damaged: {error}.") from error
            text = rest + more
            if not more:
                if text:
                    yield text
                return
            end = _end_of_row(text)
            if not begun and text.count("\n", 0, end) < _FIRST_LINES:
                end = 0
            if end:
                begun = True
                yield text[:end]
            rest, size = text[end:], _LETTERS
            if not end:
                size = len(text)
                if len(text) > _LONGEST:
                    raise TableError(
                        f"{path}: a row of more than {_LONGEST:,} letters. A quote is probably opened in it and never "
                        "closed."
                    )


def _pyarrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow.parquet"), importlib.import_module("pyarrow")
    except ImportError as error:
        raise MissingDependencyError("pyarrow", "Reading a .parquet file", extra="parquet") from error


def _end_of_row(text: str) -> int:
    """Where the last whole row of the text ends, 0 when none does. A line's end within quotes ends no row."""
    end = text.rfind("\n") + 1
    if '"' not in text:
        return end
    for _ in range(1000):  # a long text in quotes may have some lines
        if not end or text.count('"', 0, end) % 2 == 0:
            return end
        end = text.rfind("\n", 0, end - 1) + 1
    return _by_parsing(text)


def _by_parsing(text: str) -> int:
    """The same where quotes that belong to no field, such as inches, spoil the count: by reading the rows."""
    import csv
    import io

    counts = {d: text.count(d, 0, 10_000) for d in DELIMITERS}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(counts, key=counts.__getitem__), skipinitialspace=True)
    before = at = 0
    for _ in reader:
        before, at = at, reader.line_num
    lines = text.split("\n")
    return sum(len(line) + 1 for line in lines[:before])


def chunk_rows(table: Table, chosen: Array) -> Table | None:
    """The chosen rows of a table, None for none. Parameters  chosen : (N,) bool"""
    rows = np.flatnonzero(chosen)
    return table.take(rows) if len(rows) else None
