"""The quotient of two inputs."""

from __future__ import annotations

from ._join import check_joined
from .base import Builder, Layer, Saved, Value


class Divide(Layer):
    """Quotient of two inputs, element by element ``y = x₁ / x₂``; ±∞ or not a number where x₂ is 0.

    Shapes      x₁, x₂ : the same, or 1 on an axis, which is then repeated ; y : the larger sizes
    Backward    dx₁ = dy / x₂, dx₂ = −dy ⊙ y / x₂, each summed over the axes on which its input was repeated
    Raises      ShapeError when the shapes do not fit

    Example
        >>> from chainrule.layers import Input
        >>> y = Divide()(Input((8,)), Input((8,)))
    """

    stepwise = True
    arity = 2
    channel_map = "each"

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        check_joined("Divide", xs)
        y = k.divide(xs[0], xs[1])
        return y, Saved(xs=xs, y=y)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> tuple[Value, ...]:
        a, b = saved.xs
        first = k.divide(dy, b)
        return k.sum_to(first, a.shape), k.negative(k.sum_to(k.multiply(first, saved.y), b.shape))
