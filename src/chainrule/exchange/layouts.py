"""How PyTorch and Keras keep the arrays of a layer: their names, and the order of their axes and gates.

A layout turns the tensors of a module there into the parameters of a layer here (``into``), and back (``out``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import layers as L
from ..errors import ModelFileError
from ..network import NetworkGraph
from ..network.graph import Call

__all__ = ["LAYOUTS", "Array", "Arrays", "KerasLayout", "Layout", "TorchLayout", "first_calls", "own_arrays"]

Array = NDArray[Any]
#: Arrays by their short names, such as "weight".
Arrays = dict[str, Array]
_RECURRENT = (L.LSTM, L.GRU, L.SimpleRNN)
_NORMS = (L.BatchNorm, L.LayerNorm, L.GroupNorm, L.InstanceNorm, L.RMSNorm)
_PROJECTIONS = ("query", "key", "value", "output")


def first_calls(network: NetworkGraph) -> list[Call]:
    """The first use of each layer that has parameters or states, in order."""
    calls = list({call.name: call for call in reversed(network.calls)}.values())[::-1]
    return [call for call in calls if own_arrays(network, call.name)]


def own_arrays(network: NetworkGraph, layer: str) -> Arrays:
    """The parameters and states of a layer by their short names."""
    both = [*network.parameters.items(), *network.states.items()]
    return {n.rpartition(".")[2]: a for n, a in both if n.rpartition(".")[0] == layer}


class Layout:
    """What all layouts have in common. Attributes  separator : between the module and the short name of a tensor"""

    separator = "."

    def into(self, network: NetworkGraph, call: Call, tensors: Mapping[str, Array]) -> Arrays:
        """The parameters of a layer from the tensors of a module. Raises  KeyError, ValueError where they do not fit"""
        raise NotImplementedError

    def out(self, network: NetworkGraph, call: Call) -> Arrays:
        """The tensors of a module from the parameters of a layer. Raises  ModelFileError where there is no such module"""
        raise NotImplementedError

    def positions(self, network: NetworkGraph) -> dict[str, str]:
        """The name of each layer's module where nobody gives names: that of its place in the network."""
        raise NotImplementedError


class TorchLayout(Layout):
    """PyTorch: kernels are (O, I, H, W), matrices (O, I), and images are flattened with channels first."""

    def positions(self, network: NetworkGraph) -> dict[str, str]:
        """As of nn.Sequential: the number of the layer among all layers."""
        return {name: str(i) for i, name in enumerate(network.layers)}

    def into(self, network: NetworkGraph, call: Call, tensors: Mapping[str, Array]) -> Arrays:
        layer = call.layer
        if isinstance(layer, _RECURRENT):
            return _recurrent_from_torch(layer, tensors)
        if isinstance(layer, L.MultiHeadAttention):
            return _attention_from_torch(own_arrays(network, call.name), tensors)
        found: Arrays = {}
        for short, array in tensors.items():
            if isinstance(layer, _NORMS):
                found[{"weight": "gamma", "bias": "beta"}.get(short, short)] = array
            elif isinstance(layer, L.PReLU):
                found["slope"] = array.reshape(-1)
            elif short == "weight" and array.ndim >= 3:
                found["weight"] = array.transpose(*range(2, array.ndim), 1, 0)
            elif short == "weight" and array.ndim == 2 and not isinstance(layer, L.Embedding):
                found["weight"] = _rows(network, call, array.T, out=False)
            else:
                found[short] = array
        return found

    def out(self, network: NetworkGraph, call: Call) -> Arrays:
        layer, own = call.layer, own_arrays(network, call.name)
        if isinstance(layer, _RECURRENT):
            return _recurrent_to_torch(layer, own)
        if isinstance(layer, L.MultiHeadAttention):
            return _attention_to_torch(own)
        found: Arrays = {}
        for short, array in own.items():
            if isinstance(layer, _NORMS):
                found[{"gamma": "weight", "beta": "bias"}.get(short, short)] = array
            elif isinstance(layer, L.PReLU):
                found["weight"] = array
            elif short == "weight" and array.ndim >= 3:
                found["weight"] = array.transpose(array.ndim - 1, array.ndim - 2, *range(array.ndim - 2))
            elif short == "weight" and array.ndim == 2 and not isinstance(layer, L.Embedding):
                found["weight"] = _rows(network, call, array, out=True).T
            else:
                found[short] = array
        if isinstance(layer, L.BatchNorm):
            found["num_batches_tracked"] = np.zeros((), np.int64)
        return found


