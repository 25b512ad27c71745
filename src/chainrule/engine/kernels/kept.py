"""Training with the kept weights of a mask: their numbers gathered and put back, and their gradients alone.

The gradient of a weight is the product of its input's and its output's gradients, added up over the samples. Both are turned
into planes, one a channel with the samples side by side, so it is a scalar product of two planes. Four weights of an input
are done together, as they share the input's plane.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cfunc, njit, types
from numba.extending import intrinsic

from .intrinsics import F32, I32, I64, load_f32, load_i32, store_f32, word
from .lanes import WIDTH, Emitter, Loop
from .signature import KERNEL
from .vectors import fill

f32, i64 = np.float32, np.int64


@cfunc(KERNEL, error_model="numpy")
def gather_kept(args, _1, _2, _3):
    """0 count, 1 source, 2 numbers of its elements (int32), 3 target: target[i] = source[numbers[i]]"""
    source, numbers, target = word(args, 1), word(args, 2), word(args, 3)
    for i in range(word(args, 0)):
        store_f32(target, i, load_f32(source, i64(load_i32(numbers, i))))
    return 0


@cfunc(KERNEL, error_model="numpy")
def scatter_kept(args, _1, _2, _3):
    """0 count, 1 source, 2 numbers of elements of the target (int32), 3 target: target[numbers[i]] = source[i]; 4 elements
    of the target to set to zero before, and 5 from where on"""
    source, numbers, target = word(args, 1), word(args, 2), word(args, 3)
    if word(args, 4) > 0:
        fill(target + 4 * word(args, 5), word(args, 4), f32(0.0))
    for i in range(word(args, 0)):
        store_f32(target, i64(load_i32(numbers, i)), load_f32(source, i))
    return 0


def _dots(count: int, width: int) -> Any:
    """Scalar products of one plane with ``count`` others, over a number of vectors: their sums are stored."""

    @intrinsic
    def dots(typingctx: Any, target: Any, plane: Any, others: Any, apart: Any, numbers: Any, vectors: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            target, plane, others, apart, numbers, vectors = args
            e = Emitter(builder, F32, width)
            rows = []
            for i in range(count):
                number = builder.sext(e.scalar(I32, e.at(numbers, i, 4)), I64)
                rows.append(e.at(others, builder.mul(number, apart), 4))
            zero = e.splat(F32(0.0))
            loop = Loop(builder, vectors, [zero] * count)
            v, sums = loop.begin()
            at = builder.mul(v, I64(4 * width))
            x = e.load(builder.add(plane, at))
            ends = loop.end([e.fma(x, e.load(builder.add(row, at)), s) for row, s in zip(rows, sums, strict=True)])
            for i, total in enumerate(ends):
                # Halves are added until one number is left, in the same order everywhere.
                lanes = [builder.extract_element(total, I32(j)) for j in range(width)]
                while len(lanes) > 1:
                    half = len(lanes) // 2
                    lanes = [builder.fadd(a, b) for a, b in zip(lanes[:half], lanes[half:], strict=True)]
                place = builder.inttoptr(e.at(target, i, 4), F32.as_pointer())
                builder.store(builder.fadd(builder.load(place, align=4), lanes[0]), place, align=4)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), codegen

    return dots


_four, _one = _dots(4, WIDTH), _dots(1, WIDTH)


@njit(error_model="numpy")
def _gradients(first, last, x, d, plane, begins, columns, out):
    vectors = plane // WIDTH
    for i in range(first, last):
        e, stop = i64(load_i32(begins, i)), i64(load_i32(begins, i + 1))
        while e + 4 <= stop:
            _four(out + 4 * e, x + 4 * i * plane, d, plane, columns + 4 * e, vectors)
            e += 4
        while e < stop:
            _one(out + 4 * e, x + 4 * i * plane, d, plane, columns + 4 * e, vectors)
            e += 1


@cfunc(KERNEL, error_model="numpy")
def kept_outer(args, _1, _2, _3):
    """Gradients of kept weights: 0 first and 1 last input, 2 pieces of samples ; 3 planes of the inputs and 4 floats of a
    piece of them, 5 planes of the gradients of the outputs and 6 floats of a piece, 7 floats of a plane (whole vectors) ;
    8 where the weights of each input begin (int32), 9 numbers of their outputs (int32), 10 gradients"""
    first, last, plane, begins, out = word(args, 0), word(args, 1), word(args, 7), word(args, 8), word(args, 10)
    start = i64(load_i32(begins, first))
    fill(out + 4 * start, i64(load_i32(begins, last)) - start, f32(0.0))
    for piece in range(word(args, 2)):
        x, d = word(args, 3) + 4 * piece * word(args, 4), word(args, 5) + 4 * piece * word(args, 6)
        _gradients(first, last, x, d, plane, begins, word(args, 9), out)
    return 0
