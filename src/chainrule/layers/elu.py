"""The exponential linear unit."""

from __future__ import annotations

from ..constraints import Interval
from .base import Activation, Builder, Saved, Value


class ELU(Activation):
    """Exponential linear unit ``a = z where z > 0, else α (eᶻ − 1)``.

    The exponential sees min(z, 0) only, so it cannot overflow.

    Parameters  alpha α : float >= 0 = 1 ; −α is the limit for z → −∞
    Shapes      z, a : any
    Backward    dz = da where a > 0, else da ⊙ (a + α)
    Raises      ParameterError when alpha is negative or not finite
    References  Clevert, Unterthiner and Hochreiter, Fast and accurate deep network learning by exponential linear units,
                ICLR 2016

    Example
        >>> ELU(0.5)
        ELU(0.5)
    """

    activation_name = "elu"
    hyperparameters = {"alpha": Interval(float, 0)}

    def __init__(self, alpha: float = 1.0):
        self.alpha = alpha

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = k.add(k.relu(z), k.multiply(k.expm1(k.minimum(z, 0.0)), float(self.alpha)))
        return a, Saved(a=a)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.where_(k.greater(saved.a, 0.0), 1.0, k.add(saved.a, float(self.alpha)))
