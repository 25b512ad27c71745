"""Sums up to each place of an axis."""

from __future__ import annotations

from ..constraints import Boolean, Interval
from ..ops.value import Shape
from .base import Builder, Layer, Saved, ShapeError, Value


class CumulativeSum(Layer):
    """Sums of the elements up to each place of an axis: ``yₜ = Σ xᵤ`` over u ≤ t.

    Parameters  axis : int = -1, of the arrays with their batch axis, which is 0 and cannot be chosen
                exclusive : bool = False ; whether an element is left out of its own sum (u < t)
                reverse : bool = False ; whether sums begin at the end (u ≥ t)
    Shapes      x, y (N, ...)
    Backward    dxᵤ = Σ dyₜ over the t in whose sums u is: the same sums from the other end
    Raises      ShapeError when the axis is that of the batch or not there ; ParameterError for a bad hyperparameter

    Example
        >>> CumulativeSum(1, reverse=True)
        CumulativeSum(1, reverse=True)
    """

    role = "other"
    linear = True
    passes_scale = False
    hyperparameters = {"axis": Interval(int), "exclusive": Boolean(), "reverse": Boolean()}

    def __init__(self, axis: int = -1, *, exclusive: bool = False, reverse: bool = False):
        self.axis, self.exclusive, self.reverse = axis, exclusive, reverse

    def _axis(self, shape: Shape) -> int:
        axis = int(self.axis)
        if not -len(shape) <= axis < len(shape) or axis % len(shape) == 0:
            raise ShapeError(f"CumulativeSum: the axis {axis} is that of the batch, or not there, in {shape}.")
        return axis % len(shape)

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        axis = self._axis(xs[0].shape)
        return k.cumulative_sum(xs[0], axis, exclusive=self.exclusive, reverse=self.reverse), Saved(axis=axis)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return k.cumulative_sum(dy, saved.axis, exclusive=self.exclusive, reverse=not self.reverse)
