"""What the largest and the smallest of several inputs have in common."""

from __future__ import annotations

from typing import ClassVar

from ._join import check_joined
from .base import Builder, Layer, Saved, Value


class _Extreme(Layer):
    """Base of Maximum and Minimum: the gradient goes to the input that was taken, to the first of equal ones."""

    stepwise = True
    arity = None
    channel_map = "each"
    largest: ClassVar[bool]

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        check_joined(type(self).__name__, xs)
        steps, y = [], xs[0]
        for x in xs[1:]:
            steps.append((y, x))
            y = k.maximum(y, x) if self.largest else k.minimum(y, x)
        return y, Saved(steps=steps, shapes=[x.shape for x in xs])

    def backward(self, k: Builder, saved: Saved, dy: Value) -> tuple[Value, ...]:
        found: list[Value] = []
        for y, x in reversed(saved.steps):
            kept = k.greater_equal(y, x) if self.largest else k.greater_equal(x, y)
            own = k.multiply(dy, k.subtract(1.0, kept))
            found.append(k.sum_to(own, x.shape))
            dy = k.sum_to(k.multiply(dy, kept), y.shape)
        return (k.sum_to(dy, saved.shapes[0]), *reversed(found))
