"""Bounds of float32 for losses of probabilities, and the inverse links in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST_BELOW_ONE", "SMALLEST_NORMAL", "sigmoid", "softmax"]

#: The smallest normal float32: log(p) and 1 / p are finite from here on.
SMALLEST_NORMAL = 2.0**-126
#: The largest float32 below 1: log(1 − p) and 1 / (1 − p) are finite up to here.
LARGEST_BELOW_ONE = 1 - 2.0**-24


def sigmoid(z: NDArray[Any]) -> NDArray[Any]:
    """1 / (1 + e⁻ᶻ) without overflow."""
    e = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1, e) / (1 + e))


def softmax(z: NDArray[Any]) -> NDArray[Any]:
    """eᶻ / Σ eᶻ over the last axis without overflow."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))
