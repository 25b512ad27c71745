"""Zeros around volumes."""

from __future__ import annotations

from typing import Any, ClassVar

from ._borders import _ZeroPadding


class ZeroPadding3D(_ZeroPadding):
    """Puts zeros around volumes: ``y[n, h + p, i + q, j + r, c] = x[n, h, i, j, c]``, and 0 where no x is.

    Parameters  padding : int >= 0, or three of them for D, H and W, each an int or a (before, after) pair = 1;
                they are (p, p'), (q, q') and (r, r') below
    Shapes      x (N, D, H, W, C) ; y (N, D + p + p', H + q + q', W + r + r', C)
    Backward    dx[n, h, i, j, c] = dy[n, h + p, i + q, j + r, c]
    Raises      ShapeError when x is not (N, D, H, W, C) ; ParameterError when padding is negative or not of that form

    Example
        >>> ZeroPadding3D(((0, 1), 2, 0))
        ZeroPadding3D(((0, 1), 2, 0))
    """

    axes: ClassVar[int] = 3

    def __init__(self, padding: Any = 1):
        self.padding = padding
