"""Matrix products: the sgemm of oneDNN or BLAS as a call, and products of one row, which memory speed bounds."""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit

from .intrinsics import call4, call_sgemm, load_f32, prefetch, store_f32, word, word_float
from .panel import panel1
from .signature import KERNEL
from .sizes import BLOCK_COLUMNS, BLOCK_DEPTH, SHEET, VECTOR
from .vectors import add_scaled, copy, fill

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


#: Rows of a panel that stay in the first-level cache while all rows of A go by.
STRETCH = 512


@njit(error_model="numpy")
def _add_narrow(c, ldc, a, lda, p, depth, rows, columns, sheet):
    """C += A P for the last panel, whose sums have no room in C: they are computed beside it and copied."""
    for r in range(0, rows, SHEET):
        count = min(rows - r, SHEET)
        for i in range(count):
            copy(sheet + 4 * VECTOR * i, c + 4 * (r + i) * ldc, columns)
            fill(sheet + 4 * (VECTOR * i + columns), VECTOR - columns, f32(0.0))
        panel1(sheet, VECTOR, a + 4 * r * lda, lda, p, VECTOR, VECTOR, depth, count)
        for i in range(count):
            copy(c + 4 * (r + i) * ldc, sheet + 4 * VECTOR * i, columns)


@cfunc(KERNEL, error_model="numpy")
def product_with_panels(args, _1, _2, _3):
    """C = A P with a matrix P that was laid out before in panels of 16 columns, each row after row, the last one filled up
    with zeros. Each element is one sum from the first to the last term, so it does not depend on the other rows.

    0 rows, 1 columns, 2 depth, 3 A, 4 elements of a row of A, 5 P, 6 C, 7 elements of a row of C, 8 memory for SHEET × 16
    floats
    """
    rows, columns, depth = word(args, 0), word(args, 1), word(args, 2)
    a, lda, p, c, ldc, sheet = word(args, 3), word(args, 4), word(args, 5), word(args, 6), word(args, 7), word(args, 8)
    for r in range(rows):
        fill(c + 4 * r * ldc, columns, f32(0.0))
    for j in range(0, columns, VECTOR):
        for k in range(0, depth, STRETCH):
            part = min(depth - k, STRETCH)
            at = p + 4 * (j * depth + VECTOR * k)
            if columns - j >= VECTOR:
                panel1(c + 4 * j, ldc, a + 4 * k, lda, at, VECTOR, VECTOR, part, rows)
            else:
                _add_narrow(c + 4 * j, ldc, a + 4 * k, lda, at, part, rows, columns - j, sheet)
    return 0


#: Rows of A that meet the blocks of B before the next ones do: what they hold for one block stays in the second-level cache.
BLOCK_ROWS = 192
#: Rows of B that are asked for before they are needed.
EARLY = 4


@njit(error_model="numpy")
def _block_in_panels(p, b, ldb, depth, columns):
    """Lays out a block of B in panels of 16 columns, the last one filled up with zeros."""
    for k in range(depth):
        at, to = b + 4 * k * ldb, p + 4 * VECTOR * k
        for j in range(0, columns, VECTOR):
            prefetch(at + 4 * (EARLY * ldb + j))
            if columns - j >= VECTOR:
                copy(to + 4 * j * depth, at + 4 * j, VECTOR)
            else:
                copy(to + 4 * j * depth, at + 4 * j, columns - j)
                fill(to + 4 * (j * depth + columns - j), VECTOR - columns + j, f32(0.0))


@cfunc(KERNEL, error_model="numpy")
def product_by_blocks(args, _1, _2, _3):
    """C = A B, or C += A B, for a matrix B whose rows are far apart: a block of it at a time is laid out in panels,
    which are read at one stretch, and all rows of A meet it in the cache. Each element is
    one sum from the first to the last term.

    0 rows, 1 columns, 2 depth, 3 A, 4 elements of a row of A, 5 B, 6 elements of a row of B, 7 C, 8 elements of a row of C,
    9 whether to add to C, 10 memory for a block of B and SHEET × 16 floats
    """
    rows, columns, depth = word(args, 0), word(args, 1), word(args, 2)
    a, lda, b, ldb, c, ldc = word(args, 3), word(args, 4), word(args, 5), word(args, 6), word(args, 7), word(args, 8)
    block = word(args, 10)
    sheet = block + 4 * BLOCK_DEPTH * BLOCK_COLUMNS
    if not word(args, 9):
        for r in range(rows):
            fill(c + 4 * r * ldc, columns, f32(0.0))
    stretches = (rows + BLOCK_ROWS - 1) // BLOCK_ROWS
    for s in range(stretches):
        first, end = rows * s // stretches, rows * (s + 1) // stretches
        for k in range(0, depth, BLOCK_DEPTH):
            part, left = min(depth - k, BLOCK_DEPTH), a + 4 * (first * lda + k)
            for j in range(0, columns, BLOCK_COLUMNS):
                wide = min(columns - j, BLOCK_COLUMNS)
                _block_in_panels(block, b + 4 * (k * ldb + j), ldb, part, wide)
                for i in range(0, wide, VECTOR):
                    to, panel = c + 4 * (first * ldc + j + i), block + 4 * i * part
                    if wide - i >= VECTOR:
                        panel1(to, ldc, left, lda, panel, VECTOR, VECTOR, part, end - first)
                    else:
                        _add_narrow(to, ldc, left, lda, panel, part, end - first, wide - i, sheet)
    return 0


@cfunc(KERNEL, error_model="numpy")
def primitive(args, _1, _2, _3):
    """A primitive of oneDNN: 0 dnnl_primitive_execute, 1 primitive, 2 stream, 3 number of arguments, 4 arguments,
    5 dnnl_memory_set_data_handle, 6 number of memories whose address changes, then of each: the memory and its address
    """
    for j in range(word(args, 6)):
        call4(word(args, 5), word(args, 7 + 2 * j), word(args, 8 + 2 * j), 0, 0)
    return call4(word(args, 0), word(args, 1), word(args, 2), word(args, 3), word(args, 4))


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
        add_scaled(y, load_f32(x, k), at, n)
    return 0
