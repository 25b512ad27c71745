"""The largest of several inputs."""

from __future__ import annotations

from typing import ClassVar

from ._extreme import _Extreme


class Maximum(_Extreme):
    """The largest of its inputs, element by element ``y = max(x₁, x₂, ...)``; the maxout of Goodfellow et al. (2013).

    Shapes      x₁, x₂, ... : the same, or 1 on an axis, which is then repeated ; y : the larger sizes
    Backward    dxᵢ = dy where xᵢ is the largest (the first of equal ones), else 0
    Raises      ShapeError when the shapes do not fit, or there are fewer than two inputs

    Example
        >>> from chainrule.layers import Input
        >>> y = Maximum()(Input((8,)), Input((8,)))
    """

    largest: ClassVar[bool] = True
