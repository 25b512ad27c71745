"""One sample, or hardly more."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class TooFewSamples(Rule):
    """With a single sample the best constant output has no error, so nothing about the inputs can be learned."""

    code, name, tier, always = "CR103", "too-few-samples", 1, True
    explains = ("*",)

    def check(self, case: Case) -> Iterable[Finding]:
        n = case.data.samples
        if n != 1:
            return
        yield self.finding(
            f"only {n} sample",
            where="data",
            evidence={"samples": n},
            threshold=Threshold(2, "at least two samples", "a function is not determined by one point"),
            cause="The array of samples has one row; perhaps its axes are swapped.",
            changes=[Change("data", {"advice": "give more samples, one a row: X.shape is (samples, features)"})],
        )
