"""The sigmoid linear unit."""

from __future__ import annotations

from .base import Activation, Builder, Saved, Value


class SiLU(Activation):
    """Sigmoid linear unit, also called swish: ``a = z σ(z)``.

    Shapes      z, a : any
    Backward    dz = da ⊙ (σ(z) + a (1 − σ(z)))
    References  Elfwing, Uchibe and Doya, Sigmoid-weighted linear units for neural network function approximation in
                reinforcement learning, 2018

    Example
        >>> SiLU()
        SiLU()
    """

    activation_name = "silu"

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        s = k.sigmoid(z)
        a = k.multiply(z, s)
        return a, Saved(a=a, s=s)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.add(saved.s, k.multiply(saved.a, k.subtract(1.0, saved.s)))
