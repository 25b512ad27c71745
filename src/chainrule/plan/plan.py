"""The plan: a flat list of nodes, and the names under which the outside gives and takes arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
        constants : the arenas whose numbers will not change, so that an engine may lay them out as it likes, once
        steady : arenas whose numbers rarely change, so that an engine may lay them out, too; it is told when it has to do so
            again (``Executable.lay_out``)
        beside : (FLOPs, bytes) of what belongs to the step and was computed before, so that an engine divides the rest among
            threads as it would divide the whole, and adds in the same order
        rows_alike : whether a row of a product must not depend on where in the batch it stands, in the last digits, as it
            must not in predictions
    """

    nodes: list[Node]
    inputs: dict[str, Value]
    outputs: dict[str, Value]
    arenas: dict[str, Value]
    scalars: dict[str, Value]
    batch: int
    notes: list[str] = field(default_factory=list)
    constants: frozenset[str] = frozenset()
    steady: frozenset[str] = frozenset()
    beside: tuple[int, int] = (0, 0)
    rows_alike: bool = False

    @property
    def flops(self) -> int:
        """Floating-point operations of one step."""
        return sum(node_flops(n) for n in self.nodes)

    @property
    def bytes(self) -> int:
        """Bytes read and written by one step when nothing is cached."""
        return sum(node_bytes(n) for n in self.nodes)

    def replace(self, nodes: list[Node], outputs: Mapping[str, Value] | None = None) -> Plan:
        """The same plan with other nodes, and other outputs where they are given."""
        return replace(self, nodes=nodes, outputs=dict(self.outputs if outputs is None else outputs))

    def show(self) -> str:
        """The plan as text: one line a node with phase, layer, op, inputs → outputs, FLOPs and bytes; then the totals."""
        rows = []
        for node in self.nodes:
            inputs = ", ".join(_shape(v) for v in node.inputs if v.role != "constant")
            outputs = ", ".join(_shape(v) for v in node.outputs)
            op = "+".join(n.op for n in node.attrs.get("nodes", [node]))
            op = op if len(op) <= 48 else op[:45] + "..."
            cost = f"{_human(node_flops(node), 'FLOP')}, {_human(node_bytes(node), 'B')}"
            rows.append((node.where.phase, node.where.layer, op, f"{inputs} → {outputs}", cost))
        widths = [max((len(r[i]) for r in rows), default=0) for i in range(3)]
        lines = ["  ".join([*(c.ljust(w) for c, w in zip(r, widths, strict=False)), r[3], f"[{r[4]}]"]) for r in rows]
        cost = f"{_human(self.flops, 'FLOP')} and {_human(self.bytes, 'B')} a step"
        return "\n".join([*lines, f"{len(self.nodes)} ops, batch {self.batch}, {cost}", *self.notes])


def _shape(value: Value) -> str:
    text = "×".join(map(str, value.shape)) or "scalar"
    return f"{value.name}:{text}" if value.name else text


def _human(count: float, unit: str) -> str:
    for prefix in ("", "k", "M"):
        if count < 1000:
            return f"{count:.3g} {prefix}{unit}"
        count /= 1000
    return f"{count:.3g} G{unit}"
