"""Units whose slope is 0 for every sample."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import POOR_RESULT, Rule


class DeadUnits(Rule):
    """A ReLU whose z is below 0 for every sample has output 0 and slope 0: no gradient reaches its weights, so it never
    comes back."""

    code, name, tier, always = "CR603", "dead-units", 7, True
    explains = (*POOR_RESULT, "bottleneck", "vanishing-gradients", "collapsed-units", "gradient-cut-off")
    paper = "Lu, Shin, Su and Karniadakis, Dying ReLU and initialization, 2019"

    def check(self, case: Case) -> Iterable[Finding]:
        limit = 0.7
        found = []
        for call in case.hidden_activations:
            if call.layer.curve().saturates:
                continue  # saturated, not dead
            silent = case.statistics.silent_units(call.key)
            if silent is not None and silent.mean() >= (limit if not case.outcome.failed else 0.5):
                found.append((float(silent.mean()), call.key, len(silent)))
        if not found:
            return
        share, key, units = max(found)
        bias = case.negative_bias(key)
        whole = share >= 1.0
        began = case.silent_at_start(key)
        born = began is not None and began >= 0.5
        cause = (
            f"The biases before it start at {bias:.2g}, below what the inputs can lift."
            if bias is not None
            else "They were dead from the first step sampled: start weights, biases or inputs put z below 0."
            if born
            else "They died in training: a step moved their weights to where z < 0 for every sample."
        )
        changes = [Change("revive", {"layers": tuple(k for _, k, _ in found)})]
        if bias is not None or born:
            changes.insert(0, Change("initialise", {"layers": (), "law": "auto"}))
        else:
            changes.append(Change("learning_rate", {"factor": 0.1}))
        changes.append(Change("activation", {"layers": tuple(k for _, k, _ in found), "to": "leaky_relu"}))
        yield self.finding(
            f"{100 * share:.0f} % of the units of {key} are dead",
            severity="error" if case.harmed else "warning" if whole and not case.bypassed(key) else "note",
            where=key,
            layers=[k for _, k, _ in found],
            evidence={
                "share of dead units": share,
                "units": units,
                "share at the first step sampled": -1.0 if began is None else began,
            }
            | ({} if bias is None else {"mean of the biases before": bias}),
            threshold=Threshold(
                limit, "share of units with slope 0 for all samples of the window", "AutoTrainer: 70 % (2021)"
            ),
            equation="z < 0 for all samples  ⇒  σ'(z) = 0  ⇒  dW = xᵀ (da ⊙ σ'(z)) = 0",
            cause=cause,
            changes=changes,
            score=share / limit,
        )