class KerasLayout(Layout):
    """Keras: names such as "conv2d_1/kernel", and axes that lie as here but for those of depthwise kernels and gates."""

    separator = "/"

    def positions(self, network: NetworkGraph) -> dict[str, str]:
        """As Keras names layers: by their class, and from the second on with a number."""
        counts: dict[str, int] = {}
        found = {}
        for name, layer in network.layers.items():
            kind = _KERAS_KINDS.get(type(layer), re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(layer).__name__).lower())
            found[name] = f"{kind}_{counts[kind]}" if kind in counts else kind
            counts[kind] = counts.get(kind, 0) + 1
        return found

    def into(self, network: NetworkGraph, call: Call, tensors: Mapping[str, Array]) -> Arrays:
        layer = call.layer
        if isinstance(layer, L.MultiHeadAttention):
            return _attention_from_keras(own_arrays(network, call.name), tensors)
        if isinstance(layer, L.GRU):
            return _gru_from_keras(layer, tensors)
        names = _keras_names(layer)
        known = {theirs: ours for ours, theirs in names.items()}
        found = {known.get(short, short): array for short, array in tensors.items()}
        if isinstance(layer, L.DepthwiseConv2D) and "weight" in found:
            found["weight"] = found["weight"].reshape(*found["weight"].shape[:2], 1, -1)
        if isinstance(layer, L.PReLU):
            found["slope"] = found["slope"].reshape(-1)
        return found

    def out(self, network: NetworkGraph, call: Call) -> Arrays:
        layer, own = call.layer, own_arrays(network, call.name)
        if isinstance(layer, L.MultiHeadAttention):
            return _attention_to_keras(layer, own)
        if isinstance(layer, L.GRU):
            return _gru_to_keras(layer, own)
        if isinstance(layer, L.DepthwiseConv2D):
            weight = own["weight"]
            own["weight"] = weight.reshape(*weight.shape[:2], -1, int(layer.multiplier))
        if isinstance(layer, L.PReLU):
            shape = network.sample_shape(call.inputs[0]) or (0,)
            own["slope"] = own["slope"].reshape(*[1] * (len(shape) - 1), -1)
        if "peephole" in own or "projection_weight" in own:
            raise ModelFileError("Keras's LSTM has neither peepholes nor a projection.")
        names, cell = _keras_names(layer), _cell(layer)
        return {cell + names.get(short, short): array for short, array in own.items()}


LAYOUTS: dict[str, Layout] = {"torch": TorchLayout(), "keras": KerasLayout()}

# ---------------------------------------------------------------- PyTorch


def _rows(network: NetworkGraph, call: Call, weight: Array, *, out: bool) -> Array:
    """The rows of a matrix after a Flatten of images, which PyTorch flattens with channels first.

    Parameters  out : whether rows in our order are to be brought into PyTorch's
    """
    at = call.inputs[0]
    makers = {o: c for c in network.calls for o in c.outputs}
    while at in makers and (isinstance(makers[at].layer, (L.Activation, L.Dropout, L.Identity))):
        at = makers[at].inputs[0]
    maker = makers.get(at)
    if maker is None or not isinstance(maker.layer, (L.Flatten, L.Reshape)):
        return weight
    shape = network.sample_shape(maker.inputs[0])
    if shape is None or len(shape) < 2 or int(np.prod(shape)) != weight.shape[0]:
        return weight
    last = len(shape)
    if out:
        return weight.reshape(*shape, weight.shape[1]).transpose(last - 1, *range(last - 1), last).reshape(weight.shape)
    images = weight.reshape(shape[-1], *shape[:-1], weight.shape[1])
    return images.transpose(*range(1, last), 0, last).reshape(weight.shape)


