"""The order in which people read the lines of a page."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..boxes.geometry import Floats

__all__ = ["reading_order"]

#: A column of prose: how many lines it has at least, how long they are in heights, and which part of it they fill.
_LINES, _LONG, _FILLED = 3, 6.0, 0.5


def reading_order(boxes: Floats) -> NDArray[np.int64]:
    """The numbers of boxes (n, 4) in reading order, from left to right and from top to bottom.

    Boxes that lie beside each other for half of the smaller one's height are a row, read from left to right. Where an empty
    strip parts two columns of prose, several long lines each, the left column is read to its end first; a column of prices
    beside a column of words is read row by row. Text that is written from right to left or downwards is not known.

    Example
        >>> reading_order(np.array([[50, 0, 90, 10], [0, 21, 40, 30], [0, 1, 40, 11.0]])).tolist()
        [2, 0, 1]
    """
    given = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.array(_ordered(given, list(range(len(given)))), np.int64)


def _ordered(boxes: Floats, members: list[int]) -> list[int]:
    if len(members) < 2:
        return members
    for divide in (_beside_each_other, _above_each_other):
        parts = divide(boxes, members)
        if parts is not None:
            return [one for part in parts for one in _ordered(boxes, part)]
    return [one for row in _rows(boxes, members) for one in row]


def _beside_each_other(boxes: Floats, members: list[int]) -> list[list[int]] | None:
    """Two columns of prose that an empty strip parts; None where there are none."""
    ordered = sorted(members, key=lambda i: boxes[i, 0])
    reach = boxes[ordered[0], 2]
    height = float(np.median(boxes[members, 3] - boxes[members, 1]))
    for at in range(1, len(ordered)):
        if boxes[ordered[at], 0] - reach >= height / 2:
            left, right = ordered[:at], ordered[at:]
            if _prose(boxes, left) and _prose(boxes, right):
                return [left, right]
        reach = max(reach, boxes[ordered[at], 2])
    return None


def _prose(boxes: Floats, members: list[int]) -> bool:
    """Whether these are lines of a column of prose: long beside their height, and most of them as wide as the column."""
    part = boxes[members]
    widths, heights = part[:, 2] - part[:, 0], part[:, 3] - part[:, 1]
    whole = float(part[:, 2].max() - part[:, 0].min())
    long = float(np.median(widths)) >= max(_LONG * float(np.median(heights)), _FILLED * whole)
    return len(_rows(boxes, members)) >= _LINES and long


def _above_each_other(boxes: Floats, members: list[int]) -> list[list[int]] | None:
    """Blocks that an empty band parts which is higher than a line, such as a title over two columns; None for one block."""
    ordered = sorted(members, key=lambda i: boxes[i, 1])
    height = float(np.median(boxes[members, 3] - boxes[members, 1]))
    parts, reach = [[ordered[0]]], boxes[ordered[0], 3]
    for one in ordered[1:]:
        if boxes[one, 1] - reach > 0.75 * height:
            parts.append([])
        parts[-1].append(one)
        reach = max(reach, boxes[one, 3])
    return parts if len(parts) > 1 else None


def _rows(boxes: Floats, members: list[int]) -> list[list[int]]:
    """Rows from top to bottom, each from left to right."""
    rows: list[list[int]] = []
    middle = (boxes[:, 1] + boxes[:, 3]) / 2
    for one in sorted(members, key=lambda i: middle[i]):
        if rows:
            top, bottom = (float(np.median(boxes[rows[-1], axis])) for axis in (1, 3))
            shared = min(bottom, boxes[one, 3]) - max(top, boxes[one, 1])
            if shared >= 0.5 * min(bottom - top, boxes[one, 3] - boxes[one, 1]):
                rows[-1].append(one)
                continue
        rows.append([one])
    return [sorted(row, key=lambda i: boxes[i, 0]) for row in rows]
