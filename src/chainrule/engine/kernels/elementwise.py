"""A whole fused node in one pass over memory: a small register machine whose registers are blocks of 512 elements.

A fused node becomes a program: instructions (operation, destination, up to three sources) over operands. An operand is an
array in memory, a number, a row or column that is broadcast, or a register. The machine takes a block of elements through
all instructions while it is in the first-level cache, then the next block. So any chain of elementwise equations, of
activations, losses or optimizers, is one pass over memory, and nothing is compiled when a network is built.

The block of arguments (64-bit words)
    0 rows R, 1 columns C of the iteration ; 2 number of operands ; 3 number of instructions
    4 address of operands: kind, address, spare (3 words each) ; 5 address of the code: 7 int32 an instruction
    6 address of memory for the registers: (operands + 1) × 512 floats, then (operands) words for addresses
    7, 8 address of seed and step cells for random numbers ; 9 index of the first element (of the whole array)
    10 whether accumulators start at 0, or go on from what an earlier call left
"""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit, types

from . import mathematics as mt
from .intrinsics import (
    LANES,
    bits_float,
    copysign,
    fabs,
    load_f32,
    load_i32,
    prefetch,
    root_quotient_lanes,
    set_word,
    sqrt,
    store_f32,
    word,
)
from .intrinsics import fma as fused_multiply_add
from .vectors import add, fill

#: Elements of a register.
BLOCK = 512

#: From this many columns on, the next block is fetched into the cache ahead of its use.
_LONG = 65536

#: Kinds of operands.
REGISTER, FULL, SCALAR, ROW, COLUMN, CONSTANT, INTEGERS, ACCUMULATOR = range(8)

#: Operations of the machine: the elementwise ops, two that the engine makes of pairs, and the sum of each column.
OPERATIONS = (
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "greater", "greater_equal", "equal", "where", "copy",
    "negative", "absolute", "sign", "square", "sqrt", "exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf",
    "erfc", "relu", "random_uniform", "multiply_add", "from_int", "root_quotient", "add_columns",
)  # fmt: skip
CODES = {name: i for i, name in enumerate(OPERATIONS)}
(
    _ADD, _SUB, _MUL, _DIV, _MAX, _MIN, _GT, _GE, _EQ, _WHERE, _COPY, _NEG, _ABS, _SIGN, _SQUARE, _SQRT, _EXP, _EXPM1, _LOG,
    _LOG1P, _TANH, _SIGMOID, _SOFTPLUS, _ERF, _ERFC, _RELU, _RANDOM, _FMA, _FROM_INT, _ROOT_QUOTIENT,
    _ADD_COLUMNS,
) = range(len(OPERATIONS))  # fmt: skip

f32, i32, u32, i64, u64 = np.float32, np.int32, np.uint32, np.int64, np.uint64
ONE, ZERO = f32(1.0), f32(0.0)


@njit(forceinline=True, error_model="numpy")
def _mix(x):
    x = x ^ (x >> u32(16))
    x = u32(x * u32(0x7FEB352D))
    x = x ^ (x >> u32(15))
    x = u32(x * u32(0x846CA68B))
    return x ^ (x >> u32(16))


@njit(forceinline=True, error_model="numpy")
def _keys(seed, stream, step):
    z = u64(seed) * u64(0x9E3779B97F4A7C15) + u64(step) * u64(0xD1B54A32D192ED03) + u64(stream) * u64(0x8CB92BA72F3D8DD7)
    z = (z ^ (z >> u64(30))) * u64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> u64(27))) * u64(0x94D049BB133111EB)
    return z ^ (z >> u64(31))


@njit(error_model="numpy")
def _random(d, m, first, seed, stream, step):
    key = _keys(seed, stream, step)
    low, high = u32(key & u64(0xFFFFFFFF)), u32(key >> u64(32))
    start = u32(u32(first) + low)
    for i in range(m):
        bits = _mix(_mix(u32(start + u32(i))) ^ high)
        store_f32(d, i, f32(i32(bits >> u32(8))) * f32(5.9604644775390625e-08))


