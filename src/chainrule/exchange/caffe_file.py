"""Reading Caffe's networks: a ``.prototxt`` that says what the layers are, and a ``.caffemodel`` with their weights."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..errors import MissingDependencyError, ModelFileError
from ..network import NetworkGraph
from .foreign import BATCH, Array, ForeignGraph, ForeignNode
from .translate import translate

__all__ = ["load_caffe"]

N = TypeVar("N", bound=NetworkGraph)
#: Layers of version 1 by their names in version 2.
_V1_NAMES = {
    "BNLL": "BNLL", "CONCAT": "Concat", "CONVOLUTION": "Convolution", "DROPOUT": "Dropout", "FLATTEN": "Flatten",
    "INNER_PRODUCT": "InnerProduct", "LRN": "LRN", "POOLING": "Pooling", "RELU": "ReLU", "SIGMOID": "Sigmoid",
    "SOFTMAX": "Softmax", "SOFTMAX_LOSS": "SoftmaxWithLoss", "SPLIT": "Split", "TANH": "TanH", "ELTWISE": "Eltwise",
    "POWER": "Power", "SLICE": "Slice", "ABSVAL": "AbsVal", "SILENCE": "Silence", "EXP": "Exp",
    "DECONVOLUTION": "Deconvolution",
    "ACCURACY": "Accuracy", "DATA": "Data", "IMAGE_DATA": "ImageData", "HDF5_DATA": "HDF5Data", "MEMORY_DATA": "MemoryData",
}  # fmt: skip
#: Layers that a prediction has no part in.
_LEFT_OUT = ("Accuracy", "Silence", "Data", "ImageData", "HDF5Data", "MemoryData", "ArgMax", "DummyData")


def load_caffe(
    prototxt: str | os.PathLike[str],
    caffemodel: str | os.PathLike[str],
    kind: type[N],
    *,
    random_state: Any = None,
) -> N:
    """The network of two Caffe files, with channels last as everywhere in chainrule, and any number of samples.

    Layers of version 1 and 2, those in place, BatchNorm with its Scale, pooling whose sizes are rounded up, groups, LRN,
    PReLU, Deconvolution, Permute. Layers of training alone (losses, accuracies, ``include { phase: TRAIN }``) are left out.

    Raises      MissingDependencyError without the package protobuf ; ModelFileError when a file is damaged or foreign, the
                two do not belong together, or a layer has no counterpart in chainrule
    """
    try:
        from google.protobuf import text_format
    except ImportError as error:
        raise MissingDependencyError("protobuf", "Reading Caffe files", extra="exchange") from error
    from .caffe_schema import net_message

    text_place, place = Path(prototxt), Path(caffemodel)
    net = net_message()()
    try:
        text_format.Parse(text_place.read_text(encoding="utf-8", errors="replace"), net, allow_unknown_field=True)
    except OSError as error:
        raise ModelFileError(f"{text_place}: the file cannot be read: {error.strerror or error}.") from error
    except text_format.ParseError as error:
        raise ModelFileError(f"{text_place}: this is no network of Caffe ({error}).") from error
    held = net_message()()
    try:
        held.ParseFromString(place.read_bytes())
    except OSError as error:
        raise ModelFileError(f"{place}: the file cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # the kind differs between versions of protobuf
        raise ModelFileError(f"{place}: this is no .caffemodel, or it is damaged or cut off ({error}).") from error
    return translate(_Reader(text_place, net, place, held).graph(), kind, random_state=random_state)


class _Reader:
    """Makes a graph of the messages of two files. Parameters  places of the files, for messages, and what they hold"""

    def __init__(self, text_place: Path, definition: Any, place: Path, held: Any) -> None:
        self.text_place, self.definition, self.place = text_place, definition, place
        self.layers = [layer for layer in _layers(definition) if _is_for_prediction(layer)]
        self.blobs = {layer.name: [self._blob(layer.name, b) for b in layer.blobs] for layer in _layers(held) if layer.blobs}
        self.nodes: list[ForeignNode] = []
        self.arrays: dict[str, Array] = {}
        self.inputs: dict[str, tuple[tuple[Any, ...], str]] = {}
        #: What a blob's name stands for now: layers in place give it a new meaning.
        self.now: dict[str, str] = {}
        self.layer: Any = None

    def graph(self) -> ForeignGraph:
        self._declare_inputs()
        read: set[str] = set()
        for layer in self.layers:
            self.layer = layer
            kind = _kind(self.layer)
            if kind == "Input" or kind in _LEFT_OUT or (kind.endswith("Loss") and kind != "SoftmaxWithLoss"):
                continue
            handler = _HANDLERS.get(kind)
            if handler is None:
                others = sorted({_kind(one) for one in self.layers} - set(_HANDLERS) - set(_LEFT_OUT) - {"Input"})
                raise ModelFileError(
                    f"{self.text_place}: these layers have no counterpart in chainrule: {', '.join(others)}."
                )
            bottoms = list(self.layer.bottom)[: 1 if kind == "SoftmaxWithLoss" else None]
            missing = [b for b in bottoms if b not in self.now]
            if missing:
                raise ModelFileError(
                    f"{self.text_place}: the layer {self.layer.name!r} reads {missing[0]!r}, which nothing makes."
                )
            given = [self.now[b] for b in bottoms]
            read.update(given)
            handler(self, given)
        made = [name for node in self.nodes for name in node.outputs]
        outputs = [name for name in made if name not in read and name in self.now.values()]
        if not self.nodes or not outputs:
            raise ModelFileError(f"{self.text_place}: there is no layer that makes anything.")
        return ForeignGraph(self.text_place.name, self.nodes, self.arrays, self.inputs, outputs)

    def _declare_inputs(self) -> None:
        shapes = [tuple(s.dim) for s in self.definition.input_shape]
        dims = list(self.definition.input_dim)
        shapes += [tuple(dims[i : i + 4]) for i in range(0, len(dims), 4)]
        named = list(zip(self.definition.input, shapes, strict=False))
        for layer in self.layers:
            if _kind(layer) == "Input":
                given = [tuple(s.dim) for s in layer.input_param.shape]
                named += zip(layer.top, given * len(layer.top) if len(given) == 1 else given, strict=False)
        if not named:
            raise ModelFileError(
                f"{self.text_place}: the inputs have no sizes. Use the .prototxt for deployment, which gives them "
                f"by input_dim or "
                f"by a layer of the type Input."
            )
        for name, shape in named:
            if len(shape) < 1 or min(shape) < 1:
                raise ModelFileError(f"{self.text_place}: the input {name!r} has the impossible sizes {shape}.")
            self.inputs[name] = ((BATCH, *map(int, shape[1:])), "float")
            self.now[name] = name

    def _blob(self, layer: str, blob: Any) -> Array:
        values = np.asarray(blob.double_data if len(blob.double_data) else blob.data, np.float32)
        shape = tuple(blob.shape.dim) if blob.HasField("shape") else (blob.num, blob.channels, blob.height, blob.width)
        if int(np.prod(shape, dtype=np.float64)) != values.size or any(d < 0 for d in shape):
            raise ModelFileError(
                f"{self.place}: the weights of the layer {layer!r} claim the sizes {shape} and hold {values.size} numbers."
            )
        return values.reshape(shape)

    # ------------------------------------------------------------ what handlers use

    def weights(self, count: int) -> list[Array]:
        """The first arrays of the layer; ModelFileError when there are fewer."""
        found = self.blobs.get(self.layer.name, [])
        if len(found) < count:
            raise ModelFileError(
                f"{self.place}: there are {len(found)} array(s) for the layer {self.layer.name!r}, which needs "
                f"{count}. Do the two "
                f"files belong together?"
            )
        return found

    def array(self, array: Array, name: str = "") -> str:
        """A name for a constant."""
        full = f"{self.layer.name}.{name or 'constant'}"
        while full in self.arrays:
            full += "_"
        self.arrays[full] = array
        return full

    def node(
        self, op: str, inputs: Sequence[str], *, last: bool = True, tops: Sequence[str] | None = None, **attributes: Any
    ) -> str:
        """A node of ONNX; the last one of a layer makes what the layer's name for it stands for from then on."""
        outputs = []
        for i, top in enumerate((self.layer.top if tops is None else tops) if last else [f"{self.layer.name}"]):
            name = f"{top}#{len(self.nodes)}.{i}"
            outputs.append(name)
            if last:
                self.now[top] = name
        self.nodes.append(ForeignNode(op, self.layer.name if last else "", list(inputs), outputs, attributes, 13))
        return outputs[0]


