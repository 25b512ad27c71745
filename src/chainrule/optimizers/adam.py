"""Adam."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..constraints import POSITIVE, Interval
from .base import Builder, Floats, Optimizer, Value


class Adam(Optimizer):
    """Adaptive moments: ``m ← β₁ m + (1−β₁) g``, ``v ← β₂ v + (1−β₂) g²``, ``w ← w − η m̂ / (√v̂ + ε)``.

    with m̂ = m / (1−β₁ᵗ) and v̂ = v / (1−β₂ᵗ) at step t.

    Parameters  learning_rate η : > 0 = 0.001 ; beta1, beta2 : in [0, 1) = 0.9, 0.999 ; epsilon ε : > 0 = 1e-8 ;
                others : see Optimizer
    Raises      ParameterError when beta1, beta2 or epsilon is out of range
    References  Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015

    Example
        >>> Adam(0.01, beta2=0.99)
        Adam(0.01, beta2=0.99)
    """

    name = "adam"
    slots = ("m", "v")
    hyperparameters = {
        "beta1": Interval(float, 0, 1),
        "beta2": Interval(float, 0, 1),
        "epsilon": POSITIVE,
    }

    def __init__(
        self, learning_rate: Any = 0.001, *, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, **common: Any
    ):
        super().__init__(learning_rate, **common)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def scalars(self, t: Floats, lr: Floats) -> dict[str, Floats]:
        # η m̂ / (√v̂ + ε) = step · m / (√v · root + ε): two numbers a step instead of two divisions an element.
        return {"lr": lr, "step": lr / (1 - self.beta1**t), "root": 1 / np.sqrt(1 - self.beta2**t)}

    def scalar_equations(self) -> dict[str, tuple[str, str]]:
        b1, b2 = self.beta1, self.beta2
        return {
            "step": (f"η / (1 − {b1}ᵗ)", rf"\frac{{\eta}}{{1 - {b1}^t}}"),
            "root": (f"1 / √(1 − {b2}ᵗ)", rf"\frac{{1}}{{\sqrt{{1 - {b2}^t}}}}"),
        }

    def update(self, k: Builder, w: Value, g: Value, slot: dict[str, Value]) -> None:
        m = k.add(k.multiply(slot["m"], self.beta1), k.multiply(g, 1 - self.beta1))
        v = k.add(k.multiply(slot["v"], self.beta2), k.multiply(k.square(g), 1 - self.beta2))
        k.assign(slot["m"], m)
        k.assign(slot["v"], v)
        denominator = k.add(k.multiply(k.sqrt(v), k.scalar("root")), self.epsilon)
        k.assign(w, k.subtract(w, k.divide(k.multiply(m, k.scalar("step")), denominator)))
