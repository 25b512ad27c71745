"""Zeros around sequences."""

from __future__ import annotations

from typing import Any, ClassVar

from ._borders import _ZeroPadding


class ZeroPadding1D(_ZeroPadding):
    """Puts zeros around sequences: ``y[n, t + p, c] = x[n, t, c]``, and 0 where no x is.

    Parameters  padding : int >= 0, or a (before, after) pair in a tuple = 1; (before, after) is (p, p') below
    Shapes      x (N, T, C) ; y (N, T + p + p', C)
    Backward    dx[n, t, c] = dy[n, t + p, c]
    Raises      ShapeError when x is not (N, T, C) ; ParameterError when padding is negative or not of that form

    Example
        >>> ZeroPadding1D(((2, 0),))
        ZeroPadding1D(((2, 0),))
    """

    axes: ClassVar[int] = 1

    def __init__(self, padding: Any = 1):
        self.padding = padding
