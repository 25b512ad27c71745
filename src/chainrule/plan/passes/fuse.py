"""Fusion: chains of elementwise ops become one pass over memory, and a product takes along what follows it.

A fused node has op "fused", the original nodes in ``attrs["nodes"]`` in order, as inputs what they need from outside and
as outputs what the outside needs from them. Values inside never reach memory. When the first node is a matrix product or a
convolution, the elementwise nodes are its epilogue (bias, activation). Sums of a chain's values over all axes but the last
(the gradient of a bias, the sums of batch normalisation) belong to its pass, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from ...ops import OPS, Node, Value
from ...registry import identity
from ..memory import overlap, place
from ..plan import Plan
from .rewrite import Rewriting

#: How many nodes may lie between a product and what follows it.
WITHIN = 6

#: A fused node holds at most this many ops, so that their intermediate values fit in the first-level cache.
LIMIT = 48


def fuse(plan: Plan) -> Plan:
    """Groups elementwise nodes that feed each other, without moving any past a user of its outputs."""
    outside = _Outside(plan)
    found: list[tuple[int, Node]] = []
    for at, item in _grouped(plan.nodes):
        found.append((at, item if isinstance(item, Node) else _finish(item, outside)))
    return plan.replace(_absorb_products([node for _, node in sorted(found, key=lambda pair: pair[0])], outside))


class _Outside:
    """What reads every value. A node is known by its first output, which it keeps when it is put anew."""

    def __init__(self, plan: Plan) -> None:
        self.asked = {id(v) for v in plan.outputs.values()}
        self.readers: dict[int, list[int]] = {}
        for node in plan.nodes:
            reader = id(node.outputs[0])
            for v in node.inputs:
                self.readers.setdefault(id(v), []).append(reader)

    def needs(self, value: Value, inside: set[int]) -> bool:
        """Whether a value must reach memory: it is assigned to an arena, given out, or read by another than these nodes."""
        if value.base is not None or id(value) in self.asked:
            return True
        return not inside.issuperset(self.readers.get(id(value), ()))


# ------------------------------------------------------------ chains of elementwise nodes


@dataclass(eq=False)
class _Group:
    """Nodes of one shape that will become one, where the last elementwise one stands.

    ``closed`` once another node used an output: what reads that node may not join, since the group runs before it.
    """

    shape: tuple[int, ...]
    members: list[tuple[int, Node]] = field(default_factory=list)
    at: int = 0
    closed: bool = False

    @property
    def size(self) -> int:
        return prod(self.shape)


def _grouped(nodes: list[Node]) -> list[tuple[int, Node | _Group]]:
    """Groups and single nodes, each with the number of the node in whose place it runs."""
    home: dict[int, _Group] = {}
    #: For each arena, what was stored in it, and which of its places were read and what was made of them.
    written: dict[int, list[Value]] = {}
    read: dict[int, list[tuple[Value, Value]]] = {}
    items: dict[int, Node | _Group] = {}
    sums: set[int] = set()
    for index, node in enumerate(nodes):
        sources: list[_Group] = []
        places: list[Value] = []
        for v in node.inputs:
            group = home.get(id(v))
            if group is not None:
                if id(v) in sums:
                    # A sum is known when the whole chain is done.
                    group.closed = True
                if group not in sources:
                    sources.append(group)
            elif (lies := place(v)) is not None and lies.producer is None:
                # A place of an arena: what is read is what groups before have assigned to it.
                places.append(lies)
                for stored in written.get(id(lies.base), ()):
                    writer = home.get(id(stored))
                    if writer is not None and overlap(stored, lies):
                        writer.closed = True
        if _joins_as_sum(node, home.get(id(node.inputs[0])) if node.inputs else None):
            # It needs nothing but the chain, so it can be done where the chain is, also when others have used that already.
            group = home[id(node.inputs[0])]
            group.members.append((index, node))
            home[id(node.outputs[0])] = group
            sums.add(id(node.outputs[0]))
        elif _elementwise(node):
            group = _open_group(node.outputs[0].shape, sources, items, home)
            group.members.append((index, node))
            items.pop(group.at, None)
            items[index], group.at = group, index
            home[id(node.outputs[0])] = group
        else:
            for g in sources:
                g.closed = True
            items[index] = node
        for lies in places:
            read.setdefault(id(lies.base), []).append((lies, node.outputs[0]))
        for v in node.outputs:
            if v.base is None:
                continue
            own = home.get(id(v))
            for lies, made in read.get(id(v.base), ()):
                reader = home.get(id(made))
                if reader is not None and reader is not own and overlap(lies, v):
                    # It has to run before its operand is overwritten, so nothing that comes later may join it.
                    reader.closed = True
            written.setdefault(id(v.base), []).append(v)
    return list(items.items())


def _open_group(
    shape: tuple[int, ...], sources: list[_Group], items: dict[int, Node | _Group], home: dict[int, _Group]
) -> _Group:
    """The group that a node of this shape joins, all open ones of its sources in one, or a new one.

    A source that it does not join is closed.
    """
    joined = [g for g in sources if not g.closed and g.shape == shape]
    if sum(len(g.members) for g in joined) >= LIMIT:
        joined = []
    for g in sources:
        if g not in joined:
            g.closed = True
    if not joined:
        return _Group(shape, at=-1)
    group, *others = joined
    for other in others:
        group.members += other.members
        for _, m in other.members:
            home[id(m.outputs[0])] = group
        del items[other.at]
    return group


def _elementwise(node: Node) -> bool:
    """Whether a node can be part of a chain."""
    if OPS[node.op].kind != "elementwise" or len(node.outputs) != 1:
        return False
    result = node.outputs[0]
    return result.dtype == "float" and result.size > 0


def _joins_as_sum(node: Node, group: _Group | None) -> bool:
    """Whether the node is a sum, over all axes but the last, of a value of this group, whose other operands allow it."""
    if group is None or not OPS[node.op].joins_chain:
        return False
    shape = node.inputs[0].shape
    if group.shape != shape or len(shape) < 2 or node.attrs["axis"] != tuple(range(len(shape) - 1)):
        return False
    return all(
        v.size in (1, group.size) or v.shape[-1:] == shape[-1:] == (v.size,) or v.size * shape[-1] == group.size
        for _, member in group.members
        for v in member.inputs
    )


def _finish(group: _Group, outside: _Outside) -> Node:
    members = [node for _, node in sorted(group.members, key=lambda member: member[0])]
    inside = {id(node.outputs[0]) for node in members}
    kept = _distinct(members, inside, outside)
    return kept[0] if len(kept) == 1 else _fused(kept, inside, outside)


def _distinct(members: list[Node], inside: set[int], outside: _Outside) -> list[Node]:
    """The members of a chain without those that compute what another has computed (copies that ``recompute`` made)."""
    seen: dict[object, Node] = {}
    rewriting = Rewriting()
    kept = []
    for given in members:
        node = rewriting.node(given)
        if OPS[node.op].cheap:
            sources = tuple([identity(v.constant) if v.role == "constant" else id(v) for v in node.inputs])
            earlier = seen.setdefault((node.op, sources, identity(node.attrs)), node)
            if earlier is not node and not outside.needs(node.outputs[0], inside):
                rewriting.replace(node.outputs[0], earlier.outputs[0])
                continue
        kept.append(node)
    return kept


def _fused(members: list[Node], inside: set[int], outside: _Outside) -> Node:
    """One node of these, whose results nodes other than those inside may need."""
    made = {id(v) for n in members for v in n.outputs}
    inputs = {id(v): v for n in members for v in n.inputs if id(v) not in made}
    outputs = [v for n in members for v in n.outputs if outside.needs(v, inside)]
    return Node("fused", tuple(inputs.values()), tuple(outputs), {"nodes": members}, members[0].where)


# ------------------------------------------------------------ products and what follows them


def _absorb_products(nodes: list[Node], outside: _Outside) -> list[Node]:
    """Joins a product to the elementwise node that reads it when nothing else needs the bare product.

    Nodes between the two stay in front of both, such as what makes a normalisation's factors from its running statistics.
    """
    result: list[Node] = []
    for node in nodes:
        members = node.attrs["nodes"] if node.op == "fused" else [node]
        if all(_elementwise(m) or OPS[m.op].joins_chain for m in members):
            heads = {id(n.outputs[0]): n for n in result[-WITHIN:] if n.op in OPS and OPS[n.op].takes_epilogue}
            head = next((heads[id(v)] for v in node.inputs if id(v) in heads), None)
            if head is not None:
                product, inside = head.outputs[0], {id(m.outputs[0]) for m in members}
                between = result[result.index(head) + 1 :]
                private = not outside.needs(product, inside)
                if private and _has_home(product, members, node.outputs) and not any(_changes(n, head) for n in between):
                    result.remove(head)
                    result.append(_fused([head, *members], inside | {id(product)}, outside))
                    continue
        result.append(node)
    return result


def _changes(node: Node, head: Node) -> bool:
    """Whether a node assigns to something that a product reads."""
    read = [p.base for v in head.inputs if (p := place(v)) is not None]
    return any(v.base is not None and v.base in read for v in node.outputs)


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
