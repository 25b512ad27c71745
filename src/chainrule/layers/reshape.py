"""A sample in another shape."""

from __future__ import annotations

from math import prod
from numbers import Integral
from typing import Any

from ..constraints import AnyOf, EachOf, Interval, OneOf
from ..errors import ParameterError
from .base import Builder, Layer, Saved, ShapeError, Value

_SIZE = AnyOf(Interval(int, 1), OneOf(-1))


class Reshape(Layer):
    """Gives each sample another shape: ``y[n] = x[n].reshape(shape)``, in row-major order. It copies nothing.

    Parameters  shape : int or tuple of ints, of one sample, without the batch axis ; one size may be -1 (what is left)
    Shapes      x (N, ...) ; y (N, *shape)
    Backward    dx = dy in the shape of x
    Raises      ParameterError when shape is no shape ; ShapeError when a sample does not have as many elements

    Example
        >>> Reshape((4, -1))
        Reshape((4, -1))
    """

    role = "reshaping"
    hyperparameters = {"shape": AnyOf(_SIZE, EachOf(_SIZE), hint="Give the sizes of one sample, as in (8, -1).")}

    def __init__(self, shape: int | tuple[int, ...]):
        self.shape = shape

    def _sizes(self) -> list[Any]:
        return [self.shape] if isinstance(self.shape, (int, Integral, str)) else list(self.shape)

    def validate(self) -> None:
        super().validate()
        if self._sizes().count(-1) > 1:
            raise ParameterError(f"Reshape: only one size may be -1, such as (8, -1). Got {self.shape!r}.")

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        shape, sizes = xs[0].shape, [int(s) for s in self._sizes()]
        given, known = prod(shape[1:]), prod(s for s in sizes if s != -1)
        if given % known if -1 in sizes else given != known:
            raise ShapeError(
                f"Reshape: a sample of shape {shape[1:]} has {given} elements, which do not fill the shape {tuple(sizes)}."
            )
        sizes = [given // known if s == -1 else s for s in sizes]
        return k.reshape(xs[0], (shape[0], *sizes)), Saved(shape=shape)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return k.reshape(dy, saved.shape)