def _layers(message: Any) -> list[Any]:
    return [*message.layer, *message.layers]


def _kind(layer: Any) -> str:
    if isinstance(layer.type, str):
        return str(layer.type)
    name = layer.DESCRIPTOR.enum_types_by_name["LayerType"].values_by_number[layer.type].name
    return str(_V1_NAMES.get(name, name))


def _is_for_prediction(layer: Any) -> bool:
    phases = [rule.phase for rule in layer.include if rule.HasField("phase")]
    left_out = [rule.phase for rule in layer.exclude if rule.HasField("phase")]
    return (not phases or 1 in phases) and 1 not in left_out


def _pair(p: Any, name: str, default: int) -> list[int]:
    """Height and width of a kernel, stride or padding."""
    single = {"kernel": "kernel_size"}.get(name, name)
    if p.HasField(f"{name}_h") or p.HasField(f"{name}_w"):
        return [int(getattr(p, f"{name}_h")), int(getattr(p, f"{name}_w"))]
    value = getattr(p, single)
    if isinstance(value, int):
        return [int(value)] * 2
    values = list(value)
    return [default] * 2 if not values else [int(values[0])] * 2 if len(values) == 1 else [int(v) for v in values]


def _convolution(r: _Reader, given: list[str]) -> None:
    p, transposed = r.layer.convolution_param, _kind(r.layer) == "Deconvolution"
    found = r.weights(1 + p.bias_term)
    kernel, stride, pad = _pair(p, "kernel", 1), _pair(p, "stride", 1), _pair(p, "pad", 0)
    dilation = (list(p.dilation) or [1]) * (2 if len(p.dilation) < 2 else 1)
    weight = found[0]
    inputs = [*given[:1], r.array(weight.reshape(weight.shape[-4], -1, *kernel), "weight")]
    if p.bias_term:
        inputs.append(r.array(found[1].reshape(-1), "bias"))
    attributes: dict[str, Any] = {
        "strides": stride,
        "pads": [*pad, *pad],
        "dilations": [int(d) for d in dilation],
        "group": int(p.group),
    }
    r.node("ConvTranspose" if transposed else "Conv", inputs, **attributes)


