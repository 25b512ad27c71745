"""A network that fits worse than a simple model, for a reason that no other rule sees."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class PoorFit(Rule):
    """The network fits its training samples worse than a simple model predicts samples that it has not seen."""

    code, name, tier, always = "CR803", "poor-fit", 10, True
    paper = "Hastie, Tibshirani and Friedman, The elements of statistical learning, 2009, section 7.2"

    def check(self, case: Case) -> Iterable[Finding]:
        o = case.outcome
        if not case.harmed or o.failed:
            return
        yield self.finding(
            f"score {o.score:.3g} on training samples, where a simple model has {o.reference:.3g} on unseen ones"
            if o.score == o.score
            else "the loss ended above that of the best constant",
            severity="warning",
            evidence={
                "score": o.score,
                "score of the best simple model": o.reference,
                "score of the best constant": o.chance,
            },
            threshold=Threshold(
                o.reference, "score of ridge regression, kernel ridge or neighbours, left one out", "their error"
            ),
            equation=f"score {o.score:.3g} < {o.reference:.3g}",
            cause="Something keeps the network from fitting; the loss has settled too high.",
            changes=[
                Change("learning_rate", {"range_test": True}),
                Change("normalise", {"by": "batch_norm"}),
                Change("capacity", {"layers": (), "factor": 4.0}),
                Change("epochs", {"factor": 3.0}),
            ],
        )
