"""Fusion: chains of elementwise ops become one pass over memory, and a product takes along what follows it.

A fused node has op "fused", the original nodes in ``attrs["nodes"]`` in order, as inputs what they need from outside and
as outputs what the outside needs from them. Values inside never reach memory. When the first node is a matrix product or a
convolution, the elementwise nodes are its epilogue (bias, activation). Sums of a chain's values over all axes but the last
(the gradient of a bias, the sums of batch normalisation) belong to its pass, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod

from ...ops import OPS, Node, Value
from ...registry import identity

#: How many nodes may lie between a product and what follows it.
WITHIN = 6

#: A fused node holds at most this many ops, so that their intermediate values fit in the first-level cache.
LIMIT = 48


def _elementwise(node: Node) -> bool:
    one = OPS[node.op].kind == "elementwise" and len(node.outputs) == 1
    return one and node.outputs[0].dtype == "float" and node.outputs[0].size > 0


def _joins_as_sum(node: Node, group: _Group | None) -> bool:
    """Whether the node is a sum, over all axes but the last, of a value of this group, whose other operands allow it."""
    if group is None or not OPS[node.op].joins_chain:
        return False
    shape = node.inputs[0].shape
    if group.shape != shape or len(shape) < 2 or node.attrs["axis"] != tuple(range(len(shape) - 1)):
        return False
    made = {id(m.outputs[0]) for _, m in group.members}
    outside = [v for _, m in group.members for v in m.inputs if id(v) not in made]
    return all(
        v.size in (1, group.size) or v.shape[-1:] == shape[-1:] == (v.size,) or v.size * shape[-1] == group.size
        for v in outside
    )


@dataclass(eq=False)
class _Group:
    """Nodes that will become one; at ``index`` of its last member. Closed once an outside node used its outputs."""

    shape: tuple[int, ...]
    members: list[tuple[int, Node]] = field(default_factory=list)
    closed: bool = False

    @property
    def size(self) -> int:
        return prod(self.shape)


def fuse(nodes: list[Node], outputs: Iterable[Value]) -> list[Node]:
    """Groups elementwise nodes that feed each other, without moving any past a user of its outputs."""
    asked = {id(v) for v in outputs}
    home: dict[int, _Group] = {}
    written: dict[int, list[tuple[int, int, _Group | None]]] = {}
    slots: list[Node | _Group] = []
    sums: set[int] = set()
    for index, node in enumerate(nodes):
        sources = []
        for v in node.inputs:
            group = home.get(id(v))
            if group is not None and id(v) in sums:
                # A sum is known when the whole chain is done.
                group.closed = True
            if group is not None and group not in sources:
                sources.append(group)
            elif v.base is not None and v.producer is None:
                # A view of an arena: it reads what groups before have assigned to the same place.
                for start, stop, writer in written.get(id(v.base), []):
                    if writer is not None and start < v.offset + v.size and v.offset < stop:
                        writer.closed = True
        if _joins_as_sum(node, home.get(id(node.inputs[0])) if node.inputs else None):
            # It needs nothing but the chain, so it can be done where the chain is, also when others have used that already.
            group = home[id(node.inputs[0])]
            group.members.append((index, node))
            home[id(node.outputs[0])] = group
            sums.add(id(node.outputs[0]))
        elif _elementwise(node):
            shape = node.outputs[0].shape
            open_ones = [g for g in sources if not g.closed and g.shape == shape]
            for g in sources:
                if g not in open_ones:
                    g.closed = True
            group = open_ones[0] if open_ones else _Group(shape)
            if sum(len(g.members) for g in open_ones) >= LIMIT:
                for g in open_ones:
                    g.closed = True
                group = _Group(shape)
                open_ones = []
            for other in open_ones[1:]:
                group.members += other.members
                for _, m in other.members:
                    home.update((id(v), group) for v in m.outputs)
                slots.remove(other)
                for places in written.values():
                    places[:] = [(a, b, group if g is other else g) for a, b, g in places]
            group.members.append((index, node))
            if group in slots:
                slots.remove(group)
            slots.append(group)
            home[id(node.outputs[0])] = group
        else:
            for g in sources:
                g.closed = True
            slots.append(node)
        for v in node.outputs:
            if v.base is not None:
                places = written.setdefault(id(v.base), [])
                places.append((v.offset, v.offset + v.size, home.get(id(v))))
    used: dict[int, list[Node]] = {}
    for node in nodes:
        for v in node.inputs:
            used.setdefault(id(v), []).append(node)
    return _absorb_products([_finish(s, used, asked) if isinstance(s, _Group) else s for s in slots], used, asked)


def _finish(group: _Group, used: dict[int, list[Node]], asked: set[int]) -> Node:
    members = _distinct([node for _, node in sorted(group.members, key=lambda m: m[0])], used, asked)
    return members[0] if len(members) == 1 else _fused(members, used, asked)


def _distinct(members: list[Node], used: dict[int, list[Node]], asked: set[int]) -> list[Node]:
    """The members of a chain without those that compute what another has computed (copies that `recompute` made)."""
    inside = set(map(id, members))
    seen: dict[object, Node] = {}
    same: dict[int, Value] = {}
    kept = []
    for node in members:
        node.inputs = tuple(same.get(id(v), v) for v in node.inputs)
        sources = tuple(identity(v.constant) if v.role == "constant" else id(v) for v in node.inputs)
        key = (node.op, sources, identity(node.attrs))
        result = node.outputs[0]
        private = result.base is None and id(result) not in asked and all(id(u) in inside for u in used.get(id(result), []))
        if OPS[node.op].cheap and private and key in seen:
            same[id(result)] = seen[key].outputs[0]
        else:
            seen[key] = node
            kept.append(node)
    return kept


def _fused(members: list[Node], used: dict[int, list[Node]], asked: set[int]) -> Node:
    inside = set(map(id, members))
    made = {id(v) for n in members for v in n.outputs}
    inputs = {id(v): v for n in members for v in n.inputs if id(v) not in made}
    outputs = [
        v
        for n in members
        for v in n.outputs
        if v.base is not None or id(v) in asked or any(id(u) not in inside for u in used.get(id(v), []))
    ]
    return Node("fused", tuple(inputs.values()), tuple(outputs), {"nodes": members}, members[0].where)


def _absorb_products(nodes: list[Node], used: dict[int, list[Node]], asked: set[int]) -> list[Node]:
    """Joins a product to the elementwise node that reads it when nothing else needs the bare product.

    Nodes between the two stay in front of both, such as what makes a normalisation's factors from its running statistics.
    """
    result: list[Node] = []
    for node in nodes:
        members = node.attrs["nodes"] if node.op == "fused" else [node]
        if all(_elementwise(m) or OPS[m.op].joins_chain for m in members):
            head = next(
                (v.producer for v in node.inputs if v.producer in result[-WITHIN:] and OPS[v.producer.op].takes_epilogue),
                None,
            )
            if head is not None:
                product, inside = head.outputs[0], {id(m) for m in members}
                only_here = all(id(u) in inside for u in used.get(id(product), []))
                kept_inside = only_here and id(product) not in asked and product.base is None
                between = result[result.index(head) + 1 :]
                if kept_inside and _has_home(product, members, node.outputs) and not any(_changes(n, head) for n in between):
                    result.remove(head)
                    result.append(_fused([head, *members], used, asked))
                    continue
        result.append(node)
    return result


def _changes(node: Node, head: Node) -> bool:
    """Whether a node assigns to something that a product reads."""
    return any(v.base is not None and v.base is w.base for v in node.outputs for w in head.inputs)


def _has_home(product: Value, members: list[Node], outputs: tuple[Value, ...]) -> bool:
    """Whether an output of the product's shape is made when nothing reads the product any more."""
    last = max(i for i, m in enumerate(members) if product in m.inputs)
    return any(
        not OPS[m.op].joins_chain
        and m.outputs[0].shape == product.shape
        and m.outputs[0].base is None
        and m.outputs[0] in outputs
        for m in members[last:]
    )
