"""Batches so large that too few steps are left to learn anything."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import POOR_RESULT, Rule


class BatchTooLarge(Rule):
    """With batches of nearly all samples an epoch is one or two steps; as many epochs then hold far fewer steps than the
    weights need, since the step size does not grow with the batch by itself."""

    code, name, tier, always = "CR503", "batch-too-large", 5, True
    explains = (*POOR_RESULT, "bottleneck", "vanishing-through-time")
    paper = "Goyal et al., Accurate, large minibatch SGD, 2017; Keskar et al., On large-batch training, ICLR 2017"

    def check(self, case: Case) -> Iterable[Finding]:
        n, batch = case.data.samples, case.batch_size
        if n < 128 or not case.harmed or case.outcome.diverged:
            return
        an_epoch = -(-n // batch)
        if an_epoch > 4 or batch < 64 or case.steps > 400:
            return
        if any(case.silent_at_start(call.key) == 1.0 for call in case.hidden_activations):
            return  # a layer that is dead from the start stays so, however many steps there are
        wanted = 32
        yield self.finding(
            f"batches of {min(batch, n)} of {n} samples leave {case.steps} steps",
            severity="error",
            where="optimizer",
            evidence={"batch size": batch, "samples": n, "steps an epoch": an_epoch, "steps in all": case.steps},
            threshold=Threshold(
                4, "steps an epoch", "Masters and Luschi 2018: batches of 2 to 32 learn best for equal epochs"
            ),
            equation=f"steps = epochs · ⌈{n} / {batch}⌉ = {case.steps}",
            cause="The batch is too large for this number of epochs and this step size.",
            changes=[Change("batch_size", {"value": wanted}), Change("learning_rate", {"factor": 4.0, "range_test": True})],
            score=4 / an_epoch,
        )
