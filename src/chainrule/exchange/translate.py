"""From a network of another library to one of ours.

Tensors of the file are followed node by node. Each has its sizes as the file has them, and an ``order``: our axis i is the
file's axis ``order[i]``. So images are channels last from the first layer on, a transposition of the file changes an order
and nothing else, and weights are brought into place once, here. Only where an operation needs another order of axes is a
Permute put in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, TypeVar

import numpy as np

from ..errors import ChainruleError, ModelFileError
from ..layers import Input, Layer, LearnedArray, Permute, Reshape, Tensor
from ..network import NetworkGraph
from .foreign import BATCH, Array, ForeignGraph, ForeignNode, Size

__all__ = [
    "OPERATORS", "Traced", "Translator", "channels_last", "constant", "known_count", "operator", "plain_sizes", "translate",
]  # fmt: skip

N = TypeVar("N", bound=NetworkGraph)
Handler = Callable[["Translator", ForeignNode], None]
#: How each node of ONNX becomes layers, by its name; see ``operator``.
OPERATORS: dict[str, Handler] = {}
#: Nodes whose input is an image, a sequence or a volume with channels.
SPATIAL = (
    "Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "BatchNormalization",
    "InstanceNormalization", "LRN", "Resize", "Upsample", "DepthToSpace", "GroupNormalization",
)  # fmt: skip


def operator(*names: str) -> Callable[[Handler], Handler]:
    """Registers a function as the translation of the nodes of these names."""

    def register(handler: Handler) -> Handler:
        OPERATORS.update(dict.fromkeys(names, handler))
        return handler

    return register


def channels_last(rank: int) -> tuple[int, ...]:
    """The order of an image whose channels are the file's axis 1.

    >>> channels_last(4)
    (0, 2, 3, 1)
    """
    return (0, *range(2, rank), 1)


@dataclass
class Traced:
    """A tensor of the file, as far as it is known.

    Attributes
        shape : the file's sizes, ints and Sizes ; array : its values where they are constant (of Sizes, an array of
        objects) ; tensor : ours, where they are not ; order : of our axes ; made_by : the layer that made it ;
        whole : what it was flattened from, where its elements lie in our order and not in the file's ;
        rows : the sizes of the axes that the file has joined into one, such as (samples, steps), where ours keeps them
        apart and ``order`` speaks of them apart ; rows_at : that axis of the file
    """

    shape: tuple[Any, ...]
    array: Array | None = None
    tensor: Tensor | None = None
    order: tuple[int, ...] = ()
    made_by: Layer | None = None
    whole: Traced | None = None
    rows: tuple[Any, ...] = ()
    rows_at: int = 0

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def constant(self) -> bool:
        return self.array is not None


@dataclass
class _Weights:
    """The arrays of one layer: {name of the parameter or state: array}, and what the layer is called in the file."""

    layer: Layer
    arrays: dict[str, Array] = field(default_factory=dict)


class Translator:
    """Translates one graph.

    Parameters  graph : of the file ; fold : computes a node whose inputs are all constant numbers
    """

    def __init__(self, graph: ForeignGraph, fold: Callable[[ForeignNode, list[Array | None]], list[Array]] | None = None):
        self.graph, self.fold = graph, fold
        self.uses = graph.uses()
        self.known: dict[str, Traced] = {
            name: Traced(array.shape, array) for name, array in graph.arrays.items()
        }  # fmt: skip
        self.inputs: list[Tensor] = []
        self.weights: dict[int, _Weights] = {}
        #: What ONNX's Sign was taken of, by the tensor that it made.
        self.signed: dict[int, Traced] = {}
        self._names: set[str] = set()
        self.node = ForeignNode("", "", [], [])

    # ------------------------------------------------------------ the whole

    def run(self, kind: type[N], random_state: Any = None) -> N:
        """The network, an instance of ``kind``, with its weights."""
        known = [*OPERATORS, *(_SYMBOLIC if self.fold else ()), *(["Constant"] if self.fold else ())]
        self.graph.require(known, self._from_data() if self.fold else None)
        for name, (shape, numbers) in self.graph.inputs.items():
            if self.uses.get(name):
                self._declare(name, shape, numbers)
        for node in self.graph.nodes:
            self.node = node
            try:
                self._translate(self.node)
            except ModelFileError as error:
                raise ModelFileError(f"{self.graph.source}: {self.node.shown()}: {error}") from None
            except (ChainruleError, ValueError, TypeError, KeyError, IndexError, AttributeError, ZeroDivisionError) as error:
                said = str(error) if isinstance(error, ChainruleError) else f"its inputs or attributes do not fit ({error})"
                raise ModelFileError(f"{self.graph.source}: {self.node.shown()}: {said}") from error
        outputs = [self._output(name) for name in self.graph.outputs]
        try:
            network = kind(inputs=self.inputs, outputs=outputs, random_state=random_state)
            network.build()
            self._put_weights(network)
        except ModelFileError:
            raise
        except ChainruleError as error:
            raise ModelFileError(f"{self.graph.source}: the network does not fit together: {error}") from error
        return network

    def _from_data(self) -> set[str]:
        """The tensors that are computed from numbers of the inputs, and not from constants and sizes alone."""
        found = set(self.graph.inputs)
        for node in self.graph.nodes:
            if node.op != "Shape" and any(name in found for name in node.inputs):
                found.update(node.outputs)
        return found

    def _translate(self, node: ForeignNode) -> None:
        given = [self.known[name] if name else None for name in node.inputs]
        constant = all(x is None or x.constant for x in given)
        if self.fold is not None and (node.op in _SYMBOLIC or constant) and self._fold(node, given):
            return
        rows = next((x.rows for x in given if x is not None and x.rows), ())
        if rows and node.op not in ("Reshape", "Flatten"):
            self._by_rows(node, rows)
            return
        if node.op not in OPERATORS:
            raise ModelFileError("it is known only where its inputs are constants or sizes.")
        OPERATORS[node.op](self, node)

    def _by_rows(self, node: ForeignNode, rows: tuple[Any, ...]) -> None:
        """A node on a matrix whose rows are steps of samples: here it works on the samples, along axes that lie behind."""
        if node.op == "Transpose":
            self._transpose_by_rows(node)
            return
        if node.op not in _ALONG_ROWS or any(self.known[name].rows_at for name in node.inputs if name):
            raise ModelFileError("it works on samples and steps that were joined, which is supported for few operations.")
        shift = len(rows) - 1

        def moved(axis: Any) -> int:
            if int(axis) == 0:
                raise ModelFileError("it works along the samples.")
            return int(axis) + shift if int(axis) > 0 else int(axis)

        own = ForeignNode(node.op, node.name, list(node.inputs), node.outputs, dict(node.attributes), node.version)
        for key in ("axis", "axes"):
            if key in own.attributes:
                value = own.attributes[key]
                own.attributes[key] = [moved(a) for a in value] if isinstance(value, list) else moved(value)
        for i, name in enumerate(node.inputs):
            x = self.known[name] if name else None
            if x is not None and x.rows:
                if x.rows != rows:
                    raise ModelFileError("it joins rows of different samples and steps.")
                own.inputs[i] = f"{name} by rows"
                self.known[own.inputs[i]] = self.apart(x)
            elif x is not None and x.array is not None and i == 1 and node.op.startswith("Reduce"):
                own.inputs[i] = f"{name} behind rows"
                self.known[own.inputs[i]] = constant(np.array([moved(a) for a in x.array.reshape(-1)]))
        self.node = own
        OPERATORS[node.op](self, own)
        self.node = node
        for name in filter(None, node.outputs):
            y = self.settled(self.known[name])
            if y.shape[: len(rows)] != rows:
                raise ModelFileError("it changes samples and steps that were joined.")
            self.known[name] = self.joined(y, rows)

    def _transpose_by_rows(self, node: ForeignNode) -> None:
        """Moves axes of which one is joined of several, which stay side by side."""
        given = self.settled(self.get(0))
        x, at, count = self.apart(given), given.rows_at, len(given.rows)
        perm = [int(a) for a in node.attributes.get("perm", reversed(range(given.rank)))]
        wide = [list(range(i, i + count)) if i == at else [i + (count - 1) * (i > at)] for i in range(given.rank)]
        axes = [a for i in perm for a in wide[i]]
        y = replace(x, shape=tuple(x.shape[a] for a in axes), order=tuple(axes.index(i) for i in x.order))
        self.put(self.joined(y, given.rows, perm.index(at)))

    def apart(self, x: Traced) -> Traced:
        """The tensor with the axes that the file has joined."""
        if not x.rows:
            return x
        shape = (*x.shape[: x.rows_at], *x.rows, *x.shape[x.rows_at + 1 :])
        return replace(x, shape=shape, rows=(), rows_at=0)

    def joined(self, x: Traced, rows: tuple[Any, ...], at: int = 0) -> Traced:
        """The tensor as the file has it, with these neighbouring axes as one, which is the file's axis ``at``."""
        name = " ".join(map(str, rows))
        shape = (*x.shape[:at], Size(f"({name})"), *x.shape[at + len(rows) :])
        return replace(x, shape=shape, rows=rows, rows_at=at)

    def _fold(self, node: ForeignNode, given: Sequence[Traced | None]) -> bool:
        """Computes a node of constants, or of sizes; False where it is neither."""
        if node.op == "Shape":
            shape = self.get(0).shape[node.attributes.get("start", 0) : node.attributes.get("end")]
            self.put(constant(np.array(shape, dtype=object if _symbolic(shape) else np.int64)))
            return True
        if not all(x is None or x.constant for x in given):
            return False
        arrays = [None if x is None else x.array for x in given]
        if any(a is not None and a.dtype == object for a in arrays):
            if node.op not in _SYMBOLIC:
                raise ModelFileError("it computes with sizes that are not known before data comes, which is not supported.")
            found = [_plain(_SYMBOLIC[node.op](node, arrays))]
        else:
            assert self.fold is not None
            found = self.fold(node, arrays)
        for name, array in zip(node.outputs, found, strict=False):
            if name:
                self.known[name] = constant(np.asarray(array))
        return True

    def _declare(self, name: str, shape: tuple[Any, ...], kind: str) -> None:
        if not shape:
            raise ModelFileError(f"{self.graph.source}: the input {name!r} has no axis for the samples.")
        order = self.input_order(name)
        if order[0] and shape[0] == BATCH:
            shape = (Size("steps"), *shape[1:])
        shape = tuple(BATCH if i == order[0] else s for i, s in enumerate(shape))
        if kind == "int" and not self._looks_up(name):
            kind = "float"  # such as a mask: whole numbers that are computed with
        sizes = tuple(None if isinstance(shape[i], Size) else int(shape[i]) for i in order[1:])
        tensor = Input(sizes, dtype=kind)
        self.inputs.append(tensor)
        self.known[name] = Traced(shape, tensor=tensor, order=order)

    def input_order(self, name: str) -> tuple[int, ...]:
        """The axes of an input in the order in which the network takes them: samples first, and channels of images last."""
        shape, kind = self.graph.inputs[name]
        rank = len(shape)
        if not self.graph.channels_last and self._is_spatial(name, rank) and (kind == "float" or not self._looks_up(name)):
            return channels_last(rank)
        samples = self._samples_axis(name, rank)
        return (samples, *(i for i in range(rank) if i != samples))

    def _samples_axis(self, name: str, rank: int) -> int:
        """The axis of the samples, which is the second one of sequences and states that a recurrent node takes.

        An input is followed through what moves its axes, or adds some behind them, to the first node of that kind.
        """
        reached: dict[str, list[int | None]] = {name: list(range(rank))}
        for node in self.graph.nodes:
            places = [i for i, given in enumerate(node.inputs) if given in reached]
            if not places:
                continue
            axes, place = reached[node.inputs[places[0]]], places[0]
            if node.op in ("LSTM", "GRU", "RNN") and len(axes) == 3 and place in (0, 5, 6):
                found = axes[0 if int(node.attributes.get("layout", 0)) else 1]
                return 0 if found is None else found
            if node.op == "Transpose" and "perm" in node.attributes:
                reached[node.outputs[0]] = [axes[int(i)] for i in node.attributes["perm"]]
            elif node.op == "Gather" and place == 1:
                reached[node.outputs[0]] = [*axes, None]
            elif node.op in _KEEPING_AXES and place == 0:
                reached[node.outputs[0]] = axes
        return 0

    def _looks_up(self, name: str) -> bool:
        """Whether an input is an index of a table somewhere, or holds lengths of sequences."""
        reached = {name}
        for node in self.graph.nodes:
            if node.op in ("LSTM", "GRU", "RNN") and node.given(4) and node.inputs[4] in reached:
                return True
            if node.op in ("Gather", "OneHot", "GatherND", "GatherElements") and any(i in reached for i in node.inputs):
                return True
            if node.op in _STILL_INDICES and any(i in reached for i in node.inputs[:1]):
                reached.update(node.outputs)
        return False

    def _is_spatial(self, name: str, rank: int) -> bool:
        """Whether the first node that gives the axes of an input a meaning takes it as channels and places."""
        if rank < 3:
            return False
        reached, again = {name}, True
        while again:
            again = False
            for node in self.graph.nodes:
                if not any(i in reached for i in node.inputs[:1] if i) or node.outputs[0] in reached:
                    continue
                if node.op in SPATIAL:
                    return True
                if node.op in _ELEMENTWISE:
                    reached.add(node.outputs[0])
                    again = True
        return False

    def _output(self, name: str) -> Tensor:
        x = self.settled(self.apart(self.known[name]))
        if x.tensor is None:
            raise ModelFileError(f"{self.graph.source}: the output {name!r} is a constant.")
        image = x.rank >= 3 and x.order == channels_last(x.rank) and not self.graph.channels_last
        samples = x.order[0]  # stand first here, wherever the file has them
        plain = (samples, *(i for i in range(x.rank) if i != samples))
        return x.tensor if image else self.ordered(x, plain).tensor  # type: ignore[return-value]

    def _put_weights(self, network: NetworkGraph) -> None:
        names = {id(layer): name for name, layer in network.layers.items()}
        for weights in self.weights.values():
            name = names.get(id(weights.layer))
            if name is None:
                continue  # nothing that is an output needs it
            for short, array in weights.arrays.items():
                full = f"{name}.{short}"
                arena = network.parameters if full in network.parameters else network.states
                if arena[full].shape != array.shape:
                    raise ModelFileError(
                        f"{self.graph.source}: the weight {full!r} has shape {array.shape}, where "
                        f"{arena[full].shape} is needed."
                    )
                if not np.isfinite(array).all():
                    raise ModelFileError(f"{self.graph.source}: the weight {full!r} holds NaN or infinity.")
                arena[full][...] = array

    # ------------------------------------------------------------ tensors

    def get(self, place: int) -> Traced:
        """The input of the node at this place."""
        if not self.node.given(place):
            raise ModelFileError(f"its input {place} is missing.")
        return self.known[self.node.inputs[place]]

    def array(self, place: int) -> Array | None:
        """The constant at this place, None where the node has no such input; ModelFileError where it is no constant."""
        if not self.node.given(place):
            return None
        found = self.get(place).array
        if found is None:
            raise ModelFileError(f"its input {self.node.inputs[place]!r} must be a constant, and it is computed from data.")
        return found

    def numbers(self, place: int) -> Array | None:
        """``array`` as float32 numbers."""
        found = self.array(place)
        return None if found is None else np.asarray(found, np.float32)

    def put(self, x: Traced, place: int = 0) -> None:
        """What the node's output at this place is."""
        if place < len(self.node.outputs) and self.node.outputs[place]:
            self.known[self.node.outputs[place]] = x

    def apply(
        self, layer: Layer, *xs: Traced, shape: tuple[Any, ...], order: tuple[int, ...],
        weights: dict[str, Array] | None = None, called: str = "",
    ) -> Traced:  # fmt: skip
        """A layer on tensors, with its weights. Parameters  shape, order : of what it makes ; called : of the layer in the
        file
        """
        tensor = self._applied(layer, xs, weights, called)
        return Traced(shape, tensor=tensor, order=order, made_by=layer)

    def apply_several(
        self, layer: Layer, *xs: Traced, shapes: Sequence[tuple[Any, ...]], weights: dict[str, Array] | None = None,
        called: str = "",
    ) -> list[Traced]:  # fmt: skip
        """A layer that makes one tensor of each of these shapes, whose axes lie as in the file."""
        tensors = self._applied(layer, xs, weights, called)
        several = [tensors] if isinstance(tensors, Tensor) else list(tensors)
        return [Traced(s, tensor=one, order=tuple(range(len(s))), made_by=layer)
                for s, one in zip(shapes, several, strict=True)]  # fmt: skip

    def _applied(self, layer: Layer, xs: Sequence[Traced], weights: dict[str, Array] | None, called: str) -> Any:
        layer.validate()
        if called and (name := self._free_name(called)):
            layer.named(name)
        tensors = layer(*(x.tensor for x in xs if x.tensor is not None))
        if weights:
            self.weights[id(layer)] = _Weights(layer, {n: np.asarray(a, np.float32) for n, a in weights.items()})
        return tensors

    def _free_name(self, called: str) -> str:
        """A name that is not taken, without signs that a terminal or a path could misunderstand; "" where nothing is
        left.
        """
        text = re.sub(r"[^A-Za-z0-9_./-]+", "_", called).strip("./_")[:80]
        name, number = text, 1
        while name in self._names:
            number += 1
            name = f"{text}_{number}"
        self._names.add(name)
        return name if text else ""

    def elementwise(self, layer: Layer, x: Traced) -> Traced:
        """An activation of one tensor, which keeps its shape and its order."""
        made = self.apply(layer, x, shape=x.shape, order=x.order)
        return replace(made, whole=x.whole)

    def settled(self, x: Traced) -> Traced:
        """The tensor with its elements in the file's order, where it was flattened in ours."""
        if x.whole is None or x.tensor is None:
            return x
        whole = x.whole
        assert whole.tensor is not None
        ours = tuple(whole.shape[i] for i in whole.order)
        unflat = self.apply(Reshape(plain_sizes(ours[1:])), replace(x, whole=None), shape=whole.shape, order=whole.order)
        return self._flat(self.ordered(unflat, tuple(range(whole.rank))), x.shape)

    def ordered(self, x: Traced, order: tuple[int, ...]) -> Traced:
        """The tensor with our axes in this order of the file's."""
        x = self.settled(x)
        if x.order == order:
            return x
        if order[0] != x.order[0]:
            raise ModelFileError("it needs the samples on another axis, which is not supported.")
        kept = [i for i in x.order[1:] if x.shape[i] != 1]
        if kept == [i for i in order[1:] if x.shape[i] != 1]:
            layer: Layer = Reshape(plain_sizes([x.shape[i] for i in order[1:]]))
        else:
            layer = Permute(tuple(x.order.index(i) for i in order[1:]))
        return self.apply(layer, x, shape=x.shape, order=order)

    def image(self, place: int = 0) -> Traced:
        """The input at this place with channels last."""
        x = self.get(place)
        if x.constant:
            raise ModelFileError("its input is a constant.")
        if x.rank < 2:
            raise ModelFileError(f"its input has {x.rank} axes, where channels are needed.")
        return self.ordered(x, channels_last(x.rank))

    def axis(self, x: Traced, axis: int) -> int:
        """Our axis of a tensor for the file's, which may be negative."""
        if not -x.rank <= axis < x.rank:
            raise ModelFileError(f"axis {axis} is not there in a tensor of {x.rank} axes.")
        return x.order.index(axis % x.rank)

    def reshape(self, x: Traced, target: tuple[Any, ...]) -> Traced:
        """The tensor in another shape, whose sizes are ints and Sizes."""
        x = self.settled(x)
        if x.shape == target:
            return x
        if target.count(BATCH) != 1:
            raise ModelFileError(f"it joins samples with each other: {x.shape} becomes {target}.")
        ours = [x.shape[i] for i in x.order]
        # Axes of size 1 come and go freely.
        if [s for s in x.shape if s != 1] == [s for s in target if s != 1]:
            places = [i for i, s in enumerate(target) if s != 1]
            old = [i for i, s in enumerate(x.shape) if s != 1]
            order = _with_ones([places[old.index(i)] for i in x.order if x.shape[i] != 1], target)
            return self.apply(Reshape(plain_sizes([target[i] for i in order[1:]])), x, shape=target, order=order)
        if x.order[0] != 0 or target[0] != BATCH:
            raise ModelFileError(f"it joins samples with each other: {x.shape} becomes {target}.")
        if len(target) == 2 and x.order != tuple(range(x.rank)) and all(isinstance(s, int) for s in ours[1:]):
            flat = self.apply(Reshape(plain_sizes(target[1:])), x, shape=target, order=(0, 1))
            return replace(flat, whole=x)
        return self._flat(self.ordered(x, tuple(range(x.rank))), target)

    def _flat(self, x: Traced, target: tuple[Any, ...]) -> Traced:
        return self.apply(Reshape(plain_sizes(target[1:])), x, shape=target, order=tuple(range(len(target))))

    def same_for_all(self, array: Array, like: Traced) -> Traced:
        """A constant as a tensor that is the same for each sample, such as a token that stands before a sequence.

        Parameters  array : with one sample, or of one ; like : any tensor, which says how many samples there are
        """
        if array.dtype == object or array.ndim < 2 or array.shape[0] != 1:
            raise ModelFileError(f"a constant of shape {array.shape} is not the same for each sample.")
        values = np.asarray(array[0], np.float32)
        layer = LearnedArray(values.shape)
        shape = (BATCH, *values.shape)
        return self.apply(layer, like, shape=shape, order=tuple(range(len(shape))), weights={"array": values})

    def only_use(self, place: int) -> bool:
        """Whether the node is the only one that reads its input at this place."""
        return self.uses.get(self.node.inputs[place], 0) == 1


