"""Recurrent layers whose steps are written out in equations, one after the other, and back again."""

from __future__ import annotations

from typing import Any

from .base import Builder, Saved, Value


def walk(
    layer: Any, k: Builder, a: Value, start: dict[str, Value], mask: Value | None, drop: Value | None
) -> tuple[list[Value], Saved]:
    """Emits all steps of a recurrent layer: (every state of all steps, what ``walk_back`` needs).

    Parameters  a : (N, T, G H) ; start : first states by name ; mask : (N, T), of steps that count ; drop : factors of what
                the recurrent product sees of the state, (N, H)
    """
    n, t, width = a.shape
    states: list[Value | None] = [start.get(f"{s}0") for s in layer.carried]
    kept: list[dict[str, Any]] = [{}] * t
    after: list[list[Value]] = [[]] * t
    for i in reversed(range(t)) if layer.reverse else range(t):
        before = states[0]
        shown = before if before is None or drop is None else k.multiply(before, drop)
        new, own = layer.step(k, k.reshape(k.slice(a, 1, i, i + 1), (n, width)), shown, states)
        counts = None if mask is None else k.slice(mask, 1, i, i + 1)
        if counts is not None:  # padding hands the states on
            new = [_mixed(k, counts, one, old) for one, old in zip(new, states, strict=True)]
        kept[i] = {"own": own, "shown": shown, "counts": counts}
        after[i], states = new, list(new)
    return [_stacked(k, list(one)) for one in zip(*after, strict=True)], Saved(walked=kept, drop=drop)


def walk_back(
    layer: Any, k: Builder, saved: Saved, given: dict[str, Value | None]
) -> tuple[Value, list[Value], Value, Value | None]:
    """Emits the way back, and gives the recurrent weights their gradients. Returns  as ``run_backward`` of the layer"""
    kept, drop = saved.own.walked, saved.own.drop
    count = len(kept)
    u = k.param("recurrent_weight")
    grads: list[Value | None] = [given.get(f"d{s}_last") for s in layer.carried]
    dh_all = given["dh"]
    das: list[Value] = [u] * count
    dhs: list[Value] = [u] * count
    pairs: list[tuple[Value, Value]] = []
    order = list(range(count)) if layer.reverse else list(reversed(range(count)))
    for taken, i in enumerate(order):
        place = count - 1 - taken  # of the step in the order of time
        one = kept[i]
        if dh_all is not None:
            mine = k.reshape(k.slice(dh_all, 1, i, i + 1), (dh_all.shape[0], dh_all.shape[2]))
            grads[0] = _sum(k, grads[0], mine)
        counts = one["counts"]
        through: list[Value | None] = [None] * len(grads)
        if counts is not None:
            rest = k.subtract(1.0, counts)
            through = [None if g is None else k.multiply(g, rest) for g in grads]
            grads = [None if g is None else k.multiply(g, counts) for g in grads]
        filled = _filled(k, grads)
        dhs[i] = filled
        da, product, direct = layer.step_back(k, one["own"], grads)
        das[i] = da
        if one["shown"] is not None:
            pairs.append((one["shown"], product))
        below = k.matmul(product, u, transpose_b=True)
        if drop is not None:
            below = k.multiply(below, drop)
        grads = [_sum(k, through[0], _sum(k, direct[0], below)),
                 *(_sum(k, a, b) for a, b in zip(through[1:], direct[1:], strict=True))]  # fmt: skip
        if layer.truncate and place % layer.truncate == 0:
            grads = [None if g is None else k.multiply(g, 0.0) for g in grads]
    if pairs:
        shown, products = (k.concat(list(part), axis=0) if len(part) > 1 else part[0] for part in zip(*pairs, strict=True))
        k.grad("recurrent_weight", k.matmul(shown, products, transpose_a=True))
    else:
        k.grad("recurrent_weight", k.multiply(u, 0.0))
    layer.step_gradients(k, [one["own"] for one in kept], das)
    first = [g for g in grads if g is not None]
    return _stacked(k, das), first, _stacked(k, dhs), None


def _filled(k: Builder, grads: list[Value | None]) -> Value:
    """dh of a step; 0 where only another state has a gradient."""
    first = grads[0]
    if first is None:
        there = next(g for g in grads if g is not None)
        first = grads[0] = k.multiply(there, 0.0)
    return first


def _mixed(k: Builder, counts: Value, new: Value, old: Value | None) -> Value:
    """The new state where a step counts, else the old one."""
    return k.where_(counts, new, k.multiply(new, 0.0) if old is None else old)


def _sum(k: Builder, a: Value | None, b: Value | None) -> Value | None:
    return b if a is None else a if b is None else k.add(a, b)


def _stacked(k: Builder, steps: list[Value]) -> Value:
    """(N, H) of every step as (N, T, H)."""
    columns = [k.reshape(one, (one.shape[0], 1, one.shape[1])) for one in steps]
    return k.concat(columns, axis=1) if len(columns) > 1 else columns[0]


def slope_of_sigmoid(k: Builder, s: Value) -> Value:
    """s (1 − s)"""
    return k.multiply(s, k.subtract(1.0, s))


def part(k: Builder, a: Value, gate: int, units: int) -> Value:
    """The columns of one gate."""
    return k.slice(a, 1, gate * units, (gate + 1) * units)
