"""What the layers that add and remove borders have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from ._spatial import Pairs, check_image, check_pairs, pairs
from .base import Builder, Layer, Saved, ShapeError, Value


def _cut(k: Builder, x: Value, borders: Pairs) -> Value:
    for axis, (before, after) in enumerate(borders, 1):
        if before or after:
            x = k.slice(x, axis, before, x.shape[axis] - after)
    return x


class _ZeroPadding(Layer):
    """Base of the layers that put zeros around images."""

    role = "reshaping"
    axes: ClassVar[int]
    padding: Any

    def validate(self) -> None:
        check_pairs(self, "padding", self.axes)

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        check_image(self, self.axes, xs[0].shape)
        return k.pad(xs[0], ((0, 0), *pairs(self.padding, self.axes), (0, 0))), Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return _cut(k, dy, pairs(self.padding, self.axes))


class _Cropping(Layer):
    """Base of the layers that cut the borders off images."""

    role = "reshaping"
    axes: ClassVar[int]
    cropping: Any

    def validate(self) -> None:
        check_pairs(self, "cropping", self.axes)

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, borders = xs[0], pairs(self.cropping, self.axes)
        check_image(self, self.axes, x.shape)
        for axis, (size, (before, after)) in enumerate(zip(x.shape[1:-1], borders, strict=True)):
            if before + after >= size:
                raise ShapeError(
                    f"{type(self).__name__}: cutting {before} + {after} elements leaves nothing of the {size} on spatial "
                    f"axis {axis}."
                )
        return _cut(k, x, borders), Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return k.pad(dy, ((0, 0), *pairs(self.cropping, self.axes), (0, 0)))
