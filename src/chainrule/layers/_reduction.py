"""What sums, means and maxima over axes of a sample have in common."""

from __future__ import annotations

from math import prod
from numbers import Integral
from typing import Any

from ..constraints import Boolean, Interval, OneOrMore
from ..ops.value import Shape
from .base import Builder, Layer, Saved, ShapeError, Value


class _Reduction(Layer):
    """Base of the layers that reduce axes of a sample to one number."""

    role = "pooling"
    hyperparameters = {
        "axes": OneOrMore(Interval(int)),
        "keepdims": Boolean(),
    }

    def __init__(self, axes: int | tuple[int, ...] = -1, *, keepdims: bool = False):
        self.axes, self.keepdims = axes, keepdims

    @property
    def channel_map(self) -> str | None:
        # Axes counted from the front may include the last one, of which the number is not known here. The first ones of all
        # do not, unless they are all axes, and then no channel is left.
        axes: Any = self.axes
        given = {axes} if isinstance(axes, Integral) else set(axes)
        return "each" if all(a < -1 for a in given) or given == set(range(1, len(given) + 1)) else None

    def _axes(self, shape: Shape) -> tuple[int, ...]:
        axes: Any = self.axes
        given = [int(axes)] if isinstance(axes, Integral) else [int(a) for a in axes]
        ndim = len(shape)
        if any(not -ndim <= a < ndim or a % ndim == 0 for a in given):
            raise ShapeError(
                f"{type(self).__name__}: one of the axes {given} is that of the batch, or not there, in {shape}."
            )
        found = tuple(sorted({a % ndim for a in given}))
        if not prod(shape[a] for a in found):
            raise ShapeError(f"{type(self).__name__}: the axes {given} of {shape} hold nothing.")
        return found

    def _reduced_shape(self, shape: Shape) -> Shape:
        axes = self._axes(shape)
        return tuple(1 if i in axes else s for i, s in enumerate(shape))

    def _reduce(self, k: Builder, x: Value, axes: tuple[int, ...]) -> Value:
        raise NotImplementedError

    def _gradient(self, k: Builder, saved: Saved, dy: Value) -> Value:
        """dx from dy with the reduced axes kept as 1."""
        raise NotImplementedError

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x = xs[0]
        kept = self._reduced_shape(x.shape)
        y = k.reshape(self._reduce(k, x, self._axes(x.shape)), kept)
        saved = Saved(x=x, y=y, kept=kept, count=prod(x.shape) // max(1, prod(kept)))
        if not self.keepdims:
            axes = self._axes(x.shape)
            y = k.reshape(y, tuple(s for i, s in enumerate(x.shape) if i not in axes))
        return y, saved

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return self._gradient(k, saved, k.reshape(dy, saved.kept))
