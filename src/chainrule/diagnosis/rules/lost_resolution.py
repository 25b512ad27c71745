"""Numbers that float32 cannot tell apart."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...data import resolution
from ...network.origins import concerned
from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class LostResolution(Rule):
    """The numbers of a column differ by less than a hundred times the spacing of float32 numbers of their size: most of what
    tells the samples apart is lost before the first step."""

    code, name, tier, always = "CR106", "lost-resolution", 1, True
    explains = ("*",)

    def check(self, case: Case) -> Iterable[Finding]:
        if case.network.dtype == "float64" or case.data.non_finite or case.data.samples < 2:
            return
        centred = concerned(case.network, case.losses or None)
        for letter, arrays in (("X", case.data.inputs), ("y", case.data.targets)):
            for i, array in enumerate(arrays):
                if f"{letter.lower()}{i}" in centred:
                    continue  # the mean is taken out before these numbers become float32
                values = np.asarray(array)
                if values.ndim not in (1, 2) or (
                    letter == "X" and i < len(case.data.index_limits) and case.data.index_limits[i]
                ):
                    continue
                if found := resolution.lost_resolution(values):
                    columns = 1 if values.ndim == 1 else values.shape[-1]
                    name = letter if len(arrays) == 1 else f"{letter}[{i}]"
                    yield self._of(case, name, found, columns, whole=letter == "y" or len(found) == columns)

    def _of(self, case: Case, name: str, found: list[resolution.LostResolution], columns: int, whole: bool) -> Finding:
        first = found[0]
        steps = (first.high - first.low) / first.spacing
        what = f"the numbers of {name}" if columns == 1 else f"the numbers in {len(found)} of {columns} columns of {name}"
        return self.finding(
            f"float32 cannot tell {what} apart",
            severity="error" if whole else case.severity("warning"),
            where="targets" if name[0] == "y" else "data",
            evidence={
                "columns": len(found), "least": first.low, "largest": first.high, "spacing of float32": first.spacing,
                "different float32 numbers": steps,
            },
            threshold=Threshold(100, "different float32 numbers between the least and the largest", "24 bits of float32"),
            equation=f"({first.high:.10g} − {first.low:.10g}) / {first.spacing:g} = {steps:.3g}",
            cause="A large number is common to all samples, such as the origin of coordinates or of time.",
            changes=[Change("data", {"advice": f"take the mean out of {name} in float64 before the network gets it"})],
        )  # fmt: skip
