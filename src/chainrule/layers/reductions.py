"""Sums, means and maxima over axes of a sample."""

from __future__ import annotations

from ._reduction import _Reduction
from .base import Builder, Saved, Value


class ReduceSum(_Reduction):
    """Sum over axes of each sample ``y = Σ x``.

    Parameters  axes : int or several = -1, of the arrays with their batch axis, which is 0 and stays ;
                keepdims : bool = False, whether they stay with size 1
    Shapes      x (N, ...) ; y without these axes
    Backward    dx = dy, repeated along the axes
    Raises      ShapeError when an axis is that of the batch or not there ; ParameterError when an argument is no axis

    Example
        >>> ReduceSum((1, 2))
        ReduceSum((1, 2))
    """

    linear = True
    passes_scale = False

    def _reduce(self, k: Builder, x: Value, axes: tuple[int, ...]) -> Value:
        return k.sum(x, axes)

    def _gradient(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return k.add(k.multiply(saved.x, 0.0), dy) if saved.count > 1 else dy


class ReduceMean(_Reduction):
    """Mean over axes of each sample ``y = Σ x / m`` of m elements.

    Parameters  axes : int or several = -1, of the arrays with their batch axis, which is 0 and stays ;
                keepdims : bool = False, whether they stay with size 1
    Shapes      x (N, ...) ; y without these axes
    Backward    dx = dy / m, repeated along the axes
    Raises      ShapeError when an axis is that of the batch or not there ; ParameterError when an argument is no axis

    Example
        >>> ReduceMean(1, keepdims=True)
        ReduceMean(1, keepdims=True)
    """

    linear = True

    def _reduce(self, k: Builder, x: Value, axes: tuple[int, ...]) -> Value:
        return k.mean(x, axes)

    def _gradient(self, k: Builder, saved: Saved, dy: Value) -> Value:
        dy = k.multiply(dy, 1 / saved.count)
        return k.add(k.multiply(saved.x, 0.0), dy) if saved.count > 1 else dy


class ReduceMax(_Reduction):
    """The largest element over axes of each sample ``y = max x``.

    Parameters  axes : int or several = -1, of the arrays with their batch axis, which is 0 and stays ;
                keepdims : bool = False, whether they stay with size 1
    Shapes      x (N, ...) ; y without these axes
    Backward    dx = dy where x is the largest, divided equally among equal ones, else 0
    Raises      ShapeError when an axis is that of the batch or not there ; ParameterError when an argument is no axis

    Example
        >>> ReduceMax((1, 2))
        ReduceMax((1, 2))
    """

    def _reduce(self, k: Builder, x: Value, axes: tuple[int, ...]) -> Value:
        return k.max(x, axes)

    def _gradient(self, k: Builder, saved: Saved, dy: Value) -> Value:
        there = k.equal(saved.x, saved.y)
        count = k.sum_to(there, saved.kept)
        return k.multiply(there, k.divide(dy, count))
