"""Where in a sequence a step is."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..constraints import Boolean, Interval
from ..ops.value import Shape
from .base import Builder, Layer, Parameter, Saved, ShapeError, State, Value


class PositionalEncoding(Layer):
    """Adds to each step a vector that says where it is: ``y[n, t] = x[n, t] + P[t]``. Attention alone cannot see the order.

    By default ``P[t, 2j] = sin(t / 10000^(2j/D))``, ``P[t, 2j+1] = cos(t / 10000^(2j/D))``, without parameters: the
    vector a fixed number of steps later is always the same linear function of P[t]. With learned=True P is a parameter.

    Parameters  length : int >= 1, the longest sequence L
                learned : bool = False
                weight_init : Initializer or its name, of the learned P = "uniform", U(−0.05, 0.05)
    Shapes      x, y (N, T, D) with T <= L ; P (L, D)
    Backward    dx = dy ;  dP[t] = Σₙ dy[n, t] where learned
    Raises      ShapeError when x is not (N, T, D) or longer than L ; ParameterError for a bad hyperparameter
    References  Vaswani et al., Attention is all you need, NeurIPS 2017

    Example
        >>> PositionalEncoding(512)
        PositionalEncoding(512)
    """

    stepwise = True
    hyperparameters = {
        "length": Interval(int, 1),
        "learned": Boolean(),
    }

    def __init__(self, length: int, *, learned: bool = False, weight_init: Any = "uniform"):
        self.length, self.learned, self.weight_init = length, learned, weight_init

    @property
    def role(self) -> str:
        return "weight" if self.learned else "other"

    def _check(self, shape: Shape) -> Shape:
        if len(shape) != 3:
            raise ShapeError(f"PositionalEncoding: expected sequences (N, T, D), got {shape}.")
        if shape[1] > self.length:
            raise ShapeError(
                f"PositionalEncoding: the sequences have {shape[1]} steps, and the encoding knows {self.length}. "
                f"Make it with a larger length."
            )
        return (int(self.length), shape[2])

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        table = self._check(shapes[0])
        if not self.learned:
            return {}
        return {"weight": Parameter(table, self.weight_init, fan_in=table[0], fan_out=table[1], decay=False)}

    def states(self, *shapes: Shape) -> dict[str, State]:
        length, width = self._check(shapes[0])
        if self.learned:
            return {}
        angle = np.arange(length)[:, None] / 10000.0 ** (np.arange(width) // 2 * 2 / width)
        table = np.where(np.arange(width) % 2 == 0, np.sin(angle), np.cos(angle))
        return {"table": State((length, width), table)}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x = xs[0]
        self._check(x.shape)
        table = k.param("weight") if self.learned else k.state("table")
        rows = table if x.shape[1] == self.length else k.slice(table, 0, 0, x.shape[1])
        return k.add(x, rows), Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        if self.learned:
            d = k.sum(dy, axis=0)
            rest = int(self.length) - d.shape[0]
            k.grad("weight", k.pad(d, ((0, rest), (0, 0))))
        return dy
