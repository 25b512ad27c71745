"""A window of a time series as seen from its last value."""

from __future__ import annotations

from .base import Builder, Layer, Saved, ShapeError, Value


class SubtractLast(Layer):
    """Distance from the last step of each sequence: ``y[n, t] = x[n, t] − x[n, T]``.

    What a forecast learns from such windows it can use at any level of the series, also at one that training has not seen.

    Shapes      x (N, T, C) ; y (N, T, C)
    Backward    dx[n, t] = dy[n, t] for t < T ; dx[n, T] = dy[n, T] − Σₜ dy[n, t]
    Raises      ShapeError when x is not (N, T, C)
    References  NLinear in: Zeng et al., Are transformers effective for time series forecasting?, AAAI 2023

    Example
        >>> SubtractLast()
        SubtractLast()
    """

    linear = True

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x = xs[0]
        if x.ndim != 3:
            raise ShapeError(f"SubtractLast: expected sequences (N, T, C). Got {x.shape}.")
        last = x.shape[1] - 1
        return k.subtract(x, k.slice(x, 1, last, last + 1)), Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        total = k.sum(dy, axis=1, keepdims=True)
        return k.subtract(dy, k.pad(total, ((0, 0), (dy.shape[1] - 1, 0), (0, 0))))
