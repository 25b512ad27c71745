"""Bodies whose features say what a picture shows, and how it is made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...architectures.squeezenet import squeezenet, squeezenet_weights
from ...errors import ParameterError
from ...images.npz_file import read_npz
from ...layers import Scale
from ...model import Network

__all__ = ["StyleBody", "style_body"]

#: How many layers style is compared at; and how much smaller than the picture the features may be. What a body finds at
#: still smaller ones is a thing and no longer a stroke, and steps towards it make noise of a picture.
_STYLE_LAYERS, _COARSEST = 5, 8
#: The mean colour (red, green, blue) that Caffe's networks for ImageNet take out, of bytes.
_CAFFE_MEAN = (123.0, 117.0, 104.0)


@dataclass(frozen=True)
class StyleBody:
    """A network that has learned to see, and where its features are looked at.

    Parameters
        network : built, from pictures (N, H, W, 3) as it takes them ; content, style : names of layers
        mean, std : three numbers each: it takes (x − mean) / std of pictures x in [0, 1]
    """

    network: Network
    content: tuple[str, ...]
    style: tuple[str, ...]
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    def preprocessing(self) -> tuple[Scale, np.ndarray, np.ndarray]:
        """The layer that makes of pictures in [0, 1] what the network takes, its factors and its offsets."""
        std = np.asarray(self.std, np.float64)
        return Scale(), 1 / std, -np.asarray(self.mean) / std


def style_body(
    source: str | os.PathLike[str] | None = None,
    *,
    content: Sequence[str] | None = None,
    style: Sequence[str] | None = None,
) -> StyleBody:
    """A body for style transfer.

    Parameters
        source : an .npz file with the weights of SqueezeNet 1.0 as Caffe has it (kernels (O, I, H, W) and biases in their
            order), a model of chainrule or a network of another library, or the name of a ready body, as of
            ``chainrule.pretrained.load_body``; None takes "efficientnet-lite0"
        content, style : names of layers; None chooses activations, down to features of an eighth of the picture's size
    Raises      ParameterError, UnknownNameError, ModelFileError ; MissingDependencyError where a package is missing
    """
    path = None if source is None else Path(os.fspath(source))
    if path is not None and path.suffix.lower() == ".npz":
        network = squeezenet(1000, input_shape=(64, 64, 3))
        squeezenet_weights(network, read_npz(path), bgr=True)
        caffe = tuple(m / 255 for m in _CAFFE_MEAN)
        names = ("conv1", "fire2", "fire3", "fire5", "fire7")
        return StyleBody(network, tuple(content or ("fire4",)), tuple(style or names), caffe, (1 / 255,) * 3)
    from ...pretrained import load_body

    body = load_body("efficientnet-lite0" if source is None else source, "pictures")
    network, made = body.network, body.preprocessor
    ends = _activations(network)
    if len(ends) < 2:
        raise ParameterError(f"style: the body {body.name!r} has {len(ends)} activations; features need at least 2.")
    chosen = [ends[i] for i in np.unique(np.linspace(0, len(ends) - 1, _STYLE_LAYERS).round().astype(int))]
    three = [np.broadcast_to(np.asarray(v, np.float64), 3) for v in ((0, 1) if made is None else (made.mean, made.std))]
    mean, std = (tuple(float(one) for one in part) for part in three)
    return StyleBody(network, tuple(content or ends[-1:]), tuple(style or chosen), mean, std)


def _activations(network: Network) -> list[str]:
    """The names of the activations whose features are not much smaller than the picture; all if they are few."""
    shapes, (seen, *_) = network.sample_shapes(), network.input_shapes or [()]
    found = [(call.name, shapes[call.output]) for call in network.calls if call.layer.role == "activation"]
    fine = [name for name, shape in found if len(shape) == 3 and _COARSEST * shape[0] >= seen[0]]
    return fine if len(fine) >= 2 else [name for name, _ in found]
