"""Rectified Adam."""

from __future__ import annotations

import numpy as np

from .adam import Adam
from .base import Builder, Floats, Value


class RAdam(Adam):
    """Adam whose first steps are those of momentum: m and v as in Adam, ``w ← w − η m̂ r / (√v̂ + ε)``, or ``w ← w − η m̂``.

    The mean square of a few gradients varies so much that dividing by it makes wild steps; a warm-up hides that. Here the
    length of the mean, ``ρₜ = ρ∞ − 2 t β₂ᵗ / (1−β₂ᵗ)`` with ``ρ∞ = 2 / (1−β₂) − 1``, decides: while ρₜ <= 5 nothing is
    divided, and then ``r = √((ρₜ−4)(ρₜ−2) ρ∞ / ((ρ∞−4)(ρ∞−2) ρₜ))`` rises to 1. With β₂ = 0.999 division begins at step 6.

    Parameters  learning_rate η : > 0 = 0.001 ; beta1, beta2 : in [0, 1) = 0.9, 0.999 ; epsilon ε : > 0 = 1e-8 ;
                others : see Optimizer
    Raises      ParameterError when beta1, beta2 or epsilon is out of range
    References  Liu, Jiang, He, Chen, Liu, Gao and Han, On the variance of the adaptive learning rate and beyond, ICLR 2020

    Example
        >>> RAdam(0.01)
        RAdam(0.01)
    """

    name = "radam"

    def scalars(self, t: Floats, lr: Floats) -> dict[str, Floats]:
        decayed = self.beta2**t
        longest = 2 / (1 - self.beta2) - 1
        length = longest - 2 * t * decayed / (1 - decayed)
        divides = length > 5
        known = np.where(divides, length, 6.0)
        bottom = (longest - 4) * (longest - 2)
        top = (known - 4) * (known - 2) * longest
        # With β₂ <= 2/3 the mean is never long enough, and then nothing is ever divided.
        rectified = np.sqrt(np.where(divides, top / (bottom if bottom > 0 else 1.0) / known, 0.0))
        step = lr / (1 - self.beta1**t)
        return {"lr": lr, "divided": step * rectified * np.sqrt(1 - decayed), "plain": np.where(divides, 0.0, step)}

    def scalar_equations(self) -> dict[str, tuple[str, str]]:
        b1, b2 = self.beta1, self.beta2
        return {
            "divided": (
                f"η r √(1 − {b2}ᵗ) / (1 − {b1}ᵗ) where ρₜ > 5, else 0",
                rf"\frac{{\eta \, r \sqrt{{1 - {b2}^t}}}}{{1 - {b1}^t}} \text{{ where }} \rho_t > 5, \text{{ else }} 0",
            ),
            "plain": (
                f"η / (1 − {b1}ᵗ) where ρₜ <= 5, else 0",
                rf"\frac{{\eta}}{{1 - {b1}^t}} \text{{ where }} \rho_t \le 5, \text{{ else }} 0",
            ),
        }

    def update(self, k: Builder, w: Value, g: Value, slot: dict[str, Value]) -> None:
        m = k.add(k.multiply(slot["m"], self.beta1), k.multiply(g, 1 - self.beta1))
        v = k.add(k.multiply(slot["v"], self.beta2), k.multiply(k.square(g), 1 - self.beta2))
        k.assign(slot["m"], m)
        k.assign(slot["v"], v)
        rate = k.add(k.divide(k.scalar("divided"), k.add(k.sqrt(v), self.epsilon)), k.scalar("plain"))
        k.assign(w, k.subtract(w, k.multiply(m, rate)))
