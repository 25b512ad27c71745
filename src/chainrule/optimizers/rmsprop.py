"""RMSprop."""

from __future__ import annotations

from typing import Any

from ..constraints import POSITIVE, Boolean, Interval
from .base import Builder, Optimizer, Value


class RMSprop(Optimizer):
    """Gradient over its root mean square: ``v ← ρ v + (1−ρ) g²``, ``w ← w − η g / (√v + ε)``.

    centered=True divides by the standard deviation instead: ``a ← ρ a + (1−ρ) g``, and v − a² takes the place of v. With
    momentum μ the step goes through a velocity: ``b ← μ b + g / (√v + ε)``, ``w ← w − η b``.

    Parameters  learning_rate η : > 0 = 0.001 ; rho ρ : in [0, 1) = 0.9 ; epsilon ε : > 0 = 1e-8 ;
                momentum μ : in [0, 1) = 0 ; centered : bool = False ; others : see Optimizer
    Raises      ParameterError when rho, epsilon or momentum is out of range
    References  Hinton, Neural networks for machine learning, lecture 6e, 2012 ;
                centered: Graves, Generating sequences with recurrent neural networks, arXiv 1308.0850, 2013

    Example
        >>> RMSprop(momentum=0.9)
        RMSprop(momentum=0.9)
    """

    name = "rmsprop"
    hyperparameters = {
        "rho": Interval(float, 0, 1),
        "epsilon": POSITIVE,
        "momentum": Interval(float, 0, 1),
        "centered": Boolean(),
    }

    def __init__(
        self,
        learning_rate: Any = 0.001,
        *,
        rho: float = 0.9,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        centered: bool = False,
        **common: Any,
    ):
        super().__init__(learning_rate, **common)
        self.rho, self.epsilon, self.momentum, self.centered = rho, epsilon, momentum, centered

    @property
    def slots(self) -> tuple[str, ...]:
        return ("v", *(("a",) if self.centered else ()), *(("velocity",) if self.momentum else ()))

    def update(self, k: Builder, w: Value, g: Value, slot: dict[str, Value]) -> None:
        v = k.add(k.multiply(slot["v"], self.rho), k.multiply(k.square(g), 1 - self.rho))
        k.assign(slot["v"], v)
        if self.centered:
            a = k.add(k.multiply(slot["a"], self.rho), k.multiply(g, 1 - self.rho))
            k.assign(slot["a"], a)
            # A variance is not negative, but its difference of two rounded numbers can be.
            v = k.maximum(k.subtract(v, k.square(a)), 0.0)
        step = k.divide(g, k.add(k.sqrt(v), self.epsilon))
        if self.momentum:
            step = k.add(k.multiply(slot["velocity"], self.momentum), step)
            k.assign(slot["velocity"], step)
        k.assign(w, k.subtract(w, k.multiply(step, k.scalar("lr"))))
