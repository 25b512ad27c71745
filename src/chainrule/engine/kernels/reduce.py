"""Sums and maxima over axes."""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit

from .intrinsics import load_f32, store_f32, word
from .signature import KERNEL
from .vectors import add_four, copy, max_of, sum_of

f32 = np.float32
SUM, MAX = range(2)


@njit(error_model="numpy")
def _add_rows(d, x, y, n):
    for i in range(n):
        store_f32(d, i, load_f32(x, i) + load_f32(y, i))


@njit(error_model="numpy")
def _max_rows(d, x, n):
    for i in range(n):
        u, v = load_f32(d, i), load_f32(x, i)
        store_f32(d, i, v if (v > u or v != v) else u)


@cfunc(KERNEL, error_model="numpy")
def reduce(args, _1, _2, _3):
    """x (A, R, B) to out (A, B) over the middle axis, for columns [low, high) of B.

    0 A, 1 R, 2 B, 3 x, 4 out, 5 SUM or MAX, 6 low, 7 high
    """
    outer, count, inner, x, out, mode = (
        word(args, 0),
        word(args, 1),
        word(args, 2),
        word(args, 3),
        word(args, 4),
        word(args, 5),
    )
    low, high = word(args, 6), word(args, 7)
    if inner == 1:
        for a in range(outer):
            row = x + 4 * a * count
            store_f32(out, a, sum_of(row, count) if mode == SUM else max_of(row, count))
        return 0
    stride, n = 4 * inner, high - low
    for a in range(outer):
        source, target = x + 4 * (a * count * inner + low), out + 4 * (a * inner + low)
        copy(target, source, n)
        r = 1
        if mode == SUM:
            while r + 4 <= count:
                add_four(target, source + r * stride, stride, n)
                r += 4
            while r < count:
                _add_rows(target, target, source + r * stride, n)
                r += 1
        else:
            while r < count:
                _max_rows(target, source + r * stride, n)
                r += 1
    return 0
