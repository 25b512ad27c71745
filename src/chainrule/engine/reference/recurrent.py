"""Recurrent cells and attention in NumPy, one step after the other; see ops/recurrent.py for what the arrays are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ops.recurrent import given

Array = NDArray[Any]
Attrs = dict[str, Any]


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _order(steps: int, attrs: Attrs) -> list[int]:
    return list(range(steps))[:: -1 if attrs["reverse"] else 1]


def _start(extra: dict[str, Array], name: str, like: Array, units: int) -> Array:
    return np.array(extra[name]) if name in extra else np.zeros((like.shape[0], units), like.dtype)


def _counts(extra: dict[str, Array], t: int) -> Array | None:
    """Which samples count at step t, as a column."""
    return extra["mask"][:, t, None] > 0 if "mask" in extra else None


def _choose(m: Array | None, new: Array, old: Array) -> Array:
    return new if m is None else np.where(m, new, old)


def _backwards(steps: int, attrs: Attrs, extra: dict[str, Array]) -> Iterator[tuple[int, int | None, bool, Array | None]]:
    """From the last step to the first: (t, the step before or None, whether the gradient stops before it, mask)."""
    order = _order(steps, attrs)
    cut = attrs["truncate"]
    for number in reversed(range(steps)):
        t = order[number]
        before = order[number - 1] if number else None
        yield t, before, bool(cut and number and number % cut == 0), _counts(extra, t)


def simple_rnn(attrs: Attrs, a: Array, u: Array, *more: Array) -> Array:
    extra = given(more, attrs)
    h, out = _start(extra, "h0", a, len(u)), np.empty(a.shape, a.dtype)
    for t in _order(a.shape[1], attrs):
        z = a[:, t] + h @ u
        h = _choose(_counts(extra, t), np.tanh(z) if attrs["activation"] == "tanh" else np.maximum(z, 0), h)
        out[:, t] = h
    return out


def simple_rnn_backward(attrs: Attrs, h: Array, u: Array, *more: Array) -> tuple[Array, ...]:
    extra = given(more, attrs)
    da, every = np.empty_like(h), np.empty_like(h)
    dh = _start(extra, "dh_last", h, len(u))
    for t, _, cut, m in _backwards(h.shape[1], attrs, extra):
        if "dh" in extra:
            dh = dh + extra["dh"][:, t]
        every[:, t] = dh
        slope = 1 - h[:, t] ** 2 if attrs["activation"] == "tanh" else h[:, t] > 0
        da[:, t] = _choose(m, dh * slope, np.zeros_like(dh))
        dh = _choose(m, da[:, t] @ u.T, dh)
        dh = np.zeros_like(dh) if cut else dh
    return da, dh, every


def lstm(attrs: Attrs, a: Array, u: Array, *more: Array) -> tuple[Array, ...]:
    extra = given(more, attrs)
    n, steps, _ = a.shape
    units = len(u)
    h, c = _start(extra, "h0", a, units), _start(extra, "c0", a, units)
    hs, cs = np.empty((n, steps, units), a.dtype), np.empty((n, steps, units), a.dtype)
    gates = np.empty_like(a)
    for t in _order(steps, attrs):
        zi, zf, zg, zo = np.split(a[:, t] + h @ u, 4, axis=1)
        i, f, g, o = _sigmoid(zi), _sigmoid(zf), np.tanh(zg), _sigmoid(zo)
        m = _counts(extra, t)
        c = _choose(m, f * c + i * g, c)
        h = _choose(m, o * np.tanh(c), h)
        hs[:, t], cs[:, t], gates[:, t] = h, c, np.concatenate([i, f, g, o], axis=1)
    return hs, cs, gates


def lstm_backward(attrs: Attrs, c: Array, u: Array, gates: Array, *more: Array) -> tuple[Array, ...]:
    extra = given(more, attrs)
    _, steps, units = c.shape
    da, every = np.empty_like(gates), np.empty_like(c)
    dh, dc = _start(extra, "dh_last", c, units), _start(extra, "dc_last", c, units)
    first = _start(extra, "c0", c, units)
    for t, before, cut, m in _backwards(steps, attrs, extra):
        if "dh" in extra:
            dh = dh + extra["dh"][:, t]
        every[:, t] = dh
        i, f, g, o = np.split(gates[:, t], 4, axis=1)
        th, c_before = np.tanh(c[:, t]), first if before is None else c[:, before]
        d = dc + dh * o * (1 - th**2)
        parts = [d * g * i * (1 - i), d * c_before * f * (1 - f), d * i * (1 - g**2), dh * th * o * (1 - o)]
        da[:, t] = _choose(m, np.concatenate(parts, axis=1), np.zeros_like(gates[:, t]))
        dh, dc = _choose(m, da[:, t] @ u.T, dh), _choose(m, d * f, dc)
        if cut:
            dh, dc = np.zeros_like(dh), np.zeros_like(dc)
    return da, dh, dc, every


def gru(attrs: Attrs, a: Array, u: Array, *more: Array) -> tuple[Array, ...]:
    extra = given(more, attrs)
    n, steps, _ = a.shape
    units = len(u)
    h, after = _start(extra, "h0", a, units), attrs["reset"] == "after"
    hs, gates = np.empty((n, steps, units), a.dtype), np.empty((n, steps, 4 * units), a.dtype)
    for t in _order(steps, attrs):
        z_of = a[:, t]
        rz = _sigmoid(z_of[:, : 2 * units] + h @ u[:, : 2 * units])
        r, z = rz[:, :units], rz[:, units:]
        if after:
            q = h @ u[:, 2 * units :] + extra.get("bias", 0)
            new = np.tanh(z_of[:, 2 * units :] + r * q)
        else:
            q = r * h
            new = np.tanh(z_of[:, 2 * units :] + q @ u[:, 2 * units :])
        h = _choose(_counts(extra, t), (1 - z) * new + z * h, h)
        hs[:, t], gates[:, t] = h, np.concatenate([rz, new, q], axis=1)
    return hs, gates


def gru_backward(attrs: Attrs, h: Array, u: Array, gates: Array, *more: Array) -> tuple[Array, ...]:
    extra = given(more, attrs)
    n, steps, units = h.shape
    da = np.empty((n, steps, 3 * units), h.dtype)
    du, every = np.empty_like(da), np.empty_like(h)
    dh, first = _start(extra, "dh_last", h, units), _start(extra, "h0", h, units)
    for t, before, cut, m in _backwards(steps, attrs, extra):
        if "dh" in extra:
            dh = dh + extra["dh"][:, t]
        every[:, t] = dh
        r, z, new, q = np.split(gates[:, t], 4, axis=1)
        h_before = first if before is None else h[:, before]
        dn = dh * (1 - z) * (1 - new**2)
        dz = dh * (h_before - new) * z * (1 - z)
        if attrs["reset"] == "after":
            dr = dn * q * r * (1 - r)
            inner = np.concatenate([dr, dz, dn * r], axis=1)
            back = dh * z + inner @ u.T
        else:
            dq = dn @ u[:, 2 * units :].T
            dr = dq * h_before * r * (1 - r)
            inner = np.concatenate([dr, dz, dn], axis=1)
            back = dh * z + dq * r + inner[:, : 2 * units] @ u[:, : 2 * units].T
        nothing = np.zeros_like(inner)
        da[:, t] = _choose(m, np.concatenate([dr, dz, dn], axis=1), nothing)
        du[:, t] = _choose(m, inner, nothing)
        dh = _choose(m, back, dh)
        dh = np.zeros_like(dh) if cut else dh
    return da, du, dh, every


def previous(attrs: Attrs, h: Array, *more: Array) -> Array:
    first = _start(given(more, attrs), "h0", h, h.shape[2])[:, None]
    parts = [h[:, 1:], first] if attrs["reverse"] else [first, h[:, :-1]]
    return np.concatenate(parts, axis=1)


def sequence_mask(attrs: Attrs, lengths: Array) -> Array:
    return (np.arange(attrs["steps"]) < lengths[:, None]).astype(np.float32)


def attention(attrs: Attrs, q: Array, k: Array, v: Array, *more: Array) -> tuple[Array, Array]:
    extra = given(more, attrs)
    s = np.einsum("nthd,nshd->nhts", q, k) * attrs["scale"]
    queries, keys = s.shape[2:]
    seen = np.ones((1, 1, queries, keys), bool)
    if attrs["causal"]:
        seen = seen & (np.arange(keys)[None, :] - keys <= np.arange(queries)[:, None] - queries)
    if "mask" in extra:
        seen = seen & (extra["mask"][:, None, None, :] > 0)
    s = np.where(seen, s, -np.inf)
    top = s.max(axis=-1, keepdims=True)
    e = np.where(seen, np.exp(s - np.where(np.isneginf(top), 0, top)), 0)
    total = e.sum(axis=-1, keepdims=True)
    p = (e / np.where(total == 0, 1, total)).astype(q.dtype)
    kept = p * extra["keep"] if "keep" in extra else p
    return np.einsum("nhts,nshe->nthe", kept, v), p


def attention_backward(attrs: Attrs, dy: Array, q: Array, k: Array, v: Array, p: Array, *more: Array) -> tuple[Array, ...]:
    extra = given(more, attrs)
    dp = np.einsum("nthe,nshe->nhts", dy, v)
    kept = p
    if "keep" in extra:
        dp, kept = dp * extra["keep"], p * extra["keep"]
    ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) * attrs["scale"]
    dq = np.einsum("nhts,nshd->nthd", ds, k)
    dk = np.einsum("nhts,nthd->nshd", ds, q)
    return dq, dk, np.einsum("nhts,nthe->nshe", kept, dy)


KERNELS: dict[str, Callable[..., Any]] = {
    "simple_rnn": simple_rnn,
    "simple_rnn_backward": simple_rnn_backward,
    "lstm": lstm,
    "lstm_backward": lstm_backward,
    "gru": gru,
    "gru_backward": gru_backward,
    "previous": previous,
    "sequence_mask": sequence_mask,
    "attention": attention,
    "attention_backward": attention_backward,
}
