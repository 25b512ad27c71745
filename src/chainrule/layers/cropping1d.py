"""Sequences without their borders."""

from __future__ import annotations

from typing import Any, ClassVar

from ._borders import _Cropping


class Cropping1D(_Cropping):
    """Cuts the borders off sequences: ``y[n, t, c] = x[n, t + p, c]``.

    Parameters  cropping : int >= 0, or a (before, after) pair in a tuple = 1; (before, after) is (p, p') below
    Shapes      x (N, T, C) ; y (N, T − p − p', C)
    Backward    dx[n, t + p, c] = dy[n, t, c], and 0 at the borders
    Raises      ShapeError when x is not (N, T, C), or nothing would be left ;
                ParameterError when cropping is negative or not of that form

    Example
        >>> Cropping1D(((2, 0),))
        Cropping1D(((2, 0),))
    """

    axes: ClassVar[int] = 1

    def __init__(self, cropping: Any = 1):
        self.cropping = cropping
