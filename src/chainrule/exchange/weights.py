"""Weights of PyTorch and Keras into a network and out of it: which tensor belongs to which layer."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError, ParameterError, ShapeError, did_you_mean
from ..files import write_whole
from ..network import NetworkGraph
from ..network.graph import Call
from .layouts import LAYOUTS, Array, Arrays, Layout, first_calls, own_arrays
from .torch_file import load_torch
from .torch_names import BERT_TOKENS, bert_tensors, from_bert, is_bert, torch_names

__all__ = ["Match", "load_weights", "save_weights"]

#: Tensors of PyTorch that are no weights.
_IGNORED = ("num_batches_tracked", "position_ids")
Modules = dict[str, Arrays]
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
    """Copies the weights of a file of PyTorch or Keras into the layers of a built network, and says what went where.

    Of PyTorch, kernels are turned from (O, I, H, W) to (H, W, I, O), matrices from (O, I) to (I, O), the rows after a
    Flatten of images from channels first to channels last, and the two biases of recurrent layers are joined. Names with
    slashes, such as "conv2d/kernel", are those of Keras, whose depthwise kernels and gates of GRUs lie in another order.

    Parameters
        network : built ; source : a .safetensors, .pt or .pth file, or tensors by name
        names : {layer here: module in the file}, or a function from the one to the other. None finds them: by equal names,
            by the names that ``save_weights`` gives, else by the order and the shapes of both, where these leave no doubt
        partly : whether layers that the file has nothing for keep their weights
    Returns     one Match for each layer
    Raises      ModelFileError when the file is damaged, or leaves a doubt about what belongs where, with both lists ;
                ShapeError when a tensor does not fit ; ParameterError when names names what is not there
    """
    network.require_built("load_weights")
    ordered = not (isinstance(source, (str, os.PathLike)) and str(source).endswith(".safetensors"))
    tensors = load_torch(source) if isinstance(source, (str, os.PathLike)) else {n: np.asarray(a) for n, a in source.items()}
    if names is None and is_bert(network) and any(name.endswith(BERT_TOKENS) for name in tensors):
        return _put(network, *_of_bert(network, tensors, partly))
    layout = LAYOUTS["keras" if any("/" in name for name in tensors) else "torch"]
    modules = _modules(tensors, layout.separator)
    wanted = first_calls(network)
    chosen = _by_names(wanted, modules, names, partly) if names is not None else None
    if chosen is None:
        chosen = _found(network, wanted, modules, layout, ordered, partly)
    found, arrays = [], Arrays()
    for call in wanted:
        if call.name not in chosen:
            continue
        module = chosen[call.name]
        made = _converted(network, call, modules[module], layout)
        if isinstance(made, str):
            raise ShapeError(f"load_weights: the layer {call.name!r} and the module {module!r} do not fit: {made}")
        arrays |= {f"{call.name}.{short}": array for short, array in made.items()}
        found.append(Match(call.name, module, tuple(modules[module])))
    return _put(network, arrays, found)


def save_weights(
    network: NetworkGraph, path: str | os.PathLike[str], *, layout: str = "torch", names: Names | None = None
) -> list[Match]:
    """Writes the weights as PyTorch or Keras has them, as a .safetensors file, and says what went where.

    ``load_weights`` reads the file again; in PyTorch ``module.load_state_dict(safetensors.torch.load_file(path))`` does, and
    in Keras the arrays have the paths of the variables.

    Parameters
        network : built ; path : of the file, which ends with .safetensors
        layout : "torch" or "keras", for the names and the order of axes
        names : {layer here: module there}, or a function from the one to the other; two directions of a recurrent layer
            may have one module. None takes in PyTorch the names of known networks (torchvision's of SqueezeNet and residual
            networks, Hugging Face's of MiniLM, those of its package of EfficientNet-Lite0), else the numbers of the layers
            as in nn.Sequential; and in Keras the names that it gives to layers, such as "conv2d_1"
    Returns     one Match for each layer
    Raises      NotFittedError before the network is built ; ParameterError for another layout, or names that are not there
                or twice ; ModelFileError for a layer that is different there, or when the file cannot be written
    """
    from safetensors.numpy import save as to_bytes

    network.require_built("save_weights")
    if layout not in LAYOUTS:
        raise ParameterError(
            f'save_weights: layout must be "torch" or "keras". Got {layout!r}.{did_you_mean(layout, LAYOUTS)}'
        )
    if not os.fspath(path).endswith(".safetensors"):
        raise ParameterError(f"save_weights: the file must end with .safetensors. Got {os.fspath(path)!r}.")
    kind, wanted = LAYOUTS[layout], first_calls(network)
    tensors: dict[str, Array]
    if names is None and layout == "torch" and is_bert(network):
        tensors = bert_tensors(network)
        found = _of_bert(network, tensors, False)[1]
    else:
        chosen = _modules_to_write(network, [call.name for call in wanted], kind, names)
        tensors, found = {}, []
        for call in wanted:
            try:
                made = kind.out(network, call)
            except ModelFileError as error:
                raise ModelFileError(f"save_weights: the layer {call.name!r}: {error}") from None
            module = chosen[call.name]
            full = {f"{module}{kind.separator}{short}": array for short, array in made.items()}
            if twice := next((name for name in full if name in tensors), None):
                raise ParameterError(
                    f"save_weights: names gives two layers the same module: {twice!r} would be there twice."
                )
            tensors |= full
            found.append(Match(call.name, module, tuple(made)))
    content = to_bytes(
        {name: np.ascontiguousarray(array) for name, array in tensors.items()},
        {"format": "pt"} if layout == "torch" else None,
    )
    write_whole(path, content, what="save_weights", error=ModelFileError)
    return found


def _modules_to_write(network: NetworkGraph, layers: Sequence[str], layout: Layout, names: Names | None) -> dict[str, str]:
    if names is None:
        known = torch_names(network) if layout is LAYOUTS["torch"] else None
        return layout.positions(network) if known is None else known
    if callable(names):
        return {layer: names(layer) for layer in layers}
    if unknown := [name for name in names if name not in layers]:
        raise _no_such_layer("save_weights", unknown[0], layers)
    if missing := [layer for layer in layers if layer not in names]:
        raise ParameterError(f"save_weights: names has nothing for {', '.join(missing[:8])}.")
    return dict(names)


def _no_such_layer(what: str, name: str, layers: Sequence[str]) -> ParameterError:
    return ParameterError(
        f"{what}: names has {name!r}, and there is no such layer with weights.{did_you_mean(name, layers)} There are: "
        f"{', '.join(layers)}."
    )


def _put(network: NetworkGraph, arrays: Arrays, found: list[Match]) -> list[Match]:
    for full, array in arrays.items():
        if not np.isfinite(array).all():
            raise ModelFileError(f"load_weights: the weight for {full!r} holds NaN or infinity.")
    network.parameters.assign({n: a for n, a in arrays.items() if n in network.parameters})
    network.states.assign({n: a for n, a in arrays.items() if n in network.states})
    return found


def _of_bert(network: NetworkGraph, tensors: Mapping[str, Array], partly: bool) -> tuple[Arrays, list[Match]]:
    """The parameters of an encoder of BERT's kind, and of its last layer where the file has one."""
    depth = sum(name.endswith(".widen.weight") for name in network.parameters)
    try:
        arrays = from_bert(dict(tensors), depth)
    except KeyError as error:
        raise ModelFileError(
            f"load_weights: the file lacks the tensor {error.args[0]!r}, which a network of BERT's kind has."
        ) from None
    for name, array in arrays.items():
        if name not in network.parameters or array.shape != network.parameters[name].shape:
            raise ShapeError(
                f"load_weights: the tensor for {name!r} has the shape {array.shape}, which does not fit the network."
            )
    if missing := sorted({n for n in network.parameters if n not in arrays}):
        head = {"weight": "classifier.weight", "bias": "classifier.bias"}
        for name in missing:
            tensor = tensors.get(head.get(name.rpartition(".")[2], ""))
            own = network.parameters[name].shape
            if tensor is not None and tensor.T.shape == own:
                arrays[name] = tensor.T
            elif not partly:
                raise ModelFileError(
                    f"load_weights: the file has nothing for {name!r}. partly=True keeps the weights of such layers."
                )
    layers = dict.fromkeys(name.rpartition(".")[0] for name in arrays)
    shorts = {layer: tuple(n.rpartition(".")[2] for n in arrays if n.rpartition(".")[0] == layer) for layer in layers}
    return arrays, [Match(layer, "BertModel", shorts[layer]) for layer in layers]


def _modules(tensors: Mapping[str, Array], separator: str) -> Modules:
    """The tensors of each module by their short names, in the order of the file."""
    found: Modules = {}
    for name, array in tensors.items():
        module, _, short = name.rpartition(separator)
        if short in _IGNORED or array.dtype.kind != "f":
            continue
        if separator == "/":
            # Cells of recurrent layers and the projections of attention are parts of a layer.
            outer, _, part = module.rpartition("/")
            if part.endswith("_cell"):
                module = outer
            elif part in _PROJECTIONS and all(f"{outer}/{p}/kernel" in tensors for p in _PROJECTIONS):
                module, short = outer, f"{part}/{short}"
        elif module.endswith("out_proj") and any(f"{module[:-8]}{n}" in tensors for n in _ATTENTION):
            module, short = module[:-9], f"out_proj.{short}"
        found.setdefault(module, {})[short] = array.astype(np.float32)
    return {name: own for module, both in found.items() for name, own in _directions(module, both)}


_PROJECTIONS = ("query", "key", "value", "attention_output")
_ATTENTION = ("in_proj_weight", "q_proj_weight")


def _directions(module: str, tensors: Arrays) -> list[tuple[str, Arrays]]:
    """A recurrent module of PyTorch that has several layers or directions as one module for each."""
    ends: dict[str, Arrays] = {}
    for short, array in tensors.items():
        match = re.fullmatch(r"(?:weight|bias)_(?:ih|hh|hr)(_l\d+(?:_reverse)?)", short)
        if match is None:
            return [(module, tensors)]
        ends.setdefault(match.group(1), {})[short] = array
    return [(module, tensors)] if len(ends) < 2 else [(module + end, own) for end, own in ends.items()]


# ---------------------------------------------------------------- which belongs to which


def _by_names(wanted: Sequence[Call], modules: Modules, names: Names, partly: bool) -> dict[str, str]:
    layers = [call.name for call in wanted]
    if callable(names):
        chosen = {layer: names(layer) for layer in layers}
    else:
        if unknown := [n for n in names if n not in layers]:
            raise _no_such_layer("load_weights", unknown[0], layers)
        chosen = dict(names)
    for call in wanted:
        # The two directions of a recurrent layer are one module there.
        end = "_l0_reverse" if getattr(call.layer, "reverse", False) else "_l0"
        if chosen.get(call.name) not in modules and f"{chosen.get(call.name)}{end}" in modules:
            chosen[call.name] = f"{chosen[call.name]}{end}"
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


def _found(
    network: NetworkGraph, wanted: Sequence[Call], modules: Modules, layout: Layout, ordered: bool, partly: bool
) -> dict[str, str]:
    """The module of each layer: of the same name, else the only assignment in order whose shapes all fit."""
    layers = [call.name for call in wanted]
    plain = {_plain(m): m for m in modules}
    if all(_plain(layer) in plain for layer in layers):
        return {layer: plain[_plain(layer)] for layer in layers}
    written = _modules_to_write(network, layers, layout, None)
    if all(written[call.name] in modules for call in wanted) and not any(
        isinstance(_converted(network, call, modules[written[call.name]], layout), str) for call in wanted
    ):
        return {layer: written[layer] for layer in layers}
    fits = {
        call.name: [m for m, tensors in modules.items() if not isinstance(_converted(network, call, tensors, layout), str)]
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
        shapes = ", ".join(f"{n} {a.shape}" for n, a in own_arrays(network, call.name).items())
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


def _converted(network: NetworkGraph, call: Call, tensors: Arrays, layout: Layout) -> Arrays | str:
    """The tensors of a module as the parameters of a layer; or why they do not fit."""
    layer, own = call.layer, own_arrays(network, call.name)
    try:
        made = layout.into(network, call, tensors)
    except (KeyError, ValueError, IndexError) as error:
        return f"a {type(layer).__name__} does not have the tensors {', '.join(tensors)} ({error})."
    if set(made) - set(own) or (set(own) - set(made)):
        return f"a {type(layer).__name__} has {', '.join(own)}, and the module {', '.join(tensors)}."
    for short, array in made.items():
        if array.shape != own[short].shape:
            return f"{short} has the shape {own[short].shape}, and the tensor gives {array.shape}."
    return made
