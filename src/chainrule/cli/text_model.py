"""An estimator of texts and the columns it was trained on: what ``chainrule train --text`` saves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..data import Table
from ..errors import DataError, ModelFileError, TableError
from ..estimators import NeuralClassifier, NeuralRegressor
from ..model import Network
from ..network.files import load as load_with_extra
from .table_model import TEXTS, Prediction

__all__ = ["TextModel", "require_texts", "texts_of_column"]


class TextModel:
    """A fitted NeuralClassifier or NeuralRegressor of texts, which Python can load from the same file.

    Parameters  estimator : fitted ; text, target : names of the columns ; facts : plain data about the training
    """

    def __init__(self, estimator: Any, text: str, target: str, facts: Mapping[str, Any] | None = None) -> None:
        self.estimator, self.text, self.target = estimator, text, target
        self.facts: dict[str, Any] = dict(facts or {})

    @property
    def classes(self) -> list[str] | None:
        """The labels as text, None for a number."""
        found = getattr(self.estimator, "classes_", None)
        return None if found is None else [str(label) for label in found.tolist()]

    def predict(self, texts: list[str]) -> Prediction:
        """Labels and probabilities, or numbers."""
        if self.classes is None:
            return Prediction(self.estimator.predict(texts), None)
        p = self.estimator.predict_proba(texts)
        return Prediction(self.estimator.classes_[p.argmax(axis=1)], p)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes everything to one file, atomically."""
        held = {"text": self.text, "target": self.target, "facts": self.facts}
        self.estimator.network_.save(path, extra={**self.estimator.to_extra(), TEXTS: held})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TextModel:
        """The model of a file that ``save`` wrote."""
        extra = load_with_extra(path, Network)[1]
        kinds = {kind.__name__: kind for kind in (NeuralClassifier, NeuralRegressor)}
        try:
            held, kind = extra[TEXTS], kinds[extra["estimator"]["class"]]
            return cls(kind.load(path), str(held["text"]), str(held["target"]), dict(held["facts"]))
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, ModelFileError):
                raise
            raise ModelFileError(f"The model file {os.fspath(path)!r} is damaged: {error!r}.") from error


def texts_of_column(data: Table, name: str) -> tuple[list[str], np.ndarray[Any, Any]]:
    """The texts of a column and the numbers of the rows that have one.

    Raises      TableError when there is no such column, or no text in it
    """
    column = data.column(name)
    rows = np.flatnonzero(~column.is_missing)
    if not len(rows):
        raise TableError(f"{data.source}: the column {name!r} has no text in any row.")
    return [str(value) for value in column.values[rows].tolist()], rows


def require_texts(data: Table, name: str) -> list[str]:
    """The texts of a column that has one in every row.

    Raises      DataError naming the first row without a text
    """
    texts, rows = texts_of_column(data, name)
    if len(rows) < data.n_rows:
        first = int(np.setdiff1d(np.arange(data.n_rows), rows)[0])
        raise DataError(
            f"{data.source}: row {first + 1} has no text in {name!r} ({data.n_rows - len(rows)} such rows of "
            f"{data.n_rows}). Leave them out of the table."
        )
    return texts
