"""Boxes drawn on pictures, with what they are called, at the picture's own size."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import as_boxes

__all__ = ["colour_of", "drawn_boxes"]


def colour_of(number: int) -> tuple[int, int, int]:
    """A strong colour for a class or a track; neighbours differ most, since each hue is the golden ratio further."""
    red, green, blue = colorsys.hsv_to_rgb((0.58 + number * 0.618034) % 1, 0.85, 0.95 if number % 2 else 0.8)
    return int(255 * red), int(255 * green), int(255 * blue)


def drawn_boxes(
    picture: Any, boxes: Any, captions: Sequence[str], colours: Sequence[tuple[int, int, int]]
) -> NDArray[np.uint8]:
    """The picture with a frame around each box and its caption above it.

    Parameters  picture (H, W), (H, W, 1) or (H, W, 3) uint8 ; boxes (n, 4) ; captions, colours : of each box
    Returns     (H, W, 3) uint8, a new array
    """
    from PIL import Image, ImageDraw, ImageFont

    pixels = np.asarray(picture, np.uint8)
    pixels = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    image = Image.fromarray(pixels).convert("RGB")
    short = min(image.size)
    width, font = max(1, round(short / 200)), ImageFont.load_default(max(9, round(short / 38)))
    pen = ImageDraw.Draw(image)
    for box, caption, colour in zip(as_boxes(boxes).tolist(), captions, colours, strict=True):
        left, top, right, bottom = box
        right, bottom = max(right - 1, left), max(bottom - 1, top)
        pen.rectangle((left, top, right, bottom), outline=colour, width=width)
        if caption:
            across, down = pen.textbbox((0, 0), caption, font=font)[2:]
            x, y = min(left, max(0, image.width - across - 2)), top - down - 2
            y = y if y >= 0 else top + width
            pen.rectangle((x, y, x + across + 2, y + down + 2), fill=colour)
            pen.text((x + 1, y), caption, fill="white" if sum(colour) < 480 else "black", font=font)
    return np.asarray(image)
