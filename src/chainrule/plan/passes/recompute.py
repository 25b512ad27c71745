"""Recomputation: what is cheap to compute again is not kept in memory.

Batch normalisation reads x − μ in its forward pass and twice in its backward pass. Keeping it costs a write and memory for
as long as x itself has to be kept; computing it again from x costs one instruction where a load is needed anyway. So a
node that makes an array from one array of the same size, which is kept for other reasons, and smaller operands is copied in
front of each of its readers, where fusion makes it part of their pass.
"""

from __future__ import annotations

from ...ops import OPS, Node, Value, Where
from ..memory import overlap, place
from ..plan import Plan
from .rewrite import Rewriting


def recompute(plan: Plan) -> Plan:
    """Copies cheap nodes in front of each of their readers."""
    copied = _to_copy(plan)
    found: list[Node] = []
    for node in plan.nodes:
        if id(node.outputs[0]) in copied:
            continue
        rewriting = Rewriting()
        for v in node.inputs:
            _copy(v, copied, rewriting, node.where, found)
        found.append(rewriting.node(node))
    return plan.replace(found)


def _copy(value: Value, copied: dict[int, Node], rewriting: Rewriting, where: Where, found: list[Node]) -> None:
    """Appends a copy of the node that makes a value, and before it of those that it reads itself, where they are copied."""
    if id(value) not in copied or rewriting[value] is not value:
        return
    origin = copied[id(value)]
    for v in origin.inputs:
        _copy(v, copied, rewriting, where, found)
    made = Value(value.shape, value.dtype, name=value.name)
    made.producer = Node(origin.op, tuple([rewriting[v] for v in origin.inputs]), (made,), origin.attrs, where)
    found.append(made.producer)
    rewriting.replace(value, made)


def _to_copy(plan: Plan) -> dict[int, Node]:
    """The nodes that are computed again in front of each reader, by the id of what they make."""
    asked = {id(v) for v in plan.outputs.values()}
    readers: dict[int, list[Node]] = {}
    for node in plan.nodes:
        for v in {id(v): v for v in node.inputs}.values():
            readers.setdefault(id(v), []).append(node)
    assigned = [v for node in plan.nodes for v in node.outputs if v.base is not None]

    def kept(v: Value) -> bool:
        """Whether an array exists in memory whatever elementwise nodes do with it."""
        return v.producer is None or id(v) in asked or not all(map(_joins, readers[id(v)]))

    def changes(v: Value) -> bool:
        """Whether the step overwrites an operand at some time."""
        lies = place(v)
        return lies is not None and any(overlap(lies, a) for a in assigned)

    copied: dict[int, Node] = {}
    for node in plan.nodes:
        result = node.outputs[0]
        if not OPS[node.op].cheap or result.base is not None or id(result) in asked:
            continue
        users = readers.get(id(result), [])
        if len(users) < 2 or result.size < 2:
            continue
        whole = [v for v in node.inputs if v.size == result.size]
        if len(whole) == 1 and all(map(_joins, users)) and kept(whole[0]) and not any(map(changes, node.inputs)):
            copied[id(result)] = node
    return copied


def _joins(node: Node) -> bool:
    """Whether fusion takes the node into a chain."""
    return OPS[node.op].kind == "elementwise" or OPS[node.op].joins_chain
