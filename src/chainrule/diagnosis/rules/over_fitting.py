"""A network that memorises."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class OverFitting(Rule):
    """The training loss falls on while the validation loss rises: what is learned is this sample, not what it was drawn
    from."""

    code, name, tier, always = "CR704", "over-fitting", 8, True
    explains = ("too-much-capacity",)
    paper = (
        "Geman, Bienenstock and Doursat, Neural networks and the bias/variance dilemma, 1992; Prechelt, Early stopping, 1998"
    )

    def check(self, case: Case) -> Iterable[Finding]:
        held = np.asarray(case.history.get("val_loss", ()), np.float64)
        train = case.epoch_losses
        if len(held) < 4 or len(train) != len(held) or not np.isfinite(held).all():
            return
        best = int(held.argmin())
        rise = float(held[-3:].mean() / held[best]) if held[best] > 0 else 1.0
        # Prechelt's generalisation loss, 100 (J_val / min J_val − 1), of 20 % and more.
        limit = 1.2
        fell_on = train[-1] < 0.7 * train[best]
        gap = case.outcome.score - case.outcome.validation
        accuracy = np.asarray(case.history.get("val_accuracy", ()), np.float64)
        if gap != gap and len(accuracy) == len(held) and len(case.history.get("accuracy", ())) == len(held):
            gap = float(case.history["accuracy"][-1] - accuracy[-1])
        fell_on = train[-1] < 0.7 * train[best] and best < len(held) - 3
        n = len(case.data.validation[0][0]) if case.data.validation is not None else 100
        # A gap that chance does not make: three standard errors of an accuracy near 1/2, and at least a seventh.
        wide = gap == gap and gap > max(0.15 if case.outcome.classes else 0.25, 1.5 / n**0.5)
        apart = held[-1] > 3 * train[-1]
        if not (fell_on and rise > limit) and not (wide and apart):
            return
        worse = wide if gap == gap else rise > 2 * limit
        yield self.finding(
            f"the validation loss is {rise:.3g} times its least value, of epoch {best + 1}",
            severity="warning" if worse else "note",
            where="network",
            evidence={
                "validation loss at the end": held[-1],
                "least validation loss": held[best],
                "of epoch": best + 1,
                "training loss at the end": train[-1],
            }
            | ({"score on training less on validation samples": gap} if gap == gap else {}),
            threshold=Threshold(
                limit, "validation loss beside its least value", "Prechelt 1998: generalisation loss of 20 %"
            ),
            equation=f"J_val / min J_val = {rise:.3g} while J falls from {train[best]:.3g} to {train[-1]:.3g}",
            cause=f"{case.network.parameters.count} parameters learn {case.data.samples} samples by heart.",
            changes=[
                Change("early_stopping", {"patience": 10}),
                Change("dropout", {"layers": (), "rate": 0.3}),
                Change("weight_decay", {"value": 0.01}),
                Change("capacity", {"layers": (), "factor": 0.25}),
            ],
            score=rise / limit,
        )
