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
        group = self.root[name]
        names = [n.decode() if isinstance(n, bytes) else str(n) for n in group.attrs.get("weight_names", [])]
        return [_numbers(self.place, group[n], self.root) for n in names]


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


def _datasets(group: Any) -> Iterator[Any]:
    """All arrays below a group: variables in the order of their numbers, parts of a layer in the order of its class."""
    if "vars" in group:
        yield from (group["vars"][k] for k in sorted(group["vars"], key=int))
    for name in ("cell", "forward_layer", "backward_layer", "layer"):
        if name in group:
            yield from _datasets(group[name])


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


class _Reader:
    """Makes a network of a configuration and its weights."""

    def __init__(self, place: Path, config: Config, weights: _H5Weights | _KerasWeights) -> None:
        self.place, self.config, self.weights = place, config, weights
        self.put: list[tuple[Layer, dict[str, Array]]] = []

    def network(self, kind: type[N], random_state: Any) -> N:
        model = self.config["class_name"]
        if model not in ("Sequential", "Functional", "Model"):
            raise ModelFileError(f"{self.place}: the model is a class of its own, {model!r}, whose code is not in the file.")
        configs = _layer_configs(self.config)
        unknown = sorted({c["class_name"] for c in configs} - set(_LAYERS) - {"InputLayer"})
        if unknown:
            raise ModelFileError(f"{self.place}: these layers have no counterpart in chainrule: {', '.join(unknown)}.")
        inputs, outputs = self._sequential(configs) if model == "Sequential" else self._functional(configs)
        try:
            network = kind(inputs=inputs, outputs=outputs, random_state=random_state)
            network.build()
            names = {id(layer): name for name, layer in network.layers.items()}
            for layer, arrays in self.put:
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

    def _sequential(self, configs: list[Config]) -> tuple[list[Tensor], list[Tensor]]:
        first = configs[0]["config"]
        shape = first.get("batch_input_shape") or first.get("batch_shape") or self.config["config"].get("build_input_shape")
        if shape is None:
            raise ModelFileError(
                f"{self.place}: the size of the input is not in the file. Save the model after it was built."
            )
        embedding = next((c["class_name"] for c in configs if c["class_name"] != "InputLayer"), "") == "Embedding"
        x = start = L.Input(_sample(shape), dtype="int" if embedding else "float")
        for config in configs:
            if config["class_name"] != "InputLayer":
                x = self._apply(config, [x])
        return [start], [x]

    def _functional(self, configs: list[Config]) -> tuple[list[Tensor], list[Tensor]]:
        inner = self.config["config"]
        known: dict[str, Tensor] = {}
        waiting = list(configs)
        embedded = {
            name for c in configs if c["class_name"] == "Embedding" for call in _calls(c) for name in call
        }  # fmt: skip
        while waiting:
            ready = [c for c in waiting if all(n in known for call in _calls(c)[:1] for n in call)]
            if not ready:
                raise ModelFileError(
                    f"{self.place}: the layer {waiting[0]['config']['name']!r} depends on itself or on nothing."
                )
            for config in ready:
                waiting.remove(config)
                name, calls = config["config"]["name"], _calls(config)
                if config["class_name"] == "InputLayer":
                    own = config["config"]
                    shape = own.get("batch_input_shape") or own.get("batch_shape")
                    known[name] = L.Input(_sample(shape), dtype="int" if name in embedded else "float")
                    continue
                if len(calls) > 1:
                    raise ModelFileError(f"{self.place}: the layer {name!r} is used more than once, which is not supported.")
                known[name] = self._apply(config, [known[n] for n in calls[0]])
        ends = [_ends(inner[key]) for key in ("input_layers", "output_layers")]
        return [known[n] for n in ends[0]], [known[n] for n in ends[1]]

    def _apply(self, config: Config, xs: list[Tensor]) -> Tensor:
        """One layer of Keras, which may be several of ours."""
        own = config["config"]
        name = re.sub(r"[^A-Za-z0-9_./-]+", "_", str(own.get("name", ""))).strip("./_")
        if str(own.get("data_format") or "channels_last") != "channels_last":
            raise ModelFileError(f"{self.place}: the layer {name!r} keeps channels first, which is not supported.")
        try:
            steps = _LAYERS[config["class_name"]](own, self.weights.of(own.get("name", "")))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ModelFileError(
                f"{self.place}: the layer {name!r} has weights or arguments that do not fit ({error})."
            ) from error
        x: Any = xs
        for i, (layer, arrays) in enumerate(steps):
            if isinstance(layer, Layer) and arrays and name:
                layer.named(name if not i else f"{name}_{i + 1}")
            x = layer(*x) if isinstance(x, list) else layer(x)
            if isinstance(layer, _TwoWays):
                self.put += layer.ways
            elif arrays:
                self.put.append((layer, arrays))
        made: Tensor = x[0] if isinstance(x, list) else x
        return made


