"""Units that die one after the other."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class DyingUnits(Rule):
    """The share of units that never fire grows through the training; each that dies stays dead."""

    code, name, tier, always = "CR604", "dying-units", 7, True
    explains = ("loss-not-falling", "poor-fit", "too-little-capacity")
    paper = "Lu, Shin, Su and Karniadakis, Dying ReLU and initialization, 2019"

    def check(self, case: Case) -> Iterable[Finding]:
        for call in case.hidden_activations:
            if call.layer.curve().saturates:
                continue
            began, silent = case.silent_at_start(call.key), case.statistics.silent_units(call.key)
            if began is None or silent is None or len(case.samples) < 8:
                continue
            share = float(silent.mean())
            if share < 0.35 or share - began < 0.25 or share >= 0.7:
                continue
            yield self.finding(
                f"units of {call.key} are dying: {100 * began:.0f} % at the start, {100 * share:.0f} % now",
                severity=case.severity("warning"),
                where=call.key,
                layers=[call.key],
                evidence={"share of dead units at the start": began, "now": share},
                threshold=Threshold(
                    0.25, "growth of the share of dead units", "a dead unit has no gradient, so none comes back"
                ),
                equation="z < 0 for all samples  ⇒  σ'(z) = 0  ⇒  dW = 0",
                cause="Steps move weights to where z < 0 for every sample.",
                changes=[
                    Change("learning_rate", {"factor": 0.1}),
                    Change("activation", {"layers": (call.key,), "to": "leaky_relu"}),
                    Change("revive", {"layers": (call.key,)}),
                ],
                score=share / 0.35,
            )
