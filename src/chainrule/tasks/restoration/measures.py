"""How near pictures are to each other, and how colourful they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ShapeError

__all__ = ["colourfulness", "psnr"]


def psnr(picture: Any, truth: Any, *, peak: float = 1.0) -> float:
    """The peak signal-to-noise ratio ``10 log₁₀(peak² / mean (x − y)²)`` in decibels; infinite for equal pictures.

    Parameters  picture, truth : arrays of one shape ; peak : the largest number that a pixel may be

    Example
        >>> psnr(np.full((2, 2), 0.1), np.zeros((2, 2)))
        20.0
    """
    a, b = np.asarray(picture, np.float64), np.asarray(truth, np.float64)
    if a.shape != b.shape:
        raise ShapeError(f"psnr: the pictures must have one shape. Got {a.shape} and {b.shape}.")
    error = float(np.square(a - b).mean())
    return float("inf") if error == 0 else round(float(10 * np.log10(peak**2 / error)), 10)


def colourfulness(picture: Any) -> float:
    """``√(σ² + σ'²) + 0.3 √(μ² + μ'²)`` of the differences R − G and (R + G) / 2 − B of a picture (H, W, 3) in [0, 1], in
    units of bytes: 0 for a grey picture, above 50 for a colourful one.

    References  Hasler and Süsstrunk, Measuring colourfulness in natural images, 2003
    """
    r, g, b = np.moveaxis(255 * np.asarray(picture, np.float64), -1, 0)
    first, second = r - g, (r + g) / 2 - b
    return float(np.hypot(first.std(), second.std()) + 0.3 * np.hypot(first.mean(), second.mean()))
