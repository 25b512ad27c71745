"""The Dice coefficient."""

from __future__ import annotations

import numpy as np

from .base import Array
from .counts import Counts, ratio
from .regions import RegionMetric


class Dice(RegionMetric):
    """Dice coefficient ``2 |A ∩ B| / (|A| + |B|)`` of the pixels predicted (A) and true (B); for one region it is F1.

    The mean over the classes, each with the same weight, of all pictures together; a single output has one class, the
    region.

    Parameters  threshold : float = 0.5, of a probability ; per_sample : bool = False ; True: the mean over pictures,
                those left out that neither have nor were said to have the region ; multilabel : bool = False, yes or no
                for each output
    Shapes      as Accuracy
    References  Dice, Measures of the amount of ecologic association between species, Ecology 1945

    Example
        >>> Dice()([[1, 1, 0, 0]], [[[0.9], [0.2], [0.8], [0.1]]])
        0.5
    """

    name = "dice"

    def score(self, counts: Counts) -> Array:
        return np.asarray(ratio(2 * counts.hits, counts.claimed + counts.actual))
