"""A plan as text."""

from __future__ import annotations

from ..ops import Node, Value
from ..ops.table import node_bytes, node_flops
from .plan import Plan


def _human(count: float, unit: str = "") -> str:
    for prefix in ("", "k", "M", "G"):
        if count < 1000 or prefix == "G":
            return f"{count:.3g} {prefix}{unit}".strip()
        count /= 1000
    return ""


def _op(node: Node) -> str:
    if node.op != "fused":
        return node.op
    return "+".join(n.op for n in node.attrs["nodes"])


def _shape(value: Value) -> str:
    text = "×".join(map(str, value.shape)) or "scalar"
    return f"{value.name}:{text}" if value.name else text


def show(plan: Plan) -> str:
    """One line a node: phase, layer, op, inputs → outputs, FLOPs, bytes; then the totals."""
    rows = []
    for node in plan.nodes:
        inputs = ", ".join(_shape(v) for v in node.inputs if v.role != "constant")
        outputs = ", ".join(_shape(v) for v in node.outputs)
        op = _op(node)
        op = op if len(op) <= 48 else op[:45] + "..."
        cost = f"{_human(node_flops(node), 'FLOP')}, {_human(node_bytes(node), 'B')}"
        rows.append((node.where.phase, node.where.layer, op, f"{inputs} → {outputs}", cost))
    widths = [max((len(r[i]) for r in rows), default=0) for i in range(3)]
    lines = ["  ".join([*(c.ljust(w) for c, w in zip(r, widths, strict=False)), r[3], f"[{r[4]}]"]) for r in rows]
    totals = f"{len(plan.nodes)} ops, batch {plan.batch}, {_human(plan.flops, 'FLOP')} and {_human(plan.bytes, 'B')} a step"
    return "\n".join([*lines, totals, *plan.notes])
