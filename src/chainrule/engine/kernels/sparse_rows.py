"""Products of sparse rows, as a batch has them, with a dense matrix, and of the transposed rows."""

from __future__ import annotations

import numpy as np
from numba import cfunc

from .intrinsics import load_f32, load_i32, word
from .signature import KERNEL
from .vectors import add_scaled, fill

f32, i64 = np.float32, np.int64


@cfunc(KERNEL, error_model="numpy")
def sparse_rows_product(args, _1, _2, _3):
    """Rows of X W: 0 first and 1 last row, 2 columns of W, 3 where the entries of each row begin and end (two int64),
    4 column numbers (int32) and 5 values of the entries, 6 W, 7 output."""
    width, extents, columns, values = word(args, 2), word(args, 3), word(args, 4), word(args, 5)
    w, out = word(args, 6), word(args, 7)
    for r in range(word(args, 0), word(args, 1)):
        target = out + 4 * r * width
        fill(target, width, f32(0.0))
        for e in range(word(extents, 2 * r), word(extents, 2 * r + 1)):
            add_scaled(target, load_f32(values, e), w + 4 * width * i64(load_i32(columns, e)), width)
    return 0


@cfunc(KERNEL, error_model="numpy")
def sparse_rows_gradient(args, _1, _2, _3):
    """Rows of X^T D: 0 rows of X, 1 first and 2 last row of the result (a column of X each), 3 columns of D, 4 extents, 5
    column numbers and 6 values of the entries as above, 7 D, 8 output."""
    rows, first, last, width = word(args, 0), word(args, 1), word(args, 2), word(args, 3)
    extents, columns, values, d, out = word(args, 4), word(args, 5), word(args, 6), word(args, 7), word(args, 8)
    fill(out + 4 * first * width, (last - first) * width, f32(0.0))
    for r in range(rows):
        source = d + 4 * r * width
        for e in range(word(extents, 2 * r), word(extents, 2 * r + 1)):
            c = i64(load_i32(columns, e))
            if c >= first and c < last:
                add_scaled(out + 4 * c * width, load_f32(values, e), source, width)
    return 0
