"""Which changes the findings of a diagnosis call for."""

from __future__ import annotations

from collections.abc import Sequence

from ..diagnosis import Change, Diagnosis, Finding
from ..losses import get_loss
from .change_sets import compatible, expand

__all__ = ["called_for", "classes_named", "first_choices", "groups_of", "hidden_pairs", "is_of_data"]


def is_of_data(diagnosis: Diagnosis) -> bool:
    """Whether the first cause is a fault of the data, which only other data cure."""
    cause = diagnosis.cause
    return cause is not None and cause.severity == "error" and cause.of_data


def groups_of(diagnosis: Diagnosis | None) -> list[list[Change]]:
    """The changes that each finding calls for, followed by those of its symptoms."""
    if diagnosis is None:
        return []

    def of(finding: Finding) -> list[Change]:
        return [*finding.changes, *(c for s in finding.symptoms for c in s.changes[:1])]

    return [group for f in diagnosis.findings if (group := expand(of(f)))]


def hidden_pairs(diagnosis: Diagnosis | None) -> list[tuple[Change, Change]]:
    """The first choice of the first cause, with that of each of its symptoms: a symptom may be a second cause."""
    cause = None if diagnosis is None else diagnosis.cause
    if cause is None or not cause.changes:
        return []
    first = expand(cause.changes)[0]
    others = (c for s in cause.symptoms for c in expand(s.changes[:1])[:1])
    return [(first, c) for c in others if "data" not in (first.kind, c.kind) and c.kind != first.kind][:2]


def first_choices(groups: Sequence[Sequence[Change]]) -> list[Change]:
    """The first change of every finding, one of each kind."""
    return compatible([own[0] for group in groups if (own := [c for c in group if c.kind != "data"])])


def called_for(diagnosis: Diagnosis) -> list[Change]:
    """Changes without which the output and the loss contradict each other, or some layers have no effect."""
    wrong = [f for f in diagnosis.findings if f.severity == "error" and f.changes]
    return [f.changes[0] for f in wrong if f.changes[0].kind in ("output", "insert_activation")]


def classes_named(changes: Sequence[Change] | None, diagnosis: Diagnosis | None, output: int) -> bool | None:
    """Whether the targets of an output are classes (or numbers), where a proposed change of the loss says so; else None."""
    proposed = list(changes or ()) + [c for f in (diagnosis.findings if diagnosis is not None else ()) for c in f.changes]
    for change in proposed:
        if change.kind == "output" and change["loss"] is not None and (change["output"] or 0) == output:
            return get_loss(change["loss"]).kind in ("exclusive", "independent")
    return None
