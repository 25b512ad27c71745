"""The share of samples whose class is among the best guesses."""

from __future__ import annotations

import numpy as np

from ..constraints import Interval
from ..errors import DataError, ShapeError
from .base import Array, Metric
from .decisions import distributions_to_classes


class TopKAccuracy(Metric):
    """The share of samples whose class is among the k with the highest scores.

    Of equal scores the lower class index ranks first, so that k = 1 is the accuracy.

    Parameters  top : int >= 1 = 5, that is k
    Shapes      y (N, ...) class indices or (N, ..., K) distributions ; prediction (N, ..., K)
    Raises      ParameterError when top is no int of at least 1 ; DataError for class indices outside 0 .. K − 1

    Example
        >>> TopKAccuracy(top=2)([2, 0], [[0.5, 0.1, 0.4], [0.2, 0.3, 0.5]])
        0.5
    """

    name = "top_k_accuracy"
    hyperparameters = {"top": Interval(int, 1)}

    def __init__(self, *, top: int = 5):
        self.top = top

    def measure(self, y: Array, p: Array, weight: Array | None) -> float:
        if y.shape == p.shape and p.ndim > 1:
            y = distributions_to_classes(self.name, y)
        if y.shape != p.shape[:-1]:
            raise ShapeError(f"{self.name}: scores {p.shape} need targets {p.shape[:-1]}. Got y_true {y.shape}.")
        classes = p.shape[-1]
        if not ((y >= 0) & (y < classes)).all():
            raise DataError(f"{self.name}: class indices must be from 0 to {classes - 1}. Got {y.min()} to {y.max()}.")
        index = y.astype(np.int64)[..., None]
        own = np.take_along_axis(p, index, axis=-1)
        before = (p > own) | ((p == own) & (np.arange(classes) < index))
        # A NaN score ranks nowhere: it is no hit.
        return self.average((before.sum(axis=-1) < self.top) & ~np.isnan(own[..., 0]), weight)
