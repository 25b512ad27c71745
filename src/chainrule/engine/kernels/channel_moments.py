"""Mean and sum of squared deviations of each column, in one pass over memory that loses no digits."""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit

from .intrinsics import load_f32, store_f32, word
from .signature import KERNEL
from .vectors import add, add_four, fill, scale_by

f32 = np.float32
#: Elements that are looked at twice while they are in the first-level cache.
BLOCK = 4096


@njit(error_model="numpy")
def _add_squares(d, x, mean, n):
    for i in range(n):
        v = load_f32(x, i) - load_f32(mean, i)
        store_f32(d, i, load_f32(d, i) + v * v)


@njit(error_model="numpy")
def _add_two_squares(d, x, stride, mean, n):
    for i in range(n):
        m = load_f32(mean, i)
        u, v = load_f32(x, i) - m, load_f32(x + stride, i) - m
        store_f32(d, i, load_f32(d, i) + (u * u + v * v))


@njit(error_model="numpy")
def _repeat(d, n, times):
    for j in range(1, times):
        for i in range(n):
            store_f32(d + 4 * j * n, i, load_f32(d, i))


@njit(error_model="numpy")
def _fold(d, n, times):
    for j in range(1, times):
        add(d, d + 4 * j * n, n)


@njit(error_model="numpy")
def _combine(mean, squares, count, other_mean, other_squares, other_count, n):
    """Joins the moments of other elements (Chan, Golub and LeVeque 1979)."""
    share = f32(other_count / (count + other_count))
    between = f32(count) * share
    for i in range(n):
        m, gap = load_f32(mean, i), load_f32(other_mean, i) - load_f32(mean, i)
        store_f32(mean, i, m + gap * share)
        store_f32(squares, i, load_f32(squares, i) + load_f32(other_squares, i) + gap * gap * between)


@njit(error_model="numpy")
def _block(x, rows, columns, group, mean, squares):
    """Moments of a block: ``group`` rows lie beside each other as one wide row, so that narrow rows are quick, too."""
    wide, n = group * columns, rows // group
    fill(mean, wide, f32(0.0))
    r = 0
    while r + 4 <= n:
        add_four(mean, x + 4 * r * wide, 4 * wide, wide)
        r += 4
    while r < n:
        add(mean, x + 4 * r * wide, wide)
        r += 1
    _fold(mean, columns, group)
    for rest in range(n * group, rows):
        add(mean, x + 4 * rest * columns, columns)
    scale_by(mean, columns, f32(1.0) / f32(rows))
    _repeat(mean, columns, group)
    fill(squares, wide, f32(0.0))
    r = 0
    while r + 2 <= n:
        _add_two_squares(squares, x + 4 * r * wide, 4 * wide, mean, wide)
        r += 2
    while r < n:
        _add_squares(squares, x + 4 * r * wide, mean, wide)
        r += 1
    _fold(squares, columns, group)
    for rest in range(n * group, rows):
        _add_squares(squares, x + 4 * rest * columns, mean, columns)


@cfunc(KERNEL, error_model="numpy")
def channel_moments(args, _1, _2, _3):
    """Of rows × columns: 0 rows, 1 columns, 2 x, 3 mean, 4 squares, 5 rows that these hold already,
    6 memory for 2 (columns + 128) floats."""
    rows, columns, x, mean, squares = word(args, 0), word(args, 1), word(args, 2), word(args, 3), word(args, 4)
    count, own = word(args, 5), word(args, 6)
    group = max(1, 128 // columns)
    step = max(group, BLOCK // columns)
    other = own + 4 * (columns + 128)
    at = 0
    while at < rows:
        n = min(step, rows - at)
        here = x + 4 * at * columns
        _block(here, n, columns, min(group, n), own, other)
        if count == 0:
            fill(mean, columns, f32(0.0))
            fill(squares, columns, f32(0.0))
        _combine(mean, squares, count, own, other, n, columns)
        count += n
        at += n
    return 0


@cfunc(KERNEL, error_model="numpy")
def join_channel_moments(args, _1, _2, _3):
    """Moments of all parts from those of each: 0 parts, 1 columns, 2 means, 3 squares of the parts, one after the other,
    4 address of the parts' rows, 5 mean, 6 squares."""
    parts, columns, mean, squares = word(args, 0), word(args, 1), word(args, 5), word(args, 6)
    fill(mean, columns, f32(0.0))
    fill(squares, columns, f32(0.0))
    count = word(args, 0) - parts
    for p in range(parts):
        n = word(word(args, 4), p)
        if n > 0:
            at = 4 * p * columns
            _combine(mean, squares, count, word(args, 2) + at, word(args, 3) + at, n, columns)
            count += n
    return 0
