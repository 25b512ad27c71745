"""Bodies that have learned before: ready ones by name, and the user's own files, with the preprocessing that they need.

A body turns a picture or a text into features, and what is done to its samples comes along. A new head on it is trained by
``with_head``; frozen, the body keeps what it has learned.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .architectures import get_architecture, minilm, minilm_tokenizer
from .architectures.efficientnet_lite import efficientnet_lite0
from .data.text import Tokenizer
from .errors import ModelFileError, ParameterError, ShapeError, UnknownNameError
from .images import ImagePreprocessor
from .layers import Concat, Dense, Dropout, Flatten, GlobalAveragePool, Input, Resize2D, Standardize
from .model import Network
from .ops.value import FREE

__all__ = ["BODIES", "BODY_RATE", "Body", "body_of", "body_rates", "for_arrays", "load_body", "with_head"]

PathLike = str | os.PathLike[str]
#: The learning rate of a body that is trained along with a new head, as a factor of that of the head.
BODY_RATE = 0.1
#: The name that the last layer of a network gets whose body has learned before.
HEAD = "head"


@dataclass(frozen=True)
class Body:
    """What turns samples into features, and what is done to them before.

    Parameters
        network : from prepared samples to features (N, F) ; name : by which it was asked for
        preprocessor : of pictures, None where it is not known ; tokenizer : of texts, else None
    """

    network: Network
    name: str
    preprocessor: ImagePreprocessor | None = None
    tokenizer: Tokenizer | None = None


def _efficientnet(size: tuple[int, int] | None, dtype: str) -> Body:
    height, width = size or (224, 224)
    network = efficientnet_lite0(input_shape=(height, width, 3), dropout=0.0, pretrained=True, dtype=dtype)
    # The body was trained on (value − 127) / 128.
    preprocessor = ImagePreprocessor((height, width), mean=127 / 255, std=128 / 255)
    return Body(body_of(network), "efficientnet_lite0", preprocessor)


def _minilm(size: tuple[int, int] | None, dtype: str) -> Body:
    return Body(minilm(pretrained=True, dtype=dtype), "minilm", tokenizer=minilm_tokenizer())


#: Ready bodies by name: what each works on, and what makes it for pictures of a size.
BODIES: dict[str, tuple[str, Callable[[tuple[int, int] | None, str], Body]]] = {
    "efficientnet_lite0": ("pictures", _efficientnet),
    "minilm": ("texts", _minilm),
}


def load_body(
    source: Any,
    kind: str,
    *,
    architecture: str | None = None,
    size: tuple[int, int] | None = None,
    channels: int = 3,
    dtype: str = "float32",
) -> Body:
    """A body that has learned before.

    Parameters
        source : the name of a ready one ("efficientnet-lite0", "minilm"), or True for that of the architecture ; or the path
            of a model of chainrule, of a network of another library (.onnx, .keras, .h5), of weights of PyTorch for the
            architecture (.pt, .pth, .safetensors), or of a folder with a network of BERT's kind. Of a whole network the
            last layer with weights is left out
        kind : "pictures" or "texts", what it has to work on
        architecture : what weights of PyTorch are for ; size : of the pictures, None for that of the body ; channels : of
        the pictures, for an architecture
        dtype : of the network
    Raises      UnknownNameError, ParameterError for what is no body for such samples ; ModelFileError for a damaged file ;
                MissingDependencyError where a package is missing
    """
    if source is True:
        source = architecture or ""
        if _name(source) not in BODIES:
            ready = ", ".join(sorted(BODIES))
            raise ParameterError(
                f"pretrained=True: there are ready weights for {ready}, and not for {architecture!r}. Name one of these as "
                f"the architecture, or give the path of a file as pretrained."
            )
    name = _name(source) if isinstance(source, str) else ""
    if name in BODIES:
        works_on, make = BODIES[name]
        if works_on != kind:
            fitting = ", ".join(one for one, (samples, _) in BODIES.items() if samples == kind)
            raise ParameterError(f"pretrained={source!r}: this body works on {works_on}. For {kind} there is {fitting}.")
        if architecture is not None and _name(architecture) != name:
            raise ParameterError(
                f"pretrained={source!r} is another architecture than {architecture!r}. Leave one of them out."
            )
        return make(size, dtype)
    path = Path(os.fspath(source))
    if not path.exists():
        raise UnknownNameError("pretrained body, and no file of this name:", os.fspath(source), BODIES)
    if path.is_dir():
        if kind != "texts":
            raise ParameterError(f"pretrained={str(path)!r} is a folder, as networks of BERT's kind are, which read texts.")
        return Body(minilm(pretrained=path, dtype=dtype), str(path), tokenizer=minilm_tokenizer(path))
    if path.suffix.lower() in (".pt", ".pth", ".safetensors"):
        return Body(_with_weights(path, architecture, size, channels, dtype), str(path))
    body = _of_own_file(path, kind)
    if body.network.dtype != dtype:
        raise ParameterError(f"pretrained={str(path)!r} is a {body.network.dtype} network; precision asks for {dtype}.")
    return body


def _name(source: str) -> str:
    return source.lower().replace("-", "_")


def _with_weights(
    path: Path, architecture: str | None, size: tuple[int, int] | None, channels: int, dtype: str
) -> Network:  # fmt: skip
    """An architecture with the weights of a PyTorch file but for its last layer."""
    from .exchange.torch_file import load_torch

    if architecture is None or architecture == "auto":
        raise ParameterError(
            f"pretrained={str(path)!r} holds weights, and not what the layers are. Name the architecture that they are "
            "for, too."
        )
    if _name(architecture) == "efficientnet_lite0":
        shape = (*(size or (224, 224)), 3)
        return body_of(efficientnet_lite0(input_shape=shape, dropout=0.0, pretrained=path, dtype=dtype))
    if size is None:
        raise ParameterError(f"pretrained={str(path)!r}: give the size of the pictures, which {architecture} does not fix.")
    body = body_of(get_architecture(architecture)(10, input_shape=(*size, channels), dtype=dtype))
    tensors = load_torch(path)
    modules = dict.fromkeys(name.rpartition(".")[0] for name in tensors)
    last = list(modules)[-1]
    body.load_weights({name: a for name, a in tensors.items() if name.rpartition(".")[0] != last})
    return body


def _of_own_file(path: Path, kind: str) -> Body:
    """The body of a whole network in a file: a model of chainrule, or a network of another library."""
    from .importing import load_foreign
    from .network.files import load

    kinds = (".onnx", ".keras", ".h5", ".hdf5", ".prototxt", ".json")
    if path.suffix.lower() in kinds:
        network, extra = load_foreign(path), dict[str, Any]()
    else:
        network, extra = load(path, Network)
    preprocessor = tokenizer = None
    try:
        if "images" in extra:
            preprocessor = ImagePreprocessor(**extra["images"]["preprocessing"])
            preprocessor.validate()
        elif "estimator" in extra:
            held = extra["estimator"]["state"].get("tokenizer_")
            tokenizer = None if held is None else Tokenizer.from_state(held["tokenizer"])
    except (TypeError, KeyError, AttributeError) as error:
        raise ModelFileError(f"{path}: its preprocessing is damaged: {error}.") from error
    shape = (network.input_shapes or [()])[0]
    pictures = len(network.input_ids) == 1 and len(shape) == 3 and FREE not in shape
    if kind == "pictures" and not pictures:
        raise ParameterError(f"{path}: this network does not take pictures of one size (height, width, channels).")
    if kind == "texts" and tokenizer is None:
        raise ParameterError(
            f"{path}: a body for texts needs the tokenizer that it was trained with. Models that chainrule train, or a "
            "NeuralClassifier of texts, has saved have it, and folders of networks of BERT's kind."
        )
    return Body(body_of(network), str(path), preprocessor, tokenizer)


def body_of(network: Network) -> Network:
    """The network up to its last layer with weights, as features (N, F): means of the channels where these are images.

    The two share their layers.

    Raises      ParameterError where nothing is left, or the network has several inputs or outputs
    """
    network.require_built("body_of")
    if len(network.input_ids) != 1 or len(network.output_ids) != 1:
        raise ParameterError("body_of: a body has one input and one output.")
    owners = {name.rpartition(".")[0] for name in network.parameters}
    heads = [call for call in network.calls if call.name in owners and len(call.inputs) == 1]
    if not heads or heads[-1].inputs[0] in network.input_ids:
        raise ParameterError(
            "body_of: there is no layer with weights before the last one, so nothing has been learned there."
        )
    maker = next(call for call in network.calls if heads[-1].inputs[0] in call.outputs)
    cut = network.cut(maker.layer)
    shape = cut.output_shapes[0]
    if len(shape) == 1:
        return cut
    pooled = Network([cut, GlobalAveragePool() if FREE in shape or len(shape) in (2, 3, 4) else Flatten()], dtype=cut.dtype)
    pooled.build(*network.buildable_shapes)
    pooled._trained = True
    return pooled


def with_head(
    body: Network, outputs: int, *, dropout: float = 0.0, fine_tune: bool = False, random_state: Any = None
) -> Network:
    """A network of a copy of the body, Dropout, and a new layer "head".

    Parameters
        outputs : of the new layer ; dropout : in [0, 1) = 0 ; random_state : as of Network
        fine_tune : whether the body learns along; else it is frozen

    Example
        >>> from chainrule import Dense, Tanh
        >>> body = Network([Dense(8), Tanh()], random_state=0).build((4,))
        >>> net = with_head(body, 3)
        >>> sorted(net.frozen), net.output_shapes
        (['0.dense', '1.tanh'], [(3,)])
    """
    if len(body.output_shapes[0]) != 1:
        raise ShapeError(f"with_head: the body must give features (N, F). Got {body.output_shapes[0]} of one sample.")
    own = copy.deepcopy(body)
    own.unfreeze()
    layers: list[Any] = [own, *([Dropout(dropout)] if dropout else []), Dense(outputs).named(HEAD)]
    network = Network(layers, random_state=random_state, dtype=body.dtype)
    network.build(*body.buildable_shapes)
    if not fine_tune:
        network.freeze(own)
    # What the body does to its inputs is known, and not to be measured anew.
    network._trained = True
    return network


def body_rates(network: Network) -> dict[str, float]:
    """Factors of the learning rate, for ``fit``, by which all that ``with_head`` took from a body learns more slowly."""
    owners = dict.fromkeys(name.rpartition(".")[0] for name in network.parameters)
    return {name: BODY_RATE for name in owners if name != HEAD}


def for_arrays(body: Body, shape: tuple[int, int, int], largest: float) -> Network:
    """The body with its preprocessing as layers: for pictures (N, H, W, C) of any size, with values from 0 to ``largest``.

    Raises      ShapeError for pictures that have neither one channel nor as many as the body takes
    """
    height, width, channels = body.network.input_shapes[0]  # type: ignore[index]
    if shape[2] not in (1, channels):
        raise ShapeError(
            f"pretrained: the body {body.name} takes pictures of {channels} channel(s). Got pictures of shape {shape}."
        )
    x = h = Input(shape)
    if shape[2] != channels:
        h = Concat()(*[h] * channels)
    if shape[:2] != (height, width):
        h = Resize2D((height, width))(h)
    scale = Standardize().named("pixels") if body.preprocessor is not None else None
    network = Network(inputs=x, outputs=body.network(h if scale is None else scale(h)), dtype=body.network.dtype)
    network.build()
    if scale is not None and body.preprocessor is not None:
        for name, value in (("mean", body.preprocessor.mean), ("scale", body.preprocessor.std)):
            network.states[f"pixels.{name}"][...] = np.asarray(value) * largest
    return network
