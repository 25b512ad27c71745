"""Steps that are too large."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import POOR_RESULT, Rule

#: A healthy step changes a weight by about a thousandth of its size.
_HEALTHY, _LARGE, _WHOLE = 1e-3, 0.05, 0.5


class LearningRateTooLarge(Rule):
    """Gradient descent goes down only while η is below 2 / λ, with λ the largest curvature; above it the loss oscillates or
    grows. A step that changes the weights by a large part of their size throws away what was learned, and kills ReLU
    units."""

    code, name, tier, always = "CR501", "learning-rate-too-large", 5, True
    explains = (
        *POOR_RESULT,
        "vanishing-gradients",
        "exploding-gradients",
        "dead-units",
        "dying-units",
        "saturated-units",
        "collapsed-units",
        "non-finite",
        "bottleneck",
        "batch-too-small",
        "vanishing-through-time",
        "exploding-through-time",
    )
    paper = "LeCun, Bottou, Orr and Müller, Efficient BackProp, 1998, section 5.1; the ratio: Karpathy, CS231n, 2015"

    def check(self, case: Case) -> Iterable[Finding]:
        ratios = [r for r in case.step_ratios if math.isfinite(r)]
        if not ratios:
            return
        largest, median = max(ratios), case.median_step_ratio
        outcome, rising = case.outcome, case.rising
        culprit = int(case.fault.get("step", "1"))
        if outcome.diverged:
            if culprit == 0 and largest < _WHOLE:
                return  # the very first forward pass was not finite: no step was to blame
            severity = "error"
        elif (outcome.failed or outcome.worse_than_constant) and (
            largest > _WHOLE or median > _LARGE or (rising and largest > _HEALTHY)
        ):
            severity = "error"
        elif case.harmed and (median > _LARGE or largest > _WHOLE or (case.oscillating and largest > _HEALTHY)):
            severity = "error" if median > 2 * _LARGE else "warning"
        elif median > _LARGE and case.oscillating:
            severity = "note"
        else:
            return
        rate = case.rate
        wanted = min(0.1, _HEALTHY / max(median, largest / 30, 1e-12))
        yield self.finding(
            f"the learning rate {rate:g} is too large",
            severity=severity,
            where="optimizer",
            evidence={
                "learning rate": rate,
                "|Δw| / |w| of the largest step": largest,
                "|Δw| / |w|, median": median,
                "loss at the start": outcome.start,
                "loss at the end": outcome.final,
            },
            threshold=Threshold(_LARGE, "|Δw| / |w| of a step", "about 1e-3 is healthy (CS231n); 50 times that is too much"),
            equation=f"|Δw| / |w| = {median:.2g} a step (largest {largest:.2g}), where 1e-3 is healthy",
            cause="Steps jump over the minimum: "
            + ("numbers stopped being finite." if outcome.diverged else "the loss does not settle."),
            changes=[
                Change("learning_rate", {"factor": float(f"{wanted:.1g}"), "range_test": True}),
                Change("clip", {"norm": 1.0}),
            ],
            score=max(median / _LARGE, largest / _WHOLE, 1.0),
        )