def _calls(config: Config) -> list[list[str]]:
    """The names of the layers whose outputs each use of a layer takes."""
    found = []
    for node in config.get("inbound_nodes", []):
        if isinstance(node, dict):  # Keras 3
            found.append([t["config"]["keras_history"][0] for t in _history(node.get("args", []))])
        else:
            found.append([entry[0] for entry in node])
    return found or [[]]


def _history(value: Any) -> Iterator[Config]:
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        yield value
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _history(one)


def _ends(value: Any) -> list[str]:
    """Names of the layers of the inputs or outputs: [name, node, tensor], or a list of these."""
    if value and isinstance(value[0], str):
        return [value[0]]
    return [one[0] for one in value]


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


def _batch_norm(c: Config, w: list[Array]) -> Steps:
    _last_axis(c)
    names = [n for n, key in (("gamma", "scale"), ("beta", "center")) if c.get(key, True)]
    arrays = _weighted(w, *names, "running_mean", "running_var")
    like = arrays["running_mean"]
    full = {"gamma": np.ones_like(like), "beta": np.zeros_like(like)} | arrays
    momentum = min(max(float(c.get("momentum", 0.99)), 0.0), 0.9999)
    return [(L.BatchNorm(momentum=momentum, epsilon=float(c.get("epsilon", 1e-3))), full)]


def _layer_norm(c: Config, w: list[Array]) -> Steps:
    _last_axis(c)
    arrays = _weighted(w, *[n for n, key in (("gamma", "scale"), ("beta", "center")) if c.get(key, True)])
    if arrays:
        like = next(iter(arrays.values()))
        arrays = {"gamma": np.ones_like(like), "beta": np.zeros_like(like)} | arrays
    return [(L.LayerNorm(epsilon=float(c.get("epsilon", 1e-3)), affine=bool(arrays)), arrays)]


def _recurrent_options(c: Config) -> dict[str, Any]:
    if c.get("return_state") or c.get("stateful"):
        raise ValueError("return_state and stateful are not supported")
    return {"return_sequences": bool(c.get("return_sequences")), "reverse": bool(c.get("go_backwards"))}


def _plain_recurrent(c: Config, inner: str) -> None:
    if (c.get("recurrent_activation") or inner) not in (inner, "sigmoid") or (c.get("activation") or "tanh") != "tanh":
        raise ValueError("other activations inside than sigmoid and tanh are not supported")


def _lstm(c: Config, w: list[Array]) -> Steps:
    _plain_recurrent(c, "sigmoid")
    arrays = _weighted(w, "weight", "recurrent_weight", *(["bias"] if _bias(c) else []))
    arrays.setdefault("bias", np.zeros(arrays["weight"].shape[1], np.float32))
    return [(L.LSTM(int(c["units"]), **_recurrent_options(c)), arrays)]


