"""The logistic function."""

from __future__ import annotations

from .base import Activation, Builder, Saved, Value


class Sigmoid(Activation):
    """Logistic function ``a = σ(z) = 1 / (1 + e⁻ᶻ)``, computed from e^−|z|, which cannot overflow.

    Shapes      z, a : any
    Backward    dz = da ⊙ a (1 − a)

    Example
        >>> Sigmoid()
        Sigmoid()
    """

    activation_name = "sigmoid"

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = k.sigmoid(z)
        return a, Saved(a=a)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.multiply(saved.a, k.subtract(1.0, saved.a))
