"""A network of convolutions on pictures of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...layers import Input
from ...model import Network

__all__ = ["AnySize"]

Array = NDArray[Any]
#: The side of the parts that a large picture is computed in, and how many sizes are kept ready.
_TILE, _KEPT = 256, 8


class AnySize:
    """Applies a network that was trained on patches to pictures of any size; its layers have the same weights for all.

    Parameters  network : from (h, w, C) to (s h, s w, C') for a scale s ; step : the sides that it takes are multiples of it
                margin : pixels around a pixel that its output may depend on; None where pictures must stay whole
    """

    def __init__(self, network: Network, *, step: int = 1, margin: int | None = None) -> None:
        self.network, self.step, self.margin = network, step, margin
        inside, outside = network.input_shapes, network.output_shapes
        assert inside is not None
        self.scale = outside[0][0] / inside[0][0]
        self._of_sizes: dict[tuple[int, ...], Network] = {}

    def __call__(self, picture: Array) -> Array:
        """The output for a picture (H, W, C): (s H, s W, C'). A large one is computed in parts that overlap."""
        if self.margin is None or max(picture.shape[:2]) <= _TILE + 2 * self.margin:
            return self._whole(picture)
        margin = -(-self.margin // self.step) * self.step
        height, width = picture.shape[:2]
        found: Array | None = None
        for top in range(0, height, _TILE):
            for left in range(0, width, _TILE):
                y, x = max(0, top - margin), max(0, left - margin)
                part = self._whole(picture[y : top + _TILE + margin, x : left + _TILE + margin])
                if found is None:
                    found = np.empty((self._scaled(height), self._scaled(width), part.shape[2]), part.dtype)
                bottom, right = min(height, top + _TILE), min(width, left + _TILE)
                found[self._scaled(top) : self._scaled(bottom), self._scaled(left) : self._scaled(right)] = part[
                    self._scaled(top - y) : self._scaled(bottom - y), self._scaled(left - x) : self._scaled(right - x)
                ]
        assert found is not None
        return found

    def _scaled(self, pixels: int) -> int:
        return round(self.scale * pixels)

    def _whole(self, picture: Array) -> Array:
        height, width = picture.shape[:2]
        padded = np.pad(picture, ((0, -height % self.step), (0, -width % self.step), (0, 0)), mode="symmetric")
        network = self._of_size(padded.shape)
        found: Array = network.predict(np.ascontiguousarray(padded[None], np.float32))[0]
        return found[: -(-self._scaled(2 * height) // 2), : -(-self._scaled(2 * width) // 2)]

    def _of_size(self, shape: tuple[int, ...]) -> Network:
        if shape not in self._of_sizes:
            while len(self._of_sizes) >= _KEPT:
                del self._of_sizes[next(iter(self._of_sizes))]
            x = Input(shape)
            network = Network(inputs=x, outputs=self.network(x), dtype=self.network.dtype)
            network.build(shape)
            self._of_sizes[shape] = network
        return self._of_sizes[shape]
