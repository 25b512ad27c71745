"""What the layers that add and remove borders have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from ..constraints import Constraint
from ._spatial import Borders, Pairs, check_image, pairs
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

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        return super().constraints() | {"padding": Borders(cls.axes)}

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

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        return super().constraints() | {"cropping": Borders(cls.axes)}

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
