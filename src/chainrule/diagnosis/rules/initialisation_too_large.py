"""Start weights that are too large."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule
from ._start_scale import start_scales

#: How much larger the last step of a sequence may start than the law would have it, in a recurrent layer of ReLU.
_GROWTH = 1e3


class InitialisationTooLarge(Rule):
    """Start weights of c times the law's size make every pre-activation c times too large, c^L times after L layers of ReLU;
    bounded activations saturate, and the gradient explodes or, behind σ' ≈ 0, vanishes."""

    code, name, tier, always = "CR304", "initialisation-too-large", 3, True
    explains = ("*",)
    paper = "Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010"

    def check(self, case: Case) -> Iterable[Finding]:
        scales = start_scales(case)
        wide = [s for s in scales if s.ratio > 3.0 or s.growth > _GROWTH]
        if not wide:
            return
        total = min(1e300, math.prod(min(s.growth, 1e100) for s in scales))
        key, std, law, ratio, growth = max(wide, key=lambda s: s.growth)
        strong = ratio > 5 or total > 30
        severity = "error" if strong and case.harmed else "warning" if ratio > 10 or case.harmed else "note"
        yield self.finding(
            f"start weights of {key} are {ratio:.3g} times too large",
            severity=severity,
            where=key,
            layers=list(dict.fromkeys(s.key for s in wide)),
            evidence={
                "std of the start weights": std,
                "std of the law": law,
                "ratio": ratio,
                "product over the layers": total,
            },
            threshold=Threshold(3.0, "ratio to the law's std", "Var(w) fan_in = 1 or 2 keeps Var(z) (LeCun, Glorot, He)"),
            equation=f"Var(z) = fan_in Var(w) E[a²] is {ratio**2:.3g} times that of the law in {key}"
            + (f", and so in each step of the sequence: {growth:.2g} times in all" if growth > 2 * ratio else ""),
            cause="The initializer does not divide by the number of inputs of a unit.",
            changes=[
                Change("initialise", {"layers": tuple(dict.fromkeys(s.key for s in wide)), "law": "auto"}),
                Change("normalise", {"by": "batch_norm"}),
            ],
            score=max(ratio / 3.0, 1.0),
        )