def constant(array: Array) -> Traced:
    """A constant of the file."""
    return Traced(array.shape, array)


def _with_ones(long: list[int], target: tuple[Any, ...]) -> tuple[int, ...]:
    """An order of all axes of ``target`` in which those longer than 1 stand as given, and those of 1 where the file has
    them.
    """
    order = list(long)
    for i, size in enumerate(target):
        if size == 1:
            order.insert(max(1, min(i, len(order))), i)
    return tuple(order)


def plain_sizes(shape: Sequence[Any]) -> tuple[int, ...]:
    """The sizes of a sample as Reshape takes them: −1 for the one that is not known."""
    found = tuple(-1 if isinstance(s, Size) else int(s) for s in shape)
    if found.count(-1) > 1:
        raise ModelFileError(
            f"more than one size of {tuple(shape)} is not known before data comes. Give the sizes of the inputs, shapes=..."
        )
    return found


def _symbolic(shape: Sequence[Any]) -> bool:
    return any(isinstance(s, Size) for s in shape)


def known_count(shape: Sequence[Any]) -> int | None:
    """The product of sizes, None where one is not known."""
    return None if _symbolic(shape) else prod(int(s) for s in shape)


# ---------------------------------------------------------------- arithmetic of sizes


def _cast(node: ForeignNode, arrays: list[Any]) -> Array:
    found: Array = arrays[0]
    return found


