"""Reading MXNet's networks: a ``-symbol.json`` that says what the nodes are, and a ``.params`` with their arrays."""

from __future__ import annotations

import ast
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..errors import ModelFileError
from ..network import NetworkGraph
from .foreign import BATCH, Array, ForeignGraph, ForeignNode, Size
from .translate import translate

__all__ = ["load_mxnet", "read_params"]

N = TypeVar("N", bound=NetworkGraph)
#: What a list of arrays begins with; what an array of version 1 and 2 begins with. Older ones begin with their number of
#: axes.
_LIST, _V1, _V2 = 0x112, 0xF993FAC8, 0xF993FAC9
_KINDS = {0: "<f4", 1: "<f8", 2: "<f2", 3: "u1", 4: "<i4", 5: "i1", 6: "<i8"}
#: More axes than any array has.
_MOST_AXES = 32


def load_mxnet(
    symbol: str | os.PathLike[str],
    params: str | os.PathLike[str],
    kind: type[N],
    *,
    shape: tuple[int, ...] | None = None,
    random_state: Any = None,
) -> N:
    """The network of two MXNet files, with channels last as everywhere in chainrule, and any number of samples.

    Parameters
        symbol, params : the two files; arrays of all versions of the format
        shape : of one sample of the input ``data`` as MXNet has it, such as (1, 28, 28), since the files do not say it; None
            finds the channels from the weights, and the places from the first dense layer, where only one size is possible
    Raises      ModelFileError when a file is damaged or foreign, the two do not belong together, the sizes cannot be found,
                or a node has no counterpart in chainrule
    """
    text_place, place = Path(symbol), Path(params)
    try:
        text = json.loads(text_place.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelFileError(f"{text_place}: the file cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{text_place}: this is no network of MXNet, since it is no JSON ({error}).") from error
    arrays = {name.partition(":")[2] or name: array for name, array in read_params(place).items()}
    reader = _Reader(text_place, text, arrays)
    return translate(reader.graph(shape), kind, random_state=random_state)


def read_params(path: str | os.PathLike[str]) -> dict[str, Array]:
    """The arrays of a ``.params`` file by name, such as ``"arg:conv1_weight"``.

    Raises      ModelFileError when the file is damaged, foreign or cut off
    """
    place = Path(path)
    try:
        data = place.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{place}: the file cannot be read: {error.strerror or error}.") from error
    at = 0

    def take(form: str) -> Any:
        nonlocal at
        size = struct.calcsize(form)
        if at + size > len(data):
            raise ModelFileError(
                f"{place}: the file is cut off after {len(data):,} bytes, or this is no file of MXNet's arrays."
            )
        found = struct.unpack_from(form, data, at)
        at += size
        return found[0] if len(found) == 1 else found

    if take("<Q") != _LIST:
        raise ModelFileError(f"{place}: this is no file of MXNet's arrays.")
    take("<Q")
    count = take("<Q")
    if count > len(data):
        raise ModelFileError(f"{place}: the file claims {count:,} arrays, more than it has bytes.")
    arrays = []
    for i in range(count):
        first = take("<I")
        if first == _V2 and take("<i") != 0:
            raise ModelFileError(f"{place}: array {i} is sparse, which is not supported.")
        axes = take("<I") if first in (_V1, _V2) else first
        if axes > _MOST_AXES:
            raise ModelFileError(f"{place}: array {i} claims {axes:,} axes. The file is damaged.")
        size = "q" if first in (_V1, _V2) else "I"
        shape = [take(f"<{size}") for _ in range(axes)]
        if not axes:
            arrays.append(np.zeros(0, np.float32))
            continue
        take("<ii")  # on which device it was
        kind = take("<i")
        if kind not in _KINDS:
            raise ModelFileError(f"{place}: array {i} is of the unknown kind {kind}. The file is damaged.")
        dtype, total = np.dtype(_KINDS[kind]), 1
        for s in shape:
            total = total * s if s >= 0 else len(data) + 1
            if total * dtype.itemsize > len(data):
                raise ModelFileError(f"{place}: array {i} claims the sizes {shape}, more than the file has bytes.")
        if at + total * dtype.itemsize > len(data):
            raise ModelFileError(f"{place}: the file is cut off inside array {i} of the sizes {shape}.")
        arrays.append(np.frombuffer(data, dtype, total, at).reshape(shape).astype(np.float32))
        at += total * dtype.itemsize
    if take("<Q") != count:
        raise ModelFileError(f"{place}: the arrays and their names differ in number. The file is damaged.")
    names = []
    for _ in range(count):
        length = take("<Q")
        if at + length > len(data):
            raise ModelFileError(f"{place}: the file is cut off inside a name.")
        names.append(data[at : at + length].decode("utf-8", "replace"))
        at += length
    if len(set(names)) < len(names):
        raise ModelFileError(f"{place}: two arrays have one name. The file is damaged.")
    return dict(zip(names, arrays, strict=True))


class _Reader:
    """Makes a graph of a symbol and its arrays."""

    def __init__(self, place: Path, text: Any, arrays: dict[str, Array]) -> None:
        self.place, self.given = place, arrays
        try:
            self.nodes, heads = list(text["nodes"]), text["heads"]
            self.heads = [(int(h[0]), int(h[1])) for h in heads]
            self.inputs_of = [[(int(i[0]), int(i[1])) for i in node["inputs"]] for node in self.nodes]
            self.ops = [str(node["op"]) for node in self.nodes]
            self.names = [str(node["name"]) for node in self.nodes]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ModelFileError(
                f"{place}: this is no network of MXNet: it lacks nodes, heads or inputs ({error})."
            ) from error
        for i, inputs in enumerate(self.inputs_of):
            if any(not 0 <= j < i for j, _ in inputs):
                raise ModelFileError(f"{place}: the node {self.names[i]!r} reads a node that does not come before it.")
        if any(not 0 <= h < len(self.nodes) for h, _ in self.heads):
            raise ModelFileError(f"{place}: an output names a node that is not there.")
        self.made: list[ForeignNode] = []
        self.arrays: dict[str, Array] = {}
        self.at = 0

    def graph(self, shape: tuple[int, ...] | None) -> ForeignGraph:
        unknown = sorted({op for op in self.ops if op != "null" and op not in _HANDLERS})
        if unknown:
            raise ModelFileError(f"{self.place}: these nodes have no counterpart in chainrule: {', '.join(unknown)}.")
        inputs = []
        for i, (op, name) in enumerate(zip(self.ops, self.names, strict=True)):
            self.at = i
            if op != "null":
                _HANDLERS[op](self, [self.tensor(j, k) for j, k in self.inputs_of[i]])
            elif name in self.given:
                self.arrays[self.tensor(i, 0)] = self.given[name]
            elif not name.endswith(("label", "moving_mean", "moving_var")):
                inputs.append(self.tensor(i, 0))
        read = {n for node in self.made for n in node.inputs}
        inputs = [n for n in inputs if n in read]
        if len(inputs) != 1:
            raise ModelFileError(
                f"{self.place}: expected one input and the arrays of all other names; without an array are: "
                f"{', '.join(repr(n.partition('.')[2]) for n in inputs) or 'none'}. Do the two files belong together?"
            )
        sizes = self._sample(inputs[0]) if shape is None else tuple(int(s) for s in shape)
        outputs = [self.tensor(i, k) for i, k in self.heads]
        return ForeignGraph(self.place.name, self.made, self.arrays, {inputs[0]: ((BATCH, *sizes), "float")}, outputs)

    def tensor(self, node: int, output: int) -> str:
        return f"{node}.{self.names[node]}" + (f".{output}" if output else "")

    def _sample(self, data: str) -> tuple[Any, ...]:
        """The sizes of one sample, as far as the weights tell them."""
        first = next(n for n in self.made if data in n.inputs)
        while first.op in ("Identity", "Relu", "Flatten", "BatchNormalization"):
            first = next(n for n in self.made if first.outputs[0] in n.inputs)
        weight = self.arrays.get(first.inputs[1]) if len(first.inputs) > 1 else None
        if weight is None:
            raise ModelFileError(
                f"{self.place}: the sizes of the input cannot be found. Give shape=(channels, height, width)."
            )
        if first.op == "Gemm":
            return (int(weight.shape[1]),)
        channels = int(weight.shape[1]) * int(first.attributes.get("group", 1))
        if not any(n.op == "Gemm" for n in self.made):
            return (channels, Size("H"), Size("W"))
        fitting = {side: exact for side in range(1, 513) if (exact := self._fits(data, side)) is not None}
        # Where windows divide an image without a rest nobody has lost pixels: that is how networks are made.
        likely = [side for side, exact in fitting.items() if exact] or list(fitting)
        if len(likely) != 1:
            sides = ", ".join(map(str, likely)) or "none up to 512 pixels"
            raise ModelFileError(
                f"{self.place}: the size of the images is not in the files. Square images that fit the dense "
                f"layers: {sides}. Give "
                f"it: shape=({channels}, height, width)."
            )
        return (channels, likely[0], likely[0])

    def _fits(self, data: str, side: int) -> bool | None:
        """Whether the windows divide an image of this size without a rest; None where it does not fit the first dense
        layer.
        """
        known: dict[str, tuple[int, int]] = {data: (0, side)}
        exact = True
        for node in self.made:
            found = [known[n] for n in node.inputs if n in known]
            if not found:
                continue
            channels, size = found[0]
            if node.op == "Gemm":
                return exact if self.arrays[node.inputs[1]].shape[1] == channels * size * size else None
            if node.op in ("GlobalAveragePool", "GlobalMaxPool"):
                size = 1
            elif node.op in ("Conv", "MaxPool", "AveragePool"):
                weight = self.arrays.get(node.inputs[1]) if node.op == "Conv" else None
                kernel = weight.shape[2] if weight is not None else node.attributes["kernel_shape"][0]
                pad, stride = node.attributes["pads"][0], node.attributes["strides"][0]
                free = size + 2 * pad - node.attributes.get("dilations", [1])[0] * (kernel - 1) - 1
                if free < 0:
                    return None
                exact = exact and free % stride == 0
                size = (-(-free // stride) if node.attributes.get("ceil_mode") else free // stride) + 1
                channels = weight.shape[0] if weight is not None else channels
            elif node.op == "Concat":
                channels = sum(c for c, _ in found)
            for name in node.outputs:
                known[name] = (channels, size)
        return None

    # ------------------------------------------------------------ what handlers use

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute as a Python value: MXNet writes all of them as text."""
        node = self.nodes[self.at]
        held: dict[str, Any] = {}
        for key in ("param", "attr", "attrs"):
            part = node.get(key)
            held |= part if isinstance(part, dict) else {}
        if name not in held:
            return default
        text = str(held[name])
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return text

    def pair(self, name: str, default: int) -> list[int]:
        value = self.attribute(name, None)
        if value is None or value == ():
            return [default] * 2
        return [int(v) for v in value] if isinstance(value, (tuple, list)) else [int(value)] * 2

    def node(self, op: str, inputs: list[str], *, last: bool = True, count: int = 1, **attributes: Any) -> str:
        name = self.names[self.at]
        outputs = [self.tensor(self.at, k) for k in range(count)] if last else [f"{self.at}.{name}:{len(self.made)}"]
        self.made.append(ForeignNode(op, name if last else "", inputs, outputs, attributes, 13))
        return outputs[0]

    def array(self, array: Array, name: str) -> str:
        full = f"{self.at}.{self.names[self.at]}:{name}"
        self.arrays[full] = array
        return full

    def held(self, name: str) -> Array:
        """The array of an input of the node; ModelFileError when the ``.params`` has none."""
        if name not in self.arrays:
            raise ModelFileError(
                f"{self.place}: there is no array for {name.partition('.')[2]!r}. Do the two files belong together?"
            )
        return self.arrays[name]


Handler = Callable[[_Reader, list[str]], None]


def _convolution(r: _Reader, given: list[str]) -> None:
    if str(r.attribute("layout", "NCHW")) not in ("NCHW", "None"):
        raise ModelFileError(
            f"{r.place}: the node {r.names[r.at]!r} has the layout {r.attribute('layout')}, and NCHW is supported."
        )
    for name in given[1:]:
        r.held(name)
    pad = r.pair("pad", 0)
    attributes: dict[str, Any] = {
        "strides": r.pair("stride", 1), "pads": [*pad, *pad], "dilations": r.pair("dilate", 1),
        "group": int(r.attribute("num_group", 1)),
    }  # fmt: skip
    if r.ops[r.at] == "Deconvolution":
        r.node("ConvTranspose", given, **attributes, output_padding=r.pair("adj", 0))
    else:
        r.node("Conv", given, **attributes)


def _pooling(r: _Reader, given: list[str]) -> None:
    kind = str(r.attribute("pool_type", "max"))
    if kind not in ("max", "avg"):
        raise ModelFileError(f"{r.place}: the node {r.names[r.at]!r} pools by {kind!r}, which is not supported.")
    if r.attribute("global_pool", False):
        r.node("GlobalMaxPool" if kind == "max" else "GlobalAveragePool", given)
        return
    pad, convention = r.pair("pad", 0), str(r.attribute("pooling_convention", "valid"))
    attributes: dict[str, Any] = {
        "kernel_shape": r.pair("kernel", 1), "strides": r.pair("stride", 1), "pads": [*pad, *pad],
        "ceil_mode": int(convention == "full"),
    }  # fmt: skip
    if kind == "avg":
        attributes["count_include_pad"] = int(bool(r.attribute("count_include_pad", True)))
    r.node("MaxPool" if kind == "max" else "AveragePool", given, **attributes)


def _dense(r: _Reader, given: list[str]) -> None:
    for name in given[1:]:
        r.held(name)
    flat = r.node("Flatten", given[:1], last=False, axis=1) if r.attribute("flatten", True) else given[0]
    if r.attribute("flatten", True):
        r.node("Gemm", [flat, *given[1:]], transB=1)
        return
    weight = r.array(r.held(given[1]).T, "weight")
    product = r.node("MatMul", [flat, weight], last=len(given) < 3)
    if len(given) > 2:
        r.node("Add", [product, given[2]])


def _activation(r: _Reader, given: list[str]) -> None:
    kinds = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softrelu": "Softplus", "softsign": "Softsign"}
    kind = str(r.attribute("act_type"))
    if kind not in kinds:
        raise ModelFileError(f"{r.place}: the node {r.names[r.at]!r} has the unknown activation {kind!r}.")
    r.node(kinds[kind], given)


def _leaky(r: _Reader, given: list[str]) -> None:
    kind, slope = str(r.attribute("act_type", "leaky")), float(r.attribute("slope", 0.25))
    if kind == "prelu":
        learned = r.held(given[1]).reshape(-1)
        r.node("PRelu", [given[0], r.array(learned.reshape(-1, 1, 1) if learned.size > 1 else learned, "slope")])
    elif kind in ("leaky", "elu"):
        r.node("LeakyRelu" if kind == "leaky" else "Elu", given[:1], alpha=slope)
    elif kind in ("gelu", "selu"):
        r.node(kind.capitalize(), given[:1])
    elif kind == "rrelu":
        mean = (float(r.attribute("lower_bound", 0.125)) + float(r.attribute("upper_bound", 0.334))) / 2
        r.node("LeakyRelu", given[:1], alpha=mean)
    else:
        raise ModelFileError(f"{r.place}: the node {r.names[r.at]!r} has the unknown activation {kind!r}.")


def _batch_norm(r: _Reader, given: list[str]) -> None:
    gamma = r.held(given[1])
    if r.attribute("fix_gamma", True):
        gamma = np.ones_like(gamma)
    r.held(given[2])
    mean, variance = (r.held(name) for name in given[3:5])
    names = [r.array(gamma, "gamma"), given[2], r.array(mean, "mean"), r.array(variance, "variance")]
    r.node("BatchNormalization", [given[0], *names], epsilon=float(r.attribute("eps", 1e-3)))


def _softmax(r: _Reader, given: list[str]) -> None:
    channels = (
        r.ops[r.at] == "softmax" or str(r.attribute("mode", "")) == "channel" or bool(r.attribute("multi_output", False))
    )
    default = -1 if r.ops[r.at] == "softmax" else 1
    r.node("Softmax", given[:1], axis=int(r.attribute("axis", default)) if channels else 1)


def _split(r: _Reader, given: list[str]) -> None:
    if r.attribute("squeeze_axis", False):
        raise ModelFileError(f"{r.place}: the node {r.names[r.at]!r} splits and takes axes away, which is not supported.")
    r.node("Split", given, count=int(r.attribute("num_outputs")), axis=int(r.attribute("axis", 1)))


def _scalar(op: str, *, reverse: bool = False) -> Handler:
    def handle(r: _Reader, given: list[str]) -> None:
        number = r.array(np.array([float(r.attribute("scalar"))], np.float32), "scalar")
        r.node(op, [number, given[0]] if reverse else [given[0], number])

    return handle


def _simple(op: str) -> Handler:
    def handle(r: _Reader, given: list[str]) -> None:
        r.node(op, given)

    return handle


def _clip(r: _Reader, given: list[str]) -> None:
    bounds = [r.array(np.array(float(r.attribute(n)), np.float32), n) for n in ("a_min", "a_max")]
    r.node("Clip", [given[0], *bounds])


def _concat(r: _Reader, given: list[str]) -> None:
    r.node("Concat", given, axis=int(r.attribute("dim", 1)))


def _flatten(r: _Reader, given: list[str]) -> None:
    r.node("Flatten", given, axis=1)


def _reshape(r: _Reader, given: list[str]) -> None:
    shape = [int(s) for s in r.attribute("shape", ())]
    if any(s < -1 for s in shape):
        raise ModelFileError(f"{r.place}: the node {r.names[r.at]!r} reshapes by {shape}, whose codes are not supported.")
    r.node("Reshape", [given[0], r.array(np.array(shape), "shape")])


def _transpose(r: _Reader, given: list[str]) -> None:
    r.node("Transpose", given, perm=[int(a) for a in r.attribute("axes", ())])


def _lrn(r: _Reader, given: list[str]) -> None:
    alpha, beta = float(r.attribute("alpha", 1e-4)), float(r.attribute("beta", 0.75))
    r.node("LRN", given, size=int(r.attribute("nsize")), bias=float(r.attribute("knorm", 2.0)), alpha=alpha, beta=beta)


_HANDLERS: dict[str, Handler] = {
    "Convolution": _convolution,
    "Deconvolution": _convolution,
    "Pooling": _pooling,
    "FullyConnected": _dense,
    "Activation": _activation,
    "LeakyReLU": _leaky,
    "BatchNorm": _batch_norm,
    "SoftmaxOutput": _softmax,
    "SoftmaxActivation": _softmax,
    "softmax": _softmax,
    "Concat": _concat,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "reshape": _reshape,
    "transpose": _transpose,
    "SliceChannel": _split,
    "LRN": _lrn,
    "clip": _clip,
    "Dropout": _simple("Identity"),
    "identity": _simple("Identity"),
    "_copy": _simple("Identity"),
    "BlockGrad": _simple("Identity"),
    "relu": _simple("Relu"),
    "sigmoid": _simple("Sigmoid"),
    "tanh": _simple("Tanh"),
    "exp": _simple("Exp"),
    "log": _simple("Log"),
    "sqrt": _simple("Sqrt"),
    "abs": _simple("Abs"),
    "negative": _simple("Neg"),
    "elemwise_add": _simple("Add"),
    "_Plus": _simple("Add"),
    "_plus": _simple("Add"),
    "broadcast_add": _simple("Add"),
    "ElementWiseSum": _simple("Sum"),
    "add_n": _simple("Sum"),
    "elemwise_sub": _simple("Sub"),
    "_minus": _simple("Sub"),
    "broadcast_sub": _simple("Sub"),
    "elemwise_mul": _simple("Mul"),
    "_mul": _simple("Mul"),
    "broadcast_mul": _simple("Mul"),
    "elemwise_div": _simple("Div"),
    "broadcast_div": _simple("Div"),
    "_plus_scalar": _scalar("Add"),
    "_PlusScalar": _scalar("Add"),
    "_minus_scalar": _scalar("Sub"),
    "_rminus_scalar": _scalar("Sub", reverse=True),
    "_mul_scalar": _scalar("Mul"),
    "_MulScalar": _scalar("Mul"),
    "_div_scalar": _scalar("Div"),
    "_power_scalar": _scalar("Pow"),
}
