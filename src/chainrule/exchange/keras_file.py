"""Reading Keras's models: ``.keras`` files of Keras 3, and ``.h5`` files of Keras 1 to 3.

Both hold what the layers are as JSON, and their weights as HDF5. Keras keeps channels last, as chainrule does, so layers and
weights are taken over one by one.
"""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import layers as L
from ..errors import ChainruleError, MissingDependencyError, ModelFileError, ParameterError
from ..layers import Layer, Tensor
from ..network import NetworkGraph

__all__ = ["from_keras", "load_keras"]

Array = NDArray[Any]
N = TypeVar("N", bound=NetworkGraph)
Config = dict[str, Any]
#: Bytes that the parts of a .keras file may have when they are unpacked, and how many times those of the file.
_MOST_BYTES, _MOST_RATIO = 1 << 34, 200


def load_keras(path: str | os.PathLike[str], kind: type[N], *, random_state: Any = None) -> N:
    """The network of a Keras file, with its weights.

    Raises      MissingDependencyError without the package h5py ; ModelFileError when the file is damaged or foreign, holds
                weights alone, or a layer that has no counterpart in chainrule (code in a Lambda layer is never run)
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError("h5py", "Reading Keras files", extra="exchange") from error
    place = Path(path)
    try:
        zipped = zipfile.is_zipfile(place)
    except OSError as error:
        raise ModelFileError(f"{place}: the file cannot be read: {error.strerror or error}.") from error
    if not place.is_file():
        raise ModelFileError(f"{place}: there is no such file.")
    try:
        if zipped:
            config, held = _unzip(place)
            with h5py.File(io.BytesIO(held), "r") as file:
                return _Reader(place, config, _KerasWeights(place, file, config)).network(kind, random_state)
        with h5py.File(place, "r") as file:
            text = file.attrs.get("model_config")
            if text is None:
                raise ModelFileError(
                    f"{place}: the file holds weights alone, and not what the layers are. Save the whole model by "
                    f"model.save(...), or "
                    f"build the network in chainrule and give it the weights by load_weights."
                )
            config = _json(place, text)
            return _Reader(place, config, _H5Weights(place, file)).network(kind, random_state)
    except ModelFileError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, IndexError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"{place}: this is no model of Keras, or it is damaged or cut off ({error}).") from error


def from_keras(model: Any, kind: type[N], *, random_state: Any = None) -> N:
    """The network of a model of Keras, by way of a file. Parameters and errors  as of ``chainrule.from_keras``"""
    if not all(hasattr(model, name) for name in ("save", "get_config", "layers")):
        raise ParameterError(f"from_keras: expected a model of Keras. Got a {type(model).__name__}.")
    if not getattr(model, "built", True):
        raise ParameterError("from_keras: the model is not built. Call it on data, or give its first layer an Input.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        try:
            model.save(path)
        except Exception as error:  # Keras raises errors of all kinds
            raise ModelFileError(f"from_keras: Keras cannot save this model: {error}.") from error
        try:
            return load_keras(path, kind, random_state=random_state)
        except ModelFileError as error:
            raise ModelFileError(str(error).replace(f"{path}: ", "from_keras: ")) from error


def _json(place: Path, text: Any) -> Config:
    try:
        found = json.loads(text.decode("utf-8") if isinstance(text, bytes) else text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{place}: what the layers are is no JSON ({error}).") from error
    if not isinstance(found, dict) or "class_name" not in found:
        raise ModelFileError(f"{place}: the file does not say what the layers are.")
    return found


def _unzip(place: Path) -> tuple[Config, bytes]:
    """The configuration and the weights of a .keras file; what it claims to unpack to is compared with what it has."""
    with zipfile.ZipFile(place) as archive:
        parts = {}
        for name in ("config.json", "model.weights.h5"):
            try:
                info = archive.getinfo(name)
            except KeyError:
                raise ModelFileError(f"{place}: this is no .keras file: it has no part {name!r}.") from None
            if info.file_size > min(_MOST_BYTES, _MOST_RATIO * max(info.compress_size, 1 << 16)):
                raise ModelFileError(
                    f"{place}: the part {name!r} claims {info.file_size:,} bytes from {info.compress_size:,}."
                )
            try:
                parts[name] = archive.read(info)
            except (zipfile.BadZipFile, OSError, RuntimeError, EOFError, NotImplementedError) as error:
                raise ModelFileError(f"{place}: the part {name!r} is damaged or encrypted ({error}).") from error
    return _json(place, parts["config.json"]), parts["model.weights.h5"]


# ---------------------------------------------------------------- weights


class _H5Weights:
    """The weights of an .h5 file, by the names of the layers."""

    def __init__(self, place: Path, file: Any) -> None:
        self.place, self.root = place, file.get("model_weights", file)

    def of(self, name: str) -> list[Array]:
        if name not in self.root:
            return []
        return [array for _, array in self._named(name)]

    def inside(self, name: str, config: Config) -> _PartWeights:
        """The weights of a model that is a layer of this one."""
        return _PartWeights(self._named(name) if name in self.root else [])

    def _named(self, name: str) -> list[tuple[str, Array]]:
        group = self.root[name]
        names = [n.decode() if isinstance(n, bytes) else str(n) for n in group.attrs.get("weight_names", [])]
        return [(n, _numbers(self.place, group[n], self.root)) for n in names]


class _PartWeights:
    """The weights of a model inside another one of an .h5 file, which all stand in one group, with paths as names."""

    def __init__(self, arrays: list[tuple[str, Array]]) -> None:
        self.arrays = arrays

    def of(self, name: str) -> list[Array]:
        return [array for path, array in self.arrays if name in path.split("/")]

    def inside(self, name: str, config: Config) -> _PartWeights:
        return _PartWeights([(path, array) for path, array in self.arrays if name in path.split("/")])


class _KerasWeights:
    """The weights of a .keras file, whose groups are named after the layers or after their classes, in order."""

    def __init__(self, place: Path, file: Any, config: Config) -> None:
        self.place, self.root = place, file["layers"] if "layers" in file else file["_layer_checkpoint_dependencies"]
        self.groups: dict[str, str] = {}
        counts: dict[str, int] = {}
        for layer in _layer_configs(config):
            own = layer["config"].get("name", "")
            kind = _snake(layer["class_name"])
            number = counts.get(kind, 0)
            counts[kind] = number + 1
            by_class = kind if not number else f"{kind}_{number}"
            self.groups[own] = own if own in self.root and by_class not in self.root else by_class
        # Names of classes and of layers may cross; where all layers are there by their own names, those count.
        weighted = [n for n in self.groups if n in self.root]
        if len(weighted) == len(self.root):
            self.groups = {n: n for n in self.groups}

    def of(self, name: str) -> list[Array]:
        group = self.groups.get(name, name)
        if group not in self.root:
            return []
        return [_numbers(self.place, d, self.root) for d in _datasets(self.root[group])]

    def inside(self, name: str, config: Config) -> _KerasWeights | _PartWeights:
        """The weights of a model that is a layer of this one."""
        group = self.groups.get(name, name)
        return _KerasWeights(self.place, self.root[group], config) if group in self.root else _PartWeights([])


def _datasets(group: Any) -> Iterator[Any]:
    """All arrays below a group: variables in the order of their numbers, parts of a layer in the order of its class."""
    if "vars" in group:
        yield from (group["vars"][k] for k in sorted(group["vars"], key=int))
    for name in _PARTS:
        if name in group:
            yield from _datasets(group[name])


#: The parts of a layer that have variables, in the order of the layer's own list.
_PARTS = (
    "cell", "forward_layer", "backward_layer", "layer", "query_dense", "key_dense", "value_dense", "output_dense",
)  # fmt: skip


def _numbers(place: Path, data: Any, root: Any) -> Array:
    """The numbers of a weight. Parameters  root : a group of the file that is read, which no link may lead out of"""
    away = data.file.filename != root.file.filename
    if away or getattr(data, "external", None) or not hasattr(data, "shape"):
        raise ModelFileError(f"{place}: a weight lies in another file, which is not read.")
    stored, claimed = data.id.get_storage_size(), int(np.prod(data.shape, dtype=np.float64)) * data.dtype.itemsize
    if claimed > 1 << 20 and claimed > _MOST_RATIO * max(stored, 1 << 12):
        raise ModelFileError(f"{place}: a weight claims {claimed:,} bytes and has {stored:,} in the file.")
    return np.asarray(data[()], np.float32)


def _snake(name: str) -> str:
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _layer_configs(config: Config) -> list[Config]:
    inner = config["config"]
    found = inner if isinstance(inner, list) else inner["layers"]  # Keras 1 has the list alone
    return [
        dict(layer, config={**layer["config"], "name": layer["config"].get("name", layer.get("name", ""))})
        for layer in found
    ]


# ---------------------------------------------------------------- layers


#: Models, which may be layers of others.
_MODELS = ("Sequential", "Functional", "Model")
#: A tensor of a Keras graph: the layer, which of its calls, and which of the call's outputs.
Ref = tuple[str, int, int]


@dataclass
class _Call:
    """One use of a layer. Attributes  inputs : tensors ; named : those that were given by name ; plain : other arguments by
    name ; given : all arguments in order, numbers among them ; masks : those of padding"""

    inputs: list[Ref]
    named: dict[str, list[Ref]]
    plain: dict[str, Any]
    given: list[Any]
    masks: list[Ref] = field(default_factory=list)

    @property
    def needs(self) -> list[Ref]:
        return [*self.inputs, *(ref for refs in self.named.values() for ref in refs)]


class _Reader:
    """Makes a network of a configuration and its weights.

    Parameters  put : the list of layers and their weights of a model that this one is a layer of
    """

    def __init__(self, place: Path, config: Config, weights: Any, put: list[tuple[Layer, dict[str, Array]]] | None = None):
        self.place, self.config, self.weights = place, config, weights
        self.put: list[tuple[Layer, dict[str, Array]]] = [] if put is None else put
        #: What layers became, by their names: used again where a layer is.
        self.made: dict[str, Any] = {}

    def network(self, kind: type[N], random_state: Any) -> N:
        model = self.config["class_name"]
        if model not in _MODELS:
            raise ModelFileError(f"{self.place}: the model is a class of its own, {model!r}, whose code is not in the file.")
        unknown = sorted(_kinds(self.config) - set(_LAYERS) - {"InputLayer", *_MODELS})
        if unknown:
            raise ModelFileError(f"{self.place}: these layers have no counterpart in chainrule: {', '.join(unknown)}.")
        inputs, outputs = self.graph(None)
        try:
            network = kind(inputs=inputs, outputs=outputs, random_state=random_state)
            network.build()
            names = {id(layer): name for name, layer in network.layers.items()}
            for layer, arrays in self.put:
                if id(layer) not in names:
                    continue  # nothing that is an output needs it
                for short, array in arrays.items():
                    full = f"{names[id(layer)]}.{short}"
                    arena = network.parameters if full in network.parameters else network.states
                    if arena[full].shape != array.shape:
                        raise ModelFileError(
                            f"{self.place}: the weight {full!r} has shape {array.shape}, where {arena[full].shape} "
                            f"is needed."
                        )
                    arena[full][...] = array
        except ModelFileError:
            raise
        except ChainruleError as error:
            raise ModelFileError(f"{self.place}: the network does not fit together: {error}") from error
        return network

    def graph(self, xs: list[Tensor] | None) -> tuple[list[Tensor], list[Tensor]]:
        """Inputs and outputs of the model, on these tensors where it is a layer of another one."""
        configs = _layer_configs(self.config)
        if self.config["class_name"] == "Sequential":
            return self._sequential(configs, xs)
        return self._functional(configs, xs)

    def _sequential(self, configs: list[Config], xs: list[Tensor] | None) -> tuple[list[Tensor], list[Tensor]]:
        if xs is None:
            first, whole = configs[0]["config"], self.config["config"]
            built = whole.get("build_input_shape") if isinstance(whole, dict) else None
            shape = first.get("batch_input_shape") or first.get("batch_shape") or built
            if shape is None:
                raise ModelFileError(
                    f"{self.place}: the size of the input is not in the file. Save the model after it was built."
                )
            xs = [L.Input(_sample(shape), dtype="int" if _looks_up(self.config) else "float")]
        every = list(xs)
        for config in configs:
            if config["class_name"] != "InputLayer":
                every = self._apply(config, _Call([], {}, {}, []), every, {})
        return xs, every

    def _functional(self, configs: list[Config], xs: list[Tensor] | None) -> tuple[list[Tensor], list[Tensor]]:
        inner = self.config["config"]
        known: dict[tuple[str, int], list[Tensor]] = {}
        starts, ends = _ends(inner["input_layers"]), _outputs(configs, inner["output_layers"])
        if xs is not None:
            if len(xs) != len(starts):
                raise ModelFileError(f"{self.place}: a model inside takes {len(starts)} inputs and is given {len(xs)}.")
            known |= {(name, 0): [x] for (name, _, _), x in zip(starts, xs, strict=True)}
        indices, numbers, needed = _index_inputs(configs), _call_numbers(configs, ends), _needed(configs, ends)
        waiting: list[tuple[Config, int, _Call]] = []
        for config in configs:
            name = config["config"]["name"]
            if config["class_name"] != "InputLayer":
                if name in needed:
                    self._check_masks(config, configs)
                    waiting += [(config, i, call) for i, call in zip(numbers[name], _calls(config), strict=True)]
            elif (name, 0) not in known:
                shape = config["config"].get("batch_input_shape") or config["config"].get("batch_shape")
                known[name, 0] = [L.Input(_sample(shape), dtype="int" if name in indices else "float")]

        def there(ref: Ref) -> Tensor:
            return known[ref[0], ref[1]][ref[2]]

        while waiting:
            ready = [one for one in waiting if all(ref[:2] in known for ref in one[2].needs)]
            if not ready:
                # A layer inside several models keeps the calls that stand outside this one.
                if all((end[0], end[1]) in known for end in ends):
                    break
                name = waiting[0][0]["config"]["name"]
                raise ModelFileError(f"{self.place}: the layer {name!r} depends on itself or on nothing.")
            for config, i, call in ready:
                named = {key: [there(ref) for ref in refs] for key, refs in call.named.items()}
                made = self._apply(config, call, [there(ref) for ref in call.inputs], named)
                known[config["config"]["name"], i] = made
            done = {(config["config"]["name"], i) for config, i, _ in ready}
            waiting = [one for one in waiting if (one[0]["config"]["name"], one[1]) not in done]
        return [there(ref) for ref in starts], [there(ref) for ref in ends]

    def _check_masks(self, config: Config, configs: list[Config]) -> None:
        """Masks that Keras computes from padding, our layers find by themselves; others would be left out."""
        kinds = {c["config"]["name"]: c["class_name"] for c in configs}
        for call in _calls(config):
            if any(kinds.get(ref[0]) not in _MASK_MAKERS for ref in call.masks):
                raise ModelFileError(
                    f"{self.place}: the layer {config['config']['name']!r} is given a mask that is not one of padding, "
                    f"which is not supported."
                )

    def _apply(self, config: Config, call: _Call, xs: list[Tensor], named: dict[str, list[Tensor]]) -> list[Tensor]:
        """One layer of Keras, which may be several of ours. Returns  all tensors that it makes"""
        own = config["config"]
        plain = str(own.get("name", "")) if isinstance(own, dict) else str(config.get("name", ""))
        if config["class_name"] in _MODELS:
            if plain not in self.made:
                self.made[plain] = _Reader(self.place, config, self.weights.inside(plain, config), self.put)
            return list(self.made[plain].graph([*xs, *(x for some in named.values() for x in some)])[1])
        name = re.sub(r"[^A-Za-z0-9_./-]+", "_", plain).strip("./_")
        if str(own.get("data_format") or "channels_last") != "channels_last":
            raise ModelFileError(f"{self.place}: the layer {name!r} keeps channels first, which is not supported.")
        first = plain not in self.made
        try:
            if first or not plain:
                self.made[plain] = _LAYERS[config["class_name"]]({**own, "_call": call}, self.weights.of(plain))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ModelFileError(
                f"{self.place}: the layer {name!r} has weights or arguments that do not fit ({error})."
            ) from error
        x: Any = [*xs, *(x for key in ("value", "key", "initial_state", "attention_mask") for x in named.get(key, []))]
        for i, (layer, arrays) in enumerate(self.made[plain]):
            ways = getattr(layer, "ways", [(layer, arrays)] if arrays else [])
            if first and name and len(ways) == 1:
                ways[0][0].named(name if not i else f"{name}_{i + 1}")
            x = layer(*x) if isinstance(x, list) else layer(x)
            if first:
                self.put += ways
        return list(x) if isinstance(x, (list, tuple)) else [x]


#: What Keras makes masks of padding with.
_MASK_MAKERS = ("NotEqual", "Any")


def _needed(configs: list[Config], ends: list[Ref]) -> set[str]:
    """The layers that the outputs depend on, but for masks."""
    by_name = {c["config"]["name"]: c for c in configs}
    found, waiting = set(), [ref[0] for ref in ends]
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in found:
            found.add(name)
            waiting += [ref[0] for call in _calls(by_name[name]) for ref in call.needs]
    return found


def _outputs(configs: list[Config], value: Any) -> list[Ref]:
    """The tensors of the outputs. Keras 3 counts there, and only there, the call that made a model inside."""
    new = any(isinstance(node, dict) for c in configs for node in c.get("inbound_nodes", []))
    inside = {c["config"]["name"] for c in configs if c["class_name"] in ("Functional", "Model")}
    return [(name, number - (new and number > 0 and name in inside), place) for name, number, place in _ends(value)]


def _call_numbers(configs: list[Config], ends: list[Ref]) -> dict[str, list[int]]:
    """By which numbers the calls of each layer are spoken of, in their order.

    Keras counts calls that stand outside this model, too, such as the one that made a model inside.
    """
    spoken: dict[str, set[int]] = {}
    for ref in [*ends, *(ref for c in configs for call in _calls(c) for ref in call.needs)]:
        spoken.setdefault(ref[0], set()).add(ref[1])
    found = {}
    for config in configs:
        name, count = config["config"]["name"], len(_calls(config))
        numbers = sorted(spoken.get(name, ()))
        first = max(0, numbers[-1] - count + 1) if numbers else 0
        found[name] = numbers if len(numbers) == count else list(range(first, first + count))
    return found


def _kinds(config: Config) -> set[str]:
    """The classes of all layers that the outputs need, also of models inside."""
    found: set[str] = set()
    configs = _layer_configs(config)
    if config["class_name"] != "Sequential":
        needed = _needed(configs, _ends(config["config"]["output_layers"]))
        configs = [c for c in configs if c["config"]["name"] in needed]
    for one in configs:
        found |= _kinds(one) if one["class_name"] in _MODELS else {one["class_name"]}
    return found


def _looks_up(config: Config) -> bool:
    """Whether the first input of a model, or of a layer, is an index of a table."""
    if config["class_name"] not in _MODELS:
        return bool(config["class_name"] == "Embedding")
    configs = _layer_configs(config)
    if config["class_name"] == "Sequential":
        return next((_looks_up(c) for c in configs if c["class_name"] != "InputLayer"), False)
    starts = {name for name, _, _ in _ends(config["config"]["input_layers"])}
    return bool(starts & _index_inputs(configs))


def _index_inputs(configs: list[Config]) -> set[str]:
    """The names of layers whose output is an index of a table."""
    return {ref[0] for c in configs if c["class_name"] != "InputLayer" and _looks_up(c) for call in _calls(c)
            for ref in call.inputs}  # fmt: skip


def _calls(config: Config) -> list[_Call]:
    """The uses of a layer."""
    found = []
    for node in config.get("inbound_nodes", []):
        if isinstance(node, dict):  # Keras 3
            given, options = node.get("args", []), node.get("kwargs") or {}
            named = {key: refs for key, value in options.items() if (refs := [_ref(t) for t in _history(value)])}
            plain = {key: value for key, value in options.items() if key not in named}
            masks = named.pop("mask", [])
            first = named.pop("inputs", named.pop("sequences", named.pop("query", [])))
            found.append(_Call([_ref(t) for t in _history(given)] + first, named, plain, list(given), masks))
        else:
            before: list[Ref] = [(str(e[0]), int(e[1]), int(e[2])) for e in node]
            plain = next((e[3] for e in node if len(e) > 3 and isinstance(e[3], dict)), {})
            found.append(_Call(before, {}, plain, []))
    return found or [_Call([], {}, {}, [])]


def _ref(tensor: Config) -> Ref:
    name, node, place = tensor["config"]["keras_history"]
    return str(name), int(node), int(place)


def _history(value: Any) -> Iterator[Config]:
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        yield value
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _history(one)


def _ends(value: Any) -> list[Ref]:
    """The tensors of the inputs or outputs: [name, node, tensor], a list of these, or names with these."""
    if isinstance(value, dict):
        value = list(value.values())
    if value and isinstance(value[0], str):
        value = [value]
    return [(str(one[0]), int(one[1]), int(one[2])) for one in value]


def _sample(shape: Any) -> tuple[int | None, ...]:
    if isinstance(shape, dict):
        shape = next(iter(shape.values()))
    return tuple(None if s is None else int(s) for s in list(shape)[1:])


Steps = list[tuple[Any, dict[str, Array]]]
Maker = Callable[[Config, list[Array]], Steps]
_ACTIVATIONS: dict[str, Callable[[], Layer]] = {
    "relu": L.ReLU, "sigmoid": L.Sigmoid, "tanh": L.Tanh, "softmax": L.Softmax,
    "softplus": L.Softplus, "softsign": L.Softsign,
    "elu": L.ELU, "selu": L.SELU, "gelu": L.GELU, "swish": L.SiLU, "silu": L.SiLU, "hard_sigmoid": L.HardSigmoid,
    "exponential": L.Exponential, "relu6": L.ReLU6, "leaky_relu": lambda: L.LeakyReLU(0.2), "mish": L.Mish,
    "log_softmax": L.LogSoftmax, "hard_swish": L.HardSwish, "hard_silu": L.HardSwish,
}  # fmt: skip


def _activated(c: Config, steps: Steps, key: str = "activation") -> Steps:
    """The layer and its activation, which Keras keeps in one."""
    given = c.get(key) or "linear"
    name = given.get("config", given.get("class_name")) if isinstance(given, dict) else given
    if name == "linear":
        return steps
    if name not in _ACTIVATIONS:
        raise ValueError(f"the activation {name!r} is not known")
    return [*steps, (_ACTIVATIONS[name](), {})]


def _weighted(w: list[Array], *names: str) -> dict[str, Array]:
    if len(w) < len(names):
        raise ValueError(f"there are {len(w)} arrays, and {len(names)} are needed")
    return dict(zip(names, w, strict=False))


def _either(c: Config, name: str, older: str, default: Any = None) -> Any:
    """An argument by its name, or by the name that it had in Keras 1."""
    found = c.get(name, c.get(older, default))
    if found is None:
        raise KeyError(name)
    return found


def _names(c: Config) -> tuple[str, ...]:
    return ("weight", "bias") if _bias(c) else ("weight",)


def _bias(c: Config) -> bool:
    return bool(c.get("use_bias", c.get("bias", True)))


def _dense(c: Config, w: list[Array]) -> Steps:
    units = int(_either(c, "units", "output_dim"))
    return _activated(c, [(L.Dense(units, bias=_bias(c)), _weighted(w, *_names(c)))])


def _one(value: Any) -> Any:
    values = tuple(int(v) for v in value) if isinstance(value, (list, tuple)) else (int(value),)
    return values[0] if len(set(values)) == 1 else values


def _window(c: Config) -> dict[str, Any]:
    padding = str(c.get("padding", c.get("border_mode", "valid")))
    if padding not in ("valid", "same", "causal"):
        raise ValueError(f"the padding {padding!r} is not known")
    return {"stride": _one(c.get("strides", c.get("subsample", 1)) or 1), "padding": padding}


def _kernel(c: Config) -> Any:
    return _one(c["kernel_size"]) if "kernel_size" in c else (int(c["nb_row"]), int(c["nb_col"]))


def _conv(kind: Any) -> Maker:
    def make(c: Config, w: list[Array]) -> Steps:
        window, dilation, kernel = _window(c), _one(c.get("dilation_rate", 1)), _kernel(c)
        if window["padding"] == "causal":
            window["padding"] = ((dilation * (kernel - 1), 0),)
        layer = kind(
            int(_either(c, "filters", "nb_filter")), kernel, **window, dilation=dilation,
            groups=int(c.get("groups", 1)),
            bias=_bias(c),
        )  # fmt: skip
        return _activated(c, [(layer, _weighted(w, *_names(c)))])

    return make


def _transposed(kind: Any) -> Maker:
    def make(c: Config, w: list[Array]) -> Steps:
        extra = c.get("output_padding")
        layer = kind(
            int(c["filters"]), _kernel(c), **_window(c), output_padding=0 if extra is None else _one(extra),
            dilation=_one(c.get("dilation_rate", 1)), bias=_bias(c),
        )  # fmt: skip
        return _activated(c, [(layer, _weighted(w, *_names(c)))])

    return make


def _flat_channels(w: Array) -> Array:
    """(kh, kw, C, multiplier) as (kh, kw, 1, C · multiplier)."""
    return w.reshape(*w.shape[:2], 1, -1)


def _depthwise(c: Config, w: list[Array]) -> Steps:
    layer = L.DepthwiseConv2D(
        _kernel(c), multiplier=int(c.get("depth_multiplier", 1)), **_window(c), dilation=_one(c.get("dilation_rate", 1)),
        bias=_bias(c),
    )  # fmt: skip
    arrays = _weighted(w, *_names(c))
    return _activated(c, [(layer, arrays | {"weight": _flat_channels(arrays["weight"])})])


def _separable(c: Config, w: list[Array]) -> Steps:
    first = L.DepthwiseConv2D(
        _kernel(c),
        multiplier=int(c.get("depth_multiplier", 1)),
        **_window(c),
        dilation=_one(c.get("dilation_rate", 1)),
        bias=False,
    )
    second = L.Conv2D(int(c["filters"]), 1, bias=_bias(c))
    pointwise = _weighted(w[1:], *_names(c))
    return _activated(c, [(first, {"weight": _flat_channels(w[0])}), (second, pointwise)])


def _pool(kind: Any) -> Maker:
    def make(c: Config, w: list[Array]) -> Steps:
        size = _one(c.get("pool_size", c.get("pool_length", 2)))
        window = _window(c | {"strides": c.get("strides") or size})
        return [(kind(size, **window), {})]

    return make


def _global(kind: Any) -> Maker:
    def make(c: Config, w: list[Array]) -> Steps:
        if c.get("keepdims"):
            raise ValueError("keepdims is not supported")
        return [(kind(), {})]

    return make


def _last_axis(c: Config) -> None:
    axis = c.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    # Keras writes the last axis of images as 3.
    if axis not in (-1, 1, 2, 3, 4):
        raise ValueError(f"it normalises along axis {axis}, which is not supported")


def _learned(c: Config, w: list[Array], *more: str) -> tuple[Any, dict[str, Array]]:
    """What of γ and β is learned, and the arrays of a normalisation."""
    names = [n for n, key in (("gamma", "scale"), ("beta", "center")) if c.get(key, True)]
    affine = names[0] if len(names) == 1 else bool(names)
    return affine, _weighted(w, *names, *more)


def _batch_norm(c: Config, w: list[Array]) -> Steps:
    _last_axis(c)
    affine, arrays = _learned(c, w, "running_mean", "running_var")
    momentum = min(max(float(c.get("momentum", 0.99)), 0.0), 0.9999)
    return [(L.BatchNorm(momentum=momentum, epsilon=float(c.get("epsilon", 1e-3)), affine=affine), arrays)]


def _layer_norm(c: Config, w: list[Array]) -> Steps:
    _last_axis(c)
    affine, arrays = _learned(c, w)
    return [(L.LayerNorm(epsilon=float(c.get("epsilon", 1e-3)), affine=affine), arrays)]


def _group_norm(c: Config, w: list[Array]) -> Steps:
    _last_axis(c)
    affine, arrays = _learned(c, w)
    options: dict[str, Any] = {"epsilon": float(c.get("epsilon", 1e-3)), "affine": affine}
    groups = int(c.get("groups", 32))
    return [(L.InstanceNorm(**options) if groups == -1 else L.GroupNorm(groups, **options), arrays)]


def _rms_norm(c: Config, w: list[Array]) -> Steps:
    _last_axis(c)
    return [(L.RMSNorm(epsilon=float(c.get("epsilon", 1e-6))), _weighted(w, "gamma"))]


def _recurrent_options(c: Config) -> dict[str, Any]:
    if c.get("stateful"):
        raise ValueError("stateful is not supported; give the first states as inputs")
    if c.get("go_backwards") and c.get("return_sequences") and not c.get("_both"):
        raise ValueError("go_backwards with return_sequences gives the steps in reverse, which is not supported")
    return {
        "return_sequences": bool(c.get("return_sequences")), "return_state": bool(c.get("return_state")),
        "reverse": bool(c.get("go_backwards")), "bias": _bias(c),
        "dropout": float(c.get("dropout") or 0.0), "recurrent_dropout": float(c.get("recurrent_dropout") or 0.0),
    }  # fmt: skip


def _plain_recurrent(c: Config, inner: str) -> None:
    if (c.get("recurrent_activation") or inner) not in (inner, "sigmoid") or (c.get("activation") or "tanh") != "tanh":
        raise ValueError("other activations inside than sigmoid and tanh are not supported")


def _lstm(c: Config, w: list[Array]) -> Steps:
    _plain_recurrent(c, "sigmoid")
    arrays = _weighted(w, "weight", "recurrent_weight", *(["bias"] if _bias(c) else []))
    return [(L.LSTM(int(c["units"]), **_recurrent_options(c)), arrays)]


def _gru(c: Config, w: list[Array]) -> Steps:
    _plain_recurrent(c, "sigmoid")
    units, after = int(c["units"]), bool(c.get("reset_after", len(w) > 2 and w[2].ndim == 2))

    def ours(a: Array) -> Array:  # z r h of Keras is r z n here
        z, r, h = np.split(a, 3, axis=-1)
        return np.concatenate([r, z, h], axis=-1)

    arrays = {"weight": ours(w[0]), "recurrent_weight": ours(w[1])}
    bias = ours(w[2]) if _bias(c) else None
    if bias is None:
        pass
    elif after:
        arrays["bias"] = np.concatenate([(bias[0] + bias[1])[: 2 * units], bias[0][2 * units :]])
        arrays["recurrent_bias"] = bias[1][2 * units :]
    else:
        arrays["bias"] = bias
    return [(L.GRU(units, reset="after" if after else "before", **_recurrent_options(c)), arrays)]


def _simple_rnn(c: Config, w: list[Array]) -> Steps:
    arrays = _weighted(w, "weight", "recurrent_weight", *(["bias"] if _bias(c) else []))
    kind = str(c.get("activation") or "tanh")
    if kind not in ("tanh", "relu"):
        raise ValueError(f"the activation {kind!r} inside is not supported")
    return [(L.SimpleRNN(int(c["units"]), activation=kind, **_recurrent_options(c)), arrays)]


#: How the outputs of both directions are joined.
_MERGES: dict[str, Callable[[], Layer]] = {"concat": L.Concat, "sum": L.Add, "mul": L.Multiply, "ave": L.Average}


def _both_ways(c: Config, w: list[Array]) -> Steps:
    merge = c.get("merge_mode", "concat")
    if merge not in _MERGES:
        raise ValueError(f"outputs of both directions that are not joined are not supported, merge_mode={merge!r}")
    inner = c["layer"]
    if inner["config"].get("return_state"):
        raise ValueError("return_state of both directions is not supported")
    half, config = len(w) // 2, {**inner["config"], "_both": True}
    (forward, first), (_, second) = (_LAYERS[inner["class_name"]](config, part)[0] for part in (w[:half], w[half:]))
    return [(_TwoWays(forward, first, second, _MERGES[merge]()), {})]


class _TwoWays:
    """A recurrent layer in both directions, whose outputs are joined, and the arrays of each."""

    def __init__(self, layer: Layer, first: dict[str, Array], second: dict[str, Array], join: Layer) -> None:
        config = layer.config()
        self.ways = [(layer, first), (type(layer)(**config | {"reverse": not config["reverse"]}), second)]
        self.join = join

    def __call__(self, x: Tensor) -> Tensor:
        made: Tensor = self.join(*(way(x) for way, _ in self.ways))
        return made


def _attention(c: Config, w: list[Array]) -> Steps:
    heads, width, call = int(c["num_heads"]), int(c["key_dim"]), c["_call"]
    if c.get("value_dim") not in (None, width) or c.get("output_shape") or c.get("attention_axes") not in (None, [1], 1):
        raise ValueError("other widths of values or outputs, or other axes than that of the steps, are not supported")
    if call.plain.get("return_attention_scores"):
        raise ValueError("return_attention_scores is not supported")
    bias, masked = bool(c.get("use_bias", True)), "attention_mask" in call.named
    layer = L.MultiHeadAttention(
        heads, width=heads * width, causal=bool(call.plain.get("use_causal_mask")), dropout=float(c.get("dropout") or 0.0),
        bias=bias, masked=masked,
    )  # fmt: skip
    arrays: dict[str, Array] = {}
    for i, name in enumerate(("query", "key", "value", "output")):
        kernel = w[2 * i] if bias else w[i]
        arrays[f"{name}_weight"] = (
            kernel.reshape(-1, kernel.shape[-1]) if name == "output" else kernel.reshape(kernel.shape[0], -1)
        )
        if bias and name != "key":  # a bias of the key changes all scores of a query alike
            arrays[f"{name}_bias"] = w[2 * i + 1].reshape(-1)
    return [(_Attending(layer, arrays), {})]


class _Attending:
    """Attention, whose inputs are query, value and key there, and query, key and value here; a mask comes last."""

    def __init__(self, layer: Layer, arrays: dict[str, Array]) -> None:
        self.ways = [(layer, arrays)]

    def __call__(self, *xs: Tensor) -> Tensor:
        layer: Any = self.ways[0][0]
        parts, mask = (list(xs[:-1]), xs[-1:]) if layer.masked else (list(xs), ())
        if len(parts) == 3:
            parts = [parts[0], parts[2], parts[1]]
        made: Tensor = layer(*parts, *mask)
        return made


def _dot_attention(c: Config, w: list[Array]) -> Steps:
    if c.get("score_mode", "dot") != "dot":
        raise ValueError("only scores that are products are supported, score_mode='dot'")
    scale = float(w[0].reshape(())) if c.get("use_scale") else 1.0

    def attend(query: Tensor, value: Tensor, key: Tensor | None = None) -> Tensor:
        scores = L.MatMul(transpose_b=True)(query, value if key is None else key)
        made: Tensor = L.MatMul()(L.Softmax()(scores if scale == 1 else L.Rescale(scale)(scores)), value)
        return made

    return [(attend, {})]


def _masking(c: Config, w: list[Array]) -> Steps:
    value = float(c.get("mask_value", 0.0))

    def mask(x: Tensor) -> Tensor:
        """A step counts where not all of its features are the value."""
        counts = L.Compare("less", 1.0)(L.ReduceMean(-1)(L.Compare("equal", value)(x)))
        made: Tensor = L.Masking()(x, counts)
        return made

    return [(mask, {})]


def _repeat_vector(c: Config, w: list[Array]) -> Steps:
    count = int(c["n"])
    if not 1 <= count <= 4096:
        raise ValueError(f"{count} copies are not supported")

    def repeat(x: Tensor) -> Tensor:
        made: Tensor = L.UpSampling1D(count)(L.Reshape((1, -1))(x))  # copies of one step
        return made

    return [(repeat, {})]


def _with_number(kind: Callable[[], Layer], of_number: Callable[[float, bool], Layer]) -> Maker:
    """A layer that joins tensors, or an operator of a tensor and a number.

    Parameters  of_number : the layer for a number, and whether the number stands first
    """

    def make(c: Config, w: list[Array]) -> Steps:
        given = c["_call"].given
        numbers = [v for v in given if isinstance(v, (int, float)) and not isinstance(v, bool)]
        if len(given) == 2 and len(numbers) == 1:
            return [(of_number(float(numbers[0]), given[0] is numbers[0]), {})]
        return [(kind(), {})]

    return make


def _quotient(number: float, first: bool) -> Layer:
    if first:
        raise ValueError("a number divided by a tensor is not supported")
    return L.Rescale(1 / number)


def _each_step(c: Config, w: list[Array]) -> Steps:
    """A layer on every step. Dense, activations and Dropout work on every step anyway."""
    steps = _LAYERS[c["layer"]["class_name"]](c["layer"]["config"], w)
    if all(isinstance(layer, (L.Dense, L.Dropout, L.Activation, L.Softmax, L.Identity)) for layer, _ in steps):
        return steps
    if any(arrays for _, arrays in steps):
        raise ValueError("a layer with weights on every step is supported for Dense only")
    return [(L.TimeDistributed(layer), {}) for layer, _ in steps]


def _embedding(c: Config, w: list[Array]) -> Steps:
    padding = 0 if c.get("mask_zero") else None
    return [(L.Embedding(int(c["input_dim"]), int(c["output_dim"]), padding=padding), _weighted(w, "weight"))]


def _relu(c: Config, w: list[Array]) -> Steps:
    slope, top, low = (float(c.get(k) or 0) for k in ("negative_slope", "max_value", "threshold"))
    if low or (top and slope):
        raise ValueError("a threshold, or a ceiling with a slope, is not supported")
    return [(L.ReLU6() if top == 6 else L.Clip(0.0, top) if top else L.LeakyReLU(slope) if slope else L.ReLU(), {})]


def _prelu(c: Config, w: list[Array]) -> Steps:
    slope = w[0]
    if slope.size != slope.shape[-1]:
        raise ValueError(f"slopes of shape {slope.shape} are not supported; share them along all axes but the last")
    return [(L.PReLU(), {"slope": slope.reshape(-1)})]


def _softmax(c: Config, w: list[Array]) -> Steps:
    _last_axis(c)
    return [(L.Softmax(), {})]


def _sides(c: Config, name: str) -> Any:
    value = c[name]
    return tuple(tuple(int(i) for i in v) if isinstance(v, (list, tuple)) else int(v) for v in value) if isinstance(
        value, (list, tuple)) else int(value)  # fmt: skip


def _conv1d_of_channels(c: Config, w: list[Array], *, bias: bool) -> tuple[Layer, Array]:
    """A convolution of each channel of sequences: one group a channel, weights (k, 1, C · multiplier)."""
    weight = w[0].reshape(w[0].shape[0], 1, -1)
    layer = L.Conv1D(
        weight.shape[-1], _kernel(c), **_window(c), dilation=_one(c.get("dilation_rate", 1)), groups=w[0].shape[1], bias=bias
    )  # fmt: skip
    return layer, weight


def _depthwise1d(c: Config, w: list[Array]) -> Steps:
    layer, weight = _conv1d_of_channels(c, w, bias=_bias(c))
    return _activated(c, [(layer, {"weight": weight} | ({"bias": w[1]} if _bias(c) else {}))])


def _separable1d(c: Config, w: list[Array]) -> Steps:
    first, weight = _conv1d_of_channels(c, w, bias=False)
    second = L.Conv1D(int(c["filters"]), 1, bias=_bias(c))
    return _activated(c, [(first, {"weight": weight}), (second, _weighted(w[1:], *_names(c)))])


def _up3d(c: Config, w: list[Array]) -> Steps:
    return [(L.UpSampling3D(_one(c.get("size", 2))), {})]


def _padding1d(kind: Any, name: str) -> Maker:
    def make(c: Config, w: list[Array]) -> Steps:
        value = c[name]
        pair = tuple(int(v) for v in value) if isinstance(value, (list, tuple)) else (int(value),) * 2
        return [(kind((pair,)), {})]

    return make


def _up2d(c: Config, w: list[Array]) -> Steps:
    return [(L.UpSampling2D(_one(c.get("size", 2)), method=str(c.get("interpolation", "nearest"))), {})]


def _rescaling(c: Config, w: list[Array]) -> Steps:
    return [(L.Rescale(float(c["scale"]), float(c.get("offset", 0.0))), {})]


def _normalization(c: Config, w: list[Array]) -> Steps:
    mean, variance = (np.asarray(a, np.float32).reshape(-1) for a in (w[:2] if len(w) >= 2 else (c["mean"], c["variance"])))
    scale = 1 / np.maximum(np.sqrt(variance), 1e-7)
    return [(L.Scale(None if mean.size > 1 else (1,)), {"weight": scale, "bias": -mean * scale})]


def _concatenate(c: Config, w: list[Array]) -> Steps:
    return [(L.Concat(int(_either(c, "axis", "concat_axis", -1))), {})]


def _dot(c: Config, w: list[Array]) -> Steps:
    axes = c.get("axes", -1)
    first, second = axes if isinstance(axes, list) else (axes, axes)
    if c.get("normalize") or first not in (1, 2, -1) or second not in (1, 2, -1):
        raise ValueError(f"the product along the axes {axes} is not supported")
    return [(L.MatMul(transpose_a=first == 1, transpose_b=second in (2, -1)), {})]


def _plain(make: Callable[[Config], Layer]) -> Maker:
    return lambda c, w: [(make(c), {})]


_LAYERS: dict[str, Maker] = {
    "Dense": _dense,
    "Conv1D": _conv(L.Conv1D),
    "Conv2D": _conv(L.Conv2D),
    "Convolution2D": _conv(L.Conv2D),
    "Conv3D": _conv(L.Conv3D),
    "Conv1DTranspose": _transposed(L.ConvTranspose1D),
    "Conv2DTranspose": _transposed(L.ConvTranspose2D),
    "Conv3DTranspose": _transposed(L.ConvTranspose3D),
    "DepthwiseConv1D": _depthwise1d,
    "SeparableConv1D": _separable1d,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "MaxPooling1D": _pool(L.MaxPool1D),
    "MaxPooling2D": _pool(L.MaxPool2D),
    "MaxPooling3D": _pool(L.MaxPool3D),
    "AveragePooling1D": _pool(L.AveragePool1D),
    "AveragePooling2D": _pool(L.AveragePool2D),
    "AveragePooling3D": _pool(L.AveragePool3D),
    **{f"GlobalAveragePooling{i}D": _global(L.GlobalAveragePool) for i in (1, 2, 3)},
    **{f"GlobalMaxPooling{i}D": _global(L.GlobalMaxPool) for i in (1, 2, 3)},
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "RMSNormalization": _rms_norm,
    "MultiHeadAttention": _attention,
    "Attention": _dot_attention,
    "Masking": _masking,
    "RepeatVector": _repeat_vector,
    "LSTM": _lstm,
    "GRU": _gru,
    "SimpleRNN": _simple_rnn,
    "Bidirectional": _both_ways,
    "TimeDistributed": _each_step,
    "Embedding": _embedding,
    "Activation": lambda c, w: _activated(c, []) or [(L.Identity(), {})],
    "ReLU": _relu,
    "LeakyReLU": _plain(lambda c: L.LeakyReLU(float(np.ravel(_either(c, "negative_slope", "alpha", 0.3))[0]))),
    "PReLU": _prelu,
    "ELU": _plain(lambda c: L.ELU(float(c.get("alpha", 1.0)))),
    "Softmax": _softmax,
    "Dropout": _plain(lambda c: L.Dropout(float(_either(c, "rate", "p", 0.5)))),
    "SpatialDropout1D": _plain(lambda c: L.SpatialDropout(float(c["rate"]))),
    "SpatialDropout2D": _plain(lambda c: L.SpatialDropout(float(c["rate"]))),
    "SpatialDropout3D": _plain(lambda c: L.SpatialDropout(float(c["rate"]))),
    "AlphaDropout": _plain(lambda c: L.Identity()),
    "Identity": _plain(lambda c: L.Identity()),
    "GaussianNoise": _plain(lambda c: L.Identity()),
    "GaussianDropout": _plain(lambda c: L.Identity()),
    "ActivityRegularization": _plain(lambda c: L.Identity()),
    "Flatten": _plain(lambda c: L.Flatten()),
    "Reshape": _plain(lambda c: L.Reshape(tuple(int(s) for s in c["target_shape"]))),
    "Permute": _plain(lambda c: L.Permute(tuple(int(d) for d in c["dims"]))),
    "ZeroPadding1D": _padding1d(L.ZeroPadding1D, "padding"),
    "ZeroPadding2D": _plain(lambda c: L.ZeroPadding2D(_sides(c, "padding"))),
    "ZeroPadding3D": _plain(lambda c: L.ZeroPadding3D(_sides(c, "padding"))),
    "Cropping3D": _plain(lambda c: L.Cropping3D(_sides(c, "cropping"))),
    "Cropping1D": _padding1d(L.Cropping1D, "cropping"),
    "Cropping2D": _plain(lambda c: L.Cropping2D(_sides(c, "cropping"))),
    "UpSampling1D": _plain(lambda c: L.UpSampling1D(_one(c.get("size", 2)))),
    "UpSampling2D": _up2d,
    "UpSampling3D": _up3d,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    "Add": _with_number(L.Add, lambda n, first: L.Rescale(1.0, n)),
    "Subtract": _with_number(L.Subtract, lambda n, first: L.Rescale(-1.0, n) if first else L.Rescale(1.0, -n)),
    "Multiply": _with_number(L.Multiply, lambda n, first: L.Rescale(n)),
    "Divide": _with_number(L.Divide, _quotient),
    "TrueDivide": _with_number(L.Divide, _quotient),
    "Average": _plain(lambda c: L.Average()),
    "Maximum": _plain(lambda c: L.Maximum()),
    "Minimum": _plain(lambda c: L.Minimum()),
    "Concatenate": _concatenate,
    "Dot": _dot,
}
