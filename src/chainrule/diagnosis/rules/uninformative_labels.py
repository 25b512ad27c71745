"""Targets that do not depend on the inputs."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class UninformativeLabels(Rule):
    """When targets are independent of the inputs, as after a shuffle of one of the two, a network can memorise the training
    samples but is no better than the best constant on others."""

    code, name, tier, always = "CR701", "uninformative-labels", 4, True
    explains = ("*",)
    paper = (
        "Zhang, Bengio, Hardt, Recht and Vinyals, Understanding deep learning requires rethinking generalization, ICLR 2017"
    )

    def check(self, case: Case) -> Iterable[Finding]:
        reference, o = case.data.reference, case.outcome
        if reference is None or reference.informative or case.data.samples < 60 or o.diverged:
            return
        counts = case.data.class_counts
        if counts is not None and len(counts) > 1 and counts.max() >= 10 * counts.min():
            return  # accuracy says nothing where nearly all samples are of one class
        held, error = case.held_out_score()
        if held != held or held > reference.chance + 3 * error:
            return
        yield self.finding(
            "the targets seem to be independent of the inputs",
            where="targets",
            evidence={
                "score on unseen samples": held,
                "of the best constant": reference.chance,
                "of a linear model": reference.linear,
                "of a kernel or nearest neighbours": reference.curved,
                "standard error": error,
            },
            threshold=Threshold(
                reference.chance + 3 * error,
                "score on unseen samples, three standard errors above the best constant",
                "binomial test",
            ),
            equation="p(y | x) = p(y): no function of x predicts y better than a constant",
            cause="Neither a linear model, nor nearest neighbours, nor this network predict unseen samples better than a "
            "constant: were the rows of X or y shuffled, or sorted, on their own?",
            changes=[Change("data", {"advice": "check that row i of X and row i of y belong together"})],
        )
