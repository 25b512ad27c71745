"""Products with weights of which most are masked, in training: only the weights that are kept are read, and have a gradient.

Which of the weights (I, O) are kept is a SparseMatrix (I, O) of ones, an attribute of the ops. The numbers of the kept
weights change at every step: they are a value (entries,), in the order of the matrix, row by row.
"""

from __future__ import annotations

from ..errors import ShapeError
from .emitter import Emitter
from .sparse_matrix import SparseMatrix
from .table import Attrs, Out, no_flops, op
from .value import Node, Value

_LATEX = r"{0} \, {1}"


def _table(name: str, table: Value, kept: SparseMatrix) -> None:
    if table.shape != kept.shape:
        raise ShapeError(f"{name}: the weights must have the shape {kept.shape} of the places kept. Got {table.shape}.")


def _values(name: str, values: Value, kept: SparseMatrix) -> None:
    if values.shape != (kept.entries,):
        raise ShapeError(f"{name}: there are {kept.entries} kept weights. Got a value of shape {values.shape}.")


def _take(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    _table("take_kept", inputs[0], attrs["kept"])
    return [((attrs["kept"].entries,), "float")]


def _put(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    _table("put_kept", inputs[0], attrs["kept"])
    _values("put_kept", inputs[1], attrs["kept"])
    return [(attrs["kept"].shape, "float")]


def _spread(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    _values("spread_kept", inputs[0], attrs["kept"])
    return [(attrs["kept"].shape, "float")]


def _matmul(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    kept: SparseMatrix = attrs["kept"]
    width, outputs = kept.shape[::-1] if attrs["transpose"] else kept.shape
    x = inputs[0].shape
    if len(x) != 2 or x[1] != width:
        raise ShapeError(f"kept_matmul: weights of {width} inputs need x (N, {width}). Got {x}.")
    _values("kept_matmul", inputs[1], kept)
    return [((x[0], outputs), "float")]


def _outer(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    kept: SparseMatrix = attrs["kept"]
    (x, d), (wide, outputs) = (v.shape for v in inputs), kept.shape
    if len(x) != 2 or len(d) != 2 or x[1] != wide or d != (x[0], outputs):
        raise ShapeError(f"kept_outer: weights {kept.shape} need x (N, {wide}) and d (N, {outputs}). Got {x} and {d}.")
    return [((kept.entries,), "float")]


def _flops(node: Node) -> int:
    kept: SparseMatrix = node.attrs["kept"]
    return 2 * kept.entries * node.inputs[0].shape[0]


class Kept(Emitter):
    """The Builder's products with the kept weights of a mask."""

    @op("move", "kept({0})", r"\mathrm{{kept}}({0})", rule=_take, flops=no_flops)
    def take_kept(self, table: Value, *, kept: SparseMatrix) -> Value:
        """The numbers of a table (I, O) at the kept places"""
        return self.emit("take_kept", table, kept=kept)[0]

    @op("move", "kept({0}) = {1}", r"\mathrm{{kept}}({0}) = {1}", rule=_put, flops=no_flops)
    def put_kept(self, table: Value, values: Value, *, kept: SparseMatrix) -> Value:
        """The table with these numbers at the kept places, in its own place"""
        return self.emit("put_kept", table, values, kept=kept)[0]

    @op("move", "{0}", rule=_spread, flops=no_flops)
    def spread_kept(self, values: Value, *, kept: SparseMatrix) -> Value:
        """A table (I, O) of zeros with these numbers at the kept places"""
        return self.emit("spread_kept", values, kept=kept)[0]

    @op("product", "{0} {1}", _LATEX, 1, rule=_matmul, flops=_flops, takes_epilogue=True)
    def kept_matmul(self, x: Value, values: Value, *, kept: SparseMatrix, transpose: bool = False) -> Value:
        """x W, or x Wᵀ, for weights W that have these numbers at the kept places and are zero elsewhere"""
        return self.emit("kept_matmul", x, values, kept=kept, transpose=transpose)[0]

    @op("product", "{0}ᵀ {1}", r"{0}^\top {1}", 1, rule=_outer, flops=_flops)
    def kept_outer(self, x: Value, d: Value, *, kept: SparseMatrix) -> Value:
        """xᵀ d at the kept places"""
        return self.emit("kept_outer", x, d, kept=kept)[0]
