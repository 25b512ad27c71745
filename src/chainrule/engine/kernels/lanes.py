"""Vectors of the processor's own width in generated code: what the kernels for compressed weights are built of.

Everything here is generic vector code, which LLVM turns into what the processor has: a vector that is too wide for it
becomes two narrower ones. So the same kernels are right everywhere, and the width only decides how fast they are.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from .intrinsics import F32, I32, I64, LANES, load_f32, store_f32

#: Floats of a vector of this processor (of two, where vectors are shorter than 256 bits).
WIDTH = 16 if LANES == 16 else 8


class Emitter:
    """Writes vector instructions at the builder's place. Addresses are 64-bit integers."""

    def __init__(self, builder: Any, element: Any, width: int) -> None:
        self.builder, self.element, self.width = builder, element, width
        self.vector = ir.VectorType(element, width)

    def at(self, address: Any, index: Any, size: int) -> Any:
        """The address of an element of ``size`` bytes; index : an int or a 64-bit value"""
        if isinstance(index, int):
            return address if index == 0 else self.builder.add(address, I64(index * size))
        return self.builder.add(address, self.builder.mul(index, I64(size)))

    def load(self, address: Any) -> Any:
        return self.builder.load(self.builder.inttoptr(address, self.vector.as_pointer()), align=4)

    def store(self, value: Any, address: Any) -> None:
        self.builder.store(value, self.builder.inttoptr(address, self.vector.as_pointer()), align=4)

    def scalar(self, kind: Any, address: Any) -> Any:
        return self.builder.load(
            self.builder.inttoptr(address, kind.as_pointer()), align=kind.width // 8 if kind != F32 else 4
        )

    def splat(self, value: Any) -> Any:
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, value, I32(0))
        return self.builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(I32, self.width), [0] * self.width))

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.fma.v{self.width}f32"), [a, b, c]
        )


class Loop:
    """A counted loop with values that each turn hands to the next.

    ``with``-less on purpose: ``begin`` gives the counter and this turn's values, ``end`` takes the next turn's and gives the
    values after the last turn.
    """

    def __init__(self, builder: Any, count: Any, starts: list[Any]) -> None:
        self.builder, self.count, self.starts = builder, count, starts

    def begin(self) -> tuple[Any, list[Any]]:
        builder = self.builder
        self.before = builder.block
        self.body, self.after = builder.append_basic_block("turn"), builder.append_basic_block("turns.end")
        builder.cbranch(builder.icmp_signed(">", self.count, I64(0)), self.body, self.after)
        builder.position_at_end(self.body)
        self.counter = builder.phi(I64)
        self.values = [builder.phi(v.type) for v in self.starts]
        self.counter.add_incoming(I64(0), self.before)
        for phi, start in zip(self.values, self.starts, strict=True):
            phi.add_incoming(start, self.before)
        return self.counter, self.values

    def end(self, nexts: list[Any]) -> list[Any]:
        builder = self.builder
        last = builder.block
        following = builder.add(self.counter, I64(1))
        self.counter.add_incoming(following, last)
        for phi, value in zip(self.values, nexts, strict=True):
            phi.add_incoming(value, last)
        builder.cbranch(builder.icmp_signed("<", following, self.count), self.body, self.after)
        builder.position_at_end(self.after)
        found = []
        for start, value in zip(self.starts, nexts, strict=True):
            phi = builder.phi(start.type)
            phi.add_incoming(start, self.before)
            phi.add_incoming(value, last)
            found.append(phi)
        return found


@intrinsic
def transpose8(typingctx: Any, target: Any, target_row: Any, source: Any, source_row: Any) -> Any:
    """An 8 × 8 block of floats, turned: rows of the target and the source lie so many floats apart."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target, target_row, source, source_row = args
        e = Emitter(builder, F32, 8)
        rows = [e.load(e.at(source, builder.mul(source_row, I64(r)), 4)) for r in range(8)]

        def mix(a: Any, b: Any, pattern: list[int]) -> Any:
            return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, 8), pattern))

        low, high = [0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15]
        pairs = [mix(rows[r], rows[r + 1], p) for r in (0, 2, 4, 6) for p in (low, high)]
        first, second = [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]
        fours = [mix(pairs[b + h], pairs[b + 2 + h], p) for b in (0, 4) for h in (0, 1) for p in (first, second)]
        left, right = [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]
        for half, pattern in ((0, left), (4, right)):
            for i in range(4):
                e.store(mix(fours[i], fours[4 + i], pattern), e.at(target, builder.mul(target_row, I64(half + i)), 4))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), codegen


@njit(error_model="numpy")
def turn(target, target_row, source, source_row, rows, columns):
    """target (columns × rows) = source (rows × columns), turned; strides in floats."""
    r = 0
    while r + 8 <= rows:
        c = 0
        while c + 8 <= columns:
            transpose8(target + 4 * (c * target_row + r), target_row, source + 4 * (r * source_row + c), source_row)
            c += 8
        while c < columns:
            for i in range(8):
                store_f32(target + 4 * c * target_row, r + i, load_f32(source + 4 * (r + i) * source_row, c))
            c += 1
        r += 8
    while r < rows:
        for c in range(columns):
            store_f32(target + 4 * c * target_row, r, load_f32(source + 4 * r * source_row, c))
        r += 1
