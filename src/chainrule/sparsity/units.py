"""Whole units and channels, removed from a network: what comes back is a smaller dense network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..layers import Layer
from ..network import Call, Definition, Masked, NetworkGraph
from ..ops.value import Shape
from ..training.session import Session
from ..training.trainable import Trainable
from .weights import check_sparsity, named, prunable

__all__ = ["remove_units"]

N = TypeVar("N", bound=NetworkGraph)
Ints = NDArray[np.int64]
#: The label of what no unit makes, such as an input of the network: it always stays.
_FIXED = 0


class _Labels:
    """The units of a network by number, which of them stay or go together, and which must stay."""

    def __init__(self) -> None:
        self.parents = [_FIXED]
        #: For each unit, the layer that makes it and its place among the outputs of that layer.
        self.makers: list[tuple[str, int]] = [("", 0)]
        self.pinned: set[int] = {_FIXED}

    def new(self, layer: str, count: int) -> Ints:
        first = len(self.parents)
        self.parents += range(first, first + count)
        self.makers += [(layer, unit) for unit in range(count)]
        return np.arange(first, first + count)

    def root(self, label: int) -> int:
        while self.parents[label] != label:
            self.parents[label] = self.parents[self.parents[label]]
            label = self.parents[label]
        return label

    def join(self, a: Ints, b: Ints) -> None:
        """The units of a and b, one by one, stay or go together."""
        for one, other in set(zip(a.reshape(-1).tolist(), b.reshape(-1).tolist(), strict=True)):
            low, high = sorted((self.root(one), self.root(other)))
            self.parents[high] = low

    def pin(self, labels: Ints) -> None:
        """These stay."""
        self.pinned |= set(np.unique(labels).tolist())

    def groups(self) -> dict[int, list[int]]:
        """The units that may go, by the one that stands for those that go together."""
        pinned, found = {self.root(label) for label in self.pinned}, dict[int, list[int]]()
        for label in range(1, len(self.parents)):
            if (root := self.root(label)) not in pinned:
                found.setdefault(root, []).append(label)
        return found


@dataclass
class _Plan:
    """Which labels stand on the axes of parameters and states.

    Parameters  axes : {parameter or state: {axis: labels}} ; outputs : {layer: labels of its units}
    """

    labels: _Labels = field(default_factory=_Labels)
    axes: dict[str, dict[int, Ints]] = field(default_factory=dict)
    outputs: dict[str, Ints] = field(default_factory=dict)


def remove_units(
    network: N,
    sparsity: float,
    *,
    method: str = "magnitude",
    scope: str = "layer",
    layers: Iterable[str] | None = None,
    random_state: int = 0,
) -> N:
    """A copy of the network without a share of its units and channels: smaller, dense, and faster everywhere.

    Units of Dense, Conv and GraphConv layers, and of others whose ``channel_map`` is "dense", are removed with what belongs
    to them: their factors in normalisations, and the rows of the weights that read them, also behind pooling, Flatten and
    joins. Channels that meet in an Add go together. What stays: inputs and outputs of the network, units that reach a layer
    that mixes them in its own way (recurrent layers, attention, groups, Softmax), frozen layers, and at least one unit of
    each layer. The rest of the network computes what it did, so a unit that contributed nothing is not missed; after it
    comes fine-tuning.

    Parameters
        sparsity : in [0, 1), the share of the units that can go that goes
        method : "magnitude" takes units with the smallest weights, |w| as a mean over what they read, "random" any
        scope : "layer" takes the same share in each layer; "global" compares the units of all, each by the mean of its layer
        layers : names, None for all that have such units ; random_state : of the method "random"
    Raises      ParameterError, DataError as ``prune`` ; ParameterError when the network has no unit that can go

    References  Li, Kadav, Durdanovic, Samet, Graf, Pruning filters for efficient convnets, ICLR 2017

    Example
        >>> from chainrule import Network
        >>> from chainrule.layers import ReLU
        >>> net = Network([Dense(100), ReLU(), Dense(10)], random_state=0).build((50,))
        >>> remove_units(net, 0.75).layer("0.dense")
        Dense(25)
    """
    share = check_sparsity(sparsity)
    if method not in ("magnitude", "random") or scope not in ("layer", "global"):
        raise ParameterError(
            f'prune: units have method "magnitude" or "random" and scope "layer" or "global". Got {method!r} and {scope!r}.'
        )
    chosen = named(network, layers)
    prunable(network, chosen)
    if any(call.more for call in network.calls):
        raise ParameterError("prune: units cannot be removed from a network with a layer of several outputs.")
    plan = _trace(network)
    groups = plan.labels.groups()
    if chosen is not None:
        groups = {r: own for r, own in groups.items() if all(plan.labels.makers[u][0] in chosen for u in own)}
    if not groups:
        raise ParameterError(
            "prune: the network has no unit that can go: outputs stay, and so do units that reach a layer that mixes them "
            "in its own way, such as a recurrent layer. Prune single weights instead: structure=None."
        )
    gone = _choose(network, plan, groups, share, method, scope, random_state)
    return _smaller(network, plan, gone)


# ------------------------------------------------------------ which units belong together


def _trace(network: NetworkGraph) -> _Plan:
    """Follows the units of each layer through the network."""
    plan = _Plan()
    shapes = network.sample_shapes()
    tensors: dict[int, Ints] = {i: np.full(shapes[i], _FIXED, np.int64) for i in network.input_ids}
    for call in network.calls:
        given = [tensors[i] for i in call.inputs]
        made = _through(network, plan, call, given, shapes[call.output])
        if made is None:
            for labels in given:
                plan.labels.pin(labels)
            made = np.full(shapes[call.output], _FIXED, np.int64)
        if call.name in network.frozen and _arrays(network, call.name):
            for labels in (*given, made):
                plan.labels.pin(labels)
        tensors[call.output] = made
    for i in network.output_ids:
        plan.labels.pin(tensors[i])
    return plan


def _through(network: NetworkGraph, plan: _Plan, call: Call, given: list[Ints], shape: Shape) -> Ints | None:
    """The labels of a call's output; None for a layer of which it is not known what it does with single units."""
    layer, (x, *others) = call.layer, given
    if layer.channel_map == "concat":
        axis = int(getattr(layer, "axis", -1))
        return np.concatenate(given, axis=axis if axis < 0 else axis - 1)
    if layer.channel_map == "each" and others:
        return _elementwise(plan, given, shape)
    if others:
        return None
    if layer.channel_map == "dense" and layer.width_argument is not None:
        return _maker(network, plan, call, x, shape)
    if layer.channel_map == "each":
        return _channelwise(network, plan, call, x, shape)
    return _moved(layer, x, shape) if layer.role == "reshaping" else None


