"""Pages with the places of their lines: text files beside pictures, as SROIE and ICDAR have them, or other formats."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..boxes.annotations import is_annotated, read_annotations
from ..boxes.checking import WrongBox, checked_boxes
from ..boxes.geometry import Floats
from ..errors import DataError
from ..images.folder import picture_files
from ..images.picture import read_header
from .quadrilaterals import as_quadrilaterals, bounds, of_boxes

__all__ = ["UNREAD", "TextPage", "is_text_pages", "read_text_pages"]

#: What stands for the text of a line that nobody could read: such places are neither learned nor scored.
UNREAD = "###"
#: Folders beside that of the pictures that hold the text files, in data sets that part them.
_FOLDERS = ("box", "boxes", "gt", "txt", "annotations", "labels")


@dataclass(frozen=True)
class TextPage:
    """A picture of a page and its lines.

    Parameters  picture : its file ; lines (n, 4, 2) : corners in pixels ; texts : of the lines, None where no text is known
                ; unread (n,) : lines that nobody could read ; wrong : what was wrong with the lines as they came
    """

    picture: Path
    lines: Floats
    texts: tuple[str, ...] | None
    unread: NDArray[np.bool_]
    wrong: tuple[WrongBox, ...] = ()


def is_text_pages(place: Path) -> bool:
    """Whether a folder has pictures with text files of corners beside them. Reads the first lines of a few files."""
    if not place.is_dir():
        return False
    return any(_begins_with_numbers(text, 4) for text in _text_files(place)[:5]) and bool(picture_files(place))


def read_text_pages(place: str | os.PathLike[str], *, wrong: str = "clip") -> list[TextPage]:
    """The pages of a folder with their lines.

    Beside each picture ``a.jpg`` stands ``a.txt`` or ``gt_a.txt`` (or in a folder named box, gt or the like beside that of
    the pictures), with a line ``x1,y1,x2,y2,x3,y3,x4,y4,TEXT`` for each line of text, or ``left,top,right,bottom,TEXT``; the
    text may be missing, and ``###`` is one that nobody could read. Other folders and files are read as COCO, Pascal VOC or
    YOLO boxes of any class.

    Parameters  wrong : what lines that leave the page or are empty do: "clip", "skip", or "stop" for an error
    Raises      DataError naming the file and line ; ImageError for a picture that cannot be read
    """
    folder = Path(place)
    if not folder.exists():
        raise DataError(f"{folder}: there is no such folder.")
    if not folder.is_dir() or (not _text_files(folder) and is_annotated(folder)):
        found = read_annotations(folder, wrong=wrong)
        return [
            TextPage(Path(picture), of_boxes(one.boxes), None, np.asarray(one.crowd, bool))
            for picture, one in zip(found.pictures, found.objects, strict=True)
        ]
    texts = {text: None for text in _text_files(folder)}
    pages = []
    for picture in picture_files(folder):
        text = next((one for one in _candidates(picture) if one in texts), None)
        if text is not None:
            texts.pop(text)
            pages.append(_page(picture, text, wrong))
    left = next(iter(texts), None)
    if left is not None:
        raise DataError(
            f"{left}: there is no picture {left.stem} for this file of lines. Add the picture, or remove the file."
        )
    if not pages:
        raise DataError(
            f"{folder}: no picture has a file of lines beside it, such as page.txt beside page.jpg, with "
            "x1,y1,x2,y2,x3,y3,x4,y4,TEXT in each line."
        )
    return pages


def _text_files(folder: Path) -> list[Path]:
    """Text files below a folder that may hold lines of pages, sorted; files of labels and notes of other names are not."""
    found = sorted(p for p in folder.rglob("*.txt") if p.is_file() and not p.name.startswith("."))
    return [p for p in found if p.stat().st_size == 0 or _begins_with_numbers(p, 4)]


def _begins_with_numbers(place: Path, count: int) -> bool:
    try:
        with place.open("rb") as file:
            first = file.readline(1000)
    except OSError:
        return False
    return _numbers(first.removeprefix(b"\xef\xbb\xbf").decode("latin-1"), count) is not None


def _candidates(picture: Path) -> list[Path]:
    names = (f"{picture.stem}.txt", f"gt_{picture.stem}.txt")
    folders = (picture.parent, *(picture.parent.parent / name for name in _FOLDERS))
    return [folder / name for folder in folders for name in names]


def _page(picture: Path, place: Path, wrong: str) -> TextPage:
    lines: list[list[float]] = []
    texts: list[str] = []
    for number, row in enumerate(_decoded(place).splitlines(), 1):
        if not row.strip():
            continue
        for count in (8, 4):
            numbers = _numbers(row, count)
            if numbers is not None:
                break
        else:
            raise DataError(
                f"{place}, line {number}: expected x1,y1,x2,y2,x3,y3,x4,y4,TEXT or left,top,right,bottom,TEXT. Got "
                f"{row!r:.60}."
            )
        corners = numbers if count == 8 else of_boxes(np.array([numbers]))[0].ravel().tolist()
        lines.append(corners)
        rest = row.strip().split(",", count)
        texts.append(rest[count].strip() if len(rest) > count else "")
    size = read_header(picture)[:2]
    quadrilaterals, rows, faults = _inside(as_quadrilaterals(lines, str(place)), size, str(place), wrong)
    known = [texts[i] for i in rows]
    unread = np.array([text == UNREAD for text in known], bool)
    return TextPage(picture, quadrilaterals, tuple(known) if any(known) else None, unread, tuple(faults))


def _inside(lines: Floats, size: tuple[int, int], where: str, wrong: str) -> tuple[Floats, Sequence[int], list[WrongBox]]:
    """Lines inside a page, their rows, and what was wrong: by the rule for boxes, applied to the boxes around them."""
    _, rows, faults = checked_boxes(bounds(lines), size, where, wrong=wrong)
    height, width = size
    return np.clip(lines[rows], 0, [width, height]), rows.tolist(), faults


def _numbers(row: str, count: int) -> list[float] | None:
    parts = row.strip().split(",", count)
    if len(parts) < count:
        return None
    try:
        found = [float(part) for part in parts[:count]]
    except ValueError:
        return None
    return found if np.isfinite(found).all() else None


def _decoded(place: Path) -> str:
    try:
        data = place.read_bytes()
    except OSError as error:
        raise DataError(f"{place}: the file cannot be read: {error.strerror}.") from error
    for encoding in ("utf-8-sig", "cp1252", "latin-1"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise AssertionError("Latin-1 decodes any bytes")
