"""How good predictions are: metrics of classes and of numbers, for every task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..metrics import F1, R2, LogLoss, MeanAbsoluteError, Precision, Recall, RocAuc, RootMeanSquaredError

__all__ = [
    "Prediction",
    "Scores",
    "Tally",
    "guess_by_shares",
    "guess_classes",
    "guess_numbers",
    "score_classes",
    "score_numbers",
]

Array = NDArray[Any]


@dataclass(frozen=True)
class Prediction:
    """What a model predicts for N samples.

    Parameters  values : labels, or numbers in the unit of the target (N,) ; probabilities : (N, K) for the K classes, None
                where numbers are predicted
    """

    values: Array
    probabilities: Array | None = None

    def take(self, rows: Array | slice | None) -> Prediction:
        """The prediction for these samples alone, or for all samples when ``rows`` is None."""
        if rows is None:
            return self
        return Prediction(self.values[rows], None if self.probabilities is None else self.probabilities[rows])


@dataclass(frozen=True)
class Scores:
    """The metrics of one prediction.

    Parameters
        values : {metric: value} ; samples : how many were scored
        by_class : (label, precision, recall, F1, samples) of each class, empty where numbers are predicted
        counted : what the last number of a class counts where it is no samples, such as "boxes"
        more_by_class : {metric: its value for each class} beside those
    """

    values: dict[str, float]
    by_class: list[tuple[str, float, float, float, int]]
    samples: int
    counted: str = ""
    more_by_class: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def named(self) -> dict[str, float]:
        """The metrics under names that Python can use: ``{"accuracy": ..., "log_loss": ..., "macro_f1": ...}``."""
        return {name.lower().replace(" ", "_").replace("²", "2"): float(value) for name, value in self.values.items()}


def score_classes(labels: Sequence[Any], y: Array, decided: Array, p: Array) -> Scores:
    """The metrics of a classification.

    Parameters  labels : of the K classes ; y, decided : class numbers (N,), true and predicted ; p : probabilities (N, K)
    """
    values = {
        "accuracy": float((decided == y).mean()),
        "log loss": LogLoss()(y, p),
        "macro F1": F1()(y, decided),
    }
    if len(labels) == 2:
        try:
            values["ROC AUC"] = RocAuc()(y, p[:, 1])
        except DataError:  # only one of the classes occurs in these samples, so there is no curve
            values["ROC AUC"] = math.nan
    by_class = []
    for i, label in enumerate(labels):
        is_class, claimed = (y == i).astype(np.int64), (decided == i).astype(np.float64)
        found = [metric(is_class, claimed) for metric in (Precision(), Recall(), F1())]
        by_class.append((str(label), found[0], found[1], found[2], int(is_class.sum())))
    return Scores(values, by_class, len(y))


def score_numbers(y: Array, predicted: Array) -> Scores:
    """The metrics of a regression. Parameters  y, predicted : (N,) in the unit of the target"""
    values = {
        "R²": R2()(y, predicted),
        "RMSE": RootMeanSquaredError()(y, predicted),
        "MAE": MeanAbsoluteError()(y, predicted),
    }
    return Scores(values, [], len(y))


class Tally:
    """The metrics of predictions that come in parts; what it holds does not grow with the samples.

    All are exact but the area under the ROC curve, for which probabilities are rounded to 1/65,536.

    Parameters  labels : of the K classes, None where numbers are predicted
    """

    _BINS = 65_536

    def __init__(self, labels: Sequence[Any] | None) -> None:
        self.labels, self.n = labels, 0
        k = 0 if labels is None else len(labels)
        self._counts = np.zeros((k, k), np.int64)
        self._bins = np.zeros((2, self._BINS + 1), np.int64)
        self._log_loss = 0.0
        self._mean = self._variation = self._squares = self._sizes = 0.0

    def update(self, y: Array, prediction: Prediction) -> None:
        """Takes in one part. Parameters  y : class numbers or values (n,) ; prediction : of the same samples"""
        n = len(y)
        if not n:
            return
        p = prediction.probabilities
        if self.labels is not None and p is not None:
            decided = p.argmax(axis=1)
            np.add.at(self._counts, (y, decided), 1)
            self._log_loss += LogLoss()(y, p) * n
            if len(self.labels) == 2:
                np.add.at(self._bins, (y, np.rint(p[:, 1] * self._BINS).astype(np.int64)), 1)
        else:
            error, mean = prediction.values - y, float(np.mean(y))
            self._squares += float(error @ error)
            self._sizes += float(np.abs(error).sum())
            step = mean - self._mean  # the sums of two parts, by the formula of Chan, Golub and LeVeque
            self._variation += float(((y - mean) ** 2).sum()) + step * step * self.n * n / (self.n + n)
            self._mean += step * n / (self.n + n)
        self.n += n

    def scores(self) -> Scores:
        """The metrics of all parts together."""
        if self.labels is None:
            r2 = 1 - self._squares / self._variation if self._variation else math.nan
            values = {"R²": r2, "RMSE": math.sqrt(self._squares / self.n), "MAE": self._sizes / self.n}
            return Scores(values, [], self.n)
        y, decided = (index.ravel() for index in np.indices(self._counts.shape))
        weight = self._counts.ravel().astype(np.float64)
        seen = weight > 0
        y, decided, weight = y[seen], decided[seen], weight[seen]
        values = {
            "accuracy": float(np.trace(self._counts)) / self.n,
            "log loss": self._log_loss / self.n,
            "macro F1": F1()(y, decided, weight),
        }
        if len(self.labels) == 2:
            truth, places = np.nonzero(self._bins)
            one = min(self._bins.sum(axis=1)) == 0
            values["ROC AUC"] = math.nan if one else RocAuc()(truth, places / self._BINS, self._bins[truth, places])
        by_class = []
        for i, label in enumerate(self.labels):
            is_class, claimed = (y == i).astype(np.int64), (decided == i).astype(np.float64)
            found = [metric(is_class, claimed, weight) for metric in (Precision(), Recall(), F1())]
            by_class.append((str(label), found[0], found[1], found[2], int(self._counts[i].sum())))
        return Scores(values, by_class, self.n)


def guess_classes(labels: Sequence[Any], y_train: Array, y: Array) -> tuple[str, Scores]:
    """The metrics of the guess that knows the shares of the classes in training alone, and what that guess is called.

    Parameters  labels : of the K classes ; y_train, y : class numbers of the training samples, and of those to score
    """
    return guess_by_shares(labels, np.bincount(y_train, minlength=len(labels)) / len(y_train), y)


def guess_by_shares(labels: Sequence[Any], shares: Array, y: Array) -> tuple[str, Scores]:
    """The same, from the shares (K,) of the classes in training."""
    decided = np.full(len(y), int(shares.argmax()))
    return "most frequent class", score_classes(labels, y, decided, np.tile(shares, (len(y), 1)))


def guess_numbers(y_train: Array, y: Array) -> tuple[str, Scores]:
    """The metrics of the guess that knows the mean of the training targets alone, and what that guess is called."""
    return "mean", score_numbers(y, np.full(len(y), float(np.mean(y_train))))
