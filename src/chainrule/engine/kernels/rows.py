"""Kernels that work on the last axis: softmax and its relatives, cross-entropy, argmax."""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit

from . import mathematics as mt
from .intrinsics import load_f32, load_i32, store_f32, store_i32, word, word_float
from .signature import KERNEL
from .vectors import max_of, scale_by, sum_of

f32, i32, i64 = np.float32, np.int32, np.int64
_INF = f32(np.inf)

#: What the kernel ``softmax`` writes.
SOFTMAX, LOG_SOFTMAX, LOG_SUM_EXP = range(3)


@njit(error_model="numpy")
def _exp_in_place(x, n):
    for i in range(n):
        store_f32(x, i, mt.exp(load_f32(x, i)))


@njit(error_model="numpy")
def _log_in_place(x, n):
    for i in range(n):
        store_f32(x, i, mt.log(load_f32(x, i)))


@njit(error_model="numpy")
def _subtract(d, x, n, value):
    for i in range(n):
        store_f32(d, i, load_f32(x, i) - value)


@cfunc(KERNEL, error_model="numpy")
def softmax_cross_entropy(args, _1, _2, _3):
    """0 rows, 1 classes K, 2 z, 3 y, 4 whether y is int, 5 label smoothing, 6 ℓ, 7 dz, 8 memory for rows floats.

    dz holds first z − max, then its exponentials, then softmax − t, so nothing else is written.
    """
    rows, classes, z, y, indices = word(args, 0), word(args, 1), word(args, 2), word(args, 3), word(args, 4)
    smoothing, loss, dz, tops = word_float(args, 5), word(args, 6), word(args, 7), word(args, 8)
    width = 4 * classes
    for r in range(rows):
        top = max_of(z + r * width, classes)
        store_f32(tops, r, top)
        _subtract(dz + r * width, z + r * width, classes, top)
    _exp_in_place(dz, rows * classes)
    even = smoothing / f32(classes)
    keep = f32(1.0) - smoothing
    for r in range(rows):
        store_f32(loss, r, sum_of(dz + r * width, classes))
    for r in range(rows):
        total = load_f32(loss, r)
        row, zr, top = dz + r * width, z + r * width, load_f32(tops, r)
        if indices != 0:
            label = i64(load_i32(y, r))
            scale_by(row, classes, f32(1.0) / total)
            if label < 0 or label >= classes:
                store_f32(tops, r, f32(np.nan))
            else:
                picked = f32(0.0)
                if smoothing > f32(0.0):
                    for j in range(classes):
                        picked += (load_f32(zr, j) - top) * even
                        store_f32(row, j, load_f32(row, j) - even)
                    picked += (load_f32(zr, label) - top) * keep
                else:
                    picked = load_f32(zr, label) - top
                store_f32(row, label, load_f32(row, label) - keep)
                store_f32(tops, r, picked)
        else:
            yr = y + r * width
            weight, picked = f32(0.0), f32(0.0)
            for j in range(classes):
                t = load_f32(yr, j) * keep + even
                weight += t
                picked += t * (load_f32(zr, j) - top) if t > f32(0.0) else (f32(0.0) if t == t else t)
            for j in range(classes):
                t = load_f32(yr, j) * keep + even
                store_f32(row, j, load_f32(row, j) / total * weight - t)
            # ℓ = weight · log(total) − picked; weight is 1 for distributions, and then nothing is lost by the power.
            store_f32(loss, r, mt.exp(weight * mt.log(total)) if weight != f32(1.0) else total)
            store_f32(tops, r, picked)
    _log_in_place(loss, rows)
    for r in range(rows):
        store_f32(loss, r, load_f32(loss, r) - load_f32(tops, r))
    return 0


@cfunc(KERNEL, error_model="numpy")
def softmax(args, _1, _2, _3):
    """0 rows, 1 columns, 2 x, 3 output, 4 what to write, 5 memory for columns floats."""
    rows, columns, x, out, mode = word(args, 0), word(args, 1), word(args, 2), word(args, 3), word(args, 4)
    memory = word(args, 5)
    for r in range(rows):
        row = x + 4 * r * columns
        target = out + 4 * r * columns if mode == SOFTMAX else memory
        top = max_of(row, columns)
        if top == -_INF and mode == LOG_SUM_EXP:
            store_f32(out, r, top)
            continue
        _subtract(target, row, columns, top)
        _exp_in_place(target, columns)
        total = sum_of(target, columns)
        if mode == SOFTMAX:
            scale_by(target, columns, f32(1.0) / total)
        elif mode == LOG_SOFTMAX:
            _subtract(out + 4 * r * columns, row, columns, top)
            _subtract(out + 4 * r * columns, out + 4 * r * columns, columns, mt.log(total))
        else:
            store_f32(out, r, top + mt.log(total))
    return 0


@cfunc(KERNEL, error_model="numpy")
def argmax(args, _1, _2, _3):
    """0 rows, 1 columns, 2 x, 3 output (int32); the first of equals, the first NaN if there is one."""
    rows, columns, x, out = word(args, 0), word(args, 1), word(args, 2), word(args, 3)
    for r in range(rows):
        row = x + 4 * r * columns
        best, top = 0, load_f32(row, 0)
        for j in range(1, columns):
            v = load_f32(row, j)
            if top == top and (v > top or v != v):
                best, top = j, v
        store_i32(out, r, i32(best))
    return 0
