"""The share of samples that are right."""

from __future__ import annotations

from ..constraints import Boolean, Interval
from ..errors import ShapeError
from .base import Array, Builder, Metric, Value, per_sample
from .decisions import decide


class Accuracy(Metric):
    """The share of right decisions: the largest score wins among classes, a threshold decides a single output.

    Parameters  threshold : float = 0.5, of a prediction ; raw_threshold : float = 0.0, the same of the network's raw output
                in a plan (0 for logits) ; multilabel : bool = False ; True: each output is a yes or no of its own, and a
                sample is right when all of them are
    Shapes      classes: y (N, ...) indices or (N, ..., K) distributions, prediction (N, ..., K) ;
                single output and multilabel: y as the prediction ; labels: y as the prediction, not floats

    Example
        >>> Accuracy()([0, 1], [[0.9, 0.1], [0.8, 0.2]])
        0.5
    """

    name = "accuracy"
    hyperparameters = {
        "threshold": Interval(float),
        "raw_threshold": Interval(float),
        "multilabel": Boolean(),
    }

    def __init__(self, *, threshold: float = 0.5, raw_threshold: float = 0.0, multilabel: bool = False):
        self.threshold, self.raw_threshold, self.multilabel = threshold, raw_threshold, multilabel

    def measure(self, y: Array, p: Array, weight: Array | None) -> float:
        found = decide(self.name, y, p, threshold=self.threshold, multilabel=self.multilabel)
        right = found.true == found.decided
        return self.average(right.all(axis=-1) if self.multilabel and right.ndim > 1 else right, weight)

    def forward(self, k: Builder, z: Value, y: Value) -> Value:
        if y.dtype == "int":
            return per_sample(k, k.equal(k.argmax(z), y))
        if y.size != z.size:
            raise ShapeError(f"{self.name}: outputs {z.shape} need targets of their shape. Got {y.shape}.")
        if not self.multilabel and z.ndim > 1 and z.shape[-1] > 1:
            return per_sample(k, k.equal(k.argmax(z), k.argmax(y)))
        right = k.equal(k.greater(z, self.raw_threshold), k.greater(k.reshape(y, z.shape), 0.5))
        if not self.multilabel or z.ndim == 1:
            return per_sample(k, right)
        return per_sample(k, k.subtract(1.0, k.max(k.subtract(1.0, right), axis=-1)))
