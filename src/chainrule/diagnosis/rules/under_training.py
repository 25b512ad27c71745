"""A training that ends while the loss is still falling."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class UnderTraining(Rule):
    """The loss still falls at the last epoch, and the network is worse than it could be."""

    code, name, tier, always = "CR707", "under-training", 9, True
    explains = (
        "loss-not-falling",
        "poor-fit",
    )
    paper = "Prechelt, Early stopping, but when?, 1998"

    def check(self, case: Case) -> Iterable[Finding]:
        losses = case.epoch_losses
        if not case.harmed or case.outcome.diverged or not len(losses):
            return
        last = min(3, len(losses) - 1)
        fall = float((losses[-1 - last] - losses[-1]) / max(abs(losses[-1 - last]), 1e-12) / max(1, last))
        start = case.outcome.start
        if last == 0:
            fall = (start - float(losses[-1])) / max(abs(start), 1e-12)
        limit = 0.005
        if fall < limit and case.steps > 100:
            return
        yield self.finding(
            f"the loss was still falling after {len(losses)} epoch(s)",
            where="optimizer",
            evidence={"fall of the loss an epoch": fall, "epochs": len(losses), "steps": case.steps},
            threshold=Threshold(limit, "relative fall of the loss an epoch, at the end", "a settled loss does not fall"),
            equation=f"J fell by {100 * fall:.2g} % in each of the last epochs",
            cause="The training ended too soon.",
            changes=[Change("epochs", {"factor": 5.0}), Change("learning_rate", {"factor": 3.0, "range_test": True})],
            score=fall / limit,
        )
