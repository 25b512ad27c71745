"""A folder of files with a file that says what is written or said in each of them."""

from __future__ import annotations

from pathlib import Path

from ..errors import DataError, TableError
from ..images.folder import Kind

__all__ = ["find_labels_file", "read_labels_file"]

#: Names of files with texts, the usual ones of data sets, in the order in which they are looked for.
_NAMES = ("labels", "metadata", "transcripts", "texts", "gt")
_SUFFIXES = (".csv", ".tsv", ".txt")


def find_labels_file(folder: Path) -> Path | None:
    """The file of a folder that holds the texts, such as labels.csv; None where there is none."""
    for name in _NAMES:
        for suffix in _SUFFIXES:
            place = folder / f"{name}{suffix}"
            if place.is_file():
                return place
    return None


def read_labels_file(place: Path, kind: Kind) -> tuple[list[Path], list[str]]:
    """(files, texts) of a file with two columns, the name of a file and its text, with or without a line of names.

    Names are those of files beside it or in folders below; without their ending, too. In a .txt file the first white space
    or comma parts the two. A file without a text has the empty one.

    Raises      the kind's error, naming the line: no such file, named twice ; DataError when a line has no two columns
    """
    rows = _pairs_of_lines(place) if place.suffix.lower() == ".txt" else _pairs_of_table(place)
    files: list[Path] = []
    texts: list[str] = []
    seen: dict[Path, int] = {}
    for number, name, text in rows:
        file = _file_of(place.parent, name, kind)
        if file is None:
            if number == 1:
                continue  # a line of names
            raise kind.error(f"{place}, line {number}: there is no {kind.noun} {name!r} beside the file ({kind.formats}).")
        if file in seen:
            raise DataError(
                f"{place}, line {number}: {name!r} has a text already, in line {seen[file]}. Leave one of them out."
            )
        seen[file] = number
        files.append(file)
        texts.append(text)
    if not files:
        raise DataError(f"{place}: there is no line with the name of a {kind.noun} and its text.")
    return files, texts


def _file_of(folder: Path, name: str, kind: Kind) -> Path | None:
    place = folder / name
    if place.suffix.lower() in kind.suffixes and place.is_file():
        return place
    for suffix in kind.suffixes:
        other = folder / f"{name}{suffix}"
        if other.is_file():
            return other
    return place if place.is_file() and place.suffix.lower() in kind.suffixes else None


def _pairs_of_lines(place: Path) -> list[tuple[int, str, str]]:
    try:
        lines = place.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{place}: the file cannot be read as text in UTF-8: {error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        comma, space = line.find(","), min((at for at in (line.find(" "), line.find("\t")) if at > 0), default=-1)
        at = comma if comma > 0 and (space < 0 or comma < space) else space
        name, text = (line, "") if at < 0 else (line[:at], line[at + 1 :])
        found.append((number, name.strip(), text.strip().strip('"')))
    return found


def _pairs_of_table(place: Path) -> list[tuple[int, str, str]]:
    import csv

    try:
        with place.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t" if place.suffix.lower() == ".tsv" else ","))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{place}: the file cannot be read as a table in UTF-8: {error}") from error
    found = []
    for number, row in enumerate(rows, 1):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) < 2:
            raise DataError(f"{place}, line {number}: expected the name of a file and its text. Got {row!r:.80}.")
        found.append((number, row[0].strip(), row[1].strip()))
    return found
