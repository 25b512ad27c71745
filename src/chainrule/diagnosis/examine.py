"""From a case to a diagnosis: every rule looks at the case, and the findings are ranked by cause."""

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
    """Asks every rule about the case; about a network with several outputs, once for each output.

    A rule that raises, or yields something else than a Finding, is noted in ``errors``, and all other rules are asked
    nevertheless.

    Parameters  rules : rules of the user, which are asked as well ; only : the names of the registered rules to ask, None
                for all of them
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
    """The findings of one rule. An error in it is noted, and does not end the diagnosis."""
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
    """The findings about all outputs in one list. A finding that every output shows is about the network; any other one
    names its output."""
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
    """The root causes with their symptoms, the most important first, and the notes.

    A finding that a finding of a lower tier explains is a symptom of it. Root causes are ordered by severity, then by tier,
    and then by how far they are beyond their threshold.
    """
    counted = [(rule, f) for rule, f in found if f.severity != "note"]
    notes = [f for _, f in found if f.severity == "note"]

    def order(item: tuple[Rule, Finding]) -> tuple[int, int, float]:
        rule, f = item
        return (SEVERITIES.index(f.severity), rule.tier, -f.score)

    counted.sort(key=order)
    # A finding is explained by lower tiers only, so the way up from any finding ends at a root cause.
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
        # Findings of one rule about several layers are one cause, which shows in several places.
        key = (f.name, f.output)
        if key in place:
            kept = merged[place[key]]
            layers = tuple(dict.fromkeys((*kept.layers, *f.layers)))
            merged[place[key]] = replace(kept, layers=layers, symptoms=(*kept.symptoms, *f.symptoms))
        else:
            place[key] = len(merged)
            merged.append(f)
    return merged, notes


#: Findings that only show that something is wrong. A cause that is a mere warning explains no others than these.
_SYMPTOMS = (
    "vanishing-gradients", "exploding-gradients", "vanishing-through-time", "exploding-through-time", "dead-units",
    "dying-units", "saturated-units", "collapsed-units", "non-finite", "poor-fit", "loss-not-falling", "under-training",
)  # fmt: skip


def _explains(rule: Rule, cause: Finding, effect: Finding) -> bool:
    if cause.severity == "warning" and effect.name not in _SYMPTOMS:
        return False
    return effect.name in rule.explains or "*" in rule.explains


def _evidence(case: Case) -> dict[str, float]:
    """The numbers that the verdict rests on."""
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
