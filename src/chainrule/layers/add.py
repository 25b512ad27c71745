"""The sum of several inputs."""

from __future__ import annotations

from ._join import check_joined
from .base import Builder, Layer, Saved, Value


class Add(Layer):
    """Sum of its inputs ``y = x₁ + x₂ + ...``: a residual connection is ``Add()(x, f(x))``.

    Shapes      x₁, x₂, ... : the same, or 1 on an axis, which is then repeated ; y : the larger sizes
    Backward    dxᵢ = dy, summed over the axes on which xᵢ was repeated
    Raises      ShapeError when the shapes do not fit, or there are fewer than two inputs

    Example
        >>> from chainrule.layers import Input
        >>> a, b = Input((8,)), Input((8,))
        >>> y = Add()(a, b)
    """

    arity = None

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        check_joined("Add", xs)
        y = xs[0]
        for x in xs[1:]:
            y = k.add(y, x)
        return y, Saved(shapes=[x.shape for x in xs])

    def backward(self, k: Builder, saved: Saved, dy: Value) -> tuple[Value, ...]:
        return tuple(k.sum_to(dy, shape) for shape in saved.shapes)
