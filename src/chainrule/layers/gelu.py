"""The Gaussian error linear unit."""

from __future__ import annotations

from math import pi, sqrt

from .base import Activation, Builder, Saved, Value


class GELU(Activation):
    """Gaussian error linear unit ``a = z Φ(z)`` with Φ(z) = ½ erfc(−z / √2): the exact form, not that by tanh.

    The complementary error function keeps the digits of Φ(z) far left of zero, where 1 + erf(z / √2) would lose them.

    Shapes      z, a : any
    Backward    dz = da ⊙ (Φ(z) + z φ(z)) with φ(z) = e^(−z²/2) / √(2π)
    References  Hendrycks and Gimpel, Gaussian error linear units, 2016

    Example
        >>> GELU()
        GELU()
    """

    activation_name = "gelu"

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        p = k.multiply(k.erfc(k.multiply(z, -1 / sqrt(2))), 0.5)
        return k.multiply(z, p), Saved(z=z, p=p)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        # Far out e^(−z²/2) is 0 while z is finite (also where z² overflows), so the product is 0 and never ∞ · 0.
        density = k.multiply(k.exp(k.multiply(k.square(saved.z), -0.5)), 1 / sqrt(2 * pi))
        return k.add(saved.p, k.multiply(saved.z, density))
