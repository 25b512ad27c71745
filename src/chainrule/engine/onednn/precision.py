"""Products in bfloat16: float32 values are rounded once and shared by all matrix products and convolutions that read them.

Parameters, gradients, optimizer slots and everything elementwise stay float32, and products add up in float32.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...ops import Node, Value
from ...ops.table import node_flops

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
        if _gains(product):
            # Weights of convolutions are rounded as they are laid out.
            whole = len(product.inputs) if product.op in ("matmul", "conv_backward_weights") else 1
            inputs = (*(copy(v) for v in product.inputs[:whole]), *product.inputs[whole:])
            rounded = Node(product.op, inputs, product.outputs, product.attrs, product.where)
            if node.op == "fused":
                others = tuple(v for v in node.inputs if v not in product.inputs)
                still = tuple(v for v in product.inputs[:whole] if any(v in m.inputs for m in members[1:]))
                attrs = {**node.attrs, "nodes": [rounded, *members[1:]]}
                node = Node("fused", (*inputs, *others, *still), node.outputs, attrs, node.where)
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


def _gains(node: Node) -> bool:
    """Whether a node is a product large enough to be worth the rounding, of a kind that has kernels in bfloat16."""
    if node.op not in ("matmul", "conv", "conv_backward_data", "conv_backward_weights"):
        return False
    if node_flops(node) < _LEAST_FLOPS:
        return False
    if node.op == "matmul":
        return node.outputs[0].shape[0] > 1
    *_, inputs, outputs = node.outputs[0].shape if node.op == "conv_backward_weights" else node.inputs[1].shape
    return node.attrs["groups"] == 1 and min(inputs, outputs) >= 16


def _overlap(offset: int, size: int, v: Value) -> bool:
    return offset < v.offset + v.size and v.offset < offset + size
