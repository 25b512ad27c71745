"""The squared error."""

from __future__ import annotations

from .base import Builder, Loss, Saved, Value


class SquaredError(Loss):
    """Squared error ``ℓ = (z − y)²``, mean over the outputs of a sample.

    Shapes      z, y, ℓ (N, ...)
    Backward    dz = 2 (z − y) ⊙ dℓ
    """

    name = "squared_error"

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        d = k.subtract(z, y)
        return k.square(d), Saved(d=d)

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        return k.multiply(k.multiply(saved.d, 2.0), dl)
