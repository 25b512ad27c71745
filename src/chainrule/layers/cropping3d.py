"""Volumes without their borders."""

from __future__ import annotations

from typing import Any, ClassVar

from ._borders import _Cropping


class Cropping3D(_Cropping):
    """Cuts the borders off volumes: ``y[n, h, i, j, c] = x[n, h + p, i + q, j + r, c]``.

    Parameters  cropping : int >= 0, or three of them for D, H and W, each an int or a (before, after) pair = 1;
                they are (p, p'), (q, q') and (r, r') below
    Shapes      x (N, D, H, W, C) ; y (N, D − p − p', H − q − q', W − r − r', C)
    Backward    dx[n, h + p, i + q, j + r, c] = dy[n, h, i, j, c], and 0 at the borders
    Raises      ShapeError when x is not (N, D, H, W, C), or nothing would be left ;
                ParameterError when cropping is negative or not of that form

    Example
        >>> Cropping3D(((0, 1), 2, 0))
        Cropping3D(((0, 1), 2, 0))
    """

    axes: ClassVar[int] = 3

    def __init__(self, cropping: Any = 1):
        self.cropping = cropping
