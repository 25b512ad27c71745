"""Products of dense activations with sparse weights, of layers and of convolutions without copies of windows.

Activations (positions, channels) are turned into planes, one a channel, in which positions lie side by side; of an image
with its padding. What an output position reads of a channel and a tap then lies a fixed distance from it, so a weight that
is not zero is one such distance and one value: its plane, shifted, is added to the output's, several vectors of positions at
a time, which stay in registers while all weights of an output go by. A batch of samples is an image of one line.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import cfunc, njit, types
from numba.extending import intrinsic

from .intrinsics import F32, I32, I64, load_f32, load_i32, word
from .lanes import WIDTH, Emitter, Loop, turn
from .signature import KERNEL
from .sizes import OUTPUTS, PANEL
from .vectors import copy, fill

f32, i64 = np.float32, np.int64


def _tile(outputs: int, vectors: int, width: int) -> Any:
    """Planes of ``outputs`` neighbouring outputs that have weights in the same places.

    sums (outputs rows of ``row`` floats) += Σ values · planes at (first + offset), for ``count`` places.
    """

    @intrinsic
    def tile(typingctx: Any, sums: Any, row: Any, first: Any, offsets: Any, values: Any, count: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            at, row, first, offsets, values, count = args
            e = Emitter(builder, F32, width)
            spots = [
                e.at(e.at(at, builder.mul(row, I64(o)), 4), width * v, 4) for o in range(outputs) for v in range(vectors)
            ]
            loop = Loop(builder, count, [e.load(spot) for spot in spots])
            k, sums = loop.begin()
            offset = builder.sext(e.scalar(I32, e.at(offsets, k, 4)), I64)
            line = e.at(first, offset, 4)
            planes = [e.load(e.at(line, width * v, 4)) for v in range(vectors)]
            place = e.at(values, k, 4 * outputs)
            nexts = []
            for o in range(outputs):
                value = e.splat(e.scalar(F32, e.at(place, o, 4)))
                nexts += [e.fma(value, plane, sums[o * vectors + v]) for v, plane in enumerate(planes)]
            for spot, total in zip(spots, loop.end(nexts), strict=True):
                e.store(total, spot)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), codegen

    return tile


def planes_of(width: int) -> Any:
    """The kernel's inner part for vectors of a width."""
    one8, one4, one2, one1 = (_tile(1, v, width) for v in (8, 4, 2, 1))
    four2, four1 = (_tile(4, v, width) for v in (2, 1))

    @njit(error_model="numpy")
    def some(sums, row, first, offsets, values, count, vectors, outputs):
        """``vectors`` vectors of positions of one output, or of a block of four."""
        if outputs == 1:
            if vectors == 8:
                one8(sums, row, first, offsets, values, count)
            elif vectors == 4:
                one4(sums, row, first, offsets, values, count)
            elif vectors == 2:
                one2(sums, row, first, offsets, values, count)
            else:
                one1(sums, row, first, offsets, values, count)
        else:
            v = 0
            while v + 2 <= vectors:
                four2(sums + 4 * width * v, row, first + 4 * width * v, offsets, values, count)
                v += 2
            if v < vectors:
                four1(sums + 4 * width * v, row, first + 4 * width * v, offsets, values, count)

    return some


_some = planes_of(WIDTH)


@cfunc(KERNEL, error_model="numpy")
def to_planes(args, _1, _2, _3):
    """Lines of positions (of channels) into planes of channels.

    0 lines, 1 positions of a line, 2 channels ; 3 source, 4 floats between its positions, 5 between its lines ; 6 target,
    7 floats between its planes, 8 between its lines ; 9 floats at the start of each plane to set to zero before, 10 where
    in a plane the first position goes
    """
    lines, width, channels = word(args, 0), word(args, 1), word(args, 2)
    plane, zeros = word(args, 7), word(args, 9)
    if zeros > 0:
        for c in range(channels):
            fill(word(args, 6) + 4 * c * plane, zeros, f32(0.0))
    for y in range(lines):
        target = word(args, 6) + 4 * (word(args, 10) + y * word(args, 8))
        turn(target, plane, word(args, 3) + 4 * y * word(args, 5), word(args, 4), width, channels)
    return 0


