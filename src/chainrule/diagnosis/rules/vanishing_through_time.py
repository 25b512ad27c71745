"""Gradients that do not reach the far steps of a sequence."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import POOR_RESULT, Rule
from ..statistics import CallInfo
from ..through_time import TimeChain
from ._through_time import reached, sequences, unreached

#: A step whose gradient is less than this beside that of the step where it begins adds to dW = Σₜ xₜᵀ daₜ less than the
#: noise of sampling, 1 / √m, for any batch of m < 10⁶ samples.
_LIMIT = 1e-3
#: The share of the steps that are not reached.
_SHARE = 0.25


class VanishingThroughTime(Rule):
    """From step to step the gradient of the state passes σ' and the recurrent weights, or the gate of a cell that carries
    it. Factors below 1 leave nothing of it after enough steps: what the sequence held early cannot be learned."""

    code, name, tier, always = "CR607", "vanishing-through-time", 7, True
    explains = (*POOR_RESULT, "bottleneck", "collapsed-units")
    paper = "Hochreiter and Schmidhuber, Long short-term memory, 1997; Pascanu, Mikolov and Bengio, ICML 2013, section 2"

    def check(self, case: Case) -> Iterable[Finding]:
        for calls in sequences(case):
            shares = {s.step: unreached(calls, s, _LIMIT) for s in case.samples}
            if case.persistent([shares[s.step] >= _SHARE for s in case.window]):
                sample = case.window[-1]
            elif case.harmed and case.lasting(lambda s, shares=shares: shares[s.step] >= _SHARE, 1 / 3):  # type: ignore[misc]
                # A gradient that reached the far steps in the end only came too late: a third of the training was lost.
                sample = max(case.samples, key=lambda s, shares=shares: shares[s.step])  # type: ignore[misc]
            else:
                continue
            found = reached(calls, sample)
            assert found is not None
            chains = case.statistics.chains_through_time(sample.step)
            yield self._finding(case, calls, shares[sample.step], float(found.min()), chains)

    def _finding(
        self, case: Case, calls: list[CallInfo], share: float, least: float, chains: dict[str, TimeChain]
    ) -> Finding:
        call = calls[0]
        known = [chains[c.key] for c in calls if c.key in chains]
        steps = len(known[0].hidden) if known else 0
        evidence = {
            "share of the steps that are not reached": share,
            "least ‖dhₜ‖ beside the largest": least,
            "steps": steps,
        }
        equation = "‖dh₁‖ / ‖dh_T‖ = Π over the steps of ‖dhₜ₋₁‖ / ‖dhₜ‖"
        for chain in known[:1]:
            gain = 10 ** (chain.passed_log10 / max(1, len(chain) - 1)) if math.isfinite(chain.passed_log10) else 0.0
            evidence |= {"gain of a step, geometric mean": gain}
            evidence |= {f"share of {role}": value for role, value in chain.shares().items()}
            evidence |= {f"mean of {what}": value for what, value in chain.means.items()}
            equation = (
                f"Π of the gains of {len(chain) - 1} steps = {gain:.3g}^{len(chain) - 1} = {_power(chain.passed_log10)}"
            )
        return self.finding(
            f"the gradient vanishes through time: it reaches {100 * (1 - share):.0f} % of the steps",
            severity=case.severity("error"),
            where=call.key,
            layers=[c.key for c in calls],
            evidence=evidence,
            threshold=Threshold(
                _LIMIT, "‖dhₜ‖ beside that of the step where the gradient begins, at a quarter of the steps",
                "below the noise 1 / √m of any batch of m < 10⁶ samples; AutoTrainer (Zhang et al. 2021): 1e-3",
            ),
            equation=equation,
            cause=" ".join(chain.sentence() for chain in known) or "The gradient vanishes through time.",
            changes=_changes(calls, known, steps),
            score=share / _SHARE,
        )  # fmt: skip


def _power(log: float) -> str:
    return f"{10**log:.2g}" if math.isfinite(log) and log > -300 else "0"


def _changes(calls: list[CallInfo], chains: list[TimeChain], steps: int) -> list[Change]:
    """What the factor that shrinks it most calls for."""
    names = tuple(dict.fromkeys(c.name for c in calls))
    kinds = {c.layer.recurrence for c in calls}
    if any(c.layer.truncate for c in calls):
        return [Change("data", {"advice": f"give {names[0]} a larger truncate, or none: no gradient passes further back"})]
    changes = []
    if kinds & {"simple", "gated"}:
        # A step of an LSTM carries the gradient by the forget gate, which begins near 1; GRU's update gate begins at 1/2.
        changes.append(Change("recurrent", {"layers": names, "to": "lstm"}))
    gates = [c for c in calls if hasattr(c.layer, "forget_bias")]
    if gates:
        # f = σ(b) keeps 1 / e of the gradient over T steps where b = log(T − 1) (Tallec and Ollivier, ICLR 2018).
        bias = float(f"{max(1.0, math.log(max(2, steps - 1))):.2g}")
        if any(float(c.layer.forget_bias) < bias for c in gates):
            changes.append(Change("forget_bias", {"layers": names, "value": bias}))
    if "simple" in kinds:
        changes.append(Change("recurrent", {"layers": names, "to": "gru"}))
        shares = [chain.shares().get("weight", 0.0) for chain in chains]
        if not shares or np.max(shares) > 0.2:
            changes.insert(0, Change("recurrent_init", {"layers": names, "law": "orthogonal"}))
    return [*changes, Change("epochs", {"factor": 3.0})]
