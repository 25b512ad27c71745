"""A penalty that outweighs the loss."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import POOR_RESULT, Rule


class TooMuchWeightDecay(Rule):
    """Decay shrinks a weight by η λ at every step, to e^(−η λ steps) of its size without the loss's pull; when the penalty
    is as large as the loss, the smallest weights win, not the best ones."""

    code, name, tier, always = "CR506", "too-much-weight-decay", 5, True
    explains = (
        *POOR_RESULT,
        "bottleneck",
        "vanishing-gradients",
        "dead-units",
        "collapsed-units",
        "dying-units",
        "vanishing-through-time",
    )
    paper = "Krogh and Hertz, A simple weight decay can improve generalization, NIPS 1991; Loshchilov and Hutter, ICLR 2019"

    def check(self, case: Case) -> Iterable[Finding]:
        o = case.optimizer
        if o is None or not case.harmed or case.outcome.diverged or not (o.l1 or o.l2 or o.weight_decay):
            return
        start = end = l1 = l2 = 0.0
        for name, e in case.network.parameters.entries.items():
            if not e.decay or not case.network.trainable(name):
                continue
            w = case.network.parameters[name]
            end += float((w.astype(float) ** 2).sum())
            l1 += float(abs(w).sum())
            l2 += float((w.astype(float) ** 2).sum())
            if case.first is not None and name in case.first.parameters:
                start += case.first.parameters[name].value.norm ** 2
        shrunk = math.sqrt(end / start) if start > 0 and case.fresh else 1.0
        decayed = o.weight_decay * case.rate * case.steps
        penalty = o.l1 * l1 + 0.5 * o.l2 * l2
        share = penalty / case.outcome.final if case.outcome.final > 0 else 0.0
        # l2 works through the optimizer: beside the gradient of the loss it is λ |w|.
        strength = max(decayed if o.weight_decay else 0.0, share / 0.3 if penalty else 0.0)
        if not (shrunk < 0.7 or share > 0.3 or decayed > 1.0) or (shrunk > 0.9 and share < 0.1 and decayed < 3):
            return
        value = max(o.l1, o.l2, o.weight_decay)
        yield self.finding(
            f"weight decay of {value:g} outweighs the loss",
            where="optimizer",
            evidence={
                "l1": o.l1,
                "l2": o.l2,
                "weight decay": o.weight_decay,
                "|w| at the end beside the start": shrunk,
                "share of the penalty in the loss": share,
                "η λ steps": decayed,
            },
            threshold=Threshold(
                0.3, "share of the penalty in the loss, or |w| below 0.7 of the start", "e^(−η λ steps) < 0.7"
            ),
            equation=f"|w| / |w at the start| = {shrunk:.2g}; penalty / J = {share:.2g}; η λ steps = {decayed:.2g}",
            cause="The penalty pulls the weights to 0 faster than the loss can make them grow.",
            changes=[Change("weight_decay", {"value": 0.0}), Change("weight_decay", {"value": float(f"{value / 100:.1g}")})],
            score=max(1.0, strength, 1 / max(shrunk, 1e-3)),
        )
