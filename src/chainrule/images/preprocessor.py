"""What is done to every picture before a network sees it; a model keeps it, so that new pictures are treated alike."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import POSITIVE, Interval, OneOf, OneOrMore
from ..errors import ParameterError, ShapeError
from ..registry import Configurable
from .picture import FITS, Pixels, read_picture
from .resampling import resample

__all__ = ["ImagePreprocessor", "size_of"]

Floats = NDArray[np.float32]


class ImagePreprocessor(Configurable):
    """Pictures of any size and kind as arrays: resized, then ``z = (x / 255 − mean) / std`` for each channel.

    Parameters
        size : (height, width), or one int for both ; channels : 3 (RGB) or 1 (grey)
        fit : "stretch" to the size, "crop" the middle, or "pad" with black
        mean, std : of the channels, for values from 0 to 1; one number or one for each channel
    Shapes      pictures of any size -> (N, H, W, C) float32
    Raises      ParameterError when an argument is out of its range

    Example
        >>> import numpy as np
        >>> preprocessor = ImagePreprocessor(2, channels=1, mean=0.5, std=0.5)
        >>> preprocessor.normalise(np.array([[[[0], [255]], [[255], [0]]]], np.uint8))[0, ..., 0]
        array([[-1.,  1.],
               [ 1., -1.]], dtype=float32)
    """

    hyperparameters = {
        "channels": OneOf(1, 3),
        "fit": OneOf(*FITS),
        "mean": OneOrMore(Interval(float)),
        "std": OneOrMore(POSITIVE),
    }

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        channels: int = 3,
        fit: str = "stretch",
        mean: float | Sequence[float] = 0.0,
        std: float | Sequence[float] = 1.0,
    ) -> None:
        self.size, self.channels, self.fit, self.mean, self.std = size, channels, fit, mean, std

    def validate(self) -> None:
        """ParameterError when an argument is out of its range."""
        size_of(self.size)
        super().validate()
        for name in ("mean", "std"):
            value = getattr(self, name)
            if np.ndim(value) and len(value) not in (1, self.channels):
                raise ParameterError(
                    f"ImagePreprocessor: {name} must be one number or {self.channels}, one for each channel. Got {value!r}."
                )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of what comes out for one picture."""
        return (*size_of(self.size), int(self.channels))

    def read(self, path: str | os.PathLike[str]) -> Pixels:
        """A picture file at the size and with the channels that are wanted: (H, W, C) uint8."""
        return read_picture(path, channels=self.channels, size=size_of(self.size), fit=self.fit)

    def normalise(self, pixels: NDArray[Any]) -> Floats:
        """``(x / range − mean) / std`` of pictures (N, H, W, C) that have the size already."""
        if pixels.ndim != 4 or pixels.shape[1:] != self.shape:
            wanted = ", ".join(map(str, ("N", *self.shape)))
            raise ShapeError(f"ImagePreprocessor: expected pictures ({wanted}), got shape {pixels.shape}.")
        mean, std = (np.broadcast_to(np.asarray(v, np.float32), (self.channels,)) for v in (self.mean, self.std))
        return resample(np.ascontiguousarray(pixels), np.arange(len(pixels)), None, mean, std)


def size_of(size: Any) -> tuple[int, int]:
    """(height, width) from one int or two.

    Raises      ParameterError
    """
    given = OneOrMore(Interval(int, 1), count=2, hint="Two are (height, width).").check("", "size", size)
    return tuple(given) if isinstance(given, list) else (given, given)
