"""The axes of a sample in another order."""

from __future__ import annotations

from ..constraints import EachOf, Interval
from ..errors import ParameterError
from .base import Builder, Layer, Saved, ShapeError, Value


class Permute(Layer):
    """Puts the axes of each sample into another order: ``y[n].shape[i] = x[n].shape[axes[i] − 1]``.

    Parameters  axes : ints from 1, where 1 is the first axis after the batch, each of them once
    Shapes      x (N, s₁, s₂, ...) ; y (N, s_axes[0], s_axes[1], ...)
    Backward    dx is dy with its axes in their former order
    Raises      ParameterError when axes are not the numbers 1, ..., D in some order ;
                ShapeError when x has other than D axes after the batch

    Example
        >>> Permute((3, 1, 2))  # images with channels last to images with channels first
        Permute((3, 1, 2))
    """

    role = "reshaping"
    hyperparameters = {"axes": EachOf(Interval(int), hint="Number the axes of a sample from 1 on, as in (2, 1).")}

    def __init__(self, axes: tuple[int, ...]):
        self.axes = axes

    def validate(self) -> None:
        super().validate()
        if sorted(self.axes) != list(range(1, len(self.axes) + 1)):
            raise ParameterError(
                f"Permute: axes must be the numbers 1, ..., D of a sample's axes, each of them once, such as (2, 1). "
                f"Got {self.axes!r}."
            )

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        order = (0, *(int(a) for a in self.axes))
        if xs[0].ndim != len(order):
            raise ShapeError(
                f"Permute: {len(order) - 1} axes are put in order, but the input {xs[0].shape} has {xs[0].ndim - 1} axes "
                f"after the batch."
            )
        return k.transpose(xs[0], order), Saved(order=order)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return k.transpose(dy, tuple(saved.order.index(i) for i in range(len(saved.order))))
