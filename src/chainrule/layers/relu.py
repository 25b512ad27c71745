"""The rectified linear unit."""

from __future__ import annotations

from .base import Activation, Builder, Saved, Value


class ReLU(Activation):
    """Rectified linear unit ``a = max(0, z)``.

    Shapes      z, a : any
    Backward    dz = da ⊙ [a > 0]    (the derivative at 0 is taken as 0)
    References  Nair and Hinton, Rectified linear units improve restricted Boltzmann machines, ICML 2010

    Example
        >>> ReLU()
        ReLU()
    """

    activation_name = "relu"

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = k.relu(z)
        return a, Saved(a=a)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.greater(saved.a, 0.0)
