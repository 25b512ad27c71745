"""Dead-code elimination: what nobody asks for is not computed (such as dx of the network's input)."""

from __future__ import annotations

from collections.abc import Iterable

from ...ops import Node, Value


def eliminate_dead_code(nodes: list[Node], outputs: Iterable[Value]) -> list[Node]:
    """Keeps the nodes that an output, or an assignment to an arena, depends on."""
    needed = {id(v) for v in outputs}
    kept: list[Node] = []
    for node in reversed(nodes):
        if any(id(v) in needed or v.base is not None for v in node.outputs):
            unused = tuple(i for i, v in enumerate(node.outputs) if id(v) not in needed and v.base is None)
            if unused:
                # What a node makes besides, such as the places of maxima in a prediction, an engine need not compute.
                node.attrs = {**node.attrs, "unused": unused}
            needed.update(id(v) for v in node.inputs)
            kept.append(node)
    return kept[::-1]
