"""The hyperbolic tangent."""

from __future__ import annotations

from .base import Activation, Builder, Saved, Value


class Tanh(Activation):
    """Hyperbolic tangent ``a = tanh(z) = (eᶻ − e⁻ᶻ) / (eᶻ + e⁻ᶻ)``.

    Shapes      z, a : any
    Backward    dz = da ⊙ (1 − a²)
    References  LeCun et al., Efficient backprop, Neural Networks: Tricks of the Trade, 1998

    Example
        >>> Tanh()
        Tanh()
    """

    activation_name = "tanh"

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = k.tanh(z)
        return a, Saved(a=a)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.subtract(1.0, k.square(saved.a))
