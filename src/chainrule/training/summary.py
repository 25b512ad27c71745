"""What can be seen of a network: the table of its layers, the plan and the equations of a step, the numbers in one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..constraints import Interval
from ..errors import DataError, DtypeError, ShapeError
from ..ops.table import node_flops
from ..ops.value import FREE
from ..optimizers import Optimizer, get_optimizer
from ..plan import Plan, lower_prediction, lower_training, optimise
from .intake import choose_losses, input_arrays, target_arrays
from .trainable import Trainable

__all__ = ["Summary", "built_for", "equations_of", "plan_of", "summary", "trace_of"]

if TYPE_CHECKING:
    from ..plan.equations import Equations
    from .trace import Trace

N = TypeVar("N", bound=Trainable)


def plan_of(
    network: Trainable,
    batch: int = 32,
    *,
    training: bool = True,
    loss: Any = None,
    optimizer: str | Optimizer | None = None,
    length: int | None = None,
) -> Plan:
    """``Network.plan``."""
    network.require_built("plan")
    batch = network.samples or Interval(int, 1).check("", "batch", batch)
    shapes = network.concrete()
    if length is not None:
        length = Interval(int, 1).check("", "length", length)
        shapes = [tuple(length if s == FREE else s for s in shape) for shape in network.input_shapes or []]
    if training:
        loss = getattr(network, "loss_", "squared_error") if loss is None else loss
        chosen = get_optimizer(getattr(network, "optimizer_", "adam") if optimizer is None else optimizer)
        plan = lower_training(network, choose_losses(loss, None, network), chosen, batch, shapes=shapes)
    else:
        plan = lower_prediction(network, batch, shapes=shapes)
    plan = optimise(plan)
    if steps := _stand_in_length(network, shapes):
        plan.notes.append(f"the length of the samples is free: this is the plan{steps}")
    # The notes of the usual engine, whatever engine the network was trained with.
    from ..engine import get_engine

    plan.notes.extend(get_engine().explain(plan))
    return plan


def equations_of(network: Trainable, *, loss: Any = None, optimizer: str | Optimizer | None = None) -> Equations:
    """``Network.equations``."""
    from ..plan.equations import Equations

    network.require_built("equations")
    last = network.fit_config_
    return Equations(
        network,
        last.get("loss") if loss is None else choose_losses(loss, None, network),
        last.get("optimizer") if optimizer is None else optimizer,
        targets=last.get("forms") if loss is None else None,
        loss_weights=last.get("loss_weights"),
    )


def trace_of(network: Trainable, X: Any, y: Any = None, *, loss: Any = None, **options: Any) -> Trace:
    """``Network.trace``."""
    from .trace import trace

    if y is not None and loss is None:
        loss = getattr(network, "loss_", None)
    if y is not None and network.built:
        loss = choose_losses(loss, target_arrays(y, len(network.output_ids)), network)
    return trace(network, X, y, loss=loss, **options)


class Summary(str):
    """The table of a network as text, which a notebook shows as a table.

    Attributes  rows : the cells, the first row with the headings ; total : the last line
    """

    rows: list[tuple[str, ...]]
    total: str

    def __new__(cls, text: str, rows: list[tuple[str, ...]], total: str) -> Summary:
        found = super().__new__(cls, text)
        found.rows, found.total = rows, total
        return found

    def __getnewargs__(self) -> tuple[Any, ...]:
        return str(self), self.rows, self.total

    def _repr_html_(self) -> str:
        def row(cells: Sequence[str], kind: str) -> str:
            sides = ("left", "left", "left", "right", "right")
            made = (f'<{kind} style="text-align: {s}">{escape(c)}</{kind}>' for c, s in zip(cells, sides, strict=True))
            return f"<tr>{''.join(made)}</tr>"

        body = "".join(row(cells, "td") for cells in self.rows[1:])
        return (
            f'<table class="chainrule-summary"><caption style="caption-side: bottom; text-align: left">{escape(self.total)}'
            f"</caption><thead>{row(self.rows[0], 'th')}</thead><tbody>{body}</tbody></table>"
        )


def summary(network: Trainable) -> Summary:
    """``Network.summary``."""
    from ..plan.equations.record import output_sizes

    network.require_built("summary")
    batch = network.samples or 1
    plan, sizes = lower_prediction(network, batch), output_sizes(network)
    flops: dict[str, int] = {}
    for node in plan.nodes:
        flops[node.where.layer] = flops.get(node.where.layer, 0) + node_flops(node)
    flops = {name: count // batch for name, count in flops.items()}
    rows: list[tuple[str, ...]] = [("layer", "what", "output", "parameters", "FLOPs")]
    seen: set[str] = set()
    for call in network.calls:
        count = sum(a.size for name, a in network.parameters.items() if name.rpartition(".")[0] == call.name)
        shape = "×".join(f"({s})" if " " in s and s[0] != "⌊" else s for s in sizes[call.output]) or "1"
        again = call.name in seen
        frozen = " (frozen)" if call.name in network.frozen else ""
        shown = "shared" if again and count else f"{count:,}{frozen}" if count else "-"
        rows.append((call.name, repr(call.layer), shape, shown, "" if again else f"{flops.get(call.name, 0):,}"))
        seen.add(call.name)
    frozen_count = sum(a.size for name, a in network.parameters.items() if not network.trainable(name))
    total = network.parameters.count
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = ["  ".join(c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
             for row in rows]  # fmt: skip
    rule = "─" * len(lines[0])
    size = total * np.dtype(network.dtype).itemsize
    last = (
        f"{total:,} parameters ({size / 1e6:.3g} MB), {total - frozen_count:,} of them learn; "
        f"{sum(flops.values()):,} FLOPs a sample{_stand_in_length(network)}"
    )
    text = "\n".join([lines[0].rstrip(), rule, *(line.rstrip() for line in lines[1:]), rule, last])
    return Summary(text, rows, last)


def built_for(network: N, X: Any) -> N:
    """The network, or where its shapes are not known yet, a copy that is built for these samples, if they fit."""
    if network.built:
        return network
    made = copy.deepcopy(network)
    try:
        made.build(*(tuple(None if s == FREE else s for s in x.shape[1:]) for x in input_arrays(made, X)))
    except (DataError, ShapeError, DtypeError):
        return network
    return made


def _stand_in_length(network: Trainable, shapes: Sequence[tuple[int, ...]] | None = None) -> str:
    """`` of T = 8 steps``, where a plan is for inputs whose length is free; else nothing."""
    pairs = zip(network.input_shapes or [], network.concrete(shapes), strict=True)
    found = sorted({size for free, given in pairs for s, size in zip(free, given, strict=True) if s == FREE})
    return f" of T = {', '.join(map(str, found))} steps" if found else ""
