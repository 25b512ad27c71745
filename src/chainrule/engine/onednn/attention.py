"""How attention is divided: samples among the threads, or heads where there are fewer samples than threads."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ...ops import Node, Value
from ...ops.recurrent import given
from .calls import Address, Call, Float, Function, Memory, Part, Task, access, bounds


def attention(node: Node, threads: int) -> Task:
    """attention and attention_backward."""
    backward = node.op == "attention_backward"
    q, k, v = node.inputs[1:4] if backward else node.inputs[:3]
    batch, queries, heads, d = q.shape
    keys, e = k.shape[1], v.shape[3]
    extra = given(node.inputs, node.attrs)
    by_samples = batch >= threads
    cuts = bounds(batch if by_samples else heads, threads)
    parts: list[Part | None] = []
    for low, high in pairwise(cuts):
        if high <= low:
            parts.append(None)
            continue
        part, first, last = Part(), *((low, high) if by_samples else (0, batch))

        def at(value: Value | None, places: list[Any], first: int = first, last: int = last) -> Any:
            if value is None:
                return 0
            each = value.size // batch
            places.append(access(value, first * each, last * each))
            return Address(value, first * each)

        span = [0, heads] if by_samples else [low, high]
        words: list[Any] = [last - first, *span, heads, queries, keys, d, e, *(at(x, part.reads) for x in (q, k, v))]
        memory = Memory(4 * (2 if backward else 1) * queries * keys + 64)
        outputs = [at(x, part.writes) for x in node.outputs]
        scale, keep = Float(node.attrs["scale"]), at(extra.get("keep"), part.reads)
        if backward:
            dy, p = at(node.inputs[0], part.reads), at(node.inputs[4], part.reads)
            words += [dy, keep, scale, p, *outputs, memory, Function("sgemm")]
        else:
            mask = at(extra.get("mask"), part.reads)
            words += [mask, keep, scale, int(node.attrs["causal"]), *outputs, memory, Function("sgemm")]
        part.calls.append(Call(node.op, words))
        parts.append(part)
    return Task(node, parts)
