"""The smooth activation Mish."""

from __future__ import annotations

from .base import Activation, Builder, Saved, Value


class Mish(Activation):
    """``a = z tanh(log(1 + eᶻ))``.

    Shapes      z, a : any
    Backward    dz = da ⊙ (t + z σ(z) (1 − t²)) with t = tanh(log(1 + eᶻ))
    References  Misra, Mish: a self regularized non-monotonic activation function, BMVC 2020

    Example
        >>> Mish()
        Mish()
    """

    activation_name = "mish"

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        t = k.tanh(k.softplus(z))
        return k.multiply(z, t), Saved(z=z, t=t)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        slope = k.multiply(k.sigmoid(saved.z), k.subtract(1.0, k.square(saved.t)))
        return k.add(saved.t, k.multiply(saved.z, slope))
