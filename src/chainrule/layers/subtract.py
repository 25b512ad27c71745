"""The difference of two inputs."""

from __future__ import annotations

from ._join import check_joined
from .base import Builder, Layer, Saved, Value


class Subtract(Layer):
    """Difference of two inputs ``y = x₁ − x₂``.

    Shapes      x₁, x₂ : the same, or 1 on an axis, which is then repeated ; y : the larger sizes
    Backward    dx₁ = dy, dx₂ = −dy, each summed over the axes on which its input was repeated
    Raises      ShapeError when the shapes do not fit

    Example
        >>> from chainrule.layers import Input
        >>> y = Subtract()(Input((8,)), Input((8,)))
    """

    linear = True
    stepwise = True
    arity = 2
    channel_map = "each"

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        check_joined("Subtract", xs)
        return k.subtract(xs[0], xs[1]), Saved(shapes=[x.shape for x in xs])

    def backward(self, k: Builder, saved: Saved, dy: Value) -> tuple[Value, ...]:
        return k.sum_to(dy, saved.shapes[0]), k.negative(k.sum_to(dy, saved.shapes[1]))
