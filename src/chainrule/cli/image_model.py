"""A network together with what is done to pictures before it: what ``chainrule train`` saves for a folder of pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..architectures import get_architecture
from ..data import ClassLabels
from ..errors import ModelFileError, ShapeError
from ..images import ImageData, ImagePreprocessor
from ..layers import BatchNorm, Conv2D, Dense, Dropout, GlobalAveragePool, MaxPool2D, ReLU
from ..losses import Loss
from ..model import Network, load
from ..network.files import load as load_with_extra
from .table_model import IMAGES, Prediction

__all__ = ["ImageModel", "fitting_network", "make_network"]

Array = NDArray[Any]
_FORMAT = 1
#: Channels of the first convolution and of the widest; sides that are pooled further; a side from which the first strides.
_FIRST, _WIDEST, _POOLED, _STRIDED = 32, 128, 8, 96


def fitting_network(
    shape: tuple[int, int, int], classes: int, *, random_state: Any = None, dtype: str = "float32"
) -> Network:
    """A small convolutional network that fits pictures of this size.

    Stages of a 3 × 3 convolution, batch normalisation, ReLU and max pooling, with twice the channels in every stage, until
    the shorter side is below 8; one more convolution, the mean of every channel, dropout, and one output a class. The first
    convolution halves pictures of 96 pixels or more, where most of the work would be.
    """
    layers: list[Any] = []
    side, channels = min(shape[:2]), _FIRST
    if side >= _STRIDED:
        layers += [*_convolution(channels // 2, stride=2)]
        side = -(-side // 2)
    while side >= _POOLED:
        layers += [*_convolution(channels), MaxPool2D(2)]
        side, channels = side // 2, min(_WIDEST, 2 * channels)
    layers += [*_convolution(channels), GlobalAveragePool(), Dropout(0.2), Dense(classes)]
    network = Network(layers, random_state=random_state, dtype=dtype)
    network.build(shape)
    return network


def _convolution(channels: int, *, stride: int = 1) -> list[Any]:
    # Batch normalisation subtracts the mean, so a bias before it would be of no use.
    return [Conv2D(channels, 3, stride=stride, padding="same", bias=False), BatchNorm(), ReLU()]


def make_network(
    name: str, shape: tuple[int, int, int], classes: int, *, random_state: Any = None, dtype: str = "float32"
) -> Network:
    """The network called so: "auto" for one that fits, or an architecture's name.

    Raises      UnknownNameError ; ShapeError when the architecture cannot take pictures of this size
    """
    if name == "auto":
        return fitting_network(shape, classes, random_state=random_state, dtype=dtype)
    made = get_architecture(name)(classes, input_shape=shape, random_state=random_state, dtype=dtype)
    if made.output_shapes != [(classes,)]:
        raise ShapeError(
            f"--network {name}: its output has shape {made.output_shapes[0]}, and {classes} classes need ({classes},). "
            "Choose one for classification, such as resnet20, or auto."
        )
    return made


class ImageModel:
    """A network and its preprocessing.

    Parameters  network : from pictures to one logit a class ; preprocessor ; labels : of the classes ;
                facts : plain data about the training, shown by ``chainrule show``
    """

    def __init__(
        self,
        network: Network,
        preprocessor: ImagePreprocessor,
        labels: ClassLabels,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.network, self.preprocessor, self.labels = network, preprocessor, labels
        self.facts: dict[str, Any] = dict(facts or {})

    @property
    def classes(self) -> list[str]:
        """The names of the classes."""
        return [str(label) for label in self.labels.classes.tolist()]

    def data(self, files: Any, **options: Any) -> ImageData:
        """Pictures in files, prepared as those of the training were."""
        p = self.preprocessor
        return ImageData(files, size=p.shape[:2], channels=p.channels, fit=p.fit, mean=p.mean, std=p.std, **options)

    def predict(self, data: ImageData) -> Prediction:
        """Classes and their probabilities."""
        z = np.asarray(self.network.predict(data), np.float64)
        loss = self.network.loss_
        assert isinstance(loss, Loss)
        p = np.asarray(loss.prediction(z), np.float64)
        return Prediction(self.labels.decode(p.argmax(axis=1)), p)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes everything to one file, atomically."""
        held = {
            "format": _FORMAT,
            "preprocessing": self.preprocessor.config(),
            "labels": self.labels.to_config(),
            "facts": self.facts,
        }
        self.network.save(path, extra={IMAGES: held})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ImageModel:
        """The model of a file that ``save`` wrote.

        Raises      ModelFileError also for a model of something else than pictures
        """
        network, held = load(path), load_with_extra(path, Network)[1].get(IMAGES)
        if held is None:
            raise ModelFileError(f"The model file {os.fspath(path)!r} holds no model of pictures.")
        try:
            if held["format"] > _FORMAT:
                raise ModelFileError(
                    f"it was written by a newer chainrule (image format {held['format']}). Upgrade chainrule."
                )
            preprocessor = ImagePreprocessor(**held["preprocessing"])
            preprocessor.validate()
            self = cls(network, preprocessor, ClassLabels.from_config(held["labels"]), held["facts"])
            shapes = network.input_shapes, network.output_shapes
            if shapes != ([preprocessor.shape], [(self.labels.n_classes,)]) or not hasattr(network, "loss_"):
                raise ModelFileError("its network and its preprocessing do not belong together.")
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ModelFileError(f"The model file {os.fspath(path)!r}: {error}") from error
        return self
