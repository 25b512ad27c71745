"""What diagnosis asks of an array, column by column, in one pass: sums, sums of squares, extremes and zeros."""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit

from .intrinsics import load_f32, store_f32, word
from .signature import KERNEL

f32 = np.float32


@njit(error_model="numpy")
def _first(x, total, squares, least, most, zeros, n):
    for i in range(n):
        v = load_f32(x, i)
        store_f32(total, i, v)
        store_f32(squares, i, v * v)
        store_f32(least, i, v)
        store_f32(most, i, v)
        store_f32(zeros, i, f32(1.0) if v == f32(0.0) else f32(0.0))


@njit(error_model="numpy")
def _add(x, total, squares, n):
    for i in range(n):
        v = load_f32(x, i)
        store_f32(total, i, load_f32(total, i) + v)
        store_f32(squares, i, load_f32(squares, i) + v * v)


@njit(error_model="numpy")
def _extremes(x, least, most, zeros, n):
    for i in range(n):
        v, a, b = load_f32(x, i), load_f32(least, i), load_f32(most, i)
        store_f32(least, i, v if v < a else a)
        store_f32(most, i, v if v > b else b)
        store_f32(zeros, i, load_f32(zeros, i) + (f32(1.0) if v == f32(0.0) else f32(0.0)))


@cfunc(KERNEL, error_model="numpy")
def moments(args, _1, _2, _3):
    """x (R, C) to out (5, C): Σ x, Σ x², min, max and the number of zeros, for columns [low, high).

    0 R, 1 C, 2 x, 3 out, 4 low, 5 high
    """
    rows, columns, x, out = word(args, 0), word(args, 1), word(args, 2), word(args, 3)
    low, high = word(args, 4), word(args, 5)
    width, n = 4 * columns, high - low
    total = out + 4 * low
    squares, least, most, zeros = total + width, total + 2 * width, total + 3 * width, total + 4 * width
    row = x + 4 * low
    _first(row, total, squares, least, most, zeros, n)
    for _ in range(1, rows):
        row += width
        _add(row, total, squares, n)
        _extremes(row, least, most, zeros, n)
    return 0
