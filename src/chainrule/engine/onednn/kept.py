"""How products with the kept weights of a mask are divided among threads.

Which weights are kept does not change while a plan lives, so their order is laid out once, when it is compiled; at each step
their numbers are gathered in that order, and the products are those of constant sparse weights.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ops import Node, SparseMatrix, Value
from ..kernels.sizes import VECTOR
from .calls import Access, Address, AnyCall, Call, Data, Memory, Part, Task, Within, access, bounds, memory_access
from .compressed import Product, product_by_samples
from .program import Unsupported

Array = NDArray[Any]
#: Fewer multiplications, and fewer elements, than this are not worth dividing.
_SMALL = 30_000
#: Samples whose planes are multiplied at a time: then those of a few hundred channels stay in the second-level cache.
_SAMPLES = 128


def _flat(kept: SparseMatrix) -> Array:
    """The numbers of the kept elements in the table."""
    return (kept.rows * kept.shape[1] + kept.indices).astype(np.int32)


def _numbered(kept: SparseMatrix, turned: bool) -> SparseMatrix:
    """The kept places, or the turned ones, whose values are the numbers of the weights, from 1 on."""
    numbers = np.arange(1, kept.entries + 1)
    if not turned:
        return SparseMatrix(kept.shape, kept.indptr, kept.indices, numbers)
    return SparseMatrix.from_entries(kept.indices, kept.rows, numbers, shape=kept.shape[::-1])


def _gathered(source: Value, numbers: Array, target: Any, threads: int) -> list[Part | None]:
    """Parts that gather elements of a value; target : Memory, or a Value"""
    used = threads if len(numbers) >= _SMALL else 1
    order = np.ascontiguousarray(numbers, np.int32)
    parts: list[Part | None] = []
    for a, b in pairwise(bounds(len(order), used)):
        into = isinstance(target, Memory)
        to = Within(target, a) if into else Address(target, a)
        writes = memory_access(target, a, b) if into else access(target, a, b)
        call = Call("gather_kept", [b - a, Address(source), Data(order[a:b]), to])
        parts.append(Part([call], [access(source)], [writes]) if b > a else None)
    return parts + [None] * (threads - len(parts))


def take_kept(node: Node, threads: int) -> list[Task]:
    """The kept elements of a table."""
    return [Task(node, _gathered(node.inputs[0], _flat(node.attrs["kept"]), node.outputs[0], threads))]


def put_kept(node: Node, threads: int) -> list[Task]:
    """Elements into the table's own place."""
    (table, values), out = node.inputs, node.outputs[0]
    if out.base is None or out.base is not table.base or out.offset != table.offset:
        raise Unsupported
    kept: SparseMatrix = node.attrs["kept"]
    numbers = _flat(kept)
    used = threads if len(numbers) >= _SMALL else 1
    parts: list[Part | None] = []
    for a, b in pairwise(bounds(len(numbers), used)):
        call = Call("scatter_kept", [b - a, Address(values, a), Data(numbers[a:b]), Address(out), 0, 0])
        parts.append(Part([call], [access(values, a, b)], [access(out)]) if b > a else None)
    return [Task(node, parts + [None] * (threads - len(parts)))]


def spread_kept(node: Node, threads: int) -> list[Task]:
    """A table of zeros and kept elements, by its rows."""
    values, out, kept = node.inputs[0], node.outputs[0], node.attrs["kept"]
    rows, width = kept.shape
    numbers, ends = _flat(kept), kept.indptr
    used = threads if out.size >= _SMALL else 1
    parts: list[Part | None] = []
    for a, b in pairwise(bounds(rows, used)):
        low, high = int(ends[a]), int(ends[b])
        words = [high - low, Address(values, low), Data(numbers[low:high]), Address(out), (b - a) * width, a * width]
        part = Part([Call("scatter_kept", words)], [access(values, low, high)], [access(out, a * width, b * width)])
        parts.append(part if b > a else None)
    return [Task(node, parts + [None] * (threads - len(parts)))]


def kept_product(node: Node, threads: int) -> tuple[list[Task], list[Node]]:
    """kept_matmul with what follows: (tasks, nodes that are left to do after them)."""
    p = Product.of(node)
    x, values = p.product.inputs
    kept: SparseMatrix = p.product.attrs["kept"]
    if x.dtype != "float" or not kept.entries:
        raise Unsupported
    matrix = _numbered(kept, not p.product.attrs["transpose"])
    used = threads if kept.entries * x.shape[0] >= _SMALL and x.shape[0] >= threads else 1
    memory = Memory(4 * kept.entries)
    order, tasks = product_by_samples(p, matrix, memory, used, threads)
    gathered = Task(p.product, _gathered(values, order, memory, threads))
    return [gathered, *tasks], []


def kept_outer(node: Node, threads: int) -> list[Task]:
    """The gradients of kept weights: planes of both sides by channels, then weights by inputs."""
    (x, d), out, kept = node.inputs, node.outputs[0], node.attrs["kept"]
    samples, (inputs, outputs) = x.shape[0], kept.shape
    if any(v.dtype != "float" for v in (x, d)) or not kept.entries:
        raise Unsupported
    pieces = [(a, min(samples, a + _SAMPLES)) for a in range(0, samples, _SAMPLES)]
    plane = -(-min(samples, _SAMPLES) // VECTOR) * VECTOR
    small = kept.entries * samples < _SMALL
    used = 1 if small else threads
    memories = {id(v): Memory(4 * len(pieces) * v.shape[1] * plane) for v in (x, d)}
    turned: list[Part | None] = []
    cuts = [bounds(width, used, 8) for width in (inputs, outputs)]
    for t in range(used):
        part = Part()
        for v, ends in zip((x, d), cuts, strict=True):
            low, high, memory, width = ends[t], ends[t + 1], memories[id(v)], v.shape[1]
            for i, (a, b) in enumerate(pieces):
                if high <= low:
                    continue
                at = (i * width + low) * plane
                zeros = 0 if b - a == plane else plane
                words = [1, b - a, high - low, Address(v, a * width + low), width, 0, Within(memory, at), plane, 0, zeros, 0]
                part.calls.append(Call("to_planes", words))
                part.writes.append(memory_access(memory, at, at + (high - low) * plane))
            part.reads.append(access(v))
        turned.append(part if part.calls else None)
    # An input costs as much as about two weights beside its own.
    load = kept.indptr + 2 * np.arange(inputs + 1)
    ends = [0, *np.searchsorted(load, load[-1] * np.arange(1, used) / used).tolist(), inputs]
    begins, columns = Data(kept.indptr.astype(np.int32)), Data(np.ascontiguousarray(kept.indices, np.int32))
    products: list[Part | None] = []
    for a, b in pairwise(ends):
        planes = [memories[id(x)], inputs * plane, memories[id(d)], outputs * plane, plane]
        call: AnyCall = Call("kept_outer", [a, b, len(pieces), *planes, begins, columns, Address(out)])
        reads: list[Access] = [memory_access(memory) for memory in memories.values()]
        writes = [access(out, int(kept.indptr[a]), int(kept.indptr[b]))]
        products.append(Part([call], reads, writes) if b > a else None)
    rest: list[Part | None] = [None] * (threads - used)
    return [Task(node, turned + rest), Task(node, products + rest)]
