"""Putting weights of PyTorch into a network: which tensor belongs to which layer, and in which order its axes are."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import layers as L
from ..errors import ModelFileError, ParameterError, ShapeError, did_you_mean
from ..network import NetworkGraph
from ..network.graph import Call
from .torch_file import Array, load_torch

__all__ = ["Match", "load_weights"]

#: Tensors of PyTorch that are no weights.
_IGNORED = ("num_batches_tracked", "position_ids")
Tensors = dict[str, Array]
Made = dict[str, Array]
Modules = dict[str, Tensors]
Names = Mapping[str, str] | Callable[[str], str]


@dataclass(frozen=True)
class Match:
    """Which tensors went into a layer. Attributes  layer ; module : the name in front of the tensors in the file ;
    tensors
    """

    layer: str
    module: str
    tensors: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.layer} ← {self.module or '(no name)'}: {', '.join(self.tensors)}"


def load_weights(
    network: NetworkGraph,
    source: str | os.PathLike[str] | Mapping[str, NDArray[np.float32]],
    *,
    names: Names | None = None,
    partly: bool = False,
) -> list[Match]:
    """Copies the weights of a PyTorch file into the layers of a network that was built, and says what went where.

    Kernels are turned from (O, I, H, W) to (H, W, I, O), matrices from (O, I) to (I, O), the rows after a Flatten of images
    from channels first to channels last, and the two biases of recurrent layers are joined.

    Parameters
        network : built ; source : a .safetensors, .pt or .pth file, or tensors by name
        names : {layer here: module in the file}, or a function from the one to the other. None finds them: by equal names,
            else by the order and the shapes of both, where these leave no doubt
        partly : whether layers that the file has nothing for keep their weights
    Returns     one Match for each layer
    Raises      ModelFileError when the file is damaged, or leaves a doubt about what belongs where, with both lists ;
                ShapeError when a tensor does not fit ; ParameterError when names names what is not there
    """
    network.require_built("load_weights")
    ordered = not (isinstance(source, (str, os.PathLike)) and str(source).endswith(".safetensors"))
    tensors = load_torch(source) if isinstance(source, (str, os.PathLike)) else {n: np.asarray(a) for n, a in source.items()}
    modules = _modules(tensors)
    wanted = [call for call in _first_calls(network) if _own(network, call.name)]
    chosen = _by_names(wanted, modules, names, partly) if names is not None else None
    if chosen is None:
        chosen = _found(network, wanted, modules, ordered, partly)
    found, arrays = [], dict[str, Array]()
    for call in wanted:
        if call.name not in chosen:
            continue
        module = chosen[call.name]
        made = _converted(network, call, modules[module])
        if isinstance(made, str):
            raise ShapeError(f"load_weights: the layer {call.name!r} and the module {module!r} do not fit: {made}")
        arrays |= {f"{call.name}.{short}": array for short, array in made.items()}
        found.append(Match(call.name, module, tuple(modules[module])))
    for full, array in arrays.items():
        if not np.isfinite(array).all():
            raise ModelFileError(f"load_weights: the weight for {full!r} holds NaN or infinity.")
    network.parameters.assign({n: a for n, a in arrays.items() if n in network.parameters})
    network.states.assign({n: a for n, a in arrays.items() if n in network.states})
    return found


def _first_calls(network: NetworkGraph) -> list[Call]:
    """The first use of each layer."""
    return list({call.name: call for call in reversed(network.calls)}.values())[::-1]


def _own(network: NetworkGraph, layer: str) -> dict[str, Array]:
    """The parameters and states of a layer by their short names."""
    both = [*network.parameters.items(), *network.states.items()]
    return {n.rpartition(".")[2]: a for n, a in both if n.rpartition(".")[0] == layer}


def _modules(tensors: Tensors) -> dict[str, Tensors]:
    """The tensors of each module by their short names, in the order of the file."""
    found: dict[str, Tensors] = {}
    for name, array in tensors.items():
        module, _, short = name.rpartition(".")
        if short not in _IGNORED and array.dtype.kind == "f":
            found.setdefault(module, {})[short] = array.astype(np.float32)
    return found


# ---------------------------------------------------------------- which belongs to which


def _by_names(wanted: Sequence[Call], modules: Modules, names: Names, partly: bool) -> dict[str, str]:
    layers = [call.name for call in wanted]
    if callable(names):
        chosen = {layer: names(layer) for layer in layers}
    else:
        if unknown := [n for n in names if n not in layers]:
            raise ParameterError(
                f"load_weights: names has {unknown[0]!r}, and there is no such layer with weights."
                f"{did_you_mean(unknown[0], layers)} There are: {', '.join(layers)}."
            )
        chosen = dict(names)
    missing = {layer: module for layer, module in chosen.items() if module not in modules}
    if missing and not partly:
        layer, module = next(iter(missing.items()))
        raise ParameterError(
            f"load_weights: for the layer {layer!r} names has the module {module!r}, which is not in the file."
            f"{did_you_mean(module, modules)} There are: {', '.join(map(repr, list(modules)[:20]))}."
        )
    chosen = {layer: module for layer, module in chosen.items() if layer not in missing}
    if (left := [layer for layer in layers if layer not in chosen]) and not partly:
        raise ParameterError(f"load_weights: names has nothing for {', '.join(left[:8])}. Give them, or partly=True.")
    return chosen


def _found(network: NetworkGraph, wanted: Sequence[Call], modules: Modules, ordered: bool, partly: bool) -> dict[str, str]:
    """The module of each layer: of the same name, else the only assignment in order whose shapes all fit."""
    layers = [call.name for call in wanted]
    plain = {_plain(m): m for m in modules}
    if all(_plain(layer) in plain for layer in layers):
        return {layer: plain[_plain(layer)] for layer in layers}
    fits = {
        call.name: [m for m, tensors in modules.items() if not isinstance(_converted(network, call, tensors), str)]
        for call in wanted
    }
    if ordered and len(modules) == len(layers) and all(m in fits[layer] for layer, m in zip(layers, modules, strict=True)):
        return dict(zip(layers, modules, strict=True))
    unique = {layer: own[0] for layer, own in fits.items() if len(own) == 1}
    if len(set(unique.values())) == len(layers):
        return unique
    if partly and unique and len(set(unique.values())) == len(unique):
        return unique
    rows = []
    for call in wanted:
        shapes = ", ".join(f"{n} {a.shape}" for n, a in _own(network, call.name).items())
        rows.append(f"  {call.name} ({shapes}): {', '.join(fits[call.name][:4]) or 'nothing fits'}")
    theirs = "\n".join(
        f"  {m} ({', '.join(f'{n} {a.shape}' for n, a in own.items())})" for m, own in list(modules.items())[:60]
    )
    raise ModelFileError(
        "load_weights: it is in doubt which weights belong to which layer. Say it: names={layer: module}. The "
        "layers, and the "
        "modules whose shapes fit:\n" + "\n".join(rows[:60]) + f"\nThe {len(modules)} modules of the file:\n{theirs}"
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", ".", name.lower()).strip(".")


# ---------------------------------------------------------------- how the axes lie


def _converted(network: NetworkGraph, call: Call, tensors: Tensors) -> Made | str:
    """The tensors of a module as the parameters of a layer; or why they do not fit."""
    layer, own = call.layer, _own(network, call.name)
    try:
        made = _turned(network, call, tensors)
    except (KeyError, ValueError, IndexError) as error:
        return f"a {type(layer).__name__} does not have the tensors {', '.join(tensors)} ({error})."
    if set(made) - set(own) or (set(own) - set(made)):
        return f"a {type(layer).__name__} has {', '.join(own)}, and the module {', '.join(tensors)}."
    for short, array in made.items():
        if array.shape != own[short].shape:
            return f"{short} has the shape {own[short].shape}, and the tensor gives {array.shape}."
    return made


def _turned(network: NetworkGraph, call: Call, tensors: Tensors) -> Made:
    layer = call.layer
    if isinstance(layer, (L.LSTM, L.GRU, L.SimpleRNN)):
        return _recurrent(layer, tensors)
    found: Made = {}
    for short, array in tensors.items():
        if isinstance(layer, L.BatchNorm) or type(layer).__name__.endswith("Norm"):
            found[{"weight": "gamma", "bias": "beta"}.get(short, short)] = array
        elif isinstance(layer, L.PReLU):
            found["slope"] = array.reshape(-1)
        elif short == "weight" and array.ndim >= 3:
            found["weight"] = array.transpose(*range(2, array.ndim), 1, 0)
        elif short == "weight" and array.ndim == 2 and not isinstance(layer, L.Embedding):
            found["weight"] = _rows(network, call, array.T)
        else:
            found[short] = array
    return found


def _rows(network: NetworkGraph, call: Call, weight: Array) -> Array:
    """The rows of a matrix after a Flatten of images, which PyTorch flattens with channels first."""
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
    images = weight.reshape(shape[-1], *shape[:-1], weight.shape[1])
    return images.transpose(*range(1, len(shape)), 0, len(shape)).reshape(weight.shape)


def _recurrent(layer: L.Layer, tensors: Tensors) -> Made:
    """Gates lie alike in both; PyTorch keeps one bias for the input and one for the state."""
    kinds = sorted({re.sub(r"^(weight|bias)_(ih|hh)", "", n) for n in tensors})
    if len(kinds) != 1:
        raise ValueError(f"several layers or directions in one module: {', '.join(kinds)}")
    end = kinds[0]
    weight, recurrent = tensors[f"weight_ih{end}"].T, tensors[f"weight_hh{end}"].T
    own = tensors.get(f"bias_ih{end}", np.zeros(weight.shape[1], np.float32))
    state = tensors.get(f"bias_hh{end}", np.zeros(weight.shape[1], np.float32))
    found = {"weight": weight, "recurrent_weight": recurrent, "bias": own + state}
    if isinstance(layer, L.GRU):
        units = recurrent.shape[0]
        if layer.reset != "after":
            raise ValueError('PyTorch\'s GRU resets after the product: GRU(units, reset="after")')
        found["bias"] = np.concatenate([(own + state)[: 2 * units], own[2 * units :]])
        found["recurrent_bias"] = state[2 * units :]
    return found
