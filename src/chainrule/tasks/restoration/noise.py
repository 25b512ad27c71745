"""Noise, which a network of convolutions finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...architectures import dncnn
from ...errors import ParameterError, ShapeError
from ...model import Network
from .any_size import AnySize
from .degradation import Degradation, Pair, likeness

__all__ = ["Noise"]

Array = NDArray[Any]


class Noise(Degradation):
    """Normal noise whose strength the network is not told: it is drawn anew for every patch, evenly from a range.

    Parameters  sigma : (lowest, highest) standard deviation in bytes ; channels : of the pictures, 1 or 3
    """

    task, result, before = "denoise", "denoised", "noisy"
    patch, step = 48, 2
    metrics = ("psnr",)

    def __init__(self, *, sigma: Sequence[float] = (0.0, 55.0), channels: int = 1) -> None:
        if len(sigma) != 2 or not 0 <= sigma[0] <= sigma[1] <= 255:
            raise ParameterError(f"sigma must be one number of bytes, or (lowest, highest), from 0 to 255. Got {sigma!r}.")
        self.sigma, self.channels = (float(sigma[0]), float(sigma[1])), int(channels)

    def network(self, side: int, *, width: int, depth: int, random_state: int, dtype: str) -> Network:
        shape = (side, side, self.channels or 1)
        return dncnn(shape[2], width=width, depth=depth, input_shape=shape, random_state=random_state, dtype=dtype)

    def pair(self, picture: Array) -> Pair:
        return Pair(picture, picture)

    def batch(self, sources: Array, targets: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        clean = targets.astype(np.float32) / np.float32(255)
        low, high = self.sigma
        strength = rng.uniform(low / 255, high / 255, (len(clean), 1, 1, 1)).astype(np.float32)
        return clean + strength * rng.standard_normal(clean.shape, np.float32), clean

    def restored(self, picture: Array, network: AnySize) -> Array:
        if picture.shape[2] == 3 and self.channels == 1:
            raise ShapeError(
                "This model has learned from grey pictures. Give it the channels of a picture with colours one by one, as "
                "(H, W), or train a model on pictures with colours."
            )
        seen = np.repeat(picture, 3, axis=2) if self.channels == 3 and picture.shape[2] == 1 else picture
        clean = np.clip(network(seen), 0, 1)
        return clean.mean(axis=2, keepdims=True) if clean.shape[2] > picture.shape[2] else clean

    def spoilt(self, picture: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        strength = rng.uniform(*self.sigma) / 255
        return picture + strength * rng.standard_normal(picture.shape, np.float32), picture

    def scores(self, restored: Array, given: Array, truth: Array) -> dict[str, float]:
        return {**likeness(restored, truth), "PSNR of noisy": likeness(given, truth)["PSNR"]}

    def state(self) -> dict[str, Any]:
        return {"task": self.task, "sigma": list(self.sigma), "channels": self.channels}

    def description(self) -> list[tuple[str, str]]:
        low, high = self.sigma
        strength = f"{low:g}" if low == high else f"{low:g} to {high:g}, which the network is not told"
        kind = "grey" if self.channels == 1 else "colours"
        return [("Noise", f"normal, standard deviation {strength} (of 255)"), ("Pictures", f"{kind}, of any size")]
