"""The sum of several inputs."""

from __future__ import annotations

from ..constraints import Boolean
from ._join import check_joined
from .base import Builder, Layer, Saved, Value


class Add(Layer):
    """Sum of its inputs ``y = x₁ + x₂ + ...``: a residual connection is ``Add()(x, f(x))``.

    Parameters  broadcast : bool = True ; whether a size of 1 on an axis is repeated to the size of the others
    Shapes      x₁, x₂, ... : the same, or 1 on an axis, which is then repeated ; y : the larger sizes
    Backward    dxᵢ = dy, summed over the axes on which xᵢ was repeated
    Raises      ShapeError when the shapes do not fit, or there are fewer than two inputs ;
                ParameterError when broadcast is not a bool

    Example
        >>> from chainrule.layers import Input
        >>> a, b = Input((8,)), Input((8,))
        >>> y = Add()(a, b)
    """

    linear = True
    stepwise = True
    arity = None
    channel_map = "each"
    hyperparameters = {"broadcast": Boolean()}

    def __init__(self, *, broadcast: bool = True):
        self.broadcast = broadcast

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        check_joined("Add", xs, broadcast=self.broadcast)
        y = xs[0]
        for x in xs[1:]:
            y = k.add(y, x)
        return y, Saved(shapes=[x.shape for x in xs])

    def backward(self, k: Builder, saved: Saved, dy: Value) -> tuple[Value, ...]:
        return tuple(k.sum_to(dy, shape) for shape in saved.shapes)
