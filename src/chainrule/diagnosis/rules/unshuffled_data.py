"""Samples in the order of their classes."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class UnshuffledData(Rule):
    """With samples sorted by class and not shuffled each step sees one class only: its gradient is not that of the whole
    loss, and the network forgets the class before."""

    code, name, tier, always = "CR406", "unshuffled-data", 3, True
    explains = ("*",)
    paper = "Bottou, Stochastic gradient descent tricks, 2012, section 5.1: randomly shuffle the training examples"

    def check(self, case: Case) -> Iterable[Finding]:
        runs = case.data.label_runs
        if case.shuffle or runs is None or runs > -5:
            return
        yield self.finding(
            "the samples are sorted by class and not shuffled",
            severity=case.severity("error", "warning"),
            where="data",
            evidence={"z-score of the number of changes of class": runs},
            threshold=Threshold(-5, "z-score of the number of changes of class", "runs test (Wald and Wolfowitz 1940)"),
            equation="E[dW of a step] ≠ dW: a batch holds one class",
            cause="shuffle=False with samples in the order of their classes.",
            changes=[Change("shuffle")],
            score=-runs / 5,
        )