@njit(error_model="numpy")
def _cheap(op, d, a, b, c, m):
    """The operations that memory speed bounds. Returns False for the others."""
    if op == _ADD:
        for i in range(m):
            store_f32(d, i, load_f32(a, i) + load_f32(b, i))
    elif op == _SUB:
        for i in range(m):
            store_f32(d, i, load_f32(a, i) - load_f32(b, i))
    elif op == _MUL:
        for i in range(m):
            store_f32(d, i, load_f32(a, i) * load_f32(b, i))
    elif op == _FMA:
        for i in range(m):
            store_f32(d, i, fused_multiply_add(load_f32(a, i), load_f32(b, i), load_f32(c, i)))
    elif op == _DIV:
        for i in range(m):
            store_f32(d, i, load_f32(a, i) / load_f32(b, i))
    elif op == _MAX:
        for i in range(m):
            x, y = load_f32(a, i), load_f32(b, i)
            store_f32(d, i, x if (x > y or x != x) else y)
    elif op == _MIN:
        for i in range(m):
            x, y = load_f32(a, i), load_f32(b, i)
            store_f32(d, i, x if (x < y or x != x) else y)
    elif op == _GT:
        for i in range(m):
            store_f32(d, i, ONE if load_f32(a, i) > load_f32(b, i) else ZERO)
    elif op == _GE:
        for i in range(m):
            store_f32(d, i, ONE if load_f32(a, i) >= load_f32(b, i) else ZERO)
    elif op == _EQ:
        for i in range(m):
            store_f32(d, i, ONE if load_f32(a, i) == load_f32(b, i) else ZERO)
    elif op == _WHERE:
        for i in range(m):
            y, z = load_f32(b, i), load_f32(c, i)
            store_f32(d, i, y if load_f32(a, i) != ZERO else z)
    elif op == _COPY:
        for i in range(m):
            store_f32(d, i, load_f32(a, i))
    elif op == _NEG:
        for i in range(m):
            store_f32(d, i, -load_f32(a, i))
    elif op == _ABS:
        for i in range(m):
            store_f32(d, i, fabs(load_f32(a, i)))
    elif op == _SIGN:
        for i in range(m):
            x = load_f32(a, i)
            store_f32(d, i, copysign(ONE, x) if x != ZERO and x == x else x)
    elif op == _SQUARE:
        for i in range(m):
            x = load_f32(a, i)
            store_f32(d, i, x * x)
    elif op == _SQRT:
        for i in range(m):
            store_f32(d, i, sqrt(load_f32(a, i)))
    elif op == _RELU:
        for i in range(m):
            x = load_f32(a, i)
            store_f32(d, i, x if (x > ZERO or x != x) else ZERO)
    elif op == _FROM_INT:
        for i in range(m):
            store_f32(d, i, f32(load_i32(a, i)))
    else:
        return False
    return True


@njit(error_model="numpy")
def _costly(op, d, a, m):
    """The transcendental operations."""
    if op == _EXP:
        for i in range(m):
            store_f32(d, i, mt.exp(load_f32(a, i)))
    elif op == _EXPM1:
        for i in range(m):
            store_f32(d, i, mt.expm1(load_f32(a, i)))
    elif op == _LOG:
        for i in range(m):
            store_f32(d, i, mt.log(load_f32(a, i)))
    elif op == _LOG1P:
        for i in range(m):
            store_f32(d, i, mt.log1p(load_f32(a, i)))
    elif op == _TANH:
        for i in range(m):
            store_f32(d, i, mt.tanh(load_f32(a, i)))
    elif op == _SIGMOID:
        for i in range(m):
            store_f32(d, i, mt.sigmoid(load_f32(a, i)))
    elif op == _SOFTPLUS:
        for i in range(m):
            store_f32(d, i, mt.softplus(load_f32(a, i)))
    elif op == _ERF:
        for i in range(m):
            store_f32(d, i, mt.erf(load_f32(a, i)))
    elif op == _ERFC:
        for i in range(m):
            store_f32(d, i, mt.erfc(load_f32(a, i)))


@njit(error_model="numpy")
def _root_quotient_plain(d, a, s, v, r, e, first, m):
    for i in range(first, m):
        below = fused_multiply_add(sqrt(load_f32(v, i)), load_f32(r, i), load_f32(e, i))
        store_f32(d, i, load_f32(a, i) * load_f32(s, i) / below)


if LANES == 16:

    @njit(error_model="numpy")
    def _root_quotient(d, a, s, v, r, e, m):
        """a s / (√v r + e): the end of Adam and its relatives, which the divider would bound."""
        whole = m // 16 * 16
        for i in range(0, whole, 16):
            root_quotient_lanes(d, a, s, v, r, e, i)
        _root_quotient_plain(d, a, s, v, r, e, whole, m)

else:

    @njit(error_model="numpy")
    def _root_quotient(d, a, s, v, r, e, m):
        _root_quotient_plain(d, a, s, v, r, e, 0, m)


