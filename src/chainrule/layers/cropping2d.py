"""Images without their borders."""

from __future__ import annotations

from typing import Any, ClassVar

from ._borders import _Cropping


class Cropping2D(_Cropping):
    """Cuts the borders off images: ``y[n, i, j, c] = x[n, i + p, j + q, c]``.

    Parameters  cropping : int >= 0, or two of them for H and W, each an int or a (before, after) pair = 1;
                they are (p, p') and (q, q') below
    Shapes      x (N, H, W, C) ; y (N, H − p − p', W − q − q', C)
    Backward    dx[n, i + p, j + q, c] = dy[n, i, j, c], and 0 at the borders
    Raises      ShapeError when x is not (N, H, W, C), or nothing would be left ;
                ParameterError when cropping is negative or not of that form

    Example
        >>> Cropping2D(((0, 1), 2))
        Cropping2D(((0, 1), 2))
    """

    axes: ClassVar[int] = 2

    def __init__(self, cropping: Any = 1):
        self.cropping = cropping
