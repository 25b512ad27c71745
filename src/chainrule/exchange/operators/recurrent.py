"""Recurrent layers, whose gates other libraries keep in other orders."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ModelFileError
from ...layers import GRU, LSTM, Concat, Layer, SimpleRNN, Slice
from ..foreign import Array, ForeignNode
from ..translate import Traced, Translator, operator

#: Ours from ONNX's: LSTM i f g o from i o f c; GRU r z n from z r h.
_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}


def _gated(array: Array, gates: tuple[int, ...]) -> Array:
    """(gates H, ...) of the file as (..., gates H) of ours."""
    parts = np.split(array, len(gates))
    return np.concatenate([parts[g] for g in gates]).T


@operator("LSTM", "GRU", "RNN")
def recurrent(t: Translator, node: ForeignNode) -> None:
    x, a = t.settled(t.get(0)), node.attributes
    w, r, b = t.numbers(1), t.numbers(2), t.numbers(3)
    assert w is not None and r is not None
    zeros = all(not node.given(i) or (t.get(i).constant and not np.asarray(t.array(i)).any()) for i in (5, 6))
    if node.given(4) or node.given(7) or not zeros:
        raise ModelFileError("lengths, start states and peepholes are not supported.")
    hidden, directions = int(a["hidden_size"]), w.shape[0]
    layout = int(a.get("layout", 0))
    wanted = (0, 1, 2) if layout else (1, 0, 2)
    if x.order != wanted:
        x = t.ordered(x, wanted)
    activations = [str(v).lower() for v in a.get("activations", [])]
    expected = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"], "RNN": ["tanh"]}[node.op] * directions
    plain = "tanh"
    if node.op == "RNN" and activations and set(activations) == {"relu"}:
        plain = "relu"
    elif activations and activations != expected:
        raise ModelFileError(f"the activations {activations} are not supported.")
    if "clip" in a or int(a.get("input_forget", 0)):
        raise ModelFileError("clip and input_forget are not supported.")
    every, final = bool(node.outputs[0]), len(node.outputs) > 1 and bool(node.outputs[1])
    if len(node.outputs) > 2 and node.outputs[2]:
        raise ModelFileError("the last cell state is used, which is not supported.")
    if not every and not final:
        raise ModelFileError("nothing that it computes is used.")
    samples, steps = x.shape[x.order[0]], x.shape[x.order[1]]
    made, gates = [], _GATES[node.op]
    for d in range(directions):
        backwards = d == 1 or a.get("direction") == "reverse"
        weights = {"weight": _gated(w[d], gates), "recurrent_weight": _gated(r[d], gates)}
        two = np.zeros((2, len(gates) * hidden), np.float32) if b is None else b[d].reshape(2, -1)
        layer = _layer(node, hidden, every, backwards, plain, weights, two, gates)
        # Followed as (samples, steps, units), or (samples, units), until it is complete.
        shape = (samples, steps, hidden) if every else (samples, hidden)
        made.append(t.apply(layer, x, shape=shape, order=tuple(range(len(shape))), weights=weights, called=node.name))
    if every:
        joined = made[0]
        if directions > 1:
            joined = t.apply(Concat(), *made, shape=(samples, steps, 2 * hidden), order=(0, 1, 2))
        _put_steps(t, joined, steps, samples, directions, hidden, layout)
    if final:
        if every:
            # The state after the last step that each direction has taken.
            ends = [bool(way.made_by.config()["reverse"]) for way in made if way.made_by is not None]
            cuts = [Slice(1, 0, 1) if end else Slice(1, -1) for end in ends]
            made = [
                t.reshape(t.apply(cut, way, shape=(samples, 1, hidden), order=(0, 1, 2)), (samples, hidden))
                for cut, way in zip(cuts, made, strict=True)
            ]
        joined = made[0] if directions == 1 else t.apply(Concat(), *made, shape=(samples, 2 * hidden), order=(0, 1))
        state = t.reshape(joined, (samples, directions, hidden))
        order = (0, 1, 2) if layout else (1, 0, 2)
        shape = tuple(state.shape[i] for i in (order if layout else (1, 0, 2)))
        t.put(Traced(shape, tensor=state.tensor, order=order, made_by=state.made_by), 1)


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
    node: ForeignNode, hidden: int, every: bool, backwards: bool, plain: str, weights: dict[str, Array], b: Array,
    gates: tuple[int, ...],
) -> Layer:  # fmt: skip
    own, recurrent_bias = (_gated(v[:, None], gates).reshape(-1) for v in b)
    options: dict[str, Any] = {"return_sequences": every, "reverse": backwards}
    if node.op == "LSTM":
        weights["bias"] = own + recurrent_bias
        return LSTM(hidden, **options)
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
