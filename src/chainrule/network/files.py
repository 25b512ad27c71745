"""Model files: one safetensors file whose metadata holds the network as JSON.

    tensors      every parameter and state by its name ("0.dense.weight"), and the arrays of ``extra`` ("extra/...")
    metadata     {"chainrule": JSON}: version of the format, layers by class name and arguments, connections, shapes, dtype,
                 frozen layers, ``extra``, and last the checksum of the tensors and of the JSON before it

Loading runs no code from the file: classes come from the registries of what is imported, arguments are plain data, and the
tensors must be those that the layers ask for, in name, shape and type, before any memory is set aside for them.

A save is complete or does not happen: the file is written beside the old one, forced to disk, and then put in its place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..errors import ChainruleError, ModelFileError, ParameterError
from ..files import checksum, write_whole
from ..initializers import INITIALIZERS
from ..layers import Layer, Regularizer, Tensor, WeightConstraint
from ..losses import Loss
from ..ops import SparseMatrix
from ..ops.value import FREE, Shape
from ..optimizers import Optimizer, Schedule
from ..registry import from_config, to_config
from .graph import NetworkGraph
from .parameters import Arena
from .representation import Representation, unpack_of

__all__ = ["FORMAT", "load", "save", "written_by"]

Path = str | os.PathLike[str]
Arrays = dict[str, NDArray[Any]]
N = TypeVar("N", bound=NetworkGraph)

#: Version of the format. A file of a newer one is refused; all older ones can be read. Files have a checksum from 3 on.
FORMAT, _CHECKED_FROM = 3, 3
_KEY = "chainrule"
#: Stands between the description and its checksum. As a second entry of the metadata the checksum would let equal networks
#: have unequal files, since safetensors writes these entries in any order.
_CHECKSUM = ', "checksum": "'
_EXTRA = "extra/"
#: Plain data that a layer may hold beside numbers and text.
_DATA = {"SparseMatrix": SparseMatrix}
_DTYPES = {"float32": "F32", "float64": "F64"}
#: What a file that is no model file begins with, and what it probably is.
_FOREIGN = {
    **{bytes([0x80, protocol]): "a pickle, which can run code and is never loaded" for protocol in range(2, 6)},
    b"PK": "a zip archive (such as a PyTorch or NumPy file)",
    b"\x89HDF": "an HDF5 file (such as a Keras model)",
    b"\x93NUMPY": "a NumPy array",
}


# ------------------------------------------------------------ save


def save(network: NetworkGraph, path: Path, extra: Mapping[str, Any] | None = None, *, for_prediction: bool = False) -> None:
    """Writes the network, and what else belongs to it, to one file.

    Parameters
        network : built ; path : of the file, replaced when it exists
        extra : anything made of numbers, text, None, lists, dicts with text keys, NumPy arrays, and objects with
            ``config()`` (losses, optimizers, initializers); comes back from ``load``, tuples as lists
        for_prediction : keep only what predictions need: of a parameter that layers see the sign of, one bit an element
    Raises
        NotFittedError : the network is not built
        ParameterError : an argument of a layer, or a part of ``extra``, cannot be written as data
        ModelFileError : the file cannot be written (full disk, no permission); a file that was there before is unchanged
    """
    network.require_built("save")
    tensors: Arrays = {}
    held: dict[str, Representation] = {}
    for arena in (network.parameters, network.states):
        for name, array in arena.items():
            if name in tensors:
                raise ParameterError(f"save: the layer has a parameter and a state of the same name, {name!r}. Rename one.")
            if arena is network.parameters and (how := network.representation(name)) is not None:
                held[name], stored = how.for_prediction(array) if for_prediction else (how, array)
                tensors.update({f"{name}:{part}": packed for part, packed in held[name].pack(stored).items()})
            else:
                tensors[name] = array
    description = _describe(network, held)
    description["extra"] = _to_data(dict(extra or {}), tensors, "extra")
    try:
        from safetensors.numpy import save as to_bytes
    except ImportError as error:  # pragma: no cover
        raise ModelFileError("save needs the package safetensors. Install it with: pip install safetensors") from error
    contiguous = {name: np.ascontiguousarray(a) for name, a in tensors.items()}
    text = json.dumps(description, ensure_ascii=False)
    content = to_bytes(contiguous, {_KEY: f'{text[:-1]}{_CHECKSUM}{checksum(contiguous, text)}"}}'})
    write_whole(path, content, error=ModelFileError)


def _describe(network: NetworkGraph, held: Mapping[str, Representation]) -> dict[str, Any]:
    """The network as plain data, without its tensors."""
    layers: dict[str, Any] = {}
    for name, layer in network.layers.items():
        described = to_config(layer)
        if Layer.registry.get(described["class"]) is not type(layer):
            raise ParameterError(
                f"save: the class of layer {name!r}, {type(layer).__qualname__}, could not be found again when loading: "
                "its name begins with an underscore, or another class of the same name was defined later. Rename it."
            )
        # JSON knows lists only; a tuple is to come back as a tuple.
        tuples = [key for key, value in layer.config().items() if isinstance(value, tuple)]
        layers[name] = described | {"module": type(layer).__module__, "name": layer.name, "tuples": tuples}
    inputs = network._tensors[0]
    assert network.input_shapes is not None
    seed = network.random_state
    return {
        "format": FORMAT,
        "version": __version__,
        "dtype": network.dtype,
        "random_state": int(seed) if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) else None,
        "layers": layers,
        "inputs": [
            {"tensor": i, "shape": list(shape), "dtype": t.dtype}
            for i, shape, t in zip(network.input_ids, network.input_shapes, inputs, strict=True)
        ],
        "calls": [
            {"layer": c.name, "inputs": list(c.inputs), "output": c.output} | ({"more": list(c.more)} if c.more else {})
            for c in network.calls
        ],
        "outputs": list(network.output_ids),
        "frozen": sorted(network.frozen),
    } | ({"representations": _describe_representations(held)} if held else {})


def _describe_representations(held: Mapping[str, Representation]) -> dict[str, Any]:
    """How parameters are held, as plain data, without arrays."""
    found = {}
    for name, how in held.items():
        if Representation.registry.get(type(how).__name__) is not type(how):
            raise ParameterError(
                f"save: the class of the representation of {name!r}, {type(how).__qualname__}, could not be found again "
                "when loading: its name begins with an underscore, or another class of the same name was defined later. "
                "Rename it."
            )
        found[name] = to_config(how)
    return found


def _to_data(value: Any, tensors: Arrays, where: str) -> Any:
    """The value as plain data; arrays of numbers go to the tensors."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biuf" or value.dtype.name == "longdouble" or value.dtype.itemsize > 8:
            values = _to_data(value.tolist(), tensors, where)
            return {"class": "ndarray", "args": {"values": values, "text": value.dtype.kind == "U"}}
        name = f"{_EXTRA}{len(tensors)}"
        tensors[name] = value.astype(value.dtype.newbyteorder("="), copy=False)
        return {"class": "ndarray", "args": {"tensor": name}}
    if isinstance(value, (list, tuple)):
        return [_to_data(v, tensors, f"{where}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value) or set(value) == {"class", "args"}:
            raise ParameterError(
                f"save: the keys of {where} must be text, and not just 'class' and 'args'. Got {list(value)!r}."
            )
        return {key: _to_data(v, tensors, f"{where}[{key!r}]") for key, v in value.items()}
    if callable(getattr(value, "config", None)) and not isinstance(value, type):
        return to_config(value)
    raise ParameterError(
        f"save: {where} must be numbers, text, lists, dicts, arrays or objects of chainrule. Got {value!r}."
    )


# ------------------------------------------------------------ load


def load(path: Path, network_class: type[N] = NetworkGraph) -> tuple[N, dict[str, Any]]:  # type: ignore[assignment]
    """The network of a file, and its ``extra``.

    Parameters  path : of a file that ``save`` wrote ; network_class : NetworkGraph or a subclass of it
    Raises      ModelFileError when the file is missing, damaged, foreign, of a newer version, or names a class that is not
                imported or arguments that the class refuses. No code from the file is ever run.
    """
    try:
        place = os.fspath(path)
    except TypeError:
        raise ParameterError(f"load: the path must be text or a Path. Got {path!r}.") from None
    try:
        return _load(place, network_class)
    except ModelFileError as error:
        raise ModelFileError(f"The model file {place!r}: {error}") from error.__cause__
    except (ChainruleError, Exception) as error:
        # Classes, also a user's own, meet arguments here that nobody has checked: whatever they raise, the file is bad.
        raise ModelFileError(f"The model file {place!r} is damaged: {type(error).__name__}: {error}") from error


def written_by(path: Path) -> dict[str, Any]:
    """The parts of ``extra`` by name, as plain data that is not checked, so that the right class can load the file; {} for a
    file that cannot be read, of which ``load`` says why."""
    try:
        from safetensors import safe_open

        with safe_open(os.fspath(path), framework="np") as file:
            found = json.loads((file.metadata() or {})[_KEY])["extra"]
    except Exception:
        return {}
    return found if isinstance(found, dict) else {}


def _load(path: str | bytes, network_class: type[N]) -> tuple[N, dict[str, Any]]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:  # pragma: no cover
        raise ModelFileError("loading needs the package safetensors. Install it with: pip install safetensors") from error
    _check_beginning(path)
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata()
            if not metadata or _KEY not in metadata:
                raise ModelFileError(
                    "it is a safetensors file, but not one of chainrule. Only models saved by chainrule load."
                )
            description = _parse(metadata[_KEY])
            present = {
                name: (file.get_slice(name).get_dtype(), tuple(file.get_slice(name).get_shape()))
                for name in file.keys()  # noqa: SIM118 (no mapping: it has no __iter__)
            }
            # safetensors has compared all shapes with the size of the file, so this takes no more memory than that.
            arrays = {name: file.get_tensor(name) for name in present}
            _verify(metadata[_KEY], description, arrays)
            network = _network(description, network_class)
            shapes, arenas = _declare(network, description, present)
            held = _unpack(network, description, arrays, arenas[0])
    except SafetensorError as error:
        raise ModelFileError(f"it is truncated, damaged, or no model file ({error}).") from error
    _fill(network, shapes, arenas, arrays, held)
    network.freeze(*_list(description, "frozen", str))
    registries = (Loss.registry, Optimizer.registry, INITIALIZERS, Layer.registry, Schedule.registry)
    extra = _from_data(description.get("extra", {}), arrays, registries)
    if not isinstance(extra, dict):
        raise ModelFileError("its extra part is no dict.")
    return network, extra


def _verify(text: str, description: dict[str, Any], arrays: Arrays) -> None:
    """ModelFileError unless the content is what was written. Only files of the first formats have no checksum.

    Parameters  text : the JSON of the description
    """
    if "checksum" not in description and description["format"] < _CHECKED_FROM:
        return
    before, _, end = text.rpartition(_CHECKSUM)
    if end != f'{checksum(arrays, before + "}")}"}}':
        raise ModelFileError(
            "its content is not what was saved: the checksum does not match, so at least one bit has changed since. Take "
            "another copy of the file, or save the model again."
        )


def _check_beginning(path: str | bytes) -> None:
    try:
        with open(path, "rb") as file:
            beginning, size = file.read(8), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise ModelFileError(f"it cannot be read: {error.strerror or error}.") from error
    if size < 10:
        raise ModelFileError(f"it is {'empty' if not size else 'truncated'}: {size} bytes. Save the model again.")
    for mark, what in _FOREIGN.items():
        # The first 8 bytes of a model file are the length of its header, so no model file begins like these.
        if beginning.startswith(mark) and int.from_bytes(beginning, "little") > size:
            raise ModelFileError(f"it is {what}, not a model of chainrule.")


def _parse(text: str) -> dict[str, Any]:
    try:
        description = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"its description is no JSON that can be read ({error}).") from error
    if not isinstance(description, dict) or not _is_int(description.get("format")):
        raise ModelFileError("its description has no version of the format.")
    if description["format"] > FORMAT:
        raise ModelFileError(
            f"it has format {description['format']}, of chainrule {description.get('version')}; this is chainrule "
            f"{__version__}, which reads formats up to {FORMAT}. Upgrade with: pip install --upgrade chainrule"
        )
    return description


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _list(holder: dict[str, Any], key: str, kind: type) -> list[Any]:
    value = holder.get(key)
    if not isinstance(value, list) or any(not isinstance(v, kind) or isinstance(v, bool) for v in value):
        raise ModelFileError(f"its description is damaged: {key!r} must be a list of {kind.__name__}. Got {value!r:.100}.")
    return value


def _network(description: dict[str, Any], network_class: type[N]) -> N:
    """The network, not built."""
    layers = description.get("layers")
    if not isinstance(layers, dict):
        raise ModelFileError("its description has no layers.")
    made = {name: _layer(name, described) for name, described in layers.items()}
    tensors: dict[int, Tensor] = {}

    def tensor(number: Any) -> Tensor:
        if not _is_int(number) or number not in tensors:
            raise ModelFileError(f"its description is damaged: tensor {number!r:.40} is used before anything makes it.")
        return tensors[number]

    def add(number: Any, made_by: Tensor) -> None:
        if not _is_int(number) or number in tensors:
            raise ModelFileError(f"its description is damaged: {number!r:.40} is no new number of a tensor.")
        tensors[number] = made_by

    for described in _list(description, "inputs", dict):
        shape, dtype = tuple(_list(described, "shape", int)), described.get("dtype")
        if any(s < 1 and s != FREE for s in shape) or dtype not in ("float", "int"):
            raise ModelFileError(f"its description is damaged: no input has shape {shape} and dtype {dtype!r:.40}.")
        add(described.get("tensor"), Tensor(shape=shape, dtype=dtype))
    inputs = list(tensors.values())
    calls = _list(description, "calls", dict)
    for call in calls:
        if not isinstance(call.get("layer"), str) or call["layer"] not in made:
            raise ModelFileError(
                f"its description is damaged: it uses the layer {call.get('layer')!r:.100}, which it lacks."
            )
        given = tuple(tensor(i) for i in _list(call, "inputs", int))
        found = made[call["layer"]](*given)
        numbers = [call.get("output"), *(_list(call, "more", int) if "more" in call else [])]
        tuple_of = found if isinstance(found, tuple) else (found,)
        if len(tuple_of) != len(numbers):
            raise ModelFileError(f"its description is damaged: {call['layer']!r:.100} has {len(tuple_of)} output(s).")
        for number, one in zip(numbers, tuple_of, strict=True):
            add(number, one)
    outputs = [tensor(i) for i in _list(description, "outputs", int)]
    seed = description.get("random_state")
    if not (seed is None or (_is_int(seed) and seed >= 0)):
        raise ModelFileError(f"its description is damaged: random_state is {seed!r:.40}.")
    if not inputs or not outputs or description.get("dtype") not in _DTYPES:
        raise ModelFileError("its description is damaged: inputs, outputs or dtype are missing.")
    network = network_class(inputs=inputs, outputs=outputs, random_state=seed, dtype=description["dtype"])
    if [c.name for c in network.calls] != [c["layer"] for c in calls]:
        raise ModelFileError("its description is damaged: the layers are not in the order of their connections.")
    return network


def _layer(name: str, described: Any) -> Layer:
    config = {key: described.get(key) for key in ("class", "args")} if isinstance(described, dict) else {}
    kind, arguments = config.get("class"), config.get("args")
    if not isinstance(kind, str) or not isinstance(arguments, dict):
        raise ModelFileError(f"its description of layer {name!r:.100} is damaged.")
    if kind not in Layer.registry:
        module = described.get("module")
        raise ModelFileError(
            f"layer {name!r} is of the class {kind!r:.100}, which is not known here. If it is your own, import the module "
            f"that defines it first (it was {module!r:.100} when the model was saved)."
        )
    accepted = Layer.registry[kind].argument_names()
    if not set(arguments) <= set(accepted):
        unknown = sorted(set(arguments) - set(accepted))
        raise ModelFileError(f"layer {name!r}: {kind} takes no argument {unknown[0]!r:.100}. Known: {', '.join(accepted)}.")
    tuples = set(_list(described, "tuples", str))
    arguments = {k: tuple(v) if k in tuples and isinstance(v, list) else v for k, v in arguments.items()}
    layer = from_config(
        {"class": kind, "args": arguments},
        Layer.registry,
        INITIALIZERS,
        Regularizer.registry,
        WeightConstraint.registry,
        _DATA,
    )
    assert isinstance(layer, Layer)
    layer.validate()
    # The name that the network would give by itself is given back, also where that rule has changed since.
    layer.name = name
    return layer


def _declare(
    network: NetworkGraph, description: dict[str, Any], present: dict[str, tuple[str, Shape]]
) -> tuple[list[Shape], tuple[Arena, Arena]]:
    """The shapes of the inputs and the arenas, once it is sure that the file has exactly their tensors."""
    shapes = network.declared_input_shapes()
    assert shapes is not None
    parameters, states, network.output_shapes = network._declare_free(shapes)
    wanted = {name: tuple(int(s) for s in p.shape) for name, p in parameters.items()}
    wanted |= {name: tuple(int(s) for s in s.shape) for name, s in states.items()}
    given = {name: found for name, found in present.items() if not name.startswith(_EXTRA)}
    for full in _held(description):
        if full not in parameters:
            raise ModelFileError(f"it is damaged: it holds {full!r:.100}, which is no parameter, in a way of its own.")
        # What their parts must be like is for the representation to say.
        wanted.pop(full)
        given = {name: found for name, found in given.items() if not name.startswith(f"{full}:")}
    for name in [name for name, state in states.items() if state.optional and name not in given]:
        wanted.pop(name)
    for name in sorted(wanted.keys() ^ given.keys()):
        state = "is missing" if name in wanted else "belongs to no layer"
        raise ModelFileError(f"it is damaged: the tensor {name!r:.100} {state}.")
    kind = _DTYPES[network.dtype]
    for name, shape in wanted.items():
        # safetensors has compared shapes with the bytes in the file, so equal shapes need no more memory than the file has.
        if given[name] != (kind, shape):
            raise ModelFileError(f"it is damaged: the tensor {name!r:.100} should be {kind} {shape}, got {given[name]}.")
    built = network.layers
    for layer, described in description["layers"].items():
        built[layer].name = described.get("name") if isinstance(described.get("name"), str) else None
    return shapes, (
        Arena({n: (p.shape, p.decay) for n, p in parameters.items()}, network.dtype),
        Arena({n: (s.shape, False) for n, s in states.items()}, network.dtype),
    )


def _held(description: dict[str, Any]) -> dict[str, Any]:
    """The parameters that the file holds in ways of their own."""
    found = description.get("representations", {})
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise ModelFileError("its description of how parameters are held is damaged.")
    return found


def _unpack(
    network: NetworkGraph, description: dict[str, Any], arrays: Arrays, parameters: Arena
) -> dict[str, tuple[Representation, NDArray[Any]]]:
    """The representations of parameters with what is stored."""
    found = {}
    for full, described in _held(description).items():
        name, arguments = described.get("class"), described.get("args")
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise ModelFileError(f"its description of how {full!r:.100} is held is damaged.")
        start, shape = f"{full}:", parameters.entries[full].shape
        packed = {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}
        try:
            found[full] = unpack_of(name)(arguments, packed, shape, network.dtype)
            found[full][0].check(full, shape)
        except KeyError as error:
            raise ModelFileError(f"it is damaged: the tensor {start + str(error.args[0])!r:.100} is missing.") from error
    return found


def _fill(
    network: NetworkGraph,
    shapes: list[Shape],
    arenas: tuple[Arena, Arena],
    arrays: Arrays,
    held: dict[str, tuple[Representation, NDArray[Any]]],
) -> None:
    network.parameters, network.states = arenas
    stored = {full: array for full, (_, array) in held.items()}
    for arena in arenas:
        arena.assign(
            {name: stored[name] if name in stored else arrays[name] for name in arena if name in {**stored, **arrays}}
        )
    for full, (how, _) in held.items():
        arenas[0].variables[full].represent(how)
    for arena in arenas:
        for variable in arena.variables.values():
            variable.started = True
    network.input_shapes = shapes
    network._adopt()


def _from_data(value: Any, arrays: Arrays, registries: tuple[Mapping[str, type], ...]) -> Any:
    if isinstance(value, list):
        return [_from_data(v, arrays, registries) for v in value]
    if not isinstance(value, dict):
        return value
    if set(value) != {"class", "args"}:
        return {key: _from_data(v, arrays, registries) for key, v in value.items()}
    if value["class"] != "ndarray":
        return from_config(value, *registries)
    arguments = value["args"] if isinstance(value["args"], dict) else {}
    if "values" in arguments:
        return _listed_array(arguments["values"], text=arguments.get("text") is True)
    name = arguments.get("tensor")
    if not isinstance(name, str) or not name.startswith(_EXTRA) or name not in arrays:
        raise ModelFileError(f"its extra part is damaged: it lacks the array {name!r:.40}.")
    return arrays[name]


def _listed_array(values: Any, *, text: bool) -> NDArray[Any]:
    """An array of text or mixed objects from nested lists."""
    array = np.array(values, dtype=object)
    if not text:
        return array
    lengths = [len(v) for v in array.flat if isinstance(v, str)]
    # Every entry of a text array has the length of the longest: that must not make much out of a small file.
    if len(lengths) != array.size or max(lengths, default=0) * array.size > 100 * sum(lengths) + 1000:
        raise ModelFileError("its extra part is damaged: a list of text is none.")
    return array.astype(str)
