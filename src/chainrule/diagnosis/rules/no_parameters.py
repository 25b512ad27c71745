"""A network that has nothing to learn."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class NoParameters(Rule):
    """Without parameters the output is a fixed function of the input."""

    code, name, tier, always = "CR401", "no-parameters", 1, True
    explains = ("*",)

    def check(self, case: Case) -> Iterable[Finding]:
        if not case.network.built:
            return
        parameters = case.network.parameters
        learning = [p for p in parameters if case.network.trainable(p)]
        if learning:
            return
        frozen = tuple(sorted(case.network.frozen))
        yield self.finding(
            "no parameter learns: every layer is frozen" if len(parameters) else "the network has no parameters",
            layers=frozen,
            evidence={"parameters": parameters.count, "that learn": 0},
            threshold=Threshold(1, "at least one parameter that learns", "∂J/∂w needs a w"),
            equation="Δw = 0 for every w",
            cause="All layers with parameters are frozen." if len(parameters) else "No layer has parameters.",
            changes=[Change("unfreeze", {"layers": frozen})] if frozen else [Change("capacity", {"factor": 1.0})],
        )
