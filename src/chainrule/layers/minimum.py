"""The smallest of several inputs."""

from __future__ import annotations

from typing import ClassVar

from ._extreme import _Extreme


class Minimum(_Extreme):
    """The smallest of its inputs, element by element ``y = min(x₁, x₂, ...)``.

    Shapes      x₁, x₂, ... : the same, or 1 on an axis, which is then repeated ; y : the larger sizes
    Backward    dxᵢ = dy where xᵢ is the smallest (the first of equal ones), else 0
    Raises      ShapeError when the shapes do not fit, or there are fewer than two inputs

    Example
        >>> from chainrule.layers import Input
        >>> y = Minimum()(Input((8,)), Input((8,)))
    """

    largest: ClassVar[bool] = False
