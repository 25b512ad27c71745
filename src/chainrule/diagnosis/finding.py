"""What a rule found: the cause, where, the numbers and the equation that show it, and the changes that it calls for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ParameterError
from .change import Change

#: "error": it cannot learn like this; "warning": it learns worse than it could; "note": borderline, or good to know.
SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Threshold:
    """The limit that evidence was compared with.

    Parameters  value : the limit ; meaning : in words ; source : paper or derivation
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
        where : the layer's name, or "data", "targets", "output", "optimizer", "network" ; layers : all that it is about
        evidence : {what: number}, as measured ; threshold : that the evidence was compared with
        equation : with the numbers put in ; cause, explanation : in words ; paper : that describes it
        changes : that the cause calls for, the most promising first
        score : how far beyond the threshold, 1 at it; ranks findings that explain equally much
        symptoms : findings that follow from this one
        output : number of the only output that shows it, of a network with several; else None
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
        """Whether only other data can cure it: it calls for nothing else."""
        return bool(self.changes) and all(change.kind == "data" for change in self.changes)

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ParameterError(f"Finding: severity must be one of {', '.join(SEVERITIES)}. Got {self.severity!r}.")

    def explaining(self, symptoms: tuple[Finding, ...]) -> Finding:
        """The same finding with the symptoms that follow from it."""
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
