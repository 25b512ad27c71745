"""Lines of text cut out of a page, each level."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boxes.geometry import Floats

__all__ = ["cut_line"]


def cut_line(page: NDArray[np.uint8], line: Floats) -> NDArray[np.uint8]:
    """The pixels (h, w) of a line (4, 2) of a grey page (H, W); a slanted line is turned level.

    Example
        >>> page = np.arange(48, dtype=np.uint8).reshape(6, 8)
        >>> cut_line(page, np.array([[2, 1], [5, 1], [5, 3], [2, 3]])).tolist()
        [[10, 11, 12], [18, 19, 20]]
    """
    corners = np.asarray(line, np.float64)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    level = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    height, width = page.shape
    if np.abs(corners - level).max() < 0.75:
        rows = slice(max(0, round(top)), max(round(top) + 1, min(height, round(bottom))))
        columns = slice(max(0, round(left)), max(round(left) + 1, min(width, round(right))))
        return page[rows, columns]
    from PIL import Image

    w = max(1, round(float(np.hypot(*(corners[1] - corners[0])))))
    h = max(1, round(float(np.hypot(*(corners[3] - corners[0])))))
    # Pillow wants the corners top left, bottom left, bottom right, top right.
    quad: Any = tuple(corners[[0, 3, 2, 1]].ravel().tolist())
    paper = int(np.median(page))
    turned = Image.fromarray(page).transform((w, h), Image.Transform.QUAD, quad, Image.Resampling.BILINEAR, fillcolor=paper)
    return np.asarray(turned)
