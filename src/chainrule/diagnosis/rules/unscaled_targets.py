"""Regression targets that are not of the order of 1."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule

_LIMIT, _MILD = 30.0, 6.0


class UnscaledTargets(Rule):
    """A network's outputs start at the order of 1. Targets of size s make errors, and gradients, s times as large: plain
    gradient descent overshoots, and Adam, whose steps have a fixed size, needs |y| / η of them for the bias alone."""

    code, name, tier, always = "CR302", "unscaled-targets", 3, True
    explains = ("*",)
    paper = "Bishop, Neural Networks for Pattern Recognition, 1995, section 8.2"

    def check(self, case: Case) -> Iterable[Finding]:
        loss = case.loss
        if loss is None or case.data.classification or loss.kind != "numbers" or not case.data.targets:
            return
        if case.data.non_finite or case.data.samples < 2 or case.data.looks_like_classes is not None:
            return
        last = case.last_call
        if last is not None and last.role == "softmax":
            return
        y = case.data.target.reshape(len(case.data.target), -1).astype(np.float64)
        size = float(np.sqrt((y**2).mean(axis=0)).max())
        spread = float(y.std(axis=0).max())
        if size > _MILD:
            strong = size > _LIMIT
            severity = "error" if strong and case.harmed else "warning" if strong or case.harmed else "note"
            title = f"targets are of size {size:.3g}, not of the order of 1"
        elif 0 < spread < 1 / _LIMIT:
            severity = case.severity("error" if spread < 0.01 else "warning")
            title = f"targets differ by {spread:.3g} only"
        else:
            return
        rate = case.rate
        yield self.finding(
            title,
            severity=severity,
            where="targets",
            evidence={"root mean square of the targets": size, "standard deviation": spread, "mean": y.mean()},
            threshold=Threshold(
                _LIMIT if size > 1 else 1 / _LIMIT,
                "size of the targets",
                "J and its curvature grow with E[y²] (Bishop 1995)",
            ),
            equation=f"J = E[(z − y)²] starts at {float((y**2).mean()):.3g}; |y| / η = {size / rate:.3g} steps for the bias"
            if rate > 0
            else f"J = E[(z − y)²] starts at {float((y**2).mean()):.3g}",
            cause="The targets were not scaled to mean 0 and variance 1.",
            changes=[Change("scale_targets", {"method": "standard"})],
            score=size / _LIMIT if size > 1 else 1 / (spread * _LIMIT),
        )
