"""A layer too narrow for what has to pass it."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import POOR_RESULT, Rule


class Bottleneck(Rule):
    """A layer of h units passes a signal of h dimensions. Logits of K classes that come from it span h dimensions of K −
    1."""

    code, name, tier, always = "CR404", "bottleneck", 6, True
    explains = (*POOR_RESULT, "collapsed-units", "dead-units", "dying-units")
    paper = (
        "Tishby and Zaslavsky, Deep learning and the information bottleneck principle, 2015; rank of a product of matrices"
    )

    def check(self, case: Case) -> Iterable[Finding]:
        if case.outcome.diverged:
            return
        hidden = case.passages
        if not hidden or not case.network.output_shapes:
            return
        shape = case.output_shape
        wanted = max(1, (shape[-1] if shape else 1) - 1)
        units, call = min(hidden, key=lambda h: h[0])
        others = [u for u, c in hidden if c is not call]
        narrow = units <= 2 or units < wanted
        beside = max(others, default=0)
        if not narrow or (beside and units * 4 > beside and units >= wanted) or not others:
            return
        if case.data.code_share is not None:  # the code of an autoencoder is narrow on purpose, but for one of one number
            if units > 1 or not case.outcome.score < 0.5:
                return
        elif not case.harmed and not (2 * units < wanted and case.harmed_unseen):
            return
        rank = case.statistics.rank(call.key)
        yield self.finding(
            f"{call.key} has {units} unit(s), between layers of up to {beside}",
            where=call.key,
            layers=[call.key],
            evidence={"units": units, "dimensions that the outputs need": wanted, "units of the widest layer": beside}
            | ({} if rank is None else {"effective rank of its outputs": rank.outputs}),
            threshold=Threshold(wanted, "units of a hidden layer", "rank(W² W¹) ≤ units; K classes need K − 1 dimensions"),
            equation=f"rank(∂z/∂x) ≤ {units} < {max(wanted, units + 1)}",
            cause="All that the outputs know of the input has to pass this layer.",
            changes=[Change("capacity", {"layers": (call.key,), "factor": float(max(2, max(beside, 16) // max(1, units)))})],
            score=max(wanted, 2) / units,
        )
