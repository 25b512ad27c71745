"""The harmonic mean of precision and recall."""

from __future__ import annotations

from .base import Array
from .counts import Counts, CountsMetric, ratio


class F1(CountsMetric):
    """``2 hits / (claimed + actual)``: the harmonic mean of precision and recall; the mean over classes (macro).

    Parameters  threshold : float = 0.5, of a single output and of multilabel outputs ; multilabel : bool = False ;
                True: each output is a yes or no of its own
    Shapes      as for Accuracy

    Example
        >>> F1()([0, 1, 1, 1], [0.1, 0.9, 0.8, 0.7])
        1.0
    """

    name = "f1"

    def score(self, counts: Counts) -> Array:
        return ratio(2 * counts.hits, counts.claimed + counts.actual)
