"""Delimited text to columns of text cells, and back to a file; every error says in which line.

Nothing here knows about kinds of columns: that is ``columns.py``'s.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress, pairwise
from pathlib import Path
from typing import Any, Literal, TextIO, TypeAlias

from chainrule.errors import TableError
from chainrule.files import replacing

from .numbers_in_text import MISSING, looks_like_number, parse_number
from .parquet_file import parquet_writer
from .table_format import TableFormat
from .text_file import read_text

__all__ = [
    "TextColumns",
    "Write",
    "csv_writer",
    "following_columns",
    "predictions_writer",
    "read_text_columns",
    "text_columns",
    "unique_names",
    "write_predictions",
]

DELIMITERS = (",", ";", "\t", "|", "~", "^", "\x1f", "\x01")
WHITESPACE = " "
#: Lines that are looked at to find out the delimiter, and the share of them that must have as many fields as most.
_LOOKED_AT, _AGREEING = 50, 0.8
#: The most lines above the header that are no part of the table: a title, a date.
_MOST_ABOVE = 10
#: The most lines below the table that are no part of it: a source, a remark.
_MOST_BELOW = 10
#: Characters that nobody sees; copied along with a cell from a web page they would make a text of a number.
_INVISIBLE = "\ufeff\u200b\u2060\u200e\u200f"
_IN_APOSTROPHES = re.compile(r"(?m)(^|[,;\t|])( ?)'((?:[^'\r\n]|'')*)'(?= ?(?:[,;\t|\r]|$))")
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)

Row = list[str]


@dataclass
class TextColumns:
    """A delimited file as text.

    Parameters
        names : of the columns ; cells : the texts of each column ; delimiter : between the fields ; source : the file
        notes : what was found out about how the file is written, for its user
        text : what was read, with blank lines for all that stands above the table ; rows : numbers of the records that
            are rows
        width : fields of a record, of which one at the end may be no column ; first_line : that the text begins in
        quoting : how the quotes of the file had to be changed, as of ``_requoted``
    """

    names: list[str]
    cells: list[Sequence[str]]
    delimiter: str
    source: str
    notes: list[str] = field(default_factory=list)
    text: str = ""
    rows: Sequence[int] = ()
    width: int = 0
    first_line: int = 1
    quoting: str = ""

    @cached_property
    def underscores(self) -> bool:
        """Whether any cell may hold an underscore."""
        return "_" in self.text

    def line_of(self, row: int) -> int:
        """The line that a row begins in, counted from 1."""
        records = _records(Path(self.source), self.text, self.delimiter)
        return self.first_line - 1 + next(line for i, (line, _) in enumerate(records) if i == self.rows[row])


def read_text_columns(
    path: Path, delimiter: str | None = None, encoding: str | None = None, *, table_format: TableFormat | None = None
) -> TextColumns:
    """A delimited file (gzipped or not) with a header line.

    Raises      TableError with the file, the line, what was expected and what came
    """
    how = table_format or TableFormat(delimiter=delimiter, encoding=encoding)
    decoded = read_text(path, how.encoding, how.max_memory)
    notes = [decoded.note] if decoded.note else []
    return text_columns(path, decoded.text, how, notes)


def text_columns(path: Path, text: str, how: TableFormat, notes: list[str], *, whole: bool = True) -> TextColumns:
    """The columns of a text that begins as a file does.

    Parameters  notes : gets what is found out ; whole : whether the text ends as the file does

    Raises      as ``read_text_columns``
    """
    text = text.rstrip("\x1a")  # the end of a file of DOS
    if not text.strip():
        raise TableError(f"{path}: the file is empty; expected a header line with column names and rows below it.")
    delimiter = how.delimiter
    if delimiter is None and ({".tsv", ".tab"} & {suffix.lower() for suffix in path.suffixes}):
        delimiter = "\t"
    quoting = "apostrophes" if _has_apostrophes(text) else ""
    text = _requoted(text, quoting, "")
    layout = _layout(text, delimiter, how.comment, notes)
    text = layout.text
    if layout.delimiter == WHITESPACE:
        text = "\n".join(line.strip().replace("\t", " ") for line in text.split("\n"))
    if not how.header:
        rest = _first_records(text, layout.delimiter)
        layout.names = [f"column_{i}" for i in range(1, len(rest[0] if rest else ()) + 1)]
    return _table(path, text, layout, how.comment, notes, quoting, whole)


def following_columns(first: TextColumns, text: str, first_line: int, comment: str | None) -> TextColumns:
    """The columns of a text of further records, which stands below that of ``first`` in the same file.

    Parameters  first_line : of the file that the text begins in ; comment : as in TableFormat
    Raises      TableError for a record that cannot be read, or has not as many fields as those of ``first``
    """
    path = Path(first.source)
    if first.delimiter == WHITESPACE:
        text = "\n".join(line.strip().replace("\t", " ") for line in text.split("\n"))
    text = _requoted(text, first.quoting, first.delimiter)
    _allow_long_fields(text)
    try:
        rows = _shown_cells(text, [row for row in _strictly(text, first.delimiter) if row])
    except csv.Error:
        _explain(path, text, first.delimiter, first_line)
        raise
    numbers: Sequence[int] = range(len(rows))
    if any(len(row) != first.width or (comment is not None and row[0].startswith(comment)) for row in rows):
        kept = [not row[0].startswith(comment or "#") or (comment is None and len(row) == first.width) for row in rows]
        rows, numbers = list(compress(rows, kept)), list(compress(numbers, kept))
        if any(len(row) != first.width for row in rows):
            _explain_lengths(path, text, first.delimiter, numbers, first.width, first_line)
    columns: list[Sequence[str]] = list(zip(*rows, strict=True)) if rows else [()] * first.width
    del columns[len(first.names) :]
    return TextColumns(
        first.names, columns, first.delimiter, first.source, [], text, numbers, first.width, first_line, first.quoting
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- layout


@dataclass
class _Layout:
    """How a file is laid out.

    Parameters  text : with blank lines for all that stands above the header ; delimiter ; names : a header that stands in a
                comment, None when the first record is the header
    """

    text: str
    delimiter: str
    names: Row | None = None


def _layout(text: str, delimiter: str | None, comment: str | None, notes: list[str]) -> _Layout:
    """Where the table begins and how its fields are parted."""
    lines = io.StringIO(text[: 2**20], newline="").readlines()
    above = 0
    if (named := _SEPARATOR_LINE.fullmatch(lines[0].strip(" \r\n"))) is not None:
        delimiter, above = delimiter or named[1], 1
    comments = []
    start = above
    while start < len(lines) and (lines[start].startswith(comment or "#") or not lines[start].strip()):
        start += 1
        comments += [lines[start - 1].strip()] if lines[start - 1].strip() else []
    if start < len(lines):
        above = start
    else:  # every line begins with the sign, so it is none of comments
        comments = []
    body = text[sum(map(len, lines[:above])) :]
    title = 0
    if delimiter is None:
        delimiter, title = _found_delimiter(body)
    layout = _Layout(text, delimiter)
    rest = [line for line in lines[above:] if line.strip()]
    if comments and comment is None:
        header = comments[-1].lstrip("#").strip()
        names, row = _fields(header, delimiter), _fields(rest[0], delimiter)
        is_data = sum(map(looks_like_number, row)) * 2 >= len(row)
        if not is_data and len(row) > 1 and not comments[-1].startswith("# "):  # #id,name above rows of texts alone
            is_data = not any(looks_like_number(cell) for line in rest[:_LOOKED_AT] for cell in _fields(line, delimiter))
        if is_data and len(names) == len(row) and not any(map(looks_like_number, names)):
            layout.names = [name.strip() for name in names]
            notes.append(f"The column names are taken from the line {comments.pop()[:60]!r}.")
    if comments:
        n = len(comments)
        notes.append(f"{n} line{'s' * (n > 1)} of comments above the table passed over: {comments[0][:60]!r}.")
    if title:
        notes.append(f"{title} line{'s' * (title > 1)} above the header passed over: {rest[0].strip()[:60]!r}.")
        kept = 0
        while kept < title:
            kept += bool(lines[above].strip())
            above += 1
    if delimiter == WHITESPACE:
        notes.append("The fields are parted by spaces (to change that: --delimiter, in Python delimiter=).")
    if above:
        layout.text = "\n" * above + text[sum(map(len, lines[:above])) :]
    return layout


def _fields(line: str, delimiter: str) -> Row:
    if delimiter == WHITESPACE:
        line = line.strip().replace("\t", " ")
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _found_delimiter(text: str) -> tuple[str, int]:
    """The delimiter, and how many lines of a title stand above the header.

    It is the one under which most records have as many fields as the header; then the one with the most fields.
    """
    best, best_score = None, (0.0, 0)
    sampled = {}
    for delimiter in DELIMITERS:
        records = sampled[delimiter] = _first_records(text, delimiter)
        counts = [len(fields) for fields in records]
        if counts and counts[0] > 1:
            score = (sum(count in (counts[0], counts[0] + 1) for count in counts) / len(counts), counts[0])
            if score > best_score:
                best, best_score = delimiter, score
    if best is not None and best_score[0] >= _AGREEING:
        return best, 0
    for delimiter, records in sampled.items():
        if title := _title_lines(records):
            return delimiter, title
    lines = [line for line in text[: 2**20].splitlines() if line.strip()]
    if _is_parted_by_spaces(lines):
        return WHITESPACE, 0
    if best is None and lines and all(d not in lines[0] for d in DELIMITERS):
        # One column: a delimiter that does not occur leaves its cells whole, with the commas in them.
        return next((d for d in ("\t", "|", ";", ",") if d not in text), DELIMITERS[0]), 0
    return best or DELIMITERS[0], 0


def _title_lines(records: list[Row]) -> int:
    """How many records above the header have fewer fields than nearly all the rest, 0 when there are none of that kind."""
    counts = [len(fields) for fields in records]
    most, agreeing = Counter(counts).most_common(1)[0] if counts else (1, 0)
    title = next((i for i, count in enumerate(counts) if count == most), 0)
    if most < 2 or not 0 < title <= _MOST_ABOVE or agreeing < max(3, _AGREEING * (len(counts) - title)):
        return 0
    if any(count >= most for count in counts[:title]) or any(map(looks_like_number, records[title])):
        return 0
    has_numbers = any(looks_like_number(cell) for fields in records[title + 1 :] for cell in fields)
    return title if has_numbers else 0


def _first_records(text: str, delimiter: str) -> list[Row]:
    records: list[Row] = []
    _allow_long_fields(text)
    try:
        for fields in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True):
            if fields:
                records.append(fields)
            if len(records) == _LOOKED_AT:
                break
    except csv.Error:
        pass
    return records


def _is_parted_by_spaces(lines: list[str]) -> bool:
    """Whether all lines have as many words, and all words of some column below the header are numbers."""
    words = [_fields(line, WHITESPACE) for line in lines[:_LOOKED_AT]]
    if len(words) < 3 or len(words[0]) < 2 or any(len(row) != len(words[0]) for row in words):
        return False
    columns = list(zip(*words[1:], strict=True))
    return any(all(looks_like_number(cell) or cell.lower() in MISSING for cell in column) for column in columns)


# --------------------------------------------------------------------------------------------------------------- rows


def _strictly(text: str, delimiter: str) -> list[Row]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True))


def _has_apostrophes(text: str) -> bool:
    """Whether fields stand in apostrophes: most lines below the header have such a field, and there is no quote."""
    if "'" not in text or '"' in text:
        return False
    below = [line.rstrip("\r") for line in text[: 2**16].split("\n")[1:_LOOKED_AT] if line.strip()]
    return sum(_IN_APOSTROPHES.search(line) is not None for line in below) > _AGREEING * len(below)


def _requoted(text: str, quoting: str, delimiter: str) -> str:
    """The text with its quotes as a file of comma-separated values has them (RFC 4180).

    Parameters  quoting : "apostrophes" in place of quotes, "spaces" between a quote and the next delimiter, "backslashes"
                before quotes in a field, or "" for nothing to change
    """
    if quoting == "apostrophes":
        return _IN_APOSTROPHES.sub(lambda m: m[1] + m[2] + '"' + m[3].replace("''", "'") + '"', text)
    if quoting == "spaces":
        return re.sub(rf'"[ \t]+(?={re.escape(delimiter)}|\r|\n|\Z)', '"', text)
    return text.replace('\\"', '""') if quoting == "backslashes" else text


_QUOTING = {
    "apostrophes": "Fields are quoted by apostrophes.",
    "spaces": "Spaces between a quote and the next delimiter are passed over.",
    "backslashes": "Quotes in a field are written with a backslash before them.",
}


def _mended(text: str, delimiter: str) -> tuple[str, str, list[Row]] | None:
    """How the quotes of a text that cannot be read had to be changed, the text and its rows; None where no change makes rows
    of equally many fields of it."""
    for quoting in ("spaces", "backslashes"):
        changed = _requoted(text, quoting, delimiter)
        if changed != text:
            with suppress(csv.Error):
                rows = _strictly(changed, delimiter)
                if len({len(row) for row in rows if row}) == 1:
                    return quoting, changed, rows
    return None


def _shown_cells(text: str, rows: list[Row]) -> list[Row]:
    """The rows without invisible characters around cells, and without what keeps Excel from changing a cell: ="007"."""
    if any(character in text for character in _INVISIBLE):
        rows = [[cell.strip(_INVISIBLE) for cell in row] for row in rows]
    if '="' in text:
        rows = [[c[2:-1] if len(c) > 2 and c[:2] == '="' and c[-1] == '"' else c for c in row] for row in rows]
    return rows


def _drop_below(rows: list[Row], notes: list[str]) -> None:
    """Drops what stands below the table: rows without any value, and remarks of one field."""
    width, empty = len(rows[0]) if rows else 0, 0
    while len(rows) > 2 and width > 1 and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
        empty += 1
    if empty:
        notes.append(f"{empty} row{'s' * (empty > 1)} without any value below the table passed over.")
    count = 0
    while count < min(_MOST_BELOW, len(rows) - 2) and len(rows[-1 - count]) == 1 and _is_remark(rows[-1 - count][0]):
        count += 1
    if width > 1 and count and all(len(row) > 1 for row in rows[:-count]):
        notes.append(f"{count} line{'s' * (count > 1)} below the table passed over: {rows[-count][0].strip()[:60]!r}.")
        del rows[-count:]


def _is_remark(cell: str) -> bool:
    return " " in cell.strip() and not looks_like_number(cell)


def _table(
    path: Path, text: str, layout: _Layout, comment: str | None, notes: list[str], quoting: str, whole: bool
) -> TextColumns:  # fmt: skip
    """Names and cells of the columns."""
    _allow_long_fields(text)
    try:
        rows = _strictly(text, layout.delimiter)
    except csv.Error:
        mended = _mended(text, layout.delimiter)
        if mended is None:
            _explain(path, text, layout.delimiter)
            raise
        quoting, text, rows = mended
    if quoting:
        notes.append(_QUOTING[quoting])
    if [] in rows:
        rows = [row for row in rows if row]
    rows = _shown_cells(text, rows)
    header = rows.pop(0) if layout.names is None else layout.names
    numbers: Sequence[int] = range(layout.names is None, len(rows) + (layout.names is None))
    lengths = Counter(map(len, rows))
    if comment is not None or set(lengths) != {len(header)}:
        kept = [not row[0].startswith(comment or "#") or (comment is None and len(row) == len(header)) for row in rows]
        if not all(kept):
            notes.append(f"{kept.count(False)} line{'s' * (kept.count(False) > 1)} of comments among the rows passed over.")
            rows, numbers = list(compress(rows, kept)), list(compress(numbers, kept))
    if whole:
        _drop_below(rows, notes)
    numbers, lengths = numbers[: len(rows)], Counter(map(len, rows))
    if not rows:
        raise TableError(f"{path}: the file has a header but no rows below it.")
    header, width = _header_for(header, rows, lengths, notes)
    if set(lengths) != {width}:
        _explain_lengths(path, text, layout.delimiter, numbers, len(header))
    columns: list[Sequence[str]] = list(zip(*rows, strict=True))
    del columns[len(header) :]
    header, columns = _without_last(header, columns, notes)
    names = [name.strip() for name in header]
    if layout.names is None and _looks_like_data(names):
        line = 1 + next((i for i, t in enumerate(io.StringIO(text, newline="")) if t.strip()), 0)
        raise TableError(
            f"{path}, line {line}: expected a header line with column names, got what looks like data "
            f"({', '.join(names[:4])}). Add a first line that names the columns, or say that there is none: --no-header, in "
            "Python header=False."
        )
    if layout.names is None and (two := _second_header(names, columns, notes)) is not None:
        names, columns, numbers = two, [column[1:] for column in columns], numbers[1:]
    return TextColumns(
        unique_names(names, notes), columns, layout.delimiter, str(path), notes, text, numbers, width, quoting=quoting
    )


def _header_for(header: Row, rows: list[Row], lengths: Counter[int], notes: list[str]) -> tuple[Row, int]:
    """The header and the width of the rows: all may have one field more, an empty one at the end or a first one that names
    the row."""
    width = len(header)
    if set(lengths) != {width + 1}:
        return header, width
    if not any(row[-1].strip() for row in rows):
        notes.append("Every row ends in a delimiter: the empty field behind it is passed over.")
        return header, width + 1
    first = [row[0] for row in rows]
    numbers = [parse_number(cell) for cell in first]
    counted = all(n is not None and n == (numbers[0] or 0) + i for i, n in enumerate(numbers))
    if width > 1 and len(rows) > 1 and len(set(first)) == len(first) and (counted or not any(map(looks_like_number, first))):
        notes.append("The rows have one field more than the header: the first one is taken for a name of the row.")
        return ["row_name", *header], width + 1
    return header, width


def _without_last(header: Row, columns: list[Sequence[str]], notes: list[str]) -> tuple[Row, list[Sequence[str]]]:
    """Without a last column that has neither a name nor a value: every line ends in a delimiter."""
    if len(header) > 1 and not header[-1].strip() and not any(cell.strip() for cell in columns[-1]):
        notes.append("Every line ends in a delimiter: the empty column behind it is passed over.")
        return header[:-1], columns[:-1]
    return header, columns


def _second_header(names: list[str], columns: list[Sequence[str]], notes: list[str]) -> list[str] | None:
    """The names when the first row is a second line of the header (units, or parts of the names), else None.

    It is one when it holds no number, while most columns hold nothing but numbers below it.
    """
    second = [column[0].strip() for column in columns]
    if len(columns[0]) < 4 or any(map(looks_like_number, second)):
        return None
    below = [column[1 : 1 + _LOOKED_AT] for column in columns]
    worded = sum(cell.lower() not in MISSING and _are_numbers(column) for cell, column in zip(second, below, strict=True))
    if worded < 2 or worded * 2 < len(columns):
        return None
    shown = ", ".join(repr(cell) for cell in second[:4]) + ", ..." * (len(second) > 4)
    if len(set(names)) == len(names) and all(names):
        notes.append(f"The second line holds no values but, it seems, units: {shown}. It is passed over.")
        return names
    notes.append(f"The header has two lines: the names of the second one ({shown}) are put behind those of the first.")
    return [f"{name} {cell}".strip() for name, cell in zip(names, second, strict=True)]


def _are_numbers(cells: Sequence[str]) -> bool:
    """Whether there are numbers in these cells, and nothing else but missing ones."""
    numbers = [looks_like_number(cell) for cell in cells]
    return any(numbers) and all(n or cell.strip().lower() in MISSING for n, cell in zip(numbers, cells, strict=True))


def unique_names(names: Sequence[str], notes: list[str]) -> list[str]:
    """The names, with ``unnamed_<position>`` for blank ones and a number behind those that have been there before.

    Example
        >>> unique_names(["a", "", "a"], [])
        ['a', 'unnamed_2', 'a_2']
    """
    taken = set(names)
    counts: Counter[str] = Counter()
    out, changed = [], []
    for position, name in enumerate(names, start=1):
        name = name or f"unnamed_{position}"
        counts[name] += 1
        new = name
        while counts[name] > 1 and new in taken:
            new = f"{name}_{counts[name]}"
            counts[name] += new in taken
        if new != name:
            changed.append((name, new))
            taken.add(new)
        out.append(new)
    if changed:
        shown = ", ".join(f"{new!r}" for _, new in changed[:5]) + ", ..." * (len(changed) > 5)
        notes.append(f"{len(changed)} column name{'s' * (len(changed) > 1)} repeated; the later ones are called {shown}.")
    return out


# ------------------------------------------------------------------------------------------------------------- errors


def _allow_long_fields(text: str) -> None:
    """Lets a cell be as long as the text: the csv module's limit of 131,072 characters is one of the whole process."""
    if csv.field_size_limit() < len(text):
        csv.field_size_limit(len(text))


