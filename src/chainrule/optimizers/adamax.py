"""Adamax."""

from __future__ import annotations

from typing import Any

from .adam import Adam
from .base import Builder, Floats, Value


class Adamax(Adam):
    """Adam with the largest gradient in place of the mean square: ``u ← max(β₂ u, |g| + ε)``, ``w ← w − η m / ((1−β₁ᵗ) u)``.

    with ``m ← β₁ m + (1−β₁) g`` at step t. u needs no correction for its start at 0. No gradient is squared, so none
    overflows.

    Parameters  learning_rate η : > 0 = 0.002 ; beta1, beta2 : in [0, 1) = 0.9, 0.999 ; epsilon ε : > 0 = 1e-8 ;
                others : see Optimizer
    Raises      ParameterError when beta1, beta2 or epsilon is out of range
    References  Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015, section 7.1

    Example
        >>> Adamax(0.001)
        Adamax(0.001)
    """

    name = "adamax"
    slots = ("m", "u")

    def __init__(self, learning_rate: Any = 0.002, **adam: Any):
        super().__init__(learning_rate, **adam)

    def scalars(self, t: Floats, lr: Floats) -> dict[str, Floats]:
        return {"lr": lr, "step": lr / (1 - self.beta1**t)}

    def scalar_equations(self) -> dict[str, tuple[str, str]]:
        return {"step": super().scalar_equations()["step"]}

    def update(self, k: Builder, w: Value, g: Value, slot: dict[str, Value]) -> None:
        m = k.add(k.multiply(slot["m"], self.beta1), k.multiply(g, 1 - self.beta1))
        u = k.maximum(k.multiply(slot["u"], self.beta2), k.add(k.absolute(g), self.epsilon))
        k.assign(slot["m"], m)
        k.assign(slot["u"], u)
        k.assign(w, k.subtract(w, k.divide(k.multiply(m, k.scalar("step")), u)))
