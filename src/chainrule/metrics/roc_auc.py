"""The area under the receiver operating characteristic."""

from __future__ import annotations

import numpy as np

from ..errors import DataError, ShapeError
from .base import Array, Metric


class RocAuc(Metric):
    """The probability that a positive sample scores higher than a negative one, equal scores counting half.

    From ranks: with the scores in order, ``AUC = Σ_positives w (W⁻_below + ½ W⁻_equal) / (W⁺ W⁻)``. Of several outputs the
    mean (macro): each class against the others, or each label for itself.

    Shapes      prediction (N,) or (N, 1) with y of as many yes or no ; (N, K) with y (N,) class indices or (N, K) yes or no
    Raises      DataError when an output has no positive or no negative sample

    Example
        >>> RocAuc()([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """

    name = "roc_auc"

    def measure(self, y: Array, p: Array, weight: Array | None) -> float:
        p = p.reshape(len(p), 1) if p.ndim == 1 else p
        if p.ndim != 2:
            raise ShapeError(f"{self.name}: expected scores (N,) or (N, K). Got {p.shape}.")
        if np.isnan(p).any():
            raise DataError(f"{self.name}: prediction holds NaN, which has no rank.")
        outputs = p.shape[1]
        if y.shape == p.shape or (outputs == 1 and y.size == len(p)):
            positive = y.reshape(p.shape) > 0.5
        elif y.size == len(p):
            positive = y.reshape(-1, 1) == np.arange(outputs)
        else:
            raise ShapeError(f"{self.name}: scores {p.shape} need targets ({len(p)},) or {p.shape}. Got y_true {y.shape}.")
        w = np.ones(len(p)) if weight is None else weight.reshape(len(p), -1)[:, 0]
        if weight is not None and weight.size != len(p):
            raise ShapeError(f"{self.name}: sample_weight must be of shape ({len(p)},). Got {weight.shape}.")
        return float(np.mean([self._area(positive[:, i], p[:, i], w, i) for i in range(outputs)]))

    def _area(self, positive: Array, score: Array, w: Array, output: int) -> float:
        _, rank = np.unique(score, return_inverse=True)
        up = np.bincount(rank, w * positive, rank.max() + 1)
        down = np.bincount(rank, w * ~positive, rank.max() + 1)
        if not up.sum() > 0 or not down.sum() > 0:
            missing = "negative" if up.sum() > 0 else "positive"
            raise DataError(f"{self.name}: output {output} has no {missing} sample in y_true, so it has no curve.")
        below = np.cumsum(down) - down
        return float((up * (below + 0.5 * down)).sum() / (up.sum() * down.sum()))
