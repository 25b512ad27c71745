"""Pictures of lines with their texts: files with a file of labels, or cut out of pages whose lines are annotated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from ...errors import DataError
from ...images.folder import PICTURES
from ...images.lines import grey
from ...pages import cut_line, is_text_pages, read_text_pages
from ..labels_file import find_labels_file, read_labels_file

__all__ = ["LineSet", "has_lines", "read_line_set"]


@dataclass(frozen=True)
class LineSet:
    """Pictures of lines with their texts.

    Parameters  pictures : files, or grey pixels (H, W) ; names : of the lines, for errors and tables ; texts ;
                sources : numbers of the pages that they were cut out of, None for lines in files of their own
    """

    pictures: list[Any]
    names: list[str]
    texts: list[str]
    sources: list[int] | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, rows: Sequence[int]) -> Self:
        """These lines alone."""
        pictures, names, texts = ([part[i] for i in rows] for part in (self.pictures, self.names, self.texts))
        return type(self)(pictures, names, texts, None if self.sources is None else [self.sources[i] for i in rows])


def has_lines(folder: Path) -> bool:
    """Whether a folder has a file of labels, or pages with text files."""
    return find_labels_file(folder) is not None or is_text_pages(folder)


def read_line_set(folder: Path) -> LineSet:
    """The lines of a folder with their texts.

    Raises      DataError, ImageError naming the file: no labels and no pages, pages without texts, files that cannot be read
    """
    labels = find_labels_file(folder) if folder.is_dir() else None
    if labels is not None:
        files, texts = read_labels_file(labels, PICTURES)
        return LineSet(list(files), [str(file) for file in files], texts)
    if not is_text_pages(folder):
        raise DataError(
            f"{folder}: there is no file of labels, such as {folder / 'labels.csv'} with the name of a picture and its "
            "text in each line, and there are no pages with text files of their lines beside them."
        )
    found = LineSet([], [], [], [])
    for number, page in enumerate(read_text_pages(folder)):
        if page.texts is None:
            continue
        pixels = grey(page.picture, str(page.picture))
        for i in np.flatnonzero(~page.unread).tolist():
            found.pictures.append(np.ascontiguousarray(cut_line(pixels, page.lines[i])))
            found.names.append(f"{page.picture}, line {i + 1}")
            found.texts.append(page.texts[i])
            assert found.sources is not None
            found.sources.append(number)
    if not len(found):
        raise DataError(
            f"{folder}: the text files have the places of lines and no texts. There is nothing to learn to read."
        )
    return found
