"""The self-normalising exponential linear unit."""

from __future__ import annotations

from .base import Activation, Builder, Saved, Value

#: The fixed point of Klambauer et al. (their equation 14): with them, mean 0 and variance 1 pass through the layers.
ALPHA = 1.6732632423543772848170429916717
SCALE = 1.0507009873554804934193349852946


class SELU(Activation):
    """Scaled exponential linear unit ``a = λ z where z > 0, else λ α (eᶻ − 1)``, α = 1.67326..., λ = 1.05070....

    With LeCun-normal weights, which are the default in front of it, activations keep mean 0 and variance 1.

    Shapes      z, a : any
    Backward    dz = λ da where a > 0, else da ⊙ (a + λ α)
    References  Klambauer et al., Self-normalizing neural networks, NIPS 2017

    Example
        >>> SELU()
        SELU()
    """

    activation_name = "selu"

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = k.add(k.multiply(k.relu(z), SCALE), k.multiply(k.expm1(k.minimum(z, 0.0)), SCALE * ALPHA))
        return a, Saved(a=a)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.where_(k.greater(saved.a, 0.0), SCALE, k.add(saved.a, SCALE * ALPHA))
