"""The plan of a probe: one training step that changes nothing, with statistics of all that it computes as outputs.

A probe reads the parameters, states and slots of a training and leaves them as they are: what the step would have assigned
is computed and not stored, but for the change of each parameter, which goes to an arena "update" of the probe's own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from ..layers import Activation, Layer
from ..losses import Loss
from ..network import NetworkGraph
from ..network.parameters import block_of, kind_of
from ..ops import Saved, SparseMatrix, Value
from ..ops.value import Shape
from ..optimizers import Optimizer
from .lower import _Lowering
from .plan import Plan

__all__ = ["lower_statistics"]


def lower_statistics(
    network: NetworkGraph,
    losses: Sequence[Loss],
    optimizer: Optimizer | None,
    batch: int,
    *,
    shapes: Sequence[Shape] | None = None,
    constants: Mapping[int, SparseMatrix] | None = None,
    targets: Sequence[int] | None = None,
    weights: Sequence[str | None] | None = None,
    loss_weights: Sequence[float] | None = None,
    training: bool = True,
    taken_out: Collection[str] = (),
    sparse: Collection[int] = (),
) -> Plan:
    """Forward, loss, backward and update of one step, changing nothing.

    Parameters  as in ``lower_training`` ; optimizer : None (or one that drives itself) leaves out the update
    Outputs     "loss" ; moments (5, C) as of the op ``moments``, for call number n: "y.n" of its output, "slope.n" of σ' for
                an activation, "dy.n" of the gradient of its output ("dy.n.1", ... of further ones), "dx.n.i" of what it
                passes back to its input i (not to the network's inputs) ; "time.n" (T,) of a recurrent layer, Σ (∂J/∂hₜ)² of
                each step ; for each parameter that learns: "w.NAME", "d.NAME" its gradient, "u.NAME" its change
    """
    low = _Lowering(network, batch, training, shapes, constants, taken_out=taken_out, sparse=sparse)
    count = len(network.output_ids)
    zs = low.forward()
    # A derivative is that of the backward pass; the same nodes are found and computed once.
    total, first, _ = low.loss(zs, losses, loss_weights or [1.0] * count, targets or [0] * count, weights or [None] * count)
    d = low.backward(first)
    by_rows = low.sparse(optimizer)
    low.place_gradients(by_rows)
    updates = optimizer is not None and not optimizer.full_batch
    if updates:
        assert optimizer is not None
        total = low.update(optimizer, total, by_rows)
    _store_nothing(low)
    found: dict[str, Value] = {"loss": total}
    k = low.k

    def note(name: str, value: Value) -> None:
        if value.dtype == "float" and value.size:
            found[name] = k.moments(value if value.ndim > 1 else k.reshape(value, (1, value.size)))

    for n, call in enumerate(network.calls):
        with k.at("statistics", call.name):
            y = low.tensors[call.output]
            note(f"y.{n}", y if y.ndim > 1 else k.reshape(y, (*y.shape, 1)))
            if call.layer.role == "activation":
                # A user's own may not be made to be asked for its slope alone; then this layer has no such statistics.
                with suppress(Exception):
                    note(f"slope.{n}", _slope(low, call.layer, low.saved[n], y))
            if call.output in d:
                note(f"dy.{n}", d[call.output])
        for j, more in enumerate(call.more, 1):
            if more in d:
                with k.at("statistics", call.name):
                    note(f"dy.{n}.{j}", d[more])
    for n, name, value in low.inside:
        if name == "dh":
            with k.at("statistics", network.calls[n].name):
                found[f"time.{n}"] = k.sum(k.square(value), axis=(0, 2))
    for n, place, dx, _ in low.passed:
        if network.calls[n].inputs[place] not in network.input_ids:
            with k.at("statistics", network.calls[n].name):
                note(f"dx.{n}.{place}", dx)
    parameters = network.parameters
    for name, e in parameters.entries.items():
        key = tuple(name.rsplit(".", 1))
        if not network.trainable(name) or not e.size:
            continue
        with k.at("statistics", key[0]):
            note(f"w.{name}", low.parameter(*key))
            if key in k.gradients:
                note(f"d.{name}", k.gradients[key])
                if updates:
                    note(f"u.{name}", Value(e.shape, base=low.arena("update", e.block), offset=e.offset))
    return low.plan(found)


def _slope(low: _Lowering, layer: Layer, saved: Saved, y: Value) -> Value:
    """σ'(z) of every element: what an activation states as its derivative, or else passes back of a gradient of 1."""
    if isinstance(layer, Activation) and type(layer).derivative is not Activation.derivative:
        return layer.derivative(low.k, saved)
    k = low.k
    before = dict(k.gradients)
    dx = layer.backward(k, saved, k.add(k.multiply(y, 0.0), 1.0))
    k.gradients.clear()
    k.gradients.update(before)  # those of a learned slope are not part of the step
    assert isinstance(dx, Value)
    return dx


def _store_nothing(low: _Lowering) -> None:
    """What would be assigned to parameters, states and slots becomes temporary; changes of parameters go to "update"."""
    k = low.k
    changed: list[tuple[Value, Value]] = []
    for node in k.nodes:
        for v in node.outputs:
            if v.base is None or kind_of(v.base.name) == "gradients":
                continue
            if kind_of(v.base.name) == "parameters":
                changed.append((v, Value(v.shape, base=v.base, offset=v.offset)))
            v.base, v.offset = None, 0
    with k.at("update"):
        for new, old in changed:
            change = k.subtract(new, old)
            assert old.base is not None
            change.base, change.offset = low.arena("update", block_of(old.base.name)), old.offset
