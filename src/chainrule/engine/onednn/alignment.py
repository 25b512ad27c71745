"""How ops that align sequences are divided: samples among the threads."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ...ops import Node, Value
from ...ops.recurrent import given
from .calls import Address, Call, Memory, Part, Task, access, bounds


def align(node: Node, threads: int) -> Task:
    """ctc and label_error_rate."""
    z, y = node.inputs[:2]
    (batch, steps, classes), longest = z.shape, y.shape[1]
    parts: list[Part | None] = []
    for low, high in pairwise(bounds(batch, threads)):
        if high <= low:
            parts.append(None)
            continue
        part = Part()

        def at(value: Value | None, places: list[Any], low: int = low, high: int = high) -> Any:
            if value is None:
                return 0
            each = value.size // batch
            places.append(access(value, low * each, high * each))
            return Address(value, low * each)

        read = [at(v, part.reads) for v in (z, y, given(node.inputs, node.attrs).get("mask"))]
        write = [at(v, part.writes) for v in node.outputs]
        words: list[Any] = [high - low, steps, classes, longest, node.attrs["blank"]]
        if node.op == "ctc":
            doubles = steps + (steps + 2) * (2 * longest + 1)
            words += [int(node.attrs["zero_infinity"]), *read, *write, Memory(8 * doubles + 64)]
        else:
            words += [*read, *write, Memory(4 * longest + 64)]
        part.calls.append(Call(node.op, words))
        parts.append(part)
    return Task(node, parts)
