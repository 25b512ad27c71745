"""Weights of convolutions between chainrule's layout (*kernel, I, O) and the blocked ones that oneDNN's kernels read.

The block of arguments (64-bit words)
    0 taps: elements of the kernel, 1 I, 2 O ; 3 weights as parameters lie ; 4 blocked weights ; of those: 5 elements between
    taps ; 6 elements between blocks of I, 7 size of a block, 8 elements between neighbours in it ; 9 to 11 the same for O ;
    12 and 13 first and last of the rows (tap, i) to do ; 14 copies of the blocked weights, to be added up, and 15 elements
    between them
"""

from __future__ import annotations

from numba import cfunc, njit

from .intrinsics import load_f32, store_f32, word
from .signature import KERNEL
from .vectors import add, copy


@njit(error_model="numpy")
def _gather(d, x, n, step):
    for i in range(n):
        store_f32(d, i, load_f32(x, i * step))


@njit(error_model="numpy")
def _scatter(d, step, x, n):
    for i in range(n):
        store_f32(d, i * step, load_f32(x, i))


@njit(error_model="numpy")
def _add_gather(d, x, n, step):
    for i in range(n):
        store_f32(d, i, load_f32(d, i) + load_f32(x, i * step))


@cfunc(KERNEL, error_model="numpy")
def block_weights(args, _1, _2, _3):
    """From parameters to blocks."""
    inputs, outputs, plain, blocked = word(args, 1), word(args, 2), word(args, 3), word(args, 4)
    size, step = word(args, 10), word(args, 11)
    inner, inner_step = word(args, 7), word(args, 8)
    first, end = word(args, 12), word(args, 13)
    if inner > 1 and inner_step == 1:
        # Neighbours in the target are a column of the source.
        row = first
        while row < end:
            tap, i = row // inputs, row % inputs
            n = min(inner - i % inner, inputs - i, end - row)
            base = blocked + 4 * (tap * word(args, 5) + i // inner * word(args, 6) + i % inner)
            for o in range(outputs):
                target = base + 4 * (o // size * word(args, 9) + o % size * step)
                _gather(target, plain + 4 * (row * outputs + o), n, outputs)
            row += n
        return 0
    for row in range(first, end):
        tap, i = row // inputs, row % inputs
        base = blocked + 4 * (tap * word(args, 5) + i // inner * word(args, 6) + i % inner * inner_step)
        source = plain + 4 * row * outputs
        o = first - first
        while o < outputs:
            n = min(size, outputs - o)
            target = base + 4 * (o // size) * word(args, 9)
            if step == 1:
                copy(target, source + 4 * o, n)
            else:
                _scatter(target, step, source + 4 * o, n)
            o += n
    return 0


@cfunc(KERNEL, error_model="numpy")
def unblock_weights(args, _1, _2, _3):
    """From the sum of all copies in blocks to parameters."""
    inputs, outputs, plain, blocked = word(args, 1), word(args, 2), word(args, 3), word(args, 4)
    inner, inner_step, size, step = word(args, 7), word(args, 8), word(args, 10), word(args, 11)
    for row in range(word(args, 12), word(args, 13)):
        tap, i = row // inputs, row % inputs
        base = blocked + 4 * (tap * word(args, 5) + i // inner * word(args, 6) + i % inner * inner_step)
        target = plain + 4 * row * outputs
        o = inputs - inputs
        while o < outputs:
            n = min(size, outputs - o)
            source = base + 4 * (o // size) * word(args, 9)
            if step == 1:
                copy(target + 4 * o, source, n)
            else:
                _gather(target + 4 * o, source, n, step)
            for other_copy in range(1, word(args, 14)):
                other = source + 4 * other_copy * word(args, 15)
                if step == 1:
                    add(target + 4 * o, other, n)
                else:
                    _add_gather(target + 4 * o, other, n, step)
            o += n
    return 0
