"""Data that fit refuses."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding
from ..rule import Rule


class DataError(Rule):
    """The data does not fit the network or its loss, so that no step can be made."""

    code, name, tier, always = "CR101", "data-error", 1, True
    explains = ("*",)

    def check(self, case: Case) -> Iterable[Finding]:
        if case.fault.get("kind") == "data" and not case.data.non_finite:
            text = case.fault["error"]
            yield self.finding(
                "the data does not fit the network", where="data", cause=text, changes=[Change("data", {"advice": text})]
            )
