"""Larger images."""

from __future__ import annotations

from typing import ClassVar

from ._upsampling import _UpSampling


class UpSampling2D(_UpSampling):
    """Makes images larger by factors (s, r): ``y[n, i, j, c] = x[n, ⌊i / s⌋, ⌊j / r⌋, c]``, or with method="bilinear"
    mixed from the four pixels around ((i + ½) / s − ½, (j + ½) / r − ½) by their distances; outside the
    outermost pixels it is constant (PyTorch's align_corners=False).

    Parameters  scale : int >= 1 or two = 2, the factors ; method : "nearest" or "bilinear" = "nearest"
    Shapes      x (N, H, W, C) ; y (N, s H, r W, C)
    Backward    dx[n, u, v, c] = Σ dy[n, i, j, c] times the weight of u, v in i, j, over all i, j
    Raises      ShapeError when x is not (N, H, W, C) ; ParameterError when a factor < 1 ;
                UnknownNameError for another method

    Example
        >>> UpSampling2D(2, method="bilinear")
        UpSampling2D(method='bilinear')
    """

    axes: ClassVar[int] = 2
    methods: ClassVar[dict[str, str]] = {"nearest": "nearest", "bilinear": "linear"}

    def __init__(self, scale: int | tuple[int, ...] = 2, *, method: str = "nearest"):
        self.scale, self.method = scale, method
