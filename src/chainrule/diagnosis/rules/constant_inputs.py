"""Inputs that never change."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class ConstantInputs(Rule):
    """A feature that is the same in every sample acts as one more bias: its weights learn nothing about the targets."""

    code, name, tier, always = "CR105", "constant-inputs", 1, True
    explains = ("*",)

    def check(self, case: Case) -> Iterable[Finding]:
        constant, features = len(case.data.constant_features), case.data.features.shape[1]
        if not constant or case.data.samples < 2 or case.data.non_finite:
            return
        share = constant / features
        whole = constant == features and all(limit is None for limit in case.data.index_limits)
        severity = "error" if whole else case.severity("warning") if share > 0.9 else "note"
        yield self.finding(
            f"{constant} of {features} features are the same in every sample",
            severity=severity,
            where="data",
            evidence={"constant features": constant, "features": features},
            threshold=Threshold(1.0, "share of the features that are constant", "Var(x) = 0 gives Cov(x, y) = 0"),
            equation="Var(x) = 0  ⇒  x W is a second bias",
            cause="The features were lost when the data was prepared." if whole else "Some features hold no information.",
            changes=[Change("data", {"advice": "look at how X is made; leave out constant features"})],
        )
