"""Pictures to files: grids of many, and moving ones. Pillow is imported when the first picture is written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingDependencyError, ParameterError, ShapeError
from ..files import replacing

__all__ = ["as_pixels", "check_animation_path", "check_picture_path", "picture_lattice", "write_animation", "write_picture"]

Pixels = NDArray[np.uint8]
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF"}


def as_pixels(pictures: Any) -> Pixels:
    """Numbers in [0, 1] as bytes, rounded and cut; bytes stay as they are."""
    array = np.asarray(pictures)
    if array.dtype == np.uint8:
        return array
    return np.rint(255 * np.clip(np.nan_to_num(array.astype(np.float64)), 0, 1)).astype(np.uint8)


def picture_lattice(pictures: Any, *, columns: int | None = None, gap: int = 2) -> Pixels:
    """Pictures (N, H, W, C) of one size side by side, as one picture.

    Parameters  columns : None makes about a square ; gap : pixels of white between them
    """
    pixels = as_pixels(pictures)
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.ndim != 4 or not len(pixels) or pixels.shape[3] not in (1, 3):
        raise ShapeError(f"picture_lattice: expected pictures (N, H, W, 1) or (N, H, W, 3). Got {pixels.shape}.")
    n, height, width, channels = pixels.shape
    across = min(n, columns or int(np.ceil(np.sqrt(n))))
    down = -(-n // across)
    found = np.full((down * (height + gap) - gap, across * (width + gap) - gap, channels), 255, np.uint8)
    for i, one in enumerate(pixels):
        y, x = (i // across) * (height + gap), (i % across) * (width + gap)
        found[y : y + height, x : x + width] = one
    return found


def check_picture_path(path: str | os.PathLike[str]) -> Path:
    """The place of a picture; ParameterError when its name stands for no format, before the picture is made."""
    place = Path(path)
    if place.suffix.lower() not in _FORMATS:
        raise ParameterError(f"A picture is written to a file named {', '.join(_FORMATS)}. Got {os.fspath(path)!r}.")
    return place


def write_picture(pixels: Any, path: str | os.PathLike[str]) -> Path:
    """Writes a picture (H, W), (H, W, 1) or (H, W, 3), whole or not at all.

    Raises      ParameterError for a name that stands for no format, or when the file cannot be written ; ShapeError ;
                MissingDependencyError without Pillow
    """
    place = check_picture_path(path)
    kind, image = _FORMATS[place.suffix.lower()], _image(pixels)
    with replacing(place, what="picture", error=ParameterError) as file:
        image.save(file, format=kind, **({"quality": 95} if kind in ("JPEG", "WEBP") else {}))
    return place


def check_animation_path(path: str | os.PathLike[str]) -> Path:
    """The place of an animation; ParameterError when its name does not end in .gif, before the frames are made."""
    place = Path(path)
    if place.suffix.lower() != ".gif":
        raise ParameterError(f"An animation is written to a file named .gif. Got {os.fspath(path)!r}.")
    return place


def write_animation(frames: Sequence[Any], path: str | os.PathLike[str], *, seconds: float = 0.08) -> Path:
    """Writes pictures of one size as a GIF that runs again and again. Parameters  seconds : that each is shown"""
    place = check_animation_path(path)
    first, *rest = [_image(frame) for frame in frames]
    with replacing(place, what="animation", error=ParameterError) as file:
        first.save(file, format="GIF", save_all=True, append_images=rest, duration=round(1000 * seconds), loop=0)
    return place


def _image(pixels: Any) -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise MissingDependencyError("pillow", "Writing a picture", extra="images") from None
    array = as_pixels(pixels)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] == 3):
        raise ShapeError(f"A picture must be (H, W), (H, W, 1) or (H, W, 3). Got {array.shape}.")
    return Image.fromarray(np.ascontiguousarray(array))
