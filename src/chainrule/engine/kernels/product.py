"""Matrix products: the sgemm of oneDNN or BLAS as a call, and products of one row, which memory speed bounds."""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit

from .intrinsics import call4, call_sgemm, fma, load_f32, prefetch, store_f32, word, word_float
from .signature import KERNEL

f32 = np.float32
#: Rows that are asked for before they are needed.
AHEAD = 1


#: Rows that a kernel of AVX and AVX2 computes together. Up to SMALL_REST rows that are left over are added in another order.
TOGETHER, SMALL_REST = 6, 3
#: Above so many rows it divides them first, by halves.
DIVIDED = 96


@njit(error_model="numpy")
def _rows(args, first, count):
    """These rows of the product."""
    a, c = word(args, 6) + 4 * first * word(args, 7), word(args, 11) + 4 * first * word(args, 12)
    return call_sgemm(
        word(args, 0), word(args, 1), word(args, 2), count, word(args, 4), word(args, 5), a, word(args, 7), word(args, 8),
        word(args, 9), word_float(args, 10), c, word(args, 12),
    )  # fmt: skip


@cfunc(KERNEL, error_model="numpy")
def sgemm(args, _1, _2, _3):
    """C = A B + beta C: 0 sgemm of oneDNN or BLAS, 1 'N' or 'T' of A, 2 of B, 3 M, 4 N, 5 K, 6 A, 7 lda, 8 B, 9 ldb, 10
    beta, 11 C, 12 ldc, 13 whether a row must not depend on where it stands (A is 'N', beta 0): then no rows are left over,
    the last ones are computed together with some before them, once more."""
    rows = word(args, 3)
    together = TOGETHER if rows <= DIVIDED else 2 * TOGETHER
    rest = rows % together
    alike = rest == 0 or (rows <= DIVIDED and rest > SMALL_REST)
    if not word(args, 13) or alike or rows < together:
        return _rows(args, 0, rows)
    status = _rows(args, 0, rows - rest)
    return status | _rows(args, rows - together, together)


@cfunc(KERNEL, error_model="numpy")
def primitive(args, _1, _2, _3):
    """A primitive of oneDNN: 0 dnnl_primitive_execute, 1 primitive, 2 stream, 3 number of arguments, 4 arguments,
    5 dnnl_memory_set_data_handle, 6 number of memories whose address changes, then of each: the memory and its address
    """
    for j in range(word(args, 6)):
        call4(word(args, 5), word(args, 7 + 2 * j), word(args, 8 + 2 * j), 0, 0)
    return call4(word(args, 0), word(args, 1), word(args, 2), word(args, 3), word(args, 4))


@njit(error_model="numpy")
def _one_row(y, x, k, w, n):
    a = load_f32(x, k)
    for j in range(n):
        store_f32(y, j, fma(a, load_f32(w, j), load_f32(y, j)))


@cfunc(KERNEL, error_model="numpy")
def row_product(args, _1, _2, _3):
    """y = x W for one row x (K) and row-major W (K, N): 0 K, 1 columns to do, 2 x, 3 W, 4 elements of a row of W, 5 y."""
    count, n, x, w, stride, y = word(args, 0), word(args, 1), word(args, 2), word(args, 3), 4 * word(args, 4), word(args, 5)
    for j in range(n):
        store_f32(y, j, f32(0.0))
    # One row at a time: one stream, which the hardware fetches ahead; y stays in the first-level cache.
    ahead = 4 * n * AHEAD
    for k in range(count):
        at = w + k * stride
        for line in range((n + 15) // 16):
            prefetch(at + ahead + 64 * line)
        _one_row(y, x, k, at, n)
    return 0
