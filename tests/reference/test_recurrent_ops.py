"""Recurrent cells and attention on the reference engine, against loops written out sample by sample."""

from __future__ import annotations

import numpy as np
import pytest
from tests.reference.test_ops import compute

from chainrule.errors import ShapeError
from chainrule.ops import Builder, Value

RNG = np.random.default_rng(3)
N, T, H = 3, 4, 2


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cell(op, a, u, h, c, *, reset="after", bias=0.0):
    """One step of one sample."""
    if op == "simple_rnn":
        return np.tanh(a + h @ u), c
    if op == "lstm":
        z = a + h @ u
        c = sigmoid(z[H : 2 * H]) * c + sigmoid(z[:H]) * np.tanh(z[2 * H : 3 * H])
        return sigmoid(z[3 * H :]) * np.tanh(c), c
    r, z = np.split(sigmoid(a[: 2 * H] + h @ u[:, : 2 * H]), 2)
    inner = r * (h @ u[:, 2 * H :] + bias) if reset == "after" else (r * h) @ u[:, 2 * H :]
    return (1 - z) * np.tanh(a[2 * H :] + inner) + z * h, c


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("op", "gates", "more"),
    [
        ("simple_rnn", 1, {"activation": "tanh"}),
        ("lstm", 4, {}),
        ("gru", 3, {"reset": "after"}),
        ("gru", 3, {"reset": "before"}),
    ],
)
def test_cells_step_by_step(op, gates, more, reverse) -> None:
    a, u = RNG.normal(size=(N, T, gates * H)), RNG.normal(size=(H, gates * H))
    h0, c0, bias = RNG.normal(size=(N, H)), RNG.normal(size=(N, H)), RNG.normal(size=H)
    mask = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 1, 1.0]])
    extra = {"h0": h0, "mask": mask}
    if op == "lstm":
        extra = {"h0": h0, "c0": c0, "mask": mask}
    if more.get("reset") == "after":
        extra = {"bias": bias, "h0": h0, "mask": mask}
    found = compute(op, a, u, *extra.values(), given=tuple(extra), reverse=reverse, **more)
    options = {"reset": more["reset"]} if "reset" in more else {}
    if options.get("reset") == "after":
        options["bias"] = bias
    for n in range(N):
        h, c = h0[n], c0[n]
        for t in range(T)[:: -1 if reverse else 1]:
            if mask[n, t]:
                h, c = cell(op, a[n, t], u, h, c, **options)
            np.testing.assert_allclose(found[0][n, t], h, rtol=1e-12)
            if op == "lstm":
                np.testing.assert_allclose(found[1][n, t], c, rtol=1e-12)


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
@pytest.mark.parametrize("op", ["simple_rnn", "lstm", "gru"])
def test_backward_of_every_state_and_truncation(op, cut) -> None:
    """dh of every step by finite differences; with truncation, the sum over windows whose first state is held."""
    gates = {"simple_rnn": 1, "lstm": 4, "gru": 3}[op]
    attrs = {"simple_rnn": {"activation": "tanh"}, "lstm": {}, "gru": {"reset": "before"}}[op]
    a, u, r = RNG.normal(size=(1, T, gates * H)), RNG.normal(size=(H, gates * H)), RNG.normal(size=(1, T, H))
    forward = compute(op, a, u, given=(), reverse=False, **attrs)
    kept = [forward[1 if op == "lstm" else 0], u, *forward[1:][-1:]]
    found = compute(f"{op}_backward", *kept, r, given=("dh",), reverse=False, truncate=cut, **attrs)

    def loss(x, start, stop):
        """Σ r h over a window that begins with the states before it as they were."""
        states = {"h0": forward[0][:, start - 1], "c0": forward[1][:, start - 1] if op == "lstm" else None}
        states = {k: v for k, v in states.items() if v is not None} if start else {}
        h = compute(op, x[:, start:stop], u, *states.values(), given=tuple(states), reverse=False, **attrs)[0]
        return float((h * r[:, start:stop]).sum())

    windows = [(s, min(T, s + cut)) for s in range(0, T, cut)] if cut else [(0, T)]
    wanted = np.zeros_like(a)
    for place in np.ndindex(a.shape):
        for sign in (1, -1):
            x = a.copy()
            x[place] += sign * 1e-6
            wanted[place] += sign * sum(loss(x, *w) for w in windows) / 2e-6
    np.testing.assert_allclose(found[0], wanted, atol=1e-8)
    np.testing.assert_allclose(found[-1][:, -1], r[:, -1])  # dh of the last step is what came from outside


