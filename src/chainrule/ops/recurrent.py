"""Ops over whole sequences: recurrent cells forward and backward through time, and attention.

A sequence is (N, T, I): samples, steps, features. The products of a cell with its input need no recurrence, so they are one
large matmul before it: a recurrent op takes a = x W + b of all steps, (N, T, G H) for G gates side by side, and runs the
rest step after step. Its backward op goes the other way and gives da; dW and db are again one product and one sum over all
steps.

Optional inputs come last, in the order of the attribute ``given``, which names them:

    h0, c0            states before the first step, (N, H); zeros where not given
    bias              of the recurrent product (GRU with reset="after"), (H,)
    mask              (N, T), 1 where a step counts; elsewhere the state is handed on and nothing is learned
    dh, dh_last, dc_last   gradients of all hidden states (N, T, H), of the last one, of the last cell state (N, H)

With ``reverse`` time runs from the last step to the first; "last" and "before" mean this order. ``truncate`` = k > 0 lets no
gradient pass from a step number k, 2k, 3k, ... (counted from 0) to the one before.
"""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from .value import Node, Shape, Value

Attrs = dict[str, Any]
Out = tuple[Shape, str]

#: Gates of each cell: how many times H the width of a is.
GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}


def _cell(op: str) -> str:
    return op.removesuffix("_backward")


def _sizes(op: str, a: Shape, u: Shape) -> tuple[int, int, int]:
    """N, T and H from a (or what has its shape) and the recurrent weight U."""
    gates = GATES[_cell(op)]
    if len(u) != 2 or u[1] != gates * u[0]:
        raise ShapeError(f"{op}: the recurrent weight must be (H, {gates if gates > 1 else ''}H). Got {u}.")
    if len(a) != 3 or a[2] != gates * u[0]:
        raise ShapeError(f"{op}: expected (N, T, {gates * u[0]}) for {u[0]} units. Got {a}.")
    if a[1] < 1:
        raise ShapeError(f"{op}: a sequence needs at least one step. Got {a}.")
    return a[0], a[1], u[0]


def _check_given(op: str, given: dict[str, Value], n: int, t: int, h: int) -> None:
    wanted = {"mask": (n, t), "bias": (h,), "dh": (n, t, h)}
    for name, value in given.items():
        shape = wanted.get(name, (n, h))
        if value.shape != shape:
            raise ShapeError(f"{op}: {name} must have shape {shape}. Got {value.shape}.")


def given(inputs: tuple[Any, ...], attrs: Attrs) -> dict[str, Any]:
    """The optional inputs by name."""
    names = attrs["given"]
    return dict(zip(names, inputs[len(inputs) - len(names) :], strict=True))


def forward(op: str) -> Any:
    """The shape rule of a cell: (h, what backward needs ...)."""

    def rule(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
        n, t, h = _sizes(op, inputs[0].shape, inputs[1].shape)
        _check_given(op, given(inputs, attrs), n, t, h)
        states: list[Out] = [((n, t, h), "float")]
        if op == "lstm":
            states.append(((n, t, h), "float"))
        return [*states, ((n, t, 4 * h), "float")] if op != "simple_rnn" else states

    return rule


def backward(op: str) -> Any:
    """The shape rule of a cell's backward pass: (da, ..., gradients of the first states, the gradient of every state)."""

    def rule(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
        first, u = inputs[0].shape, inputs[1].shape
        cell = _cell(op)
        n, t, h = _sizes(op, (*first[:-1], GATES[cell] * u[0]), u)
        if first != (n, t, h):
            raise ShapeError(f"{op}: expected states {(n, t, h)}. Got {first}.")
        _check_given(op, given(inputs, attrs), n, t, h)
        wide: Out = ((n, t, GATES[cell] * h), "float")
        outs: list[Out] = [wide, wide] if cell == "gru" else [wide]
        return [*outs, *[((n, h), "float")] * (2 if cell == "lstm" else 1), ((n, t, h), "float")]

    return rule


def flops(node: Node) -> int:
    """The products of every step, and 10 for each gate's elementwise part."""
    n, t, _ = node.inputs[0].shape
    h, wide = node.inputs[1].shape
    return n * t * (2 * h * wide + 10 * wide)


def previous(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    h = inputs[0].shape
    if len(h) != 3:
        raise ShapeError(f"previous: expected states (N, T, H). Got {h}.")
    _check_given("previous", given(inputs, attrs), *h)
    return [(h, "float")]


def sequence_mask(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    lengths = inputs[0]
    if lengths.ndim != 1 or lengths.dtype != "int":
        raise ShapeError(f"sequence_mask: expected one int a sample, (N,). Got {lengths.shape} of {lengths.dtype}.")
    return [((*lengths.shape, attrs["steps"]), "float")]


# ------------------------------------------------------------ attention


def attention(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    q, k, v = (x.shape for x in inputs[:3])
    if any(len(s) != 4 for s in (q, k, v)) or q[::2] != (*k[:1], k[2]) or k[:3] != v[:3] or q[3] != k[3]:
        raise ShapeError(
            f"attention: expected q (N, T, heads, D), k (N, S, heads, D) and v (N, S, heads, E). Got {q}, {k} and {v}."
        )
    if min(q[1], k[1]) < 1:
        raise ShapeError(f"attention: a sequence needs at least one step. Got q {q} and k {k}.")
    n, t, heads, s = q[0], q[1], q[2], k[1]
    wanted = {"mask": (n, s), "keep": (n, heads, t, s)}
    for name, value in given(inputs, attrs).items():
        if name in wanted and value.shape != wanted[name]:
            raise ShapeError(f"attention: {name} must have shape {wanted[name]}. Got {value.shape}.")
    return [((n, t, heads, v[3]), "float"), ((n, heads, t, s), "float")]


def attention_backward(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    dy, q, k, v, p = (x.shape for x in inputs[:5])
    if dy != (*q[:3], v[3]) or p != (q[0], q[2], q[1], k[1]):
        raise ShapeError(f"attention_backward: dy {dy} and p {p} do not fit q {q}, k {k} and v {v}.")
    return [(q, "float"), (k, "float"), (v, "float")]


def attention_flops(node: Node) -> int:
    """Two products forward, five backward (P is kept, not computed again), and softmax."""
    q, k, v = (x.shape for x in node.inputs[1 if node.op == "attention_backward" else 0 :][:3])
    pairs = q[0] * q[2] * q[1] * k[1]
    each = 2 * pairs * (q[3] + v[3])
    return each + 5 * pairs if node.op == "attention" else 2 * each + 5 * pairs
