"""Recomputation: what is cheap to compute again is not kept in memory.

Batch normalisation reads x − μ in its forward pass and twice in its backward pass. Keeping it costs a write and memory for
as long as x itself has to be kept; computing it again from x costs one instruction where a load is needed anyway. So a
node that makes an array from one array of the same size, which is kept for other reasons, and smaller operands is copied in
front of each of its readers, where fusion makes it part of their pass.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...ops import OPS, Node, Value


def recompute(nodes: list[Node], outputs: Iterable[Value]) -> list[Node]:
    """Copies cheap nodes in front of each of their readers."""
    asked = {id(v) for v in outputs}
    readers: dict[int, list[Node]] = {}
    for node in nodes:
        for v in {id(v): v for v in node.inputs}.values():
            readers.setdefault(id(v), []).append(node)
    assigned = [v for node in nodes for v in node.outputs if v.base is not None]

    def kept(v: Value) -> bool:
        """Whether an array exists in memory whatever elementwise nodes do with it."""
        return v.producer is None or id(v) in asked or any(not _joins(n) for n in readers.get(id(v), []))

    def changes(v: Value) -> bool:
        """Whether the step overwrites an operand at some time."""
        return any(
            v.base is a.base and v.offset < a.offset + a.size and a.offset < v.offset + v.size for a in assigned if v.base
        )

    copied: dict[int, Node] = {}
    for node in nodes:
        result = node.outputs[0]
        if not OPS[node.op].cheap or result.base is not None or id(result) in asked:
            continue
        whole = [v for v in node.inputs if v.size == result.size]
        users = readers.get(id(result), [])
        shared = len(users) > 1 and len(whole) == 1 and result.size > 1 and all(_joins(n) for n in users)
        if shared and kept(whole[0]) and not any(changes(v) for v in node.inputs):
            copied[id(result)] = node
    found: list[Node] = []
    for node in nodes:
        if node.outputs and id(node.outputs[0]) in copied:
            continue
        inputs = list(node.inputs)
        for v in node.inputs:
            origin = copied.get(id(v))
            if origin is None:
                continue
            made = Value(v.shape, v.dtype, name=v.name)
            copy = Node(origin.op, origin.inputs, (made,), origin.attrs, node.where)
            made.producer = copy
            found.append(copy)
            inputs = [made if u is v else u for u in inputs]
        node.inputs = tuple(inputs)
        found.append(node)
    return found


def _joins(node: Node) -> bool:
    """Whether fusion takes the node into a chain."""
    return OPS[node.op].kind == "elementwise" or OPS[node.op].joins_chain
