"""The table of the layers of a network, with the shapes of their outputs, their parameters and FLOPs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..errors import DataError, DtypeError, ShapeError
from ..ops.table import node_flops
from ..ops.value import FREE
from ..plan import lower_prediction
from .intake import input_arrays
from .trainable import Trainable

__all__ = ["Summary", "built_for", "stand_in_length", "summary"]

if TYPE_CHECKING:
    pass

N = TypeVar("N", bound=Trainable)


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
    """The table of a network. See ``Network.summary``."""
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
        f"{sum(flops.values()):,} FLOPs a sample{stand_in_length(network)}"
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


def stand_in_length(network: Trainable, shapes: Sequence[tuple[int, ...]] | None = None) -> str:
    """`` of T = 8 steps``, where a plan is for inputs whose length is free; else nothing."""
    pairs = zip(network.input_shapes or [], network.concrete(shapes), strict=True)
    found = sorted({size for free, given in pairs for s, size in zip(free, given, strict=True) if s == FREE})
    return f" of T = {', '.join(map(str, found))} steps" if found else ""
