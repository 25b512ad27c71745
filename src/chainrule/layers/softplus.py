"""The softplus function."""

from __future__ import annotations

from .base import Activation, Builder, Saved, Value


class Softplus(Activation):
    """Softplus ``a = log(1 + eᶻ)``, a smooth ReLU; computed as max(z, 0) + log(1 + e^−|z|), which cannot overflow.

    Shapes      z, a : any
    Backward    dz = da ⊙ σ(z) with σ(z) = 1 − e⁻ᵃ, exact also where σ(z) is tiny
    References  Dugas et al., Incorporating second-order functional knowledge for better option pricing, NIPS 2000

    Example
        >>> Softplus()
        Softplus()
    """

    activation_name = "softplus"

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = k.softplus(z)
        return a, Saved(a=a)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.negative(k.expm1(k.negative(saved.a)))
