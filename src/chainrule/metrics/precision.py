"""The share of claims that are right."""

from __future__ import annotations

from .base import Array
from .counts import Counts, CountsMetric, ratio


class Precision(CountsMetric):
    """``hits / claimed``: how many of the samples that were given a class are of it; the mean over classes (macro).

    Parameters  threshold : float = 0.5, of a single output and of multilabel outputs ; multilabel : bool = False ;
                True: each output is a yes or no of its own
    Shapes      as for Accuracy

    Example
        >>> Precision()([0, 1, 1, 1], [0.1, 0.9, 0.8, 0.7])
        1.0
    """

    name = "precision"

    def score(self, counts: Counts) -> Array:
        return ratio(counts.hits, counts.claimed)
