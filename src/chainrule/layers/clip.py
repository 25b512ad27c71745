"""Numbers kept between two bounds."""

from __future__ import annotations

from ..constraints import Interval, Maybe
from ..errors import ParameterError
from .base import Activation, Builder, Saved, Value


class Clip(Activation):
    """Keeps numbers between two bounds: ``a = max(low, min(high, z))``.

    Parameters  low, high : finite numbers, or None for no bound ; low < high, and not both None
    Shapes      z, a : any
    Backward    dz = da where low < z < high, else 0    (also 0 at the bounds)
    Raises      ParameterError when there is no bound, a bound is not a finite number, or low is not less than high

    Example
        >>> Clip(-1, 1)
        Clip(-1, high=1)
    """

    hyperparameters = {
        "low": Maybe(Interval(float)),
        "high": Maybe(Interval(float)),
    }

    def __init__(self, low: float | None = None, high: float | None = None):
        self.low, self.high = low, high

    def validate(self) -> None:
        super().validate()
        if self.low is None and self.high is None:
            raise ParameterError("Clip: at least one of low and high must be given.")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ParameterError(f"Clip: low must be less than high. Got low={self.low!r} and high={self.high!r}.")

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = z if self.high is None else k.minimum(z, float(self.high))
        return a if self.low is None else k.maximum(a, float(self.low)), Saved(z=z)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        above = None if self.low is None else k.greater(saved.z, float(self.low))
        below = None if self.high is None else k.greater(float(self.high), saved.z)
        if above is None or below is None:
            found = below if above is None else above
            assert found is not None
            return found
        return k.multiply(above, below)


class ReLU6(Activation):
    """The rectified linear unit with a ceiling: ``a = min(max(0, z), 6)``, as MobileNet uses it.

    Shapes      z, a : any
    Backward    dz = da where 0 < z < 6, else 0    (also 0 at the corners)
    References  Howard et al., MobileNets, 2017

    Example
        >>> ReLU6()
        ReLU6()
    """

    activation_name = "relu6"

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = k.minimum(k.relu(z), 6.0)
        return a, Saved(a=a)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.multiply(k.greater(saved.a, 0.0), k.greater(6.0, saved.a))