def _per_channel(labels: Ints) -> Ints | None:
    """The labels of the last axis, when they are the same everywhere else."""
    if not labels.ndim:
        return None
    rows = labels.reshape(-1, labels.shape[-1])
    return rows[0] if len(rows) and (rows == rows[0]).all() else None


def _arrays(network: NetworkGraph, layer: str) -> dict[str, Shape]:
    """The shapes of the parameters and states of a layer."""
    arenas = (network.parameters, network.states)
    return {n: e.shape for a in arenas for n, e in a.entries.items() if n.rpartition(".")[0] == layer}


def _stand(plan: _Plan, name: str, axis: int, labels: Ints) -> None:
    """Labels stand on an axis; where the layer is used again, with others, these go together."""
    axes = plan.axes.setdefault(name, {})
    if axis in axes:
        plan.labels.join(axes[axis], labels)
    axes[axis] = labels


def _maker(network: NetworkGraph, plan: _Plan, call: Call, x: Ints, shape: Shape) -> Ints | None:
    read = _per_channel(x)
    if read is None:
        return None
    if call.name not in plan.outputs:
        plan.outputs[call.name] = plan.labels.new(call.name, shape[-1])
    made = plan.outputs[call.name]
    for name, own in _arrays(network, call.name).items():
        if len(own) > 1:
            _stand(plan, name, -2, read)
        _stand(plan, name, -1, made)
    return np.broadcast_to(made, shape)


def _channelwise(network: NetworkGraph, plan: _Plan, call: Call, x: Ints, shape: Shape) -> Ints | None:
    """What a layer that treats every channel by itself makes of the labels: a channel that goes takes its factors along."""
    read, arrays = _per_channel(x), _arrays(network, call.name)
    # A convolution of each channel by itself may make several of one.
    several = 1 if read is None or call.layer.role != "weight" or not shape else shape[-1] // len(read)
    if read is None or not shape or shape[-1] != several * len(read):
        return x if x.shape == shape and not arrays and call.layer.role != "pooling" else None
    made = np.repeat(read, several)
    for name, own in arrays.items():
        if own[-1:] == made.shape:
            _stand(plan, name, -1, made)
        elif own and own[-1] != 1:
            return None
    return np.broadcast_to(made, shape)


def _elementwise(plan: _Plan, given: list[Ints], shape: Shape) -> Ints | None:
    if any(labels.ndim != len(shape) for labels in given):
        return None
    whole = [labels for labels in given if labels.shape[-1:] == shape[-1:]]
    for labels in given:
        if labels.shape[-1:] != shape[-1:]:
            plan.labels.pin(labels)  # one channel for all channels of the others
    if not whole:
        return None
    first = np.broadcast_to(whole[0], shape)
    for labels in whole[1:]:
        plan.labels.join(first, np.broadcast_to(labels, shape))
    return first


def _moved(layer: Layer, x: Ints, shape: Shape) -> Ints | None:
    """What a layer that only moves elements does with the labels: it is asked to move them.

    It is asked once more without one of the units, as a layer may be made for one number of channels only.
    """
    found = _ask(layer, x)
    if found is None or found.shape != shape:
        return None
    present = np.unique(x)
    removable = present[present != _FIXED]
    if len(removable):
        less, wanted = _without(x, int(removable[0])), _without(found, int(removable[0]))
        again = None if less is None else _ask(layer, less)
        if again is None or wanted is None or not np.array_equal(again, wanted):
            return None
    return found


