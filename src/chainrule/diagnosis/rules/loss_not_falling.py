"""A loss that does not fall, whatever the cause."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class LossNotFalling(Rule):
    """The network is no better than the best constant output."""

    code, name, tier, always = "CR802", "loss-not-falling", 10, True
    paper = "Zhang et al., AutoTrainer, ICSE 2021: not-converging training"

    def check(self, case: Case) -> Iterable[Finding]:
        o = case.outcome
        if not o.failed or o.diverged or not case.steps:
            return
        # A trial that its time ended before the planned steps shows less than the training that it stands for.
        early = not o.complete and o.final < o.baseline + 0.05 * abs(o.baseline)
        yield self.finding(
            "the network is no better than a constant" + (" so far" if early else ""),
            severity="note" if early else "error",
            where="network",
            evidence={
                n: v
                for n, v in {
                    "loss at the start": o.start,
                    "loss at the end": o.final,
                    "loss of the best constant": o.baseline,
                    "score": o.score,
                    "score of the best constant": o.chance,
                    "score of the best simple model": o.reference,
                }.items()
                if v == v
            },
            threshold=Threshold(
                0.2, "(score − chance) / (reference − chance)", "less than a fifth of what a simple model learns"
            ),
            equation=f"J = {o.final:.4g} at the end, {o.start:.4g} at the start",
            cause="Nothing was learned."
            if not early
            else f"After {case.steps:,} steps, where the trial ended, it is too soon to tell.",
            changes=[Change("learning_rate", {"range_test": True}), Change("normalise", {"by": "batch_norm"})],
        )
