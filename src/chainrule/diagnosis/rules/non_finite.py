"""Numbers that stopped being finite."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule

_WHY = {
    "exp": "e^z overflows above z = 88.7 in float32",
    "log": "the logarithm of 0 is −∞, of a negative number NaN",
    "divide": "a division by 0",
    "sqrt": "the root of a negative number",
    "square": "a square above 3.4e38",
    "expm1": "e^z overflows above z = 88.7 in float32",
    "matmul": "products above 3.4e38",
    "multiply": "products above 3.4e38",
}


class NonFinite(Rule):
    """A number that is infinite or NaN: everything computed from it is, too."""

    code, name, tier, always = "CR801", "non-finite", 8, True
    explains = ("loss-not-falling", "poor-fit", "exploding-gradients")
    paper = "IEEE 754-2019; Goldberg, What every computer scientist should know about floating-point arithmetic, 1991"

    def check(self, case: Case) -> Iterable[Finding]:
        if case.fault.get("kind") != "divergence":
            return
        place = case.fault.get("place", "a step")
        op = place.rpartition("(op '")[2].rstrip("')") if "(op '" in place else ""
        layer = next((c.key for c in case.statistics.calls.values() if f"'{c.name}'" in place), "")
        yield self.finding(
            f"a number stopped being finite in {place}",
            where=layer or "network",
            layers=[layer] if layer else [],
            evidence={"step": float(case.fault.get("step", "-1"))},
            threshold=Threshold(3.4e38, "largest number of float32", "IEEE 754"),
            equation=_WHY.get(op, "∞ − ∞ = NaN, 0 · ∞ = NaN"),
            cause=_WHY.get(op, "A number grew beyond what float32 can hold."),
            changes=[Change("learning_rate", {"factor": 0.1, "range_test": True}), Change("clip", {"norm": 1.0})],
        )
