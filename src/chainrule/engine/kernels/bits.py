"""Products of signs: rows and weights of −1 and 1, one bit each (1 for 1), multiplied by exclusive or and counting bits.

Σ x w over K inputs is K − 2 · (how many differ). The weights of eight outputs lie side by side, word by word (blocks of 8
outputs, words, 8), so that a vector holds words of several outputs, a word of a row is spread over it, and no sum across a
vector is left. Bits beyond the last input are 0 on both sides and never differ.

Rows of floats are multiplied by signs without multiplications: of four inputs there are 16 sums ±a ± b ± c ± d, made once
for all outputs, and four bits of an output's word say which of them it adds. Each output adds its sums from the first to the
last, for one row as for many, so a row's numbers do not depend on the others.

Where the processor counts bits of words (AVX-512 VPOPCNTDQ) each word is counted. Elsewhere eight words are first added
digit by digit with carry-save adders (Harley and Seal), and only the digit of 8 is counted, byte by byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import cfunc, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from .intrinsics import F32, I32, I64, LANES, load_f32, load_i32, load_u8, store_i32, store_u8, word
from .lanes import Emitter, Loop, turn
from .signature import KERNEL
from .sizes import MOST_ROWS, SIGNED_ROWS
from .target import features
from .vectors import add, copy, fill

f32, i64, u8 = np.float32, np.int64, np.uint8
_FEATURES = features()
#: Outputs of a block.
BLOCK = 8
#: Words of a vector, and whether the processor counts the bits of each.
WORDS = 8 if LANES == 16 else 4
COUNTS = WORDS == 8 and bool(_FEATURES.get("avx512vpopcntdq"))
#: Words after which counts in bytes must be added up: 31 · 8 digits of at most 8 ones in a byte.
FLUSH = 248
#: Bytes of rows that stay in the first-level cache while all weights go by.
CACHED_ROWS = 16 * 1024


class _Bits(Emitter):
    """Vectors of 64-bit words."""

    def __init__(self, builder: Any, words: int) -> None:
        super().__init__(builder, I64, words)
        self.bytes = ir.VectorType(ir.IntType(8), 8 * words)

    def spread(self, address: Any) -> Any:
        return self.splat(self.builder.load(self.builder.inttoptr(address, I64.as_pointer()), align=8))

    def count(self, value: Any, kind: Any) -> Any:
        """The ones of every element of a vector of this kind."""
        name = f"llvm.ctpop.v{kind.count}i{kind.element.width}"
        function = cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(kind, [kind]), name)
        return self.builder.call(function, [self.builder.bitcast(value, kind)])

    def byte_sums(self, value: Any) -> Any:
        """Of each 64-bit word the sum of its bytes."""
        builder = self.builder
        name = {(4, True): "llvm.x86.avx2.psad.bw", (8, True): "llvm.x86.avx512.psad.bw.512"}.get(
            (self.width, bool(_FEATURES.get("avx512bw" if self.width == 8 else "avx2")))
        )
        if name is not None:
            function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(self.vector, [self.bytes] * 2), name)
            return builder.call(function, [value, ir.Constant(self.bytes, [0] * 8 * self.width)])
        words = builder.bitcast(value, self.vector)
        for shift, mask in ((8, 0x00FF00FF00FF00FF), (16, 0x0000FFFF0000FFFF), (32, 0x00000000FFFFFFFF)):
            keep, by = (ir.Constant(self.vector, [n] * self.width) for n in (mask, shift))
            words = builder.add(builder.and_(words, keep), builder.and_(builder.lshr(words, by), keep))
        return words

    def adder(self, a: Any, b: Any, c: Any) -> tuple[Any, Any]:
        """a + b + c of every bit: (digit of 1, digit of 2)."""
        builder = self.builder
        differ = builder.xor(b, c)
        return builder.xor(differ, a), builder.or_(builder.and_(b, c), builder.and_(differ, a))


def _differ_counting(rows: int, words: int) -> Any:
    """Counts of differing bits of ``rows`` rows and a block of weights, where words are counted: added to the counts."""

    @intrinsic
    def differ(typingctx: Any, counts: Any, x: Any, apart: Any, weights: Any, number: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            counts, x, apart, weights, number = args
            e = _Bits(builder, words)
            vectors = BLOCK // words
            starts = [builder.add(x, builder.mul(apart, I64(8 * r))) for r in range(rows)]
            spots = [e.at(counts, r * BLOCK + v * words, 8) for r in range(rows) for v in range(vectors)]
            loop = Loop(builder, number, [e.load(spot) for spot in spots])
            k, totals = loop.begin()
            line = e.at(weights, k, 8 * BLOCK)
            own = [e.load(e.at(line, v * words, 8)) for v in range(vectors)]
            nexts = []
            for r, start in enumerate(starts):
                one = e.spread(e.at(start, k, 8))
                for v in range(vectors):
                    found = e.count(builder.xor(one, own[v]), e.vector)
                    nexts.append(builder.add(totals[r * vectors + v], found))
            for spot, total in zip(spots, loop.end(nexts), strict=True):
                e.store(total, spot)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), codegen

    return differ


def _eight(e: _Bits, words: list[Any], digits: list[Any] | None) -> tuple[list[Any], Any]:
    """Eight words added to the digits of 1, 2 and 4 (None: all are zero): the new digits, and that of 8."""
    builder = e.builder

    def add(digit: Any, a: Any, b: Any) -> tuple[Any, Any]:
        return (builder.xor(a, b), builder.and_(a, b)) if digit is None else e.adder(digit, a, b)

    first, second, fourth = digits or [None] * 3
    twos, fours = [], []
    for i in range(0, 8, 2):
        first, two = add(first, words[i], words[i + 1])
        twos.append(two)
    for i in range(0, 4, 2):
        second, four = add(second, twos[i], twos[i + 1])
        fours.append(four)
    fourth, eight = add(fourth, *fours)
    return [first, second, fourth], eight


def _adding(e: _Bits, x: Any, own: Any, number: Any, *, many: bool = False) -> Any:
    """How many bits of a row and of one vector of outputs differ, in ``number`` words (at most FLUSH).

    Parameters
        x, own : addresses of the row and of the outputs' first words, which lie a block apart
        many : whether there are at least eight words; then the first eight need not be added to anything
    """
    builder, nothing = e.builder, ir.Constant(e.bytes, [0] * 8 * e.width)

    def differing(k: Any) -> Any:
        return builder.xor(e.spread(e.at(x, k, 8)), e.load(e.at(own, k, 8 * BLOCK)))

    digits, eighths = [ir.Constant(e.vector, [0] * e.width)] * 3, nothing
    groups = builder.lshr(number, I64(3))
    if many:
        digits, eight = _eight(e, [differing(I64(j)) for j in range(8)], None)
        eighths = e.count(eight, e.bytes)
    skipped = int(many)
    loop = Loop(builder, builder.sub(groups, I64(skipped)), [*digits, eighths])
    g, state = loop.begin()
    base = builder.mul(builder.add(g, I64(skipped)), I64(8))
    digits, eight = _eight(e, [differing(builder.add(base, I64(j))) for j in range(8)], state[:3])
    first, second, fourth, eighths = loop.end([*digits, builder.add(state[3], e.count(eight, e.bytes))])
    low = e.count(fourth, e.bytes)
    for digit in (second, first):
        low = builder.add(builder.add(low, low), e.count(digit, e.bytes))
    done = builder.mul(groups, I64(8))
    loop = Loop(builder, builder.sub(number, done), [low])
    i, (rest,) = loop.begin()
    (low,) = loop.end([builder.add(rest, e.count(differing(builder.add(done, i)), e.bytes))])
    eights = builder.shl(e.byte_sums(eighths), ir.Constant(e.vector, [3] * e.width))
    return builder.add(e.byte_sums(low), eights)


def _differ_adding(words: int) -> Any:
    """The same for one row by carry-save adders, for at most FLUSH words.

    One vector of the block after the other: the digits of two would not fit into 16 registers.
    """

    @intrinsic
    def differ(typingctx: Any, counts: Any, x: Any, weights: Any, number: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            counts, x, weights, number = args
            e = _Bits(builder, words)
            for v in range(BLOCK // words):
                spot = e.at(counts, v * words, 8)
                e.store(builder.add(e.load(spot), _adding(e, x, e.at(weights, v * words, 8), number)), spot)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 4), codegen

    return differ


def _floats(e: _Bits, target: Any, counts: Any, inputs: Any) -> None:
    """Stores inputs − 2 · count."""
    builder, to = e.builder, Emitter(e.builder, F32, e.width)
    twice = builder.shl(counts, ir.Constant(e.vector, [1] * e.width))
    value = builder.trunc(builder.sub(e.splat(inputs), twice), ir.VectorType(I32, e.width))
    to.store(builder.sitofp(value, to.vector), target)


def _block(words: int) -> Any:
    """The whole product of one row of 8 to FLUSH words and a block: eight floats."""

    @intrinsic
    def block(typingctx: Any, y: Any, x: Any, weights: Any, number: Any, inputs: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            y, x, weights, number, inputs = args
            e = _Bits(builder, words)
            for v in range(BLOCK // words):
                _floats(e, e.at(y, v * words, 4), _adding(e, x, e.at(weights, v * words, 8), number, many=True), inputs)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), codegen

    return block


@intrinsic
def _clear(typingctx: Any, counts: Any) -> Any:
    """Sets a block's counts to zero."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = _Bits(builder, BLOCK)
        e.store(ir.Constant(e.vector, [0] * BLOCK), args[0])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@intrinsic
