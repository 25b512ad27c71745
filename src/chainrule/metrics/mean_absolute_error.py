"""The mean absolute error."""

from __future__ import annotations

import numpy as np

from .base import Array, Builder, Metric, Value, per_sample
from .decisions import same_shape


class MeanAbsoluteError(Metric):
    """``mean |prediction − y|`` over samples and outputs, in y's unit.

    Example
        >>> MeanAbsoluteError()([1.0, 2.0], [1.0, 4.0])
        1.0
    """

    name = "mean_absolute_error"
    of_differences = True
    better = "lower"
    of_numbers = True

    def measure(self, y: Array, p: Array, weight: Array | None) -> float:
        y, p = same_shape(self.name, y, p)
        return self.average(np.abs(p.astype(np.float64) - y), weight)

    def forward(self, k: Builder, z: Value, y: Value) -> Value:
        return per_sample(k, k.absolute(k.subtract(z, k.reshape(y, z.shape))))
