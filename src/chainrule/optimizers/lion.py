"""Lion."""

from __future__ import annotations

from typing import Any

from ..constraints import Interval
from .base import Builder, Optimizer, Value


class Lion(Optimizer):
    """Steps of one size by the sign of a moving average: ``w ← w − η sign(β₁ m + (1−β₁) g)``, ``m ← β₂ m + (1−β₂) g``.

    It keeps one array where Adam keeps two. Every weight moves by η whatever its gradient is, so the rate is three to ten
    times smaller than Adam's, and ``weight_decay`` as many times larger.

    Parameters  learning_rate η : > 0 = 0.0001 ; beta1, beta2 : in [0, 1) = 0.9, 0.99 ; others : see Optimizer
    Raises      ParameterError when beta1 or beta2 is out of range
    References  Chen et al., Symbolic discovery of optimization algorithms, NeurIPS 2023

    Example
        >>> Lion(weight_decay=0.1)
        Lion(weight_decay=0.1)
    """

    name = "lion"
    slots = ("m",)
    hyperparameters = {
        "beta1": Interval(float, 0, 1),
        "beta2": Interval(float, 0, 1),
    }

    def __init__(self, learning_rate: Any = 0.0001, *, beta1: float = 0.9, beta2: float = 0.99, **common: Any):
        super().__init__(learning_rate, **common)
        self.beta1, self.beta2 = beta1, beta2

    def update(self, k: Builder, w: Value, g: Value, slot: dict[str, Value]) -> None:
        m = slot["m"]
        direction = k.sign(k.add(k.multiply(m, self.beta1), k.multiply(g, 1 - self.beta1)))
        k.assign(w, k.subtract(w, k.multiply(direction, k.scalar("lr"))))
        k.assign(m, k.add(k.multiply(m, self.beta2), k.multiply(g, 1 - self.beta2)))
