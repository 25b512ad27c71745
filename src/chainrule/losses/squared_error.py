"""The squared error."""

from __future__ import annotations

import numpy as np

from .base import Array, Builder, ElementwiseLoss, Saved, Value


class SquaredError(ElementwiseLoss):
    """Squared error ``ℓ = (z − y)²``, mean over the outputs of a sample.

    Shapes      z, y, ℓ (N, ...) ; y may lack a last axis of size 1
    Backward    dz = 2 (z − y) ⊙ dℓ

    Example
        >>> SquaredError()
        SquaredError()
    """

    name = "squared_error"
    of_differences = True
    degree = 2

    def of_best_constant(self, y: Array, outputs: int) -> float:
        """The variance, as the mean is best."""
        return float(y.reshape(len(y), -1).var(axis=0, dtype=np.float64).mean())

    def apply(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        d = k.subtract(z, y)
        return k.square(d), Saved(d=d)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.multiply(saved.d, 2.0)