def _inner_product(r: _Reader, given: list[str]) -> None:
    p = r.layer.inner_product_param
    found = r.weights(1 + p.bias_term)
    weight = found[0].reshape(found[0].shape[-2:])
    flat = r.node("Flatten", given[:1], last=False, axis=int(p.axis))
    inputs = [flat, r.array(weight, "weight")]
    if p.bias_term:
        inputs.append(r.array(found[1].reshape(-1), "bias"))
    r.node("Gemm", inputs, transB=int(not p.transpose))


def _pooling(r: _Reader, given: list[str]) -> None:
    p = r.layer.pooling_param
    if p.pool == 2:
        raise ModelFileError(f"{r.text_place}: the layer {r.layer.name!r} pools stochastically, which is not supported.")
    if p.global_pooling:
        r.node("GlobalMaxPool" if p.pool == 0 else "GlobalAveragePool", given[:1])
        return
    pad = _pair(p, "pad", 0)
    attributes: dict[str, Any] = {
        "kernel_shape": _pair(p, "kernel", 1), "strides": _pair(p, "stride", 1), "pads": [*pad, *pad],
        "ceil_mode": int(p.round_mode == 0),
    }  # fmt: skip
    if p.pool == 1:
        attributes["count_include_pad"] = 1
    r.node("MaxPool" if p.pool == 0 else "AveragePool", given[:1], **attributes)


