"""What every family of ops has in common: how a node is emitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from .table import OPS
from .value import Node, Value, Where

Operand = Value | float | int


class Emitter:
    """Emits nodes into ``nodes``, each marked with where it comes from. The families of ops are built on it."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.where = Where()
        self.random_count = 0

    def emit(self, op: str, *inputs: Operand, **attrs: Any) -> tuple[Value, ...]:
        """Emits one node of the op set and returns its outputs. Python numbers become constants."""
        values = tuple(self.constant(v) if isinstance(v, (int, float)) else v for v in inputs)
        if any(v.sparse is not None or v.dtype == "sparse" for v in values) and not OPS[op].takes_sparse:
            raise ShapeError(
                f"{op}: the input is a sparse matrix, which only products with weights (GraphConv, Dense) and Dropout take. "
                f"Give the network X.toarray(), or one of these layers first."
            )
        outputs = tuple(Value(shape, dtype) for shape, dtype in OPS[op].rule(values, attrs))
        node = Node(op, values, outputs, attrs, self.where)
        for v in outputs:
            v.producer = node
        self.nodes.append(node)
        return outputs

    def emit_given(
        self, op: str, fixed: Sequence[Value], optional: dict[str, Value | None], **attrs: Any
    ) -> tuple[Value, ...]:
        """Emits an op with optional inputs, which come last; the attribute ``given`` names those that are there."""
        present = {name: v for name, v in optional.items() if v is not None}
        return self.emit(op, *fixed, *present.values(), given=tuple(present), **attrs)

    def constant(self, value: float) -> Value:
        """A number written in the equation."""
        return Value((), role="constant", constant=float(value))
