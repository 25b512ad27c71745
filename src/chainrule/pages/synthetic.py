"""Pages drawn with the fonts of this machine, with the places and texts of their lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boxes.geometry import Floats
from ..errors import DataError, ParameterError
from ..images.lines import FontBook
from .quadrilaterals import of_boxes

__all__ = ["synthetic_pages"]


def synthetic_pages(
    texts: Sequence[str],
    count: int,
    *,
    size: tuple[int, int] = (640, 448),
    fonts: Sequence[Any] | None = None,
    random_state: Any = None,
) -> list[tuple[NDArray[np.uint8], Floats, list[str]]]:
    """Grey pages (H, W) with the corners (n, 4, 2) and the texts of their lines, drawn at random.

    Lines are left-aligned, centred or have a second text at the right edge; their heights, fonts, gaps and ink differ, some
    pages have rules between lines, a shade of grey or a little blur.

    Parameters  texts : of lines, drawn at random ; count : of pages ; size : (H, W) of a page ; fonts : files of fonts, None
                for those of this machine ; random_state
    Raises      ImageError where no font has the letters of a text ; DataError without texts ; ParameterError

    Example
        >>> page, lines, texts = synthetic_pages(["Total 12.30", "Cash"], 1, random_state=0)[0]
        >>> page.shape, lines.shape[1:], len(lines) == len(texts)
        ((640, 448), (4, 2), True)
    """
    known = [text for text in (" ".join(one.split()) for one in texts) if text]
    if not known:
        raise DataError("synthetic_pages: there is no text to draw.")
    if count < 0 or min(size) < 64:
        raise ParameterError(f"synthetic_pages: count must be at least 0 and both sides at least 64. Got {count}, {size}.")
    rng, book = np.random.default_rng(random_state), FontBook(fonts)
    return [_page(known, size, rng, book) for _ in range(count)]


def _page(
    texts: list[str], size: tuple[int, int], rng: np.random.Generator, book: FontBook
) -> tuple[NDArray[np.uint8], Floats, list[str]]:
    from PIL import Image, ImageDraw, ImageFilter

    height, width = size
    paper = int(rng.integers(190, 256))
    picture = Image.new("L", (width, height), paper)
    pen = ImageDraw.Draw(picture)
    margin, base = int(rng.integers(4, max(5, width // 8))), float(rng.uniform(11, 26))
    y, boxes, drawn = int(rng.integers(2, 40)), [], []
    while y < height - 2 * base:
        pixels = max(9, round(base * rng.choice([0.85, 1.0, 1.0, 1.0, 1.5])))
        ink = int(rng.integers(0, min(130, paper - 60)))
        text = texts[int(rng.integers(len(texts)))]
        font = book.drawn(text, pixels, rng, name=repr(text)[:60])
        row = [(text, margin)]
        across = font.getlength(text)
        if rng.random() < 0.3:
            row = [(text, int((width - across) / 2))]
        elif rng.random() < 0.5:
            second = texts[int(rng.integers(len(texts)))]
            if book.has(font, second):
                left = int(width - margin - font.getlength(second))
                if left > margin + across + 2 * pixels:
                    row.append((second, left))
        lowest = y + pixels
        for words, left in row:
            box = font.getbbox(words)
            at = (left, y - box[1])
            l, t, r, b = left + box[0], y, left + box[2], y + box[3] - box[1]
            if l < 0 or r > width or b > height:
                continue
            pen.text(at, words, font=font, fill=ink)
            pad = max(1, round(0.08 * pixels))
            boxes.append((max(0, l - pad), max(0, t - pad), min(width, r + pad), min(height, b + pad)))
            drawn.append(words)
            lowest = max(lowest, b)
        y = round(lowest + base * rng.uniform(0.15, 0.9))
        if rng.random() < 0.06:
            y += round(base * rng.uniform(0.5, 2.5))
        if rng.random() < 0.06:
            pen.line((margin, y, width - margin, y), fill=ink, width=int(rng.integers(1, 3)))
            y += 4
    if rng.random() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.9))))
    return np.asarray(picture), of_boxes(np.array(boxes, np.float64).reshape(-1, 4)), drawn
