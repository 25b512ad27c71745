"""Targets that do not depend on the inputs."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class UninformativeLabels(Rule):
    """When targets are independent of the inputs, as after a shuffle of one of the two, a network can memorise the training
    samples but is no better than the best constant on others.

    Where classes are unequal, accuracy hides what is learned: with 26 % of one class a good model may hardly be right
    more often than one that always says the other. So the simple models are judged by a proper score, too, the Brier skill.
    """

    code, name, tier, always = "CR701", "uninformative-labels", 4, True
    explains = ("*",)
    paper = (
        "Zhang, Bengio, Hardt, Recht and Vinyals, Understanding deep learning requires rethinking generalization, ICLR 2017"
    )

    def check(self, case: Case) -> Iterable[Finding]:
        reference, o = case.data.reference, case.outcome
        if reference is None or reference.predictable or case.data.samples < 60 or o.diverged:
            return
        counts = case.data.class_counts
        if counts is not None and len(counts) > 1 and counts.max() >= 10 * counts.min():
            return  # accuracy says nothing where nearly all samples are of one class
        held, error = case.held_out_score()
        # The simple models see a part of the samples only, in which the classes may have other shares.
        chance = reference.chance if counts is None or len(counts) < 2 else float(counts.max() / counts.sum())
        if held != held or held > chance + 3 * error:
            return
        yield self.finding(
            "the targets seem to be independent of the inputs",
            where="targets",
            evidence={
                "score on unseen samples": held,
                "of the best constant": chance,
                "of a linear model": reference.linear,
                "of a kernel or nearest neighbours": reference.curved,
                "variance that the best of them explains": reference.skill,
                "standard error": error,
            },
            threshold=Threshold(
                chance + 3 * error,
                "score on unseen samples, three standard errors above the best constant",
                "binomial test",
            ),
            equation="p(y | x) = p(y): no function of x predicts y better than a constant",
            cause="Neither a linear model, nor nearest neighbours, nor this network predict unseen samples better than a "
            "constant: were the rows of X or y shuffled, or sorted, on their own?",
            changes=[Change("data", {"advice": "check that row i of X and row i of y belong together"})],
        )
