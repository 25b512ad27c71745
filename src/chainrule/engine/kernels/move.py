"""Kernels that put elements elsewhere: rows of a table, slices, other orders of axes; and what feeds a step its data."""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit

from .intrinsics import float_bits, load_f32, load_i32, set_word, store_f32, store_i32, store_u16, word
from .signature import KERNEL

f32, i32, i64, u16, u32 = np.float32, np.int32, np.int64, np.uint16, np.uint32


@njit(error_model="numpy")
def _copy(d, x, n):
    for i in range(n):
        store_i32(d, i, load_i32(x, i))


@cfunc(KERNEL, error_model="numpy")
def copy_blocks(args, _1, _2, _3):
    """0 blocks, 1 elements of a block, 2 source, 3 its stride, 4 target, 5 its stride (strides in elements)."""
    blocks, n, x, x_stride, out, out_stride = (
        word(args, 0),
        word(args, 1),
        word(args, 2),
        word(args, 3),
        word(args, 4),
        word(args, 5),
    )
    for i in range(blocks):
        _copy(out + 4 * i * out_stride, x + 4 * i * x_stride, n)
    return 0


@cfunc(KERNEL, error_model="numpy")
def permute(args, _1, _2, _3):
    """The axes in another order: 0 source, 1 target, 2..7 sizes of the output (six axes), 8..13 strides of the source."""
    x, out = word(args, 0), word(args, 1)
    at = 0
    for a in range(word(args, 2)):
        for b in range(word(args, 3)):
            for c in range(word(args, 4)):
                for d in range(word(args, 5)):
                    for e in range(word(args, 6)):
                        base = (
                            a * word(args, 8)
                            + b * word(args, 9)
                            + c * word(args, 10)
                            + d * word(args, 11)
                            + e * word(args, 12)
                        )
                        n, stride = word(args, 7), word(args, 13)
                        for f in range(n):
                            store_i32(out, at + f, load_i32(x, base + f * stride))
                        at += n
    return 0


@cfunc(KERNEL, error_model="numpy")
def gather(args, _1, _2, _3):
    """0 rows to take, 1 width, 2 table, 3 its rows, 4 indices (int32), 5 output. An index outside gives a row of NaN."""
    count, width, table, rows, index, out = (
        word(args, 0),
        word(args, 1),
        word(args, 2),
        word(args, 3),
        word(args, 4),
        word(args, 5),
    )
    for i in range(count):
        r = i64(load_i32(index, i))
        if 0 <= r < rows:
            _copy(out + 4 * i * width, table + 4 * r * width, width)
        else:
            for j in range(width):
                store_f32(out + 4 * i * width, j, f32(np.nan))
    return 0


@cfunc(KERNEL, error_model="numpy")
def scatter_add(args, _1, _2, _3):
    """0 rows of x, 1 width, 2 x, 3 indices (int32), 4 output, 5 its rows. The output is zeroed first."""
    count, width, x, index, out, rows = (
        word(args, 0),
        word(args, 1),
        word(args, 2),
        word(args, 3),
        word(args, 4),
        word(args, 5),
    )
    for i in range(rows * width):
        store_f32(out, i, f32(0.0))
    for i in range(count):
        r = i64(load_i32(index, i))
        if 0 <= r < rows:
            target, source = out + 4 * r * width, x + 4 * i * width
            for j in range(width):
                store_f32(target, j, load_f32(target, j) + load_f32(source, j))
    return 0


@cfunc(KERNEL, error_model="numpy")
def unique_rows(args, _1, _2, _3):
    """0 indices, 1 rows V, 2 index (int32), 3 rows found (int32; −1 beyond them), 4 places of these, 5 place of each index,
    6 memory for V int32, left as it was found: zeros, before the first step and after every step
    """
    count, rows, index, found, places, place, mark = (
        word(args, 0),
        word(args, 1),
        word(args, 2),
        word(args, 3),
        word(args, 4),
        word(args, 5),
        word(args, 6),
    )
    seen = 0
    for i in range(count):
        r = i64(load_i32(index, i))
        if 0 <= r < rows:
            at = load_i32(mark, r)
            if at == 0:
                store_i32(found, seen, i32(r))
                seen += 1
                at = i32(seen)
                store_i32(mark, r, at)
            store_i32(place, i, at - i32(1))
        else:
            store_i32(place, i, i32(-1))
    for i in range(seen):
        store_i32(mark, i64(load_i32(found, i)), i32(0))
    for i in range(seen, places):
        store_i32(found, i, i32(-1))
    return 0


