"""Products of a constant sparse matrix (compressed sparse rows) with a dense one."""

from __future__ import annotations

import numpy as np
from numba import cfunc

from .intrinsics import load_f32, load_i32, word
from .signature import KERNEL
from .vectors import add_scaled, fill

f32, i64 = np.float32, np.int64


@cfunc(KERNEL, error_model="numpy")
def sparse_product(args, _1, _2, _3):
    """Rows of A X: 0 first and 1 last row, 2 columns of X, 3 where rows begin (int64), 4 column numbers (int32), 5 values,
    6 numbers of the entries' factors (int32; 0: their own), 7 factors (0: none), 8 X, 9 output."""
    width, begins, columns, values = word(args, 2), word(args, 3), word(args, 4), word(args, 5)
    order, factors, x, out = word(args, 6), word(args, 7), word(args, 8), word(args, 9)
    for r in range(word(args, 0), word(args, 1)):
        target = out + 4 * r * width
        fill(target, width, f32(0.0))
        for e in range(word(begins, r), word(begins, r + 1)):
            a = load_f32(values, e)
            if factors != 0:
                a *= load_f32(factors, i64(load_i32(order, e)) if order != 0 else e)
            add_scaled(target, a, x + 4 * width * i64(load_i32(columns, e)), width)
    return 0
