"""Which found lines are the true ones, and how many of them are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..boxes.geometry import Floats, areas, iou

__all__ = ["line_scores", "matched_lines"]

#: The share of a found box inside places that do not count from which it does not count either.
_IGNORED = 0.5


def matched_lines(
    true: Floats, found: Floats, unread: NDArray[np.bool_] | None = None, *, overlap: float = 0.5
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each found box the number of the true box that it is, −1 for none; and which found boxes count.

    Pairs are formed from the largest intersection over union on; each box is in one pair at most. Found boxes that lie
    mostly in places where nobody could read do not count.

    Parameters  true (m, 4), found (n, 4) : boxes ; unread (m,) : true boxes that do not count ; overlap : at least = 0.5
    """
    numbers, counts = np.full(len(found), -1, np.int64), np.ones(len(found), bool)
    hidden = np.zeros(len(true), bool) if unread is None else unread
    overlaps = iou(found, true)
    overlaps[:, hidden] = 0
    for at in np.argsort(-overlaps, axis=None, kind="stable").tolist():
        i, j = divmod(at, max(1, len(true)))
        if overlaps[i, j] < overlap:
            break
        if numbers[i] < 0 and j not in numbers:
            numbers[i] = j
    if hidden.any() and len(found):
        inside = iou(found, true[hidden], crowd=np.ones(int(hidden.sum()), bool)).max(axis=1)
        counts = (numbers >= 0) | (inside < _IGNORED) | (areas(found) == 0)
    return numbers, counts


def line_scores(
    true: Sequence[Floats],
    found: Sequence[Floats],
    unread: Sequence[NDArray[np.bool_] | None] | None = None,
    *,
    overlap: float = 0.5,
) -> dict[str, float]:
    """{"precision", "recall", "F1"} of the lines of several pages together, as boxes (n, 4) of each page."""
    hits = claims = lines = 0
    for i, (t, f) in enumerate(zip(true, found, strict=True)):
        hidden = None if unread is None else unread[i]
        numbers, counts = matched_lines(t, f, hidden, overlap=overlap)
        hits += int((numbers >= 0).sum())
        claims += int(counts.sum())
        lines += len(t) if hidden is None else int((~hidden).sum())
    precision, recall = hits / max(claims, 1), hits / max(lines, 1)
    return {"F1": 2 * precision * recall / max(precision + recall, 1e-12), "precision": precision, "recall": recall}
