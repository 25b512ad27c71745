"""How colourful pictures are, and their luminance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["colourfulness", "from_luminance", "luminance"]

Array = NDArray[Any]
#: Y, Cb and Cr of video (BT.601) from R, G and B in [0, 1]: y = offset + matrix x, all in [0, 1], too.
_YCBCR = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
_OFFSET = np.array([16.0, 128.0, 128.0]) / 255


def colourfulness(picture: Any) -> float:
    """``√(σ² + σ'²) + 0.3 √(μ² + μ'²)`` of the differences R − G and (R + G) / 2 − B of a picture (H, W, 3) in [0, 1], in
    units of bytes: 0 for a grey picture, above 50 for a colourful one.

    References  Hasler and Süsstrunk, Measuring colourfulness in natural images, 2003
    """
    r, g, b = np.moveaxis(255 * np.asarray(picture, np.float64), -1, 0)
    first, second = r - g, (r + g) / 2 - b
    return float(np.hypot(first.std(), second.std()) + 0.3 * np.hypot(first.mean(), second.mean()))


def luminance(picture: Array) -> tuple[Array, Array]:
    """(Y (H, W, 1), [Cb, Cr] (H, W, 2)) of a picture (H, W, 3) in [0, 1]; Y lies in 16/255 ... 235/255."""
    found = (np.asarray(picture, np.float64) @ _YCBCR.T + _OFFSET).astype(np.float32)
    return found[..., :1], found[..., 1:]


def from_luminance(light: Array, colours: Array) -> Array:
    """The picture (H, W, 3) in [0, 1] of Y and of Cb and Cr."""
    whole = np.concatenate([light, colours], axis=-1).astype(np.float64) - _OFFSET
    return np.clip(whole @ np.linalg.inv(_YCBCR).T, 0, 1).astype(np.float32)
