"""What a cure found: the changed network, with the evidence that the changes were right."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..diagnosis import Change, Diagnosis
from ..training.trainable import Trainable
from .findings import is_of_data
from .paired import Comparison, Trial
from .search import Rejected
from .setup import Setup

if TYPE_CHECKING:
    from ..report import DiagnosisReport

__all__ = ["Cure"]


@dataclass
class Cure:
    """The result of a cure: the faults, the changes that were made, and the proof that they help.

    Attributes
        network : the changed network, trained on all the data unless refit is False; the given one when nothing won
        improved : whether a change won ; changes : those that are kept, in the order in which they are made
        diagnosis : the diagnosis that the cure began with ; diagnosis_after : that of the changed network; None without one
        before, after : Setups ; baseline, best : their Trials, with the score of every seed and the curves of every epoch
        evidence : the Comparison of the two ; adds : {change: Comparison}, what each adds to the others
        rejected : what else was looked at, and why it was not kept ; trials : all Trials that were run
        correct : those of the changes that did not win: without them the network contradicts its loss, with them the score
            is no worse
        runs_of : what each run was made of, such as "all 20 epochs" or "4 of 20 epochs on 1,200 of 6,000 samples"
        advice : what only the user can change ; score_name : of the score ; seconds : that the whole cure took
        parts : {"diagnosis", "trials", "final training": seconds}
        samples : the number of samples that the trials were made with ; of : the number of all samples, None where a stream
            does not tell it
    """

    network: Trainable
    changes: tuple[Change, ...]
    before: Setup
    after: Setup
    baseline: Trial
    best: Trial
    evidence: Comparison
    score_name: str
    diagnosis: Diagnosis | None = None
    diagnosis_after: Diagnosis | None = None
    adds: dict[Change, Comparison] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    correct: tuple[Change, ...] = ()
    runs_of: str = ""
    seconds: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    samples: int = 0
    of: int | None = None

    @property
    def no_change(self) -> str:
        """Why nothing was changed, where nothing was."""
        if self.diagnosis is not None and is_of_data(self.diagnosis):
            return "Only other data can cure this, so no change was tried."
        return "No change was found that wins by more than the spread between seeds."

    @property
    def improved(self) -> bool:
        """Whether a change won."""
        return any(c not in self.correct for c in self.changes)

    @property
    def fit_arguments(self) -> dict[str, Any]:
        """The arguments of ``fit`` with which the changed network was trained."""
        return self.after.fit.arguments("objective", "learning", "data", "stopping")

    def patch(self) -> str:
        """The changes as a diff of the Python that defines and trains the network; "" when there is none."""
        return self.before.patch(self.after) if self.changes else ""

    def report(self, path: str | os.PathLike[str] | None = None, *, title: str = "The cure of a network") -> DiagnosisReport:
        """The evidence as a page, a chainrule.report.DiagnosisReport, written to a file where a path is given."""
        from ..report import DiagnosisReport

        made = DiagnosisReport(self.diagnosis, cure=self, title=title)
        if path is not None:
            made.save(path)
        return made

    def _repr_html_(self) -> str:
        return self.report()._repr_html_()

    def to_dict(self) -> dict[str, Any]:
        """Everything but the networks as plain data, ready for JSON."""

        def trial(t: Trial) -> dict[str, Any]:
            return {
                "changes": [str(c) for c in t.changes],
                "score": t.score if t.runs else None,
                "runs": [
                    {
                        "seed": r.seed,
                        "score": r.score,
                        "curve": list(r.curve),
                        "losses": list(r.losses),
                        "learning_rate": r.learning_rate,
                        "failed": r.failed,
                    }
                    for r in t.runs.values()
                ],
            }

        return {
            "improved": self.improved,
            "score": self.score_name,
            "changes": [{"kind": c.kind, "arguments": dict(c.arguments), "text": str(c)} for c in self.changes],
            "evidence": vars(self.evidence) | {"wins": self.evidence.wins},
            "patch": self.patch(),
            "baseline": trial(self.baseline),
            "best": trial(self.best),
            "trials": [trial(t) for t in self.trials],
            "rejected": [
                {"changes": [str(c) for c in r.changes], "reason": r.reason, "score": r.score} for r in self.rejected
            ],
            "advice": list(self.advice),
            "correct": [str(c) for c in self.correct],
            "runs of": self.runs_of,
            "diagnosis": None if self.diagnosis is None else self.diagnosis.to_dict(),
            "seconds": self.seconds,
            "parts": dict(self.parts),
            "samples": self.samples,
            "of": self.of,
        }

    def __str__(self) -> str:
        lines = []
        if self.diagnosis is not None:
            cause = self.diagnosis.cause
            lines.append(f"Diagnosis: {'healthy' if cause is None else f'{cause.code} {cause.title}'}")
        seeds = len(self.best.runs)
        if self.changes:
            lines.append(f"{'Cured' if self.improved else 'Corrected'} by {len(self.changes)} change(s):")
            for change in self.changes:
                adds = self.adds.get(change)
                note = ", correct, not measurably better" if change in self.correct else ""
                lines.append(f"  {change}{'' if adds is None else f'  ({adds.difference:+.4f}{note})'}")
            lines.append(
                f"Held-out {self.score_name}, mean of {seeds} seeds, {self.runs_of}: {self.baseline.score:.4f} before, "
                f"{self.best.score:.4f} after ({self.evidence})."
            )
            lines += ["", self.patch(), ""]
        else:
            lines.append(f"{self.no_change} The network is as it was.")
            if self.baseline.runs:
                lines.append(f"Held-out {self.score_name}, {self.runs_of}: {self.baseline.score:.4f}.")
        if self.samples != self.of:
            there = "a stream" if self.of is None else f"{self.of:,}"
            lines.append(f"The trials were made with {self.samples:,} samples of {there}.")
        lines += [f"To do by hand: {text}" for text in self.advice]
        if self.rejected:
            lines.append(f"Looked at and not kept: {len(self.rejected)}")
            lines += [f"  {r}" for r in self.rejected[:8]]
            lines += [f"  and {len(self.rejected) - 8} more"] if len(self.rejected) > 8 else []
        if self.parts:
            lines.append(f"Took {self.seconds:.1f} s: {', '.join(f'{n} {v:.1f}' for n, v in self.parts.items())}.")
        return "\n".join(lines)

    def __repr__(self) -> str:
        if not self.changes:
            return f"Cure(no change, {self.score_name} {self.baseline.score:.4g})"
        return f"Cure({len(self.changes)} change(s), {self.score_name} {self.baseline.score:.4g} → {self.best.score:.4g})"
