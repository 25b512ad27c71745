"""What a step is made of: calls of kernels and primitives with their arguments, the parts of a task, and what these touch.

A task is one node of the plan. Its parts are what each thread does; what a part reads and writes are ranges of elements,
from which ``schedule.py`` finds where threads must wait for each other. Arguments name values; they become addresses when
memory is planned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from numpy.typing import NDArray

from ...ops import Node, Value
from ...plan.memory import root
from .primitives import Matrix, Primitive

#: A range of elements of a root value or arena: (key, first, end).
Access = tuple[int, int, int]


@dataclass
class Address:
    """An address in a block of arguments that is known when memory is planned: a value's, plus elements."""

    value: Value
    elements: int = 0

    @property
    def bytes(self) -> int:
        """From the start of the value."""
        return self.elements * (2 if self.value.dtype == "bfloat16" else 4)


@dataclass(eq=False)
class Memory:
    """Working memory, in bytes: the same object is the same memory."""

    bytes: int


@dataclass
class Within:
    """An address in working memory, some elements (of 4 bytes) from its start."""

    memory: Memory
    elements: int


@dataclass
class Scratch:
    """Working memory that a call needs only while it runs: all calls of a thread share it."""

    bytes: int


@dataclass
class Block:
    """An array of words of its own, given by its address (operands of a program)."""

    words: list[Any]


@dataclass
class Code:
    """An int32 array given by its address (the code of a program)."""

    words: list[int]


@dataclass
class Data:
    """A constant array given by its address."""

    array: NDArray[Any]


@dataclass
class Entries:
    """The address of what all entries of an input of sparse rows have: their "indices" or "values"."""

    value: Value
    what: str


@dataclass
class Float:
    """A float32 in the low half of a word."""

    value: float


@dataclass
class Function:
    """The address of a function of oneDNN."""

    name: str


@dataclass
class Cell:
    """The address of a run-time cell: "seed", or "step" of the thread."""

    name: str


@dataclass
class Call:
    """A kernel and its block of arguments: ints, or the things above."""

    kernel: str
    words: list[Any]


@dataclass
class ProductCall:
    """A matrix product C = A B, or with ``add`` C + A B: matrices, and where they start."""

    matrices: tuple[Matrix, Matrix, Matrix]
    addresses: tuple[Address | Memory, Address | Data, Address | Memory | Within]
    add: bool = False


@dataclass
class PrimitiveCall:
    """A primitive of oneDNN, made when it is needed, and where its arguments are, by their numbers."""

    make: Callable[[], Primitive]
    arguments: Mapping[int, Address | Memory | Within | Data]


AnyCall = Call | ProductCall | PrimitiveCall


@dataclass
class Part:
    """What one thread does of a task.

    Parameters
        samples, cut : of a part that can be done some samples at a time, which it does, and ``cut(first, end)``: the part
            of those samples alone
    """

    calls: list[AnyCall] = field(default_factory=list)
    reads: list[Access] = field(default_factory=list)
    writes: list[Access] = field(default_factory=list)
    samples: tuple[int, int] = (0, 0)
    cut: Callable[[int, int], Part] | None = None


@dataclass
class Task:
    """One node, divided. parts[t] is None for a thread that has nothing to do. fallback: run by the reference kernel."""

    node: Node
    parts: list[Part | None]
    fallback: bool = False
    #: Values of a fused node that share memory: {id(value): the value whose memory it uses}.
    aliases: dict[int, Value] = field(default_factory=dict)


def access(value: Value, first: int = 0, end: int | None = None) -> Access:
    """The elements first..end of a value, as a range of the memory it lies in."""
    r = root(value)
    end = value.size if end is None else end
    if r.base is not None:
        return id(r.base), r.offset + first, r.offset + end
    return id(r), first, end


def memory_access(memory: Memory, first: int = 0, end: int | None = None) -> Access:
    """The elements (of 4 bytes) first..end of working memory."""
    return id(memory), first, memory.bytes // 4 if end is None else end


def clash(spot: Access, others: Sequence[Access]) -> bool:
    """Whether a range overlaps any of others."""
    key, first, end = spot
    return any(k == key and first < e and f < end for k, f, e in others)


def bounds(count: int, threads: int, multiple: int = 1) -> list[int]:
    """threads + 1 cuts of 0..count into near-equal parts at multiples."""
    units = -(-count // multiple)
    return [min(count, units * t // threads * multiple) for t in range(threads)] + [count]


def by_samples(cuts: list[int], make: Callable[[int, int, int], Part]) -> list[Part | None]:
    """A part for each stretch of samples between cuts, by ``make(thread, first, end)``, each of which can be cut further."""
    parts: list[Part | None] = []
    for t, (a, b) in enumerate(pairwise(cuts)):
        if a >= b:
            parts.append(None)
            continue
        part = make(t, a, b)
        part.samples, part.cut = (a, b), lambda first, end, t=t: make(t, first, end)
        parts.append(part)
    return parts
