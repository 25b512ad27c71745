"""Intersection over union."""

from __future__ import annotations

import numpy as np

from .base import Array
from .counts import Counts, ratio
from .regions import RegionMetric


class IoU(RegionMetric):
    """Intersection over union, also the Jaccard index: ``|A ∩ B| / |A ∪ B|`` of the pixels predicted (A) and true (B).

    The mean over the classes, each with the same weight, of all pictures together; a single output has one class, the
    region. With D the Dice coefficient it is D / (2 − D).

    Parameters  threshold : float = 0.5, of a probability ; per_sample : bool = False ; True: the mean over pictures,
                those left out that neither have nor were said to have the region ; multilabel : bool = False, yes or no
                for each output
    Shapes      as Accuracy
    References  Jaccard, The distribution of the flora in the alpine zone, New Phytologist 1912

    Example
        >>> IoU()([[1, 1, 0, 0]], [[[0.9], [0.2], [0.8], [0.1]]])
        0.3333333333333333
    """

    name = "iou"

    def score(self, counts: Counts) -> Array:
        return np.asarray(ratio(counts.hits, counts.claimed + counts.actual - counts.hits))
