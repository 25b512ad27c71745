"""Reading ONNX files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..errors import MissingDependencyError, ModelFileError
from ..network import NetworkGraph
from .foreign import Array, ForeignGraph, ForeignNode, Size
from .translate import Translator, translate

__all__ = ["load_onnx", "read_onnx", "shapes_for"]

N = TypeVar("N", bound=NetworkGraph)
#: Kinds of numbers that a tensor may hold, by ONNX's number of them.
_FLOATS, _INTS = (1, 10, 11, 16), (2, 3, 4, 5, 6, 7, 9, 12, 13)
#: Elements that a sparse array may have: none of its zeros is in the file, so memory for them is not taken lightly.
_MOST_SPARSE = 1 << 28
#: The name of graphs that chainrule wrote with channels last at both ends.
CHANNELS_LAST = "chainrule, channels last"
#: The oldest operator set that is read.
_OLDEST = 7


def load_onnx(
    path: str | os.PathLike[str],
    kind: type[N],
    *,
    shapes: dict[str, tuple[int | None, ...]] | None = None,
    random_state: Any = None,
) -> N:
    """The network of an ONNX file, as layers that can be trained, shown and saved like any other.

    Images are (N, H, W, C) as everywhere in chainrule, whatever the file has: the network takes and gives channels last.
    Other outputs keep the file's axes. The number of samples is free.

    Parameters
        path : of a file of operator set 7 or newer, with its external data beside it ; kind : of the network
        shapes : {name of an input: its sizes as the file has them, with the samples first}, for sizes that the file leaves
            open; None leaves a size open
        random_state : as of Network, for what is drawn when the network is trained further
    Raises      MissingDependencyError without the package onnx ; ModelFileError when the file is damaged or foreign, or
                holds nodes that have no counterpart in chainrule, which are named
    """
    graph, fold = read_onnx(path, shapes=shapes)
    return translate(graph, kind, fold=fold, random_state=random_state)


def read_onnx(
    path: str | os.PathLike[str], *, shapes: dict[str, tuple[int | None, ...]] | None = None
) -> tuple[ForeignGraph, Any]:
    """The graph of an ONNX file, and a function that computes nodes of constants.

    Raises      as ``load_onnx``
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingDependencyError("onnx", "Reading ONNX files", extra="exchange") from error
    place = Path(path)
    try:
        data = place.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{place}: the file cannot be read: {error.strerror or error}.") from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as error:  # the kind differs between versions of protobuf
        raise ModelFileError(f"{place}: this is no ONNX file, or it is damaged or cut off ({error}).") from error
    if not model.graph.node or not model.graph.output:
        raise ModelFileError(f"{place}: this is no ONNX file with a network: it has no nodes or no outputs.")
    versions = {o.domain: o.version for o in model.opset_import}
    version = versions.get("", versions.get("ai.onnx", 0))
    newest = onnx.defs.onnx_opset_version()
    if version > newest:
        raise ModelFileError(
            f"{place}: it is of operator set {version}, and the installed onnx knows sets up to {newest}. Upgrade onnx, or "
            "export the network with an older set."
        )
    if version < _OLDEST:
        raise ModelFileError(
            f"{place}: it is of operator set {version}; sets from {_OLDEST} on are read. Convert it by onnx."
        )
    names = [t.name for t in model.graph.initializer] + [t.values.name for t in model.graph.sparse_initializer]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ModelFileError(f"{place}: two arrays of the file have the name {twice!r}.")
    arrays = {t.name: _array(place, t) for t in model.graph.initializer}
    arrays |= {t.values.name: _sparse_array(place, t) for t in model.graph.sparse_initializer}
    nodes = []
    for node in model.graph.node:
        attributes = {a.name: _attribute(place, node, a) for a in node.attribute}
        op = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        if op == "Constant":
            arrays[node.output[0]] = _constant(place, node, attributes)
            continue
        nodes.append(ForeignNode(op, node.name, list(node.input), list(node.output), attributes, version))
    inputs = {}
    for value in model.graph.input:
        if value.name not in arrays:
            inputs[value.name] = _input(place, value, (shapes or {}).get(value.name))
    if unknown := sorted(set(shapes or {}) - set(inputs)):
        raise ModelFileError(f"{place}: shapes names {unknown}, and its inputs are {sorted(inputs)}.")
    graph = ForeignGraph(place.name, nodes, arrays, inputs, [o.name for o in model.graph.output])
    graph.channels_last = model.producer_name == "chainrule" and model.graph.name == CHANNELS_LAST
    return graph, _folder(version)


