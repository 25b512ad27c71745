"""The plan: a flat list of nodes, and the names under which the outside gives and takes arrays."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ops import Node, Value
from ..ops.table import node_bytes, node_flops


@dataclass
class Plan:
    """Everything one step computes, in order.

    Parameters
        nodes : in an order in which each comes after those it needs
        inputs : arrays given at every run, by name: "x0", "x1", ... ; "y0", ... ; "w0", ...
        outputs : arrays that a run returns, by name: "loss" (a mean over the batch), "output0", ...,
            "metric.accuracy", ... (sums over the batch)
        arenas : flat arrays kept between runs, by name: "parameters", "gradients", "states", "slot.m", ...
        scalars : numbers that change from step to step, by name, in order
        batch : samples a step works on
    """

    nodes: list[Node]
    inputs: dict[str, Value]
    outputs: dict[str, Value]
    arenas: dict[str, Value]
    scalars: dict[str, Value]
    batch: int
    notes: list[str] = field(default_factory=list)

    @property
    def flops(self) -> int:
        """Floating-point operations of one step."""
        return sum(node_flops(n) for n in self.nodes)

    @property
    def bytes(self) -> int:
        """Bytes read and written by one step when nothing is cached."""
        return sum(node_bytes(n) for n in self.nodes)

    def replace(self, nodes: list[Node]) -> Plan:
        """The same plan with other nodes."""
        return Plan(nodes, self.inputs, self.outputs, self.arenas, self.scalars, self.batch, self.notes)

    def show(self) -> str:
        """The plan as text: one line a node, with phase, layer, op, shapes, FLOPs and bytes."""
        from .show import show

        return show(self)
