"""A part of each sample."""

from __future__ import annotations

from ..constraints import Interval, Maybe
from .base import Builder, Layer, Saved, ShapeError, Value


class Slice(Layer):
    """A stretch of each sample along one axis: ``y = x[..., start:stop, ...]``, as Python cuts a list.

    Parameters  axis : int from 1, of the arrays with their batch axis, which is 0 and cannot be cut; negative from the end
                start : int = 0 ; stop : int or None = None for the end ; negative numbers count from the end
    Shapes      x (N, ...) ; y with stop − start on the axis
    Backward    dx = dy there, and 0 elsewhere
    Raises      ShapeError when the axis is that of the batch or not there, or nothing is left ;
                ParameterError when an argument is not an int

    Example
        >>> Slice(-1, 0, 4)  # the first four channels
        Slice(stop=4)
    """

    role = "reshaping"
    hyperparameters = {
        "axis": Interval(int),
        "start": Interval(int),
        "stop": Maybe(Interval(int)),
    }

    def __init__(self, axis: int = -1, start: int = 0, stop: int | None = None):
        self.axis, self.start, self.stop = axis, start, stop

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, axis = xs[0], int(self.axis)
        if not -x.ndim <= axis < x.ndim or axis % x.ndim == 0:
            raise ShapeError(f"Slice: axis {axis} is that of the batch, or it is not there, in {x.shape}.")
        axis %= x.ndim
        start, stop, _ = slice(self.start, self.stop).indices(x.shape[axis])
        if stop <= start:
            raise ShapeError(f"Slice: {self.start}:{self.stop} leaves nothing of the {x.shape[axis]} on axis {axis}.")
        return k.slice(x, axis, start, stop), Saved(axis=axis, start=start, stop=stop, shape=x.shape)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        around = [(0, 0)] * dy.ndim
        around[saved.axis] = saved.start, saved.shape[saved.axis] - saved.stop
        return k.pad(dy, around)
