"""The softsign function."""

from __future__ import annotations

from .base import Activation, Builder, Saved, Value


class Softsign(Activation):
    """Softsign ``a = z / (1 + |z|)``: like tanh, with tails that fall as 1/|z| instead of exponentially.

    Shapes      z, a : any
    Backward    dz = da ⊙ (1 / d)² with d = 1 + |z|    (not (1 − |a|)², which loses all digits far out)
    References  Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010

    Example
        >>> Softsign()
        Softsign()
    """

    activation_name = "softsign"

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        d = k.add(k.absolute(z), 1.0)
        return k.divide(z, d), Saved(d=d)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.square(k.divide(1.0, saved.d))
