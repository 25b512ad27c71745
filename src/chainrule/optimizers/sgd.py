"""Stochastic gradient descent, with momentum or Nesterov's momentum."""

from __future__ import annotations

from typing import Any

from ..constraints import Boolean, Interval
from ..errors import ParameterError
from .base import Builder, Optimizer, Value


class SGD(Optimizer):
    """Gradient descent ``w ← w − η g``; with momentum μ: ``v ← μ v + g``, ``w ← w − η v``.

    With nesterov=True the step is ``w ← w − η (g + μ v)``, the gradient a momentum step ahead.

    Parameters  learning_rate η : > 0 = 0.01 ; momentum μ : in [0, 1) = 0 ; nesterov : bool = False ; others : see Optimizer
    Raises      ParameterError when momentum is outside [0, 1)
    References  Sutskever et al., On the importance of initialization and momentum in deep learning, ICML 2013

    Example
        >>> SGD(0.1, momentum=0.9, nesterov=True)
        SGD(0.1, momentum=0.9, nesterov=True)
    """

    name = "sgd"
    hyperparameters = {
        "momentum": Interval(float, 0, 1),
        "nesterov": Boolean(),
    }

    def __init__(self, learning_rate: Any = 0.01, *, momentum: float = 0.0, nesterov: bool = False, **common: Any):
        super().__init__(learning_rate, **common)
        self.momentum, self.nesterov = momentum, nesterov

    @property
    def slots(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    def validate(self) -> None:
        super().validate()
        if self.nesterov and not self.momentum:
            raise ParameterError("SGD: nesterov=True needs a momentum above 0, such as momentum=0.9.")

    def update(self, k: Builder, w: Value, g: Value, slot: dict[str, Value]) -> None:
        step = g
        if self.momentum:
            v = k.add(k.multiply(slot["velocity"], self.momentum), g)
            k.assign(slot["velocity"], v)
            step = k.add(g, k.multiply(v, self.momentum)) if self.nesterov else v
        k.assign(w, k.subtract(w, k.multiply(step, k.scalar("lr"))))