def _gru(c: Config, w: list[Array]) -> Steps:
    _plain_recurrent(c, "sigmoid")
    units, after = int(c["units"]), bool(c.get("reset_after", len(w) > 2 and w[2].ndim == 2))

    def ours(a: Array) -> Array:  # z r h of Keras is r z n here
        z, r, h = np.split(a, 3, axis=-1)
        return np.concatenate([r, z, h], axis=-1)

    arrays = {"weight": ours(w[0]), "recurrent_weight": ours(w[1])}
    bias = ours(w[2]) if _bias(c) else np.zeros((2, 3 * units) if after else 3 * units, np.float32)
    if after:
        arrays["bias"] = np.concatenate([(bias[0] + bias[1])[: 2 * units], bias[0][2 * units :]])
        arrays["recurrent_bias"] = bias[1][2 * units :]
    else:
        arrays["bias"] = bias
    return [(L.GRU(units, reset="after" if after else "before", **_recurrent_options(c)), arrays)]


def _simple_rnn(c: Config, w: list[Array]) -> Steps:
    arrays = _weighted(w, "weight", "recurrent_weight", *(["bias"] if _bias(c) else []))
    arrays.setdefault("bias", np.zeros(arrays["weight"].shape[1], np.float32))
    kind = str(c.get("activation") or "tanh")
    if kind not in ("tanh", "relu"):
        raise ValueError(f"the activation {kind!r} inside is not supported")
    return [(L.SimpleRNN(int(c["units"]), activation=kind, **_recurrent_options(c)), arrays)]


def _both_ways(c: Config, w: list[Array]) -> Steps:
    if str(c.get("merge_mode", "concat")) != "concat":
        raise ValueError("only outputs side by side are supported, merge_mode='concat'")
    inner = c["layer"]
    half = len(w) // 2
    (forward, first), (_, second) = (_LAYERS[inner["class_name"]](inner["config"], part)[0] for part in (w[:half], w[half:]))
    return [(_TwoWays(forward, first, second), {})]


class _TwoWays:
    """A recurrent layer in both directions, side by side, and the arrays of each."""

    def __init__(self, layer: Layer, first: dict[str, Array], second: dict[str, Array]) -> None:
        config = layer.config()
        self.ways = [(layer, first), (type(layer)(**config | {"reverse": not config["reverse"]}), second)]

    def __call__(self, x: Tensor) -> Tensor:
        made: Tensor = L.Concat()(*(way(x) for way, _ in self.ways))
        return made


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
    "GaussianNoise": _plain(lambda c: L.Identity()),
    "GaussianDropout": _plain(lambda c: L.Identity()),
    "ActivityRegularization": _plain(lambda c: L.Identity()),
    "Flatten": _plain(lambda c: L.Flatten()),
    "Reshape": _plain(lambda c: L.Reshape(tuple(int(s) for s in c["target_shape"]))),
    "Permute": _plain(lambda c: L.Permute(tuple(int(d) for d in c["dims"]))),
    "ZeroPadding1D": _padding1d(L.ZeroPadding1D, "padding"),
    "ZeroPadding2D": _plain(lambda c: L.ZeroPadding2D(_sides(c, "padding"))),
    "Cropping1D": _padding1d(L.Cropping1D, "cropping"),
    "Cropping2D": _plain(lambda c: L.Cropping2D(_sides(c, "cropping"))),
    "UpSampling1D": _plain(lambda c: L.UpSampling1D(_one(c.get("size", 2)))),
    "UpSampling2D": _up2d,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    "Add": _plain(lambda c: L.Add()),
    "Subtract": _plain(lambda c: L.Subtract()),
    "Multiply": _plain(lambda c: L.Multiply()),
    "Average": _plain(lambda c: L.Average()),
    "Maximum": _plain(lambda c: L.Maximum()),
    "Minimum": _plain(lambda c: L.Minimum()),
    "Concatenate": _concatenate,
    "Dot": _dot,
}
