"""The answer of ``net.diagnose``: what is wrong and why, the most important fault first, or that all is well; with the
evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ParameterError, UnknownNameError
from .finding import Finding

if TYPE_CHECKING:
    from .chain import Chain
    from .statistics import Statistics
    from .through_time import TimeChain


class Diagnosis:
    """Findings about one network on its data.

    Attributes
        findings : root causes, errors before warnings and the most important first, each with the symptoms that follow from
            it
        notes : findings that are borderline or only good to know; they do not make a run unhealthy
        healthy : whether there are no findings ; cause : the first finding, or None
        evidence : {what was measured: number}, which the verdict rests on
        statistics : statistics of every layer at the sampled steps ; history : {name: one number an epoch}
        errors : {name of a rule: the error that it raised}; all other rules were asked nevertheless
        subject : the network that was looked at and some samples of its inputs, for pictures, or None; copies and pickles
            leave it out
    """

    subject: tuple[Any, list[Any]] | None = None

    def __init__(
        self,
        findings: Sequence[Finding] = (),
        notes: Sequence[Finding] = (),
        *,
        evidence: Mapping[str, float] | None = None,
        statistics: Statistics | None = None,
        history: Mapping[str, Sequence[float]] | None = None,
        errors: Mapping[str, str] | None = None,
    ) -> None:
        self.findings, self.notes = tuple(findings), tuple(notes)
        self.evidence = dict(evidence or {})
        self.statistics = statistics
        self.history = {name: list(values) for name, values in (history or {}).items()}
        self.errors = dict(errors or {})

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "subject"}

    @property
    def healthy(self) -> bool:
        """Whether no fault was found."""
        return not self.findings

    @property
    def cause(self) -> Finding | None:
        """The most important finding; None where there is none."""
        return self.findings[0] if self.findings else None

    def chain(self, step: int | None = None) -> Chain:
        """The gains of the gradient along the chain rule, layer by layer.

        Parameters  step : the sampled step nearest to this one; None for the last one sampled
        Raises      ParameterError when no gradient was sampled
        """
        from .chain import chain_of

        return chain_of(self.statistics, step)

    def through_time(self, layer: str | None = None, step: int | None = None) -> TimeChain:
        """The gains of the gradient through time inside a recurrent layer, step by step of the sequence.

        Parameters  layer : the name of the layer; None takes the layer whose gradient changes most
                    step : a step of the training. Recurrent layers are looked at with their weights at the start and at the
                    end; the nearer of these two steps is taken, and the end for None
        Raises      ParameterError when no recurrent layer was looked at ; UnknownNameError for another layer
        """
        from .through_time import steepest

        found = {} if self.statistics is None else self.statistics.chains_through_time(step)
        if not found:
            raise ParameterError(
                "through_time: no recurrent layer (SimpleRNN, LSTM or GRU) was looked at. Call net.diagnose(X, y), or "
                "fit(..., diagnose=True), for a network that has one."
            )
        if layer is None:
            return steepest(found)
        if layer not in found:
            raise UnknownNameError("recurrent layer", layer, found)
        return found[layer]

    def report(self, path: Any = None, *, title: str = "Diagnosis of a network") -> Any:
        """The diagnosis as a page: a chainrule.report.DiagnosisReport, which is also written to ``path`` where one is
        given."""
        from ..report import DiagnosisReport

        made = DiagnosisReport(self, title=title)
        if path is not None:
            made.save(path)
        return made

    def _repr_html_(self) -> str:
        found: str = self.report()._repr_html_()
        return found

    def to_dict(self) -> dict[str, Any]:
        """Everything but the statistics as plain data, ready for JSON."""
        return {
            "healthy": self.healthy,
            "findings": [f.to_dict() for f in self.findings],
            "notes": [f.to_dict() for f in self.notes],
            "evidence": self.evidence,
            "history": self.history,
            "errors": self.errors,
        }

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __bool__(self) -> bool:
        return True

    def __contains__(self, name: object) -> bool:
        """Whether a finding or one of its symptoms has this name or code."""
        return any(name in (f.code, f.name) for root in self.findings for f in (root, *root.symptoms))

    def __str__(self) -> str:
        head = "healthy" if self.healthy else f"{len(self.findings)} fault(s) found"
        lines = [f"Diagnosis: {head}"]
        lines += [str(f) for f in (*self.findings, *self.notes)]
        if self.healthy:
            lines += [f"  {what}: {value:.4g}" for what, value in self.evidence.items()]
        lines += [f"[rule failed] {name}: {error}" for name, error in self.errors.items()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        names = ", ".join(f.name for f in self.findings)
        return f"Diagnosis({names or 'healthy'})"
