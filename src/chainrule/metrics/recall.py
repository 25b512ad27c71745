"""The share of the true that was found."""

from __future__ import annotations

from .base import Array
from .counts import Counts, CountsMetric, ratio


class Recall(CountsMetric):
    """``hits / actual``: how many of the samples of a class were given it; the mean over classes (macro).

    Parameters  threshold : float = 0.5, of a single output and of multilabel outputs ; multilabel : bool = False ;
                True: each output is a yes or no of its own
    Shapes      as for Accuracy

    Example
        >>> Recall()([0, 1, 1, 1], [0.1, 0.9, 0.8, 0.7])
        1.0
    """

    name = "recall"

    def score(self, counts: Counts) -> Array:
        return ratio(counts.hits, counts.actual)
