"""The root of the mean squared error."""

from __future__ import annotations

import numpy as np

from .base import Array, Metric
from .decisions import same_shape


class RootMeanSquaredError(Metric):
    """``√(mean (prediction − y)²)`` over samples, in y's unit; of several outputs the mean of their roots.

    Example
        >>> RootMeanSquaredError()([0.0, 0.0], [3.0, 3.0])
        3.0
    """

    name = "root_mean_squared_error"
    better = "lower"

    def measure(self, y: Array, p: Array, weight: Array | None) -> float:
        y, p = same_shape(self.name, y, p)
        squares = np.square(p.astype(np.float64) - y)
        w = self.entry_weights(weight, squares.shape).reshape(len(y), -1)
        return float(np.sqrt(np.average(squares.reshape(len(y), -1), axis=0, weights=w)).mean())
