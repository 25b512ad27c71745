"""Far more parameters than the samples can determine."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule
from .over_fitting import OverFitting


class TooMuchCapacity(Rule):
    """Parameters beyond what the samples can determine are free to fit their noise."""

    code, name, tier, always = "CR705", "too-much-capacity", 9, True
    explains = ()
    paper = "Vapnik, The nature of statistical learning theory, 1995; Zhang et al., ICLR 2017"

    def check(self, case: Case) -> Iterable[Finding]:
        n = case.data.samples
        parameters = case.network.parameters.count
        if not n or parameters < 100 * n or not next(iter(OverFitting().check(case)), None):
            return
        yield self.finding(
            f"{parameters / n:.3g} parameters for each sample",
            severity=next(iter(OverFitting().check(case))).severity,
            evidence={"parameters": parameters, "samples": n},
            threshold=Threshold(100, "parameters for each sample, of a network that over-fits", "Zhang et al. 2017"),
            equation=f"{parameters} unknowns, {n} equations",
            cause="The network is far larger than the data.",
            changes=[Change("capacity", {"layers": (), "factor": 0.25})],
            score=parameters / (100 * n),
        )
