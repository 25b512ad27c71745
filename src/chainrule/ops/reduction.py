"""Reductions: sums, maxima and moments over axes."""

from __future__ import annotations

from math import prod

from ..errors import ShapeError
from .elementwise import Elementwise
from .move import Move
from .table import Attrs, Out, in_size, normalise_axes, op, per_input
from .value import Shape, Value


def _reduce(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    shape, axes = inputs[0].shape, attrs["axis"]
    kept = (1 if i in axes else s for i, s in enumerate(shape))
    return [(tuple(kept) if attrs["keepdims"] else tuple(s for i, s in enumerate(shape) if i not in axes), "float")]


def _same(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return [(inputs[0].shape, "float")]


def _moments(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    if not inputs[0].shape or not inputs[0].size:
        raise ShapeError(f"moments: expected an array with a last axis and at least one element, got {inputs[0].shape}.")
    return [((5, inputs[0].shape[-1]), "float")]


def _channel_moments(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    shape = inputs[0].shape
    if len(shape) < 2 or 0 in shape[:-1]:
        raise ShapeError(f"channel_moments: expected (N, ..., C) with at least one element a channel. Got {shape}.")
    return [(shape[-1:], "float"), (shape[-1:], "float")]


#: How the second output of ``channel_moments`` is written.
_DEVIATIONS = ("Σ ({0} − mean({0}))²", r"\sum ({0} - \operatorname{{mean}}({0}))^2", 2)


class Reduction(Elementwise, Move):
    """The Builder's reductions."""

    @op("reduce", "Σ {0}", r"\sum {0}", rule=_reduce, flops=in_size, joins_chain=True)
    def sum(self, x: Value, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> Value:
        """Σ x over the axes (all by default)"""
        return self.emit("sum", x, axis=normalise_axes(axis, x.ndim), keepdims=keepdims)[0]

    def mean(self, x: Value, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> Value:
        """The mean over the axes (all by default)"""
        axes = normalise_axes(axis, x.ndim)
        return self.multiply(self.sum(x, axes, keepdims=keepdims), 1.0 / max(1, prod(x.shape[a] for a in axes)))

    def sum_to(self, x: Value, shape: Shape) -> Value:
        """Sums x over the axes along which ``shape`` was broadcast to it: the backward pass of broadcasting."""
        lead = x.ndim - len(shape)
        axes = tuple(range(lead)) + tuple(lead + i for i, s in enumerate(shape) if s == 1 and x.shape[lead + i] != 1)
        if not axes:
            return x
        return self.reshape(self.sum(x, axes), shape)

    @op("reduce", "max {0}", r"\max {0}", rule=_reduce, flops=in_size)
    def max(self, x: Value, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> Value:
        """The largest over the axes (all by default)"""
        return self.emit("max", x, axis=normalise_axes(axis, x.ndim), keepdims=keepdims)[0]

    @op("row", "cumsum({0})", r"\operatorname{{cumsum}}({0})", rule=_same, flops=in_size)
    def cumulative_sum(self, x: Value, axis: int = -1, *, exclusive: bool = False, reverse: bool = False) -> Value:
        """Sums of the elements up to each place of an axis.

        Parameters  exclusive : whether an element is left out of its own sum ; reverse : whether sums begin at the end
        """
        attrs = {"axis": axis % x.ndim, "exclusive": bool(exclusive), "reverse": bool(reverse)}
        return self.emit("cumulative_sum", x, **attrs)[0]

    @op(
        "reduce", "mean({0})", r"\operatorname{{mean}}({0})", rule=_channel_moments, flops=per_input(4), more=(_DEVIATIONS,)
    )  # fmt: skip
    def channel_moments(self, x: Value) -> tuple[Value, Value]:
        """Of each channel (the last axis) over all other axes: the mean, and the sum of squared deviations from it.

        The deviations are from the mean itself; Σ x² / m − μ² would lose all digits where μ is large beside them.
        """
        mean, squares = self.emit("channel_moments", x)
        return mean, squares

    @op("reduce", "moments({0})", r"\operatorname{{moments}}({0})", rule=_moments, flops=per_input(6))
    def moments(self, x: Value) -> Value:
        """(5, C) for x (..., C): Σ x, Σ x², the least, the largest and the number of zeros over all axes but the last"""
        return self.emit("moments", x)[0]