def _recurrent_from_torch(layer: L.Layer, tensors: Mapping[str, Array]) -> Arrays:
    """Gates lie alike in both; PyTorch keeps one bias for the input and one for the state."""
    kinds = sorted({re.sub(r"^(weight|bias)_(ih|hh|hr)", "", n) for n in tensors})
    if len(kinds) != 1:
        raise ValueError(f"several layers or directions in one module: {', '.join(kinds)}")
    end = kinds[0]
    weight, recurrent = tensors[f"weight_ih{end}"].T, tensors[f"weight_hh{end}"].T
    own = tensors.get(f"bias_ih{end}", np.zeros(weight.shape[1], np.float32))
    state = tensors.get(f"bias_hh{end}", np.zeros(weight.shape[1], np.float32))
    found = {"weight": weight, "recurrent_weight": recurrent, "bias": own + state}
    if isinstance(layer, L.GRU) and layer.reset != "after":
        raise ValueError('PyTorch\'s GRU resets after the product: GRU(units, reset="after")')
    if f"weight_hr{end}" in tensors:
        found["projection_weight"] = tensors[f"weight_hr{end}"].T
    if not getattr(layer, "bias", True):
        if found.pop("bias").any():
            raise ValueError("the module has biases, and the layer was made with bias=False")
        return found
    if isinstance(layer, L.GRU):
        units = recurrent.shape[0]
        found["bias"] = np.concatenate([(own + state)[: 2 * units], own[2 * units :]])
        found["recurrent_bias"] = state[2 * units :]
    return found


def _recurrent_to_torch(layer: L.Layer, own: Arrays) -> Arrays:
    end = "_l0_reverse" if getattr(layer, "reverse", False) else "_l0"
    if "peephole" in own:
        raise ModelFileError("PyTorch's LSTM has no peepholes.")
    projected = {f"weight_hr{end}": own["projection_weight"].T} if "projection_weight" in own else {}
    products = {f"weight_ih{end}": own["weight"].T, f"weight_hh{end}": own["recurrent_weight"].T, **projected}
    if isinstance(layer, L.GRU) and layer.reset != "after":
        raise ModelFileError('PyTorch\'s GRU resets after the product, and this one before it (reset="before").')
    if "bias" not in own:
        return products
    bias = own["bias"]
    state = np.zeros_like(bias)
    if isinstance(layer, L.GRU):
        state[2 * len(own["recurrent_bias"]) :] = own["recurrent_bias"]
    return products | {f"bias_ih{end}": bias, f"bias_hh{end}": state}


def _attention_from_torch(own: Arrays, tensors: Mapping[str, Array]) -> Arrays:
    """nn.MultiheadAttention keeps the weights of query, key and value in one array; its bias of the key changes nothing."""
    if "in_proj_weight" in tensors:
        weights = np.split(tensors["in_proj_weight"], 3)
    else:
        weights = [tensors[f"{short}_proj_weight"] for short in "qkv"]
    found = {f"{name}_weight": a.T for name, a in zip(_PROJECTIONS, [*weights, tensors["out_proj.weight"]], strict=True)}
    if "in_proj_bias" in tensors:
        query, _, value = np.split(tensors["in_proj_bias"], 3)
        found |= {"query_bias": query, "value_bias": value, "output_bias": tensors["out_proj.bias"]}
    return {name: a for name, a in found.items() if name in own} if set(found) >= set(own) else found


def _attention_to_torch(own: Arrays) -> Arrays:
    query, key, value, output = (own[f"{name}_weight"].T for name in _PROJECTIONS)
    found: Arrays
    if query.shape == key.shape == value.shape:
        found = {"in_proj_weight": np.concatenate([query, key, value])}
    else:
        found = {"q_proj_weight": query, "k_proj_weight": key, "v_proj_weight": value}
    if "query_bias" in own:
        bias = [own["query_bias"], np.zeros_like(own["query_bias"]), own["value_bias"]]
        found |= {"in_proj_bias": np.concatenate(bias), "out_proj.bias": own["output_bias"]}
    return found | {"out_proj.weight": output}


# ---------------------------------------------------------------- Keras

#: What Keras calls classes that have another name here.
_KERAS_KINDS = {
    L.BatchNorm: "batch_normalization", L.LayerNorm: "layer_normalization", L.GroupNorm: "group_normalization",
    L.RMSNorm: "rms_normalization", L.Conv1D: "conv1d", L.Conv2D: "conv2d", L.Conv3D: "conv3d",
    L.ConvTranspose1D: "conv1d_transpose", L.ConvTranspose2D: "conv2d_transpose",
    L.ConvTranspose3D: "conv3d_transpose", L.DepthwiseConv2D: "depthwise_conv2d",
    L.MultiHeadAttention: "multi_head_attention", L.PReLU: "p_re_lu", L.LSTM: "lstm", L.GRU: "gru",
    L.SimpleRNN: "simple_rnn",
}  # fmt: skip


