"""Values and nodes: what a plan is made of before any engine sees it.

A ``Value`` is a shape and a kind of number, never data. A ``Node`` applies one op of the closed set to
values and makes new ones. Both are compared by identity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

from .sparse_matrix import SparseMatrix

Shape = tuple[int, ...]

#: Stands in the shape of a network's input for a size that may differ from batch to batch, such as a sequence's length.
#: No value of a plan has it: plans are made for sizes that are known.
FREE = -1

#: As many entries as are reckoned with for each row of an input of sparse rows.
ENTRIES_A_ROW = 64

#: What a value is to the plan. Only temporaries are planned into the arena of temporaries.
ROLES = ("input", "parameter", "state", "arena", "scalar", "constant", "temporary")


@dataclass(frozen=True)
class Where:
    """Where in the network a node comes from.

    Parameters  phase : "forward", "loss", "backward" or "update" ; layer : the layer's name, "" for none
    """

    phase: str = "forward"
    layer: str = ""

    def __str__(self) -> str:
        return f"{self.phase} {self.layer}".strip()


@dataclass(eq=False)
class Value:
    """An array that will exist when the plan runs.

    Parameters
        shape : its shape ; dtype : "float" (the engine's precision), "int" (32 bits), "bfloat16" (made by an engine) or
            "sparse" (an input whose rows are given by their entries that are not zero)
        role : one of ROLES ; name : of an input, parameter, arena or scalar; of a temporary, the word or letter that
            equations show it by
        constant : the number, for role "constant" (always of shape ())
        base, offset : the arena this value is a view of, and where in it, in elements
        shares : a value that it is written over, by an engine that saw that nobody reads that one any more
        producer : the node that was emitted to make it, None for inputs, parameters, arenas, scalars and constants. A
            pass may put another in its place in a plan, but for views, whose memory is that of their producer's input
        held : how a parameter is held, where it may be multiplied by an op of its own; see ``network.representation``
        sparse : the matrix itself, of an input that is a constant sparse matrix ; scale : (entries,), factors of its entries
    """

    shape: Shape
    dtype: str = "float"
    role: str = "temporary"
    name: str = ""
    constant: float = 0.0
    base: Value | None = None
    offset: int = 0
    shares: Value | None = field(default=None, repr=False)
    producer: Node | None = field(default=None, repr=False)
    sparse: SparseMatrix | None = None
    scale: Value | None = None
    held: Any = field(default=None, repr=False)

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def bytes(self, itemsize: int = 4) -> int:
        """Bytes of the array when an element of the engine's precision has ``itemsize`` bytes."""
        if self.dtype == "sparse":  # how many entries there are is not known before the data comes
            return self.shape[0] * (16 + ENTRIES_A_ROW * (4 + itemsize))
        return self.size * {"int": 4, "bfloat16": 2}.get(self.dtype, itemsize)


@dataclass(eq=False)
class Node:
    """One op applied to values.

    Parameters  op : a name in ``chainrule.ops.OPS`` ; inputs, outputs : values ; attrs : the op's constants ;
                where : the layer and phase that emitted it
    """

    op: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    where: Where = field(default_factory=Where)

    @property
    def output(self) -> Value:
        return self.outputs[0]