def _records(path: Path, text: str, delimiter: str, first_line: int = 1) -> Iterator[tuple[int, Row]]:
    """``(line it begins in, fields)`` of every record that is not a blank line. Parameters  first_line : of the text"""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    line = first_line
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
        line = reader.line_num + first_line


def _explain(path: Path, text: str, delimiter: str, first_line: int = 1) -> None:
    """Raises the TableError of the first row that cannot be read."""
    for _ in _records(path, text, delimiter, first_line):
        pass


def _explain_lengths(path: Path, text: str, delimiter: str, numbers: Sequence[int], width: int, first_line: int = 1) -> None:
    """Raises the TableError of the first row that has not as many fields as the header."""
    sign = "spaces" if delimiter == WHITESPACE else repr(delimiter)
    rows = set(numbers)
    for i, (line, fields) in enumerate(_records(path, text, delimiter, first_line)):
        if i in rows and len(fields) != width:
            raise TableError(
                f"{path}, line {line}: expected {width} fields as in the header (separated by {sign}), got "
                f"{len(fields)}. Look "
                f"for a missing or extra {sign}, or text that needs quotes. To part the fields otherwise: --delimiter, "
                "in Python "
                "delimiter=."
            )


def _looks_like_data(names: Sequence[str]) -> bool:
    """Whether a header holds values rather than names: most are decimal numbers, or some are numbers in no order.

    Whole numbers that go up or down may well be names, such as years.
    """
    numbers = [n for name in names if (n := parse_number(name)) is not None and n == n]
    decimals = sum("." in name and looks_like_number(name) for name in names)
    steps = [after - before for before, after in pairwise(numbers)]
    in_order = all(step > 0 for step in steps) or all(step < 0 for step in steps)
    return decimals * 2 > len(names) or not in_order


