"""Small matrix products with a matrix that is packed once and used at every step of a sequence: C += A P.

``dnnl_sgemm`` packs its operands at every call, which costs as much as the product itself when it is as small as one step of
a recurrent layer. Here P is packed for a whole sequence: its columns in panels of up to 64, each panel row after row, so
that a tile of C stays in the processor's registers while A and the panel go by.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from .intrinsics import F32, I64, LANES, load_f32, store_f32
from .sizes import VECTOR

f32 = np.float32
#: Columns of a panel: up to four vectors.
WIDEST = 4 * VECTOR
#: Rows of A that go through a panel before the next stretch of it is fetched: a stretch stays in the first-level cache.
STRETCH = 64
#: Rows of C held in registers at a time. With 32 registers of 16 floats they are of a whole panel; with 16 of 8 floats they
#: are of one vector of it, two registers: six rows of a whole panel would not fit.
_ROWS = (6, 4, 2, 1)
_WHOLE = LANES > 1


def _tile(rows: int, vectors: int) -> Any:
    """C (rows × vectors·16) += A (rows × K) P (K × vectors·16), in registers: strides in floats, P with its own."""

    @intrinsic
    def tile(typingctx: Any, c: Any, ldc: Any, a: Any, lda: Any, p: Any, step: Any, apart: Any, count: Any) -> Any:
        vector = ir.VectorType(F32, VECTOR)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            c, ldc, a, lda, p, step, apart, count = args
            fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), "llvm.fma.v16f32")
            four = I64(4)

            def at(base: Any, *offsets: Any) -> Any:
                for offset in offsets:
                    base = builder.add(base, builder.mul(offset, four))
                return base

            def load(address: Any) -> Any:
                return builder.load(builder.inttoptr(address, vector.as_pointer()), align=4)

            places = [[at(c, builder.mul(I64(r), ldc), I64(VECTOR * v)) for v in range(vectors)] for r in range(rows)]
            starts = [[load(place) for place in row] for row in places]
            sources = [builder.inttoptr(at(a, builder.mul(I64(r), lda)), F32.as_pointer()) for r in range(rows)]
            stride = builder.mul(step, four)
            before = builder.block
            loop, after = builder.append_basic_block("k"), builder.append_basic_block("k.end")
            builder.cbranch(builder.icmp_signed(">", count, I64(0)), loop, after)
            builder.position_at_end(loop)
            k, line = builder.phi(I64), builder.phi(I64)
            k.add_incoming(I64(0), before)
            line.add_incoming(p, before)
            sums = [[builder.phi(vector) for _ in row] for row in starts]
            for row, firsts in zip(sums, starts, strict=True):
                for total, first in zip(row, firsts, strict=True):
                    total.add_incoming(first, before)
            panel = [load(at(line, builder.mul(I64(v), apart))) for v in range(vectors)]
            ends: list[list[Any]] = []
            for row, source in zip(sums, sources, strict=True):
                one = builder.load(builder.gep(source, [k]), align=4)
                lanes = builder.insert_element(ir.Constant(vector, ir.Undefined), one, ir.Constant(ir.IntType(32), 0))
                pattern = ir.Constant(ir.VectorType(ir.IntType(32), VECTOR), [0] * VECTOR)
                spread = builder.shuffle_vector(lanes, ir.Constant(vector, ir.Undefined), pattern)
                ends.append([builder.call(fma, [spread, b, total]) for b, total in zip(panel, row, strict=True)])
            following, next_line = builder.add(k, I64(1)), builder.add(line, stride)
            k.add_incoming(following, loop)
            line.add_incoming(next_line, loop)
            for row, found in zip(sums, ends, strict=True):
                for total, end in zip(row, found, strict=True):
                    total.add_incoming(end, loop)
            builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
            builder.position_at_end(after)
            totals = []
            for row_starts, row_ends in zip(starts, ends, strict=True):
                for first, end in zip(row_starts, row_ends, strict=True):
                    total = builder.phi(vector)
                    total.add_incoming(first, before)
                    total.add_incoming(end, loop)
                    totals.append(total)
            for place, total in zip((place for row in places for place in row), totals, strict=True):
                builder.store(total, builder.inttoptr(place, vector.as_pointer()), align=4)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 8), codegen

    return tile


def _panel(vectors: int) -> Any:
    """The product for any number of rows."""
    t6, t4, t2, t1 = (_tile(n, vectors) for n in _ROWS)
    n6, n4, n2, _ = _ROWS

    @njit(error_model="numpy")
    def panel(c, ldc, a, lda, p, step, apart, count, rows):
        r = 0
        while r + n6 <= rows:
            t6(c + 4 * r * ldc, ldc, a + 4 * r * lda, lda, p, step, apart, count)
            r += n6
        while r + n4 <= rows:
            t4(c + 4 * r * ldc, ldc, a + 4 * r * lda, lda, p, step, apart, count)
            r += n4
        while r + n2 <= rows:
            t2(c + 4 * r * ldc, ldc, a + 4 * r * lda, lda, p, step, apart, count)
            r += n2
        while r < rows:
            t1(c + 4 * r * ldc, ldc, a + 4 * r * lda, lda, p, step, apart, count)
            r += 1

    return panel


def _by_vectors(vectors: int) -> Any:
    """The same, one vector of the panel after the other."""

    @njit(error_model="numpy")
    def panel(c, ldc, a, lda, p, step, apart, count, rows):
        for v in range(vectors):
            panel1(c + 4 * VECTOR * v, ldc, a, lda, p + 4 * apart * v, step, apart, count, rows)

    return panel


panel1 = _panel(1)
panel2, panel3, panel4 = ((_panel if _WHOLE else _by_vectors)(v) for v in (2, 3, 4))


@njit(error_model="numpy")
def pack(p, source, row_stride, column_stride, count, width):
    """Packs a (count × width) matrix into panels, each 64 columns wide, the last one a multiple of 16, filled up with
    zeros."""
    done = 0
    while done < width:
        wide = width - done
        wide = WIDEST if wide >= WIDEST else (wide + VECTOR - 1) // VECTOR * VECTOR
        for u in range(wide):
            if done + u < width:
                start = source + 4 * (done + u) * column_stride
                for k in range(count):
                    store_f32(p + 4 * u, k * wide, load_f32(start, k * row_stride))
            else:
                for k in range(count):
                    store_f32(p + 4 * u, k * wide, f32(0.0))
        p += 4 * wide * count
        done += wide


@njit(error_model="numpy")
def times_packed(c, ldc, a, lda, p, count, width, rows):
    """C (rows × width, to be read up to a multiple of 16) += A (rows × count) times a packed matrix (count × width)."""
    done = 0
    while done < width:
        wide = width - done
        wide = WIDEST if wide >= WIDEST else (wide + VECTOR - 1) // VECTOR * VECTOR
        k = 0
        while k < count:
            part = count - k
            part = STRETCH if part > STRETCH else part
            at, line, to = a + 4 * k, p + 4 * k * wide, c + 4 * done
            if wide == 64:
                panel4(to, ldc, at, lda, line, wide, VECTOR, part, rows)
            elif wide == 48:
                panel3(to, ldc, at, lda, line, wide, VECTOR, part, rows)
            elif wide == 32:
                panel2(to, ldc, at, lda, line, wide, VECTOR, part, rows)
            else:
                panel1(to, ldc, at, lda, line, wide, VECTOR, part, rows)
            k += part
        p += 4 * wide * count
        done += wide
