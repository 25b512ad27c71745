"""Units that start equal and stay equal."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule
from ._start_scale import constant as all_equal


class ConstantInitialisation(Rule):
    """Units of a layer with equal weights get equal gradients, so they stay equal for ever: the layer is as good as one
    unit. With all weights 0 not even a gradient passes."""

    code, name, tier, always = "CR303", "constant-initialisation", 3, True
    explains = ("*",)
    paper = "Goodfellow, Bengio and Courville, Deep Learning, 2016, section 8.4: the start must break symmetry"

    def check(self, case: Case) -> Iterable[Finding]:
        found, constant = [], []
        for call in case.weighted[:-1]:
            name = case.weight(call)
            if name is None:
                continue
            w = case.network.parameters[name]
            units = w.reshape(-1, w.shape[-1])
            if units.shape[1] < 2 or not np.isfinite(units).all():
                continue
            start = case.first.parameters.get(name) if case.first is not None and case.fresh else None
            began = start is not None and all_equal(start.value)
            scale = float(np.abs(units).max())
            same = bool((np.abs(units - units[:, :1]) <= 1e-5 * scale).all())
            if began:
                constant.append((call.key, start.value.mean if start is not None else 0.0))
            if same:
                found.append((call.key, float(units.flat[0])))
        if not found and not constant:
            return
        severity = "error" if found else case.severity("error")
        shown = found or constant
        rank = case.statistics.rank(shown[0][0], start=not found)
        yield self.finding(
            f"all units of {shown[0][0]} are equal" + ("" if found else " at the start"),
            severity=severity,
            where=shown[0][0],
            layers=tuple(dict.fromkeys(key for key, _ in (*found, *constant))),
            evidence={"largest difference between two units' weights": 0.0, "weight": shown[0][1]}
            | ({} if rank is None else {"effective rank of the outputs": rank.outputs, "units": rank.units}),
            threshold=Threshold(0.0, "difference between units", "equal units have equal gradients for ever"),
            equation="w₁ = w₂  ⇒  a₁ = a₂  ⇒  dw₁ = dw₂  ⇒  w₁ = w₂ after every step",
            cause=f"The weights start from the constant {shown[0][1]:.3g} instead of random numbers.",
            changes=[Change("initialise", {"layers": (), "law": "auto"})],
        )