def shapes_for(path: str | os.PathLike[str], sample: tuple[int, ...]) -> dict[str, tuple[int | None, ...]]:
    """``shapes`` for a file of one input, from the sizes of one sample. Raises  ModelFileError for another file"""
    graph, _ = read_onnx(path)
    if len(graph.inputs) != 1:
        raise ModelFileError(f"{path}: it has the inputs {', '.join(graph.inputs)}. Give shapes= by name in Python.")
    return {next(iter(graph.inputs)): (None, *sample)}


def input_orders(path: str | os.PathLike[str]) -> list[tuple[int, ...]]:
    """For each input of a file its axes in the order in which our network takes them."""
    graph, fold = read_onnx(path)
    translator = Translator(graph, fold)
    return [translator.input_order(name) for name in graph.inputs if translator.uses.get(name)]


def _array(place: Path, tensor: Any) -> Array:
    """An initialiser, whose claimed size is compared with what is there before memory is taken."""
    from onnx import external_data_helper, numpy_helper

    size = 1
    for d in tensor.dims:
        if d < 0 or (size := size * d) > 1 << 40:
            raise ModelFileError(f"{place}: the array {tensor.name!r} claims the impossible sizes {list(tensor.dims)}.")
    try:
        if tensor.data_location == tensor.EXTERNAL:
            entries = {e.key: e.value for e in tensor.external_data}
            named = Path(entries.get("location", ""))
            file = (place.parent / named).resolve()
            if named.is_absolute() or not file.is_relative_to(place.parent.resolve()):
                raise ModelFileError(
                    f"{place}: the array {tensor.name!r} is in {str(named)!r}, outside the folder of the file. This "
                    f"is not read."
                )
            if not file.is_file():
                raise ModelFileError(f"{place}: the array {tensor.name!r} is in {str(named)!r}, which is not there.")
            length = int(entries.get("length", file.stat().st_size))
            if length > file.stat().st_size:
                raise ModelFileError(f"{place}: the array {tensor.name!r} claims more bytes than {str(named)!r} has.")
            external_data_helper.load_external_data_for_tensor(tensor, str(place.parent))
        elif size * 1 > 64 + 8 * (len(tensor.raw_data) + 8 * _held(tensor)):
            raise ModelFileError(f"{place}: the array {tensor.name!r} claims {size:,} numbers, which are not in the file.")
        return np.asarray(numpy_helper.to_array(tensor))
    except ModelFileError:
        raise
    except Exception as error:
        raise ModelFileError(f"{place}: the array {tensor.name!r} is damaged ({error}).") from error


def _sparse_array(place: Path, tensor: Any) -> Array:
    """A sparse initialiser as a dense array."""
    name, values, indices = tensor.values.name, _array(place, tensor.values), _array(place, tensor.indices)
    shape = tuple(int(d) for d in tensor.dims)
    size = 1
    for d in shape:
        if d < 0 or (size := size * d) > _MOST_SPARSE:
            raise ModelFileError(f"{place}: the sparse array {name!r} claims the sizes {list(shape)}, which are too large.")
    if values.ndim != 1 or indices.dtype != np.int64 or indices.ndim not in (1, 2) or len(indices) != len(values):
        raise ModelFileError(f"{place}: the sparse array {name!r} is damaged: its indices do not belong to its values.")
    if indices.ndim == 2:
        if indices.shape[1] != len(shape) or (indices < 0).any() or (indices >= np.array(shape)).any():
            raise ModelFileError(f"{place}: the sparse array {name!r} has places outside its sizes {list(shape)}.")
        indices = np.ravel_multi_index(tuple(indices.T), shape)
    if indices.size and not 0 <= indices.min() <= indices.max() < size:
        raise ModelFileError(f"{place}: the sparse array {name!r} has places outside its sizes {list(shape)}.")
    found = np.zeros(size, values.dtype)
    found[indices] = values
    return found.reshape(shape)


def _held(tensor: Any) -> int:
    fields = (
        tensor.float_data,
        tensor.int32_data,
        tensor.int64_data,
        tensor.double_data,
        tensor.uint64_data,
        tensor.string_data,
    )
    return sum(len(f) for f in fields)


