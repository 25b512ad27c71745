"""How a pass puts other nodes and values in the place of those it was given, and leaves these as they are.

A node that only reads other inputs makes the values that it made before: a value is the name of a result, and who reads it
needs not know that it is made in another way now. A view alone makes a new value, since its memory is that of its input, and
then its readers read the new one.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...ops import Node, Value
from ..memory import is_view


class Rewriting:
    """Values that are replaced by others, from the start of a plan to its end."""

    def __init__(self) -> None:
        self._replaced: dict[int, Value] = {}

    def replace(self, old: Value, new: Value) -> None:
        """From now on what reads ``old`` reads ``new``."""
        self._replaced[id(old)] = new

    def __getitem__(self, value: Value) -> Value:
        return self._replaced.get(id(value), value)

    def node(self, node: Node) -> Node:
        """The node with inputs replaced; the node itself where none of them is."""
        replaced = self._replaced
        for v in node.inputs:
            if id(v) in replaced:
                break
        else:
            return node
        return self.reading(node, tuple([replaced.get(id(v), v) for v in node.inputs]))

    def reading(self, node: Node, inputs: tuple[Value, ...]) -> Node:
        """A node of the same op that reads these inputs and makes the same values; a view makes a new one."""
        if not is_view(node):
            return Node(node.op, inputs, node.outputs, node.attrs, node.where)
        (old,) = node.outputs
        made = Value(old.shape, old.dtype, name=old.name)
        made.producer = Node(node.op, inputs, (made,), node.attrs, node.where)
        self.replace(old, made)
        return made.producer

    def outputs(self, outputs: Mapping[str, Value]) -> dict[str, Value]:
        """The outputs of the plan, with those replaced that are."""
        return {name: self[value] for name, value in outputs.items()}
