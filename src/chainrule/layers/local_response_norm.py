"""Normalisation by the neighbouring channels."""

from __future__ import annotations

from ..constraints import Interval
from .base import Builder, Layer, Saved, ShapeError, Value


class LocalResponseNorm(Layer):
    """Local response normalisation ``y = x / bᵝ``, ``b_c = κ + α/size Σ x²`` over ``size`` neighbouring channels of c.

    Parameters  size : int >= 1 = 5, channels in a neighbourhood; one more lies after than before where it is even ;
                alpha : number = 1e-4 ; beta : number = 0.75 ; kappa : number > 0 = 1
    Shapes      x, y (N, ..., C)
    Backward    dx_c = dy_c b_c⁻ᵝ − 2 α β / size x_c Σ dy_e y_e / b_e over the e whose neighbourhood c lies in
    Raises      ShapeError when a sample has no channels ; ParameterError when an argument is out of its range
    References  Krizhevsky, Sutskever and Hinton, ImageNet classification with deep convolutional neural networks, NIPS 2012

    Example
        >>> LocalResponseNorm(5, alpha=1e-4)
        LocalResponseNorm()
    """

    role = "normalisation"
    stepwise = True
    hyperparameters = {
        "size": Interval(int, 1),
        "alpha": Interval(float, 0),
        "beta": Interval(float),
        "kappa": Interval(float, 1e-30),
    }

    def __init__(self, size: int = 5, *, alpha: float = 1e-4, beta: float = 0.75, kappa: float = 1.0):
        self.size, self.alpha, self.beta, self.kappa = size, alpha, beta, kappa

    def _sum(self, k: Builder, x: Value, before: int, after: int) -> Value:
        """Of every channel the sum over ``before`` channels before it, itself, and ``after`` channels after it."""
        channels = x.shape[-1]
        padded = k.pad(x, [*[(0, 0)] * (x.ndim - 1), (before, after)])
        total = k.slice(padded, x.ndim - 1, 0, channels)
        for i in range(1, before + after + 1):
            total = k.add(total, k.slice(padded, x.ndim - 1, i, i + channels))
        return total

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, size = xs[0], int(self.size)
        if x.ndim < 2:
            raise ShapeError(f"LocalResponseNorm: expected input (N, ..., C), got {x.shape}.")
        before, after = (size - 1) // 2, size // 2
        squares = self._sum(k, k.square(x), before, after)
        b = k.add(k.multiply(squares, float(self.alpha) / size), float(self.kappa))
        # b⁻ᵝ as b¹⁻ᵝ / b: not a number where the squares have overflowed, in place of a 0 that hides it.
        inverse = k.divide(k.exp(k.multiply(k.log(b), 1 - float(self.beta))), b)
        y = k.multiply(x, inverse)
        return y, Saved(x=x, y=y, b=b, inverse=inverse)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        size = int(self.size)
        # The neighbourhoods that a channel lies in are those of its neighbours the other way round.
        shared = self._sum(k, k.divide(k.multiply(dy, saved.y), saved.b), size // 2, (size - 1) // 2)
        factor = -2 * float(self.alpha) * float(self.beta) / size
        return k.add(k.multiply(dy, saved.inverse), k.multiply(k.multiply(saved.x, shared), factor))