def _gather(node: ForeignNode, arrays: list[Any]) -> Array:
    index = np.asarray(arrays[1], np.int64)
    return np.asarray(np.take(arrays[0], index, axis=int(node.attributes.get("axis", 0))), dtype=object)


def _slice(node: ForeignNode, arrays: list[Any]) -> Array:
    if "starts" in node.attributes:
        starts, stops = node.attributes["starts"], node.attributes["ends"]
        axes, steps = node.attributes.get("axes", range(len(starts))), [1] * len(starts)
    else:
        starts, stops = arrays[1], arrays[2]
        axes = arrays[3] if len(arrays) > 3 and arrays[3] is not None else range(len(starts))
        steps = arrays[4] if len(arrays) > 4 and arrays[4] is not None else [1] * len(starts)
    found: Array = arrays[0]
    for start, stop, axis, step in zip(starts, stops, axes, steps, strict=True):
        cut = [slice(None)] * found.ndim
        cut[int(axis)] = slice(int(start), int(stop), int(step))
        found = found[tuple(cut)]
    return found


def _unsqueeze(node: ForeignNode, arrays: list[Any]) -> Array:
    axes = arrays[1] if len(arrays) > 1 else node.attributes["axes"]
    return np.expand_dims(arrays[0], tuple(int(a) for a in np.atleast_1d(axes)))


