"""Gradients that grow from step to step of a sequence."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import POOR_RESULT, Rule
from ..statistics import CallInfo
from ._through_time import profile, sequences

#: Units up to which the eigenvalues of U are computed.
_UNITS = 512


class ExplodingThroughTime(Rule):
    """A recurrent weight that stretches by more than σ' shrinks makes the gradient of the state grow from step to step back
    in time; after enough steps one batch throws the weights out. That its largest singular value is above 1 / max σ' is
    necessary for it."""

    code, name, tier, always = "CR608", "exploding-through-time", 7, True
    explains = (*POOR_RESULT, "non-finite", "dead-units", "saturated-units", "bottleneck", "collapsed-units")
    paper = "Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, ICML 2013"

    def check(self, case: Case) -> Iterable[Finding]:
        limit = 70.0
        for call in (c for calls in sequences(case) for c in calls):
            grown = [float(p.max()) for s in case.window if (p := profile(call, s)) is not None]
            if case.persistent([g > limit for g in grown]):
                yield self._finding(case, call, grown[-1], limit)

    def _finding(self, case: Case, call: CallInfo, grown: float, limit: float) -> Finding:
        chain = case.statistics.chains_through_time().get(call.key)
        radius, largest = _spectrum(case, call)
        evidence = {"largest ‖dhₜ‖ beside that of the step where the gradient begins": grown}
        if radius == radius:
            evidence |= {"spectral radius of U": radius, "largest singular value of U": largest}
        if chain is not None:
            evidence |= {f"share of {role}": share for role, share in chain.shares().items()}
        changes = [
            Change("recurrent_init", {"layers": (call.name,), "law": "orthogonal"}),
            Change("clip", {"norm": 1.0}),
        ]
        if call.layer.recurrence == "simple":
            changes += [Change("recurrent", {"layers": (call.name,), "to": to}) for to in ("lstm", "gru")]
        return self.finding(
            f"the gradient explodes through time: {grown:.2g} times larger at an earlier step",
            severity=case.severity("error"),
            where=call.key,
            layers=[call.key],
            evidence=evidence,
            threshold=Threshold(
                limit, "largest ‖dhₜ‖ / ‖dh_T‖ in most of the last steps sampled", "AutoTrainer (Zhang et al. 2021): 70"
            ),
            equation=f"dhₜ₋₁ = (dhₜ ⊙ σ'(zₜ)) Uᵀ with ‖U‖ = {largest:.3g} and spectral radius {radius:.3g}",
            cause="The gradient explodes through time." if chain is None else chain.sentence(),
            changes=changes,
            score=grown / limit,
        )


def _spectrum(case: Case, call: CallInfo) -> tuple[float, float]:
    """(spectral radius, largest singular value) of the recurrent weights, of the gate that stretches most; NaN where that is
    dear."""
    u = np.asarray(case.network.parameters[f"{call.name}.recurrent_weight"], np.float64)
    if len(u) > _UNITS or not np.isfinite(u).all():
        return np.nan, np.nan
    parts = np.split(u, u.shape[1] // u.shape[0], axis=1)
    radius = max(float(np.abs(np.linalg.eigvals(part)).max()) for part in parts)
    return radius, max(float(np.linalg.norm(part, 2)) for part in parts)
