"""Attention and its backward pass, sample by sample and head by head: scores, softmax and means while they are in the cache.

Queries, keys and values lie as (samples, steps, heads, features), so a head's matrix has its rows that far apart, and
nothing is moved.
"""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit

from . import mathematics as mt
from .intrinsics import call_sgemm, load_f32, store_f32, word, word_float
from .signature import KERNEL
from .vectors import fill, max_of, scale_by, sum_of

f32 = np.float32
ZERO, ONE = f32(0.0), f32(1.0)
_INF = f32(np.inf)
_N, _T = ord("N"), ord("T")


@njit(error_model="numpy")
def _scale_masked(x, mask, n, value):
    for i in range(n):
        store_f32(x, i, load_f32(x, i) * value if load_f32(mask, i) > ZERO else -_INF)


@njit(error_model="numpy")
def _exp_from(x, n, top):
    for i in range(n):
        store_f32(x, i, mt.exp(load_f32(x, i) - top))


@njit(error_model="numpy")
def _times(d, a, b, n):
    for i in range(n):
        store_f32(d, i, load_f32(a, i) * load_f32(b, i))


@njit(error_model="numpy", fastmath={"reassoc"})
def _dot(a, b, n):
    total = f32(0.0)
    for i in range(n):
        total += load_f32(a, i) * load_f32(b, i)
    return total


@njit(error_model="numpy")
def _score_gradient(ds, p, n, mean, scale):
    for i in range(n):
        store_f32(ds, i, load_f32(p, i) * (load_f32(ds, i) - mean) * scale)


@njit(error_model="numpy")
def _probabilities(p, queries, keys, mask, scale, causal):
    """Scores to probabilities, row by row; a query that sees nothing gets zeros."""
    for t in range(queries):
        row = p + 4 * t * keys
        seen = keys
        if causal != 0:
            seen = max(0, min(keys, keys - queries + t + 1))
        top = -_INF
        if seen > 0:
            if mask != 0:
                _scale_masked(row, mask, seen, scale)
            else:
                scale_by(row, seen, scale)
            top = max_of(row, seen)
        if top == -_INF:
            fill(row, keys, ZERO)
            continue
        _exp_from(row, seen, top)
        scale_by(row, seen, ONE / sum_of(row, seen))
        fill(row + 4 * seen, keys - seen, ZERO)


@cfunc(KERNEL, error_model="numpy")
def attention(args, _1, _2, _3):
    """0 samples, 1 first and 2 last head, 3 heads, 4 queries T, 5 keys S, 6 features D of q and k, 7 E of v, 8 q, 9 k, 10 v,
    11 mask (samples × S) or 0, 12 keep (samples × heads × T × S) or 0, 13 scale, 14 causal, 15 y, 16 p, 17 memory for T × S
    floats, 18 sgemm
    """
    heads, queries, keys, d, e = word(args, 3), word(args, 4), word(args, 5), word(args, 6), word(args, 7)
    scale, memory, gemm = word_float(args, 13), word(args, 17), word(args, 18)
    for n in range(word(args, 0)):
        mask = word(args, 11) + 4 * n * keys if word(args, 11) != 0 else 0
        for head in range(word(args, 1), word(args, 2)):
            q = word(args, 8) + 4 * (n * queries * heads + head) * d
            k = word(args, 9) + 4 * (n * keys * heads + head) * d
            v = word(args, 10) + 4 * (n * keys * heads + head) * e
            y = word(args, 15) + 4 * (n * queries * heads + head) * e
            at = 4 * (n * heads + head) * queries * keys
            p = word(args, 16) + at
            status = call_sgemm(gemm, _N, _T, queries, keys, d, q, heads * d, k, heads * d, ZERO, p, keys)
            if status != 0:
                return status
            _probabilities(p, queries, keys, mask, scale, word(args, 14))
            kept = p
            if word(args, 12) != 0:
                _times(memory, p, word(args, 12) + at, queries * keys)
                kept = memory
            status = call_sgemm(gemm, _N, _N, queries, e, keys, kept, keys, v, heads * e, ZERO, y, heads * e)
            if status != 0:
                return status
    return 0


@cfunc(KERNEL, error_model="numpy")
def attention_backward(args, _1, _2, _3):
    """0 to 7 and 8 q, 9 k, 10 v as in ``attention``, 11 dy, 12 keep or 0, 13 scale, 14 p, 15 dq, 16 dk, 17 dv, 18 memory for
    2 × T × S floats, 19 sgemm
    """
    heads, queries, keys, d, e = word(args, 3), word(args, 4), word(args, 5), word(args, 6), word(args, 7)
    scale, ds, gemm = word_float(args, 13), word(args, 18), word(args, 19)
    size = queries * keys
    dropped = ds + 4 * size
    for n in range(word(args, 0)):
        for head in range(word(args, 1), word(args, 2)):
            at_q, at_k = 4 * (n * queries * heads + head), 4 * (n * keys * heads + head)
            q, k, v = word(args, 8) + at_q * d, word(args, 9) + at_k * d, word(args, 10) + at_k * e
            dy, at = word(args, 11) + at_q * e, 4 * (n * heads + head) * size
            p = word(args, 14) + at
            dq, dk, dv = word(args, 15) + at_q * d, word(args, 16) + at_k * d, word(args, 17) + at_k * e
            kept = p
            if word(args, 12) != 0:
                _times(dropped, p, word(args, 12) + at, size)
                kept = dropped
            status = call_sgemm(gemm, _T, _N, keys, e, queries, kept, keys, dy, heads * e, ZERO, dv, heads * e)
            status |= call_sgemm(gemm, _N, _T, queries, keys, e, dy, heads * e, v, heads * e, ZERO, ds, keys)
            if word(args, 12) != 0:
                _times(ds, ds, word(args, 12) + at, size)
            for t in range(queries):
                row = 4 * t * keys
                _score_gradient(ds + row, p + row, keys, _dot(ds + row, p + row, keys), scale)
            status |= call_sgemm(gemm, _N, _N, queries, d, keys, ds, keys, k, heads * d, ZERO, dq, heads * d)
            status |= call_sgemm(gemm, _T, _N, keys, d, queries, ds, keys, q, heads * d, ZERO, dk, heads * d)
            if status != 0:
                return status
    return 0
