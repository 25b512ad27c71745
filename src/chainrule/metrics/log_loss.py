"""The cross-entropy of probabilities."""

from __future__ import annotations

import numpy as np

from ..constraints import Boolean
from ..errors import DataError, ShapeError
from .base import Array, Metric
from .decisions import same_shape

#: The smallest normal float32 and the largest float32 below 1, as in the losses from probabilities.
_LOW, _HIGH = 2.0**-126, 1 - 2.0**-24


class LogLoss(Metric):
    """Mean cross-entropy of probabilities p, ``−Σₖ tₖ log pₖ`` of classes or ``−y log p − (1−y) log(1−p)`` of yes or no.

    In nats; of several yes-or-no outputs the sum, as BinaryCrossEntropy has it. p is cut to [2⁻¹²⁶, 1 − 2⁻²⁴] for yes or
    no and to at least 2⁻¹²⁶ for classes.

    Parameters  multilabel : bool = False ; True: y and prediction (N, ..., K) are yes or no for each output, not
                distributions over classes
    Shapes      y (N, ...) class indices or (N, ..., K) distributions, prediction (N, ..., K) ; or both alike for yes or no
    Raises      DataError for class indices outside 0 .. K − 1

    Example
        >>> round(LogLoss()([0, 1], [[0.5, 0.5], [0.5, 0.5]]), 6)
        0.693147
    """

    name = "log_loss"
    better = "lower"
    hyperparameters = {"multilabel": Boolean()}

    def __init__(self, *, multilabel: bool = False):
        self.multilabel = multilabel

    def measure(self, y: Array, p: Array, weight: Array | None) -> float:
        p = p.astype(np.float64)
        single = p.ndim == 1 or p.shape[-1] == 1
        if single or self.multilabel:
            y, p = same_shape(self.name, y, p)
            y = np.clip(y, 0, 1)  # −1 and +1 are no and yes too
            p = np.clip(p, _LOW, _HIGH)
            loss = -(y * np.log(p) + (1 - y) * np.log1p(-p))
            return self.average(loss if loss.ndim == 1 else loss.sum(axis=-1), weight)
        logs = np.log(np.maximum(p, _LOW))
        if y.shape == p.shape:
            return self.average(-(y * logs).sum(axis=-1), weight)
        if y.shape != p.shape[:-1]:
            raise ShapeError(f"{self.name}: probabilities {p.shape} need targets {p.shape[:-1]}. Got y_true {y.shape}.")
        if not ((y >= 0) & (y < p.shape[-1])).all():
            raise DataError(f"{self.name}: class indices must be from 0 to {p.shape[-1] - 1}. Got {y.min()} to {y.max()}.")
        return self.average(-np.take_along_axis(logs, y.astype(np.int64)[..., None], axis=-1)[..., 0], weight)
