"""How products with sparse matrices are divided among threads: with constant ones, and with the sparse rows of a batch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ...ops import Node, SparseMatrix
from .calls import Address, Call, Data, Entries, Part, Task, access, bounds

#: Fewer multiplications than this are not worth dividing.
_SMALL = 16384


def sparse_matmul(node: Node, threads: int) -> Task:
    """Stretches of rows with near-equal numbers of entries, so that no thread waits for another's heavy rows."""
    x, out = node.inputs[0], node.outputs[0]
    scale = node.inputs[1] if len(node.inputs) > 1 else None
    turned: bool = node.attrs["transpose"]
    matrix: SparseMatrix = node.attrs["matrix"]
    order: Any = 0
    if scale is not None and turned:
        order = Data(np.ascontiguousarray(matrix.transpose_order, np.int32))
    matrix = matrix.transposed if turned else matrix
    rows, width = out.shape
    arrays = [
        Data(np.ascontiguousarray(matrix.indptr, np.int64)),
        Data(np.ascontiguousarray(matrix.indices, np.int32)),
        Data(np.ascontiguousarray(matrix.values, np.float32)),
    ]
    divided = threads > 1 and rows >= threads and matrix.entries * width >= _SMALL
    # A row costs as much as about one entry beside its own, to be zeroed.
    load = matrix.indptr + np.arange(rows + 1)
    cuts = np.searchsorted(load, load[-1] * np.arange(1, threads) / threads).tolist() if divided else [rows] * (threads - 1)
    parts: list[Part | None] = []
    for a, b in pairwise([0, *cuts, rows]):
        words = [a, b, width, *arrays, order, 0 if scale is None else Address(scale), Address(x), Address(out)]
        reads = [access(x)] + ([] if scale is None else [access(scale)])
        writes = [access(out, a * width, b * width)]
        parts.append(Part([Call("sparse_product", words)], reads, writes) if b > a else None)
    return Task(node, parts)


def sparse_rows_matmul(node: Node, threads: int) -> Task:
    """x W by rows of the batch; xᵀ dz by rows of the result, each thread passing over the entries of all others' rows.

    So the sum of every element has the order of the batch, however many threads there are.
    """
    (x, b), out = node.inputs, node.outputs[0]
    rows, width = out.shape
    arrays = [Entries(x, "indices"), Entries(x, "values"), Address(b), Address(out)]
    turned: bool = node.attrs["transpose"]
    divided = threads > 1 and rows >= threads and (out.size if turned else x.shape[0] * width) >= _SMALL
    cuts = bounds(rows, threads) if divided else [0, *[rows] * threads]
    parts: list[Part | None] = []
    for first, end in pairwise(cuts):
        kernel = "sparse_rows_gradient" if turned else "sparse_rows_product"
        head = [x.shape[0]] if turned else []
        words = [*head, first, end, width, Address(x), *arrays]
        reads = [access(x), access(b)]
        writes = [access(out, first * width, end * width)]
        parts.append(Part([Call(kernel, words)], reads, writes) if end > first else None)
    return Task(node, parts)