def _ask(layer: Layer, x: Ints) -> Ints | None:
    """The labels after a layer has moved them; None where it did something else with them."""
    mover = Trainable([type(layer)(**layer.config())], dtype="float64")
    try:
        mover.build(x.shape)
        # One more than the label, so that zeros are what the layer has put in, as borders.
        numbers = np.asarray(Session(mover).predict(x[None] + 1.0)[0][0])
    except Exception:
        return None  # it takes no numbers, or not one sample alone, or no sample of this shape
    labels: Ints = np.rint(numbers).astype(np.int64) - 1
    if np.abs(numbers - labels - 1).max(initial=0) > 1e-6 or not set(labels.ravel().tolist()) <= {*x.ravel().tolist(), -1}:
        return None
    # A border belongs to the channel that it borders.
    if labels.ndim and (labels == -1).any():
        rows = labels.reshape(-1, labels.shape[-1])
        inside = rows.max(axis=0)
        if ((rows != -1) & (rows != inside)).any() or (inside == -1).any():
            return None
        labels = np.where(labels == -1, inside, labels)
    return labels


def _without(labels: Ints, unit: int) -> Ints | None:
    """The labels without those of a unit, which must fill whole slices of one axis."""
    for axis in range(labels.ndim):
        others = tuple(i for i in range(labels.ndim) if i != axis)
        whole, some = (labels == unit).all(axis=others), (labels == unit).any(axis=others)
        if (whole == some).all():
            return np.compress(~whole, labels, axis=axis)
    return None


# ------------------------------------------------------------ which units go


def _choose(
    network: NetworkGraph, plan: _Plan, groups: dict[int, list[int]], share: float, method: str, scope: str, seed: int
) -> set[int]:
    """The labels that go."""
    sizes: dict[str, NDArray[np.floating]] = {}
    for layer in plan.outputs:
        weights = [
            network.parameters[n] for n, s in _arrays(network, layer).items() if n in network.parameters and len(s) > 1
        ]
        means = [np.abs(w.astype(np.float64)).mean(axis=tuple(range(w.ndim - 1))) for w in weights]
        total = np.sum(means, axis=0)
        sizes[layer] = total / max(float(total.mean()), 1e-300)
    rng = np.random.default_rng(seed)
    found: dict[tuple[str, ...], list[tuple[float, int]]] = {}
    for root, members in groups.items():
        made = [plan.labels.makers[label] for label in members]
        score = (
            float(np.mean([sizes[layer][unit] for layer, unit in made])) if method == "magnitude" else float(rng.random())
        )
        found.setdefault(tuple(sorted({layer for layer, _ in made})), []).append((score, root))
    # Of each layer one unit stays: one that is pinned, or the best of the largest set of units that compete.
    spared: set[int] = set()
    for layer, labels in plan.outputs.items():
        if all(plan.labels.root(label) in groups for label in labels.tolist()):
            spared.add(max(pair for layers, pairs in found.items() if layer in layers for pair in pairs)[1])
    if scope == "layer":
        roots = [root for pairs in found.values() for _, root in sorted(pairs)[: round(share * len(pairs))]]
    else:
        every = sorted(pair for pairs in found.values() for pair in pairs)
        roots = [root for _, root in every[: round(share * len(every))]]
    return {label for root in roots if root not in spared for label in groups[root]}


# ------------------------------------------------------------ the smaller network


def _smaller(network: N, plan: _Plan, gone: set[int]) -> N:
    definition = Definition.of(network)
    for layer, labels in plan.outputs.items():
        count = sum(label not in gone for label in labels.tolist())
        argument = network.layer(layer).width_argument
        if count < len(labels):
            assert argument is not None
            definition = definition.with_arguments(layer, **{argument: count})
    definition.representations = dict(network.representations())
    arrays: dict[str, NDArray[Any]] = {}
    for arena in (network.parameters, network.states):
        for name, array in arena.items():
            arrays[name] = _remaining_part(plan, name, array, gone)
            how = definition.representations.get(name)
            if isinstance(how, Masked):
                definition.representations[name] = Masked(_remaining_part(plan, name, how.mask, gone) != 0)
    small, names = definition.build(type(network), random_state=network.random_state)
    small.build(*network.buildable_shapes)
    for old, new in ((network.parameters, small.parameters), (network.states, small.states)):
        for name, variable in old.variables.items():
            layer, _, own = name.rpartition(".")
            new[f"{names[layer]}.{own}"][...] = arrays[name]
            new.variables[f"{names[layer]}.{own}"].started = variable.started
    if isinstance(network, Trainable) and isinstance(small, Trainable) and network._trained:
        small.take_up(network.plain_fit_config())
    return small


def _remaining_part(plan: _Plan, name: str, array: NDArray[Any], gone: set[int]) -> NDArray[Any]:
    for axis, labels in plan.axes.get(name, {}).items():
        stays = np.array([label not in gone for label in labels.tolist()], bool)
        if not stays.all():
            array = np.compress(stays, array, axis=axis)
    return array
