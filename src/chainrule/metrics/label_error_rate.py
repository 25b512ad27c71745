"""The error rate of sequences of labels that a network with CTC puts out."""

from __future__ import annotations

import numpy as np

from ..constraints import Interval
from ..data.decoding import best_path_decode
from ..errors import ShapeError
from .base import Array, Builder, Metric, Value
from .edit_distance import edit_distance


class LabelErrorRate(Metric):
    """The mean over the samples of d(y, ŷ) / |y|: edits that make the target of the best path, per label of the target.

    ŷ is the most probable label of every step, without repeats and then without blanks (see
    ``chainrule.data.best_path_decode``). An empty target counts as one label. ``chainrule.metrics.error_rate`` divides the
    edits of all samples by the labels of all of them instead.

    Parameters  blank : int = 0, the label that stands for none, as of the loss CTC
    Shapes      y (N, L) int, ended by the first blank ; prediction (N, T, K), probabilities or logits, of which every step
                counts; in a plan steps that a mask calls padding do not

    Example
        >>> import numpy as np
        >>> LabelErrorRate()([[1, 2]], np.eye(3)[[[1, 1, 0, 0]]])
        0.5
    """

    name = "label_error_rate"
    better = "lower"
    hyperparameters = {"blank": Interval(int, 0)}

    def __init__(self, *, blank: int = 0):
        self.blank = blank

    def measure(self, y: Array, p: Array, weight: Array | None) -> float:
        if y.ndim != 2 or p.ndim != 3 or y.dtype.kind not in "iu":
            raise ShapeError(f"{self.name}: expected int labels (N, L) and scores (N, T, K). Got {y.shape} and {p.shape}.")
        rates = []
        for labels, found in zip(y, best_path_decode(p, blank=self.blank), strict=True):
            ends = np.flatnonzero(labels == self.blank)
            target = labels[: ends[0]] if len(ends) else labels
            rates.append(edit_distance(target, found) / max(1, len(target)))
        return self.average(np.array(rates), weight)

    def forward(self, k: Builder, z: Value, y: Value) -> Value:
        return k.label_error_rate(z, y, blank=self.blank, mask=k.mask_of(z))
