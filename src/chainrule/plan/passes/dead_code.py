"""Dead-code elimination: what nobody asks for is not computed (such as dx of the network's input)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...ops import Node, Value
from ..plan import Plan


def needed(nodes: Sequence[Node], outputs: Iterable[Value]) -> list[Node]:
    """The nodes that an output, or an assignment to an arena, depends on."""
    return [node for node, _ in _needed(nodes, outputs)]


def eliminate_dead_code(plan: Plan) -> Plan:
    """Keeps the nodes that are needed, and notes in the attribute ``unused`` which of a node's outputs nobody reads.

    What a node makes besides, such as the places of maxima in a prediction, an engine need not compute then.
    """
    kept = []
    for node, unused in _needed(plan.nodes, plan.outputs.values()):
        same = node.attrs.get("unused", ()) == unused
        kept.append(node if same else Node(node.op, node.inputs, node.outputs, {**node.attrs, "unused": unused}, node.where))
    return plan.replace(kept)


def _needed(nodes: Sequence[Node], outputs: Iterable[Value]) -> list[tuple[Node, tuple[int, ...]]]:
    """The nodes that are needed, each with the numbers of its outputs that are not."""
    wanted = {id(v) for v in outputs}
    found: list[tuple[Node, tuple[int, ...]]] = []
    for node in reversed(nodes):
        unused = tuple([i for i, v in enumerate(node.outputs) if id(v) not in wanted and v.base is None])
        if len(unused) < len(node.outputs):
            wanted.update([id(v) for v in node.inputs])
            found.append((node, unused))
    return found[::-1]
