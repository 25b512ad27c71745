"""Boxes in pictures: non-maximum suppression, and which found boxes are of which true ones.

Numbers are float64 and computed in the order of the NumPy expressions that stand in where there is no compiled kernel, so
both decide alike.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import cfunc, njit, types

from .intrinsics import _loader, load_u8, set_word, store_u8, word
from .signature import KERNEL

f64, i64, u8 = np.float64, np.int64, np.uint8
load_f64 = _loader(ir.DoubleType(), types.float64, 8)
ZERO = f64(0.0)
#: The number of no box.
NONE = i64(-1)


@njit(error_model="numpy")
def _area(boxes, i):
    width = load_f64(boxes, 4 * i + 2) - load_f64(boxes, 4 * i)
    height = load_f64(boxes, 4 * i + 3) - load_f64(boxes, 4 * i + 1)
    return (width if width > ZERO else ZERO) * (height if height > ZERO else ZERO)


@njit(error_model="numpy")
def _side(boxes, i, j, axis):
    """The length of what two boxes share of an axis."""
    first, second = load_f64(boxes, 4 * i + axis), load_f64(boxes, 4 * j + axis)
    start = first if first > second else second
    first, second = load_f64(boxes, 4 * i + axis + 2), load_f64(boxes, 4 * j + axis + 2)
    length = (first if first < second else second) - start
    return length if length > ZERO else ZERO


@cfunc(KERNEL, error_model="numpy")
def suppress(args, _1, _2, _3):
    """0 boxes n, 1 boxes (float64, the surest first), 2 their classes (int64) or 0, 3 where the threshold stands (float64),
    4 most, 5 output: numbers of the boxes that stay (int64), 6 output: how many these are.

    A box is compared with those that stay alone, and no matrix of overlaps is made.
    """
    n, boxes, classes, most = word(args, 0), word(args, 1), word(args, 2), word(args, 4)
    threshold, kept, found = load_f64(word(args, 3), 0), word(args, 5), i64(0)
    for i in range(n):
        if found == most:
            break
        area, alive = _area(boxes, i), True
        for k in range(found):
            j = word(kept, k)
            if classes != 0 and word(classes, i) != word(classes, j):
                continue
            both = _side(boxes, j, i, 0) * _side(boxes, j, i, 1)
            union = _area(boxes, j) + area - both
            if (both / union if union > ZERO else ZERO) > threshold:
                alive = False
                break
        if alive:
            set_word(kept, found, i)
            found += 1
    set_word(word(args, 6), 0, found)
    return 0


@cfunc(KERNEL, error_model="numpy")
def match_boxes(args, _1, _2, _3):
    """Of one picture and class: 0 found boxes n, 1 true boxes m, 2 levels T, 3 overlaps (n, m) and 4 least overlap of each
    level (float64), 5 crowd and 6 ignored (m bytes each), 7 output: hit and 8 output: skipped (T, n bytes each), 9 memory
    for m bytes.

    Found boxes come in the order of their scores. Each takes the true box that it overlaps most, the last of equal ones, of
    those that count, else of those that are ignored; a crowd may be taken again and again.
    """
    n, m, levels, overlaps, least = word(args, 0), word(args, 1), word(args, 2), word(args, 3), word(args, 4)
    crowd, ignored, hit, skipped, taken = word(args, 5), word(args, 6), word(args, 7), word(args, 8), word(args, 9)
    for t in range(levels):
        limit = load_f64(least, t)
        for j in range(m):
            store_u8(taken, j, u8(0))
        for i in range(n):
            best, best_ignored = NONE, NONE
            for j in range(m):
                value = load_f64(overlaps, i * m + j)
                if not value >= limit or (load_u8(taken, j) != u8(0) and load_u8(crowd, j) == u8(0)):
                    continue
                if load_u8(ignored, j) != u8(0):
                    if best_ignored < 0 or value >= load_f64(overlaps, i * m + best_ignored):
                        best_ignored = i64(j)
                elif best < 0 or value >= load_f64(overlaps, i * m + best):
                    best = i64(j)
            chosen = best if best >= 0 else best_ignored
            store_u8(hit, t * n + i, u8(1) if chosen >= 0 else u8(0))
            store_u8(skipped, t * n + i, u8(1) if chosen >= 0 and best < 0 else u8(0))
            if chosen >= 0:
                store_u8(taken, chosen, u8(1))
    return 0
