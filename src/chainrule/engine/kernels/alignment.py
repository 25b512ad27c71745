"""Connectionist temporal classification: forward-backward in the log domain, and the error rate of the best path.

All sums of probabilities are in float64, sample by sample, so that logits of ±1e4 are as exact as small ones. States that
cannot be reached yet, or from which the end cannot be reached any more, are left out.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import cfunc, njit, types
from numba.extending import intrinsic

from .intrinsics import _loader, _storer, load_f32, load_i32, store_f32, store_i32, word
from .signature import KERNEL

f32, f64, i32, i64 = np.float32, np.float64, np.int32, np.int64
F64, I64 = ir.DoubleType(), ir.IntType(64)
load_f64, store_f64 = _loader(F64, types.float64, 8), _storer(F64, types.float64, 8)
INF, NAN = f64(np.inf), f64(np.nan)
ZERO, ONE = f64(0.0), f64(1.0)


@intrinsic
def double_bits(typingctx, x):
    """The 64 bits of a float64 as an int64."""
    return types.int64(types.float64), lambda context, builder, signature, args: builder.bitcast(args[0], I64)


@intrinsic
def bits_double(typingctx, x):
    """The float64 with these 64 bits."""
    return types.float64(types.int64), lambda context, builder, signature, args: builder.bitcast(args[0], F64)


@njit(forceinline=True, error_model="numpy")
def exp64(x):
    """eˣ for x <= 0 by x = n ln 2 + r and Taylor's series to r¹³/13!, |r| <= 0.35; 0 below −708."""
    if not x > f64(-708.0):
        return ZERO if x == x else x
    n = i64(x * f64(1.4426950408889634) - f64(0.5))
    r = x - f64(n) * f64(6.93147180369123816490e-01)
    r = r - f64(n) * f64(1.90821492927058770002e-10)
    p = r * f64(1 / 6227020800) + f64(1 / 479001600)
    p = p * r + f64(1 / 39916800)
    p = p * r + f64(1 / 3628800)
    p = p * r + f64(1 / 362880)
    p = p * r + f64(1 / 40320)
    p = p * r + f64(1 / 5040)
    p = p * r + f64(1 / 720)
    p = p * r + f64(1 / 120)
    p = p * r + f64(1 / 24)
    p = p * r + f64(1 / 6)
    p = p * r + f64(0.5)
    p = p * r + ONE
    p = p * r + ONE
    return p * bits_double((n + i64(1023)) << i64(52))


@njit(forceinline=True, error_model="numpy")
def log64(x):
    """The natural logarithm for x >= 1 by x = 2ᵉ m, m in [√½, √2), and the series of 2 artanh((m − 1) / (m + 1))."""
    if not x < INF:
        return x
    bits = double_bits(x)
    e = (bits >> i64(52)) - i64(1023)
    m = bits_double((bits & i64(0x000FFFFFFFFFFFFF)) | i64(0x3FF0000000000000))
    if m > f64(1.4142135623730951):
        m = m * f64(0.5)
        e = e + i64(1)
    s = (m - ONE) / (m + ONE)
    z = s * s
    p = z * f64(1 / 23) + f64(1 / 21)
    p = p * z + f64(1 / 19)
    p = p * z + f64(1 / 17)
    p = p * z + f64(1 / 15)
    p = p * z + f64(1 / 13)
    p = p * z + f64(1 / 11)
    p = p * z + f64(1 / 9)
    p = p * z + f64(1 / 7)
    p = p * z + f64(1 / 5)
    p = p * z + f64(1 / 3)
    p = p * z + ONE
    return f64(e) * f64(6.93147180369123816490e-01) + (f64(e) * f64(1.90821492927058770002e-10) + f64(2.0) * s * p)


@njit(error_model="numpy")
def below_one(x):
    """eˣ for x <= 0, as a summand beside 1: 0 where that is no digit of the sum."""
    return exp64(x) if not x < f64(-38.0) else ZERO


@njit(error_model="numpy")
def log_sum(a, b, c):
    """log(eᵃ + eᵇ + eᶜ), −∞ where all are."""
    top = a if a > b else b
    high, low = (a if a < b else b), c
    if c > top:
        top, low = c, top
    if top == -INF:
        return top
    return top + log64(ONE + below_one(high - top) + below_one(low - top))


