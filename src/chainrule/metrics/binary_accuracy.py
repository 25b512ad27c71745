"""The share of outputs that are right."""

from __future__ import annotations

from ..constraints import Interval
from .base import Array, Builder, Metric, Value, per_sample
from .decisions import same_shape


class BinaryAccuracy(Metric):
    """The share of right yes-or-no decisions over all outputs, each counted for itself.

    Parameters  threshold : float = 0.5, of a prediction ; raw_threshold : float = 0.0, the same of the network's raw output
                in a plan (0 for logits)
    Shapes      y (0 and 1, or −1 and +1) and prediction (N, ...)

    Example
        >>> BinaryAccuracy()([[0, 1], [1, 1]], [[0.1, 0.9], [0.2, 0.8]])
        0.75
    """

    name = "binary_accuracy"
    hyperparameters = {
        "threshold": Interval(float),
        "raw_threshold": Interval(float),
    }

    def __init__(self, *, threshold: float = 0.5, raw_threshold: float = 0.0):
        self.threshold, self.raw_threshold = threshold, raw_threshold

    def measure(self, y: Array, p: Array, weight: Array | None) -> float:
        y, p = same_shape(self.name, y, p)
        return self.average((y > 0.5) == (p > self.threshold), weight)

    def forward(self, k: Builder, z: Value, y: Value) -> Value:
        return per_sample(k, k.equal(k.greater(z, self.raw_threshold), k.greater(k.reshape(y, z.shape), 0.5)))
