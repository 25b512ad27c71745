"""The piecewise form of SiLU."""

from __future__ import annotations

from .base import Activation, Builder, Saved, Value


class HardSwish(Activation):
    """Piecewise SiLU ``a = z max(0, min(1, z/6 + 1/2))``, as MobileNetV3 uses it.

    Shapes      z, a : any
    Backward    dz = da ⊙ (0 where z ≤ −3, 1 where z ≥ 3, else z/3 + 1/2)
    References  Howard et al., Searching for MobileNetV3, ICCV 2019

    Example
        >>> HardSwish()
        HardSwish()
    """

    activation_name = "hard_swish"

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        gate = k.maximum(k.minimum(k.add(k.multiply(z, 1 / 6), 0.5), 1.0), 0.0)
        return k.multiply(z, gate), Saved(z=z, gate=gate)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        inside = k.multiply(k.greater(saved.gate, 0.0), k.greater(1.0, saved.gate))
        return k.add(saved.gate, k.multiply(k.multiply(saved.z, 1 / 6), inside))
