"""Recurrent layers, whose gates other libraries keep in other orders."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ModelFileError
from ...layers import GRU, LSTM, Concat, Layer, Masking, SimpleRNN
from ..foreign import Array, ForeignNode
from ..translate import Traced, Translator, operator
from .moving import cut_axis

#: Ours from ONNX's: LSTM i f g o from i o f c; GRU r z n from z r h.
_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
#: The states that a node has, by the places of its inputs.
_STATES = {"LSTM": (5, 6), "GRU": (5,), "RNN": (5,)}


def _gated(array: Array, gates: tuple[int, ...]) -> Array:
    """(gates H, ...) of the file as (..., gates H) of ours."""
    parts = np.split(array, len(gates))
    return np.concatenate([parts[g] for g in gates]).T


@operator("LSTM", "GRU", "RNN")
def recurrent(t: Translator, node: ForeignNode) -> None:
    x, a = t.settled(t.get(0)), node.attributes
    w, r, b, peepholes = t.numbers(1), t.numbers(2), t.numbers(3), t.numbers(7)
    assert w is not None and r is not None
    hidden, directions = int(a["hidden_size"]), w.shape[0]
    layout = int(a.get("layout", 0))
    wanted = (0, 1, 2) if layout else (1, 0, 2)
    if x.order != wanted:
        x = t.ordered(x, wanted)
    plain = _activation(node, directions)
    if "clip" in a or int(a.get("input_forget", 0)):
        raise ModelFileError("clip and input_forget are not supported.")
    every, ends = bool(node.outputs[0]), [bool(name) for name in node.outputs[1:]]
    if not every and not any(ends):
        raise ModelFileError("nothing that it computes is used.")
    samples, steps = x.shape[x.order[0]], x.shape[x.order[1]]
    x = _masked(t, node, x)
    # One state alone is what the layer gives where it does not give all steps.
    states = any(ends) and (every or any(ends[1:]))
    gates, start = _GATES[node.op], _start(t, node, x, directions, hidden, layout)
    made: list[list[Traced]] = []
    for d in range(directions):
        backwards = d == 1 or a.get("direction") == "reverse"
        weights = {"weight": _gated(w[d], gates), "recurrent_weight": _gated(r[d], gates)}
        if peepholes is not None and peepholes[d].any():
            i, o, f = np.split(peepholes[d], 3)
            weights["peephole"] = np.stack([i, f, o])
        two = np.zeros((2, len(gates) * hidden), np.float32) if b is None else b[d].reshape(2, -1)
        options = {"return_sequences": every, "reverse": backwards, "return_state": states}
        layer = _layer(node, hidden, plain, weights, two, gates, options)
        # Followed as (samples, steps, units), or (samples, units), until it is complete.
        first = (samples, steps, hidden) if every else (samples, hidden)
        shapes = [first, *[(samples, hidden)] * (len(_STATES[node.op]) if states else 0)]
        made.append(t.apply_several(layer, x, *start[d], shapes=shapes, weights=weights, called=node.name))
    if every:
        joined = made[0][0]
        if directions > 1:
            both = [way[0] for way in made]
            joined = t.apply(Concat(), *both, shape=(samples, steps, 2 * hidden), order=(0, 1, 2))
        _put_steps(t, joined, steps, samples, directions, hidden, layout)
    for place, asked in enumerate(ends, 1):
        if not asked:
            continue
        last = [way[place] if states else way[0] for way in made]
        joined = last[0] if directions == 1 else t.apply(Concat(), *last, shape=(samples, 2 * hidden), order=(0, 1))
        state = t.reshape(joined, (samples, directions, hidden))
        order = (0, 1, 2) if layout else (1, 0, 2)
        shape = tuple(state.shape[i] for i in order)
        t.put(Traced(shape, tensor=state.tensor, order=order, made_by=state.made_by), place)


def _activation(node: ForeignNode, directions: int) -> str:
    """The activation of a plain cell; those of gates are always the same."""
    given = [str(v).lower() for v in node.attributes.get("activations", [])]
    expected = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"], "RNN": ["tanh"]}[node.op] * directions
    if node.op == "RNN" and given and set(given) == {"relu"}:
        return "relu"
    if given and given != expected:
        raise ModelFileError(f"the activations {given} are not supported.")
    return "tanh"


def _masked(t: Translator, node: ForeignNode, x: Traced) -> Traced:
    """The sequences with what the file says of their lengths."""
    if not node.given(4):
        return x
    lengths = t.get(4)
    if lengths.constant:
        steps = x.shape[x.order[1]]
        if not np.all(np.asarray(lengths.array) == steps):
            raise ModelFileError("the lengths of its sequences are constants that leave steps out, which is not supported.")
        return x
    if lengths.rank != 1 or lengths.tensor is None or lengths.tensor.dtype != "int":
        raise ModelFileError("the lengths of its sequences must be an input of whole numbers.")
    return t.apply(Masking(), x, lengths, shape=x.shape, order=x.order)


def _start(t: Translator, node: ForeignNode, x: Traced, directions: int, hidden: int, layout: int) -> list[list[Traced]]:
    """The first states of each direction, none where all are 0."""
    places = _STATES[node.op]
    given = [t.get(i) if node.given(i) else None for i in places]
    if all(s is None or (s.constant and not np.asarray(s.array).any()) for s in given):
        return [[]] * directions
    samples = x.shape[x.order[0]]
    found: list[list[Traced]] = [[] for _ in range(directions)]
    for state in given:
        for d in range(directions):
            found[d].append(_first_state(t, state, x, d, samples, hidden, layout))
    return found


def _first_state(t: Translator, state: Traced | None, x: Traced, d: int, samples: Any, hidden: int, layout: int) -> Traced:
    if state is None or state.array is not None:
        array = np.zeros((1, 1, hidden), np.float32) if state is None else np.asarray(state.array, np.float32)
        # (directions, samples, units), or with layout 1 (samples, directions, units)
        own = array[:, d if state is not None else 0] if layout else array[d if state is not None else 0]
        if len(own) != 1 and (own != own[:1]).any():
            raise ModelFileError("its first states are constants that differ between samples.")
        return t.same_for_all(own[:1], x)
    axis = 1 if layout else 0
    one = cut_axis(t, state, axis, d, d + 1) if state.shape[axis] != 1 else state
    flat = t.reshape(one, tuple(s for i, s in enumerate(one.shape) if i != axis))
    return t.ordered(flat, (0, 1))


def _put_steps(
    t: Translator, x: Traced, steps: Any, samples: Any, directions: int, hidden: int, layout: int
) -> None:  # fmt: skip
    """(steps, directions, samples, units) of the file, or (samples, steps, directions, units) with layout 1."""
    whole = t.reshape(x, (samples, steps, directions, hidden))
    if layout:
        t.put(whole)
        return
    shape = (steps, directions, samples, hidden)
    t.put(Traced(shape, tensor=whole.tensor, order=(2, 0, 1, 3), made_by=whole.made_by))


def _layer(
    node: ForeignNode, hidden: int, plain: str, weights: dict[str, Array], b: Array, gates: tuple[int, ...],
    options: dict[str, Any],
) -> Layer:  # fmt: skip
    own, recurrent_bias = (_gated(v[:, None], gates).reshape(-1) for v in b)
    if node.op == "LSTM":
        weights["bias"] = own + recurrent_bias
        return LSTM(hidden, peepholes="peephole" in weights, **options)
    if node.op == "RNN":
        weights["bias"] = own + recurrent_bias
        return SimpleRNN(hidden, activation=plain, **options)
    if int(node.attributes.get("linear_before_reset", 0)):
        # The bias of the candidate that the reset gate cuts stands by itself.
        joint = own.copy()
        joint[: 2 * hidden] += recurrent_bias[: 2 * hidden]
        weights["bias"], weights["recurrent_bias"] = joint, recurrent_bias[2 * hidden :]
        return GRU(hidden, reset="after", **options)
    weights["bias"] = own + recurrent_bias
    return GRU(hidden, reset="before", **options)
