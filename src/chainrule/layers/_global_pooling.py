"""What global pooling layers have in common."""

from __future__ import annotations

from math import prod
from typing import Any

from ..ops.value import Shape
from .base import Builder, Layer, ShapeError, Value


class _GlobalPooling(Layer):
    """Base of the layers that pool over all spatial axes, whatever their number: one window as large as the image."""

    role = "pooling"

    def _image(self, k: Builder, x: Value) -> Value:
        """x with 1, 2 or 3 spatial axes, which is what the ops take; more are laid out in one."""
        if x.ndim < 3:
            raise ShapeError(f"{type(self).__name__}: expected input (N, *spatial, C) such as (N, H, W, C), got {x.shape}.")
        return x if x.ndim <= 5 else k.reshape(x, (x.shape[0], prod(x.shape[1:-1]), x.shape[-1]))

    @staticmethod
    def _window(shape: Shape) -> dict[str, Any]:
        spatial = shape[1:-1]
        return {"kernel": spatial, "stride": spatial, "padding": ((0, 0),) * len(spatial)}