# ------------------------------------------------------------------------------------------------------------ writing


def write_predictions(path: str | os.PathLike[str], columns: Mapping[str, Sequence[Any]]) -> None:
    """Write columns as a CSV file, or a Parquet file by its name, whole or not at all.

    None and NaN become empty cells; floats are written so that they read back exactly.

    Parameters  path : the file to make or replace ; columns : name -> values, all of one length
    Raises      TableError for no columns, unequal lengths, or a folder that cannot be written to
    Example
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "out.csv"
        >>> write_predictions(path, {"row": [1, 2], "label": ["yes", None]})
        >>> path.read_text().split()
        ['row,label', '1,yes', '2,']
    """
    if not columns:
        raise TableError(f"{path}: there are no columns to write.")
    with predictions_writer(path) as write:
        write(columns)


#: Writes some more rows.
Write: TypeAlias = Callable[[Mapping[str, Sequence[Any]]], None]


@contextmanager
def predictions_writer(path: str | os.PathLike[str]) -> Iterator[Write]:
    """A function that writes some more rows of the same columns; the file takes its place when the block ends well.

    Raises      TableError as ``write_predictions``
    """
    path = Path(path)
    try:
        with replacing(path, what="predictions", error=TableError) as binary:
            if path.suffix.lower() == ".parquet":
                with parquet_writer(binary) as write_columns:
                    yield lambda columns: write_columns(checked_columns(path, columns))
                return
            file = io.TextIOWrapper(binary, encoding="utf-8", newline="")
            write_rows = csv_writer(file)
            yield lambda columns: write_rows(checked_columns(path, columns))
            file.detach()  # written, and left open
    except UnicodeEncodeError as error:
        raise TableError(f"{path}: a text cannot be written as UTF-8: {error.object[error.start : error.end]!r}.") from error


def checked_columns(path: Path, columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """The columns as lists. Raises  TableError unless all have one length"""
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise TableError(f"{path}: the columns have different lengths: {lengths}. Every column needs one value a row.")
    return {n: values.tolist() if hasattr(values, "tolist") else list(values) for n, values in columns.items()}


def csv_writer(file: TextIO) -> Write:
    """A function that writes some more rows as CSV, with a header before the first."""
    begun = False

    def write(columns: Mapping[str, Sequence[Any]]) -> None:
        nonlocal begun
        # The csv module leaves a carriage return unquoted, though it ends a line for every reader.
        has_return = any(
            isinstance(value, str) and "\r" in value for values in (columns, *columns.values()) for value in values
        )
        quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if has_return else csv.QUOTE_MINIMAL
        writer = csv.writer(file, lineterminator="\n", quoting=quoting)
        if not begun:
            writer.writerow(columns)
            begun = True
        for row in zip(*columns.values(), strict=True):
            writer.writerow(map(_cell, row))

    return write


def _cell(value: Any) -> Any:
    is_missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if is_missing or type(value).__name__ in ("NAType", "NaTType") else value
