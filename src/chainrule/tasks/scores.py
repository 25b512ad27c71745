"""How good predictions are: metrics of classes and of numbers, for every task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..metrics import F1, R2, LogLoss, MeanAbsoluteError, Precision, Recall, RocAuc, RootMeanSquaredError

__all__ = ["Prediction", "Scores", "guess_classes", "guess_numbers", "score_classes", "score_numbers"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Prediction:
    """What a model predicts for N samples.

    Parameters  values : labels, or numbers in the unit of the target (N,) ; probabilities : (N, K) for the K classes, None
                where numbers are predicted
    """

    values: Array
    probabilities: Array | None = None


@dataclass(frozen=True)
class Scores:
    """The metrics of one prediction.

    Parameters
        values : {metric: value} ; samples : how many were scored
        by_class : (label, precision, recall, F1, samples) of each class, empty where numbers are predicted
    """

    values: dict[str, float]
    by_class: list[tuple[str, float, float, float, int]]
    samples: int

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


def guess_classes(labels: Sequence[Any], y_train: Array, y: Array) -> tuple[str, Scores]:
    """The metrics of the guess that knows the shares of the classes in training alone, and what that guess is called.

    Parameters  labels : of the K classes ; y_train, y : class numbers of the training samples, and of those to score
    """
    shares = np.bincount(y_train, minlength=len(labels)) / len(y_train)
    decided = np.full(len(y), int(shares.argmax()))
    return "most frequent class", score_classes(labels, y, decided, np.tile(shares, (len(y), 1)))


def guess_numbers(y_train: Array, y: Array) -> tuple[str, Scores]:
    """The metrics of the guess that knows the mean of the training targets alone, and what that guess is called."""
    return "mean", score_numbers(y, np.full(len(y), float(np.mean(y_train))))
