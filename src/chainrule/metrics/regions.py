"""What the metrics of regions in pictures have in common."""

from __future__ import annotations

import numpy as np

from ..constraints import Boolean
from .base import Array
from .counts import CountsMetric
from .decisions import decide


class RegionMetric(CountsMetric):
    """Base of the metrics that compare regions: of all pictures together, or of each by itself."""

    hyperparameters = {"per_sample": Boolean()}

    def __init__(self, *, threshold: float = 0.5, multilabel: bool = False, per_sample: bool = False):
        super().__init__(threshold=threshold, multilabel=multilabel)
        self.per_sample = per_sample

    def measure(self, y: Array, p: Array, weight: Array | None) -> float:
        if not self.per_sample:
            return super().measure(y, p, weight)
        scores = []
        for i in range(len(y)):
            one, w = (y[i : i + 1], p[i : i + 1]), None if weight is None else weight[i : i + 1]
            found = decide(self.name, *one, threshold=self.threshold, multilabel=self.multilabel)
            there = found.kind == "classes" or bool(found.true.any() or found.decided.any())
            if there and (w is None or w.any()):
                scores.append(super().measure(*one, w))
        return float(np.mean(scores)) if scores else 0.0
