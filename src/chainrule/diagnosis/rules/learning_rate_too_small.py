"""Steps that are too small."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import POOR_RESULT, Rule

_SLOW, _HEALTHY = 3e-4, 1e-3


class LearningRateTooSmall(Rule):
    """Weights that start at random have to move by about their own size before a network has learned. When all steps
    together are shorter than that, the loss has no time to fall."""

    code, name, tier, always = "CR502", "learning-rate-too-small", 5, True
    explains = (
        *POOR_RESULT,
        "bottleneck",
        "batch-too-large",
        "vanishing-gradients",
        "vanishing-through-time",
        "exploding-through-time",
    )
    paper = "Karpathy, CS231n: Convolutional neural networks for visual recognition, 2015: ratio of updates to weights"

    def check(self, case: Case) -> Iterable[Finding]:
        ratio = case.fastest_ratio
        if not case.harmed or case.outcome.diverged or not math.isfinite(ratio):
            return
        travelled = ratio * max(1, case.steps)
        if ratio == 0 and case.gradient_zero:
            return
        # Weights that start far too large move little in proportion at the right rate.
        if ratio > _SLOW or travelled > 0.5:
            return
        rate = case.rate
        factor = min(1e7, _HEALTHY / ratio) if ratio > 0 else 1e4
        yield self.finding(
            f"the learning rate {rate:g} is too small",
            where="optimizer",
            evidence={
                "learning rate": rate,
                "|Δw| / |w| a step, of the layer that moves most": ratio,
                "steps": case.steps,
                "|Δw| / |w| of all steps together, at most": travelled,
                "loss at the start": case.outcome.start,
                "loss at the end": case.outcome.final,
            },
            threshold=Threshold(_SLOW, "|Δw| / |w| of a step", "about 1e-3 is healthy (CS231n)"),
            equation=f"Σ |Δw| / |w| ≤ {case.steps} · {ratio:.2g} = {travelled:.2g}, where about 1 is needed",
            cause=f"In {case.steps} steps the weights move by {100 * travelled:.2g} % of their size at most.",
            changes=[
                Change("learning_rate", {"factor": float(f"{factor:.1g}"), "range_test": True}),
                Change("optimizer", {"name": "adam"}),
            ],
            score=_SLOW / max(ratio, 1e-12),
        )
