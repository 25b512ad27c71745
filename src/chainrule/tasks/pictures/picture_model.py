"""A network together with what is done to pictures before it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...architectures import get_architecture
from ...data import ClassLabels
from ...errors import DataError, ImageError, ModelFileError, ParameterError, ShapeError
from ...exchange.onnx_preprocessing import PicturePreprocessing
from ...images import ImageData, ImagePreprocessor, picture_files
from ...layers import BatchNorm, Conv2D, Dense, Dropout, GlobalAveragePool, MaxPool2D, ReLU
from ...losses import Loss
from ...model import Network
from ..scores import Prediction
from ..task_model import Samples, TaskModel
from ..words import some

__all__ = ["PictureModel", "fitting_network", "make_network"]

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
    """The network of this name: "auto" for one that fits the pictures, or an architecture.

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


class PictureModel(TaskModel):
    """A network and its preprocessing: it takes pictures of any size and kind.

    ``chainrule.load`` gives one for a model file that ``chainrule train`` wrote for pictures.

    Parameters
        network : from pictures to one logit a class ; preprocessor : what is done to a picture before the network
        class_labels : of the classes ; facts : plain data about the training
    Data        what ``predict`` and the others take: the path of a picture, of a folder of pictures, or of an .npz file ; a
                list of such paths ; an array (N, H, W, C) or (N, H, W), or one picture (H, W, C), of the model's size ; an
                ImageData. The truth is known from an .npz file, and from folders named like the classes
    """

    file_key: ClassVar[str] = "images"
    noun: ClassVar[tuple[str, str]] = ("picture", "pictures")

    def __init__(
        self,
        network: Network,
        preprocessor: ImagePreprocessor,
        class_labels: ClassLabels,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self._network, self.preprocessor, self.class_labels = network, preprocessor, class_labels
        self.facts = dict(facts or {})

    @property
    def network(self) -> Network:
        return self._network

    @property
    def target(self) -> str:
        return "class"

    @property
    def labels(self) -> Array:
        return self.class_labels.classes

    def data(self, files: Any, **options: Any) -> ImageData:
        """Pictures in files, prepared as those of the training were. Parameters  options : of ImageData"""
        p = self.preprocessor
        return ImageData(files, size=p.shape[:2], channels=p.channels, fit=p.fit, mean=p.mean, std=p.std, **options)

    def read(self, data: Any, y: Any = None, *, broken: str = "stop", **reading: Any) -> Samples:
        if reading:
            raise ParameterError(f"{next(iter(reading))} is for tables; pictures have no such thing. Leave it out.")
        if broken not in ("stop", "skip"):
            raise ParameterError(f"broken must be 'stop' or 'skip'. Got {broken!r}.")
        notes: list[str] = []
        against = "the labels"
        if isinstance(data, ImageData):
            found, names = data, [str(f) for f in data.files()] if data.paths is not None else _numbered("", data.n_samples)
            if data.shape != self.preprocessor.shape:
                raise ShapeError(f"The model was trained on pictures of shape {self.preprocessor.shape}. Got {data.shape}.")
        else:
            several = isinstance(data, (list, tuple)) and all(isinstance(one, (str, os.PathLike)) for one in data)
            given = (
                [Path(one) for one in data] if several else [Path(data)] if isinstance(data, (str, os.PathLike)) else None
            )
            if given is None:
                found, names = self._from_array(data)
            elif any(path.suffix.lower() == ".npz" for path in given):
                found, names = self._from_npz(given)
            else:
                found, names, notes = self._from_files(given, broken)
                against = "the names of the folders"
        if y is not None:
            found, against = found.labelled(self.class_labels, y), "y"
        truth = found.targets if found.labels is not None else None
        missing = "" if truth is not None else "the pictures have no classes."
        return Samples(
            found, found.n_samples, lambda: {"picture": names}, truth, None, against, missing, names=names, notes=notes
        )

    def _from_files(self, given: Sequence[Path], broken: str) -> tuple[ImageData, list[str], list[str]]:
        files = [file for path in given for file in (picture_files(path) if path.is_dir() else [path])]
        if not files:
            raise ImageError(f"{', '.join(map(str, given))}: there is no picture in it.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said in the notes
            data = self.data(files, on_error=broken)
        notes = []
        if data.skipped:
            many = f"{len(data.skipped):,} of {len(files):,} pictures"
            notes.append(f"{many} cannot be read and are left out. {data.skipped[0][1]}")
        files = data.files()
        folders, classes = [file.parent.name for file in files], self.classes or []
        if any(path.is_dir() for path in given) and all(folder in classes for folder in folders):
            # As labels: those of an .npz file may be numbers, whose folders have them as text.
            numbers = [classes.index(folder) for folder in folders]
            data = data.labelled(self.class_labels, self.class_labels.decode(numbers))
        return data, [str(file) for file in files], notes

    def _from_npz(self, given: Sequence[Path]) -> tuple[ImageData, list[str]]:
        if len(given) > 1:
            raise ParameterError(f"One .npz file at a time. Got {', '.join(map(str, given))}.")
        whole = ImageData.from_npz(given[0], mean=self.preprocessor.mean, std=self.preprocessor.std)
        if whole.shape != self.preprocessor.shape:
            raise DataError(
                f"{given[0]}: its pictures have shape {whole.shape}, and the model was trained on {self.preprocessor.shape} "
                "(height, width, channels)."
            )
        if whole.targets is not None:
            whole = whole.labelled(self.class_labels)
        return whole, _numbered(given[0].name, whole.n_samples)

    def _from_array(self, data: Any) -> tuple[ImageData, list[str]]:
        pixels = np.asarray(data)
        if pixels.shape == self.preprocessor.shape or pixels.shape == self.preprocessor.shape[:2]:
            pixels = pixels[None]
        whole = ImageData(pixels, mean=self.preprocessor.mean, std=self.preprocessor.std)
        if whole.shape != self.preprocessor.shape:
            raise ShapeError(
                f"The model was trained on pictures of shape {self.preprocessor.shape}, and an array is not resized: "
                f"expected (N, {', '.join(map(str, self.preprocessor.shape))}), got {pixels.shape}. "
                "Give files, which are resized."
            )
        return whole, _numbered("", len(pixels))

    def onnx_preprocessing(self) -> PicturePreprocessing:
        p = self.preprocessor
        return PicturePreprocessing(p.shape, p.mean, p.std, resize=p.fit == "stretch")

    def prediction(self, samples: Samples) -> Prediction:
        return self._decided(self.network.predict(samples.data))  # batch by batch, so that not all need be in memory

    def arrays(self, samples: Samples) -> list[Array]:
        return [samples.data.arrays()[0]]

    def predicted(self, arrays: Sequence[Array]) -> Prediction:
        return self._decided(self.network.predict(arrays[0]))

    def from_plain(self, data: Any) -> Any:
        try:
            pixels = np.asarray(data)
        except ValueError:
            pixels = np.empty(0, object)
        if pixels.dtype.kind not in "iuf" or not pixels.size:
            shape = " × ".join(map(str, self.preprocessor.shape))
            raise DataError(
                f"Expected pictures as nested lists of numbers, {shape} (height, width, channels) for each picture. To send "
                "files such as .png and .jpg, send them as a form, or one as the body of the request."
            )
        return pixels

    def _decided(self, outputs: Any) -> Prediction:
        z = np.asarray(outputs, np.float64)
        loss = self.network.loss_
        assert isinstance(loss, Loss)
        p = np.asarray(loss.prediction(z), np.float64)
        return Prediction(self.class_labels.decode(p.argmax(axis=1)), p)

    # ------------------------------------------------------------ files

    def state(self) -> dict[str, Any]:
        held = {
            "format": _FORMAT,
            "preprocessing": self.preprocessor.config(),
            "labels": self.class_labels.to_config(),
            "facts": self.facts,
        }
        return {self.file_key: held}

    @classmethod
    def from_state(cls, network: Network, extra: Mapping[str, Any], place: Any) -> Self:
        held = extra[cls.file_key]
        if held["format"] > _FORMAT:
            raise ModelFileError(f"it was written by a newer chainrule (image format {held['format']}). Upgrade chainrule.")
        preprocessor = ImagePreprocessor(**held["preprocessing"])
        preprocessor.validate()
        self = cls(network, preprocessor, ClassLabels.from_config(held["labels"]), held["facts"])
        shapes = network.input_shapes, network.output_shapes
        if shapes != ([preprocessor.shape], [(self.class_labels.n_classes,)]) or not hasattr(network, "loss_"):
            raise ModelFileError("its network and its preprocessing do not belong together.")
        return self

    # ------------------------------------------------------------ words

    def description(self) -> list[tuple[str, list[tuple[str, str]]]]:
        p = self.preprocessor
        rows = [("Classes", some(self.classes or [], 12)), *self.trained_on()]
        if "augmentation" in self.facts:
            rows.append(("Augmentation", str(self.facts["augmentation"])))
        height, width, channels = p.shape
        how = {"stretch": "stretched to", "crop": "the middle, resized to", "pad": "padded with black to"}[p.fit]
        mean, std = (", ".join(f"{v:.4g}" for v in np.broadcast_to(v, (channels,))) for v in (p.mean, p.std))
        return [
            ("", rows),
            (
                "Preprocessing",
                [
                    ("Pixels", f"{how} {height} × {width} pixels (height × width)"),
                    ("Channels", {1: "grey", 3: "red, green, blue"}.get(channels, str(channels))),
                    ("Normalise", f"(x / 255 − mean) / std, mean {mean}, std {std}"),
                ],
            ),
        ]


def _numbered(name: str, count: int) -> list[str]:
    return [f"{name}[{i}]" if name else str(i) for i in range(count)]