def test_previous_and_sequence_mask() -> None:
    h, h0 = RNG.normal(size=(N, T, H)), RNG.normal(size=(N, H))
    (before,) = compute("previous", h, h0, given=("h0",), reverse=False)
    np.testing.assert_array_equal(before, np.concatenate([h0[:, None], h[:, :-1]], axis=1))
    (after,) = compute("previous", h, given=(), reverse=True)
    np.testing.assert_array_equal(after, np.concatenate([h[:, 1:], np.zeros((N, 1, H))], axis=1))
    (mask,) = compute("sequence_mask", np.array([0, 2, 4, 9]), steps=4)
    np.testing.assert_array_equal(mask, [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]])


@pytest.mark.parametrize("causal", [False, True])
def test_attention_head_by_head(causal) -> None:
    q, k, v = RNG.normal(size=(N, 3, 2, 4)), RNG.normal(size=(N, 5, 2, 4)), RNG.normal(size=(N, 5, 2, 3))
    mask, keep = np.ones((N, 5)), RNG.uniform(size=(N, 2, 3, 5))
    mask[0, 3:] = mask[1] = 0
    y, p = compute("attention", q, k, v, mask, keep, given=("mask", "keep"), scale=0.5, causal=causal)
    for n, head, t in np.ndindex(N, 2, 3):
        seen = [s for s in range(5) if mask[n, s] and not (causal and s - 5 > t - 3)]
        wanted = np.zeros(5)
        if seen:
            e = np.exp(0.5 * k[n, seen, head] @ q[n, t, head])
            wanted[seen] = e / e.sum()
        np.testing.assert_allclose(p[n, head, t], wanted, rtol=1e-12)
        np.testing.assert_allclose(y[n, t, head], (wanted * keep[n, head, t]) @ v[n, :, head], rtol=1e-12, atol=1e-15)
    dy = RNG.normal(size=y.shape)
    found = compute("attention_backward", dy, q, k, v, p, keep, given=("keep",), scale=0.5)
    for number, array in enumerate((q, k, v)):
        for place in [(0, 1, 0, 2), (2, 2, 1, 0), (1, 0, 0, 1)]:
            slopes = []
            for sign in (1, -1):
                moved = [x.copy() for x in (q, k, v)]
                moved[number][place] += sign * 1e-6
                out = compute("attention", *moved, mask, keep, given=("mask", "keep"), scale=0.5, causal=causal)[0]
                slopes.append(sign * float((out * dy).sum()) / 2e-6)
            np.testing.assert_allclose(found[number][place], sum(slopes), atol=1e-7)
        assert found[number].shape == array.shape


@pytest.mark.parametrize(("emit", "words"), [
    (lambda k, v: k.lstm(v(2, 3, 8), v(2, 7)), r"recurrent weight must be \(H, 4H\). Got \(2, 7\)"),
    (lambda k, v: k.gru(v(2, 3, 8), v(2, 6), reset="after"), r"expected \(N, T, 6\) for 2 units. Got \(2, 3, 8\)"),
    (lambda k, v: k.simple_rnn(v(2, 0, 2), v(2, 2), activation="tanh"), "at least one step"),
    (lambda k, v: k.lstm(v(2, 3, 8), v(2, 8), mask=v(2, 4)), r"mask must have shape \(2, 3\). Got \(2, 4\)"),
    (lambda k, v: k.lstm(v(2, 3, 8), v(2, 8), h0=v(2, 3)), r"h0 must have shape \(2, 2\)"),
    (lambda k, v: k.sequence_mask(v(2), 3), "one int a sample"),
    (lambda k, v: k.attention(v(2, 3, 1, 4), v(2, 5, 1, 3), v(2, 5, 1, 3), scale=1.0), "expected q"),
    (lambda k, v: k.attention(v(2, 3, 1, 4), v(2, 5, 1, 4), v(2, 5, 1, 3), scale=1.0, mask=v(2, 3)), r"mask .*\(2, 5\)"),
])  # fmt: skip
def test_shapes_that_do_not_fit(emit, words) -> None:
    with pytest.raises(ShapeError, match=words):
        emit(Builder(), lambda *shape: Value(shape))


def test_rows_that_occur() -> None:
    found, place = compute("unique_rows", np.array([[4, 2], [4, -1], [9, 2]]), rows=7)
    np.testing.assert_array_equal(found, [4, 2, -1, -1, -1, -1])
    np.testing.assert_array_equal(place, [[0, 1], [0, -1], [-1, 1]])
    table = RNG.normal(size=(5, 3))
    (taken,) = compute("take_rows", table, np.array([3, -1, 0]))
    np.testing.assert_array_equal(taken, [table[3], np.zeros(3), table[0]])
    new = RNG.normal(size=(3, 3))
    (put,) = compute("put_rows", table, np.array([3, -1, 0]), new)
    np.testing.assert_array_equal(put, [new[2], table[1], table[2], new[0], table[4]])
    with pytest.raises(ShapeError, match="put_rows"):
        Builder().emit("put_rows", Value((5, 3)), Value((2,), "int"), Value((3, 3)))