@cfunc(KERNEL, error_model="numpy")
def take_rows(args, _1, _2, _3):
    """0 rows to take, 1 width, 2 table, 3 rows (int32; −1: zeros), 4 output."""
    count, width, table, rows, out = word(args, 0), word(args, 1), word(args, 2), word(args, 3), word(args, 4)
    for i in range(count):
        r = i64(load_i32(rows, i))
        if r >= 0:
            _copy(out + 4 * i * width, table + 4 * r * width, width)
        else:
            for j in range(width):
                store_f32(out + 4 * i * width, j, f32(0.0))
    return 0


@cfunc(KERNEL, error_model="numpy")
def put_rows(args, _1, _2, _3):
    """0 rows to put, 1 width, 2 table, 3 rows (int32; −1: none), 4 what to put."""
    count, width, table, rows, x = word(args, 0), word(args, 1), word(args, 2), word(args, 3), word(args, 4)
    for i in range(count):
        r = i64(load_i32(rows, i))
        if r >= 0:
            _copy(table + 4 * r * width, x + 4 * i * width, width)
    return 0


@cfunc(KERNEL, error_model="numpy")
def one_hot(args, _1, _2, _3):
    """0 rows, 1 classes, 2 indices (int32), 3 output."""
    rows, classes, index, out = word(args, 0), word(args, 1), word(args, 2), word(args, 3)
    for i in range(rows * classes):
        store_f32(out, i, f32(0.0))
    for r in range(rows):
        label = i64(load_i32(index, r))
        if 0 <= label < classes:
            store_f32(out, r * classes + label, f32(1.0))
    return 0


@njit(error_model="numpy")
def _round(d, x, n):
    for i in range(n):
        v = load_f32(x, i)
        bits = u32(float_bits(v))
        # To nearest, ties to even; a NaN keeps its sign and stays a NaN.
        even = (bits + u32(0x7FFF) + ((bits >> u32(16)) & u32(1))) >> u32(16)
        store_u16(d, i, u16(even) if v == v else u16((bits >> u32(16)) | u32(0x40)))


@cfunc(KERNEL, error_model="numpy")
def to_bfloat16(args, _1, _2, _3):
    """0 elements, 1 source (float32), 2 target (bfloat16)."""
    _round(word(args, 2), word(args, 1), word(args, 0))
    return 0


@cfunc(KERNEL, error_model="numpy")
def feed(args, _1, _2, _3):
    """Gives a step its samples: takes rows by the order, or, without one, points the step at the rows as they lie.

    0 all samples, 1 order (int64 sample numbers; 0: none), 2 elements of a sample, 3 batch, 4 own memory for the batch,
    5 first and 6 last row that this thread copies, 7 step cell, 8 number of places that hold the input's address,
    9 address of their addresses and offsets (two words each)
    """
    data, order, width, batch, own = word(args, 0), word(args, 1), word(args, 2), word(args, 3), word(args, 4)
    step = word(word(args, 7), 0)
    source = own
    if order == 0:
        source = data + 4 * width * batch * step
    else:
        for r in range(word(args, 5), word(args, 6)):
            _copy(own + 4 * r * width, data + 4 * width * word(order, step * batch + r), width)
    places = word(args, 9)
    for j in range(word(args, 8)):
        set_word(word(places, 2 * j), 0, source + word(places, 2 * j + 1))
    return 0


@cfunc(KERNEL, error_model="numpy")
def feed_scalars(args, _1, _2, _3):
    """Copies a step's row of scalars: 0 all rows, 1 numbers in a row, 2 target, 3 step cell."""
    source, n, target = word(args, 0), word(args, 1), word(args, 2)
    _copy(target, source + 4 * n * word(word(args, 3), 0), n)
    return 0


@cfunc(KERNEL, error_model="numpy")
def keep_scalar(args, _1, _2, _3):
    """Keeps a scalar output of a step: 0 source, 1 all steps' values, 2 step cell."""
    store_f32(word(args, 1), word(word(args, 2), 0), load_f32(word(args, 0), 0))
    return 0
