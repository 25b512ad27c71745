"""The absolute error."""

from __future__ import annotations

import numpy as np

from .base import Array, Builder, ElementwiseLoss, Saved, Value


class AbsoluteError(ElementwiseLoss):
    """Absolute error ``ℓ = |z − y|``, mean over the outputs of a sample; its minimum is the median of y.

    Shapes      z, y, ℓ (N, ...) ; y may lack a last axis of size 1
    Backward    dz = sign(z − y) ⊙ dℓ, with 0 at the kink

    Example
        >>> AbsoluteError()
        AbsoluteError()
    """

    name = "absolute_error"
    of_differences = True
    degree = 1

    def of_best_constant(self, y: Array, outputs: int) -> float:
        """The mean distance from the median, which is best."""
        flat = y.reshape(len(y), -1).astype(np.float64)
        return float(np.abs(flat - np.median(flat, axis=0)).mean())

    def apply(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        d = k.subtract(z, y)
        return k.absolute(d), Saved(d=d)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.sign(saved.d)
