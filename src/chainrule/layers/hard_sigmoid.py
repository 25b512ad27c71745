"""The piecewise linear sigmoid."""

from __future__ import annotations

from .base import Activation, Builder, Saved, Value


class HardSigmoid(Activation):
    """Piecewise linear sigmoid ``a = max(0, min(1, z/6 + 1/2))``, as in PyTorch and Keras 3 (Keras 2 had z/5 + 1/2).

    Shapes      z, a : any
    Backward    dz = da / 6 where 0 < a < 1, else 0    (also 0 at the corners z = ±3)
    References  Courbariaux, Bengio and David, BinaryConnect, NIPS 2015 (the idea, with another slope);
                Howard et al., Searching for MobileNetV3, ICCV 2019 (this slope)

    Example
        >>> HardSigmoid()
        HardSigmoid()
    """

    activation_name = "hard_sigmoid"

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = k.maximum(k.minimum(k.add(k.multiply(z, 1 / 6), 0.5), 1.0), 0.0)
        return a, Saved(a=a)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        inside = k.multiply(k.greater(saved.a, 0.0), k.greater(1.0, saved.a))
        return k.multiply(inside, 1 / 6)
