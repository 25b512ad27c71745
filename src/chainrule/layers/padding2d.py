"""A border around images, made of their own pixels."""

from __future__ import annotations

from typing import Any

from ..constraints import Interval, OneOf
from ._spatial import Borders, check_image, pairs
from .base import Builder, Layer, Saved, ShapeError, Value

_MODES = ("reflect", "replicate", "constant")


class Padding2D(Layer):
    """Puts a border around images: their pixels mirrored at the edge, the pixels of the edge repeated, or one number.

    Parameters  padding : int >= 0, one for each axis, or (before, after) pairs = 1
                mode : "reflect" (d c b | a b c d | c b a), "replicate" (a a a | a b c d | d d d) or "constant" = "reflect"
                value : finite number = 0, of the border with mode="constant"
    Shapes      x (N, H, W, C) ; y (N, before + H + after, before + W + after, C)
    Backward    dx = the sum of dy over the places that a pixel came to
    Raises      ShapeError when x is not (N, H, W, C), or smaller than a mirrored border ;
                ParameterError when padding or value is out of its range ; UnknownNameError for another mode

    Example
        >>> Padding2D(3)
        Padding2D(3)
    """

    role = "reshaping"
    hyperparameters = {
        "padding": Borders(2),
        "mode": OneOf(*_MODES),
        "value": Interval(float),
    }

    def __init__(self, padding: Any = 1, *, mode: str = "reflect", value: float = 0.0):
        self.padding, self.mode, self.value = padding, mode, value

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x = xs[0]
        check_image(self, 2, x.shape)
        around = pairs(self.padding, 2)
        if self.mode == "constant":
            # Zeros around x − value, and the value put back everywhere.
            value = float(self.value)
            inside = x if value == 0 else k.subtract(x, value)
            y = k.pad(inside, [(0, 0), *around, (0, 0)])
            return (y if value == 0 else k.add(y, value)), Saved(shape=x.shape, around=around)
        for axis, (before, after) in enumerate(around, 1):
            size = x.shape[axis]
            if self.mode == "reflect" and max(before, after) >= size:
                raise ShapeError(
                    f"Padding2D: to mirror a border of {max(before, after)} it needs images of at least "
                    f"{max(before, after) + 1}. Got {x.shape}."
                )
            parts = [k.slice(x, axis, i, i + 1) for i in self._sources(before, after, size)]
            if before + after:
                x = k.concat([*parts[:before], x, *parts[before:]], axis)
        return x, Saved(shape=xs[0].shape, around=around)

    def _sources(self, before: int, after: int, size: int) -> list[int]:
        """Which row each row of the border is, those before the image first."""
        if self.mode == "replicate":
            return [0] * before + [size - 1] * after
        return [*range(before, 0, -1), *range(size - 2, size - 2 - after, -1)]

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        around, shape = saved.around, saved.shape
        for axis in (2, 1):
            (before, after), size = around[axis - 1], shape[axis]
            inside = k.slice(dy, axis, before, before + size)
            if self.mode != "constant":
                places = [*range(before), *range(before + size, before + size + after)]
                for place, source in zip(places, self._sources(before, after, size), strict=True):
                    row = k.slice(dy, axis, place, place + 1)
                    border = [(0, 0)] * 4
                    border[axis] = source, size - 1 - source
                    inside = k.add(inside, k.pad(row, border))
            dy = inside
        return dy
