"""Each kind of change, carried out on a setup. A change that does not apply says why."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.sequences import Sequences
from ..diagnosis import Change
from ..errors import ChainruleError
from ..initializers import get as get_initializer
from ..layers import Add, Dense, Dropout, Layer, Standardize, get_activation
from ..losses import get_loss
from ..network import Definition, NetworkGraph
from ..ops import SparseMatrix
from ..optimizers import Schedule, get_optimizer
from .setup import Setup

__all__ = ["Context", "NotApplicable", "apply", "in_order"]

Array = NDArray[Any]


class NotApplicable(ChainruleError):
    """A change cannot be made here; the message says why."""


@dataclass
class Context:
    """What changes may look at: the network that is to be cured (built), its inputs, and its targets as plain arrays."""

    network: Any
    xs: list[Any]
    ys: list[Array]


_Carry = Callable[[Setup, Change, Context], Setup]
_KINDS: dict[str, _Carry] = {}
#: In this order changes are carried out together: the structure first, the learning rate last, as it depends on all else.
_ORDER = (
    "unfreeze", "output", "recurrent", "activation", "insert_activation", "capacity", "normalise", "residual", "dropout",
    "scale_inputs", "scale_targets", "initialise", "recurrent_init", "forget_bias", "revive", "shuffle", "class_weight",
    "batch_size", "epochs", "early_stopping", "optimizer", "weight_decay", "clip", "learning_rate", "leave_out", "data",
)  # fmt: skip


def apply(setup: Setup, changes: Iterable[Change], context: Context) -> Setup:
    """The setup with all changes.

    Raises  NotApplicable when one cannot be made
    """
    for change in in_order(changes):
        try:
            setup = _KINDS[change.kind](setup, change, context)
        except NotApplicable:
            raise
        except ChainruleError as error:
            raise NotApplicable(f"{change}: {error}") from error
    return setup


def in_order(changes: Iterable[Change]) -> list[Change]:
    """The changes in the order in which they are carried out."""
    return sorted(changes, key=lambda c: _ORDER.index(c.kind))


def _kind(name: str) -> Callable[[_Carry], _Carry]:
    def register(carry: _Carry) -> _Carry:
        _KINDS[name] = carry
        return carry

    return register


# ------------------------------------------------------------ finding layers


def _names(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _wanted(definition: Definition, value: Any, default: Sequence[str]) -> list[str]:
    """The layers that are named, or the default ones. Those that another change has taken out are left out."""
    # A layer that is used twice has its second use called "name#2".
    given = dict.fromkeys(n if n in definition.layers else n.rpartition("#")[0] for n in _names(value))
    return [n for n in given if n in definition.layers] if given else list(default)


def _hidden_activations(definition: Definition) -> list[str]:
    return [
        name
        for name, layer in definition.layers.items()
        if layer.role == "activation" and not _reaches_output(definition, definition.use(name).output)
    ]


def _reaches_output(definition: Definition, tensor: int) -> bool:
    """Whether nothing with weights comes between the tensor and an output."""
    while tensor not in definition.outputs:
        users = definition.users(tensor)
        if len(users) != 1 or _has_weights(definition, users[0].layer) or len(users[0].inputs) > 1:
            return False
        tensor = users[0].output
    return True


def _has_weights(definition: Definition, name: str) -> bool:
    return definition.layers[name].role == "weight"


def _weighted(definition: Definition) -> list[str]:
    return [n for n in definition.layers if _has_weights(definition, n)]


def _hidden_weighted(definition: Definition) -> list[str]:
    """Layers with weights that are not the last ones before an output; Embeddings are not among them."""
    return [
        n
        for n in _weighted(definition)
        if not _reaches_output(definition, definition.use(n).output) and definition.layers[n].index_limit() is None
    ]


def _last_weighted(definition: Definition, output: int = 0) -> str:
    """The layer with weights that makes an output."""
    at = definition.outputs[output]
    while (use := definition.maker(at)) is not None:
        if _has_weights(definition, use.layer):
            return use.layer
        if len(use.inputs) != 1:
            break
        at = use.inputs[0]
    raise NotApplicable("no single layer with weights makes the output")


def _nothing(where: str) -> NotApplicable:
    return NotApplicable(f"there is no {where}")


# ------------------------------------------------------------ structure


@_kind("activation")
def _activation(setup: Setup, change: Change, context: Context) -> Setup:
    definition = setup.definition
    names = _wanted(definition, change["layers"], _hidden_activations(definition))
    to = get_activation(change["to"])
    names = [n for n in names if type(definition.layers[n]) is not type(to)]
    if not names:
        raise _nothing(f"hidden activation other than {change['to']}")
    weights = dict(setup.weights)
    for name in names:
        definition = definition.replace(name, get_activation(change["to"]))
        # Start weights follow the activation after them; those that were drawn for the old one do not fit.
        before = _weights_before(definition, name)
        if before is not None and before not in definition.frozen:
            weights.pop(before, None)
    return replace(setup, definition=definition, weights=weights)


@_kind("recurrent")
def _recurrent(setup: Setup, change: Change, context: Context) -> Setup:
    definition, weights = setup.definition, dict(setup.weights)
    kinds = {kind.kind(): kind for kind in Layer.registry.values() if kind.recurrence in ("gated", "cell")}
    if change["to"] not in kinds:
        raise NotApplicable(f"a recurrent layer becomes one of {', '.join(kinds)}, not {change['to']!r}")
    made = kinds[change["to"]]
    simple = [n for n, layer in definition.layers.items() if layer.recurrence == "simple"]
    names = [n for n in _wanted(definition, change["layers"], simple) if type(definition.layers[n]) is not made]
    for name in names:
        old = definition.layers[name]
        if old.recurrence is None:
            raise NotApplicable(f"{name!r} is no recurrent layer")
        if old.output_count > 1 or len(definition.use(name).inputs) > 1:
            raise NotApplicable(f"the states of {name!r} are handed on, and those of another cell are others")
        # The start weights are those that the new cell would have by itself.
        kept = {key: value for key, value in old.config().items() if key in made.argument_names() and "_init" not in key}
        new = made(**kept)
        definition = definition.replace(name, new.named(old.name) if old.name else new)
        weights.pop(name, None)
    if not names:
        raise _nothing(f"recurrent layer other than {change['to']}")
    return replace(setup, definition=definition, weights=weights)


@_kind("insert_activation")
def _insert_activation(setup: Setup, change: Change, context: Context) -> Setup:
    definition = setup.definition
    names = _wanted(definition, change["after"], [n for n in _hidden_weighted(definition)])
    for name in names:
        definition = definition.insert_after(name, get_activation(change["to"]))
    if not names:
        raise _nothing("layer to put an activation after")
    return replace(setup, definition=definition)


@_kind("capacity")
def _capacity(setup: Setup, change: Change, context: Context) -> Setup:
    definition, factor = setup.definition, float(change["factor"])
    names = _wanted(definition, change["layers"], _hidden_weighted(definition))
    weights, done = dict(setup.weights), 0
    if not _hidden_weighted(definition) and factor >= 1:
        return _hidden_layer(setup, factor)
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
        raise _nothing("hidden layer whose units can be multiplied")
    return replace(setup, definition=definition, weights=weights)


def _hidden_layer(setup: Setup, factor: float) -> Setup:
    """A network without a hidden layer gets one: the most that can be added to its capacity with one layer."""
    last = _last_weighted(setup.definition)
    if not setup.definition.layers[last].stepwise:
        raise _nothing("hidden layer whose units can be multiplied")
    tensor, definition = setup.definition.use(last).inputs[0], setup.definition
    hidden = [Dense(max(32, round(8 * factor))), get_activation("relu")]
    before = definition.maker(tensor)
    for layer in reversed(hidden):
        number = [i for i, _, _ in definition.inputs].index(tensor) if before is None else 0
        definition = (
            definition.insert_at_input(number, layer) if before is None else definition.insert_after(before.layer, layer)
        )
    return replace(setup, definition=definition, weights={n: w for n, w in setup.weights.items() if n != last})


@_kind("normalise")
def _normalise(setup: Setup, change: Change, context: Context) -> Setup:
    definition = setup.definition
    by = change["by"] or "batch_norm"
    made = next((kind for kind in Layer.registry.values() if kind.kind() == by), None)
    if made is None:
        raise NotApplicable(f"there is no layer of the kind {by!r}")
    done = 0
    for name in _wanted(definition, change["after"], _hidden_weighted(definition)):
        after = definition.followers(name)
        if after and definition.layers[after[0]].role == "normalisation":
            continue
        definition = definition.insert_after(name, made())
        done += 1
    if not done:
        raise _nothing("hidden layer without a normalisation")
    return replace(setup, definition=definition)


@_kind("residual")
def _residual(setup: Setup, change: Change, context: Context) -> Setup:
    definition, done = setup.definition, 0
    shapes = _shapes(definition, context)
    for name in _wanted(definition, change["layers"], _hidden_weighted(definition)):
        use = definition.use(name)
        # The block goes on as long as it has the shape of its input: to its activation, and not to a pooling after it.
        end = name
        for follower in definition.followers(name):
            if _has_weights(definition, follower) or shapes[definition.use(follower).output] != shapes[use.inputs[0]]:
                break
            end = follower
        last = definition.use(end).output
        already = any(definition.layers[u.layer].role == "join" for u in definition.users(last))
        if len(use.inputs) != 1 or already or shapes[use.inputs[0]] != shapes[last]:
            continue
        definition = definition.join(use.inputs[0], end, Add(broadcast=False))
        # The shapes of what was there stay; the new tensor has that of the one it replaces.
        new = definition.uses[[u.output for u in definition.uses].index(last) + 1].output
        shapes[new] = shapes[last]
        done += 1
    if not done:
        raise _nothing("hidden layer whose output has the shape of its input, so that the two could be added")
    return replace(setup, definition=definition)


def _shapes(definition: Definition, context: Context) -> dict[int, tuple[int, ...]]:
    """The shape of one sample of every tensor."""
    from ..ops import Builder, Value

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


@_kind("output")
def _output(setup: Setup, change: Change, context: Context) -> Setup:
    definition, weights, number = setup.definition, dict(setup.weights), int(change["output"] or 0)
    if number >= len(definition.outputs):
        raise _nothing(f"output {number}")
    last = _last_weighted(definition, number)
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
            raise NotApplicable(f"the layer {last!r} has no number of units")
        if getattr(definition.layers[last], width) != units:
            definition = definition.with_arguments(last, **{width: int(units)})
            weights.pop(last, None)
    setup = replace(setup, definition=definition, weights=weights)
    if change["loss"] is not None:
        loss = get_loss(change["loss"])
        y = context.ys[number]
        classes = loss.name in ("softmax_cross_entropy", "multi_class_hinge")
        whole = y.dtype.kind == "f" and y.ndim == 1 and bool((y == np.floor(y)).all())
        whole_loss: Any = change["loss"]
        if len(definition.outputs) > 1:
            old = setup.fit["loss"]
            whole_loss = list(old) if isinstance(old, (list, tuple)) else [old] * len(definition.outputs)
            whole_loss[number] = change["loss"]
        setup = replace(setup.changed(loss=whole_loss), integer_targets=setup.integer_targets or (classes and whole))
    return setup


@_kind("dropout")
def _dropout(setup: Setup, change: Change, context: Context) -> Setup:
    definition, rate = setup.definition, float(change["rate"])
    there = [n for n, x in definition.layers.items() if x.role == "regularisation" and "rate" in x.argument_names()]
    names = _wanted(definition, change["layers"], there)
    if not names and rate > 0:
        for name in _hidden_activations(definition):
            definition = definition.insert_after(name, Dropout(rate))
    elif not names:
        raise _nothing("Dropout")
    for name in names:
        definition = definition.remove(name) if rate == 0 else definition.with_arguments(name, rate=rate)
    return replace(setup, definition=definition)


@_kind("scale_inputs")
def _scale_inputs(setup: Setup, change: Change, context: Context) -> Setup:
    definition, done = setup.definition, 0
    for number, (tensor, _, dtype) in enumerate(definition.inputs):
        there = any(definition.layers[u.layer].measures == "inputs" for u in definition.users(tensor))
        x = context.xs[number]
        if dtype == "float" and not there and len(x.shape) > 1 and not isinstance(x, SparseMatrix):
            definition = definition.insert_at_input(number, Standardize())
            done += 1
    if not done:
        raise _nothing("input of numbers that is not scaled already")
    return replace(setup, definition=definition)


@_kind("scale_targets")
def _scale_targets(setup: Setup, change: Change, context: Context) -> Setup:
    definition = setup.definition
    if len(definition.outputs) != 1:
        raise NotApplicable("targets of several outputs are scaled by hand")
    loss = _loss_name(setup, context)
    if loss not in ("squared_error", "absolute_error", "huber"):
        raise NotApplicable(f"targets of {loss} are not numbers that could be scaled")
    maker = definition.maker(definition.outputs[0])
    if maker is None or definition.layers[maker.layer].measures == "targets":
        raise NotApplicable("the targets are scaled already")
    definition = definition.insert_after(maker.layer, Standardize(inverse=True))
    spread = float(np.mean(np.var(context.ys[0].reshape(len(context.ys[0]), -1), axis=0, dtype=np.float64)))
    if not spread > 0:
        raise NotApplicable("all targets are equal")
    factor = 1 / spread if loss == "squared_error" else spread**-0.5
    return replace(setup, definition=definition).changed(loss_weights=[float(f"{factor:.4g}")])


def _loss_name(setup: Setup, context: Context) -> str:
    loss = setup.fit["loss"]
    if loss is None:
        y = context.ys[0]
        return "squared_error" if y.dtype.kind == "f" else "softmax_cross_entropy"
    found = loss[0] if isinstance(loss, (list, tuple)) else loss
    return get_loss(found).name


# ------------------------------------------------------------ weights


@_kind("initialise")
def _initialise(setup: Setup, change: Change, context: Context) -> Setup:
    definition, law = setup.definition, change["law"]
    names = [
        n
        for n in _wanted(definition, change["layers"], _weighted(definition))
        if n not in definition.frozen and _start_laws(definition.layers[n])
    ]
    if not names:
        raise _nothing("layer whose weights could be drawn anew")
    chosen = None if law in (None, "auto", "default") else get_initializer(law).name
    for name in names:
        layer = definition.layers[name]
        if layer.index_limit() is not None and law == "lsuv":
            continue
        arguments: dict[str, Any] = {}
        for key in layer.argument_names():
            if key in _start_laws(layer):
                arguments[key] = chosen
            elif key.endswith("bias_init"):
                arguments[key] = "zeros"
        if chosen == "lsuv" and name == _last_weighted(definition):
            # The last layer's variance of 1 would make its outputs too sure of themselves before they know anything.
            arguments = {k: None if v == "lsuv" else v for k, v in arguments.items()}
        definition = definition.with_arguments(name, **arguments)
    weights = {layer: arrays for layer, arrays in setup.weights.items() if layer not in names}
    return replace(setup, definition=definition, weights=weights)


def _start_laws(layer: Layer) -> list[str]:
    """The arguments of a layer that are start laws of its weights."""
    return [key for key in layer.argument_names() if key.endswith("weight_init") or key == "recurrent_init"]


@_kind("recurrent_init")
def _recurrent_init(setup: Setup, change: Change, context: Context) -> Setup:
    law = get_initializer(change["law"] or "orthogonal")
    return _recurrent_arguments(setup, change, "recurrent layer", recurrent_init=law.name)


@_kind("forget_bias")
def _forget_bias(setup: Setup, change: Change, context: Context) -> Setup:
    value = 1.0 if change["value"] is None else float(change["value"])
    return _recurrent_arguments(setup, change, "layer with a forget gate", forget_bias=value)


def _recurrent_arguments(setup: Setup, change: Change, what: str, **arguments: Any) -> Setup:
    """These arguments for the recurrent layers that have them, which start from weights drawn anew."""
    definition = setup.definition
    default = [n for n, x in definition.layers.items() if x.recurrence and set(arguments) <= set(x.argument_names())]
    names = [n for n in _wanted(definition, change["layers"], default) if n in default and n not in definition.frozen]
    if not names:
        raise _nothing(f"{what} that learns")
    for name in names:
        definition = definition.with_arguments(name, **arguments)
    return replace(setup, definition=definition, weights={n: w for n, w in setup.weights.items() if n not in names})


def _weights_before(definition: Definition, name: str) -> str | None:
    """The layer with weights whose z the activation acts on."""
    use = definition.use(name)
    while (maker := definition.maker(use.inputs[0])) is not None and len(maker.inputs) == 1:
        if _has_weights(definition, maker.layer):
            return maker.layer
        use = maker
    return None


@_kind("revive")
def _revive(setup: Setup, change: Change, context: Context) -> Setup:
    network, definition = context.network, setup.definition
    trace = network.trace(_rows(context.xs, None if network.samples is not None else 1024))
    kept = Definition.weights_of(network)
    fresh, names = Definition.of(network).build(NetworkGraph, random_state=0)
    fresh.build(*network.buildable_shapes)
    revived = 0
    for name in _wanted(definition, change["layers"], _hidden_activations(definition)):
        before = _weights_before(Definition.of(network), name) if name in network.layers else None
        if before is None or name not in trace.layers or before not in kept:
            continue
        output = trace.layers[name].output
        dead = (output == 0).reshape(-1, output.shape[-1]).all(axis=0)
        for key, array in kept[before].items():
            new = fresh.parameters[f"{names[before]}.{key}"]
            if array.shape[-1:] == dead.shape:
                array[..., dead] = new[..., dead]
        revived += int(dead.sum())
    if not revived:
        raise _nothing("unit that is dead for all of the first 1,024 samples")
    return replace(setup, weights={**kept, **{n: w for n, w in setup.weights.items() if n in definition.frozen}})


def _rows(xs: list[Any], count: int | None) -> Any:
    """The first samples, None for all, as plain arrays."""
    first = [x.to_dense() if isinstance(x, SparseMatrix) else x[:count] for x in xs]
    first = [x.padded() if isinstance(x, Sequences) else x for x in first]
    return first[0] if len(first) == 1 else first


@_kind("unfreeze")
def _unfreeze(setup: Setup, change: Change, context: Context) -> Setup:
    names = _wanted(setup.definition, change["layers"], sorted(setup.definition.frozen))
    if not setup.definition.frozen & set(names):
        raise _nothing("frozen layer")
    definition = setup.definition.copy()
    definition.frozen -= set(names)
    return replace(setup, definition=definition)


# ------------------------------------------------------------ training


@_kind("learning_rate")
def _learning_rate(setup: Setup, change: Change, context: Context) -> Setup:
    if change["value"] is not None:
        return replace(setup.with_optimizer(learning_rate=float(change["value"])), range_test=False)
    if change["range_test"]:
        return replace(setup, range_test=True)
    rate = setup.fit["optimizer"].learning_rate
    if isinstance(rate, Schedule) or callable(rate):
        raise NotApplicable("the learning rate follows a schedule; give it another one by hand")
    return setup.with_optimizer(learning_rate=float(f"{rate * float(change['factor']):.4g}"))


@_kind("clip")
def _clip(setup: Setup, change: Change, context: Context) -> Setup:
    return setup.with_optimizer(clip_norm=float(change["norm"] or 1.0))


@_kind("optimizer")
def _optimizer(setup: Setup, change: Change, context: Context) -> Setup:
    old, new = setup.fit["optimizer"], copy.deepcopy(get_optimizer(change["name"]))
    if type(old) is type(new):
        raise NotApplicable(f"the optimizer is {new.name} already")
    for key in ("l1", "l2", "weight_decay", "clip_norm", "clip_value"):
        setattr(new, key, getattr(old, key))
    return setup.changed(optimizer=new)


@_kind("weight_decay")
def _weight_decay(setup: Setup, change: Change, context: Context) -> Setup:
    return setup.with_optimizer(weight_decay=float(change["value"] or 0.0), l1=0.0, l2=0.0)


@_kind("batch_size")
def _batch_size(setup: Setup, change: Change, context: Context) -> Setup:
    value = int(change["value"])
    if value == setup.fit["batch_size"]:
        raise NotApplicable(f"the batch size is {value} already")
    return setup.changed(batch_size=value)


@_kind("epochs")
def _epochs(setup: Setup, change: Change, context: Context) -> Setup:
    return setup.changed(epochs=max(1, round(setup.fit["epochs"] * float(change["factor"]))))


@_kind("early_stopping")
def _early_stopping(setup: Setup, change: Change, context: Context) -> Setup:
    # What is waited for is measured on samples that are not trained on.
    split = setup.fit["validation_split"] or 0.2
    return setup.changed(early_stopping=int(change["patience"] or 5), validation_split=split)


@_kind("shuffle")
def _shuffle(setup: Setup, change: Change, context: Context) -> Setup:
    if setup.fit["shuffle"]:
        raise NotApplicable("the samples are shuffled already")
    return setup.changed(shuffle=True)


@_kind("class_weight")
def _class_weight(setup: Setup, change: Change, context: Context) -> Setup:
    return setup.changed(class_weight=change["value"] or "balanced")


@_kind("leave_out")
def _leave_out(setup: Setup, change: Change, context: Context) -> Setup:
    raise NotApplicable("samples are left out before the trials, when they are not finite; leave out others by hand")


@_kind("data")
def _data(setup: Setup, change: Change, context: Context) -> Setup:
    raise NotApplicable("the data has to be changed by hand")
