"""How much each layer suffers from pruning."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ParameterError, UnknownNameError
from ..network import NetworkGraph
from ..training.session import Session
from ..training.trainable import Trainable
from .prune import prune
from .weights import check_network, check_sparsity, prunable

__all__ = ["Sensitivity", "sensitivity"]


@dataclass(frozen=True)
class Sensitivity:
    """The score of a network when one parameter at a time is pruned; ``print`` shows it as a table.

    Attributes
        metric : its name ; dense : the score without pruning ; scores : {parameter: {sparsity: score}}
    """

    metric: str
    dense: float
    scores: dict[str, dict[float, float]]

    def __str__(self) -> str:
        shares = list(next(iter(self.scores.values())))
        rows = [(f"{self.metric}, pruned alone", *(f"{s:.0%}" for s in shares))]
        rows += [(name, *(f"{found[s]:.4g}" for s in shares)) for name, found in self.scores.items()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
            for row in rows
        ]
        rule = "─" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:], rule, f"{self.dense:.4g} without pruning"])


def sensitivity(
    network: Trainable,
    X: Any,
    y: Any = None,
    *,
    sparsities: Sequence[float] = (0.5, 0.8, 0.9, 0.95),
    structure: str | None = None,
    metric: str | None = None,
    loss: Any = None,
    batch_size: int | None = None,
) -> Sensitivity:
    """The score on these samples when one parameter alone is pruned by magnitude, without training after it.

    The network itself stays as it is. A layer whose score falls early is to be pruned less than others.

    Parameters
        X, y, loss, batch_size : as of ``evaluate`` ; sparsities : to try, each in [0, 1) ; structure : as of ``prune``, but
        for "units" ; metric : a name that ``evaluate`` gives; None takes its first metric, "loss" where there is none
    Raises  as ``prune`` and ``evaluate``
    """
    shares = [check_sparsity(s, "each of sparsities") for s in sparsities]
    if not shares or structure == "units":
        raise ParameterError("sensitivity: give one sparsity at least, and no structure or one of blocks.")
    check_network("sensitivity", network)
    names = prunable(network)
    tried = copy.deepcopy(network)
    given = {"loss": loss, "batch_size": batch_size}
    dense = Session(tried).evaluate(X, y, **given)
    chosen = metric or next((name for name in dense if name != "loss"), "loss")
    if chosen not in dense:
        raise UnknownNameError("metric", chosen, dense)
    found: dict[str, dict[float, float]] = {}
    for name in names:
        whole, how = tried.parameters[name].copy(), tried.representation(name)
        found[name] = {}
        for share in shares:
            _prune_one(tried, name, share, structure)
            found[name][share] = Session(tried).evaluate(X, y, **given)[chosen]
            tried.represent(name, how)
            tried.parameters[name][...] = whole
    return Sensitivity(chosen, dense[chosen], found)


def _prune_one(network: NetworkGraph, name: str, share: float, structure: str | None) -> None:
    layer = name.rpartition(".")[0]
    held = {other: network.representation(other) for other in prunable(network, [layer]) if other != name}
    kept = {other: network.parameters[other].copy() for other in held}
    prune(network, share, scope="layer", structure=structure, layers=[layer], in_place=True)
    for other, how in held.items():  # a layer of several matrices: one of them at a time
        network.represent(other, how)
        network.parameters[other][...] = kept[other]
