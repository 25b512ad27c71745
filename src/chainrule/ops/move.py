"""Ops that copy elements to other places, or give them another shape."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..errors import ShapeError
from .emitter import Emitter
from .table import Attrs, OpSpec, Out, in_size, no_flops, op, register
from .value import Value


def _reshape(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, shape = inputs[0], tuple(attrs["shape"])
    if prod(shape) != x.size:
        raise ShapeError(f"reshape: {x.shape} has {x.size} elements, {shape} has {prod(shape)}.")
    return [(shape, x.dtype)]


def _transpose(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, order = inputs[0], attrs["axes"]
    if sorted(order) != list(range(x.ndim)):
        raise ShapeError(f"transpose: {order} is no order of the {x.ndim} axes of {x.shape}.")
    return [(tuple(x.shape[i] for i in order), x.dtype)]


def _concat(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    axis, first = attrs["axis"], inputs[0].shape
    for v in inputs[1:]:
        if v.ndim != len(first) or any(i != axis and s != t for i, (s, t) in enumerate(zip(first, v.shape, strict=True))):
            raise ShapeError(f"concat: shapes {[v.shape for v in inputs]} differ elsewhere than on axis {axis}.")
    total = sum(v.shape[axis] for v in inputs)
    return [((*first[:axis], total, *first[axis + 1 :]), inputs[0].dtype)]


def _slice(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, axis, start, stop = inputs[0], attrs["axis"], attrs["start"], attrs["stop"]
    if not 0 <= start <= stop <= x.shape[axis]:
        raise ShapeError(f"slice: {start}:{stop} is outside axis {axis} of {x.shape}.")
    return [((*x.shape[:axis], stop - start, *x.shape[axis + 1 :]), x.dtype)]


def _gather(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    table, index = inputs
    if table.ndim != 2 or index.dtype != "int":
        raise ShapeError(f"gather: expected a table (rows, width) and integer indices, got {table.shape}, {index.dtype}.")
    return [((*index.shape, table.shape[1]), "float")]


def _scatter_add(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    index, x = inputs
    if x.shape[:-1] != index.shape:
        raise ShapeError(f"scatter_add: indices {index.shape} do not fit rows {x.shape}.")
    return [((attrs["rows"], x.shape[-1]), "float")]


def _unique_rows(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    index = inputs[0]
    return [((min(index.size, attrs["rows"]),), "int"), (index.shape, "int")]


def _take_rows(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    table, rows = inputs
    return [((*rows.shape, *table.shape[1:]), "float")]


def _put_rows(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    table, rows, x = inputs
    if x.shape != (*rows.shape, *table.shape[1:]):
        raise ShapeError(f"put_rows: {x.shape} does not fit {rows.shape} rows of {table.shape}.")
    return [(table.shape, "float")]


def _one_hot(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return [((*inputs[0].shape, attrs["classes"]), "float")]


#: How the second output of ``unique_rows`` is written.
_PLACE = ("place({0})", r"\operatorname{{place}}({0})", 0)

# Engines that compute in another precision emit it themselves; layers have no use for it.
register(OpSpec("cast", "move", lambda inputs, attrs: [(inputs[0].shape, attrs["to"])], no_flops, "{0}", "{0}"))


class Move(Emitter):
    """The Builder's ops that move elements."""

    @op("view", "{0}", rule=_reshape, flops=no_flops)
    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """The same elements in another shape; one size may be -1"""
        sizes = list(shape)
        if -1 in sizes:
            known = prod(s for s in sizes if s != -1)
            sizes[sizes.index(-1)] = x.size // known if known else 0
        return x if tuple(sizes) == x.shape else self.emit("reshape", x, shape=tuple(sizes))[0]

    @op("move", "{0}ᵀ", "{0}^T", rule=_transpose, flops=no_flops)
    def transpose(self, x: Value, axes: Sequence[int] | None = None) -> Value:
        """The axes in another order (reversed by default)"""
        return self.emit("transpose", x, axes=tuple(reversed(range(x.ndim))) if axes is None else tuple(axes))[0]

    @op("move", "concat", rule=_concat, flops=no_flops)
    def concat(self, xs: Sequence[Value], axis: int = -1) -> Value:
        """The arrays one after the other along an axis"""
        return self.emit("concat", *xs, axis=axis % xs[0].ndim)[0]

    @op("move", "{0}[…]", r"{0}[\dots]", rule=_slice, flops=no_flops)
    def slice(self, x: Value, axis: int, start: int, stop: int) -> Value:
        """x[..., start:stop, ...] along an axis"""
        return self.emit("slice", x, axis=axis % x.ndim, start=start, stop=stop)[0]

    @op("move", "{0}[{1}]", rule=_gather, flops=no_flops)
    def gather(self, table: Value, index: Value) -> Value:
        """Rows of the table: table[index]"""
        return self.emit("gather", table, index)[0]

    @op(
        "move",
        "scatter({1} at {0})",
        r"\operatorname{{scatter}}({1} \text{{ at }} {0})",
        rule=_scatter_add,
        flops=lambda node: node.inputs[1].size,
    )
    def scatter_add(self, index: Value, x: Value, *, rows: int) -> Value:
        """A (rows, width) matrix with each row of x added at its index: the backward pass of gather"""
        return self.emit("scatter_add", index, x, rows=rows)[0]

    @op("move", "rows({0})", r"\operatorname{{rows}}({0})", rule=_unique_rows, flops=in_size, more=(_PLACE,))
    def unique_rows(self, index: Value, rows: int) -> tuple[Value, Value]:
        """The rows that occur among the indices, each once, and at which place of these each index is.

        There are min(size of index, rows) places; those that are left over hold −1. Indices outside 0, ..., rows − 1 have
        place −1.
        """
        found, place = self.emit("unique_rows", index, rows=rows)
        return found, place

    @op("move", "{0}[{1}]", rule=_take_rows, flops=no_flops)
    def take_rows(self, table: Value, rows: Value) -> Value:
        """table[rows], with zeros where a row is −1"""
        return self.emit("take_rows", table, rows)[0]

    @op("move", "{0}[{1}] = {2}", rule=_put_rows, flops=no_flops)
    def put_rows(self, table: Value, rows: Value, x: Value) -> Value:
        """The table with these rows in place of its own; a row of −1 is left out"""
        return self.emit("put_rows", table, rows, x)[0]

    @op("move", "onehot({0})", r"\operatorname{{onehot}}({0})", rule=_one_hot, flops=no_flops)
    def one_hot(self, index: Value, classes: int) -> Value:
        """1.0 at each index, else 0.0, on a new last axis"""
        return self.emit("one_hot", index, classes=classes)[0]
