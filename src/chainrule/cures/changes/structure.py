"""Changes of the layers inside of a network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...diagnosis import Change
from ...layers import Add, Dense, Dropout, Layer, get_activation
from ...network import Definition, NetworkGraph
from ...ops import Builder, Value
from ..setup import Setup
from .places import has_weights, hidden_activations, hidden_weighted, last_weighted, layers_meant, weights_before
from .vocabulary import Context, NotApplicable, carries_out, nothing


@carries_out("activation")
def replace_activation(setup: Setup, change: Change, context: Context) -> Setup:
    """Replaces hidden activations, and lets the weights before them be drawn anew by the law of the new activation."""
    definition = setup.definition
    names = layers_meant(definition, change["layers"], hidden_activations(definition))
    to = get_activation(change["to"])
    names = [n for n in names if type(definition.layers[n]) is not type(to)]
    if not names:
        raise nothing(f"hidden activation other than {change['to']}")
    weights = dict(setup.weights)
    for name in names:
        definition = definition.replace(name, get_activation(change["to"]))
        # The kept start weights were drawn by the law of the old activation and do not fit the new one.
        before = weights_before(definition, name)
        if before is not None and before not in definition.frozen:
            weights.pop(before, None)
    return replace(setup, definition=definition, weights=weights)


@carries_out("recurrent")
def replace_recurrent(setup: Setup, change: Change, context: Context) -> Setup:
    """Replaces recurrent layers by gated ones of the same size, which start from weights of their own."""
    definition, weights = setup.definition, dict(setup.weights)
    kinds = {kind.kind(): kind for kind in Layer.registry.values() if kind.recurrence in ("gated", "cell")}
    if change["to"] not in kinds:
        raise NotApplicable(f"a recurrent layer can be replaced by {' or '.join(kinds)}, and not by {change['to']!r}")
    made = kinds[change["to"]]
    simple = [n for n, layer in definition.layers.items() if layer.recurrence == "simple"]
    names = [n for n in layers_meant(definition, change["layers"], simple) if type(definition.layers[n]) is not made]
    for name in names:
        old = definition.layers[name]
        if old.recurrence is None:
            raise NotApplicable(f"the layer {name!r} is not a recurrent one")
        if old.output_count > 1 or len(definition.use(name).inputs) > 1:
            raise NotApplicable(f"other layers exchange states with {name!r}, and another cell has other states")
        # Start laws are not taken over: they were chosen for the old cell.
        kept = {key: value for key, value in old.config().items() if key in made.argument_names() and "_init" not in key}
        new = made(**kept)
        definition = definition.replace(name, new.named(old.name) if old.name else new)
        weights.pop(name, None)
    if not names:
        raise nothing(f"recurrent layer other than {change['to']}")
    return replace(setup, definition=definition, weights=weights)


@carries_out("insert_activation")
def insert_activation(setup: Setup, change: Change, context: Context) -> Setup:
    """Inserts an activation after layers."""
    definition = setup.definition
    names = layers_meant(definition, change["after"], hidden_weighted(definition))
    for name in names:
        definition = definition.insert_after(name, get_activation(change["to"]))
    if not names:
        raise nothing("layer that an activation could be inserted after")
    return replace(setup, definition=definition)


@carries_out("capacity")
def multiply_units(setup: Setup, change: Change, context: Context) -> Setup:
    """Multiplies the units of hidden layers, which are then drawn anew. A network without a hidden layer gets one."""
    definition, factor = setup.definition, float(change["factor"])
    names = layers_meant(definition, change["layers"], hidden_weighted(definition))
    weights, done = dict(setup.weights), 0
    if not hidden_weighted(definition) and factor >= 1:
        return _insert_hidden_layer(setup, factor)
    if factor == 1:
        raise NotApplicable("a factor of 1 changes nothing")
    for name in names:
        layer = definition.layers[name]
        width = layer.width_argument
        if width is None or not isinstance(getattr(layer, width), (int, np.integer)) or name in definition.frozen:
            continue
        groups = int(getattr(layer, "groups", 1) or 1)
        new = max(groups, round(getattr(layer, width) * factor / groups) * groups)
        definition = definition.with_arguments(name, **{width: new})
        weights.pop(name, None)
        done += 1
    if not done:
        raise nothing("hidden layer whose units can be multiplied")
    return replace(setup, definition=definition, weights=weights)


def _insert_hidden_layer(setup: Setup, factor: float) -> Setup:
    """Inserts a hidden layer with a ReLU before the only layer with weights."""
    last = last_weighted(setup.definition)
    if not setup.definition.layers[last].stepwise:
        raise nothing("hidden layer whose units can be multiplied")
    tensor, definition = setup.definition.use(last).inputs[0], setup.definition
    hidden = [Dense(max(32, round(8 * factor))), get_activation("relu")]
    before = definition.maker(tensor)
    for layer in reversed(hidden):
        number = [i for i, _, _ in definition.inputs].index(tensor) if before is None else 0
        definition = (
            definition.insert_at_input(number, layer) if before is None else definition.insert_after(before.layer, layer)
        )
    return replace(setup, definition=definition, weights={n: w for n, w in setup.weights.items() if n != last})


@carries_out("normalise")
def insert_normalisation(setup: Setup, change: Change, context: Context) -> Setup:
    """Inserts a normalisation after hidden layers with weights, where none follows them already."""
    definition = setup.definition
    by = change["by"] or "batch_norm"
    made = next((kind for kind in Layer.registry.values() if kind.kind() == by), None)
    if made is None:
        raise NotApplicable(f"there is no layer of the kind {by!r}")
    done = 0
    for name in layers_meant(definition, change["after"], hidden_weighted(definition)):
        after = definition.followers(name)
        if after and definition.layers[after[0]].role == "normalisation":
            continue
        definition = definition.insert_after(name, made())
        done += 1
    if not done:
        raise nothing("hidden layer without a normalisation")
    return replace(setup, definition=definition)


@carries_out("residual")
def join_residually(setup: Setup, change: Change, context: Context) -> Setup:
    """Adds the input of hidden blocks to their outputs, where both have the same shape."""
    definition, done = setup.definition, 0
    shapes = _sample_shapes(definition, context)
    for name in layers_meant(definition, change["layers"], hidden_weighted(definition)):
        use = definition.use(name)
        # A block ends before the first layer that has weights or changes the shape: it takes in the activation, and leaves
        # out a pooling after that.
        end = name
        for follower in definition.followers(name):
            if has_weights(definition, follower) or shapes[definition.use(follower).output] != shapes[use.inputs[0]]:
                break
            end = follower
        last = definition.use(end).output
        already = any(definition.layers[u.layer].role == "join" for u in definition.users(last))
        if len(use.inputs) != 1 or already or shapes[use.inputs[0]] != shapes[last]:
            continue
        definition = definition.join(use.inputs[0], end, Add(broadcast=False))
        # The join makes a new tensor, of the shape of the one that it replaces.
        new = definition.uses[[u.output for u in definition.uses].index(last) + 1].output
        shapes[new] = shapes[last]
        done += 1
    if not done:
        raise nothing("hidden layer whose output has the shape of its input, so that the two could be added")
    return replace(setup, definition=definition)


def _sample_shapes(definition: Definition, context: Context) -> dict[int, tuple[int, ...]]:
    """The shape of one sample of every tensor."""
    network, names = definition.build(NetworkGraph, random_state=0)
    network.build(*context.network.buildable_shapes)
    k = Builder(
        parameter=lambda layer, name: Value(network.parameters[f"{layer}.{name}"].shape, role="parameter"),
        state=lambda layer, name: Value(network.states[f"{layer}.{name}"].shape, role="state"),
    )
    inputs = network.concrete(network.input_shapes)
    values = {i: Value((2, *shape), dtype) for (i, _, dtype), shape in zip(definition.inputs, inputs, strict=True)}
    for use in definition.uses:
        with k.at("forward", names[use.layer]):
            values[use.output], _ = definition.layers[use.layer].forward(k, *(values[i] for i in use.inputs))
    return {i: v.shape[1:] for i, v in values.items()}


@carries_out("dropout")
def set_dropout(setup: Setup, change: Change, context: Context) -> Setup:
    """Sets the rate of Dropout layers, or inserts one after every hidden activation where there is none; 0 removes them."""
    definition, rate = setup.definition, float(change["rate"])
    there = [n for n, x in definition.layers.items() if x.role == "regularisation" and "rate" in x.argument_names()]
    names = layers_meant(definition, change["layers"], there)
    if not names and rate > 0:
        for name in hidden_activations(definition):
            definition = definition.insert_after(name, Dropout(rate))
    elif not names:
        raise nothing("Dropout")
    for name in names:
        definition = definition.remove(name) if rate == 0 else definition.with_arguments(name, rate=rate)
    return replace(setup, definition=definition)
