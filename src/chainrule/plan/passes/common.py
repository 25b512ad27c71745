"""Common-subexpression elimination: what was computed before is not computed again."""

from __future__ import annotations

from collections.abc import Hashable

from ...ops import Node, Value
from ...registry import identity


def _key(value: Value) -> Hashable:
    if value.role == "constant":
        return ("constant", identity(value.constant))
    if value.base is not None:
        return (id(value.base), value.offset, value.shape)
    return id(value)


def eliminate_common(nodes: list[Node], outputs: dict[str, Value]) -> list[Node]:
    """Replaces a node by an earlier one of the same op, inputs and attributes.

    Nodes that assign to an arena stay, and so do reads of an arena that was assigned to in between. Outputs of the plan
    that are replaced are renamed in ``outputs``.
    """
    seen: dict[Hashable, Node] = {}
    replaced: dict[int, Value] = {}
    versions: dict[int, int] = {}
    kept: list[Node] = []
    for node in nodes:
        node.inputs = tuple(replaced.get(id(v), v) for v in node.inputs)
        bases = tuple(versions.get(id(v.base), 0) for v in node.inputs if v.base is not None)
        key = (node.op, tuple(map(_key, node.inputs)), bases, identity(node.attrs))
        if any(v.base is not None for v in node.outputs):
            for v in node.outputs:
                if v.base is not None:
                    versions[id(v.base)] = versions.get(id(v.base), 0) + 1
            kept.append(node)
        elif key in seen:
            replaced.update((id(a), b) for a, b in zip(node.outputs, seen[key].outputs, strict=True))
        else:
            seen[key] = node
            kept.append(node)
    for name, value in outputs.items():
        outputs[name] = replaced.get(id(value), value)
    return kept
