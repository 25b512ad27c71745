"""What only the user can change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..diagnosis import Change
from .search import Search

__all__ = ["advice"]

#: How much higher the score on samples seen in training is than that on others, where more samples are asked for.
_BY_HEART = 0.15


def advice(groups: Sequence[Sequence[Change]], search: Search, asked: Sequence[Change] | None) -> list[str]:
    """Advice in words, after a search.

    Parameters  groups : the changes that each finding calls for ; asked : those that the user asked for, or None
    """
    found = [str(c) for g in groups for c in g if c.kind == "data"]
    if groups and groups[0] and groups[0][0].kind == "epochs" and not search.best.changes:
        # More epochs are what the first cause calls for; the reasons say why they are not among the changes.
        first = groups[0][0]
        reasons = [r.reason for r in search.rejected if r.changes == (first,) and r.score is None]
        found += [f"{first}, with a larger time_budget or by hand: {reason}" for reason in reasons]
    best = search.best
    if found or asked is not None:
        return list(dict.fromkeys(found))
    # A network that is much better on the samples it has seen has learned them by heart.
    seen = [run.seen for run in best.runs.values() if run.seen == run.seen]
    if seen and not search.runs.scorer.metric and best.length >= 1:
        gap = float(np.mean(seen)) - best.score
        if gap > max(_BY_HEART, 3 * search.runs.scorer.resolution(best.score, len(search.runs.held))):
            found.append(
                f"give more samples, if there are any: the network scores {np.mean(seen):.2f} on those it is trained on and "
                f"{best.score:.2f} on others; and check that row i of X and row i of y belong together"
            )
    scorer, held = search.runs.scorer, len(search.runs.held)
    learned = scorer.chance is None or best.score > scorer.chance + 2 * scorer.resolution(scorer.chance, held)
    if not learned and not found and not best.changes and best.runs and best.length >= 1:
        found.append(
            "check that row i of X and row i of y belong together: nothing predicts better than the best constant "
            f"({scorer.name} {scorer.chance:.2f} on samples held out)"
        )
    return list(dict.fromkeys(found))
