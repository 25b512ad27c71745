"""Longer sequences."""

from __future__ import annotations

from typing import ClassVar

from ._upsampling import _UpSampling


class UpSampling1D(_UpSampling):
    """Makes sequences longer by a factor s: ``y[n, t, c] = x[n, ⌊t / s⌋, c]``, or with method="linear" on the straight line
    between the two elements around (t + ½) / s − ½; before the first and behind the last element it is constant.

    Parameters  scale : int >= 1 or one in a tuple = 2, the factor s ; method : "nearest" or "linear" = "nearest"
    Shapes      x (N, T, C) ; y (N, s T, C)
    Backward    dx[n, u, c] = Σ dy[n, t, c] times the weight of u in t, over all t
    Raises      ShapeError when x is not (N, T, C) ; ParameterError when scale < 1 ;
                UnknownNameError for another method

    Example
        >>> UpSampling1D(3, method="linear")
        UpSampling1D(3, method='linear')
    """

    axes: ClassVar[int] = 1
    methods: ClassVar[dict[str, str]] = {"nearest": "nearest", "linear": "linear"}

    def __init__(self, scale: int | tuple[int, ...] = 2, *, method: str = "nearest"):
        self.scale, self.method = scale, method
