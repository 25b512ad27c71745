"""What is done to samples before a network, as nodes of ONNX: columns of tables, and pixels of pictures.

The file then takes what the user has: for a table one input for each column, numbers as double with NaN for missing, and
categories as strings with "" for missing; for pictures whole numbers from 0 to 255, of any size where the model resizes
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ..data.column_encoders import Embedded, Encoder, Numeric, OneHot
from ..errors import ModelFileError
from ..ops import Value

__all__ = ["ML_DOMAIN", "PicturePreprocessing", "Preprocessing", "TablePreprocessing"]

#: The operators for tables, and the version of their set that is written.
ML_DOMAIN = ("ai.onnx.ml", 3)
_FLOAT, _INT64, _STRING, _DOUBLE, _UINT8 = 1, 7, 8, 11, 2


class Preprocessing(Protocol):
    """Makes the network's inputs from those of the file, which it declares, and changes the output back."""

    def tensor(self, exporter: Any, name: str, value: Value) -> str:
        """The tensor that stands for an input of the network. Parameters  name : such as "x0" ; value : of the plan"""

    def output(self, exporter: Any, name: str) -> str:
        """The first output as the user wants it."""


class TablePreprocessing:
    """Standardised numbers, one-hot categories and indices of embeddings.

    Parameters  encoders : of the columns, in the order of the network's inputs ; scale : (mean, std) of a numeric target
    Raises      ModelFileError, when the file is written, for columns of dates, which ONNX cannot read
    """

    def __init__(self, encoders: Sequence[Encoder], scale: tuple[float, float] | None = None) -> None:
        self.numeric = [encoder for encoder in encoders if not isinstance(encoder, Embedded)]
        self.embedded = [encoder for encoder in encoders if isinstance(encoder, Embedded)]
        self.scale = scale

    def tensor(self, exporter: Any, name: str, value: Value) -> str:
        if name == "x0" and self.numeric:
            parts = [self._numbers(exporter, encoder) for encoder in self.numeric]
            return parts[0] if len(parts) == 1 else str(exporter.node("Concat", parts, axis=1))
        encoder = self.embedded[int(name[1:]) - bool(self.numeric)]
        codes = self._codes(exporter, encoder.name, encoder.categories)
        # Unknown and missing are 0.
        index = exporter.node("Max", [exporter.node("Add", [codes, exporter.ints(1)]), exporter.ints(0)])
        return str(exporter.node("Cast", [index], to=6))

    def _numbers(self, exporter: Any, encoder: Encoder) -> str:
        if isinstance(encoder, Numeric):
            x = exporter.declare(encoder.name, _DOUBLE, ["N", 1])
            missing = exporter.node("IsNaN", [x])
            mean, std = (exporter.constant(np.array(v, np.float64)) for v in (encoder.mean, encoder.std or 1.0))
            z = exporter.node("Sub", [exporter.node("Where", [missing, mean, x]), mean])
            z = exporter.node("Div", [z, std])
            if encoder.std == 0:
                z = exporter.node("Mul", [z, exporter.constant(np.array(0.0, np.float64))])
            z = exporter.node("Cast", [z], to=_FLOAT)
            if encoder.indicator:
                z = exporter.node("Concat", [z, exporter.node("Cast", [missing], to=_FLOAT)], axis=1)
            return str(z)
        if isinstance(encoder, OneHot):
            codes = self._codes(exporter, encoder.name, encoder.categories)
            wanted = [*range(len(encoder.categories)), *([-1] if encoder.indicator else [])]
            return str(exporter.node("Cast", [exporter.node("Equal", [codes, exporter.ints(*wanted)])], to=_FLOAT))
        raise ModelFileError(
            f"to_onnx: the column {encoder.name!r} holds dates, which ONNX cannot read. Export the network alone, and give "
            f"it what the model makes of a table."
        )

    @staticmethod
    def _codes(exporter: Any, name: str, categories: Sequence[str]) -> str:
        """(N, 1) the number of each category, −1 for a missing one, −2 for one that is not known."""
        x = exporter.declare(name, _STRING, ["N", 1])
        codes = {"keys_strings": [*categories, ""], "values_int64s": [*range(len(categories)), -1], "default_int64": -2}
        return str(exporter.node("LabelEncoder", [x], domain=ML_DOMAIN[0], **codes))

    def output(self, exporter: Any, name: str) -> str:
        if self.scale is None:
            return name
        mean, std = (exporter.constant(np.array(v, np.float32)) for v in self.scale)
        return str(exporter.node("Add", [exporter.node("Mul", [name, std]), mean]))


class PicturePreprocessing:
    """Whole numbers from 0 to 255 as ``(x / 255 − mean) / std``, after they were resized where ``resize`` says so.

    Parameters  shape : (H, W, C) that the network takes ; mean, std : one number, or one for each channel
                resize : whether pictures come in any size and are stretched, as the mean of the pixels that a new one
                covers
    """

    def __init__(self, shape: tuple[int, int, int], mean: Any, std: Any, *, resize: bool) -> None:
        self.shape, self.mean, self.std, self.resize = shape, mean, std, resize

    def tensor(self, exporter: Any, name: str, value: Value) -> str:
        height, width, channels = self.shape
        sizes: list[Any] = ["height", "width"] if self.resize else [height, width]
        first = exporter.channels_first
        x = exporter.declare("pictures", _UINT8, ["N", channels, *sizes] if first else ["N", *sizes, channels])
        x = exporter.node("Cast", [x], to=_FLOAT)
        if self.resize:
            if not first:
                x = exporter.node("Transpose", [x], perm=[0, 3, 1, 2])
            x = exporter.node(
                "Resize", [x, "", "", exporter.ints(height, width)], mode="linear", axes=[2, 3], antialias=1,
                coordinate_transformation_mode="half_pixel",
            )  # fmt: skip
        if self.resize or first:
            x = exporter.node("Transpose", [x], perm=[0, 2, 3, 1])
        mean, std = (np.broadcast_to(np.asarray(v, np.float32), (channels,)) for v in (self.mean, self.std))
        x = exporter.node("Mul", [x, exporter.constant((1 / (255 * std)).astype(np.float32), "pixel_scale")])
        return str(exporter.node("Sub", [x, exporter.constant((mean / std).astype(np.float32), "pixel_mean")]))

    def output(self, exporter: Any, name: str) -> str:
        return name
