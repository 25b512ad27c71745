"""From a case to a diagnosis: all rules are asked, and their findings ranked by cause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .case import Case
from .change import Change
from .diagnosis import Diagnosis
from .finding import SEVERITIES, Finding
from .rule import Rule

__all__ = ["examine", "rank"]


def examine(case: Case, *, rules: Sequence[Rule] = (), only: Iterable[str] | None = None) -> Diagnosis:
    """Asks every rule, of a network with several outputs once for each of them.

    Parameters  rules : the user's, asked as well ; only : names of the registered rules to ask, None for all
    A rule that raises, or yields what is no Finding, is noted in ``errors``; the others are asked all the same.
    """
    from . import rules as _registered  # noqa: F401  (their classes register themselves)

    wanted = None if only is None else set(only)
    asked = [*(cls() for name, cls in Rule.registry.items() if wanted is None or name in wanted), *rules]
    cases = case.by_output or [case]
    errors: dict[str, str] = {}
    found = [[(rule, finding) for rule in asked for finding in _asked(rule, one, errors)] for one in cases]
    findings, notes = rank(found[0] if len(cases) == 1 else _of_all(found, cases))
    return Diagnosis(
        findings,
        notes,
        evidence=_evidence(case),
        statistics=case.statistics,
        history=case.history,
        errors=errors,
    )


def _asked(rule: Rule, case: Case, errors: dict[str, str]) -> list[Finding]:
    """What a rule finds; whatever goes wrong in it harms nobody else."""
    found = []
    try:
        given = rule.check(case)
        if not isinstance(given, Iterable | None):
            raise TypeError(f"check must return findings, or yield them. Got {given!r:.60}")
        for finding in given or ():
            if not isinstance(finding, Finding):
                raise TypeError(f"check must yield findings, such as self.finding(title). Got {finding!r:.60}")
            found.append(finding)
    except Exception as error:
        errors.setdefault(getattr(rule, "name", "") or type(rule).__name__, f"{type(error).__name__}: {error}")
    return found


def _of_all(found: Sequence[Sequence[tuple[Rule, Finding]]], cases: Sequence[Case]) -> list[tuple[Rule, Finding]]:
    """The findings of all outputs: what all of them show is of the network, what some show names them."""
    by_key: dict[tuple[str, str, str], dict[int, tuple[Rule, Finding]]] = {}
    for i, one in enumerate(found):
        for rule, f in one:
            by_key.setdefault((f.name, f.where, f.title), {}).setdefault(i, (rule, f))
    merged = []
    for by_output in by_key.values():
        if len(by_output) == len(cases):
            merged.append(min(by_output.values(), key=lambda item: SEVERITIES.index(item[1].severity)))
            continue
        for i, (rule, f) in by_output.items():
            call = cases[i].last_call
            place = f"output {i}" + (f", {call.key}" if call is not None else "")
            changes = tuple(
                Change(c.kind, {**c.arguments, "output": i}) if c.kind == "output" and i else c for c in f.changes
            )
            merged.append((rule, replace(f, title=f"{f.title} ({place})", output=i, changes=changes)))
    return merged


def rank(found: Sequence[tuple[Rule, Finding]]) -> tuple[list[Finding], list[Finding]]:
    """(root causes, the first one first, with their symptoms ; notes).

    A finding that another of a lower tier explains is that one's symptom. Roots are ordered by severity, then tier, then
    by how far they are beyond their threshold.
    """
    counted = [(rule, f) for rule, f in found if f.severity != "note"]
    notes = [f for _, f in found if f.severity == "note"]

    def order(item: tuple[Rule, Finding]) -> tuple[int, int, float]:
        rule, f = item
        return (SEVERITIES.index(f.severity), rule.tier, -f.score)

    counted.sort(key=order)
    # Explaining goes from a lower tier to a higher one only, so every finding has a root.
    parents: dict[int, int] = {}
    for i, (rule, f) in enumerate(counted):
        found_by = [j for j, (other, g) in enumerate(counted) if other.tier < rule.tier and _explains(other, g, f)]
        if found_by:
            parents[i] = found_by[0]
    symptoms: dict[int, list[Finding]] = {}
    for i in parents:
        at = i
        while at in parents:
            at = parents[at]
        symptoms.setdefault(at, []).append(counted[i][1])
    roots = []
    for i, (rule, f) in enumerate(counted):
        if i in parents:
            continue
        own = tuple(symptoms.get(i, ()))
        worst = min((f, *own), key=lambda g: SEVERITIES.index(g.severity)).severity
        roots.append((rule, replace(f, severity=worst, symptoms=own)))
    roots.sort(key=order)
    merged: list[Finding] = []
    place: dict[tuple[str, int | None], int] = {}
    for _, f in roots:
        # One rule's findings about several layers are one cause: the others are where else it shows.
        key = (f.name, f.output)
        if key in place:
            kept = merged[place[key]]
            layers = tuple(dict.fromkeys((*kept.layers, *f.layers)))
            merged[place[key]] = replace(kept, layers=layers, symptoms=(*kept.symptoms, *f.symptoms))
        else:
            place[key] = len(merged)
            merged.append(f)
    return merged, notes


#: What only shows that something is wrong: a mere warning about a cause explains these alone.
_SYMPTOMS = (
    "vanishing-gradients", "exploding-gradients", "vanishing-through-time", "exploding-through-time", "dead-units",
    "dying-units", "saturated-units", "collapsed-units", "non-finite", "poor-fit", "loss-not-falling", "under-training",
)  # fmt: skip


def _explains(rule: Rule, cause: Finding, effect: Finding) -> bool:
    if cause.severity == "warning" and effect.name not in _SYMPTOMS:
        return False
    return effect.name in rule.explains or "*" in rule.explains


def _evidence(case: Case) -> dict[str, float]:
    """The numbers that a verdict rests on."""
    o = case.outcome
    found: dict[str, float] = {}
    for i, one in enumerate(case.by_output or [case]):
        of = f" of output {i}" if case.by_output else ""
        found |= {
            f"score{of} on training samples": one.outcome.score,
            f"score{of} on validation samples": one.outcome.validation,
            f"score{of} of the best constant": one.outcome.chance,
            f"score{of} of the best simple model": one.outcome.reference,
        }
    found |= {
        "loss at the start": o.start,
        "loss at the end": o.final,
        "loss of the best constant": o.baseline,
        "|Δw| / |w| a step": case.update_ratio,
    }
    if case.chains:
        found["|dz¹| / |dz^L|"] = case.chains[-1].ratio
    if not case.data.non_finite:
        found["effective rank of the inputs"] = case.data.input_rank
    known = [(r, c.key) for c in case.path[:-1] if (r := case.statistics.rank(c.key)) is not None]
    hidden = [(r.outputs, r.units, key) for r, key in known if r.outputs == r.outputs]
    if hidden:
        rank, units, key = min(hidden)
        found[f"least effective rank of a hidden layer ({key}, {units} units)"] = rank
    dead = case.statistics.dead_units()
    if dead:
        found["largest share of dead units in a layer"] = max(dead.values())
    return {name: float(value) for name, value in found.items() if value == value}
