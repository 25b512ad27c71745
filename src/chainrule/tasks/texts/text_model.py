"""An estimator of texts and the columns it was trained on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...data import Column, Table
from ...data.columns import object_array
from ...data.frames import frame_kind
from ...data.table import TEXT_SUFFIXES
from ...data.text import as_texts
from ...errors import DataError, ModelFileError, ParameterError, TableError, did_you_mean
from ...estimators import NeuralClassifier, NeuralRegressor
from ...model import Network
from ..scores import Prediction
from ..tabular import as_table, files_in_chunks, given_columns, listed, parts_of, plain_rows
from ..task_model import Samples, TaskModel
from ..words import some

__all__ = ["TextModel", "is_table_file", "require_texts", "texts_of_column"]

Array = NDArray[Any]


class TextModel(TaskModel):
    """A fitted NeuralClassifier or NeuralRegressor of texts, and the names of the columns that it learned from.

    ``chainrule.load`` gives one for a model file that ``chainrule train --text`` wrote.

    Parameters  estimator : fitted ; text, target : names of the columns ; facts : plain data about the training
                reading : how files of new texts are read
    Data        what ``predict`` and the others take: a list of texts ; one text ; or a table that has the column of texts:
                the path of a file, a DataFrame, a dict of columns, a list of dicts
    """

    file_key: ClassVar[str] = "texts"
    noun: ClassVar[tuple[str, str]] = ("text", "texts")

    def __init__(
        self,
        estimator: Any,
        text: str,
        target: str,
        facts: Mapping[str, Any] | None = None,
        reading: Mapping[str, Any] | None = None,
    ) -> None:
        self.estimator, self.text, self._target = estimator, text, target
        self.facts = dict(facts or {})
        self.reading: dict[str, Any] = dict(reading or {})

    @property
    def network(self) -> Network:
        found: Network = self.estimator.network_
        return found

    @property
    def target(self) -> str:
        return self._target

    @property
    def labels(self) -> Array | None:
        found: Array | None = getattr(self.estimator, "classes_", None)
        return found

    def read(self, data: Any, y: Any = None, **reading: Any) -> Samples:
        texts = data if isinstance(data, (list, tuple)) and all(isinstance(one, str) for one in data) else None
        if isinstance(data, str) and not is_table_file(data):
            texts = [data]
        if (isinstance(data, np.ndarray) and data.ndim == 1) or frame_kind(data)[1]:
            texts = as_texts(data, name="data")
        if texts is not None:
            if reading:
                raise ParameterError(f"{next(iter(reading))} says how a file is read, and the data are texts. Leave it out.")
            table = Table(
                {self.text: Column("categorical", np.array(list(texts), dtype=object))}, source="The list of texts"
            )
            return self._samples(list(texts), table, y, lambda: {self.text: texts})
        how = {**(self.reading if isinstance(data, (str, os.PathLike)) else {}), **reading}
        table = as_table(data, {self.text: "categorical"}, [self.text], **how)
        if self.text not in table.columns:
            raise TableError(
                f"{table.source} has no column {self.text!r}, whose texts the model reads."
                f"{did_you_mean(self.text, table.columns)} Its columns are: {listed(table.names)}."
            )
        return self._samples(require_texts(table, self.text), table, y, lambda: given_columns(data, table, **how))

    def _samples(self, texts: list[str], table: Table, y: Any, columns: Any) -> Samples:
        if y is not None:
            truths = Table.from_columns({self.target: y}, source="y").columns
            table = Table({**table.columns, **truths}, source=table.source)
        truth, rows, missing, refused = None, None, "", ""
        if self.target not in table.columns or table.column(self.target).is_missing.all():
            missing = f"{table.source}: there is no value in a column {self.target!r}."
        else:
            column = table.column(self.target)
            rows = np.flatnonzero(~column.is_missing)
            try:
                truth = self._encoded(column.values[rows], table.source)
            except DataError as error:  # the predictions are good all the same
                truth, refused = None, str(error)
        return Samples(texts, len(texts), columns, truth, rows, f"the column {self.target!r}", missing, refused)

    def _encoded(self, values: Array, source: str) -> Array:
        """Class numbers, or numbers. Raises  DataError for a label that was not there in training"""
        if self.labels is None:
            try:
                return values.astype(np.float64)
            except (TypeError, ValueError):
                raise DataError(f"{source}: {self.target!r} must hold numbers. Got {values[0]!r}.") from None
        numbers = {_label_text(label): i for i, label in enumerate(self.labels.tolist())}
        found = [numbers.get(_label_text(value), -1) for value in values.tolist()]
        if min(found) < 0:
            unknown = values[found.index(-1)]
            raise DataError(
                f"{source}: the label {str(unknown)!r} in {self.target!r} was not there in training. Known: "
                f"{listed(self.labels.tolist())}."
            )
        return np.array(found, np.int64)

    def parts(self, data: Any, **reading: Any) -> Iterator[Samples]:
        is_text = isinstance(data, str) and " " in data and not Path(data).parent.is_dir()
        texts = isinstance(data, (list, tuple)) and not all(is_table_file(os.fspath(one)) for one in data)
        files = None
        if not is_text and not texts:
            files = files_in_chunks(data, {**self.reading, **reading}, {self.text: "categorical"})
        return super().parts(data, **reading) if files is None else parts_of(self, files)

    def arrays(self, samples: Samples) -> list[Array]:
        return [object_array(samples.data)]

    def predicted(self, arrays: Sequence[Array]) -> Prediction:
        texts = arrays[0].tolist()
        if self.labels is None:
            return Prediction(self.estimator.predict(texts))
        p = self.estimator.predict_proba(texts)
        return Prediction(self.labels[p.argmax(axis=1)], p)

    def from_plain(self, data: Any) -> Any:
        if isinstance(data, str):
            return [data]
        if isinstance(data, list) and data and all(isinstance(one, str) for one in data):
            return data
        return plain_rows(data, [self.text])

    def fields(self) -> list[dict[str, Any]]:
        return [{"name": self.text, "kind": "text"}]

    # ------------------------------------------------------------ files

    def state(self) -> dict[str, Any]:
        held = {"text": self.text, "target": self.target, "facts": self.facts}
        return {**self.estimator.to_extra(), self.file_key: held | ({"reading": self.reading} if self.reading else {})}

    @classmethod
    def from_state(cls, network: Network, extra: Mapping[str, Any], place: Any) -> Self:
        kinds = {kind.__name__: kind for kind in (NeuralClassifier, NeuralRegressor)}
        held, name = extra[cls.file_key], extra["estimator"]["class"]
        if name not in kinds:
            raise ModelFileError(f"it holds a {name!r:.60}, which is no model of texts.")
        estimator = kinds[name].load(place)
        return cls(estimator, str(held["text"]), str(held["target"]), dict(held["facts"]), held.get("reading"))

    # ------------------------------------------------------------ words

    def description(self) -> list[tuple[str, list[tuple[str, str]]]]:
        tokenizer = self.estimator.tokenizer_
        target = "a number" if self.classes is None else some(self.classes, 12)
        tokens = f"{tokenizer.name.replace('_', ' ')}, a vocabulary of {len(tokenizer):,}: {tokenizer!r}"
        return [
            ("", [("Target", f"{self.target}: {target}"), *self.trained_on()]),
            ("Preprocessing", [("Column", f"{self.text}: texts"), ("Tokens", tokens)]),
        ]


def _label_text(label: Any) -> str:
    """A label as text, so that the class 1 is known again in a column of 1.0."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def is_table_file(typed: str) -> bool:
    """Whether this text is a file, or named like a table, rather than a sentence."""
    suffixes = (*TEXT_SUFFIXES, ".parquet", ".gz")
    try:
        return Path(typed).is_file() or (" " not in typed and typed.lower().endswith(suffixes))
    except (OSError, ValueError):  # too long for the name of a file, or with a character that no name has
        return False


def texts_of_column(data: Table, name: str) -> tuple[list[str], Array]:
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
