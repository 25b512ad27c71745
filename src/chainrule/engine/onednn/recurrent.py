"""How ops through time are divided: each thread takes rows of the batch through all steps, and waits for nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from ...ops import Node, Value
from ...ops.recurrent import given
from ...plan.memory import is_view, root
from ..kernels.sizes import ROWS, VECTOR
from .calls import Address, Call, Memory, Part, Task, access, bounds

#: How often the memory of each value is read, by id of its root; what a plan gives out counts too.
Uses = Counter[int]


def count_uses(nodes: Sequence[Node], kept: Sequence[Value]) -> Uses:
    """Who reads what; views count as what they show."""
    uses: Uses = Counter(id(root(v)) for v in kept)
    for node in nodes:
        for member in node.attrs.get("nodes", [node]):
            if not is_view(member):
                uses.update({id(root(v)) for v in member.inputs})
    return uses


def _padded(n: int) -> int:
    return -(-n // VECTOR) * VECTOR


def _cuts(batch: int, threads: int) -> list[int]:
    return bounds(batch, threads) if batch >= threads else [0, batch, *[batch] * (threads - 1)]


class _Rows:
    """Addresses and accesses of a stretch of rows of the batch."""

    def __init__(self, batch: int, low: int, high: int, uses: Uses) -> None:
        self.batch, self.low, self.high, self.uses = batch, low, high, uses
        self.part = Part()

    def _span(self, v: Value) -> tuple[int, int]:
        each = v.size // self.batch
        return self.low * each, self.high * each

    def read(self, v: Value | None) -> Any:
        """The address of the rows of an input, 0 where it is not given."""
        if v is None:
            return 0
        first, end = self._span(v)
        self.part.reads.append(access(v, first, end))
        return Address(v, first)

    def whole(self, v: Value | None) -> Any:
        """The address of an input that all rows read."""
        if v is None:
            return 0
        self.part.reads.append(access(v))
        return Address(v)

    def write(self, v: Value, *, optional: bool = True) -> Any:
        """The address of the rows of an output, 0 where nobody asks for it."""
        if optional and not self.uses[id(root(v))] and v.base is None:
            return 0
        first, end = self._span(v)
        self.part.writes.append(access(v, first, end))
        return Address(v, first)


def _share(result: Value, source: Value, uses: Uses) -> None:
    """Lets a result lie where its source lies, when nobody else reads the source and they are of one size."""
    home = root(source)
    plain = home.role == "temporary" and home.base is None and result.base is None
    if plain and result.size == home.size and uses[id(home)] == 1 and result.shares is None:
        # Whoever reads the result now reads the source's memory.
        count = uses[id(result)]
        result.shares = home
        uses[id(home)] = count


def _task(node: Node, threads: int, uses: Uses, words: Callable[[_Rows], tuple[str, list[Any]]]) -> Task:
    batch = node.inputs[0].shape[0]
    parts: list[Part | None] = []
    for low, high in pairwise(_cuts(batch, threads)):
        if high <= low:
            parts.append(None)
            continue
        rows = _Rows(batch, low, high, uses)
        kernel, block = words(rows)
        rows.part.calls.append(Call(kernel, block))
        parts.append(rows.part)
    return Task(node, parts)


def _head(rows: _Rows, node: Node, floats: int, h0: Value | None, mask: Value | None, steps: int) -> list[Any]:
    u = node.inputs[1]
    memory = Memory(4 * (floats + VECTOR))
    size = [rows.high - rows.low, steps, u.shape[0], int(node.attrs["reverse"])]
    return [*size, memory, rows.read(mask), rows.whole(u), rows.read(h0)]


def cell(node: Node, threads: int, uses: Uses) -> Task:
    """simple_rnn, lstm and gru."""
    a, u = node.inputs[:2]
    extra, op, h, wide = given(node.inputs, node.attrs), node.op, u.shape[0], _padded(u.shape[0])
    if op == "lstm":
        _share(node.outputs[2], a, uses)

    def words(rows: _Rows) -> tuple[str, list[Any]]:
        more: list[Any]
        if op == "simple_rnn":
            floats, more = h * wide + 3 * ROWS * wide, [int(node.attrs["activation"] == "relu")]
        elif op == "lstm":
            floats, more = 4 * h * wide + ROWS * (3 * wide + 4 * VECTOR) + 4 * wide, [rows.read(extra.get("c0"))]
        elif node.attrs["reset"] == "after":
            floats, more = 3 * h * wide + ROWS * (2 * wide + 3 * VECTOR) + 4 * wide, [rows.whole(extra.get("bias"))]
        else:
            double = _padded(2 * h)
            floats, more = h * (double + wide) + ROWS * (3 * wide + double + 4 * h), [0]
        head = _head(rows, node, floats, extra.get("h0"), extra.get("mask"), a.shape[1])
        kernel = f"gru_{node.attrs['reset']}" if op == "gru" else op
        outputs = [rows.write(node.outputs[0], optional=False), *(rows.write(v) for v in node.outputs[1:])]
        return kernel, [*head, rows.read(a), *more, *outputs]

    return _task(node, threads, uses, words)


def cell_backward(node: Node, threads: int, uses: Uses) -> Task:
    """simple_rnn_backward, lstm_backward and gru_backward."""
    states, u = node.inputs[:2]
    extra, op, h, wide = given(node.inputs, node.attrs), node.op, u.shape[0], _padded(u.shape[0])
    gates = 4 if op == "lstm_backward" else 3 if op == "gru_backward" else 1
    if op == "lstm_backward":
        _share(node.outputs[0], node.inputs[2], uses)

    def words(rows: _Rows) -> tuple[str, list[Any]]:
        floats = gates * h * wide + (3 + gates) * ROWS * wide + wide
        head = _head(rows, node, floats, extra.get("h0"), extra.get("mask"), states.shape[1])
        outs = node.outputs
        da = rows.write(outs[0], optional=False)
        dh0, every = rows.write(outs[-3 if op == "lstm_backward" else -2]), rows.write(outs[-1])
        if op == "lstm_backward":
            second, third, last = rows.read(node.inputs[2]), rows.read(extra.get("c0")), rows.write(outs[2])
        elif op == "gru_backward":
            before = int(node.attrs["reset"] == "before")
            second, third, last = rows.read(node.inputs[2]), before, rows.write(outs[1], optional=False)
        else:
            second, third, last = int(node.attrs["activation"] == "relu"), 0, 0
        incoming = [rows.read(extra.get(name)) for name in ("dh", "dh_last", "dc_last")]
        tail = [*incoming, node.attrs["truncate"], da, dh0, last, every]
        return op, [*head, rows.read(states), second, third, *tail]

    return _task(node, threads, uses, words)


def previous(node: Node, threads: int, uses: Uses) -> Task:
    h, (_, steps, units) = node.inputs[0], node.inputs[0].shape
    first = given(node.inputs, node.attrs).get("h0")

    def words(rows: _Rows) -> tuple[str, list[Any]]:
        size = [rows.high - rows.low, steps, units, int(node.attrs["reverse"])]
        return "previous_states", [*size, rows.read(h), rows.read(first), rows.write(node.outputs[0], optional=False)]

    return _task(node, threads, uses, words)


def sequence_mask(node: Node, threads: int, uses: Uses) -> Task:
    def words(rows: _Rows) -> tuple[str, list[Any]]:
        out = rows.write(node.outputs[0], optional=False)
        return "sequence_mask", [rows.high - rows.low, node.attrs["steps"], rows.read(node.inputs[0]), out]

    return _task(node, threads, uses, words)


def sequence_task(node: Node, threads: int, uses: Uses) -> Task:
    """The task of an op through time."""
    return _SEQUENCE[node.op](node, threads, uses)


_SEQUENCE: dict[str, Callable[[Node, int, Uses], Task]] = {
    "simple_rnn": cell,
    "lstm": cell,
    "gru": cell,
    "simple_rnn_backward": cell_backward,
    "lstm_backward": cell_backward,
    "gru_backward": cell_backward,
    "previous": previous,
    "sequence_mask": sequence_mask,
}
#: The ops that this module divides.
SEQUENCE_OPS = frozenset(_SEQUENCE)
