"""The product of two matrices, and of many pairs of them."""

from __future__ import annotations

from ..errors import ShapeError
from .sparse import Sparse
from .table import Attrs, Out, op
from .value import Node, Value


def _matmul(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    a, b = (v.shape for v in inputs)
    if len(a) != 2 or len(b) != 2:
        raise ShapeError(f"matmul: expected two matrices, got shapes {a} and {b}.")
    m, ka = a[::-1] if attrs["transpose_a"] else a
    kb, n = b[::-1] if attrs["transpose_b"] else b
    if ka != kb:
        flags = "".join(f", {t}" for t in ("transpose_a", "transpose_b") if attrs[t])
        raise ShapeError(f"matmul: inner sizes {ka} and {kb} differ (shapes {a} and {b}{flags}).")
    return [((m, n), "float")]


def _flops(node: Node) -> int:
    a = node.inputs[0].shape
    return 2 * node.outputs[0].size * (a[0] if node.attrs["transpose_a"] else a[1])


def _batch_matmul(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    a, b = (v.shape for v in inputs)
    if len(a) != len(b) or len(a) < 3 or a[:-2] != b[:-2]:
        raise ShapeError(
            f"batch_matmul: expected matrices (..., M, K) and (..., K, N) of equal first axes, got {a} and {b}."
        )
    m, ka = a[:-3:-1] if attrs["transpose_a"] else a[-2:]
    kb, n = b[:-3:-1] if attrs["transpose_b"] else b[-2:]
    if ka != kb:
        raise ShapeError(f"batch_matmul: inner sizes {ka} and {kb} differ (shapes {a} and {b}).")
    return [((*a[:-2], m, n), "float")]


def _batch_flops(node: Node) -> int:
    a = node.inputs[0].shape
    return 2 * node.outputs[0].size * (a[-2] if node.attrs["transpose_a"] else a[-1])


class Product(Sparse):
    """The Builder's matrix product. Where the left matrix is sparse it becomes a ``sparse_matmul`` (a constant one) or a
    ``sparse_rows_matmul`` (an input)."""

    @op("product", "{0} {1}", precedence=1, rule=_matmul, flops=_flops, takes_epilogue=True)
    def matmul(self, a: Value, b: Value, *, transpose_a: bool = False, transpose_b: bool = False) -> Value:
        """a b for matrices, either one transposed first"""
        if a.sparse is not None and not transpose_b:
            return self.sparse_matmul(a.sparse, b, transpose=transpose_a, scale=a.scale, text="x")
        if a.dtype == "sparse" and not transpose_b:
            return self.sparse_rows_matmul(a, b, transpose=transpose_a)
        if b.held is not None:
            found: Value | None = b.held.matmul(self, a, transpose_a=transpose_a, transpose_b=transpose_b)
            if found is not None:
                return found
        return self.emit("matmul", a, b, transpose_a=transpose_a, transpose_b=transpose_b)[0]

    @op("product", "{0} {1}", precedence=1, rule=_batch_matmul, flops=_batch_flops)
    def batch_matmul(self, a: Value, b: Value, *, transpose_a: bool = False, transpose_b: bool = False) -> Value:
        """a b for the matrices on the last two axes, one product for each place on the axes before them"""
        return self.emit("batch_matmul", a, b, transpose_a=transpose_a, transpose_b=transpose_b)[0]
