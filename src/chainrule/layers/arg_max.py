"""The place of the largest element."""

from __future__ import annotations

from ..constraints import Boolean, Interval
from .base import Builder, Layer, Saved, ShapeError, Value


class ArgMax(Layer):
    """The place of the largest element along an axis, the first of equal ones, as a number: ``y = argmaxₜ xₜ``.

    Parameters  axis : int = -1, of the arrays with their batch axis, which is 0 and cannot be chosen ;
                keepdims : bool = False, whether the axis stays with size 1
    Shapes      x (N, ...) ; y without the axis, whole numbers as floats
    Backward    the derivative is 0 wherever there is one, so no gradient goes back
    Raises      ShapeError when the axis is that of the batch, not there, or empty ; ParameterError for a bad hyperparameter

    Example
        >>> ArgMax(1)
        ArgMax(1)
    """

    role = "other"
    hyperparameters = {"axis": Interval(int), "keepdims": Boolean()}

    def __init__(self, axis: int = -1, *, keepdims: bool = False):
        self.axis, self.keepdims = axis, keepdims

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, axis = xs[0], int(self.axis)
        if not -x.ndim <= axis < x.ndim or axis % x.ndim == 0 or not x.shape[axis]:
            raise ShapeError(f"ArgMax: the axis {axis} is that of the batch, empty, or not there, in {x.shape}.")
        axis %= x.ndim
        order = (*(i for i in range(x.ndim) if i != axis), axis)
        turned = x if order == tuple(range(x.ndim)) else k.transpose(x, order)
        y = k.multiply(k.argmax(turned), 1.0)
        kept = (1 if i == axis else s for i, s in enumerate(x.shape))
        return (k.reshape(y, tuple(kept)) if self.keepdims else y), Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> None:
        return None
