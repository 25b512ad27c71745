"""Changes of what enters and leaves a network: its output and loss, and the scale of inputs and targets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...data.sparse import SparseRows
from ...diagnosis import Change
from ...layers import Standardize, get_activation
from ...losses import Loss, get_loss
from ...ops import SparseMatrix
from ..setup import Setup
from .places import last_weighted
from .vocabulary import Context, NotApplicable, carries_out, nothing


@carries_out("output")
def change_output(setup: Setup, change: Change, context: Context) -> Setup:
    """Replaces the activation of an output, the units of the layer that makes it, and its loss."""
    definition, weights, number = setup.definition, dict(setup.weights), int(change["output"] or 0)
    if number >= len(definition.outputs):
        raise nothing(f"output {number}")
    last = last_weighted(definition, number)
    activation = change["activation"]
    if activation is not None:
        for name in definition.followers(last):
            if definition.layers[name].role in ("activation", "softmax"):
                definition = definition.remove(name)
        if activation not in ("identity", "linear", "none"):
            definition = definition.insert_after(last, get_activation(activation))
    units = change["units"]
    if units is not None:
        width = definition.layers[last].width_argument
        if width is None:
            raise NotApplicable(f"the number of units of the layer {last!r} cannot be set")
        if getattr(definition.layers[last], width) != units:
            definition = definition.with_arguments(last, **{width: int(units)})
            weights.pop(last, None)
    setup = replace(setup, definition=definition, weights=weights)
    if change["loss"] is not None:
        loss = get_loss(change["loss"])
        y = context.ys[number]
        classes = loss.kind == "exclusive" and loss.takes_indices
        whole = y.dtype.kind == "f" and y.ndim == 1 and bool((y == np.floor(y)).all())
        whole_loss: Any = change["loss"]
        if len(definition.outputs) > 1:
            old = setup.fit["loss"]
            whole_loss = list(old) if isinstance(old, (list, tuple)) else [old] * len(definition.outputs)
            whole_loss[number] = change["loss"]
        setup = replace(setup.changed(loss=whole_loss), integer_targets=setup.integer_targets or (classes and whole))
    return setup


@carries_out("scale_inputs")
def scale_inputs(setup: Setup, change: Change, context: Context) -> Setup:
    """Inserts a Standardize at every dense input of numbers that has none."""
    definition, done = setup.definition, 0
    for number, (tensor, _, dtype) in enumerate(definition.inputs):
        there = any(definition.layers[u.layer].measures == "inputs" for u in definition.users(tensor))
        x = context.xs[number]
        if dtype == "float" and not there and len(x.shape) > 1 and not isinstance(x, (SparseMatrix, SparseRows)):
            definition = definition.insert_at_input(number, Standardize())
            done += 1
    if not done:
        raise nothing("dense input of numbers that is not scaled yet")
    return replace(setup, definition=definition)


@carries_out("scale_targets")
def scale_targets(setup: Setup, change: Change, context: Context) -> Setup:
    """Ends the network in an inverse Standardize, and divides the loss by what it grows by with the targets (a squared error
    by their variance), which keeps gradients at the size that they have for standardised targets."""
    definition = setup.definition
    if len(definition.outputs) != 1:
        raise NotApplicable("the targets of a network with several outputs have to be scaled by hand")
    loss = _loss_of(setup, context)
    if loss.degree is None:
        raise NotApplicable(f"the targets of the loss {loss.name} cannot be scaled")
    maker = definition.maker(definition.outputs[0])
    if maker is None or definition.layers[maker.layer].measures == "targets":
        raise NotApplicable("the targets are scaled already")
    definition = definition.insert_after(maker.layer, Standardize(inverse=True))
    spread = float(np.mean(np.var(context.ys[0].reshape(len(context.ys[0]), -1), axis=0, dtype=np.float64)))
    if not spread > 0:
        raise NotApplicable("all targets are equal")
    factor = spread ** (-loss.degree / 2)
    return replace(setup, definition=definition).changed(loss_weights=[float(f"{factor:.4g}")])


def _loss_of(setup: Setup, context: Context) -> Loss:
    """The loss of the first output, which fit finds from the targets where none is given."""
    loss = setup.fit["loss"]
    if loss is None:
        return get_loss("squared_error" if context.ys[0].dtype.kind == "f" else "softmax_cross_entropy")
    return get_loss(loss[0] if isinstance(loss, (list, tuple)) else loss)
