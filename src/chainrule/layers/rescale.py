"""All numbers times one factor, plus one offset."""

from __future__ import annotations

from ..constraints import Interval
from .base import Activation, Builder, Saved, Value


class Rescale(Activation):
    """Multiplies by a fixed number and adds another: ``a = s z + o``, such as pixels of 0 to 255 to −1 to 1.

    Parameters  scale : finite number s = 1 ; offset : finite number o = 0
    Shapes      z, a : any
    Backward    dz = s da
    Raises      ParameterError when scale or offset is not a finite number

    Example
        >>> Rescale(1 / 127.5, -1)
        Rescale(0.00784313725490196, offset=-1)
    """

    role = "other"  # it bends nothing
    linear = True
    hyperparameters = {
        "scale": Interval(float),
        "offset": Interval(float),
    }

    def __init__(self, scale: float = 1.0, offset: float = 0.0):
        self.scale, self.offset = scale, offset

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = z if self.scale == 1 else k.multiply(z, float(self.scale))
        return a if self.offset == 0 and a is not z else k.add(a, float(self.offset)), Saved()

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.constant(float(self.scale))
