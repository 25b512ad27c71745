"""Batches so small that steps are noise."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class BatchTooSmall(Rule):
    """The gradient of a batch of m samples has noise of size 1/√m beside the mean. With one or two samples and a step size
    made for more, steps go anywhere; batch normalisation of two samples gives ±1 whatever they are."""

    code, name, tier, always = "CR504", "batch-too-small", 5, True
    explains = ("loss-not-falling", "poor-fit", "under-training", "dead-units", "dying-units")
    paper = "McCandlish et al., An empirical model of large-batch training, 2018"

    def check(self, case: Case) -> Iterable[Finding]:
        if case.batch_size > 4 or case.data.samples < 16 or not case.harmed:
            return
        normalised = [
            c.key
            for c in case.statistics.calls.values()
            if c.layer.uses_batch_statistics and c.name not in case.network.frozen
        ]
        if not normalised and not (case.oscillating or case.median_step_ratio > 3e-3):
            return
        yield self.finding(
            f"batches of {case.batch_size} are too small" + (" for BatchNorm" if normalised else " for the step size"),
            severity="error" if normalised else "warning",
            where=normalised[0] if normalised else "optimizer",
            layers=normalised,
            evidence={"batch size": case.batch_size, "|Δw| / |w| a step": case.median_step_ratio},
            threshold=Threshold(4, "samples a step", "noise of the gradient ∝ 1 / √m"),
            equation="Var(dW of a batch) = Var(dW of a sample) / m",
            cause="Each step follows one or two samples.",
            changes=[Change("batch_size", {"value": 32}), Change("learning_rate", {"factor": 0.1})],
            score=4 / case.batch_size,
        )
