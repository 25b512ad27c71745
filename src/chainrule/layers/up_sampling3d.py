"""Larger volumes."""

from __future__ import annotations

from typing import ClassVar

from ._upsampling import _UpSampling


class UpSampling3D(_UpSampling):
    """Makes volumes larger by factors (q, s, r): ``y[n, h, i, j, c] = x[n, ⌊h / q⌋, ⌊i / s⌋, ⌊j / r⌋, c]``, or with
    method="trilinear" mixed from the eight elements around ((h + ½) / q − ½, (i + ½) / s − ½, (j + ½) / r − ½) by their
    distances; outside the outermost elements it is constant (PyTorch's align_corners=False).

    Parameters  scale : int >= 1 or three = 2, the factors ; method : "nearest" or "trilinear" = "nearest"
    Shapes      x (N, D, H, W, C) ; y (N, q D, s H, r W, C)
    Backward    dx[n, t, u, v, c] = Σ dy[n, h, i, j, c] times the weight of t, u, v in h, i, j, over all h, i, j
    Raises      ShapeError when x is not (N, D, H, W, C) ; ParameterError when a factor < 1 ;
                UnknownNameError for another method

    Example
        >>> UpSampling3D((1, 2, 2), method="trilinear")
        UpSampling3D((1, 2, 2), method='trilinear')
    """

    axes: ClassVar[int] = 3
    methods: ClassVar[dict[str, str]] = {"nearest": "nearest", "trilinear": "linear"}

    def __init__(self, scale: int | tuple[int, ...] = 2, *, method: str = "nearest"):
        self.scale, self.method = scale, method
