"""Pictures of few pixels, which a network makes larger."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...architectures import super_resolution
from ...constraints import OneOf
from ...model import Network
from .any_size import AnySize
from .degradation import Degradation, Pair, likeness
from .measures import from_luminance, luminance
from .resizing import resized

__all__ = ["LowResolution"]

Array = NDArray[Any]


class LowResolution(Degradation):
    """Pictures made smaller by bicubic interpolation. The network makes their luminance large again (Y of BT.601), where the
    eye sees detail; the colours are interpolated.

    PSNR is that of the luminance without a border of ``factor`` pixels, as the literature has it.

    Parameters  factor : 2, 3 or 4 = 2
    """

    task, result, before = "enlarge", "enlarged", "small"
    patch = 96
    metrics = ("psnr",)

    def __init__(self, *, factor: int = 2) -> None:
        self.factor = int(OneOf(2, 3, 4).check("", "factor", factor))
        self.source_shrink = self.step = self.factor

    def network(self, side: int, *, width: int, depth: int, random_state: int, dtype: str) -> Network:
        shape = (side // self.factor, side // self.factor, 1)
        return super_resolution(
            self.factor, width=width, depth=depth, input_shape=shape, random_state=random_state, dtype=dtype
        )

    def pair(self, picture: Array) -> Pair:
        small, large = self._small(luminance(_coloured(_numbers(picture)))[0])
        return Pair(_bytes(small), _bytes(large))

    def _small(self, picture: Array) -> tuple[Array, Array]:
        """(the picture made smaller, the picture without the pixels of its last rows and columns that do not fit)."""
        height, width = (side // self.factor for side in picture.shape[:2])
        whole = picture[: self.factor * height, : self.factor * width]
        return resized(whole, (height, width)), whole

    def batch(self, sources: Array, targets: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        return _numbers(sources), _numbers(targets)

    def restored(self, picture: Array, network: AnySize) -> Array:
        light, colours = luminance(_coloured(picture))
        large = network(light)
        made = from_luminance(large, resized(colours, large.shape[:2]))
        return made.mean(axis=2, keepdims=True) if picture.shape[2] == 1 else made

    def spoilt(self, picture: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        small, large = self._small(picture)
        # As it would be in a file.
        return np.rint(255 * np.clip(small, 0, 1)).astype(np.float32) / np.float32(255), large

    def scores(self, restored: Array, given: Array, truth: Array) -> dict[str, float]:
        light = [self._compared(one) for one in (restored, resized(given, truth.shape[:2]), truth)]
        return {**likeness(light[0], light[2]), "PSNR of bicubic": likeness(light[1], light[2], structure=False)["PSNR"]}

    def _compared(self, picture: Array) -> Array:
        light, edge = luminance(_coloured(np.clip(picture, 0, 1)))[0], self.factor
        return light[edge:-edge, edge:-edge] if min(light.shape[:2]) > 3 * edge else light

    def state(self) -> dict[str, Any]:
        return {"task": self.task, "factor": self.factor}

    def description(self) -> list[tuple[str, str]]:
        return [
            ("Enlarged", f"{self.factor} times on each side"),
            ("Pictures", "of any size, their luminance by the network"),
        ]


def _numbers(picture: Array) -> Array:
    return picture.astype(np.float32) / np.float32(255)


def _bytes(picture: Array) -> Array:
    found: Array = np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    return found


def _coloured(picture: Array) -> Array:
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture
