"""A chain of elementwise nodes as calls of the register machine, for any stretch of its elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...ops import Node, Value
from ...ops.value import Shape
from .calls import (
    Address,
    Block,
    Call,
    Cell,
    Code,
    Float,
    Memory,
    Part,
    Scratch,
    Task,
    Within,
    access,
    memory_access,
)
from .program import (
    ACCUMULATOR,
    BLOCK,
    COLUMN,
    CONSTANT,
    FULL,
    INTEGERS,
    Program,
    Unsupported,
    chain_shape,
    compile_program,
)


@dataclass
class Chain:
    """A chain of elementwise nodes, and of sums of them over all axes but the last, ready to be divided.

    Parameters
        aliases : values that share memory, as in Task ; sums : for each sum of the chain, memory for what every thread adds
            up by itself, or None where one thread adds up all
    """

    node: Node
    program: Program
    shape: Shape
    aliases: dict[int, Value]
    sums: dict[int, Memory | None]
    code: Code

    @classmethod
    def of(cls, node: Node, members: list[Node], aliases: dict[int, Value]) -> Chain:
        program = compile_program(members, node.outputs)
        code = Code([word for line in program.code for word in line])
        return cls(node, program, chain_shape(members), aliases, {}, code)

    def divide_sums(self, parts: int) -> None:
        """Says into how many parts the chain is divided, so that every part has its own place for sums."""
        for o in self.program.operands:
            if o.kind == ACCUMULATOR and o.value is not None:
                self.sums[id(o.value)] = Memory(4 * self.shape[-1] * parts) if parts > 1 else None

    def part(self, thread: int, first: int, end: int, fresh: bool) -> Part:
        """The elements first..end; both lie on row boundaries when something is broadcast or summed.

        Parameters  fresh : whether sums start here, or go on from what the same thread added up before
        """
        part = Part([self._call(thread, first, end, fresh)])
        program, node = self.program, self.node
        for o in program.operands:
            if o.value is None or id(o.value) in self.aliases:
                continue
            if o.kind == ACCUMULATOR:
                memory, width = self.sums[id(o.value)], self.shape[-1]
                part.writes.append(
                    access(o.value) if memory is None else memory_access(memory, thread * width, (thread + 1) * width)
                )
                continue
            if o.kind in (FULL, INTEGERS):
                spot = access(o.value, first, end)
            elif o.kind == COLUMN:
                spot = access(o.value, first // program.columns, -(-end // program.columns))
            else:
                spot = access(o.value)
            is_output = any(o.value is v for v in node.outputs) or (
                o.value.base is not None and o.value.producer is not None
            )
            (part.writes if is_output else part.reads).append(spot)
        return part

    def _call(self, thread: int, first: int, end: int, fresh: bool) -> Call:
        program = self.program
        if program.rows == 1:
            rows, columns = 1, end - first
        else:
            rows, columns = (end - first) // program.columns, program.columns
        row = first // program.columns if program.rows > 1 else 0
        operands: list[Any] = []
        for o in program.operands:
            value = self.aliases.get(id(o.value), o.value) if o.value is not None else None
            if o.kind == CONSTANT:
                operands += [o.kind, Float(o.number), 0]
            elif value is None:
                operands += [o.kind, 0, 0]
            elif o.kind == ACCUMULATOR:
                memory = self.sums[id(o.value)]
                operands += [o.kind, Address(value) if memory is None else Within(memory, thread * self.shape[-1]), 0]
            else:
                shift = {FULL: first, INTEGERS: first, COLUMN: row}.get(o.kind, 0)
                operands += [o.kind, Address(value, shift), 0]
        scratch = Scratch(len(program.operands) * (4 * BLOCK + 8) + 64)
        words = [rows, columns, len(program.operands), len(program.code), Block(operands), self.code, scratch]
        return Call("elementwise", [*words, Cell("seed"), Cell("step"), first, int(fresh)])

    def tasks(self, parts: list[Part | None]) -> list[Task]:
        """The task of these parts, and one that adds up the sums of all of them."""
        found = [Task(self.node, parts, aliases=self.aliases)]
        calls, reads, writes = [], [], []
        for o in self.program.operands:
            memory = self.sums.get(id(o.value))
            if o.value is None or memory is None:
                continue
            width = self.shape[-1]
            calls.append(Call("reduce", [1, len(parts), width, memory, Address(o.value), 0, 0, width]))
            reads.append(memory_access(memory))
            writes.append(access(o.value))
        if calls:
            found.append(Task(self.node, [Part([*calls], reads, writes), *[None] * (len(parts) - 1)]))
        return found


#: The products that have kernels which take along what follows.
HEADS = ("matmul", "conv", "conv_backward_data")


#: Products with weights that are constants of the plan; see ``compressed.py``.
COMPRESSED = (
    "sparse_weight_matmul", "sparse_weight_conv", "binary_matmul", "binary_matmul_signs", "binary_conv", "int8_matmul",
    "int8_conv", "kept_matmul",
)  # fmt: skip


def head_of(node: Node) -> Node | None:
    """The matrix product or convolution that a fused node begins with; None where it begins with another op."""
    first: Node = node.attrs.get("nodes", [node])[0]
    return first if first.op in HEADS else None


def home_of(product: Node, chain: list[Node], outputs: Sequence[Value]) -> Value:
    """The output of a chain in whose memory the product before it can be made, since nothing reads the product later."""
    last = max(i for i, n in enumerate(chain) if product.outputs[0] in n.inputs)
    for i, n in reversed(list(enumerate(chain))):
        if i >= last and n.op != "sum" and n.outputs[0].base is None and any(n.outputs[0] is v for v in outputs):
            return n.outputs[0]
    raise Unsupported
