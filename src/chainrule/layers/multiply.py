"""The product of several inputs."""

from __future__ import annotations

from ._join import check_joined
from .base import Builder, Layer, Saved, Value


class Multiply(Layer):
    """Product of its inputs, element by element ``y = x₁ ⊙ x₂ ⊙ ...``: a gate is ``Multiply()(x, Sigmoid()(g))``.

    Shapes      x₁, x₂, ... : the same, or 1 on an axis, which is then repeated ; y : the larger sizes
    Backward    dxᵢ = dy ⊙ Π xⱼ over j ≠ i, summed over the axes on which xᵢ was repeated
                (zeros are exact, nothing is divided)
    Raises      ShapeError when the shapes do not fit, or there are fewer than two inputs

    Example
        >>> from chainrule.layers import Input
        >>> a, b = Input((8,)), Input((8,))
        >>> y = Multiply()(a, b)
    """

    stepwise = True
    arity = None
    channel_map = "each"

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        check_joined("Multiply", xs)
        y = xs[0]
        for x in xs[1:]:
            y = k.multiply(y, x)
        return y, Saved(xs=xs)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> tuple[Value, ...]:
        # From the left dy ⊙ x₁ ⊙ ... ⊙ xᵢ₋₁ and from the right xᵢ₊₁ ⊙ ...: two passes whatever the number of inputs.
        xs: tuple[Value, ...] = saved.xs
        left = [dy]
        for x in xs[:-1]:
            left.append(k.multiply(left[-1], x))
        found, right = [left[-1]], xs[-1]
        for i in range(len(xs) - 2, -1, -1):
            found.append(k.multiply(left[i], right))
            if i:
                right = k.multiply(xs[i], right)
        return tuple(k.sum_to(dx, x.shape) for dx, x in zip(reversed(found), xs, strict=True))