def _squeeze(node: ForeignNode, arrays: list[Any]) -> Array:
    axes = arrays[1] if len(arrays) > 1 and arrays[1] is not None else node.attributes.get("axes")
    return np.asarray(np.squeeze(arrays[0], None if axes is None else tuple(int(a) for a in np.atleast_1d(axes))))


def _concat(node: ForeignNode, arrays: list[Any]) -> Array:
    return np.concatenate([np.asarray(a, dtype=object) for a in arrays], axis=int(node.attributes.get("axis", 0)))


def _arithmetic(function: Callable[[Any, Any], Any]) -> Callable[[ForeignNode, list[Any]], Array]:
    def compute(node: ForeignNode, arrays: list[Any]) -> Array:
        return np.asarray(function(np.asarray(arrays[0], dtype=object), np.asarray(arrays[1], dtype=object)), dtype=object)

    return compute


def _plain(array: Array) -> Array:
    """Whole numbers as such where no size is left that is not known."""
    if array.dtype != object or any(isinstance(s, Size) for s in array.reshape(-1)):
        return array
    return np.asarray(array.tolist())


def _for_one_sample(sizes: Any) -> tuple[int, ...]:
    """Sizes of a constant that is the same for all samples."""
    return tuple(1 if isinstance(s, Size) and s == BATCH else int(s) for s in np.asarray(sizes).reshape(-1))


