"""Targets that never change."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class ConstantTargets(Rule):
    """All targets are the same: a constant output is perfect, and no input is of use."""

    code, name, tier, always = "CR104", "constant-targets", 1, True
    explains = ("*",)

    def check(self, case: Case) -> Iterable[Finding]:
        if case.data.samples < 2 or case.data.non_finite:
            return
        for i, target in enumerate(case.data.targets):
            y = np.asarray(target)
            flat = y.reshape(len(y), -1)
            if not flat.size or (flat != flat[:1]).any():
                continue
            value = float(flat[0, 0])
            name = "y" if len(case.data.targets) == 1 else f"y[{i}]"
            yield self.finding(
                f"{name} is the same for every sample",
                where="targets",
                evidence={"different targets": 1, "the value": value},
                threshold=Threshold(2, "at least two different targets", "entropy: H(y) = 0"),
                equation=f"y = {value:g} for all {len(y)} samples  ⇒  H(y) = 0",
                cause="Only one class, or one value, is in the data: a filter, a sort before a split, or a wrong column.",
                changes=[Change("data", {"advice": "take samples of all classes; shuffle before splitting"})],
            )
