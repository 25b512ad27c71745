"""Floats to whole numbers of 8 bits, which products of such numbers read."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import cfunc, types
from numba.extending import intrinsic

from .intrinsics import F32, I32, load_f32, word, word_float
from .lanes import Emitter
from .signature import KERNEL

#: The largest number, and what is added so that the low byte of a float's fraction is its nearest whole number.
HIGHEST, ROUNDING = 127.0, 12582912.0
#: Floats that are converted at a time.
TOGETHER = 32
_I8 = ir.IntType(8)


def _converted(builder: Any, x: Any, inverse: Any, zero: Any, kind: Any) -> Any:
    """Floats, one or a vector of them, as numbers of 8 bits; what is not above 0, or no number, gives 0."""
    width = kind.count if isinstance(kind, ir.VectorType) else 0

    def constant(value: float) -> Any:
        return ir.Constant(kind, [value] * width if width else value)

    v = builder.fadd(builder.fmul(x, inverse), zero)
    v = builder.select(builder.fcmp_ordered(">", v, constant(0.0)), v, constant(0.0))
    v = builder.select(builder.fcmp_ordered("<", v, constant(HIGHEST)), v, constant(HIGHEST))
    whole = builder.fadd(v, constant(ROUNDING))
    integers, small = (ir.VectorType(I32, width), ir.VectorType(_I8, width)) if width else (I32, _I8)
    return builder.trunc(builder.bitcast(whole, integers), small)


@intrinsic
def _quantize_many(typingctx: Any, x: Any, inverse: Any, zero: Any, to: Any) -> Any:
    """TOGETHER floats at the address x to bytes at the address ``to``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, inverse, zero, to = args
        e = Emitter(builder, F32, TOGETHER)
        found = _converted(builder, e.load(x), e.splat(inverse), e.splat(zero), e.vector)
        builder.store(found, builder.inttoptr(to, found.type.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.float32, types.float32, types.int64), codegen


@intrinsic
def _quantize_one(typingctx: Any, x: Any, inverse: Any, zero: Any, to: Any) -> Any:
    """The float x to a byte at the address ``to``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, inverse, zero, to = args
        builder.store(_converted(builder, x, inverse, zero, F32), builder.inttoptr(to, _I8.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.float32, types.float32, types.float32, types.int64), codegen


@intrinsic
def _clear(typingctx: Any, to: Any) -> Any:
    """A byte of 0 at the address ``to``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(ir.Constant(_I8, 0), builder.inttoptr(args[0], _I8.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@cfunc(KERNEL, error_model="numpy")
def quantize(args, _1, _2, _3):
    """Rows of floats to bytes: x times a factor plus zero, rounded to the nearest, from 0 to 127. NaN gives 0.

    0 rows, 1 channels ; 2 x, rows one after the other ; 3 factor, 4 zero ; 5 bytes, 6 bytes of a row, those after the last
    channel are 0
    """
    channels, inverse, zero, width = word(args, 1), word_float(args, 3), word_float(args, 4), word(args, 6)
    whole = channels // TOGETHER
    for r in range(word(args, 0)):
        x, to = word(args, 2) + 4 * r * channels, word(args, 5) + r * width
        for i in range(whole):
            _quantize_many(x + 4 * TOGETHER * i, inverse, zero, to + TOGETHER * i)
        for c in range(channels - TOGETHER * whole):
            at = TOGETHER * whole + c
            _quantize_one(load_f32(x, at), inverse, zero, to + at)
        for c in range(width - channels):
            _clear(to + channels + c)
    return 0
