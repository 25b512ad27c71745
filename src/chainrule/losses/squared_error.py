"""The squared error."""

from __future__ import annotations

from .base import Builder, ElementwiseLoss, Saved, Value


class SquaredError(ElementwiseLoss):
    """Squared error ``ℓ = (z − y)²``, mean over the outputs of a sample.

    Shapes      z, y, ℓ (N, ...) ; y may lack a last axis of size 1
    Backward    dz = 2 (z − y) ⊙ dℓ

    Example
        >>> SquaredError()
        SquaredError()
    """

    name = "squared_error"

    def apply(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        d = k.subtract(z, y)
        return k.square(d), Saved(d=d)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.multiply(saved.d, 2.0)
