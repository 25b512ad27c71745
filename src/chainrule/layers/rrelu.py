"""The rectified linear unit with a random slope."""

from __future__ import annotations

from ..constraints import Interval
from ..errors import ParameterError
from .base import Activation, Builder, Saved, Value


class RReLU(Activation):
    """Randomised rectified linear unit ``a = z where z > 0, else r z``.

    In training r ~ U(low, high), drawn anew for every element at every step; in prediction r = (low + high) / 2.

    Parameters  low, high : 0 <= low <= high = 1/8, 1/3
    Shapes      z, a : any
    Backward    dz = da ⊙ s with s = 1 where z > 0, else r    (s is kept from the forward pass, not drawn again)
    Raises      ParameterError when low > high, or one is negative or not finite
    References  Xu et al., Empirical evaluation of rectified activations in convolutional network, 2015

    Example
        >>> RReLU(0.1, high=0.3)
        RReLU(0.1, high=0.3)
    """

    activation_name = "rrelu"
    hyperparameters = {
        "low": Interval(float, 0),
        "high": Interval(float, 0),
    }

    def __init__(self, low: float = 1 / 8, *, high: float = 1 / 3):
        self.low, self.high = low, high

    def validate(self) -> None:
        super().validate()
        if self.low > self.high:
            raise ParameterError(f"RReLU: low must be at most high. Got low={self.low!r}, high={self.high!r}.")

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        low, high = float(self.low), float(self.high)
        r: Value | float = (low + high) / 2
        if k.training and low < high:
            r = k.add(k.multiply(k.random_uniform(z.shape), high - low), low)
        s = k.where_(k.greater(z, 0.0), 1.0, r)
        return k.multiply(z, s), Saved(s=s)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return saved.s  # type: ignore[no-any-return]  # a namespace has no types
