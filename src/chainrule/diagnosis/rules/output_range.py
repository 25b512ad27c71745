"""Targets that the output cannot reach."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class OutputRange(Rule):
    """An activation at the output bounds what can be predicted: targets outside of its range are never reached, and pull the
    output to where its derivative is 0."""

    code, name, tier, always = "CR203", "output-range", 2, True
    explains = ("*",)
    paper = "Bishop, Pattern Recognition and Machine Learning, 2006, section 5.2: the output activation follows the targets"

    def check(self, case: Case) -> Iterable[Finding]:
        call, loss = case.last_call, case.loss
        if call is None or loss is None or case.data.classification or not case.data.targets or case.data.non_finite:
            return
        y = np.asarray(case.data.targets[0], np.float64)
        if not y.size or call.role not in ("activation", "softmax"):
            return
        if call.layer.probabilities == "log" or (call.role == "softmax" and case.output_shape[-1:] == (1,)):
            return  # log-probabilities are compared with probabilities; a softmax of one unit is another fault
        activation, curve = call.layer.kind(), call.layer.curve()
        low, high = curve.low, curve.high
        slack = 1e-6 * max(1.0, float(np.abs(y).max()))
        outside = float(((y < low - slack) | (y > high + slack)).mean())
        sums = y.sum(axis=-1) if call.layer.probabilities == "exclusive" and y.ndim > 1 else None
        wrong_sums = sums is not None and not np.allclose(sums, 1, atol=1e-3)
        if outside <= 0 and not wrong_sums:
            return
        yield self.finding(
            f"{100 * outside:.0f} % of the targets lie outside of the range of {activation}"
            if outside
            else f"the targets do not sum to 1, and the outputs of {activation} do",
            severity="error" if outside > 0.01 or wrong_sums else "warning",
            where=call.key,
            layers=(call.key,),
            evidence={
                "share of targets out of range": outside,
                "least target": y.min(),
                "largest target": y.max(),
                "lower bound": low,
                "upper bound": high,
            },
            threshold=Threshold(0.0, "share of the targets out of range", f"range of {call.kind}"),
            equation=f"{low:g} ≤ {activation}(z) ≤ {high:g}, but y in [{y.min():.3g}, {y.max():.3g}]",
            cause=f"The output goes through {activation}; a regression needs a linear output (or scaled targets).",
            changes=[
                Change("output", {"activation": "identity", "loss": loss.name}),
                Change("scale_targets", {"method": "standard"}),
            ],
        )
