"""How good predictions of a table are, beside what needs no network at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Table, TablePreprocessor
from ..errors import DataError
from ..metrics import F1, R2, LogLoss, MeanAbsoluteError, Precision, Recall, RocAuc, RootMeanSquaredError
from .console import number, out, table
from .table_model import Prediction

__all__ = ["Scores", "baseline_prediction", "score", "score_classes", "show_scores"]

Array = NDArray[Any]
_MOST_CLASSES = 10


@dataclass(frozen=True)
class Scores:
    """Metrics of one prediction.

    Parameters
        values : {metric: value} ; rows : how many were scored
        by_class : (label, precision, recall, F1, rows) of each class, empty in a regression
    """

    values: dict[str, float]
    by_class: list[tuple[str, float, float, float, int]]
    rows: int


def baseline_prediction(preprocessor: TablePreprocessor, y: Array, count: int) -> tuple[str, Prediction]:
    """The prediction that knows the training targets only: the most frequent class, or the mean; and its name.

    Parameters  y : encoded training targets ; count : rows to predict
    """
    if preprocessor.classes_ is None:
        return "mean", Prediction(np.full(count, float(preprocessor.inverse_target(y).mean())), None)
    shares = np.bincount(y, minlength=preprocessor.classes_.n_classes) / len(y)
    label = preprocessor.classes_.decode([int(shares.argmax())])[0]
    values = np.array([label] * count, dtype=preprocessor.classes_.classes.dtype)
    return "most frequent class", Prediction(values, np.tile(shares, (count, 1)))


def score(preprocessor: TablePreprocessor, data: Table, prediction: Prediction) -> Scores:
    """The metrics on the rows that have a target.

    Raises      DataError when the target has labels that were not there in training
    """
    y, rows = preprocessor.transform_target(data)
    if preprocessor.classes_ is None:
        true, guess = preprocessor.inverse_target(y), prediction.values[rows]
        values = {
            "R²": R2()(true, guess),
            "RMSE": RootMeanSquaredError()(true, guess),
            "MAE": MeanAbsoluteError()(true, guess),
        }
        return Scores(values, [], len(rows))
    assert prediction.probabilities is not None
    decided = preprocessor.classes_.encode(prediction.values[rows])
    return score_classes(preprocessor.classes_.classes.tolist(), y, decided, prediction.probabilities[rows])


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
        except DataError:  # only one of the classes occurs in these rows, so there is no curve
            values["ROC AUC"] = math.nan
    by_class = []
    for i, label in enumerate(labels):
        is_class, claimed = (y == i).astype(np.int64), (decided == i).astype(np.float64)
        found = [metric(is_class, claimed) for metric in (Precision(), Recall(), F1())]
        by_class.append((str(label), found[0], found[1], found[2], int(is_class.sum())))
    return Scores(values, by_class, len(y))


def show_scores(
    title: str, scores: Scores, others: Sequence[tuple[str, Scores]], *, target: str, unit: str = "rows"
) -> None:
    """Prints the metrics, those of other predictions beside them, and the classes when they are few.

    Parameters  target : what was predicted ; unit : what was scored
    """
    own = target if len(target) <= 16 else "the target"
    units = {"log loss": "nats", "RMSE": f"unit of {own}", "MAE": f"unit of {own}"}
    rows = []
    for name, value in scores.values.items():
        label = f"{name} ({units[name]})" if name in units else name
        rows.append((label, number(value), *(number(other.values[name]) for _, other in others)))
    table(("metric", "network", *(name for name, _ in others)), rows, title=title)
    if 0 < len(scores.by_class) <= _MOST_CLASSES:
        out().print()
        table(
            ("class", "precision", "recall", "F1", unit),
            [(label, number(a), number(b), number(c), f"{n:,}") for label, a, b, c, n in scores.by_class],
        )
