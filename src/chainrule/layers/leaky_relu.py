"""The leaky rectified linear unit."""

from __future__ import annotations

from ..constraints import Interval
from .base import Activation, Builder, Saved, Value


class LeakyReLU(Activation):
    """Leaky rectified linear unit ``a = z where z > 0, else α z``.

    Parameters  negative_slope α : float >= 0 = 0.01
    Shapes      z, a : any
    Backward    dz = da where a > 0, else α da    (the derivative at 0 is taken as α; α >= 0 makes a > 0 mean z > 0)
    Raises      ParameterError when negative_slope is negative or not finite
    References  Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic models, ICML 2013

    Example
        >>> LeakyReLU(0.2)
        LeakyReLU(0.2)
    """

    activation_name = "leaky_relu"
    hyperparameters = {"negative_slope": Interval(float, 0)}

    def __init__(self, negative_slope: float = 0.01):
        self.negative_slope = negative_slope

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = k.where_(k.greater(z, 0.0), z, k.multiply(z, float(self.negative_slope)))
        return a, Saved(a=a)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.where_(k.greater(saved.a, 0.0), 1.0, float(self.negative_slope))
