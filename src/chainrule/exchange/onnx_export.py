"""Writing ONNX files: the nodes of a network's prediction plan, one by one, as nodes of ONNX.

The plan is what the engines run, so whatever layer a user has written can be exported: there are fewer ops than layers.
Images stay channels last at the network's ends and inside; around a convolution stand two transpositions, which the run
times of ONNX take away. Sizes that depend on the number of samples, or on a length that is free, are found by comparing
plans that were made for several of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import layers as L
from .._version import __version__
from ..errors import EngineError, MissingDependencyError, ModelFileError
from ..files import write_whole
from ..losses import Loss
from ..network import NetworkGraph
from ..ops import Node, Value
from ..ops.value import FREE, Shape
from ..plan import Plan, lower_prediction
from .onnx_file import CHANNELS_LAST
from .onnx_preprocessing import ML_DOMAIN, Preprocessing

__all__ = ["save_onnx"]

Array = NDArray[Any]
#: The operator set that is written, and the version of the format that has it.
VERSION, _FORMAT = 18, 8
#: What graphs are called whose images have their channels first at both ends, and last.
FIRST, LAST = "chainrule", CHANNELS_LAST
#: Numbers of samples, and lengths, that plans are compared for.
_BATCHES, _LENGTHS = (2, 3), (8, 16)


def save_onnx(
    network: NetworkGraph,
    path: str | os.PathLike[str],
    *,
    loss: Loss | None = None,
    channels_first: bool = False,
    metadata: dict[str, str] | None = None,
    preprocessing: Preprocessing | None = None,
    sparse: bool = False,
) -> None:
    """Writes the prediction of a network as an ONNX file, for any number of samples.

    Parameters
        network : built ; path : of the file, written at once or not at all
        loss : whose link (softmax, sigmoid) makes the first output a probability; None gives the raw outputs, as predict
            does
        channels_first : whether images go in and come out as (N, C, H, W); as everywhere in chainrule they are (N, H, W, C)
        metadata : texts that are kept in the file by their names
        preprocessing : what is done to the samples before the network, as part of the file
        sparse : whether arrays with many zeros, such as pruned weights, are written by their other elements alone, where
            that is shorter; False writes all of them
    Raises      MissingDependencyError without the package onnx ; NotFittedError before the network is built ;
                ModelFileError when an op has no counterpart in ONNX, or the file cannot be written
    """
    try:
        import onnx
        from onnx import helper
    except ImportError as error:
        raise MissingDependencyError("onnx", "Writing ONNX files", extra="exchange") from error
    network.require_built("to_onnx")
    batches = _BATCHES if network.samples is None else (network.samples,)
    exporter = _Exporter(network, batches, channels_first, preprocessing)
    exporter.run(loss)
    arrays, sparse_arrays = exporter.arrays(sparse)
    graph = helper.make_graph(
        exporter.nodes,
        FIRST if channels_first else LAST,
        exporter.inputs,
        exporter.outputs,
        arrays,
        sparse_initializer=sparse_arrays,
    )
    domains = {"": VERSION} | dict([ML_DOMAIN] * any(node.domain == ML_DOMAIN[0] for node in exporter.nodes))
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(*one) for one in domains.items()],
        producer_name="chainrule",
        producer_version=__version__,
    )
    model.ir_version = _FORMAT
    helper.set_model_props(model, {str(k): str(v) for k, v in (metadata or {}).items()})
    try:
        onnx.checker.check_model(model, full_check=False)
    except onnx.checker.ValidationError as error:
        raise EngineError(f"to_onnx: the file that was made is not right ({error}).") from error
    write_whole(path, model.SerializeToString(), what="to_onnx", error=ModelFileError)


class _Exporter:
    """Turns the nodes of a plan into nodes of ONNX.

    Parameters  network ; batches : numbers of samples to make plans for, the first one leads ; channels_first : at both ends
    """

    def __init__(
        self,
        network: NetworkGraph,
        batches: Sequence[int],
        channels_first: bool,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        from onnx import helper

        self.preprocessing = preprocessing
        self.network, self.helper, self.channels_first = network, helper, channels_first
        free = any(FREE in shape for shape in network.input_shapes or [])
        lengths = _LENGTHS if free else _LENGTHS[:1]
        self.settings = [
            (batches[0], lengths[0]),
            *((b, lengths[0]) for b in batches[1:]),
            *((batches[0], t) for t in lengths[1:]),
        ]
        self.plans = [self._plan(batch, length) for batch, length in self.settings]
        counts = {len(plan.nodes) for plan in self.plans}
        if len(counts) > 1:
            raise ModelFileError("to_onnx: the network computes something else for other numbers of samples or lengths.")
        self.nodes: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.names: dict[int, str] = {}
        self.kept: dict[str, Array] = {}
        self.number = 0
        #: The node that is being translated, in every plan.
        self.same: list[Node] = []
        #: The sizes of a value in every plan, by the value of the first.
        self.sizes: dict[int, tuple[Shape, ...]] = {}
        self.place = ""
        #: The last cell states of LSTMs, by the value that holds those of all steps.
        self.last_cells: dict[int, str] = {}
        #: The node of the plan that makes a value.
        self.makers: dict[int, Node] = {}

    def _plan(self, batch: int, length: int) -> Plan:
        shapes = [tuple(length if s == FREE else s for s in shape) for shape in self.network.input_shapes or []]
        return lower_prediction(self.network, batch, shapes=shapes)

    # ------------------------------------------------------------ the whole

    def run(self, loss: Loss | None) -> None:
        first = self.plans[0]
        for name, value in first.inputs.items():
            self._note(value, [plan.inputs[name] for plan in self.plans])
            self._input(name, value)
        own = self._layers_of_their_own()
        for index, node in enumerate(first.nodes):
            self.same = [plan.nodes[index] for plan in self.plans]
            for i, value in enumerate(node.outputs):
                self._note(value, [o.outputs[i] for o in self.same])
            if all(len(o.inputs) == len(node.inputs) for o in self.same):
                for i, value in enumerate(node.inputs):
                    self._note(value, [o.inputs[i] for o in self.same])
            self.makers |= {id(value): node for value in node.outputs}
            self.place = f"{node.where.layer or node.op}"
            if node.where.layer in own:
                x, y, write = own[node.where.layer]
                if y in node.outputs:
                    self.put(y, write(self, self.network.layers[node.where.layer], node.where.layer, x))
                continue
            self._check_attributes(node)
            self._moving_constants(node)
            handler = _HANDLERS.get(node.op)
            if handler is None:
                raise ModelFileError(f"to_onnx: {node.where} computes {node.op!r}, which has no counterpart in ONNX.")
            handler(self, node)
        for i in range(len(self.network.output_ids)):
            self._output(
                i, first.outputs[f"output{i}"], [p.outputs[f"output{i}"] for p in self.plans], loss if i == 0 else None
            )
        self._drop_unread()

    def _layers_of_their_own(self) -> dict[str, tuple[Value, Value, Writer]]:
        """{layer: (its input, its output, how it is written)} of the layers that ONNX has a node for.

        Only where one value goes in, one comes out, and nothing between them is read elsewhere: a pass may have seen that
        two layers compute something alike.
        """
        plan, found = self.plans[0], {}
        readers: dict[int, set[str]] = {}
        for node in plan.nodes:
            for value in node.inputs:
                readers.setdefault(id(value), set()).add(node.where.layer)
        for value in plan.outputs.values():
            readers.setdefault(id(value), set()).add("")
        uses = [call.name for call in self.network.calls]
        for name, layer in self.network.layers.items():
            write = _LAYERS.get(type(layer))
            if write is None or uses.count(name) != 1:
                continue
            nodes = [node for node in plan.nodes if node.where.layer == name]
            made = {id(v): v for node in nodes for v in node.outputs}
            # What is computed from parameters alone is not an input.
            computed = [v for n in nodes for v in n.inputs if v.role in ("temporary", "input") and id(v) not in made]
            given = {id(v): v for v in computed}
            out = [v for key, v in made.items() if readers.get(key, set()) - {name}]
            if len(given) == (0 if isinstance(layer, L.LearnedArray) else 1) and len(out) == 1:
                found[name] = (next(iter(given.values()), out[0]), out[0], write)
        return found

    def _drop_unread(self) -> None:
        """Takes away nodes and constants that no output needs."""
        read, kept = {f"output{i}" for i in range(len(self.network.output_ids))}, []
        for node in reversed(self.nodes):
            if read.intersection(node.output):
                kept.append(node)
                read.update(node.input)
        self.nodes = kept[::-1]
        self.kept = {name: array for name, array in self.kept.items() if name in read}

    def _note(self, value: Value, same: Sequence[Value]) -> None:
        self.sizes.setdefault(id(value), tuple(v.shape for v in same))

    def _check_attributes(self, node: Node) -> None:
        """ModelFileError when a number of a node depends on the number of samples or a length, and nobody can say how."""
        if any(len(other.inputs) != len(node.inputs) for other in self.same):
            raise ModelFileError(
                f"to_onnx: {node.where}: how many inputs {node.op} has depends on the sizes of the inputs. Give the network "
                f"inputs of fixed sizes."
            )
        for key, value in node.attrs.items():
            if (node.op, key) not in _MOVING and any(not _alike(o.attrs[key], value) for o in self.same):
                raise ModelFileError(
                    f"to_onnx: {node.where}: {key} of {node.op} depends on the sizes of the inputs. Give the "
                    f"network inputs of "
                    f"fixed sizes."
                )

    def _moving_constants(self, node: Node) -> None:
        """Numbers of an equation that go with a size, such as 1 / T, are computed from it."""
        for i, value in enumerate(node.inputs):
            numbers = [o.inputs[i].constant for o in self.same]
            if value.role != "constant" or len(set(numbers)) == 1:
                continue
            for which in (0, 1):
                sizes = [setting[which] for setting in self.settings]
                products = [n * s for n, s in zip(numbers, sizes, strict=True)]
                quotients = [n / s for n, s in zip(numbers, sizes, strict=True)]
                for op, found in (("Div", products), ("Mul", quotients)):
                    if np.allclose(found, found[0], rtol=1e-12):
                        size = self.node("Cast", [self.node("Squeeze", [self._size(which), self.ints(0)])], to=1)
                        self.put(value, self.node(op, [self.constant(np.array(found[0], np.float32)), size]))
            if id(value) not in self.names:
                raise ModelFileError(
                    f"to_onnx: {node.where}: a number depends on the sizes of the inputs. Give the network inputs "
                    f"of fixed sizes."
                )

    def declare(self, name: str, kind: int, sizes: Sequence[Any]) -> str:
        """An input of the file. Parameters  kind : of its numbers, as ONNX numbers them ; sizes : numbers and names"""
        self.inputs.append(self.helper.make_tensor_value_info(name, kind, list(sizes)))
        return name

    def _input(self, name: str, value: Value) -> None:
        if self.preprocessing is not None:
            self.place = "preprocessing"
            self.names[id(value)] = self.preprocessing.tensor(self, name, value)
            return
        kind = 6 if value.dtype == "int" else 1
        sizes: list[Any] = self._shown(value)
        images = self.channels_first and value.ndim == 4 and value.dtype == "float"
        if images:
            sizes = [sizes[0], sizes[3], *sizes[1:3]]
        self.inputs.append(self.helper.make_tensor_value_info(name, kind, sizes))
        self.names[id(value)] = self.node("Transpose", [name], perm=[0, 2, 3, 1]) if images else name

    def _output(self, i: int, value: Value, same: Sequence[Value], loss: Loss | None) -> None:
        self._note(value, same)
        self.place = "output"
        name, sizes = self.name(value), self._shown(value)
        if loss is not None:
            name = self._linked(name, loss, value)
        if self.preprocessing is not None and i == 0:
            name = self.preprocessing.output(self, name)
        if self.channels_first and value.ndim == 4:
            name, sizes = self.node("Transpose", [name], perm=[0, 3, 1, 2]), [sizes[0], sizes[3], *sizes[1:3]]
        self.nodes.append(self.helper.make_node("Identity", [name], [f"output{i}"], name=f"output{i}"))
        self.outputs.append(self.helper.make_tensor_value_info(f"output{i}", 1, sizes))

    def _linked(self, name: str, loss: Loss, value: Value) -> str:
        """The output after the loss's link, found by what it makes of two numbers."""
        probe = np.array([[0.0, 1.0]])
        found = np.asarray(loss.prediction(probe), np.float64).reshape(-1)
        if np.allclose(found, [0.5, 1 / (1 + np.exp(-1))]):
            return str(self.node("Sigmoid", [name]))
        if np.allclose(found, np.exp(probe[0]) / np.exp(probe[0]).sum()):
            return str(self.node("Softmax", [name], axis=-1))
        if np.allclose(found, probe[0]):
            return name
        if np.allclose(found, np.exp(probe[0])):
            return str(self.node("Exp", [name]))
        raise ModelFileError(f"to_onnx: the link of {loss!r} has no counterpart in ONNX. Leave probabilities out.")

    def arrays(self, sparse: bool) -> tuple[list[Any], list[Any]]:
        """The constants of the file, and those of them that are sparse."""
        from onnx import numpy_helper

        dense, found = [], []
        for name, array in self.kept.items():
            array = np.ascontiguousarray(array)
            places = np.flatnonzero(array) if sparse and array.dtype == np.float32 and array.ndim else None
            if places is not None and places.size * (8 + array.itemsize) < array.nbytes:
                values = numpy_helper.from_array(array.reshape(-1)[places], name)
                found.append(self.helper.make_sparse_tensor(values, numpy_helper.from_array(places), array.shape))
            else:
                dense.append(numpy_helper.from_array(array, name))
        return dense, found

    # ------------------------------------------------------------ what handlers use

    def name(self, value: Value) -> str:
        """The tensor of a value: of a parameter, state or number a constant of the file."""
        if id(value) in self.names:
            return self.names[id(value)]
        array = self.array(value)
        if array is None:
            raise ModelFileError(f"to_onnx: {self.place}: a value that nothing made.")
        if value.role == "constant":
            return self.constant(array)
        return self.constant(array, value.name)

    def array(self, value: Value) -> Array | None:
        """The numbers of a parameter, a state or a constant; None for what is computed."""
        if value.role == "parameter":
            return np.asarray(self.network.parameters[value.name], np.float32)
        if value.role == "state" and value.name not in self.network.states and value.base is not None:
            # An array of a representation, such as the singular vector of a spectral norm.
            return np.asarray(self.network.held_arrays()[value.base.name], np.float32).reshape(value.shape)
        if value.role == "state":
            return np.asarray(self.network.states[value.name], np.float32)
        return np.array(value.constant, np.float32) if value.role == "constant" else None

    def constant(self, array: Array, name: str = "") -> str:
        """The name of a constant of the file."""
        if not name:
            name = f"constant{len(self.kept)}"
            if array.size < 9:  # numbers of equations come again and again
                name = (
                    f"{array.dtype.name}:{'x'.join(map(str, array.shape))}:{','.join(map(str, array.reshape(-1).tolist()))}"
                )
        self.kept.setdefault(name, array)
        return name

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def node(self, op: str, inputs: Sequence[str], *, outputs: int = 1, **attributes: Any) -> Any:
        """A node of ONNX; returns the name of its output, or of its outputs."""
        made = []
        for _ in range(outputs):
            made.append(f"t{self.number}")
            self.number += 1
        label = f"{self.place}/{op}_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(op, list(inputs), made, name=label, **attributes))
        return made[0] if outputs == 1 else made

    def put(self, value: Value, name: str) -> None:
        self.names[id(value)] = name

    def _varies(self, value: Value) -> list[tuple[bool, bool]]:
        """For each axis, whether its size differs with the number of samples, and with the length."""
        shapes = self.sizes[id(value)]
        by_batch = [s for s, (b, t) in zip(shapes, self.settings, strict=True) if t == self.settings[0][1]]
        by_length = [s for s, (b, t) in zip(shapes, self.settings, strict=True) if b == self.settings[0][0]]
        return [
            (len({s[i] for s in by_batch}) > 1, len({s[i] for s in by_length}) > 1) for i in range(value.ndim)
        ]  # fmt: skip

    def moving(self, places: Sequence[int], sizes: Sequence[int]) -> int:
        """A place on an axis whose size varies: from the beginning where it is always the same, else from the end."""
        from_end = {p - s for p, s in zip(places, sizes, strict=True)}
        if len(set(places)) == 1:
            return places[0]
        if len(from_end) > 1:
            raise ModelFileError(f"to_onnx: {self.place}: a place does not follow from the sizes of the inputs.")
        return from_end.pop() or 2**62

    def _shown(self, value: Value) -> list[Any]:
        names = {(True, False): "N", (False, True): "T", (True, True): "NT"}
        return [names.get(v, s) for v, s in zip(self._varies(value), value.shape, strict=True)]

    def shape(self, value: Value) -> str:
        """A tensor of the sizes of a value, of which one may be found by what is left."""
        varies = self._varies(value)
        open_axes = [i for i, v in enumerate(varies) if any(v)]
        if len(open_axes) <= 1:
            return self.ints(*(-1 if i in open_axes else s for i, s in enumerate(value.shape)))
        parts = []
        for size, (batch, length) in zip(value.shape, varies, strict=True):
            if not batch and not length:
                parts.append(self.ints(size))
                continue
            known = (self.settings[0][0] if batch else 1) * (self.settings[0][1] if length else 1)
            if size % known:
                raise ModelFileError(
                    f"to_onnx: {self.place}: a size of {size} does not follow from the sizes of the inputs."
                )
            factors = [self._size(0)] * batch + [self._size(1)] * length + [self.ints(size // known)] * (size != known)
            part = factors[0]
            for factor in factors[1:]:
                part = self.node("Mul", [part, factor])
            parts.append(part)
        return str(self.node("Concat", parts, axis=0))

    def _size(self, which: int) -> str:
        """The number of samples (0), or the length (1), as a tensor of one number."""
        for name, value in self.plans[0].inputs.items():
            for axis, varies in enumerate(self._varies(value)):
                if varies == (which == 0, which == 1):
                    turned = self.channels_first and value.ndim == 4 and self.preprocessing is None
                    place = (0, 2, 3, 1).index(axis) if turned else axis
                    shape = self.node("Shape", [name if self.preprocessing is None else self.names[id(value)]])
                    return str(self.node("Gather", [shape, self.ints(place)], axis=0))
        raise ModelFileError(f"to_onnx: {self.place}: a size does not follow from the sizes of the inputs.")

    def weight(self, value: Value, order: Sequence[int]) -> str:
        """A parameter with its axes in another order, as a constant where it is one."""
        array = self.array(value)
        if array is None:
            return str(self.node("Transpose", [self.name(value)], perm=list(order)))
        return self.constant(array.transpose(order), f"{value.name}:{''.join(map(str, order))}")


#: Attributes whose handlers know how they follow from the sizes of the inputs.
_MOVING = {
    ("slice", "start"), ("slice", "stop"), ("reshape", "shape"), ("sequence_mask", "steps"), ("resample", "size"),
    ("average_pool", "kernel"), ("average_pool", "stride"), ("max_pool", "kernel"), ("max_pool", "stride"),
}  # fmt: skip


def _alike(a: Any, b: Any) -> bool:
    if hasattr(a, "digest"):
        return bool(a.digest == b.digest)
    return bool(np.array_equal(a, b)) if isinstance(a, np.ndarray) else bool(a == b)


def _first(rank: int) -> list[int]:
    return [0, rank - 1, *range(1, rank - 1)]


def _last(rank: int) -> list[int]:
    return [0, *range(2, rank), 1]


Handler = Callable[[_Exporter, Node], None]
#: Writes a layer, by its name, that reads a value; gives the name of the tensor it makes.
Writer = Callable[[_Exporter, Any, str, Value], str]
_HANDLERS: dict[str, Handler] = {}


def _op(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        _HANDLERS.update(dict.fromkeys(names, handler))
        return handler

    return register


_PLAIN = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "maximum": "Max", "minimum": "Min",
    "copy": "Identity",
    "negative": "Neg", "absolute": "Abs", "sign": "Sign", "sqrt": "Sqrt", "exp": "Exp", "log": "Log", "tanh": "Tanh",
    "sin": "Sin", "cos": "Cos", "floor": "Floor", "round": "Round",
    "sigmoid": "Sigmoid", "softplus": "Softplus", "erf": "Erf", "relu": "Relu",
}  # fmt: skip


@_op(*_PLAIN)
def _plain(e: _Exporter, n: Node) -> None:
    if n.op == "add" and (x := _added_signs(e, n)) is not None:
        e.put(n.output, _signs(e, x))
        return
    # Here an op takes whole numbers beside others, and there both must be of one kind.
    mixed = n.output.dtype == "float" and any(v.dtype == "int" for v in n.inputs)
    names = [e.node("Cast", [e.name(v)], to=1) if mixed and v.dtype == "int" else e.name(v) for v in n.inputs]
    e.put(n.output, e.node(_PLAIN[n.op], names))


@_op("greater", "greater_equal", "equal")
def _compared(e: _Exporter, n: Node) -> None:
    op = {"greater": "Greater", "greater_equal": "GreaterOrEqual", "equal": "Equal"}[n.op]
    whole = any(v.dtype == "int" for v in n.inputs) and all(float(v.constant or 0).is_integer() for v in n.inputs)
    names = [
        e.node("Cast", [e.name(v)], to=1) if v.dtype == "int" and not whole else
        e.constant(np.array(v.constant, np.int32)) if whole and v.role == "constant" else e.name(v) for v in n.inputs
    ]  # fmt: skip
    e.put(n.output, e.node("Cast", [e.node(op, names)], to=1))


def _added_signs(e: _Exporter, n: Node) -> Value | None:
    """x of ``sign x + [x = 0]``, which is 1 where x ≥ 0."""
    makers = [e.makers.get(id(v)) for v in n.inputs]
    for one, other in (makers, makers[::-1]):
        if one is None or other is None or one.op != "sign" or other.op != "equal":
            continue
        if other.inputs[0] is one.inputs[0] and other.inputs[1].constant == 0:
            return one.inputs[0]
    return None


def _chosen_signs(e: _Exporter, n: Node) -> Value | None:
    """x of ``1 where x ≥ 0, else −1``."""
    maker = e.makers.get(id(n.inputs[0]))
    if maker is None or maker.op != "greater_equal" or (n.inputs[1].constant, n.inputs[2].constant) != (1, -1):
        return None
    return maker.inputs[0] if maker.inputs[1].constant == 0 else None


def _signs(e: _Exporter, x: Value) -> str:
    """1 where x ≥ 0, else −1: of weights a constant of a byte each, else by Sign, which is 0 at 0."""
    array = e.array(x)
    if array is not None:
        signs = np.where(array >= 0, np.int8(1), np.int8(-1))
        return str(e.node("Cast", [e.constant(signs, f"{x.name}:signs")], to=1))
    half = e.node("Add", [e.node("Sign", [e.name(x)]), e.constant(np.array(0.5, np.float32))])
    return str(e.node("Sign", [half]))


@_op("cumulative_sum")
def _cumulative_sum(e: _Exporter, n: Node) -> None:
    axis = e.constant(np.array(n.attrs["axis"], np.int64))
    options = {name: int(n.attrs[name]) for name in ("exclusive", "reverse")}
    e.put(n.output, e.node("CumSum", [e.name(n.inputs[0]), axis], **options))


@_op("where")
def _where(e: _Exporter, n: Node) -> None:
    if (x := _chosen_signs(e, n)) is not None:
        e.put(n.output, _signs(e, x))
        return
    condition = e.node("Cast", [e.name(n.inputs[0])], to=9)
    e.put(n.output, e.node("Where", [condition, e.name(n.inputs[1]), e.name(n.inputs[2])]))


@_op("square")
def _square(e: _Exporter, n: Node) -> None:
    x = e.name(n.inputs[0])
    e.put(n.output, e.node("Mul", [x, x]))


@_op("expm1", "log1p")
def _near_one(e: _Exporter, n: Node) -> None:
    x, one = e.name(n.inputs[0]), e.constant(np.array(1.0, np.float32))
    if n.op == "expm1":
        # eˣ − 1 = 2 sinh(x/2) e^(x/2) keeps its digits near 0.
        half = e.node("Mul", [x, e.constant(np.array(0.5, np.float32))])
        sinh = e.node("Mul", [e.node("Sinh", [half]), e.constant(np.array(2.0, np.float32))])
        e.put(n.output, e.node("Mul", [sinh, e.node("Exp", [half])]))
    else:
        e.put(n.output, e.node("Log", [e.node("Add", [x, one])]))


@_op("erfc")
def _erfc(e: _Exporter, n: Node) -> None:
    # ONNX has the error function alone; far out its complement loses digits that are below 1e-7 in size.
    one = e.constant(np.array(1.0, np.float32))
    e.put(n.output, e.node("Sub", [one, e.node("Erf", [e.name(n.inputs[0])])]))


@_op("cast")
def _cast(e: _Exporter, n: Node) -> None:
    e.put(n.output, e.node("Cast", [e.name(n.inputs[0])], to=6 if n.attrs["to"] == "int" else 1))


# ---------------------------------------------------------------- products


@_op("matmul")
def _matmul(e: _Exporter, n: Node) -> None:
    names = []
    for value, turned in zip(n.inputs, (n.attrs["transpose_a"], n.attrs["transpose_b"]), strict=True):
        names.append(e.weight(value, (1, 0)) if turned else e.name(value))
    e.put(n.output, e.node("MatMul", names))


@_op("batch_matmul")
def _batch_matmul(e: _Exporter, n: Node) -> None:
    names = []
    for value, turned in zip(n.inputs, (n.attrs["transpose_a"], n.attrs["transpose_b"]), strict=True):
        order = [*range(value.ndim - 2), value.ndim - 1, value.ndim - 2]
        names.append(e.weight(value, order) if turned else e.name(value))
    e.put(n.output, e.node("MatMul", names))


@_op("sparse_matmul")
def _sparse_matmul(e: _Exporter, n: Node) -> None:
    if len(n.inputs) > 1:
        raise ModelFileError(f"to_onnx: {n.where}: a graph whose edges are computed has no counterpart in ONNX.")
    matrix = n.attrs["matrix"]
    dense = matrix.dot(np.eye(matrix.shape[1], dtype=np.float32))
    e.put(n.output, e.node("MatMul", [e.constant(dense.T if n.attrs["transpose"] else dense, f"graph{len(e.kept)}"),
                                      e.name(n.inputs[0])]))  # fmt: skip


# ---------------------------------------------------------------- along axes


@_op("sum", "max")
def _reduced(e: _Exporter, n: Node) -> None:
    axes = e.ints(*n.attrs["axis"])
    op = {"sum": "ReduceSum", "max": "ReduceMax"}[n.op]
    e.put(n.output, e.node(op, [e.name(n.inputs[0]), axes], keepdims=int(n.attrs["keepdims"])))


@_op("channel_moments")
def _channel_moments(e: _Exporter, n: Node) -> None:
    x, axes = e.name(n.inputs[0]), e.ints(*range(n.inputs[0].ndim - 1))
    mean = e.node("ReduceMean", [x, axes], keepdims=0)
    off = e.node("Sub", [x, mean])
    e.put(n.outputs[0], mean)
    e.put(n.outputs[1], e.node("ReduceSum", [e.node("Mul", [off, off]), axes], keepdims=0))


@_op("softmax", "log_softmax")
def _softmax(e: _Exporter, n: Node) -> None:
    e.put(n.output, e.node("Softmax" if n.op == "softmax" else "LogSoftmax", [e.name(n.inputs[0])], axis=-1))


@_op("log_sum_exp")
def _log_sum_exp(e: _Exporter, n: Node) -> None:
    e.put(n.output, e.node("ReduceLogSumExp", [e.name(n.inputs[0]), e.ints(n.inputs[0].ndim - 1)], keepdims=0))


@_op("argmax")
def _argmax(e: _Exporter, n: Node) -> None:
    e.put(n.output, e.node("Cast", [e.node("ArgMax", [e.name(n.inputs[0])], axis=-1, keepdims=0)], to=6))


# ---------------------------------------------------------------- moving


@_op("reshape")
def _reshape(e: _Exporter, n: Node) -> None:
    x, y = n.inputs[0], n.output
    if e.array(x) is not None and not any(any(v) for v in e._varies(y)):
        e.put(y, e.constant(e.array(x).reshape(y.shape), f"{x.name or 'constant'}:{'x'.join(map(str, y.shape))}"))  # type: ignore[union-attr]
        return
    e.put(y, e.node("Reshape", [e.name(x), e.shape(y)]))


@_op("transpose")
def _transpose(e: _Exporter, n: Node) -> None:
    e.put(n.output, e.weight(n.inputs[0], tuple(n.attrs["axes"])))


@_op("concat")
def _concat(e: _Exporter, n: Node) -> None:
    e.put(n.output, e.node("Concat", [e.name(v) for v in n.inputs], axis=n.attrs["axis"]))


@_op("slice")
def _slice(e: _Exporter, n: Node) -> None:
    axis, start, stop = n.attrs["axis"], n.attrs["start"], n.attrs["stop"]
    if id(n.inputs[0]) in e.last_cells:
        e.put(n.output, e.node("Transpose", [e.last_cells[id(n.inputs[0])]], perm=[1, 0, 2]))
        return
    if any(e._varies(n.inputs[0])[axis]):
        start, stop = (
            e.moving([o.attrs[k] for o in e.same], [o.inputs[0].shape[axis] for o in e.same]) for k in ("start", "stop")
        )
    e.put(n.output, e.node("Slice", [e.name(n.inputs[0]), e.ints(start), e.ints(stop), e.ints(axis)]))


@_op("gather")
def _gather(e: _Exporter, n: Node) -> None:
    e.put(n.output, e.node("Gather", [e.name(n.inputs[0]), e.name(n.inputs[1])], axis=0))


@_op("one_hot")
def _one_hot(e: _Exporter, n: Node) -> None:
    values = e.constant(np.array([0.0, 1.0], np.float32))
    e.put(n.output, e.node("OneHot", [e.name(n.inputs[0]), e.ints(n.output.shape[-1]), values], axis=-1))


@_op("pad")
def _pad(e: _Exporter, n: Node) -> None:
    sides = n.attrs["padding"]
    e.put(n.output, e.node("Pad", [e.name(n.inputs[0]), e.ints(*(b for b, _ in sides), *(a for _, a in sides))]))


# ---------------------------------------------------------------- images


def _spatial(e: _Exporter, x: Value) -> str:
    return str(e.node("Transpose", [e.name(x)], perm=_first(x.ndim)))


def _put_image(e: _Exporter, y: Value, name: str) -> None:
    e.put(y, e.node("Transpose", [name], perm=_last(y.ndim)))


def _pads(padding: Sequence[tuple[int, int]]) -> list[int]:
    return [*(b for b, _ in padding), *(a for _, a in padding)]


def _window(n: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"strides": list(n.attrs["stride"]), "pads": _pads(n.attrs["padding"])}
    if "dilation" in n.attrs:
        found |= {"dilations": list(n.attrs["dilation"]), "group": n.attrs["groups"]}
    return found


@_op("conv")
def _conv(e: _Exporter, n: Node) -> None:
    x, w = n.inputs
    weight = e.weight(w, (w.ndim - 1, w.ndim - 2, *range(w.ndim - 2)))
    _put_image(e, n.output, e.node("Conv", [_spatial(e, x), weight], **_window(n)))


@_op("conv_backward_data")
def _transposed(e: _Exporter, n: Node) -> None:
    dy, w = n.inputs
    weight = e.weight(w, (w.ndim - 1, w.ndim - 2, *range(w.ndim - 2)))
    extra = []
    for i, (size, k, s, d, pads) in enumerate(
        zip(dy.shape[1:-1], w.shape[:-2], n.attrs["stride"], n.attrs["dilation"], n.attrs["padding"], strict=True)
    ):
        extra.append(n.output.shape[i + 1] - ((size - 1) * s + d * (k - 1) + 1 - sum(pads)))
    _put_image(e, n.output, e.node("ConvTranspose", [_spatial(e, dy), weight], output_padding=extra, **_window(n)))


def _whole(e: _Exporter, n: Node) -> bool:
    """Whether the window is the whole image, whatever its size; ModelFileError where it moves with the size otherwise."""
    if all(tuple(o.attrs["kernel"]) == tuple(n.attrs["kernel"]) for o in e.same):
        return False
    if any(tuple(o.attrs["kernel"]) != o.inputs[0].shape[1:-1] for o in e.same):
        raise ModelFileError(f"to_onnx: {n.where}: a window depends on the sizes of the inputs. Give inputs of fixed sizes.")
    return True


@_op("max_pool")
def _max_pool(e: _Exporter, n: Node) -> None:
    if _whole(e, n):
        _put_image(e, n.output, e.node("GlobalMaxPool", [_spatial(e, n.inputs[0])]))
        return
    x, attributes = _spatial(e, n.inputs[0]), _window(n)
    if any(p >= k for p, k in zip(attributes["pads"], [*n.attrs["kernel"]] * 2, strict=True)):
        x, attributes["pads"] = _bordered(e, n, x, float("-inf")), [0] * len(attributes["pads"])
    _put_image(e, n.output, e.node("MaxPool", [x], kernel_shape=list(n.attrs["kernel"]), **attributes))


def _bordered(e: _Exporter, n: Node, x: str, value: float) -> str:
    pads = _pads(n.attrs["padding"])
    half = len(pads) // 2
    whole = e.ints(0, 0, *pads[:half], 0, 0, *pads[half:])
    return str(e.node("Pad", [x, whole, e.constant(np.array(value, np.float32))]))


@_op("average_pool")
def _average_pool(e: _Exporter, n: Node) -> None:
    if _whole(e, n):
        _put_image(e, n.output, e.node("GlobalAveragePool", [_spatial(e, n.inputs[0])]))
        return
    count = int(bool(n.attrs.get("count_padding", False)))
    attributes = {"kernel_shape": list(n.attrs["kernel"]), "count_include_pad": count, **_window(n)}
    _put_image(e, n.output, e.node("AveragePool", [_spatial(e, n.inputs[0])], **attributes))


@_op("resample")
def _resample(e: _Exporter, n: Node) -> None:
    from ..ops.resampling import method_of, ratio_of

    x, y = n.inputs[0], n.output
    kind, coordinates, rounding = method_of(n.attrs["method"])
    if kind in ("area", "cubic"):
        _mixed(e, x, y, n.attrs["method"])
        return
    attributes: dict[str, Any] = {
        "mode": kind, "coordinate_transformation_mode": coordinates,
        "nearest_mode": {"round_up": "round_prefer_ceil", "round_down": "round_prefer_floor"}.get(rounding, rounding),
    }  # fmt: skip
    image = _spatial(e, x)
    ratios = [
        ratio_of(n.attrs["method"], i) or pair for i, pair in enumerate(zip(x.shape[1:-1], y.shape[1:-1], strict=True))
    ]
    if any(any(v) for v in e._varies(y)[1:-1]) or ratio_of(n.attrs["method"], 0):
        scales = [1.0, 1.0, *(new / old for old, new in ratios)]
        sizes = [e.constant(np.array(scales, np.float32))]
    else:
        whole = e.node("Concat", [e.node("Shape", [image], start=0, end=2), e.ints(*y.shape[1:-1])], axis=0)
        sizes = ["", whole]
    _put_image(e, y, e.node("Resize", [image, "", *sizes], **attributes))


def _mixed(e: _Exporter, x: Value, y: Value, method: str) -> None:
    """Mixtures that Resize does not have, or not in every run time: one product with a constant matrix for each axis."""
    from ..engine.reference.convolution import taps

    name = e.name(x)
    for axis in range(1, x.ndim - 1):
        size, wanted = x.shape[axis], y.shape[axis]
        matrix = np.zeros((size, wanted), np.float32)
        for index, weight in taps(size, wanted, method, axis - 1):
            np.add.at(matrix, (index, np.arange(wanted)), weight)
        order = [i for i in range(x.ndim) if i != axis] + [axis]
        turned = e.node("MatMul", [e.node("Transpose", [name], perm=order), e.constant(matrix, f"mixture{len(e.kept)}")])
        name = e.node("Transpose", [turned], perm=[order.index(i) for i in range(x.ndim)])
    e.put(y, name)


# ---------------------------------------------------------------- sequences


def _given(n: Node, fixed: int) -> dict[str, Value]:
    """The optional inputs of an op of sequences by name."""
    return dict(zip(n.attrs.get("given", ()), n.inputs[fixed:], strict=True))


@_op("sequence_mask")
def _sequence_mask(e: _Exporter, n: Node) -> None:
    steps = n.output.shape[1]
    if any(e._varies(n.output)[1]):
        count = e._size(1)
        limit = e.node("Squeeze", [count, e.ints(0)])
        zero, one = e.constant(np.array(0, np.int64)), e.constant(np.array(1, np.int64))
        places = e.node("Range", [zero, limit, one])
    else:
        places = e.ints(*range(steps))
    column = e.node("Unsqueeze", [e.node("Cast", [e.name(n.inputs[0])], to=7), e.ints(1)])
    e.put(n.output, e.node("Cast", [e.node("Less", [places, column])], to=1))


@_op("simple_rnn", "lstm", "gru")
def _recurrent(e: _Exporter, n: Node) -> None:
    a, u = n.inputs[:2]
    given, width = _given(n, 2), a.shape[-1]
    units = u.shape[0]
    gates = width // units
    kind, order = {"simple_rnn": ("RNN", (0,)), "lstm": ("LSTM", (0, 3, 1, 2)), "gru": ("GRU", (1, 0, 2))}[n.op]
    recurrent = e.array(u)
    if recurrent is None:
        raise ModelFileError(f"to_onnx: {n.where}: recurrent weights that are computed have no counterpart in ONNX.")
    blocks = np.split(recurrent, gates, axis=1)
    r = np.concatenate([blocks[g] for g in order], axis=1).T[None]
    identity = np.split(np.eye(width, dtype=np.float32), gates, axis=1)
    w = np.concatenate([identity[g] for g in order], axis=1).T[None]
    bias = np.zeros((1, 2 * width), np.float32)
    attributes: dict[str, Any] = {"hidden_size": units, "direction": "reverse" if n.attrs.get("reverse") else "forward"}
    if n.op == "gru":
        after = n.attrs["reset"] == "after"
        attributes["linear_before_reset"] = int(after)
        if after and "bias" in given:
            bias[0, width + 2 * units :] = e.array(given["bias"])
    elif n.op == "simple_rnn":
        attributes["activations"] = [{"tanh": "Tanh", "relu": "Relu"}[n.attrs["activation"]]]
    inputs = [
        e.node("Transpose", [e.name(a)], perm=[1, 0, 2]), e.constant(w.astype(np.float32), f"{u.name}:input"),
        e.constant(r, f"{u.name}:recurrent"), e.constant(bias, f"{u.name}:bias"),
    ]  # fmt: skip
    lengths = ""
    if "mask" in given:
        lengths = e.node("Cast", [e.node("ReduceSum", [e.name(given["mask"]), e.ints(1)], keepdims=0)], to=6)
    starts = [e.node("Unsqueeze", [e.name(given[s]), e.ints(0)]) if s in given else "" for s in ("h0", "c0")]
    inputs += [lengths, *(starts if n.op == "lstm" else starts[:1])]
    while inputs[-1] == "":
        inputs.pop()
    cells = n.op == "lstm" and any(n.outputs[1] in later.inputs for later in e.plans[0].nodes)
    # The last states are asked for only where something reads them.
    y = e.node(kind, inputs, outputs=3 if cells else 2 if "mask" in given else 1, **attributes)
    y = [y] if isinstance(y, str) else y
    steps = e.node("Transpose", [e.node("Squeeze", [y[0], e.ints(1)])], perm=[1, 0, 2])
    if "mask" in given:
        # Here a step of padding keeps the state; ONNX writes 0 there, so the last state is put in its place.
        last = e.node("Transpose", [y[1]], perm=[1, 0, 2])
        there = e.node("Unsqueeze", [e.node("Cast", [e.name(given["mask"])], to=9), e.ints(2)])
        steps = e.node("Where", [there, steps, last])
    e.put(n.outputs[0], steps)
    if cells:
        e.last_cells[id(n.outputs[1])] = y[2]


@_op("attention")
def _attention(e: _Exporter, n: Node) -> None:
    q, k, v = (e.node("Transpose", [e.name(x)], perm=order) for x, order in
               zip(n.inputs[:3], ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True))  # fmt: skip
    given = _given(n, 3)
    scores = e.node("Mul", [e.node("MatMul", [q, k]), e.constant(np.array(n.attrs["scale"], np.float32))])
    allowed = ""
    if n.attrs["causal"]:
        t, s = n.inputs[0].shape[1], n.inputs[1].shape[1]
        if any(e._varies(n.inputs[0])[1]) or any(e._varies(n.inputs[1])[1]):
            raise ModelFileError(
                f"to_onnx: {n.where}: causal attention over a free length is not supported. Fix the length."
            )
        allowed = e.constant((np.arange(s)[None] - s <= np.arange(t)[:, None] - t)[None, None], f"causal{len(e.kept)}")
    if "mask" in given:
        there = e.node("Cast", [e.node("Unsqueeze", [e.name(given["mask"]), e.ints(1, 2)])], to=9)
        allowed = there if not allowed else e.node("And", [allowed, there])
    if allowed:
        scores = e.node("Where", [allowed, scores, e.constant(np.array(-3.0e38, np.float32))])
    p = e.node("Softmax", [scores], axis=-1)
    if allowed:
        p = e.node("Mul", [p, e.node("Cast", [allowed], to=1)])
    y = e.node("MatMul", [p, v])
    e.put(n.outputs[0], e.node("Transpose", [y], perm=[0, 2, 1, 3]))
    e.put(n.outputs[1], p)


# ---------------------------------------------------------------- layers that ONNX has a node for


def _leaky(e: _Exporter, layer: Any, name: str, x: Value) -> str:
    slope = layer.negative_slope if isinstance(layer, L.LeakyReLU) else (layer.low + layer.high) / 2
    return str(e.node("LeakyRelu", [e.name(x)], alpha=float(slope)))


def _prelu(e: _Exporter, layer: Any, name: str, x: Value) -> str:
    slope = np.asarray(e.network.parameters[f"{name}.slope"], np.float32)
    return str(e.node("PRelu", [e.name(x), e.constant(slope.reshape((1,) * (x.ndim - 1) + (-1,)), f"{name}.slope")]))


def _elu(e: _Exporter, layer: Any, name: str, x: Value) -> str:
    return str(e.node("Elu", [e.name(x)], alpha=float(layer.alpha)))


def _selu(e: _Exporter, layer: Any, name: str, x: Value) -> str:
    return str(e.node("Selu", [e.name(x)]))


def _learned(e: _Exporter, layer: Any, name: str, x: Value, axes: int = 1) -> list[str]:
    """γ and β of a normalisation, ones and zeros where it has none."""
    made = []
    for short, value in (("gamma", 1.0), ("beta", 0.0)):
        full = f"{name}.{short}"
        own = e.network.parameters
        array = own[full] if full in own else np.full(x.shape[x.ndim - axes :], value)
        made.append(e.constant(np.asarray(array, np.float32), full))
    return made


def _batch_norm(e: _Exporter, layer: Any, name: str, x: Value) -> str:
    states = [
        e.constant(np.asarray(e.network.states[f"{name}.{short}"], np.float32), f"{name}.{short}")
        for short in ("running_mean", "running_var")
    ]
    image = _spatial(e, x) if x.ndim > 2 else e.name(x)
    given = [image, *_learned(e, layer, name, x), *states]
    y = e.node("BatchNormalization", given, epsilon=float(layer.epsilon), momentum=float(layer.momentum))
    return str(e.node("Transpose", [y], perm=_last(x.ndim))) if x.ndim > 2 else str(y)


def _layer_norm(e: _Exporter, layer: Any, name: str, x: Value) -> str:
    axes = int(layer.axes)
    given = [e.name(x), *_learned(e, layer, name, x, axes)]
    return str(e.node("LayerNormalization", given, axis=-axes, epsilon=float(layer.epsilon)))


def _instance_norm(e: _Exporter, layer: Any, name: str, x: Value) -> str:
    given = [_spatial(e, x), *_learned(e, layer, name, x)]
    y = e.node("InstanceNormalization", given, epsilon=float(layer.epsilon))
    return str(e.node("Transpose", [y], perm=_last(x.ndim)))


def _learned_array(e: _Exporter, layer: Any, name: str, y: Value) -> str:
    """The same array for each sample."""
    array = np.asarray(e.network.parameters[f"{name}.array"], np.float32)
    sizes = e.node("Concat", [e._size(0), e.ints(*array.shape)], axis=0)
    return str(e.node("Expand", [e.constant(array[None], f"{name}.array"), sizes]))


_LAYERS: dict[type, Writer] = {
    L.LeakyReLU: _leaky, L.RReLU: _leaky, L.PReLU: _prelu, L.ELU: _elu, L.SELU: _selu, L.BatchNorm: _batch_norm,
    L.LayerNorm: _layer_norm, L.InstanceNorm: _instance_norm, L.LearnedArray: _learned_array,
}  # fmt: skip
