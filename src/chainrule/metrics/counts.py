"""How often each class was found, was claimed wrongly, and was missed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..constraints import Boolean, Interval
from .base import Array, Metric
from .decisions import decide

__all__ = ["Counts", "CountsMetric", "ratio"]


@dataclass(frozen=True)
class Counts:
    """Sums of weights for every class: true positives, all that was claimed, all that was true."""

    hits: Array
    claimed: Array
    actual: Array


def ratio(top: Array, bottom: Array) -> Array:
    """top / bottom, and 0 where bottom is 0."""
    return np.divide(top, bottom, out=np.zeros_like(top, dtype=np.float64), where=bottom > 0)


class CountsMetric(Metric):
    """Base of the metrics that are ratios of counts, averaged over classes with the same weight for each (macro).

    A subclass states ``score(counts)``, one number a class. A single yes-or-no output has one class, the positive one.
    Classes that neither occur nor are claimed are left out; a ratio of 0 / 0 is 0.
    """

    hyperparameters = {
        "threshold": Interval(float),
        "multilabel": Boolean(),
    }

    def __init__(self, *, threshold: float = 0.5, multilabel: bool = False):
        self.threshold, self.multilabel = threshold, multilabel

    def score(self, counts: Counts) -> Array:
        """The metric of every class."""
        raise NotImplementedError

    def measure(self, y: Array, p: Array, weight: Array | None) -> float:
        found = decide(self.name, y, p, threshold=self.threshold, multilabel=self.multilabel)
        w = self.entry_weights(weight, found.true.shape)
        if found.kind == "classes":
            flat = w.ravel()
            counted = flat > 0  # what weighs nothing does not make a class occur
            flat, true, decided = flat[counted], found.true.ravel()[counted], found.decided.ravel()[counted]
            labels, numbers = np.unique(np.concatenate([true, decided]), return_inverse=True)
            true, decided = np.split(numbers.ravel(), 2)
            count = len(labels)
            hits = np.bincount(true, flat * (true == decided), count)
            counts = Counts(hits, np.bincount(decided, flat, count), np.bincount(true, flat, count))
        else:
            columns = (-1, 1) if found.kind == "binary" or found.true.ndim == 1 else (-1, found.true.shape[-1])
            true, decided, w = (a.reshape(columns) for a in (found.true, found.decided, w))
            counts = Counts((w * (true & decided)).sum(axis=0), (w * decided).sum(axis=0), (w * true).sum(axis=0))
        return float(self.score(counts).mean())
