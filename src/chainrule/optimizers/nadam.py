"""Adam with Nesterov's momentum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..constraints import Interval
from .adam import Adam
from .base import Builder, Floats, Value


class Nadam(Adam):
    """Adam with Nesterov's momentum: m and v as in Adam, ``w ← w − η (μₜ₊₁ m / (1−Pₜ₊₁) + (1−μₜ) g / (1−Pₜ)) / (√v̂ + ε)``.

    The momentum warms up as μₜ = β₁ (1 − ½ · 0.96^(t ψ)), with the products Pₜ = μ₁ μ₂ … μₜ, at step t = 1, 2, ...

    Parameters  learning_rate η : > 0 = 0.002 ; beta1, beta2 : in [0, 1) = 0.9, 0.999 ; epsilon ε : > 0 = 1e-8 ;
                momentum_decay ψ : >= 0 = 0.004 ; others : see Optimizer
    Raises      ParameterError when a number is out of its range
    References  Dozat, Incorporating Nesterov momentum into Adam, ICLR 2016 workshop

    Example
        >>> Nadam(0.001)
        Nadam(0.001)
    """

    name = "nadam"
    hyperparameters = {"momentum_decay": Interval(float, 0)}

    def __init__(self, learning_rate: Any = 0.002, *, momentum_decay: float = 0.004, **common: Any):
        super().__init__(learning_rate, **common)
        self.momentum_decay = momentum_decay

    def _momentum(self, t: Floats) -> Floats:
        return np.asarray(self.beta1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay)), np.float64)

    def _products(self, t: Floats) -> Floats:
        """1 − Pₜ for any step numbers, as on a run that is resumed."""
        last = int(t.max(initial=1))
        # Pₜ <= β₁ᵗ: from where this is below 2⁻⁶⁰, 1 − Pₜ is 1 in float64 and no more factors are needed.
        enough = math.ceil(60 * math.log(2) / -math.log(self.beta1)) if self.beta1 > 0 else 1
        steps = np.arange(1, min(last, enough) + 1, dtype=np.float64)
        products = np.cumprod(self._momentum(steps))
        return np.asarray(1 - products[np.minimum(t.astype(np.int64), len(products)) - 1])

    def scalars(self, t: Floats, lr: Floats) -> dict[str, Floats]:
        return {
            "lr": lr,
            "step": lr * self._momentum(t + 1) / self._products(t + 1),
            "ahead": lr * (1 - self._momentum(t)) / self._products(t),
            "root": 1 / np.sqrt(1 - self.beta2**t),
        }

    def scalar_equations(self) -> dict[str, tuple[str, str]]:
        b, p = self.beta1, self.momentum_decay
        text = f"μₜ = {b} (1 − 0.5 · 0.96^({p} t)), Pₜ = μ₁ μ₂ … μₜ"
        latex = rf"\mu_t = {b} (1 - 0.5 \cdot 0.96^{{{p} t}}),\ P_t = \mu_1 \mu_2 \cdots \mu_t"
        return {
            "step": ("η μₜ₊₁ / (1 − Pₜ₊₁)", r"\frac{\eta \, \mu_{t+1}}{1 - P_{t+1}}"),
            "ahead": (f"η (1 − μₜ) / (1 − Pₜ), {text}", rf"\frac{{\eta (1 - \mu_t)}}{{1 - P_t}},\quad {latex}"),
            "root": super().scalar_equations()["root"],
        }

    def update(self, k: Builder, w: Value, g: Value, slot: dict[str, Value]) -> None:
        m = k.add(k.multiply(slot["m"], self.beta1), k.multiply(g, 1 - self.beta1))
        v = k.add(k.multiply(slot["v"], self.beta2), k.multiply(k.square(g), 1 - self.beta2))
        k.assign(slot["m"], m)
        k.assign(slot["v"], v)
        denominator = k.add(k.multiply(k.sqrt(v), k.scalar("root")), self.epsilon)
        step = k.add(k.multiply(m, k.scalar("step")), k.multiply(g, k.scalar("ahead")))
        k.assign(w, k.subtract(w, k.divide(step, denominator)))