def _batch_norm(r: _Reader, given: list[str]) -> None:
    found = r.weights(2)
    factor = float(found[2].reshape(-1)[0]) if len(found) > 2 and found[2].size else 1.0
    factor = 0.0 if factor == 0 else 1 / factor
    mean, variance = (a.reshape(-1) * np.float32(factor) for a in found[:2])
    ones = np.ones_like(mean)
    arrays = [r.array(a, n) for a, n in ((ones, "gamma"), (ones * 0, "beta"), (mean, "mean"), (variance, "variance"))]
    r.node("BatchNormalization", [*given[:1], *arrays], epsilon=float(r.layer.batch_norm_param.eps))


def _scale(r: _Reader, given: list[str]) -> None:
    p = r.layer.scale_param
    if len(given) > 1:
        r.node("Mul", given)
        return
    found = r.weights(1 + p.bias_term)
    scale, bias = found[0].reshape(-1), found[1].reshape(-1) if p.bias_term else None
    before = next((n for n in reversed(r.nodes) if given[0] in n.outputs), None)
    if before is not None and before.op == "BatchNormalization" and before is r.nodes[-1]:
        # Caffe keeps the factors of a batch normalisation in a layer of their own.
        r.arrays[before.inputs[1]] = scale
        r.arrays[before.inputs[2]] = np.zeros_like(scale) if bias is None else bias
        r.node("Identity", given)
        return
    shape = (1, -1, 1, 1)
    last = bias is None
    made = r.node("Mul", [given[0], r.array(scale.reshape(shape), "weight")], last=last)
    if bias is not None:
        r.node("Add", [made, r.array(bias.reshape(shape), "bias")])


def _eltwise(r: _Reader, given: list[str]) -> None:
    p = r.layer.eltwise_param
    coefficients = list(p.coeff)
    if p.operation == 1 and coefficients and any(c != 1 for c in coefficients):
        given = [r.node("ScaleBy", [g], last=False, by=float(c)) for g, c in zip(given, coefficients, strict=True)]
    r.node({0: "Mul", 1: "Sum", 2: "Max"}[p.operation], given)


def _power(r: _Reader, given: list[str]) -> None:
    p = r.layer.power_param
    at = given[0]
    steps: list[tuple[str, float]] = [("Mul", p.scale)] * (p.scale != 1) + [("Add", p.shift)] * (p.shift != 0)
    steps += [("Pow", p.power)] * (p.power != 1)
    for i, (op, number) in enumerate(steps):
        at = r.node(op, [at, r.array(np.float32(number).reshape(1), f"{op}{i}")], last=i == len(steps) - 1)
    if not steps:
        r.node("Identity", given)


def _exp(r: _Reader, given: list[str]) -> None:
    p = r.layer.exp_param
    base = 1.0 if p.base == -1 else float(np.log(p.base))
    scaled = r.node("Mul", [given[0], r.array(np.float32(p.scale * base).reshape(1), "scale")], last=False)
    moved = r.node("Add", [scaled, r.array(np.float32(p.shift * base).reshape(1), "shift")], last=False)
    r.node("Exp", [moved])


def _relu(r: _Reader, given: list[str]) -> None:
    slope = float(r.layer.relu_param.negative_slope)
    if slope:
        r.node("LeakyRelu", given, alpha=slope)
    else:
        r.node("Relu", given)


