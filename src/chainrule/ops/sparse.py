"""Products with sparse matrices: constant ones, which are attributes of their op, and the sparse rows of a batch."""

from __future__ import annotations

from ..errors import ShapeError
from .elementwise import Elementwise
from .sparse_matrix import SparseMatrix
from .table import Attrs, Out, op
from .value import ENTRIES_A_ROW, Node, Value


def _sparse_matmul(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    rows, columns = attrs["matrix"].shape[::-1] if attrs["transpose"] else attrs["matrix"].shape
    x = inputs[0]
    if x.ndim != 2 or x.shape[0] != columns:
        raise ShapeError(
            f"sparse_matmul: a sparse {rows}×{columns} matrix needs ({columns}, ...) at its right, got {x.shape}."
        )
    return [((rows, x.shape[1]), "float")]


def _flops(node: Node) -> int:
    entries: int = node.attrs["matrix"].entries
    return 2 * entries * node.inputs[0].shape[1]


def _sparse_rows_matmul(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, b = inputs
    rows, columns = x.shape[::-1] if attrs["transpose"] else x.shape
    if b.ndim != 2 or b.shape[0] != columns:
        turned = "transposed " if attrs["transpose"] else ""
        raise ShapeError(
            f"sparse_rows_matmul: {turned}sparse rows {x.shape} need ({columns}, ...) at their right, got {b.shape}."
        )
    return [((rows, b.shape[1]), "float")]


def _flops_of_rows(node: Node) -> int:
    x, b = node.inputs
    return 2 * x.shape[0] * ENTRIES_A_ROW * b.shape[1]


class Sparse(Elementwise):
    """The Builder's products with sparse matrices."""

    @op("product", "A {0}", r"A \, {0}", 1, rule=_sparse_matmul, flops=_flops)
    def sparse_matmul(
        self,
        matrix: SparseMatrix,
        x: Value,
        *,
        transpose: bool = False,
        scale: Value | None = None,
        text: str = "A",
        latex: str | None = None,
    ) -> Value:
        """A x or Aᵀ x for a constant sparse matrix A

        Parameters  scale : (entries,), factors of the entries of A ; text, latex : how equations call A
        """
        turned = ("ᵀ", "^T") if transpose else ("", "")
        named = {"text": text + turned[0], "latex": (latex or text) + turned[1]}
        factors = () if scale is None else (scale,)
        return self.emit("sparse_matmul", x, *factors, matrix=matrix, transpose=transpose, **named)[0]

    @op("product", "{0} {1}", precedence=1, rule=_sparse_rows_matmul, flops=_flops_of_rows, takes_sparse=True)
    def sparse_rows_matmul(self, x: Value, b: Value, *, transpose: bool = False) -> Value:
        """x b, or xᵀ b with ``transpose``, for an input x of sparse rows"""
        return self.emit("sparse_rows_matmul", x, b, transpose=transpose)[0]

    def scale_entries(self, x: Value, factors: Value) -> Value:
        """The sparse matrix x with its entries times the factors (entries,), in the order of its rows"""
        scale = factors if x.scale is None else self.multiply(x.scale, factors)
        return Value(x.shape, role="constant", name=x.name, sparse=x.sparse, scale=scale)