def _attribute(place: Path, node: Any, attribute: Any) -> Any:
    from onnx import helper

    kind = attribute.type
    if kind in (attribute.GRAPH, attribute.GRAPHS):
        raise ModelFileError(f"{place}: the node {node.name!r} ({node.op_type}) has a graph inside, which is not supported.")
    if kind == attribute.TENSOR:
        return _array(place, attribute.t)
    try:
        value = helper.get_attribute_value(attribute)
    except ValueError as error:
        raise ModelFileError(f"{place}: the attribute {attribute.name!r} of {node.name!r} is damaged ({error}).") from error
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if kind == attribute.STRINGS:
        return [v.decode("utf-8", "replace") for v in value]
    return list(value) if kind in (attribute.INTS, attribute.FLOATS) else value


def _constant(place: Path, node: Any, attributes: dict[str, Any]) -> Array:
    for name, kind in (("value", None), ("value_float", np.float32), ("value_floats", np.float32), ("value_int", np.int64),
                       ("value_ints", np.int64)):  # fmt: skip
        if name in attributes:
            return np.asarray(attributes[name], kind)
    raise ModelFileError(f"{place}: the constant {node.output[0]!r} is neither an array nor a number.")


def _input(place: Path, value: Any, given: tuple[int | None, ...] | None) -> tuple[tuple[Any, ...], str]:
    tensor = value.type.tensor_type
    if tensor.elem_type not in (*_FLOATS, *_INTS):
        raise ModelFileError(f"{place}: the input {value.name!r} is neither numbers nor indices.")
    sizes: list[Any] = []
    for i, d in enumerate(tensor.shape.dim):
        known = d.HasField("dim_value") and d.dim_value > 0
        sizes.append(int(d.dim_value) if known else Size(d.dim_param or f"{value.name}_{i}"))
    if given is not None:
        if len(given) != len(sizes) and sizes:
            raise ModelFileError(
                f"{place}: shapes gives {len(given)} sizes for the input {value.name!r}, which has {len(sizes)} axes."
            )
        sizes = [Size(f"{value.name}_{i}") if s is None else int(s) for i, s in enumerate(given)]
    return tuple(sizes), "float" if tensor.elem_type in _FLOATS else "int"


def _folder(version: int) -> Any:
    """A function that computes a node whose inputs are constants, by ONNX's own reference."""

    def fold(node: ForeignNode, arrays: list[Array | None]) -> list[Array]:
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        names = [f"i{i}" if a is not None else "" for i, a in enumerate(arrays)]
        outputs = [f"o{i}" for i in range(len(node.outputs))]
        attributes = {n: _as_tensor(v) for n, v in node.attributes.items()}
        made = helper.make_node(node.op, names, outputs, **attributes)
        total = sum(a.size for a in arrays if a is not None)
        if node.op in ("ConstantOfShape", "Expand", "Tile", "Range", "Pad") and _claimed(node, arrays) > 1 << 28:
            raise ModelFileError(f"the constants would have {_claimed(node, arrays):,} numbers, from {total:,} in the file.")
        given = {n: a for n, a in zip(names, arrays, strict=True) if a is not None}
        try:
            kinds = {n: helper.np_dtype_to_tensor_dtype(a.dtype) for n, a in given.items()}
            values = [helper.make_tensor_value_info(n, kinds[n], a.shape) for n, a in given.items()]
            graph = helper.make_graph([made], "constant", values, [helper.make_empty_tensor_value_info(o) for o in outputs])
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
            return [np.asarray(v) for v in ReferenceEvaluator(model).run(None, given)]
        except Exception as error:
            raise ModelFileError(f"its constants cannot be computed ({type(error).__name__}: {error}).") from error

    return fold


def _as_tensor(value: Any) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value


def _claimed(node: ForeignNode, arrays: list[Array | None]) -> int:
    """How many numbers a node of constants would make."""
    if node.op == "Range" and all(a is not None for a in arrays[:3]):
        start, stop, step = (float(np.asarray(a).reshape(-1)[0]) for a in arrays[:3])
        return int(abs((stop - start) / (step or 1.0)))
    wanted = arrays[0] if node.op == "ConstantOfShape" else arrays[1] if len(arrays) > 1 else None
    if wanted is None or not wanted.size:
        return 0
    if node.op == "Pad":
        return int(np.asarray(wanted, np.float64).sum())
    own = 1 if node.op != "Tile" or arrays[0] is None else arrays[0].size
    return int(min(float(np.prod(np.maximum(np.asarray(wanted, np.float64), 1))) * own, 1e18))
