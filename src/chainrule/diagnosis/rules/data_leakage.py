"""Validation samples that are also training samples."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class DataLeakage(Rule):
    """A score on samples that were trained on says nothing about new ones."""

    code, name, tier, always = "CR703", "data-leakage", 2, True
    explains = ()
    paper = "Kaufman, Rosset and Perlich, Leakage in data mining, KDD 2011"

    def check(self, case: Case) -> Iterable[Finding]:
        shared = case.data.shared_rows
        if shared is None:
            return
        share, inside = shared
        # Data with few different values repeats itself; a leak repeats more of the validation samples than that.
        if share < 0.05 or share < 2 * inside:
            return
        yield self.finding(
            f"{100 * share:.0f} % of the validation samples are also training samples",
            where="data",
            evidence={
                "share of validation samples that are trained on": share,
                "repeated within the training samples": inside,
            },
            threshold=Threshold(
                0.05, "share of the validation samples found in the training samples", "unseen means unseen"
            ),
            equation="x in validation and in training  ⇒  the validation loss is a training loss",
            cause="The two parts were not split, or the split was made after samples had been copied.",
            changes=[Change("data", {"advice": "split once, before anything is copied; or use validation_split="})],
            score=share / 0.05,
        )
