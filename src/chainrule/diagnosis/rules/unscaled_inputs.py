"""Inputs that are not of the order of 1."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule

#: Root mean square beyond which the curvature along a weight is a thousand times that along the bias (whose input is 1).
_LIMIT, _MILD = 30.0, 8.0


class UnscaledInputs(Rule):
    """Start weights are drawn for inputs of mean 0 and variance 1. With inputs of size s the pre-activations are s times too
    large (units saturate or die) and the curvature along the weights is s² times that along the biases, so that no one step
    size suits both."""

    code, name, tier, always = "CR301", "unscaled-inputs", 3, True
    explains = ("*",)
    paper = "LeCun, Bottou, Orr and Müller, Efficient BackProp, 1998, section 4.3"

    def check(self, case: Case) -> Iterable[Finding]:
        facts = case.data
        if not facts.features.size or facts.non_finite or facts.samples < 2:
            return
        # The first layer that mixes features may be a normalisation, which makes their scale irrelevant.
        first = case.path[0] if case.path else None
        if first is not None and first.role == "normalisation":
            return
        rms = facts.feature_rms
        varying = facts.feature_stds > 0
        if not varying.any():
            return
        largest = float(rms[varying].max())
        typical = float(np.sqrt((rms[varying] ** 2).mean()))
        if largest > _MILD:
            strong = largest > _LIMIT
            severity = "error" if strong and case.harmed else "warning" if strong or case.harmed else "note"
            yield self._finding(case, severity, largest, f"inputs are of size {largest:.3g}, not of the order of 1", strong)
        elif typical < 1 / _LIMIT:
            severity = case.severity("error" if typical < 0.01 else "warning")
            yield self._finding(case, severity, typical, f"inputs are of size {typical:.3g}, far below 1", False)

    def _finding(self, case: Case, severity: str, size: float, title: str, strong: bool) -> Finding:
        means, stds = case.data.feature_means, case.data.feature_stds
        return self.finding(
            title,
            severity=severity,
            where="data",
            evidence={
                "root mean square of the largest feature" if size > 1 else "root mean square of the features": size,
                "largest |mean|": np.abs(means).max(),
                "largest standard deviation": stds.max(),
                "smallest standard deviation above 0": stds[stds > 0].min(),
                "effective rank of E[xxᵀ]": case.data.moment_rank,
                "features": stds.size,
            },
            threshold=Threshold(
                _LIMIT if size > 1 else 1 / _LIMIT,
                "root mean square of a feature",
                "curvature ratio E[x²] / 1 above 10³ between weight and bias (LeCun et al. 1998)",
            ),
            equation=f"∂²J/∂w² : ∂²J/∂b² = E[x²] : 1 = {size**2:.3g} : 1, and std(z) ∝ {size:.3g}",
            cause="The inputs were not scaled to mean 0 and variance 1.",
            changes=[Change("scale_inputs", {"method": "standard"}), Change("normalise", {"by": "batch_norm"})],
            score=size / _LIMIT if size > 1 else 1 / (size * _LIMIT),
        )
