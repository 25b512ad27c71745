"""Dropout that leaves too little of a layer."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import POOR_RESULT, Rule


class TooMuchDropout(Rule):
    """Dropout at rate p multiplies a unit by 0 or by 1 / (1 − p): noise of variance p / (1 − p) times the signal's square.
    At 0.5 noise and signal are equal; at 0.9 the noise is three times as large, and a tenth of the units is left."""

    code, name, tier, always = "CR505", "too-much-dropout", 5, True
    explains = (*POOR_RESULT, "bottleneck", "dead-units", "dying-units")
    paper = "Srivastava et al., Dropout, JMLR 2014: 0.5 for hidden units, 0.2 for inputs"

    def check(self, case: Case) -> Iterable[Finding]:
        found = []
        for call in case.dropouts:
            rate = float(getattr(call.layer, "rate", 0.0))
            limit = 0.5 if call.inputs[0] not in case.statistics.input_ids else 0.3
            if rate > limit + 0.05:
                found.append((rate, call.key, limit))
        kept = math.prod(1 - float(getattr(c.layer, "rate", 0.0)) for c in case.dropouts)
        if not found:
            return
        rate, key, limit = max(found)
        if rate < 0.75 and not case.harmed:
            return
        noise = math.sqrt(rate / (1 - rate)) if rate < 1 else math.inf
        severity = "error" if case.harmed else "warning" if rate >= 0.85 and case.noisy_training else "note"
        yield self.finding(
            f"Dropout of {rate:g} in {key}",
            severity=severity,
            where=key,
            layers=[k for _, k, _ in found],
            evidence={"rate": rate, "noise beside the signal": noise, "share that all Dropouts leave": kept},
            threshold=Threshold(limit, "rate of Dropout", "Srivastava et al. 2014: noise is as large as the signal at 0.5"),
            equation=f"√(p / (1 − p)) = {noise:.2g} times the signal is noise with p = {rate:g}",
            cause=f"Only {100 * (1 - rate):.0f} % of the units are left at each step.",
            changes=[Change("dropout", {"layers": tuple(k for _, k, _ in found), "rate": 0.2})],
            score=rate / limit,
        )
