"""Start weights that are too small."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule
from ._start_scale import start_scales


class InitialisationTooSmall(Rule):
    """Start weights of 1/c times the law's size shrink the signal, and the gradient on its way back, c times in every layer:
    c^L times after L layers."""

    code, name, tier, always = "CR305", "initialisation-too-small", 3, True
    explains = ("*",)
    paper = "He, Zhang, Ren and Sun, Delving deep into rectifiers, ICCV 2015, section 2.2"

    def check(self, case: Case) -> Iterable[Finding]:
        scales = start_scales(case)
        # Constant start weights are another fault; a last layer of zeros is a known good start.
        small = [s for s in scales[:-1] if s[1] > 0 and s[3] < 0.25]
        if not small:
            return
        total = math.prod(s[3] for s in scales if s[1] > 0)
        key, std, law, ratio, _ = min(small, key=lambda s: s.ratio)
        strong = total < 1e-3 or ratio < 0.02
        severity = "error" if strong and case.harmed else case.severity("warning")
        yield self.finding(
            f"start weights of {key} are {1 / ratio:.3g} times too small",
            severity=severity,
            where=key,
            layers=[s[0] for s in small],
            evidence={
                "std of the start weights": std,
                "std of the law": law,
                "ratio": ratio,
                "product over the layers": total,
            },
            threshold=Threshold(0.25, "ratio to the law's std", "Var(w) fan_in = 1 or 2 keeps Var(z) (LeCun, Glorot, He)"),
            equation=f"Π over the layers of std(w) / std(law) = {total:.3g} of the signal is left",
            cause="The initializer's scale does not fit the number of inputs of a unit.",
            changes=[
                Change("initialise", {"layers": tuple(s[0] for s in small), "law": "auto"}),
                Change("normalise", {"by": "batch_norm"}),
            ],
            score=0.25 / ratio,
        )