#: What may be computed from sizes before data comes, where some are not known.
_SYMBOLIC: dict[str, Callable[[ForeignNode, list[Any]], Array]] = {
    "Shape": _cast,
    "Cast": _cast,
    "Identity": _cast,
    "Floor": _cast,
    "Ceil": _cast,
    "Gather": _gather,
    "Slice": _slice,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Concat": _concat,
    "Equal": _arithmetic(lambda a, b: a == b),
    "Where": lambda node, arrays: np.where(np.asarray(arrays[0], bool), arrays[1], arrays[2]),
    "Add": _arithmetic(lambda a, b: a + b),
    "Sub": _arithmetic(lambda a, b: a - b),
    "Mul": _arithmetic(lambda a, b: a * b),
    "Div": _arithmetic(lambda a, b: a // b),
    "ConstantOfShape": lambda node, arrays: np.broadcast_to(
        np.asarray(node.attributes.get("value", np.zeros(1, np.float32))).reshape(()), _for_one_sample(arrays[0])
    ),
    "Expand": lambda node, arrays: np.broadcast_to(
        arrays[0], np.broadcast_shapes(arrays[0].shape, _for_one_sample(arrays[1]))
    ),
    "Reshape": lambda node, arrays: np.reshape(arrays[0], [int(i) for i in arrays[1]]),
    "ReduceProd": lambda node, arrays: np.asarray(np.prod(arrays[0]), dtype=object),
}
#: Nodes that may work on the rows of a matrix that the file has made of samples and steps.
_ALONG_ROWS = (
    "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean", "Relu", "Sigmoid", "Tanh", "Exp", "Log", "Sqrt", "Abs",
    "Reciprocal", "Neg", "Softplus", "Softsign", "HardSwish", "Mish", "Erf", "Identity", "Dropout", "Cast",
    "Elu", "LeakyRelu",
    "Selu", "Gelu", "HardSigmoid", "Clip", "Gemm", "MatMul", "Softmax", "LogSoftmax", "ReduceMean", "ReduceMax", "ReduceSum",
    "ReduceL2", "ReduceMin", "LayerNormalization", "Concat", "Slice", "Split", "Sign", "Where", "Greater", "GreaterOrEqual",
    "Less", "LessOrEqual", "Equal", "Not", "And", "Or",
)  # fmt: skip
#: Nodes that leave indices what they are.
_STILL_INDICES = ("Identity", "Cast", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Transpose", "Slice")
#: Nodes that leave the meaning of the axes to what comes after them.
_ELEMENTWISE = (
    "Add", "Sub", "Mul", "Div", "Relu", "Clip", "Identity", "Cast", "Dropout", "Pad", "Sigmoid", "Tanh", "LeakyRelu",
    "PRelu",
)  # fmt: skip
#: Nodes that leave the axes of their first input where they are.
_KEEPING_AXES = (*_ELEMENTWISE, "LayerNormalization", "MatMul", "Gelu", "Selu", "Elu", "Erf", "HardSigmoid", "Softplus")


def translate(
    graph: ForeignGraph,
    kind: type[N],
    *,
    fold: Callable[[ForeignNode, list[Array | None]], list[Array]] | None = None,
    random_state: Any = None,
) -> N:
    """The network that a file describes, an instance of ``kind``, with its weights."""
    from . import operators  # noqa: F401  (registers them)

    return Translator(graph, fold).run(kind, random_state)
