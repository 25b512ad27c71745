"""Matrix products in bfloat16: float32 values are rounded once and shared by all products that read them.

Parameters, gradients, optimizer slots and everything elementwise stay float32, and products add up in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ...ops import Node, Value

#: Smaller products gain less than their rounding costs.
_LEAST_FLOPS = 4e6


def round_products(nodes: Sequence[Node]) -> list[Node]:
    """The same nodes with large products reading bfloat16 copies, and a "cast" before the first reader of each copy."""
    copies: dict[tuple[int, int], Value] = {}
    result: list[Node] = []

    def copy(v: Value) -> Value:
        key = (id(v.base), v.offset) if v.base is not None else (id(v), 0)
        if key not in copies:
            made = Value(v.shape, "bfloat16")
            node = Node("cast", (v,), (made,), {"to": "bfloat16"})
            made.producer = node
            copies[key] = made
            result.append(node)
        return copies[key]

    for node in nodes:
        members = node.attrs.get("nodes", [node])
        product = members[0]
        if product.op == "matmul":
            inner = product.inputs[0].size // max(1, product.outputs[0].shape[0])
            if 2 * prod(product.outputs[0].shape) * inner >= _LEAST_FLOPS and product.outputs[0].shape[0] > 1:
                a, b = (copy(v) for v in product.inputs)
                rounded = Node("matmul", (a, b), product.outputs, product.attrs, product.where)
                if node.op == "fused":
                    others = tuple(v for v in node.inputs if v not in product.inputs)
                    still = tuple(v for v in product.inputs if any(v in m.inputs for m in members[1:]))
                    attrs = {**node.attrs, "nodes": [rounded, *members[1:]]}
                    node = Node("fused", (a, b, *others, *still), node.outputs, attrs, node.where)
                else:
                    node = rounded
        result.append(node)
        for v in node.outputs:
            if v.base is not None:
                # An assignment makes the copies of what it overwrites stale.
                stale = [k for k, made in copies.items() if k[0] == id(v.base) and _overlap(k[1], made.size, v)]
                for key in stale:
                    del copies[key]
    return result


def _overlap(offset: int, size: int, v: Value) -> bool:
    return offset < v.offset + v.size and v.offset < offset + size
