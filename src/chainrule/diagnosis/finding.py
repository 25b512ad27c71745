"""What a rule has found: the cause and its place, the numbers and the equation that show it, and the changes that cure
it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ParameterError
from .change import Change

#: "error": the network cannot learn like this; "warning": it learns worse than it could; "note": borderline, or good to
#: know.
SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Threshold:
    """The limit that the evidence was compared with.

    Parameters  value : the limit ; meaning : what is compared, in words ; source : a paper, or the derivation
    """

    value: float
    meaning: str
    source: str

    def __str__(self) -> str:
        return f"{self.meaning} ({self.value:.4g}; {self.source})"


@dataclass(frozen=True)
class Finding:
    """One fault.

    Parameters
        code : such as "CR401", the same in every version ; name : such as "vanishing-gradients"
        title : one line ; severity : one of ``SEVERITIES``
        where : the name of a layer, or "data", "targets", "output", "optimizer", "network"
        layers : the names of all layers that the finding is about
        evidence : {what was measured: number} ; threshold : the limit that the evidence was compared with
        equation : the equation that shows the fault, with the measured numbers ; cause, explanation : in words
        paper : a paper that describes the fault ; changes : the changes that may cure it, the most promising first
        score : the ratio of the evidence to the threshold; it ranks findings that explain equally much
        symptoms : the findings that follow from this one
        output : the number of the output, where only one of several shows the fault; else None
    """

    code: str
    name: str
    title: str
    severity: str = "error"
    where: str = "network"
    layers: tuple[str, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)
    threshold: Threshold | None = None
    equation: str = ""
    cause: str = ""
    explanation: str = ""
    paper: str = ""
    changes: tuple[Change, ...] = ()
    score: float = 1.0
    symptoms: tuple[Finding, ...] = ()
    output: int | None = None

    @property
    def of_data(self) -> bool:
        """Whether only other data can cure the fault."""
        return bool(self.changes) and all(change.kind == "data" for change in self.changes)

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ParameterError(f"Finding: severity must be one of {', '.join(SEVERITIES)}. Got {self.severity!r}.")

    def explaining(self, symptoms: tuple[Finding, ...]) -> Finding:
        """This finding with these symptoms."""
        return replace(self, symptoms=symptoms)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data, ready for JSON."""
        return {
            "code": self.code,
            "name": self.name,
            "title": self.title,
            "severity": self.severity,
            "where": self.where,
            "output": self.output,
            "layers": list(self.layers),
            "evidence": dict(self.evidence),
            "threshold": None if self.threshold is None else vars(self.threshold),
            "equation": self.equation,
            "cause": self.cause,
            "explanation": self.explanation,
            "paper": self.paper,
            "changes": [{"kind": c.kind, "arguments": dict(c.arguments), "text": str(c)} for c in self.changes],
            "symptoms": [s.to_dict() for s in self.symptoms],
        }

    def __str__(self) -> str:
        lines = [f"[{self.severity}] {self.code} {self.title}"]
        if self.cause:
            lines.append(f"  cause     {self.cause}")
        if self.equation:
            lines.append(f"  equation  {self.equation}")
        if self.threshold is not None:
            lines.append(f"  limit     {self.threshold}")
        lines += [f"  change    {change}" for change in self.changes[:3]]
        lines += [f"  explains  {s.code} {s.title}" for s in self.symptoms]
        return "\n".join(lines)