def _keras_names(layer: L.Layer) -> dict[str, str]:
    """The names in Keras of what a layer calls so."""
    if isinstance(layer, _NORMS):
        names = {"running_mean": "moving_mean", "running_var": "moving_variance"}
        return names | ({"gamma": "scale"} if isinstance(layer, L.RMSNorm) else {})
    if isinstance(layer, L.Embedding):
        return {"weight": "embeddings"}
    if isinstance(layer, L.PReLU):
        return {"slope": "alpha"}
    return {"weight": "kernel", "recurrent_weight": "recurrent_kernel"}


def _cell(layer: L.Layer) -> str:
    """The cell of a recurrent layer, which holds its variables."""
    return f"{_KERAS_KINDS[type(layer)]}_cell/" if isinstance(layer, _RECURRENT) else ""


def _swapped(a: Array) -> Array:
    """The gates of a GRU, r z n here and z r n in Keras, in the other order."""
    first, second, new = np.split(a, 3, axis=-1)
    return np.concatenate([second, first, new], axis=-1)


def _gru_from_keras(layer: L.GRU, tensors: Mapping[str, Array]) -> Arrays:
    found = {"weight": _swapped(tensors["kernel"]), "recurrent_weight": _swapped(tensors["recurrent_kernel"])}
    width = found["weight"].shape[1]
    after = layer.reset == "after"
    if not layer.bias:
        if "bias" in tensors and tensors["bias"].any():
            raise ValueError("the layer there has a bias, and the one here was made with bias=False")
        return found
    bias = tensors.get("bias", np.zeros((2, width) if after else width, np.float32))
    if (bias.ndim == 2) != after:
        raise ValueError('the bias is that of a GRU with reset="{}"'.format("before" if after else "after"))
    bias = _swapped(bias)
    if after:
        units = width // 3
        found["bias"] = np.concatenate([(bias[0] + bias[1])[: 2 * units], bias[0][2 * units :]])
        found["recurrent_bias"] = bias[1][2 * units :]
    else:
        found["bias"] = bias
    return found


def _gru_to_keras(layer: L.GRU, own: Arrays) -> Arrays:
    products = {"kernel": _swapped(own["weight"]), "recurrent_kernel": _swapped(own["recurrent_weight"])}
    if "bias" not in own:
        return {_cell(layer) + name: array for name, array in products.items()}
    bias = own["bias"]
    if layer.reset == "after":
        state = np.zeros_like(bias)
        state[2 * len(own["recurrent_bias"]) :] = own["recurrent_bias"]
        bias = np.stack([bias, state])
    found = products | {"bias": _swapped(bias)}
    return {_cell(layer) + name: array for name, array in found.items()}


def _attention_from_keras(own: Arrays, tensors: Mapping[str, Array]) -> Arrays:
    """Keras keeps the features of each head on an axis of their own; its bias of the key changes nothing."""
    found: Arrays = {}
    for name in _PROJECTIONS:
        theirs = "attention_output" if name == "output" else name
        kernel = tensors[f"{theirs}/kernel"]
        found[f"{name}_weight"] = (
            kernel.reshape(-1, kernel.shape[-1]) if name == "output" else kernel.reshape(len(kernel), -1)
        )
        if f"{name}_bias" in own:
            found[f"{name}_bias"] = tensors[f"{theirs}/bias"].reshape(-1)
    return found


def _attention_to_keras(layer: L.MultiHeadAttention, own: Arrays) -> Arrays:
    heads, found = int(layer.heads), Arrays()
    for name in _PROJECTIONS:
        theirs, weight = "attention_output" if name == "output" else name, own[f"{name}_weight"]
        shape = (heads, -1, weight.shape[1]) if name == "output" else (len(weight), heads, weight.shape[1] // heads)
        found[f"{theirs}/kernel"] = weight.reshape(shape)
        if "query_bias" in own:
            bias = own.get(f"{name}_bias", np.zeros(weight.shape[1], np.float32))
            found[f"{theirs}/bias"] = bias if name == "output" else bias.reshape(heads, -1)
    return found
