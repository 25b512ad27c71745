"""The mean of several inputs."""

from __future__ import annotations

from ._join import check_joined
from .base import Builder, Layer, Saved, Value


class Average(Layer):
    """Mean of its K inputs, element by element ``y = (x₁ + x₂ + ...) / K``.

    Shapes      x₁, x₂, ... : the same, or 1 on an axis, which is then repeated ; y : the larger sizes
    Backward    dxᵢ = dy / K, summed over the axes on which xᵢ was repeated
    Raises      ShapeError when the shapes do not fit, or there are fewer than two inputs

    Example
        >>> from chainrule.layers import Input
        >>> y = Average()(Input((8,)), Input((8,)))
    """

    linear = True
    stepwise = True
    arity = None
    channel_map = "each"

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        check_joined("Average", xs)
        y = xs[0]
        for x in xs[1:]:
            y = k.add(y, x)
        return k.multiply(y, 1 / len(xs)), Saved(shapes=[x.shape for x in xs])

    def backward(self, k: Builder, saved: Saved, dy: Value) -> tuple[Value, ...]:
        share = k.multiply(dy, 1 / len(saved.shapes))
        return tuple(k.sum_to(share, shape) for shape in saved.shapes)
