"""Bounded activations at their limits."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import POOR_RESULT, Rule


class SaturatedUnits(Rule):
    """A logistic or tanh unit far from 0 has a slope near 0, so hardly any gradient passes it."""

    code, name, tier, always = "CR605", "saturated-units", 7, True
    explains = (*POOR_RESULT, "bottleneck", "vanishing-gradients")
    paper = "Glorot and Bengio, AISTATS 2010, section 3; LeCun et al., Efficient BackProp, 1998, section 4.4"

    def check(self, case: Case) -> Iterable[Finding]:
        limit = 0.1
        found = []
        for call in case.hidden_activations:
            curve = call.layer.curve()
            if not curve.saturates:
                continue
            slopes = [s.calls[call.key].slope for s in case.window]
            shares = [s.mean / curve.steepest for s in slopes if s is not None]
            if case.persistent([x < limit for x in shares]):
                found.append((shares[-1], call))
        if not found:
            return
        share, call = min(found, key=lambda f: f[0])
        top = call.layer.curve().steepest
        before = case.window[-1].calls[call.key]
        yield self.finding(
            f"the units of {call.key} are saturated",
            severity=case.severity("error"),
            where=call.key,
            layers=[c.key for _, c in found],
            evidence={
                "mean slope as a share of the largest": share,
                "least output": before.output.least if before.output else 0.0,
                "largest output": before.output.largest if before.output else 0.0,
            },
            threshold=Threshold(limit, "mean of σ'(z) / max σ'", "|z| > 3.6 for a logistic unit, > 1.8 for tanh"),
            equation=f"mean σ'(z) = {share * top:.2g}, at best {top:g}",
            cause="The pre-activations are far from 0, where the curve is flat.",
            changes=[
                Change("initialise", {"layers": (), "law": "auto"}),
                Change("normalise", {"by": "batch_norm"}),
                Change("activation", {"layers": tuple(c.key for _, c in found), "to": "relu"}),
            ],
            score=limit / max(share, 1e-9),
        )
