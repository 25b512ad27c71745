"""Several inputs side by side."""

from __future__ import annotations

from itertools import accumulate

from ..constraints import Interval
from ..errors import DtypeError
from ._join import check_joined
from .base import Builder, Layer, Saved, ShapeError, Value


class Concat(Layer):
    """Puts its inputs one after the other along an axis: ``y = [x₁, x₂, ...]``.

    Parameters  axis : int = -1 ; of the arrays with their batch axis, which is 0 and cannot be joined
    Shapes      x₁, x₂, ... : the same but for that axis ; y : the sum of the sizes there
    Backward    dxᵢ = the part of dy that xᵢ became
    Raises      ShapeError when the shapes differ elsewhere, the axis is that of the batch or not there, or there are fewer
                than two inputs ; DtypeError when some are indices and some numbers ; ParameterError when axis is no int

    Example
        >>> from chainrule.layers import Input
        >>> a, b = Input((8,)), Input((3,))
        >>> y = Concat()(a, b)
    """

    linear = True
    arity = None
    channel_map = "concat"
    stepwise = True
    hyperparameters = {"axis": Interval(int)}

    def __init__(self, axis: int = -1):
        self.axis = axis

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        ndim, axis = xs[0].ndim, int(self.axis)
        if not -ndim <= axis < ndim or axis % ndim == 0:
            raise ShapeError(
                f"Concat: axis {axis} is {'the batch axis' if axis in (0, -ndim) else 'not there'} in {xs[0].shape}; "
                f"use one of 1, ..., {ndim - 1} or -1, ..., {1 - ndim}."
                if ndim > 1
                else f"Concat: expected inputs (N, ...), got {xs[0].shape}, which has the batch axis only."
            )
        axis %= ndim
        check_joined("Concat", xs, alike_but=axis)
        if len({x.dtype for x in xs}) > 1:
            raise DtypeError("Concat: some inputs are indices and some numbers. Embed the indices first.")
        return k.concat(xs, axis), Saved(axis=axis, sizes=[x.shape[axis] for x in xs])

    def backward(self, k: Builder, saved: Saved, dy: Value) -> tuple[Value, ...]:
        stops = list(accumulate(saved.sizes))
        return tuple(k.slice(dy, saved.axis, stop - size, stop) for stop, size in zip(stops, saved.sizes, strict=True))