def _finish(typingctx: Any, target: Any, counts: Any, inputs: Any) -> Any:
    """Eight floats: inputs − 2 · count."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = _Bits(builder, BLOCK)
        _floats(e, args[0], e.load(args[1]), args[2])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


def product_of(words: int, counting: bool) -> Any:
    """The product of rows and a block of weights for vectors of so many words: function(y, apart, x, between, weights,
    number, rows, inputs, outputs, memory)."""
    four, one = _differ_counting(4, words), _differ_counting(1, words)
    adding, block = _differ_adding(words), _block(words)

    @njit(error_model="numpy")
    def counted(y, apart, x, between, weights, number, rows, inputs, outputs, memory):
        """Words are counted: four rows at a time."""
        spare, r = memory + 8 * 4 * BLOCK, 0
        while r < rows:
            together = 4 if rows - r >= 4 else 1
            for i in range(together):
                _clear(memory + 8 * BLOCK * i)
            if together == 4:
                four(memory, x + 8 * r * between, between, weights, number)
            else:
                one(memory, x + 8 * r * between, between, weights, number)
            for i in range(together):
                _finish(spare, memory + 8 * BLOCK * i, inputs)
                copy(y + 4 * (r + i) * apart, spare, outputs)
            r += together

    @njit(error_model="numpy")
    def added(y, apart, x, between, weights, number, rows, inputs, outputs, memory):
        spare = memory + 8 * 4 * BLOCK
        if outputs == BLOCK and number >= 8 and number <= FLUSH:
            for r in range(rows):
                block(y + 4 * r * apart, x + 8 * r * between, weights, number, inputs)
        else:
            for r in range(rows):
                _clear(memory)
                k = 0
                while k < number:
                    adding(memory, x + 8 * (r * between + k), weights + 8 * BLOCK * k, min(FLUSH, number - k))
                    k += FLUSH
                _finish(spare, memory, inputs)
                copy(y + 4 * r * apart, spare, outputs)

    return counted if counting else added


_product = product_of(WORDS, COUNTS)


@cfunc(KERNEL, error_model="numpy")
def sign_product(args, _1, _2, _3):
    """Products of rows of signs and weights of signs, as floats.

    0 rows, 1 first and 2 last block of outputs, 3 outputs of all blocks, 4 words of a row, 5 inputs ; 6 rows' bits, 7 words
    between rows ; 8 weights' bits ; 9 output, 10 floats between its rows ; 11 working memory of 512 bytes
    """
    rows, number, inputs = word(args, 0), word(args, 4), word(args, 5)
    x, between, weights, y, apart = word(args, 6), word(args, 7), word(args, 8), word(args, 9), word(args, 10)
    step = max(1, CACHED_ROWS // (8 * max(number, 1)))
    r = 0
    while r < rows:
        count = min(step, rows - r)
        for b in range(word(args, 1), word(args, 2)):
            outputs = min(BLOCK, word(args, 3) - b * BLOCK)
            _product(
                y + 4 * (r * apart + b * BLOCK), apart, x + 8 * r * between, between, weights + 8 * BLOCK * b * number,
                number, count, inputs, outputs, word(args, 11),
            )  # fmt: skip
        r += count
    return 0


@intrinsic
def _byte(typingctx: Any, x: Any, limits: Any) -> Any:
    """Eight bits: whether x >= its limit."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = Emitter(builder, F32, BLOCK)
        mask = builder.fcmp_ordered(">=", e.load(args[0]), e.load(args[1]))
        return builder.zext(builder.bitcast(mask, ir.IntType(8)), I64)

    return types.int64(types.int64, types.int64), codegen


