"""All axes of a sample in one."""

from __future__ import annotations

from math import prod

from .base import Builder, Layer, Saved, Value


class Flatten(Layer):
    """Lays the axes of each sample out in one: ``y[n, :] = x[n].ravel()``. It copies nothing.

    Shapes      x (N, ...) ; y (N, product of the other sizes), (N, 1) for x (N,)
    Backward    dx = dy in the shape of x

    Example
        >>> Flatten()
        Flatten()
    """

    role = "reshaping"

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        shape = xs[0].shape
        return k.reshape(xs[0], (shape[0], prod(shape[1:]))), Saved(shape=shape)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return k.reshape(dy, saved.shape)
