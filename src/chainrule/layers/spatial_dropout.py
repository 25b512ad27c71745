"""Dropout of whole channels."""

from __future__ import annotations

from ..constraints import Interval
from .base import Builder, Layer, Saved, ShapeError, Value


class SpatialDropout(Layer):
    """Dropout of whole channels: in training ``y[n, ..., c] = x[n, ..., c] m[n, c] / (1 − rate)`` with m = 0 with
    probability rate, else 1; else ``y = x``.

    Neighbours in an image are so alike that dropping single ones (Dropout) takes hardly anything away.

    Parameters  rate : float in [0, 1) ; the share of channels set to 0, on average
    Shapes      x, y (N, *spatial, C) with one spatial axis or more
    Backward    dx = dy ⊙ m / (1 − rate)
    Raises      ShapeError when x has no spatial axis ; ParameterError when rate is outside [0, 1)
    References  Tompson et al., Efficient object localization using convolutional networks, CVPR 2015

    Example
        >>> SpatialDropout(0.2)
        SpatialDropout(0.2)
    """

    role = "regularisation"
    linear = True
    stepwise = True
    hyperparameters = {"rate": Interval(float, 0, 1)}

    def __init__(self, rate: float):
        self.rate = rate

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, rate = xs[0], float(self.rate)
        if x.ndim < 3:
            raise ShapeError(f"SpatialDropout: expected input (N, *spatial, C) such as (N, H, W, C), got {x.shape}.")
        if not k.training or rate == 0:
            return x, Saved(m=None)
        drawn = k.random_uniform((x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1]))
        m = k.multiply(k.greater_equal(drawn, rate), 1 / (1 - rate))
        return k.multiply(x, m), Saved(m=m)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return dy if saved.m is None else k.multiply(dy, saved.m)
