"""Adadelta."""

from __future__ import annotations

from typing import Any

from ..constraints import POSITIVE, Interval
from .base import Builder, Optimizer, Value


class Adadelta(Optimizer):
    """Steps in the units of w: ``Δ = g √(u + ε) / √(s + ε)``, ``w ← w − η Δ``.

    with the mean squares ``s ← ρ s + (1−ρ) g²`` before the step and ``u ← ρ u + (1−ρ) Δ²`` after it.

    Parameters  learning_rate η : > 0 = 1.0, as in the paper, which has none ; rho ρ : in [0, 1) = 0.9 ;
                epsilon ε : > 0 = 1e-6, sets the size of the first steps ; others : see Optimizer
    Raises      ParameterError when rho or epsilon is out of range
    References  Zeiler, ADADELTA: an adaptive learning rate method, arXiv 1212.5701, 2012

    Example
        >>> Adadelta(rho=0.95)
        Adadelta(rho=0.95)
    """

    name = "adadelta"
    slots = ("s", "u")
    hyperparameters = {
        "rho": Interval(float, 0, 1),
        "epsilon": POSITIVE,
    }

    def __init__(self, learning_rate: Any = 1.0, *, rho: float = 0.9, epsilon: float = 1e-6, **common: Any):
        super().__init__(learning_rate, **common)
        self.rho, self.epsilon = rho, epsilon

    def update(self, k: Builder, w: Value, g: Value, slot: dict[str, Value]) -> None:
        s = k.add(k.multiply(slot["s"], self.rho), k.multiply(k.square(g), 1 - self.rho))
        ratio = k.divide(k.add(slot["u"], self.epsilon), k.add(s, self.epsilon))
        step = k.multiply(k.sqrt(ratio), g)
        u = k.add(k.multiply(slot["u"], self.rho), k.multiply(k.square(step), 1 - self.rho))
        k.assign(slot["s"], s)
        k.assign(slot["u"], u)
        k.assign(w, k.subtract(w, k.multiply(step, k.scalar("lr"))))
