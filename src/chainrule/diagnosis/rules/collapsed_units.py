"""Layers that give the same for every sample."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import POOR_RESULT, Rule

#: With an effective rank below this, one direction holds all but a hundredth of the variance of a layer.
_LINE = 1.01


class CollapsedUnits(Rule):
    """When a layer's output hardly differs between samples, or in one direction only, nothing after it can tell them
    apart."""

    code, name, tier, always = "CR606", "collapsed-units", 8, True
    explains = POOR_RESULT
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
            rank = case.statistics.rank(call.key)
            same = bool(spreads) and case.persistent([x < 1e-3 for x in spreads])
            # One direction is left of several: equal units, or units that are all functions of one number.
            line = rank is not None and rank.units >= 4 and rank.outputs < _LINE and case.data.input_rank > 2
            if same or line:
                evidence = {"spread between samples relative to the size": spreads[-1]} if spreads else {}
                if rank is not None:
                    evidence |= {"effective rank of the outputs": rank.outputs, "units": rank.units}
                    evidence |= {"effective rank of the inputs": case.data.input_rank}
                limit = Threshold(1e-3, "std over the samples / size, of the unit that differs most", "rounding of float32")
                if not same:
                    limit = Threshold(_LINE, "effective rank of the outputs", "(tr C)² / tr C² is 1 for a single direction")
                yield self.finding(
                    f"{call.key} gives the same for every sample" if same else f"all units of {call.key} say the same",
                    where=call.key,
                    layers=[call.key],
                    evidence=evidence,
                    threshold=limit,
                    equation="a(x₁) ≈ a(x₂) for all samples  ⇒  the output is a constant"
                    if same
                    else "(tr C)² / tr C² ≈ 1 with C = Cov(a)  ⇒  every unit is a function of one number",
                    cause="The signal of the inputs is lost in this layer.",
                    changes=[Change("normalise", {"by": "batch_norm"}), Change("initialise", {"layers": (), "law": "auto"})],
                    score=1e-3 / max(spreads[-1], 1e-12) if same else 1.0,
                )
                return
