"""Sets of changes that are tried together: alternatives, joined changes, and their order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..diagnosis import Change

__all__ = ["compatible", "expand", "joined", "ranked"]

#: Kinds of changes of which a later one takes the place of an earlier one.
_ONE = ("learning_rate", "optimizer", "batch_size", "class_weight", "early_stopping", "clip", "weight_decay")


def expand(changes: Iterable[Change]) -> list[Change]:
    """The changes; one that leaves a choice (a rate by a factor, or by a range test) is replaced by its alternatives."""
    found: list[Change] = []
    for change in changes:
        if change.kind == "learning_rate" and change["range_test"] and change["factor"] is not None:
            found += [Change("learning_rate", {"range_test": True}), Change("learning_rate", {"factor": change["factor"]})]
        else:
            found.append(change)
    return list(dict.fromkeys(found))


def joined(kept: Iterable[Change], new: Change) -> tuple[Change, ...]:
    """The changes with one more. Two factors of the same kind are multiplied; of two settings the later one counts.

    Example
        >>> from chainrule.diagnosis import Change
        >>> print(*joined([Change("epochs", {"factor": 5.0})], Change("epochs", {"factor": 3.0})))
        train 15 times as many epochs
    """
    found = list(kept)
    for i, old in enumerate(found):
        if old.kind != new.kind:
            continue
        if new == old and new.kind not in _GROWING:
            return tuple(found)
        a, b = (dict(c.arguments) for c in (old, new))
        if (
            a.keys() == b.keys()
            and "factor" in a
            and {k: v for k, v in a.items() if k != "factor"} == {k: v for k, v in b.items() if k != "factor"}
        ):
            found[i] = Change(new.kind, {**b, "factor": float(f"{a['factor'] * b['factor']:.4g}")})
            return tuple(found)
        if new.kind in _ONE:
            found[i] = new
            return tuple(found)
    return (*found, new)


#: Kinds of changes that may help a second time, so that two equal ones are two changes.
_GROWING = ("epochs", "capacity")


def ranked(groups: Sequence[Sequence[Change]]) -> list[Change]:
    """Every change once, the likeliest first: first choices before second ones, and those of the first finding first."""
    places = [(i + j, i, c) for i, group in enumerate(groups) for j, c in enumerate(group)]
    places.sort(key=lambda item: item[:2])
    return list(dict.fromkeys(c for _, _, c in places))


def compatible(changes: Sequence[Change]) -> list[Change]:
    """The first change of each kind."""
    return list({c.kind: c for c in reversed(changes)}.values())[::-1]
