"""Layers that give the same for every sample."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class CollapsedUnits(Rule):
    """When a layer's output hardly differs between samples, nothing after it can tell them apart."""

    code, name, tier, always = "CR606", "collapsed-units", 8, True
    explains = ("loss-not-falling", "poor-fit", "too-little-capacity", "under-training")
    paper = "Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning, ICLR 2014"

    def check(self, case: Case) -> Iterable[Finding]:
        if not case.window or not case.outcome.failed or case.batch_size < 4:
            return
        for call in case.path[:-1]:
            if call.role not in ("weight", "activation"):
                continue
            spreads = []
            for s in case.window:
                y = s.calls[call.key].output
                if y is not None and y.units is not None:
                    spreads.append(float(np.max(y.unit_stds)) / max(y.rms, 1e-30))
            if spreads and case.persistent([x < 1e-3 for x in spreads]):
                yield self.finding(
                    f"{call.key} gives the same for every sample",
                    where=call.key,
                    layers=[call.key],
                    evidence={"spread between samples beside the size": spreads[-1]},
                    threshold=Threshold(
                        1e-3, "std over the samples / size, of the unit that differs most", "rounding of float32"
                    ),
                    equation="a(x₁) ≈ a(x₂) for all samples  ⇒  the output is a constant",
                    cause="The signal of the inputs is lost in this layer.",
                    changes=[Change("normalise", {"by": "batch_norm"}), Change("initialise", {"layers": (), "law": "auto"})],
                    score=1e-3 / max(spreads[-1], 1e-12),
                )
                return
