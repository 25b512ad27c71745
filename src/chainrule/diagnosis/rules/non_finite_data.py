"""NaN or infinity in the data."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change, listed
from ..finding import Finding, Threshold
from ..rule import Rule


class NonFiniteData(Rule):
    """One value that is not a number makes the loss, every gradient and then every weight NaN."""

    code, name, tier, always = "CR102", "non-finite-data", 1, True
    explains = ("*",)
    paper = "IEEE 754-2019, section 6: an operation on NaN gives NaN"

    def check(self, case: Case) -> Iterable[Finding]:
        rows = case.data.broken
        where = f" ({listed(rows)})" if len(rows) and case.data.independent else ""
        for array, count in case.data.non_finite.items():
            yield self.finding(
                f"{array} holds {count} value(s) that are NaN or infinite",
                where="targets" if array.startswith("y") else "data",
                evidence={f"values of {array} that are not finite": count},
                threshold=Threshold(0, "no value may be NaN or infinite", "arithmetic"),
                equation="x = NaN  ⇒  z = x W + b = NaN  ⇒  J = NaN  ⇒  dW = NaN",
                cause="Missing values, or a logarithm or division in the preparation of the data, gave NaN or infinity.",
                changes=[
                    Change("data", {"advice": f"remove the samples whose {array} is not finite{where}, or fill the gaps in"})
                ],
            )