@njit(error_model="numpy")
def label_of(y, state, blank):
    """The label of a state: blanks stand before, between and after the labels."""
    return blank if state % 2 == 0 else i64(load_i32(y, state // 2))


@njit(error_model="numpy")
def skips(y, state, blank):
    """Whether a state can follow the one two places before it: it is a label, and another than the label before."""
    return state % 2 == 1 and state > 1 and load_i32(y, state // 2) != load_i32(y, state // 2 - 1)


@njit(error_model="numpy")
def put_all(x, n, value):
    for i in range(n):
        store_f32(x, i, value)


@njit(error_model="numpy")
def target_length(y, longest, blank):
    """How many labels stand before the first blank."""
    length = 0
    while length < longest and load_i32(y, length) != blank:
        length += 1
    return length


@njit(error_model="numpy")
def probabilities(z, dz, counts, logs, steps, classes):
    """dz = softmax(z) at the steps that count, and 0 elsewhere; log Σ eᶻ of the former one after the other.

    Returns  the number of steps that count, or −1 where z has NaN or ∞ in one of them
    """
    valid, good = 0, True
    for t in range(steps):
        row, out = z + 4 * t * classes, dz + 4 * t * classes
        if counts != 0 and not load_f32(counts, t) > f32(0.0):
            put_all(out, classes, f32(0.0))
            continue
        top = load_f32(row, 0)
        for k in range(1, classes):
            value = load_f32(row, k)
            top = value if value > top or value != value else top
        total = ZERO
        for k in range(classes):
            total += exp64(f64(load_f32(row, k)) - f64(top))
        log_total = f64(top) + log64(total)
        # A sum of exponentials with ∞ − ∞ in it is NaN.
        good = good and log_total - log_total == ZERO
        for k in range(classes):
            store_f32(out, k, f32(exp64(f64(load_f32(row, k)) - f64(top)) / total))
        store_f64(logs, valid, log_total)
        valid += 1
    return valid if good else -1


@njit(error_model="numpy")
def forward_backward(z, y, dz, counts, logs, memory, steps, classes, length, valid, blank):
    """−ln P(y | x) of one sample; what each state has of the paths is taken from dz. ∞ where there is no path."""
    states = 2 * length + 1
    alpha, beta = memory, memory + 8 * valid * states
    ahead = beta + 8 * states
    step = 0
    for t in range(steps):
        if counts != 0 and not load_f32(counts, t) > f32(0.0):
            continue
        row, log_total = z + 4 * t * classes, load_f64(logs, step)
        a, before = alpha + 8 * step * states, alpha + 8 * (step - 1) * states
        low, high = max(0, states - 2 * (valid - step)), min(states, 2 * step + 2)
        for s in range(low, high):
            emitted = f64(load_f32(row, label_of(y, s, blank))) - log_total
            if step == 0:
                store_f64(a, s, emitted)
                continue
            reached = 2 * step  # states below it had a value before
            stay = load_f64(before, s) if s < reached else -INF
            one = load_f64(before, s - 1) if 0 < s <= reached else -INF
            two = load_f64(before, s - 2) if s > 1 and skips(y, s, blank) else -INF
            store_f64(a, s, log_sum(stay, one, two) + emitted)
        step += 1
    a = alpha + 8 * (valid - 1) * states
    last = load_f64(a, states - 1) if states <= 2 * valid else -INF
    total = log_sum(last, load_f64(a, states - 2) if states > 1 else -INF, -INF)
    if total == -INF or total != total:
        return -total
    for s in range(states):
        store_f64(beta, s, ZERO if s >= states - 2 else -INF)
    step = valid - 1
    for back in range(steps):
        t = steps - 1 - back
        if counts != 0 and not load_f32(counts, t) > f32(0.0):
            continue
        row, log_total, out = z + 4 * t * classes, load_f64(logs, step), dz + 4 * t * classes
        a = alpha + 8 * step * states
        low, high = max(0, states - 2 * (valid - step)), min(states, 2 * step + 2)
        for s in range(low, high):
            label = label_of(y, s, blank)
            share = exp64(min(ZERO, load_f64(a, s) + load_f64(beta, s) - total))
            store_f32(out, label, f32(f64(load_f32(out, label)) - share))
        # β of the step before, from that of this step and what this step emits.
        for s in range(states):
            emitted = f64(load_f32(row, label_of(y, s, blank))) - log_total
            store_f64(ahead, s, load_f64(beta, s) + emitted)
        for s in range(states):
            one = load_f64(ahead, s + 1) if s + 1 < states else -INF
            two = load_f64(ahead, s + 2) if s + 2 < states and skips(y, s + 2, blank) else -INF
            store_f64(beta, s, log_sum(load_f64(ahead, s), one, two))
        step -= 1
    return -total


@cfunc(KERNEL, error_model="numpy")
def ctc(args, _1, _2, _3):
    """0 rows, 1 T, 2 K, 3 L, 4 blank, 5 whether an impossible target has the loss 0, 6 z, 7 y, 8 mask or 0, 9 ℓ, 10 dz,
    11 memory for T + (T + 2) (2 L + 1) doubles.
    """
    rows, steps, classes, longest, blank = word(args, 0), word(args, 1), word(args, 2), word(args, 3), word(args, 4)
    zero_infinity, all_z, all_y, mask = word(args, 5), word(args, 6), word(args, 7), word(args, 8)
    losses, all_dz, memory = word(args, 9), word(args, 10), word(args, 11)
    for r in range(rows):
        z, dz, y = all_z + 4 * r * steps * classes, all_dz + 4 * r * steps * classes, all_y + 4 * r * longest
        counts = mask + 4 * r * steps if mask != 0 else mask
        valid = probabilities(z, dz, counts, memory, steps, classes)
        length = target_length(y, longest, blank)
        known, needed = True, length
        for i in range(length):
            label = load_i32(y, i)
            known = known and 0 <= label < classes
            needed += 1 if i > 0 and label == load_i32(y, i - 1) else 0
        if valid < 0 or not known:
            put_all(dz, steps * classes, f32(np.nan))
            store_f32(losses, r, f32(np.nan))
            continue
        loss = INF
        if valid == 0 and length == 0:
            loss = ZERO
        elif valid > 0 and needed <= valid:
            loss = forward_backward(z, y, dz, counts, memory, memory + 8 * steps, steps, classes, length, valid, blank)
        if loss == INF:
            put_all(dz, steps * classes, f32(0.0))
            loss = ZERO if zero_infinity != 0 else loss
        store_f32(losses, r, f32(loss))
    return 0


@cfunc(KERNEL, error_model="numpy")
def label_error_rate(args, _1, _2, _3):
    """0 rows, 1 T, 2 K, 3 L, 4 blank, 5 z, 6 y, 7 mask or 0, 8 out, 9 memory for L + 1 int32.

    One row of the table of distances is kept: that of the best path's labels so far.
    """
    rows, steps, classes, longest, blank = word(args, 0), word(args, 1), word(args, 2), word(args, 3), word(args, 4)
    all_z, all_y, mask, out, table = word(args, 5), word(args, 6), word(args, 7), word(args, 8), word(args, 9)
    for r in range(rows):
        y = all_y + 4 * r * longest
        length = target_length(y, longest, blank)
        for j in range(length + 1):
            store_i32(table, j, i32(j))
        before = i64(-1)
        for t in range(steps):
            if mask != 0 and not load_f32(mask, r * steps + t) > f32(0.0):
                continue
            row, label = all_z + 4 * (r * steps + t) * classes, i64(0)
            for k in range(1, classes):
                label = i64(k) if load_f32(row, k) > load_f32(row, label) else label
            if label != before and label != blank:
                corner = i64(load_i32(table, 0))
                store_i32(table, 0, i32(corner + 1))
                for j in range(1, length + 1):
                    above = i64(load_i32(table, j))
                    best = corner + (0 if i64(load_i32(y, j - 1)) == label else 1)
                    best = min(best, min(above, i64(load_i32(table, j - 1))) + 1)
                    store_i32(table, j, i32(best))
                    corner = above
            before = label
        store_f32(out, r, f32(load_i32(table, length)) / f32(max(1, length)))
    return 0
