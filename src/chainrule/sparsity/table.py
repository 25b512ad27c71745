"""What each layer of a network has of zeros."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..network import NetworkGraph
from .weights import check_network

__all__ = ["LayerSparsity", "SparsityTable", "sparsity"]


@dataclass(frozen=True)
class LayerSparsity:
    """One parameter. Parameters  elements, zeros : their numbers ; held : how it is held, "" for as it is"""

    elements: int
    zeros: int
    held: str = ""

    @property
    def sparsity(self) -> float:
        """The share of zeros."""
        return self.zeros / self.elements if self.elements else 0.0


@dataclass(frozen=True)
class SparsityTable:
    """The zeros of a network; ``print`` shows them as a table.

    Attributes  parameters : {name: LayerSparsity} of all matrices and kernels ; others : number of other elements, such as
                biases
    """

    parameters: dict[str, LayerSparsity] = field(default_factory=dict)
    others: int = 0

    @property
    def elements(self) -> int:
        """How many elements the matrices and kernels have."""
        return sum(p.elements for p in self.parameters.values())

    @property
    def zeros(self) -> int:
        """How many of them are zero."""
        return sum(p.zeros for p in self.parameters.values())

    @property
    def sparsity(self) -> float:
        """The share of zeros among the elements of the matrices and kernels."""
        return self.zeros / self.elements if self.elements else 0.0

    def __getitem__(self, name: str) -> LayerSparsity:
        return self.parameters[name]

    def __str__(self) -> str:
        rows = [("parameter", "elements", "kept", "sparsity", "held")]
        for name, p in self.parameters.items():
            rows.append((name, f"{p.elements:,}", f"{p.elements - p.zeros:,}", f"{p.sparsity:.1%}", p.held))
        total, zeros = self.elements, self.zeros
        rows.append(("all of these", f"{total:,}", f"{total - zeros:,}", f"{self.sparsity:.1%}", ""))
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = [
            "  ".join(c.ljust(w) if i in (0, 4) else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
            for row in rows
        ]
        rule = "─" * max(map(len, lines))
        beside = f"{self.others:,} other parameters, such as biases, are not counted"
        return "\n".join(
            [lines[0].rstrip(), rule, *(line.rstrip() for line in lines[1:-1]), rule, lines[-1].rstrip(), beside]
        )


def sparsity(network: NetworkGraph) -> SparsityTable:
    """The zeros in each matrix and kernel of a network.

    Raises  NotFittedError before the shapes are known

    Example
        >>> from chainrule import Dense, Network
        >>> from chainrule.sparsity import prune
        >>> net = prune(Network([Dense(10)], random_state=0).build((20,)), 0.75)
        >>> sparsity(net).sparsity
        0.75
    """
    check_network("sparsity", network)
    found, others = {}, 0
    for name, array in network.parameters.items():
        if array.ndim < 2:
            others += array.size
            continue
        how = network.representation(name)
        found[name] = LayerSparsity(array.size, array.size - int(np.count_nonzero(array)), "" if how is None else repr(how))
    return SparsityTable(found, others)
