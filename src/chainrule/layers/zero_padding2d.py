"""Zeros around images."""

from __future__ import annotations

from typing import Any, ClassVar

from ._borders import _ZeroPadding


class ZeroPadding2D(_ZeroPadding):
    """Puts zeros around images: ``y[n, i + p, j + q, c] = x[n, i, j, c]``, and 0 where no x is.

    Parameters  padding : int >= 0, or two of them for H and W, each an int or a (before, after) pair = 1;
                they are (p, p') and (q, q') below
    Shapes      x (N, H, W, C) ; y (N, H + p + p', W + q + q', C)
    Backward    dx[n, i, j, c] = dy[n, i + p, j + q, c]
    Raises      ShapeError when x is not (N, H, W, C) ; ParameterError when padding is negative or not of that form

    Example
        >>> ZeroPadding2D(((0, 1), 2))
        ZeroPadding2D(((0, 1), 2))
    """

    axes: ClassVar[int] = 2

    def __init__(self, padding: Any = 1):
        self.padding = padding
