"""Huber's loss."""

from __future__ import annotations

from ..constraints import POSITIVE
from .base import Builder, ElementwiseLoss, Saved, Value


class Huber(ElementwiseLoss):
    """Huber's loss of d = z − y: ``ℓ = ½ d²`` where |d| ≤ δ, else ``ℓ = δ (|d| − ½ δ)``; mean over the outputs of a sample.

    Squared near 0 and absolute far away, so that outliers pull with at most the force δ. With c, d cut to [−δ, δ], both
    pieces are one: ℓ = c (d − ½ c).

    Parameters  delta δ : > 0 = 1.0, in units of y
    Shapes      z, y, ℓ (N, ...) ; y may lack a last axis of size 1
    Backward    dz = c ⊙ dℓ
    Raises      ParameterError when delta is not positive and finite
    References  Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics 35, 1964

    Example
        >>> Huber(delta=2.0)
        Huber(delta=2.0)
    """

    name = "huber"
    of_differences = True
    degree = 1
    hyperparameters = {"delta": POSITIVE}

    def __init__(self, *, delta: float = 1.0):
        self.delta = delta

    def apply(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        d = k.subtract(z, y)
        c = k.minimum(k.maximum(d, -self.delta), self.delta)
        return k.multiply(c, k.subtract(d, k.multiply(c, 0.5))), Saved(c=c)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        c: Value = saved.c
        return c
