"""Liveness: temporaries that are never needed at the same time share memory, in one arena."""

from __future__ import annotations

from collections.abc import Sequence

from ..ops import OPS, Node, Value
from ..ops.memory import round_up


def root(value: Value) -> Value:
    """The value whose memory this one is: reshapes are followed back to what they reshape, shared memory to its home."""
    while value.base is None:
        if value.shares is not None:
            value = value.shares
        elif value.producer is not None and is_view(value.producer):
            value = value.producer.inputs[0]
        else:
            break
    return value


def place(value: Value) -> Value | None:
    """What lies in an arena where this value lies, which may be another shape of it; None for a value in no arena."""
    found = root(value)
    return found if found.base is not None else None


def overlap(a: Value, b: Value) -> bool:
    """Whether two values in arenas share an element."""
    return a.base is b.base and a.offset < b.offset + b.size and b.offset < a.offset + a.size


def is_view(node: Node) -> bool:
    """Whether the node only gives the same elements another shape."""
    return node.op in OPS and OPS[node.op].kind == "view"


def plan_memory(
    nodes: Sequence[Node], epochs: Sequence[int], kept: Sequence[Value], *, itemsize: int = 4
) -> tuple[dict[int, int], int]:
    """Places every temporary in one arena.

    Parameters
        nodes : in order ; epochs : of each node, a number that never falls; memory freed in one epoch is taken again only
            in a later one, so that nodes of one epoch may run in any order or at the same time
        kept : values that must stay to the end
    Returns     ({id(value): offset in bytes}, bytes of the arena); offsets are multiples of 64

    First fit over the free gaps, largest lifetimes first come: the list is short, so the simple way is fast enough.
    """
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    values: dict[int, Value] = {}
    forever = max(epochs, default=0) + 1
    for node, epoch in zip(nodes, epochs, strict=True):
        for v in (*node.inputs, *node.outputs):
            r = root(v)
            if r.role != "temporary" or r.base is not None:
                continue
            values[id(r)] = r
            first.setdefault(id(r), epoch)
            last[id(r)] = max(last.get(id(r), 0), epoch)
    for v in kept:
        last[id(root(v))] = forever
    placed: list[tuple[int, int, int, int]] = []
    offsets: dict[int, int] = {}
    total = 0
    for key in sorted(values, key=lambda key: (-values[key].size, first[key])):
        size = round_up(max(values[key].bytes(itemsize), 1), 64)
        clashes = sorted((o, s) for o, s, a, b in placed if a <= last[key] and first[key] <= b)
        at = 0
        for o, s in clashes:
            if at + size <= o:
                break
            at = max(at, o + s)
        placed.append((at, size, first[key], last[key]))
        offsets[key] = at
        total = max(total, at + size)
    return offsets, total
