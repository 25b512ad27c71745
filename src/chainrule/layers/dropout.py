"""Dropout."""

from __future__ import annotations

from ..constraints import Interval
from .base import Builder, Layer, Saved, Value


class Dropout(Layer):
    """Inverted dropout: in training ``y = x ⊙ m / (1 − rate)`` with mᵢ = 0 with probability rate, else 1; else ``y = x``.

    The mask m is drawn anew for every element at every step from the seed of the training, and kept for the backward
    pass. Dividing by 1 − rate keeps the expectation of y at x, so prediction needs no scaling. Of a sparse x only the
    entries that are not zero have a mask.

    Parameters  rate : float in [0, 1) ; the share of elements set to 0, on average
    Shapes      x, y : any
    Backward    dx = dy ⊙ m / (1 − rate)
    Raises      ParameterError when rate is outside [0, 1)
    References  Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014

    Example
        >>> Dropout(0.2)
        Dropout(0.2)
    """

    role = "regularisation"
    linear = True
    stepwise = True
    hyperparameters = {"rate": Interval(float, 0, 1)}

    def __init__(self, rate: float):
        self.rate = rate

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, rate = xs[0], float(self.rate)
        if not k.training or rate == 0:
            return x, Saved(m=None)
        shape = x.shape if x.sparse is None else (x.sparse.entries,)
        m = k.multiply(k.greater_equal(k.random_uniform(shape), rate), 1 / (1 - rate))
        if x.sparse is not None:
            return k.scale_entries(x, m), Saved(m=None)
        return k.multiply(x, m), Saved(m=m)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return dy if saved.m is None else k.multiply(dy, saved.m)
