"""The coefficient of determination."""

from __future__ import annotations

import numpy as np

from .base import Array, Metric
from .decisions import same_shape


class R2(Metric):
    """``1 − Σ (y − prediction)² / Σ (y − mean y)²``: the share of y's variance that is explained; 1 is perfect.

    Of several outputs the mean. An output whose y does not vary counts 1 when it is met exactly, else 0. NaN for fewer
    than two samples, which have no variance.

    Example
        >>> R2()([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
        0.5
    """

    name = "r2"

    def measure(self, y: Array, p: Array, weight: Array | None) -> float:
        y, p = same_shape(self.name, y, p)
        if len(y) < 2:
            return float("nan")
        w = self.entry_weights(weight, y.shape).reshape(len(y), -1)
        t, q = y.reshape(len(y), -1).astype(np.float64), p.reshape(len(y), -1).astype(np.float64)
        mean = np.average(t, axis=0, weights=w)
        left = (w * np.square(t - q)).sum(axis=0)
        total = (w * np.square(t - mean)).sum(axis=0)
        # Asked of y itself: the rounding of the mean would give a constant y a little variance.
        varies = (t.max(axis=0) > t.min(axis=0)) & (total > 0)
        share = 1 - left / np.where(varies, total, 1.0)
        return float(np.where(varies, share, np.where(left == 0, 1.0, 0.0)).mean())
