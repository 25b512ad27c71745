"""What kernels do to contiguous elements: d and x are addresses of n floats each."""

from __future__ import annotations

import numpy as np
from numba import njit

from .intrinsics import fma, load_f32, store_f32

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


@njit(error_model="numpy")
def fill(d, n, value):
    """d = value"""
    for i in range(n):
        store_f32(d, i, value)


@njit(error_model="numpy")
def copy(d, x, n):
    """d = x"""
    for i in range(n):
        store_f32(d, i, load_f32(x, i))


@njit(error_model="numpy")
def scale_by(d, n, value):
    """d = value d"""
    for i in range(n):
        store_f32(d, i, load_f32(d, i) * value)


@njit(error_model="numpy")
def add(d, x, n):
    """d = d + x"""
    for i in range(n):
        store_f32(d, i, load_f32(d, i) + load_f32(x, i))


@njit(error_model="numpy")
def add_scaled(d, a, x, n):
    """d = d + a x, rounded once"""
    for i in range(n):
        store_f32(d, i, fma(a, load_f32(x, i), load_f32(d, i)))


@njit(error_model="numpy")
def add_four(d, x, stride, n):
    """d = d + the four rows of n elements that lie ``stride`` bytes apart from x on"""
    for i in range(n):
        a = load_f32(x, i) + load_f32(x + stride, i)
        b = load_f32(x + 2 * stride, i) + load_f32(x + 3 * stride, i)
        store_f32(d, i, load_f32(d, i) + (a + b))
