"""Adagrad."""

from __future__ import annotations

from typing import Any

from ..constraints import POSITIVE, Interval
from .base import Builder, Optimizer, Value


class Adagrad(Optimizer):
    """Adaptive gradient: ``s ← s + g²``, ``w ← w − η g / (√s + ε)``.

    Weights whose gradients are rare keep large steps; every step only gets smaller.

    Parameters  learning_rate η : > 0 = 0.01 ; epsilon ε : > 0 = 1e-10 ; initial_accumulator : >= 0 = 0, s at the start ;
                others : see Optimizer
    Raises      ParameterError when epsilon or initial_accumulator is out of range
    References  Duchi, Hazan and Singer, Adaptive subgradient methods for online learning, JMLR 12, 2011

    Example
        >>> Adagrad(0.1, initial_accumulator=0.1)
        Adagrad(0.1, initial_accumulator=0.1)
    """

    name = "adagrad"
    slots = ("s",)
    hyperparameters = {
        "epsilon": POSITIVE,
        "initial_accumulator": Interval(float, 0),
    }

    def __init__(
        self, learning_rate: Any = 0.01, *, epsilon: float = 1e-10, initial_accumulator: float = 0.0, **common: Any
    ):
        super().__init__(learning_rate, **common)
        self.epsilon, self.initial_accumulator = epsilon, initial_accumulator

    def slot_start(self) -> dict[str, float]:
        return {"s": float(self.initial_accumulator)}

    def update(self, k: Builder, w: Value, g: Value, slot: dict[str, Value]) -> None:
        s = k.add(slot["s"], k.square(g))
        k.assign(slot["s"], s)
        step = k.divide(k.multiply(g, k.scalar("lr")), k.add(k.sqrt(s), self.epsilon))
        k.assign(w, k.subtract(w, step))
