"""Delimited text to columns of text cells, and back to a file; every error says in which line.

Nothing here knows about kinds of columns: that is ``table.py``'s.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import os
import secrets
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from chainrule.errors import TableError, did_you_mean

__all__ = ["TextColumns", "read_bytes", "read_text_columns", "write_predictions"]

DELIMITERS = (",", ";", "\t", "|")
FOREIGN = {  # how files that are no text begin, and what to say of them
    b"PK\x03\x04": "a zip or Excel file; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel file; save the sheet as CSV",
    b"PAR1": "a Parquet file; name it .parquet",
    b"\x89PNG": "a PNG image",
    b"%PDF": "a PDF document",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy .npy file; load it with numpy.load",
}
UTF16 = (b"\xff\xfe", b"\xfe\xff")


class TextColumns(NamedTuple):
    """A delimited file as text: the column names, one list of cells a column, and the line each row begins in."""

    names: list[str]
    cells: list[list[str]]
    lines: list[int]


def read_bytes(path: Path) -> bytes:
    """The whole file, with a TableError that says why when it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, siblings) if siblings else f" The folder {path.parent} does not exist either."
        raise TableError(f"{path}: there is no such file.{hint}") from error
    except IsADirectoryError as error:
        raise TableError(f"{path}: this is a folder; give the path of a file in it.") from error
    except PermissionError as error:
        if path.is_dir():  # what Windows says of a folder
            raise TableError(f"{path}: this is a folder; give the path of a file in it.") from error
        raise TableError(f"{path}: permission to read this file is denied.") from error
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: the file cannot be read: {error}.") from error


def read_text_columns(path: Path, delimiter: str | None = None, encoding: str = "utf-8") -> TextColumns:
    """A delimited file (gzipped or not) with a header line.

    Raises      TableError with the file, the line, what was expected and what came
    """
    text = _decode(path, _unzip(path, read_bytes(path)), encoding)
    if not text.strip():
        raise TableError(f"{path}: the file is empty; expected a header line with column names and rows below it.")
    if delimiter is None:
        delimiter = "\t" if ".tsv" in path.suffixes or ".tab" in path.suffixes else _sniff(text)
    records = _records(path, text, delimiter)
    header_line, header = next(records)
    names = _column_names(path, header_line, header)
    rows: list[list[str]] = []
    lines: list[int] = []
    for line, fields in records:
        if len(fields) != len(names):
            raise TableError(
                f"{path}, line {line}: expected {len(names)} fields as in the header (separated by {delimiter!r}), "
                f"got {len(fields)}. Look for a missing or extra {delimiter!r}, or text that needs quotes."
            )
        rows.append(fields)
        lines.append(line)
    if not rows:
        raise TableError(f"{path}: the file has a header but no rows below it.")
    return TextColumns(names, [list(column) for column in zip(*rows, strict=True)], lines)


