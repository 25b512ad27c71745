"""Changes of the numbers that a network starts from, and of which of them learn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...data.sequences import Sequences
from ...data.sparse import SparseRows
from ...diagnosis import Change
from ...initializers import get as get_initializer
from ...layers import Layer
from ...network import Definition, NetworkGraph
from ...ops import SparseMatrix
from ...training.trace import trace as trace_of
from ..setup import Setup
from .places import hidden_activations, last_weighted, layers_meant, weighted, weights_before
from .vocabulary import Context, carries_out, nothing


@carries_out("initialise")
def draw_anew(setup: Setup, change: Change, context: Context) -> Setup:
    """Draws the weights of layers anew, by a law or by the one that fits the activation after them, and sets biases to 0."""
    definition, law = setup.definition, change["law"]
    names = [
        n
        for n in layers_meant(definition, change["layers"], weighted(definition))
        if n not in definition.frozen and _start_laws(definition.layers[n])
    ]
    if not names:
        raise nothing("layer whose weights could be drawn anew")
    wanted = None if law in (None, "auto", "default") else get_initializer(law).name
    for name in names:
        layer = definition.layers[name]
        if layer.index_limit() is not None and law == "lsuv":
            continue
        arguments: dict[str, Any] = {}
        for key in layer.argument_names():
            if key in _start_laws(layer):
                arguments[key] = wanted
            elif key.endswith("bias_init"):
                arguments[key] = "zeros"
        if wanted == "lsuv" and name == last_weighted(definition):
            # LSUV would give the outputs a variance of 1: logits that are certain of an answer before anything is learned.
            arguments = {k: None if v == "lsuv" else v for k, v in arguments.items()}
        definition = definition.with_arguments(name, **arguments)
    weights = {layer: arrays for layer, arrays in setup.weights.items() if layer not in names}
    return replace(setup, definition=definition, weights=weights)


def _start_laws(layer: Layer) -> list[str]:
    """Names of the constructor's arguments that are start laws of weights."""
    return [key for key in layer.argument_names() if key.endswith("weight_init") or key == "recurrent_init"]


@carries_out("recurrent_init")
def draw_recurrent_weights_anew(setup: Setup, change: Change, context: Context) -> Setup:
    """Draws the recurrent weights of layers anew by a law."""
    law = get_initializer(change["law"] or "orthogonal")
    return _with_recurrent_arguments(setup, change, "recurrent layer", recurrent_init=law.name)


@carries_out("forget_bias")
def set_forget_bias(setup: Setup, change: Change, context: Context) -> Setup:
    """Sets the number that the bias of the forget gate starts from."""
    value = 1.0 if change["value"] is None else float(change["value"])
    return _with_recurrent_arguments(setup, change, "layer with a forget gate", forget_bias=value)


def _with_recurrent_arguments(setup: Setup, change: Change, what: str, **arguments: Any) -> Setup:
    """Gives the arguments to the recurrent layers that have them; these layers start from weights that are drawn anew."""
    definition = setup.definition
    default = [n for n, x in definition.layers.items() if x.recurrence and set(arguments) <= set(x.argument_names())]
    names = [n for n in layers_meant(definition, change["layers"], default) if n in default and n not in definition.frozen]
    if not names:
        raise nothing(f"{what} that learns")
    for name in names:
        definition = definition.with_arguments(name, **arguments)
    return replace(setup, definition=definition, weights={n: w for n, w in setup.weights.items() if n not in names})


@carries_out("revive")
def revive_units(setup: Setup, change: Change, context: Context) -> Setup:
    """Draws the weights of dead units anew, and keeps all other weights of the network as they are now."""
    network, definition = context.network, setup.definition
    trace = trace_of(network, _first_samples(context.xs, None if network.samples is not None else 1024))
    kept = Definition.weights_of(network)
    fresh, names = Definition.of(network).build(NetworkGraph, random_state=0)
    fresh.build(*network.buildable_shapes)
    revived = 0
    for name in layers_meant(definition, change["layers"], hidden_activations(definition)):
        before = weights_before(Definition.of(network), name) if name in network.layers else None
        if before is None or name not in trace.layers or before not in kept:
            continue
        output = trace.layers[name].output
        places = output.reshape(-1, output.shape[-1])
        dead = (places == places[:1]).all(axis=0)  # a dead unit puts out the same number for every sample
        for key, array in kept[before].items():
            new = fresh.parameters[f"{names[before]}.{key}"]
            if array.shape[-1:] == dead.shape:
                array[..., dead] = new[..., dead]
        revived += int(dead.sum())
    if not revived:
        raise nothing("unit that is dead for all of the first 1,024 samples")
    return replace(setup, weights={**kept, **{n: w for n, w in setup.weights.items() if n in definition.frozen}})


def _first_samples(xs: list[Any], count: int | None) -> Any:
    """The first ``count`` samples of every input, or all for None, as plain arrays."""
    first = [x.to_dense() if isinstance(x, SparseMatrix) else x[:count] for x in xs]
    first = [x.padded() if isinstance(x, Sequences) else x.dense() if isinstance(x, SparseRows) else x for x in first]
    return first[0] if len(first) == 1 else first


@carries_out("unfreeze")
def unfreeze(setup: Setup, change: Change, context: Context) -> Setup:
    """Lets frozen layers learn."""
    names = layers_meant(setup.definition, change["layers"], sorted(setup.definition.frozen))
    if not setup.definition.frozen & set(names):
        raise nothing("frozen layer")
    definition = setup.definition.copy()
    definition.frozen -= set(names)
    return replace(setup, definition=definition)