@cfunc(KERNEL, error_model="numpy")
def sparse_planes(args, _1, _2, _3):
    """Outputs (positions, channels) of planes and sparse weights.

    0 planes, 1 first and 2 last position ; 3 first and 4 last chunk of outputs, 5 outputs of a block (1 or 4), 6 blocks of a
    chunk, 7 blocks of all, 8 stretches ; 9 where the weights of each (chunk, stretch, block) begin (int32), 10 distances in
    floats (int32), 11 values, for each place those of a block ; 12 bias ; 13 output, 14 floats between its positions ;
    15 positions of a line of the planes, 16 of the output ; 17 working memory: sums (outputs of a chunk, PANEL), rows
    (PANEL, OUTPUTS). Positions that lie between lines of the output are computed and dropped.
    """
    planes, end = word(args, 0), word(args, 2)
    size, together, all_blocks, stretches = word(args, 5), word(args, 6), word(args, 7), word(args, 8)
    begins, offsets, values, bias = word(args, 9), word(args, 10), word(args, 11), word(args, 12)
    out, apart, line, wide = word(args, 13), word(args, 14), word(args, 15), word(args, 16)
    sums = word(args, 17)
    rows = sums + 4 * together * size * PANEL
    p = word(args, 1)
    while p < end:
        vectors = (end - p + WIDTH - 1) // WIDTH
        vectors = 8 if vectors >= 8 else (4 if vectors >= 4 else (2 if vectors >= 2 else 1))
        count = vectors * WIDTH
        for chunk in range(word(args, 3), word(args, 4)):
            blocks = min(together, all_blocks - chunk * together)
            first = chunk * together * size
            for o in range(blocks * size):
                fill(sums + 4 * o * count, count, load_f32(bias, first + o))
            for s in range(stretches):
                number = (chunk * stretches + s) * together
                start = i64(load_i32(begins, number))
                for i in range(blocks):
                    stop = i64(load_i32(begins, number + i + 1))
                    _some(
                        sums + 4 * i * size * count, count, planes + 4 * p, offsets + 4 * start, values + 4 * start * size,
                        stop - start, vectors, size,
                    )  # fmt: skip
                    start = stop
            o = 0
            while o < blocks * size:
                outputs = min(OUTPUTS, blocks * size - o)
                turn(rows, OUTPUTS, sums + 4 * o * count, count, outputs, count)
                for j in range(min(count, end - p)):
                    y, x = (p + j) // line, (p + j) % line
                    if x < wide:
                        to = out + 4 * ((y * wide + x) * apart + first + o)
                        if outputs == OUTPUTS:
                            copy(to, rows + 4 * j * OUTPUTS, OUTPUTS)
                        else:
                            copy(to, rows + 4 * j * OUTPUTS, outputs)
                o += outputs
        p += count
    return 0


def _line(outputs: int, unsigned: bool) -> Any:
    """Sums of ``outputs`` neighbouring outputs for one position: target += Σ values · x[index]."""
    kind = ir.IntType(16) if unsigned else I32
    together = 4

    @intrinsic
    def line(typingctx: Any, target: Any, x: Any, indices: Any, values: Any, count: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            target, x, indices, values, count = args
            e = Emitter(builder, F32, outputs)

            def term(k: Any, total: Any) -> Any:
                index = e.scalar(kind, e.at(indices, k, kind.width // 8))
                wide = builder.zext(index, I64) if unsigned else builder.sext(index, I64)
                one = e.splat(e.scalar(F32, e.at(x, wide, 4)))
                return e.fma(one, e.load(e.at(values, k, 4 * outputs)), total)

            # Several sums, so that an addition does not wait for the one before.
            zero = ir.Constant(e.vector, [0.0] * outputs)
            rounds = builder.lshr(count, I64(2))
            loop = Loop(builder, rounds, [zero] * together)
            k, sums = loop.begin()
            base = builder.mul(k, I64(together))
            ends = loop.end([term(builder.add(base, I64(i)), total) for i, total in enumerate(sums)])
            done = builder.mul(rounds, I64(together))
            loop = Loop(builder, builder.sub(count, done), [ends[0]])
            k, (total,) = loop.begin()
            (first,) = loop.end([term(builder.add(done, k), total)])
            total = builder.fadd(builder.fadd(first, ends[1]), builder.fadd(ends[2], ends[3]))
            e.store(builder.fadd(e.load(target), total), target)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), codegen

    return line


_one16, _one32, _four16, _four32 = _line(1, True), _line(1, False), _line(4, True), _line(4, False)


@cfunc(KERNEL, error_model="numpy")
def sparse_line(args, _1, _2, _3):
    """y = b + x W of one position. 0 first and 1 last block of outputs, 2 outputs of a block (1 or 4) ; 3 where the weights
    of each block begin (int32), 4 numbers of inputs, 5 whether they are uint16 and not int32, 6 values ; 7 bias, 8 x, 9 y"""
    size, begins, indices, short, values = word(args, 2), word(args, 3), word(args, 4), word(args, 5), word(args, 6)
    bias, x, y = word(args, 7), word(args, 8), word(args, 9)
    start = i64(load_i32(begins, word(args, 0)))
    for b in range(word(args, 0), word(args, 1)):
        stop = i64(load_i32(begins, b + 1))
        to, at, count = y + 4 * b * size, values + 4 * start * size, stop - start
        copy(to, bias + 4 * b * size, size)
        if short != 0:
            if size == 1:
                _one16(to, x, indices + 2 * start, at, count)
            else:
                _four16(to, x, indices + 2 * start, at, count)
        elif size == 1:
            _one32(to, x, indices + 4 * start, at, count)
        else:
            _four32(to, x, indices + 4 * start, at, count)
        start = stop
    return 0
