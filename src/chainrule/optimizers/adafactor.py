"""Adafactor."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np

from ..constraints import POSITIVE, Interval
from ..ops.value import Value
from .base import Builder, Floats, Optimizer


class Adafactor(Optimizer):
    """Steps relative to the weights, over mean squares that are factored: ``w ← w − α U / max(1, rms(U) / d)``.

    For a matrix (weights of several axes are one with the last axis as columns) the mean square of each entry is the product
    of those of its row and its column: ``R ← β R + (1−β) mean over columns of g²``, ``Q ← β Q + (1−β) mean over rows of g²``
    and ``V = R Qᵀ / mean(R)``; for a vector ``V = R ← β R + (1−β) g²``. Then ``U = g / max(√V, ε₁)`` and
    ``α = max(ε₂, rms(w)) min(η, 1/√t)`` with ``β = 1 − t^decay`` at step t. So the rate is a share of the size of the
    weights, small mean squares of the first steps do not make large steps, and no warm-up is needed.

    The slots are as large as the parameters, and a matrix uses the first entries of its part only: the factors make the
    means less noisy, and do not save memory here.

    Parameters  learning_rate η : > 0 = 0.01, the largest share of the weights that a step changes ; decay : < 0 = −0.8 ;
                clip d : > 0 = 1, the largest root mean square of U ; epsilon1 : > 0 = 1.2e-7 ; epsilon2 : >= 0 = 0.001, the
                least size that weights count with ; others : see Optimizer
    Raises      ParameterError when a number is out of its range
    References  Shazeer and Stern, Adafactor: adaptive learning rates with sublinear memory cost, ICML 2018

    Example
        >>> Adafactor(0.02)
        Adafactor(0.02)
    """

    name = "adafactor"
    slots = ("r", "q")
    by_variable = True
    hyperparameters = {
        "decay": Interval(float, None, 0),
        "clip": POSITIVE,
        "epsilon1": POSITIVE,
        "epsilon2": Interval(float, 0),
    }

    def __init__(
        self,
        learning_rate: Any = 0.01,
        *,
        decay: float = -0.8,
        clip: float = 1.0,
        epsilon1: float = 2.0**-23,
        epsilon2: float = 1e-3,
        **common: Any,
    ):
        super().__init__(learning_rate, **common)
        self.decay, self.clip, self.epsilon1, self.epsilon2 = decay, clip, epsilon1, epsilon2

    def scalars(self, t: Floats, lr: Floats) -> dict[str, Floats]:
        return {"lr": lr, "rate": np.minimum(lr, 1 / np.sqrt(t)), "new": t**self.decay, "kept": 1 - t**self.decay}

    def scalar_equations(self) -> dict[str, tuple[str, str]]:
        d = self.decay
        return {
            "rate": ("min(η, 1 / √t)", r"\min(\eta, 1 / \sqrt{t})"),
            "new": (f"t^({d})", rf"t^{{{d}}}"),
            "kept": (f"1 − t^({d})", rf"1 - t^{{{d}}}"),
        }

    def update(self, k: Builder, w: Value, g: Value, slot: dict[str, Value]) -> None:
        shape, squares = g.shape, k.square(g)
        rows, columns = (prod(shape[:-1]), shape[-1]) if len(shape) > 1 else (1, prod(shape))
        if min(rows, columns) > 1:
            matrix = k.reshape(squares, (rows, columns))
            row = self._mean(k, _first(slot["r"], rows), k.mean(matrix, axis=1))
            column = self._mean(k, _first(slot["q"], columns), k.mean(matrix, axis=0))
            share = k.divide(row, k.maximum(k.mean(row, axis=0), float(self.epsilon1)))
            variance = k.reshape(k.multiply(k.reshape(share, (rows, 1)), k.reshape(column, (1, columns))), shape)
        else:
            variance = self._mean(k, slot["r"], squares)
        step = k.divide(g, k.maximum(k.sqrt(variance), float(self.epsilon1)))
        size = k.multiply(k.sqrt(k.sum(k.square(step))), 1 / (sqrt(g.size) * float(self.clip)))
        weights = k.multiply(k.sqrt(k.sum(k.square(w))), 1 / sqrt(g.size))
        rate = k.multiply(k.maximum(weights, float(self.epsilon2)), k.scalar("rate"))
        k.assign(w, k.subtract(w, k.multiply(step, k.divide(rate, k.maximum(size, 1.0)))))

    @staticmethod
    def _mean(k: Builder, kept: Value, new: Value) -> Value:
        """The running mean, which is stored where it was kept."""
        found = k.add(k.multiply(kept, k.scalar("kept")), k.multiply(new, k.scalar("new")))
        k.assign(kept, found)
        return found


def _first(slot: Value, size: int) -> Value:
    """The first entries of the slot of a parameter, where fewer numbers are kept than it has."""
    return Value((size,), name=slot.name, base=slot.base, offset=slot.offset)