def _prelu(r: _Reader, given: list[str]) -> None:
    slope = r.weights(1)[0].reshape(-1)
    r.node("PRelu", [*given, r.array(slope.reshape(-1, 1, 1) if slope.size > 1 else slope, "slope")])


def _concat(r: _Reader, given: list[str]) -> None:
    p = r.layer.concat_param
    r.node("Concat", given, axis=int(p.axis if p.HasField("axis") else p.concat_dim))


def _slice(r: _Reader, given: list[str]) -> None:
    p = r.layer.slice_param
    axis, points = int(p.axis if p.HasField("axis") else p.slice_dim), [int(v) for v in p.slice_point]
    if not points:
        r.node("Split", given, axis=axis)
        return
    for i, top in enumerate(r.layer.top):
        start, stop = ([0, *points][i], [*points, 2**31 - 1][i])
        ends = [r.array(np.array([v]), n) for v, n in ((start, f"start{i}"), (stop, f"stop{i}"), (axis, f"axis{i}"))]
        r.node("Slice", [given[0], *ends], tops=[top])


def _reshape(r: _Reader, given: list[str]) -> None:
    p = r.layer.reshape_param
    if p.axis != 0 or p.num_axes != -1:
        raise ModelFileError(
            f"{r.text_place}: the layer {r.layer.name!r} reshapes a part of the axes, which is not supported."
        )
    r.node("Reshape", [given[0], r.array(np.array([int(d) for d in p.shape.dim]), "shape")])


def _flatten(r: _Reader, given: list[str]) -> None:
    p = r.layer.flatten_param
    if p.end_axis not in (-1, 3):
        raise ModelFileError(f"{r.text_place}: the layer {r.layer.name!r} flattens some axes only, which is not supported.")
    r.node("Flatten", given, axis=int(p.axis))


def _lrn(r: _Reader, given: list[str]) -> None:
    p = r.layer.lrn_param
    if p.norm_region != 0:
        raise ModelFileError(
            f"{r.text_place}: the layer {r.layer.name!r} normalises within channels, which is not supported."
        )
    r.node("LRN", given, size=int(p.local_size), alpha=float(p.alpha), beta=float(p.beta), bias=float(p.k))


def _simple(op: str, **attributes: Any) -> Callable[[_Reader, list[str]], None]:
    return lambda r, given: void(r.node(op, given, **attributes))


def void(_: object) -> None:
    """Nothing."""


def _same(r: _Reader, given: list[str]) -> None:
    for top in r.layer.top:
        r.now[top] = given[0]


_HANDLERS: dict[str, Callable[[_Reader, list[str]], None]] = {
    "Convolution": _convolution,
    "Deconvolution": _convolution,
    "InnerProduct": _inner_product,
    "Pooling": _pooling,
    "BatchNorm": _batch_norm,
    "Scale": _scale,
    "Bias": lambda r, given: void(r.node("Add", [given[0], r.array(r.weights(1)[0].reshape(1, -1, 1, 1), "bias")])),
    "Eltwise": _eltwise,
    "Power": _power,
    "Exp": _exp,
    "ReLU": _relu,
    "PReLU": _prelu,
    "ELU": lambda r, given: void(r.node("Elu", given, alpha=float(r.layer.elu_param.alpha))),
    "Sigmoid": _simple("Sigmoid"),
    "TanH": _simple("Tanh"),
    "AbsVal": _simple("Abs"),
    "BNLL": _simple("Softplus"),
    "Softmax": lambda r, given: void(r.node("Softmax", given, axis=int(r.layer.softmax_param.axis))),
    "SoftmaxWithLoss": lambda r, given: void(r.node("Softmax", given, axis=1)),
    "Concat": _concat,
    "Slice": _slice,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Permute": lambda r, given: void(r.node("Transpose", given, perm=[int(a) for a in r.layer.permute_param.order])),
    "LRN": _lrn,
    "Dropout": _same,
    "Split": _same,
}
