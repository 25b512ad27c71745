"""Pages with their lines drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images.lines import grey
from ..images.picture import read_picture
from .found_line import FoundLine

__all__ = ["drawn_lines"]


def drawn_lines(page: Any, lines: Sequence[FoundLine]) -> NDArray[np.uint8]:
    """A page with an outline around each line and the line's number in reading order. Returns (H, W, 3), a new array"""
    from PIL import Image, ImageDraw, ImageFont

    if isinstance(page, (str, Path)):
        pixels: Any = read_picture(page)
    else:
        array = np.asarray(page)
        pixels = array if array.ndim == 3 and array.shape[2] == 3 and array.dtype == np.uint8 else grey(array, "page")
    image = Image.fromarray(pixels).convert("RGB")
    pen, colour = ImageDraw.Draw(image), (200, 30, 30)
    thick = max(1, round(min(image.size) / 600))
    for number, line in enumerate(lines, 1):
        left, top, right, bottom = line.box
        corners = line.corners or ((left, top), (right, top), (right, bottom), (left, bottom))
        pen.line([*corners, corners[0]], fill=colour, width=thick)
        font = ImageFont.load_default(max(8, round(0.45 * (bottom - top))))
        pen.text((left + 1, top - 1), str(number), fill=(20, 70, 200), font=font, anchor="lb" if top > 10 else "lt")
    return np.asarray(image)
