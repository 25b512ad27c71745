"""A place where the gradient ends."""

from __future__ import annotations

from .base import Builder, Layer, Saved, Value


class StopGradient(Layer):
    """The identity ``y = x`` in the forward pass, which passes no gradient back: what made x learns nothing from here.

    Shapes      x, y : any
    Backward    dx = 0

    Example
        >>> StopGradient()
        StopGradient()
    """

    role = "reshaping"
    linear = True
    stepwise = True

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        return xs[0], Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> None:
        return None
