"""Sums and maxima of contiguous elements."""

from __future__ import annotations

import numpy as np
from numba import njit

from .intrinsics import load_f32

f32 = np.float32


@njit(error_model="numpy", fastmath={"reassoc"})
def sum_of(x, n):
    """Σ of n contiguous elements. The order of the additions depends on n alone."""
    total = f32(0.0)
    for i in range(n):
        total += load_f32(x, i)
    return total


@njit(error_model="numpy")
def max_of(x, n):
    """The largest of n elements; NaN when there is one."""
    top = load_f32(x, 0)
    for i in range(1, n):
        v = load_f32(x, i)
        top = v if (v > top or v != v) else top
    return top