@cfunc(KERNEL, error_model="numpy")
def sign_product_bits(args, _1, _2, _3):
    """Products of rows of signs and weights of signs, compared with limits: bits, as ``pack_signs`` would make them.

    Words 0 to 8 as of ``sign_product`` ; 9 limits of the outputs, whole blocks of them, 10 bytes of bits that turn the
    result over ; 11 bits, 12 words between rows ; 13 working memory of 512 bytes and 32 for each of MOST_ROWS rows
    """
    rows, number, inputs = word(args, 0), word(args, 4), word(args, 5)
    x, between, weights, between_bits = word(args, 6), word(args, 7), word(args, 8), word(args, 12)
    memory = word(args, 13)
    sums = memory + 512
    blocks = (word(args, 3) + BLOCK - 1) // BLOCK
    step = min(MOST_ROWS, max(1, CACHED_ROWS // (8 * max(number, 1))))
    r = 0
    while r < rows:
        count = min(step, rows - r)
        for b in range(word(args, 1), word(args, 2)):
            _product(
                sums, BLOCK, x + 8 * r * between, between, weights + 8 * BLOCK * b * number,
                number, count, inputs, BLOCK, memory,
            )  # fmt: skip
            outputs = min(BLOCK, word(args, 3) - b * BLOCK)
            turned, mask, limits = i64(load_u8(word(args, 10), b)), (1 << outputs) - 1, word(args, 9) + 4 * BLOCK * b
            to = word(args, 11) + 8 * r * between_bits + b
            for i in range(count):
                store_u8(to, 8 * i * between_bits, u8((_byte(sums + 4 * BLOCK * i, limits) ^ turned) & mask))
            if b == blocks - 1:
                for i in range(count):
                    for k in range(1, 8 * between_bits - b):
                        store_u8(to, 8 * i * between_bits + k, u8(0))
        r += count
    return 0


# ---------------------------------------------------------------- rows of floats times signs


def _tables(lanes: int) -> Any:
    """Of 64 inputs (rows of ``lanes`` floats) the sums ±a ± b ± c ± d of each four: (16, 16, lanes)."""

    @intrinsic
    def tables(typingctx: Any, target: Any, x: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            target, x = args
            e = Emitter(builder, F32, lanes)
            loop = Loop(builder, I64(16), [])
            group, _ = loop.begin()
            line, to = e.at(x, group, 16 * lanes), e.at(target, group, 64 * lanes)
            a, b, c, d = (e.load(e.at(line, i * lanes, 4)) for i in range(4))

            def pairs(u: Any, v: Any) -> list[Any]:
                less = builder.fneg(u), u
                return [builder.fadd(one, other) for other in (builder.fneg(v), v) for one in less]

            first, second = pairs(a, b), pairs(c, d)
            for number in range(16):
                e.store(builder.fadd(first[number & 3], second[number >> 2]), e.at(to, number * lanes, 4))
            loop.end([])
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), codegen

    return tables


def _signed(lanes: int, together: int) -> Any:
    """Adds to the sums (8 outputs of ``lanes`` floats) those that the words of a block choose, ``together`` at a time."""

    @intrinsic
    def signed(typingctx: Any, sums: Any, tables: Any, words: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            sums, tables, words = args
            e = Emitter(builder, F32, lanes)
            size = 4 * lanes
            shift = size.bit_length() - 1
            mask = I64(15 << shift)
            for o in range(0, BLOCK, together):
                spots = [e.at(sums, (o + i) * lanes, 4) for i in range(together)]
                totals = [e.load(spot) for spot in spots]
                own = [e.scalar(I64, e.at(words, o + i, 8)) for i in range(together)]
                for group in range(16):
                    table = e.at(tables, 16 * group, size)
                    by = 4 * group - shift
                    for i in range(together):
                        # Four bits of the word as a distance in bytes.
                        moved = builder.lshr(own[i], I64(by)) if by >= 0 else builder.shl(own[i], I64(-by))
                        spot = builder.add(table, builder.and_(moved, mask))
                        totals[i] = builder.fadd(totals[i], e.load(spot))
                for spot, total in zip(spots, totals, strict=True):
                    e.store(total, spot)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 3), codegen

    return signed


_tables_of_rows, _tables_of_one = _tables(SIGNED_ROWS), _tables(1)
_signed_rows, _signed_one = _signed(SIGNED_ROWS, 4), _signed(1, BLOCK)


@cfunc(KERNEL, error_model="numpy")
def signed_product(args, _1, _2, _3):
    """Products of rows of floats and weights of signs.

    Words as of ``sign_product``, but 6 rows of floats, 7 floats between them ; 11 working memory for SIGNED_ROWS rows: of 64
    inputs, of their 256 sums, and of 8 sums for each block
    """
    rows, first, last, number, inputs = word(args, 0), word(args, 1), word(args, 2), word(args, 4), word(args, 5)
    between, weights, apart = word(args, 7), word(args, 8), word(args, 10)
    piece = word(args, 11)
    tables = piece + 4 * 64 * SIGNED_ROWS
    sums = tables + 4 * 256 * SIGNED_ROWS
    r = 0
    while r < rows:
        count = 1 if rows - r <= 2 else min(SIGNED_ROWS, rows - r)
        lanes = 1 if count == 1 else SIGNED_ROWS
        x, y = word(args, 6) + 4 * r * between, word(args, 9) + 4 * (r * apart + first * BLOCK)
        fill(sums, (last - first) * BLOCK * lanes, f32(0.0))
        for k in range(number):
            width = min(64, inputs - 64 * k)
            if count < lanes or width < 64:
                fill(piece, 64 * lanes, f32(0.0))
            if lanes == 1:
                copy(piece, x + 256 * k, width)
                _tables_of_one(tables, piece)
            else:
                turn(piece, lanes, x + 256 * k, between, count, width)
                _tables_of_rows(tables, piece)
            for b in range(first, last):
                to, own = sums + 4 * (b - first) * BLOCK * lanes, weights + 8 * BLOCK * (b * number + k)
                if lanes == 1:
                    _signed_one(to, tables, own)
                else:
                    _signed_rows(to, tables, own)
        outputs = min(last * BLOCK, word(args, 3)) - first * BLOCK
        if lanes == 1:
            copy(y, sums, outputs)
        else:
            turn(y, apart, sums, lanes, outputs, count)
        r += count
    return 0


# ---------------------------------------------------------------- bits of floats


@intrinsic
def _add_bit(typingctx: Any, bits: Any, x: Any, count: Any, bit: Any) -> Any:
    """bits |= bit where x >= 0, for ``count`` vectors of eight outputs (int32 each)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits, x, count, bit = args
        e, whole = Emitter(builder, F32, BLOCK), Emitter(builder, I32, BLOCK)
        one = whole.splat(builder.trunc(bit, I32))
        zero, nothing = ir.Constant(e.vector, [0.0] * BLOCK), ir.Constant(whole.vector, [0] * BLOCK)
        loop = Loop(builder, count, [])
        i, _ = loop.begin()
        spot = whole.at(bits, i, 4 * BLOCK)
        chosen = builder.fcmp_ordered(">=", e.load(e.at(x, i, 4 * BLOCK)), zero)
        whole.store(builder.or_(whole.load(spot), builder.select(chosen, one, nothing)), spot)
        loop.end([])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), codegen


@intrinsic
def _join_bits(typingctx: Any, target: Any, low: Any, high: Any) -> Any:
    """Eight words of 64 bits from eight low and eight high halves."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        half, e = Emitter(builder, I32, BLOCK), Emitter(builder, I64, BLOCK)
        low, high = (builder.zext(half.load(a), e.vector) for a in args[1:])
        e.store(builder.or_(low, builder.shl(high, ir.Constant(e.vector, [32] * BLOCK))), args[0])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 3), codegen


@cfunc(KERNEL, error_model="numpy")
def sign_bits(args, _1, _2, _3):
    """Weights (inputs, outputs) to the bits of their signs, as a ``SignMatrix`` has them: 1 where w >= 0.

    0 first and 1 last word of 64 inputs, 2 inputs, 3 outputs ; 4 weights ; 5 bits, 6 words of an output ; 7 working memory
    of 64 bytes for each block of outputs
    """
    inputs, outputs, number, memory = word(args, 2), word(args, 3), word(args, 6), word(args, 7)
    blocks, whole = (outputs + BLOCK - 1) // BLOCK, outputs // BLOCK
    for k in range(word(args, 0), word(args, 1)):
        fill(memory, 2 * BLOCK * blocks, f32(0.0))
        for i in range(min(64, inputs - 64 * k)):
            row, half = word(args, 4) + 4 * (64 * k + i) * outputs, memory + 4 * BLOCK * blocks * (i // 32)
            _add_bit(half, row, whole, i64(1) << (i % 32))
            for o in range(BLOCK * whole, outputs):
                if load_f32(row, o) >= f32(0.0):
                    store_i32(half, o, np.int32(load_i32(half, o) | (i64(1) << (i % 32))))
        for b in range(blocks):
            low = memory + 4 * BLOCK * b
            _join_bits(word(args, 5) + 8 * BLOCK * (b * number + k), low, low + 4 * BLOCK * blocks)
    return 0


@intrinsic
def _signs(typingctx: Any, x: Any, limits: Any, chosen: Any) -> Any:
    """64 bits: whether x >= its limit, or, where chosen is 0, x >= 0. NaN gives 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, limits, chosen = args
        e = Emitter(builder, F32, 8)
        zero = ir.Constant(e.vector, [0.0] * 8)
        has = builder.icmp_signed("!=", chosen, I64(0))
        # Without limits the same memory is read and not used, so that there is one path.
        spot = builder.select(has, limits, x)
        bits = I64(0)
        for i in range(8):
            limit = builder.select(has, e.load(e.at(spot, 8 * i, 4)), zero)
            mask = builder.bitcast(builder.fcmp_ordered(">=", e.load(e.at(x, 8 * i, 4)), limit), ir.IntType(8))
            bits = builder.or_(bits, builder.shl(builder.zext(mask, I64), I64(8 * i)))
        return bits

    return types.int64(types.int64, types.int64, types.int64), codegen


@intrinsic
def _set_bits(typingctx: Any, address: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[1], builder.inttoptr(args[0], I64.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@cfunc(KERNEL, error_model="numpy")
def pack_signs(args, _1, _2, _3):
    """Rows of floats to bits, 1 where x >= limit. NaN gives 0.

    0 rows, 1 channels ; 2 x, 3 floats between rows ; 4 limits of the channels (0: all are zero), 5 words whose 1 bits turn
    the result of a channel over (0: none) ; 6 bits, 7 words between rows
    """
    channels, limits, turned = word(args, 1), word(args, 4), word(args, 5)
    whole = channels // 64
    for r in range(word(args, 0)):
        x, to = word(args, 2) + 4 * r * word(args, 3), word(args, 6) + 8 * r * word(args, 7)
        for w in range(whole):
            bits = _signs(x + 256 * w, limits + 256 * w, limits)
            if turned != 0:
                bits ^= word(turned, w)
            _set_bits(to + 8 * w, bits)
        if channels > 64 * whole:
            bits = i64(0)
            for i in range(channels - 64 * whole):
                limit = load_f32(limits, 64 * whole + i) if limits != 0 else f32(0.0)
                bits |= i64(load_f32(x, 64 * whole + i) >= limit) << i
            if turned != 0:
                bits ^= word(turned, whole)
            _set_bits(to + 8 * whole, bits)
    return 0


@cfunc(KERNEL, error_model="numpy")
def bit_windows(args, _1, _2, _3):
    """Windows of packed images as rows of bits; words outside the image are 0.

    As ``image_to_columns``, in words in place of channels: 0 samples, 1 words of a pixel ; 2 to 4 sizes of the image, 5 to 7
    of the output, 8 to 10 of the window ; 11 to 13 strides, 14 to 16 padding before ; 17 image, 18 rows ; 19 to 21 dilation
    """
    samples, words = word(args, 0), word(args, 1)
    depth, height, width = word(args, 2), word(args, 3), word(args, 4)
    to = word(args, 18)
    for n in range(samples):
        own = word(args, 17) + 8 * n * depth * height * width * words
        for d in range(word(args, 5)):
            for h in range(word(args, 6)):
                for w in range(word(args, 7)):
                    for a in range(word(args, 8)):
                        z = d * word(args, 11) - word(args, 14) + a * word(args, 19)
                        for b in range(word(args, 9)):
                            y = h * word(args, 12) - word(args, 15) + b * word(args, 20)
                            for c in range(word(args, 10)):
                                x = w * word(args, 13) - word(args, 16) + c * word(args, 21)
                                if z >= 0 and z < depth and y >= 0 and y < height and x >= 0 and x < width:
                                    at = own + 8 * ((z * height + y) * width + x) * words
                                    for i in range(words):
                                        _set_bits(to + 8 * i, word(at, i))
                                else:
                                    for i in range(words):
                                        _set_bits(to + 8 * i, i64(0))
                                to += 8 * words
    return 0


@cfunc(KERNEL, error_model="numpy")
def without_border(args, _1, _2, _3):
    """Takes from the outputs of ``bit_windows`` what its words outside the image have added, as signs of −1.

    Words as there, but 1 outputs of a row, 17 what each tap adds (taps, outputs), 18 outputs
    """
    outputs, taps = word(args, 1), word(args, 17)
    y = word(args, 18)
    for _ in range(word(args, 0)):
        for d in range(word(args, 5)):
            for h in range(word(args, 6)):
                for w in range(word(args, 7)):
                    tap = taps
                    for a in range(word(args, 8)):
                        z = d * word(args, 11) - word(args, 14) + a * word(args, 19)
                        for b in range(word(args, 9)):
                            u = h * word(args, 12) - word(args, 15) + b * word(args, 20)
                            for c in range(word(args, 10)):
                                x = w * word(args, 13) - word(args, 16) + c * word(args, 21)
                                if z < 0 or z >= word(args, 2) or u < 0 or u >= word(args, 3) or x < 0 or x >= word(args, 4):
                                    add(y, tap, outputs)
                                tap += 4 * outputs
                    y += 4 * outputs
    return 0