@njit(error_model="numpy")
def _add_columns(total, t, x, columns, rows):
    """total += Σ of the rows of x, by way of t: short sums first, so that rounding errors do not pile up.

    Narrow rows are added several at a time, as one wide row.
    """
    group = 128 // columns
    if group > rows:
        group = rows
    if group < 1:
        group = 1
    # Counted loops: from conditions on the row LLVM makes, without AVX, a division of 128 bits that is not there.
    wide, groups = group * columns, rows // group
    _cheap(_COPY, t, x, x, x, wide)
    for g in range(1, groups):
        add(t, x + 4 * g * wide, wide)
    for j in range(1, group):
        add(t, t + 4 * j * columns, columns)
    for row in range(groups * group, rows):
        add(t, x + 4 * row * columns, columns)
    add(total, t, columns)


@njit(error_model="numpy")
def _block(args, operands, addresses, code, instructions, row, column, m, offset, rows):
    """Takes one block of m elements, whose first is element (row, column), through the program."""
    columns, count = word(args, 1), word(args, 2)
    for j in range(count):
        kind, at = word(operands, 3 * j), word(operands, 3 * j + 1)
        if kind in (FULL, INTEGERS):
            set_word(addresses, j, at + 4 * offset)
            if columns >= _LONG:
                # The operands take turns in bursts of a block, which the hardware's own prefetching does not follow.
                for line in range(BLOCK // 16):
                    prefetch(at + 4 * (offset + BLOCK) + 64 * line)
        elif kind in (ROW, ACCUMULATOR) and columns > BLOCK:
            set_word(addresses, j, at + 4 * column)
        elif kind == COLUMN:
            target = word(addresses, j)
            if columns > BLOCK:
                fill(target, m, load_f32(at, row))
            else:
                for r in range(rows):
                    fill(target + 4 * r * columns, columns, load_f32(at, row + r))
    for n in range(instructions):
        op = load_i32(code, 7 * n)
        d = word(addresses, i64(load_i32(code, 7 * n + 1)))
        a = word(addresses, i64(load_i32(code, 7 * n + 2)))
        b = word(addresses, i64(load_i32(code, 7 * n + 3)))
        if op == _RANDOM:
            seed, step = word(word(args, 7), 0), word(word(args, 8), 0)
            _random(d, m, word(args, 9) + offset, seed, load_i32(code, 7 * n + 4), step)
        elif op == _ADD_COLUMNS:
            spare = word(args, 6) + 4 * BLOCK * i64(load_i32(code, 7 * n + 1))
            _add_columns(d, spare, a, columns if columns <= BLOCK else m, rows)
        else:
            c = word(addresses, i64(load_i32(code, 7 * n + 4)))
            if op == _ROOT_QUOTIENT:
                r = word(addresses, i64(load_i32(code, 7 * n + 5)))
                e = word(addresses, i64(load_i32(code, 7 * n + 6)))
                _root_quotient(d, a, b, c, r, e, m)
            elif not _cheap(op, d, a, b, c, m):
                _costly(op, d, a, m)


@cfunc(types.int32(types.int64, types.int64, types.int64, types.int64), error_model="numpy")
def elementwise(args, _1, _2, _3):
    rows, columns, count, instructions = word(args, 0), word(args, 1), word(args, 2), word(args, 3)
    operands, code, registers = word(args, 4), word(args, 5), word(args, 6)
    addresses = registers + 4 * BLOCK * count
    per_block = BLOCK // columns if columns <= BLOCK else 1
    if per_block > rows:
        per_block = rows
    most = per_block * columns if columns <= BLOCK else i64(BLOCK)
    for j in range(count):
        kind, at = word(operands, 3 * j), word(operands, 3 * j + 1)
        own = registers + 4 * BLOCK * j
        set_word(addresses, j, own)
        if kind == ACCUMULATOR:
            set_word(addresses, j, at)
            if word(args, 10) != 0:
                fill(at, columns, ZERO)
        elif kind == SCALAR:
            fill(own, most, load_f32(at, 0))
        elif kind == CONSTANT:
            fill(own, most, bits_float(i32(at & 0xFFFFFFFF)))
        elif kind == ROW and columns <= BLOCK:
            _cheap(_COPY, own, at, at, at, columns)
            filled = columns
            while filled < most:
                more = filled if most - filled > filled else most - filled
                _cheap(_COPY, own + 4 * filled, own, own, own, more)
                filled += more
    # Short rows go several to a block, long ones in pieces; one place calls the machine, so that it is compiled once.
    pieces = 1 if columns <= BLOCK else (columns + BLOCK - 1) // BLOCK
    row, piece = 0, 0
    while row < rows:
        n, column, m = 1, piece * BLOCK, columns - piece * BLOCK
        if pieces == 1:
            n = per_block if rows - row > per_block else rows - row
            m = n * columns
        elif m > BLOCK:
            m = BLOCK
        _block(args, operands, addresses, code, instructions, row, column, m, row * columns + column, n)
        piece += 1
        if piece == pieces:
            piece = 0
            row += n
    return 0
