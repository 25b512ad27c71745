"""Common-subexpression elimination: what was computed before is not computed again."""

from __future__ import annotations

from collections.abc import Hashable

from ...ops import Node, Value
from ...registry import identity
from ..memory import overlap, place
from ..plan import Plan
from .rewrite import Rewriting


def _key(value: Value) -> Hashable:
    if value.role == "constant":
        return ("constant", identity(value.constant))
    if value.base is not None:
        return (id(value.base), value.offset, value.shape)
    return id(value)


def eliminate_common(plan: Plan) -> Plan:
    """Replaces a node by an earlier one of the same op, inputs and attributes.

    Nodes that assign to an arena stay, and so do reads of a place of an arena that was assigned to in between.
    """
    seen: dict[Hashable, Node] = {}
    rewriting = Rewriting()
    written: dict[int, list[Value]] = {}

    def version(read: Value) -> int:
        """How often what is read was assigned to so far."""
        return sum(overlap(read, one) for one in written.get(id(read.base), ()))

    kept: list[Node] = []
    for given in plan.nodes:
        node = rewriting.node(given)
        stored = [v for v in node.outputs if v.base is not None]
        if stored:
            for v in stored:
                written.setdefault(id(v.base), []).append(v)
            kept.append(node)
            continue
        bases = tuple([version(p) for v in node.inputs if (p := place(v)) is not None])
        key = (node.op, tuple([_key(v) for v in node.inputs]), bases, identity(node.attrs))
        earlier = seen.setdefault(key, node)
        if earlier is node:
            kept.append(node)
        else:
            # A view that reads another input now makes another value: readers know it by the one that it made before.
            for old, new in zip(given.outputs, earlier.outputs, strict=True):
                rewriting.replace(old, new)
    return plan.replace(kept, rewriting.outputs(plan.outputs))
