"""Recurrent cells through time: the recurrent product, all gates, the state and what backward needs, in one kernel.

A kernel takes rows of the batch, which know nothing of each other, through all steps without waiting for anybody. A product
of one step is a few register tiles with a matrix packed once (``panel.py``), and the cell works on a tile while it is in
the first-level cache. Rows go through time some at a time (ROWS), so that their states stay in the cache too.

Every block of arguments begins with 0 rows, 1 steps T, 2 units H, 3 whether time is reversed, 4 working memory,
5 mask (rows × T) or 0, 6 U, 7 h0 or 0; what follows is each kernel's. Arrays begin at the first row; an address of 0 means
that nobody asks for that array.
"""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit

from . import mathematics as mt
from .intrinsics import load_f32, load_i32, prefetch, store_f32, word
from .panel import STRETCH, pack, panel3, panel4, times_packed
from .signature import KERNEL
from .sizes import ROWS, VECTOR
from .vectors import add, copy, fill

f32 = np.float32
ZERO, ONE = f32(0.0), f32(1.0)


@njit(forceinline=True, error_model="numpy")
def padded(n):
    """n rounded up to whole vectors."""
    return (n + VECTOR - 1) // VECTOR * VECTOR


@njit(error_model="numpy")
def fetch(x, n):
    """Asks for n floats before they are needed: the rows of a batch are too many streams for the processor to foresee."""
    for line in range((n + VECTOR - 1) // VECTOR):
        prefetch(x + 4 * VECTOR * line)


@njit(error_model="numpy")
def pack_gates(p, u, units, gates):
    """U (H, gates·H) in panels of 16 units with all their gates side by side."""
    for j in range((units + VECTOR - 1) // VECTOR):
        count = min(VECTOR, units - VECTOR * j)
        for k in range(units):
            row = u + 4 * (k * gates * units + VECTOR * j)
            for g in range(gates):
                if count < VECTOR:
                    fill(p, VECTOR, ZERO)
                copy(p, row + 4 * g * units, count)
                p += 4 * VECTOR


@njit(forceinline=True, error_model="numpy")
def counts(mask, row, steps, t):
    """Whether step t of a row counts."""
    return mask == 0 or load_f32(mask, row * steps + t) > ZERO


@njit(error_model="numpy")
def load_states(d, width, x, rows, units):
    """Rows of first states into working memory; zeros where there are none."""
    for r in range(rows):
        fill(d + 4 * r * width, width, ZERO)
        if x != 0:
            copy(d + 4 * r * width, x + 4 * r * units, units)


# ---------------------------------------------------------------- long short-term memory


@njit(forceinline=True, error_model="numpy")
def _lstm_cell(z, c, h, gates, units, n):
    """n units of one row: z (4 × 16) → gates (4 × units apart), c in place, h."""
    for u in range(n):
        i = mt.quick_sigmoid(load_f32(z, u))
        f = mt.quick_sigmoid(load_f32(z, VECTOR + u))
        g = mt.quick_tanh(load_f32(z, 2 * VECTOR + u))
        o = mt.quick_sigmoid(load_f32(z, 3 * VECTOR + u))
        cell = f * load_f32(c, u) + i * g
        store_f32(c, u, cell)
        store_f32(h, u, o * mt.quick_tanh(cell))
        store_f32(gates, u, i)
        store_f32(gates, units + u, f)
        store_f32(gates, 2 * units + u, g)
        store_f32(gates, 3 * units + u, o)


@cfunc(KERNEL, error_model="numpy")
def lstm(args, _1, _2, _3):
    """8 a (rows × T × 4H), 9 c0 or 0, 10 h, 11 c or 0, 12 gates [i f g o] or 0 (may lie where a lies).

    Memory: the panels, 3 × ROWS × padded(H) floats of states, 64 × ROWS of a tile, 4H of gates that nobody keeps.
    """
    total, steps, units, reverse = word(args, 0), word(args, 1), word(args, 2), word(args, 3)
    memory, all_masks, u, all_h0 = word(args, 4), word(args, 5), word(args, 6), word(args, 7)
    all_a, all_c0, all_h, all_c, all_gates = word(args, 8), word(args, 9), word(args, 10), word(args, 11), word(args, 12)
    width, tiles = padded(units), (units + VECTOR - 1) // VECTOR
    packed = memory
    z = packed + 4 * tiles * units * 4 * VECTOR
    states = z + 4 * ROWS * 4 * VECTOR
    cells = states + 8 * ROWS * width
    spare = cells + 4 * ROWS * width
    pack_gates(packed, u, units, 4)
    for begin in range(0, total, ROWS):
        rows = min(ROWS, total - begin)
        mask = all_masks + 4 * begin * steps if all_masks != 0 else all_masks
        a, h = all_a + 16 * begin * steps * units, all_h + 4 * begin * steps * units
        c = all_c + 4 * begin * steps * units if all_c != 0 else all_c
        gates = all_gates + 16 * begin * steps * units if all_gates != 0 else all_gates
        load_states(states, width, all_h0 + 4 * begin * units if all_h0 != 0 else all_h0, rows, units)
        load_states(cells, width, all_c0 + 4 * begin * units if all_c0 != 0 else all_c0, rows, units)
        for s in range(steps):
            t = steps - 1 - s if reverse != 0 else s
            old, new = states + 4 * (s % 2) * ROWS * width, states + 4 * ((s + 1) % 2) * ROWS * width
            for j in range(tiles):
                count = min(VECTOR, units - VECTOR * j)
                for r in range(rows):
                    source = a + 4 * ((r * steps + t) * 4 * units + VECTOR * j)
                    for g in range(4):
                        copy(z + 4 * (4 * r + g) * VECTOR, source + 4 * g * units, count)
                if s > 0 or all_h0 != 0:
                    line = packed + 4 * j * units * 4 * VECTOR
                    for k in range(0, units, STRETCH):
                        part = min(STRETCH, units - k)
                        panel4(z, 4 * VECTOR, old + 4 * k, width, line + 16 * k * VECTOR, 4 * VECTOR, VECTOR, part, rows)
                for r in range(rows):
                    at = 4 * VECTOR * j
                    own = gates + 4 * (r * steps + t) * 4 * units + at if gates != 0 else spare + at
                    if counts(mask, r, steps, t):
                        row = 4 * r * width + at
                        if count == VECTOR:
                            _lstm_cell(z + 16 * r * VECTOR, cells + row, new + row, own, units, VECTOR)
                        else:
                            _lstm_cell(z + 16 * r * VECTOR, cells + row, new + row, own, units, count)
                    else:
                        copy(new + 4 * r * width + at, old + 4 * r * width + at, VECTOR)
                        if gates != 0:
                            for g in range(4):
                                fill(own + 4 * g * units, count, ZERO)
            ahead = t - 1 if reverse != 0 else t + 1
            for r in range(rows):
                if s + 1 < steps:
                    fetch(a + 16 * (r * steps + ahead) * units, 4 * units)
                    fetch(h + 4 * (r * steps + ahead) * units, units)
                    if c != 0:
                        fetch(c + 4 * (r * steps + ahead) * units, units)
                copy(h + 4 * (r * steps + t) * units, new + 4 * r * width, units)
                if c != 0:
                    copy(c + 4 * (r * steps + t) * units, cells + 4 * r * width, units)
    return 0


@njit(error_model="numpy")
def _lstm_cell_backward(c, before, gates, dh, dc, da, packed, units, far):
    """One row: da, also into working memory for the product (gates ``far`` floats apart), and dc of the step before."""
    for u in range(units):
        i, f = load_f32(gates, u), load_f32(gates, units + u)
        g, o = load_f32(gates, 2 * units + u), load_f32(gates, 3 * units + u)
        th, d = mt.quick_tanh(load_f32(c, u)), load_f32(dh, u)
        cell = load_f32(dc, u) + d * o * (ONE - th * th)
        di = cell * g * i * (ONE - i)
        df = cell * load_f32(before, u) * f * (ONE - f)
        dg = cell * i * (ONE - g * g)
        do = d * th * o * (ONE - o)
        store_f32(dc, u, cell * f)
        store_f32(da, u, di)
        store_f32(da, units + u, df)
        store_f32(da, 2 * units + u, dg)
        store_f32(da, 3 * units + u, do)
        store_f32(packed, u, di)
        store_f32(packed, far + u, df)
        store_f32(packed, 2 * far + u, dg)
        store_f32(packed, 3 * far + u, do)


@cfunc(KERNEL, error_model="numpy")
def lstm_backward(args, _1, _2, _3):
    """8 c, 9 gates, 10 c0 or 0, 11 dh or 0, 12 dh of the last state or 0, 13 dc of it or 0, 14 truncate, 15 da (may lie
    where the gates lie), 16 dh0 or 0, 17 dc0 or 0, 18 dh of every step or 0.

    Memory: the panels, (3 + 4) × ROWS × padded(H) floats, and padded(H) zeros.
    """
    total, steps, units, reverse = word(args, 0), word(args, 1), word(args, 2), word(args, 3)
    memory, all_masks, u, truncate = word(args, 4), word(args, 5), word(args, 6), word(args, 14)
    width = padded(units)
    packed = memory
    dh = packed + 16 * units * width
    following = dh + 4 * ROWS * width
    dc = following + 4 * ROWS * width
    work = dc + 4 * ROWS * width
    zeros = work + 16 * ROWS * width
    far = ROWS * width
    # dh = da Uᵀ gate after gate: each gate's part of Uᵀ is packed by itself.
    for g in range(4):
        pack(packed + 4 * g * units * width, u + 4 * g * units, 1, 4 * units, units, units)
    fill(zeros, width, ZERO)
    fill(work, 4 * far, ZERO)
    for begin in range(0, total, ROWS):
        rows = min(ROWS, total - begin)
        skip = 4 * begin * steps * units
        mask = all_masks + 4 * begin * steps if all_masks != 0 else all_masks
        c, gates, da = word(args, 8) + skip, word(args, 9) + 4 * skip, word(args, 15) + 4 * skip
        own = 4 * begin * units
        load_states(dh, width, word(args, 12) + own if word(args, 12) != 0 else 0, rows, units)
        load_states(dc, width, word(args, 13) + own if word(args, 13) != 0 else 0, rows, units)
        for s in range(steps - 1, -1, -1):
            t = steps - 1 - s if reverse != 0 else s
            back = t + 1 if reverse != 0 else t - 1
            for r in range(rows):
                row, place = 4 * r * width, r * steps + t
                if word(args, 11) != 0:
                    add(dh + row, word(args, 11) + skip + 4 * place * units, units)
                if word(args, 18) != 0:
                    copy(word(args, 18) + skip + 4 * place * units, dh + row, units)
                if counts(mask, r, steps, t):
                    before = c + 4 * (r * steps + back) * units
                    if s == 0:
                        before = word(args, 10) + own + 4 * r * units if word(args, 10) != 0 else zeros
                    if s > 0:
                        fetch(gates + 16 * (r * steps + back) * units, 4 * units)
                    if s > 1:
                        further = back + 1 if reverse != 0 else back - 1
                        fetch(c + 4 * (r * steps + further) * units, units)
                    _lstm_cell_backward(
                        c + 4 * place * units, before, gates + 16 * place * units, dh + row, dc + row,
                        da + 16 * place * units, work + row, units, far,
                    )  # fmt: skip
                    fill(following + row, width, ZERO)
                else:
                    fill(da + 16 * place * units, 4 * units, ZERO)
                    for g in range(4):
                        fill(work + 4 * g * far + row, width, ZERO)
                    copy(following + row, dh + row, width)
            if s > 0 and truncate > 0 and s % truncate == 0:
                fill(following, rows * width, ZERO)
                fill(dc, rows * width, ZERO)
            elif s > 0 or word(args, 16) != 0:
                for g in range(4):
                    part = packed + 4 * g * units * width
                    times_packed(following, width, work + 4 * g * far, width, part, units, units, rows)
            dh, following = following, dh
        for r in range(rows):
            if word(args, 16) != 0:
                copy(word(args, 16) + own + 4 * r * units, dh + 4 * r * width, units)
            if word(args, 17) != 0:
                copy(word(args, 17) + own + 4 * r * units, dc + 4 * r * width, units)
    return 0


# ---------------------------------------------------------------- gated recurrent unit


@njit(forceinline=True, error_model="numpy")
def _gru_cell(z, a, q, old, h, gates, units, n):
    """n units of one row, reset after the product: z (r, z; 16 apart) and q with the products in, a of n."""
    for u in range(n):
        r, keep, product = mt.quick_sigmoid(load_f32(z, u)), mt.quick_sigmoid(load_f32(z, VECTOR + u)), load_f32(q, u)
        new = mt.quick_tanh(load_f32(a, u) + r * product)
        store_f32(h, u, (ONE - keep) * new + keep * load_f32(old, u))
        store_f32(gates, u, r)
        store_f32(gates, units + u, keep)
        store_f32(gates, 2 * units + u, new)
        store_f32(gates, 3 * units + u, product)


@cfunc(KERNEL, error_model="numpy")
def gru_after(args, _1, _2, _3):
    """8 a (rows × T × 3H), 9 bias of the product or 0, 10 h, 11 gates [r z n q] or 0.

    Memory: the panels, 2 × ROWS × padded(H) floats of states, 48 × ROWS of a tile, 4H of gates that nobody keeps.
    """
    total, steps, units, reverse = word(args, 0), word(args, 1), word(args, 2), word(args, 3)
    memory, all_masks, u, all_h0 = word(args, 4), word(args, 5), word(args, 6), word(args, 7)
    bias, all_gates = word(args, 9), word(args, 11)
    width, tiles = padded(units), (units + VECTOR - 1) // VECTOR
    packed = memory
    z = packed + 4 * tiles * units * 3 * VECTOR
    states = z + 4 * ROWS * 3 * VECTOR
    spare = states + 8 * ROWS * width
    pack_gates(packed, u, units, 3)
    for begin in range(0, total, ROWS):
        rows = min(ROWS, total - begin)
        mask = all_masks + 4 * begin * steps if all_masks != 0 else all_masks
        a, h = word(args, 8) + 12 * begin * steps * units, word(args, 10) + 4 * begin * steps * units
        gates = all_gates + 16 * begin * steps * units if all_gates != 0 else all_gates
        load_states(states, width, all_h0 + 4 * begin * units if all_h0 != 0 else all_h0, rows, units)
        for s in range(steps):
            t = steps - 1 - s if reverse != 0 else s
            old, new = states + 4 * (s % 2) * ROWS * width, states + 4 * ((s + 1) % 2) * ROWS * width
            for j in range(tiles):
                count, at = min(VECTOR, units - VECTOR * j), 4 * VECTOR * j
                for r in range(rows):
                    source, tile = a + 4 * (r * steps + t) * 3 * units + at, z + 12 * r * VECTOR
                    copy(tile, source, count)
                    copy(tile + 4 * VECTOR, source + 4 * units, count)
                    if bias != 0:
                        copy(tile + 8 * VECTOR, bias + at, count)
                    else:
                        fill(tile + 8 * VECTOR, VECTOR, ZERO)
                if s > 0 or all_h0 != 0:
                    line = packed + 4 * j * units * 3 * VECTOR
                    for k in range(0, units, STRETCH):
                        part = min(STRETCH, units - k)
                        panel3(z, 3 * VECTOR, old + 4 * k, width, line + 12 * k * VECTOR, 3 * VECTOR, VECTOR, part, rows)
                for r in range(rows):
                    own = gates + 4 * (r * steps + t) * 4 * units + at if gates != 0 else spare + at
                    row, tile = 4 * r * width + at, z + 12 * r * VECTOR
                    if counts(mask, r, steps, t):
                        source = a + 4 * ((r * steps + t) * 3 + 2) * units + at
                        q = tile + 8 * VECTOR
                        if count == VECTOR:
                            _gru_cell(tile, source, q, old + row, new + row, own, units, VECTOR)
                        else:
                            _gru_cell(tile, source, q, old + row, new + row, own, units, count)
                    else:
                        copy(new + row, old + row, VECTOR)
                        if gates != 0:
                            for g in range(4):
                                fill(own + 4 * g * units, count, ZERO)
            ahead = t - 1 if reverse != 0 else t + 1
            for r in range(rows):
                if s + 1 < steps:
                    fetch(a + 12 * (r * steps + ahead) * units, 3 * units)
                    fetch(h + 4 * (r * steps + ahead) * units, units)
                    if gates != 0:
                        fetch(gates + 16 * (r * steps + ahead) * units, 4 * units)
                copy(h + 4 * (r * steps + t) * units, new + 4 * r * width, units)
    return 0


@njit(error_model="numpy")
def _reset_and_update(z, old, reset, gates, units):
    """One row, reset before the product: r and z from their sums (units apart), and r ⊙ h."""
    for u in range(units):
        r = mt.quick_sigmoid(load_f32(z, u))
        product = r * load_f32(old, u)
        store_f32(reset, u, product)
        store_f32(gates, u, r)
        store_f32(gates, 3 * units + u, product)
        store_f32(gates, units + u, mt.quick_sigmoid(load_f32(z, units + u)))


@njit(error_model="numpy")
def _new_and_state(sums, old, h, gates, units):
    for u in range(units):
        new, keep = mt.quick_tanh(load_f32(sums, u)), load_f32(gates, units + u)
        store_f32(gates, 2 * units + u, new)
        store_f32(h, u, (ONE - keep) * new + keep * load_f32(old, u))


@cfunc(KERNEL, error_model="numpy")
def gru_before(args, _1, _2, _3):
    """8 a (rows × T × 3H), 9 unused, 10 h, 11 gates [r z n q] or 0.

    Memory: the panels of [Uʳ Uᶻ] and Uⁿ, ROWS × (3 × padded(H) + padded(2H) + 4H) floats.
    """
    total, steps, units, reverse = word(args, 0), word(args, 1), word(args, 2), word(args, 3)
    memory, all_masks, u, all_h0 = word(args, 4), word(args, 5), word(args, 6), word(args, 7)
    all_gates = word(args, 11)
    width, double = padded(units), padded(2 * units)
    packed = memory
    packed_new = packed + 4 * units * double
    states = packed_new + 4 * units * width
    z = states + 8 * ROWS * width
    reset = z + 4 * ROWS * double
    spare = reset + 4 * ROWS * width
    pack(packed, u, 3 * units, 1, units, 2 * units)
    pack(packed_new, u + 8 * units, 3 * units, 1, units, units)
    fill(reset, ROWS * width, ZERO)
    for begin in range(0, total, ROWS):
        rows = min(ROWS, total - begin)
        mask = all_masks + 4 * begin * steps if all_masks != 0 else all_masks
        a, h = word(args, 8) + 12 * begin * steps * units, word(args, 10) + 4 * begin * steps * units
        gates = all_gates + 16 * begin * steps * units if all_gates != 0 else all_gates
        load_states(states, width, all_h0 + 4 * begin * units if all_h0 != 0 else all_h0, rows, units)
        for s in range(steps):
            t = steps - 1 - s if reverse != 0 else s
            old, new = states + 4 * (s % 2) * ROWS * width, states + 4 * ((s + 1) % 2) * ROWS * width
            first = s == 0 and all_h0 == 0
            for r in range(rows):
                copy(z + 4 * r * double, a + 12 * (r * steps + t) * units, 2 * units)
            if not first:
                times_packed(z, double, old, width, packed, units, 2 * units, rows)
            for r in range(rows):
                own = gates + 16 * (r * steps + t) * units if gates != 0 else spare + 16 * r * units
                _reset_and_update(z + 4 * r * double, old + 4 * r * width, reset + 4 * r * width, own, units)
            for r in range(rows):
                copy(z + 4 * r * double, a + 4 * ((r * steps + t) * 3 + 2) * units, units)
            if not first:
                times_packed(z, double, reset, width, packed_new, units, units, rows)
            for r in range(rows):
                own = gates + 16 * (r * steps + t) * units if gates != 0 else spare + 16 * r * units
                row = 4 * r * width
                if counts(mask, r, steps, t):
                    _new_and_state(z + 4 * r * double, old + row, new + row, own, units)
                else:
                    copy(new + row, old + row, units)
                    fill(own, 4 * units, ZERO)
                copy(h + 4 * (r * steps + t) * units, new + row, units)
    return 0


@njit(error_model="numpy")
def _gru_cell_backward(before, gates, dh, da, du, work, following, units, far):
    """One row, reset after the product: da, the gradient of the product (also into ``work``), and dh ⊙ z."""
    for u in range(units):
        r, z = load_f32(gates, u), load_f32(gates, units + u)
        new, q, d = load_f32(gates, 2 * units + u), load_f32(gates, 3 * units + u), load_f32(dh, u)
        dn = d * (ONE - z) * (ONE - new * new)
        dz = d * (load_f32(before, u) - new) * z * (ONE - z)
        dr = dn * q * r * (ONE - r)
        store_f32(da, u, dr)
        store_f32(da, units + u, dz)
        store_f32(da, 2 * units + u, dn)
        store_f32(du, u, dr)
        store_f32(du, units + u, dz)
        store_f32(du, 2 * units + u, dn * r)
        store_f32(work, u, dr)
        store_f32(work, far + u, dz)
        store_f32(work, 2 * far + u, dn * r)
        store_f32(following, u, d * z)


@njit(error_model="numpy")
def _new_backward(gates, dh, work, units):
    for u in range(units):
        new = load_f32(gates, 2 * units + u)
        store_f32(work, u, load_f32(dh, u) * (ONE - load_f32(gates, units + u)) * (ONE - new * new))


@njit(error_model="numpy")
def _reset_backward(before, gates, dh, dq, da, du, work, following, units, far):
    """One row, reset before the product; ``work`` of gate 2 holds daⁿ, dq = daⁿ Uⁿᵀ."""
    for u in range(units):
        r, z, new = load_f32(gates, u), load_f32(gates, units + u), load_f32(gates, 2 * units + u)
        d, old, q, dn = load_f32(dh, u), load_f32(before, u), load_f32(dq, u), load_f32(work, 2 * far + u)
        dr = q * old * r * (ONE - r)
        dz = d * (old - new) * z * (ONE - z)
        store_f32(da, u, dr)
        store_f32(da, units + u, dz)
        store_f32(da, 2 * units + u, dn)
        store_f32(du, u, dr)
        store_f32(du, units + u, dz)
        store_f32(du, 2 * units + u, dn)
        store_f32(work, u, dr)
        store_f32(work, far + u, dz)
        store_f32(following, u, d * z + q * r)


@cfunc(KERNEL, error_model="numpy")
def gru_backward(args, _1, _2, _3):
    """8 h, 9 gates, 10 whether the reset is before the product, 11 dh or 0, 12 dh of the last state or 0, 13 unused,
    14 truncate, 15 da, 16 dh0 or 0, 17 gradient of the product, 18 dh of every step or 0.

    Memory: the panels, (3 + 3) × ROWS × padded(H) floats, and padded(H) zeros.
    """
    total, steps, units, reverse = word(args, 0), word(args, 1), word(args, 2), word(args, 3)
    memory, all_masks, u, truncate = word(args, 4), word(args, 5), word(args, 6), word(args, 14)
    first_states, reset_first = word(args, 7), word(args, 10)
    width = padded(units)
    packed = memory
    dh = packed + 12 * units * width
    following = dh + 4 * ROWS * width
    dq = following + 4 * ROWS * width
    work = dq + 4 * ROWS * width
    zeros = work + 12 * ROWS * width
    far = ROWS * width
    for g in range(3):
        pack(packed + 4 * g * units * width, u + 4 * g * units, 1, 3 * units, units, units)
    fill(zeros, width, ZERO)
    fill(work, 3 * far, ZERO)
    for begin in range(0, total, ROWS):
        rows = min(ROWS, total - begin)
        skip, own = 4 * begin * steps * units, 4 * begin * units
        mask = all_masks + 4 * begin * steps if all_masks != 0 else all_masks
        h, gates = word(args, 8) + skip, word(args, 9) + 4 * skip
        da, du = word(args, 15) + 3 * skip, word(args, 17) + 3 * skip
        load_states(dh, width, word(args, 12) + own if word(args, 12) != 0 else 0, rows, units)
        for s in range(steps - 1, -1, -1):
            t = steps - 1 - s if reverse != 0 else s
            back = t + 1 if reverse != 0 else t - 1
            for r in range(rows):
                row, place = 4 * r * width, r * steps + t
                if word(args, 11) != 0:
                    add(dh + row, word(args, 11) + skip + 4 * place * units, units)
                if word(args, 18) != 0:
                    copy(word(args, 18) + skip + 4 * place * units, dh + row, units)
                if reset_first != 0 and counts(mask, r, steps, t):
                    _new_backward(gates + 16 * place * units, dh + row, work + 8 * far + row, units)
            if reset_first != 0:
                fill(dq, rows * width, ZERO)
                times_packed(dq, width, work + 8 * far, width, packed + 8 * units * width, units, units, rows)
            for r in range(rows):
                row, place = 4 * r * width, r * steps + t
                if counts(mask, r, steps, t):
                    before = h + 4 * (r * steps + back) * units
                    if s == 0:
                        before = first_states + own + 4 * r * units if first_states != 0 else zeros
                    fill(following + row, width, ZERO)
                    if s > 0:
                        fetch(gates + 16 * (r * steps + back) * units, 4 * units)
                        fetch(da + 12 * (r * steps + back) * units, 3 * units)
                        fetch(du + 12 * (r * steps + back) * units, 3 * units)
                    if reset_first != 0:
                        _reset_backward(
                            before, gates + 16 * place * units, dh + row, dq + row, da + 12 * place * units,
                            du + 12 * place * units, work + row, following + row, units, far,
                        )  # fmt: skip
                    else:
                        _gru_cell_backward(
                            before, gates + 16 * place * units, dh + row, da + 12 * place * units,
                            du + 12 * place * units, work + row, following + row, units, far,
                        )  # fmt: skip
                else:
                    fill(da + 12 * place * units, 3 * units, ZERO)
                    fill(du + 12 * place * units, 3 * units, ZERO)
                    for g in range(3):
                        fill(work + 4 * g * far + row, width, ZERO)
                    copy(following + row, dh + row, width)
            if s > 0 and truncate > 0 and s % truncate == 0:
                fill(following, rows * width, ZERO)
            elif s > 0 or word(args, 16) != 0:
                for g in range(2 if reset_first != 0 else 3):
                    part = packed + 4 * g * units * width
                    times_packed(following, width, work + 4 * g * far, width, part, units, units, rows)
            dh, following = following, dh
        if word(args, 16) != 0:
            for r in range(rows):
                copy(word(args, 16) + own + 4 * r * units, dh + 4 * r * width, units)
    return 0


# ---------------------------------------------------------------- the simple cell


@njit(error_model="numpy")
def _activate(z, h, units, relu):
    for u in range(units):
        v = load_f32(z, u)
        store_f32(h, u, (v if v > ZERO or v != v else ZERO) if relu != 0 else mt.quick_tanh(v))


@cfunc(KERNEL, error_model="numpy")
def simple_rnn(args, _1, _2, _3):
    """8 a (rows × T × H), 9 whether the activation is ReLU, 10 h.  Memory: the panels, 3 × ROWS × padded(H) floats."""
    total, steps, units, reverse = word(args, 0), word(args, 1), word(args, 2), word(args, 3)
    memory, all_masks, u, all_h0 = word(args, 4), word(args, 5), word(args, 6), word(args, 7)
    relu, width = word(args, 9), padded(units)
    packed = memory
    states = packed + 4 * units * width
    z = states + 8 * ROWS * width
    pack(packed, u, units, 1, units, units)
    for begin in range(0, total, ROWS):
        rows = min(ROWS, total - begin)
        mask = all_masks + 4 * begin * steps if all_masks != 0 else all_masks
        a, h = word(args, 8) + 4 * begin * steps * units, word(args, 10) + 4 * begin * steps * units
        load_states(states, width, all_h0 + 4 * begin * units if all_h0 != 0 else all_h0, rows, units)
        for s in range(steps):
            t = steps - 1 - s if reverse != 0 else s
            old, new = states + 4 * (s % 2) * ROWS * width, states + 4 * ((s + 1) % 2) * ROWS * width
            for r in range(rows):
                copy(z + 4 * r * width, a + 4 * (r * steps + t) * units, units)
            if s > 0 or all_h0 != 0:
                times_packed(z, width, old, width, packed, units, units, rows)
            for r in range(rows):
                row = 4 * r * width
                if counts(mask, r, steps, t):
                    _activate(z + row, new + row, units, relu)
                else:
                    copy(new + row, old + row, units)
                copy(h + 4 * (r * steps + t) * units, new + row, units)
    return 0


@njit(error_model="numpy")
def _activate_backward(h, dh, da, work, units, relu):
    for u in range(units):
        y, d = load_f32(h, u), load_f32(dh, u)
        v = (d if y > ZERO else ZERO) if relu != 0 else d * (ONE - y * y)
        store_f32(da, u, v)
        store_f32(work, u, v)


@cfunc(KERNEL, error_model="numpy")
def simple_rnn_backward(args, _1, _2, _3):
    """8 h, 9 whether the activation is ReLU, 10 unused, 11 dh or 0, 12 dh of the last state or 0, 13 unused, 14 truncate,
    15 da, 16 dh0 or 0, 17 unused, 18 dh of every step or 0.  Memory: the panels, 3 × ROWS × padded(H) floats."""
    total, steps, units, reverse = word(args, 0), word(args, 1), word(args, 2), word(args, 3)
    memory, all_masks, u, truncate = word(args, 4), word(args, 5), word(args, 6), word(args, 14)
    width = padded(units)
    packed = memory
    dh = packed + 4 * units * width
    following = dh + 4 * ROWS * width
    work = following + 4 * ROWS * width
    pack(packed, u, 1, units, units, units)
    fill(work, ROWS * width, ZERO)
    for begin in range(0, total, ROWS):
        rows = min(ROWS, total - begin)
        skip, own = 4 * begin * steps * units, 4 * begin * units
        mask = all_masks + 4 * begin * steps if all_masks != 0 else all_masks
        h, da = word(args, 8) + skip, word(args, 15) + skip
        load_states(dh, width, word(args, 12) + own if word(args, 12) != 0 else 0, rows, units)
        for s in range(steps - 1, -1, -1):
            t = steps - 1 - s if reverse != 0 else s
            for r in range(rows):
                row, place = 4 * r * width, 4 * (r * steps + t) * units
                if word(args, 11) != 0:
                    add(dh + row, word(args, 11) + skip + place, units)
                if word(args, 18) != 0:
                    copy(word(args, 18) + skip + place, dh + row, units)
                if counts(mask, r, steps, t):
                    _activate_backward(h + place, dh + row, da + place, work + row, units, word(args, 9))
                    fill(following + row, width, ZERO)
                else:
                    fill(da + place, units, ZERO)
                    fill(work + row, width, ZERO)
                    copy(following + row, dh + row, width)
            if s > 0 and truncate > 0 and s % truncate == 0:
                fill(following, rows * width, ZERO)
            elif s > 0 or word(args, 16) != 0:
                times_packed(following, width, work, width, packed, units, units, rows)
            dh, following = following, dh
        if word(args, 16) != 0:
            for r in range(rows):
                copy(word(args, 16) + own + 4 * r * units, dh + 4 * r * width, units)
    return 0


# ---------------------------------------------------------------- the states one step before, and masks of lengths


@cfunc(KERNEL, error_model="numpy")
def previous_states(args, _1, _2, _3):
    """0 rows, 1 steps, 2 units, 3 whether time is reversed, 4 h, 5 h0 or 0, 6 output."""
    steps, units, reverse, first = word(args, 1), word(args, 2), word(args, 3), word(args, 5)
    for r in range(word(args, 0)):
        at = 4 * r * steps * units
        shift, rest = (at, at + 4 * units) if reverse != 0 else (at + 4 * units, at)
        copy(word(args, 6) + shift, word(args, 4) + rest, (steps - 1) * units)
        start = word(args, 6) + at + (4 * (steps - 1) * units if reverse != 0 else 0)
        if first != 0:
            copy(start, first + 4 * r * units, units)
        else:
            fill(start, units, ZERO)
    return 0


@cfunc(KERNEL, error_model="numpy")
def sequence_mask(args, _1, _2, _3):
    """0 rows, 1 steps, 2 lengths (int32), 3 output."""
    for r in range(word(args, 0)):
        length = load_i32(word(args, 2), r)
        for t in range(word(args, 1)):
            store_f32(word(args, 3), r * word(args, 1) + t, ONE if t < length else ZERO)
    return 0