def write_predictions(path: str | os.PathLike[str], columns: Mapping[str, Sequence[Any]]) -> None:
    """Write columns as a CSV file, whole or not at all.

    The rows go to a temporary file in the same folder, which then replaces ``path``: a reader never sees
    half a file, and a failure leaves the old one. None and NaN become empty cells; floats are written so
    that they read back exactly.

    Parameters  path : the file to make or replace ; columns : name -> values, all of one length
    Raises      TableError for no columns, unequal lengths, or a folder that cannot be written to
    Example
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "out.csv"
        >>> write_predictions(path, {"row": [1, 2], "label": ["yes", None]})
        >>> path.read_text().split()
        ['row,label', '1,yes', '2,']
    """
    path = Path(path)
    if not columns:
        raise TableError(f"{path}: there are no columns to write.")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise TableError(f"{path}: the columns have different lengths: {lengths}. Every column needs one value a row.")
    plain = [values.tolist() if hasattr(values, "tolist") else list(values) for values in columns.values()]
    # The csv module leaves a carriage return unquoted, though it ends a line for every reader.
    has_return = any(isinstance(value, str) and "\r" in value for values in (columns, *plain) for value in values)
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if has_return else csv.QUOTE_MINIMAL
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            with temporary.open("x", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n", quoting=quoting)
                writer.writerow(columns)
                for row in zip(*plain, strict=True):
                    writer.writerow(map(_cell, row))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise TableError(f"{path}: the file cannot be written: {error.strerror or error}.") from error
    except UnicodeEncodeError as error:
        raise TableError(f"{path}: a text cannot be written as UTF-8: {error.object[error.start : error.end]!r}.") from error


def _cell(value: Any) -> Any:
    is_missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if is_missing or type(value).__name__ in ("NAType", "NaTType") else value


def _unzip(path: Path, data: bytes) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        if path.suffix == ".gz" and data:
            raise TableError(f"{path}: the name ends in .gz but the file is not gzipped. Rename or compress it.")
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(f"{path}: the gzipped file is damaged or cut off: {error}.") from error


def _decode(path: Path, data: bytes, encoding: str) -> str:
    for start, what in FOREIGN.items():
        if data.startswith(start):
            raise TableError(f"{path}: expected text, but this is {what}.")
    if encoding.lower().replace("-", "").replace("_", "") in ("utf8", "utf8sig"):
        if data.startswith(UTF16):
            raise TableError(f"{path}: the file is UTF-16 text. Save it as UTF-8, or pass encoding='utf-16'.")
        encoding = "utf-8-sig"
    is_wide = encoding.lower().startswith(("utf-16", "utf_16", "utf-32", "utf_32"))
    nul = -1 if is_wide else data.find(b"\0")
    if nul >= 0:
        sample = data[:4096]
        if sum(byte < 9 or 13 < byte < 32 for byte in sample) > max(4, len(sample) // 20):
            raise TableError(f"{path}: expected text, but this is a binary file (byte 0x00 at offset {nul}).")
        raise TableError(
            f"{path}, line {_line_at(data, nul)}: a NUL byte at offset {nul}. The file is damaged, or not UTF-8 text."
        )
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise TableError(
            f"{path}, line {_line_at(data, error.start)}: byte 0x{data[error.start]:02X} at offset {error.start} is "
            f"not {encoding.removesuffix('-sig')}. Save the file as UTF-8, or pass its "
            "encoding, e.g. encoding='latin-1'."
        ) from error
    except LookupError as error:
        raise TableError(f"{path}: unknown encoding {encoding!r}; try 'utf-8', 'latin-1' or 'utf-16'.") from error


def _line_at(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _sniff(text: str, n_records: int = 50) -> str:
    """The delimiter under which most of the first records have as many fields as the header; then the most fields."""
    best, best_score = DELIMITERS[0], (0.0, 0)
    for delimiter in DELIMITERS:
        counts = []
        try:
            for fields in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True):
                counts.append(len(fields))
                if len(counts) == n_records:
                    break
        except csv.Error:
            pass
        counts = [count for count in counts if count]
        if counts and counts[0] > 1:
            score = (sum(count == counts[0] for count in counts) / len(counts), counts[0])
            if score > best_score:
                best, best_score = delimiter, score
    return best


def _records(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """``(line it begins in, fields)`` of every record that is not a blank line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 1
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise TableError(f"{path}, line {line}: a quote is opened in this row and never closed.") from error
            raise TableError(f"{path}, line {line}: the row cannot be read: {error}.") from error
        if fields:
            yield line, fields
        line = reader.line_num + 1


def _column_names(path: Path, line: int, header: list[str]) -> list[str]:
    names = [name.strip() or f"unnamed_{i}" for i, name in enumerate(header, start=1)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise TableError(
            f"{path}, line {line}: the header repeats {', '.join(map(repr, repeated))}; every column needs its own name."
        )
    if sum(map(_looks_measured, names)) * 2 > len(names):
        raise TableError(
            f"{path}, line {line}: expected a header line with column names, got what looks like data "
            f"({', '.join(names[:4])}). Add a first line that names the columns."
        )
    return names


def _looks_measured(name: str) -> bool:
    """Whether a column name reads as a decimal number; whole numbers may well be names (years)."""
    try:
        float(name)
    except ValueError:
        return False
    return "." in name
