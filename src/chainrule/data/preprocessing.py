"""From a table to the arrays that a network takes, learned on the training rows only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

import numpy as np
import numpy.typing as npt

from chainrule.errors import ModelFileError, NotFittedError, ParameterError, TableError, did_you_mean

from ._types import Array, IndexArray
from .column_encoders import (
    Embedded,
    Encoder,
    Numeric,
    OneHot,
    Standardizer,
    encoder_from_config,
    encoder_to_config,
    numbers_of,
    texts_of,
)
from .labels import ClassLabels
from .table import Column, ColumnKind, Table

__all__ = ["TableFeatures", "TablePreprocessor", "task_of"]

Task = Literal["classification", "regression"]
MAX_INTEGER_CLASSES = 20
MIN_ROWS_A_CLASS = 5


class TableFeatures(TypedDict):
    """``numeric`` (N, F) float32; ``categories`` a list of (column name, (N,) int32 indices, cardinality)."""

    numeric: npt.NDArray[np.float32]
    categories: list[tuple[str, npt.NDArray[np.int32], int]]


class TablePreprocessor:
    """Turn the columns of a table into arrays, the same way for training and for prediction.

    - numeric column: ``(x - mean) / std`` (0 if constant); missing becomes the mean, and a 0/1 column
      "<name> is missing" is added if any was missing in training
    - categorical column of at most ``embed_from`` distinct values: one-hot, with a column for missing if any was
      missing in training; a category unknown in training is zero in all of them
    - categorical column of more: an index for an embedding layer, 0 being unknown or missing
    - left out, each with a note in ``notes_``: columns without any value, and text columns in which
      every value is different (an identifier)
    - target: **classification** if it is text or bool, or whole numbers of at most two values, or of at most 20
      values with 5 rows each on average; otherwise **regression**, standardised. ``task`` overrules this.
      Rows without a target are left out, with a note.

    Parameters
        target : name of the column to predict
        embed_from : the most distinct values that are one-hot encoded
        exclude : names of columns not to learn from
        task : "classification", "regression", or None to decide by the rule above
    Raises      TableError for a column that is missing or cannot be used, with the row and the value where it has one
    Example
        >>> table = Table({
        ...     "size": Column("numeric", np.array([1.0, 3.0, np.nan])),
        ...     "colour": Column("categorical", np.array(["red", "blue", "red"], dtype=object)),
        ...     "sold": Column("categorical", np.array(["yes", "no", "no"], dtype=object)),
        ... })
        >>> preprocessor = TablePreprocessor("sold").fit(table)
        >>> preprocessor.task_, preprocessor.numeric_names_
        ('classification', ['size', 'size is missing', 'colour=blue', 'colour=red'])
        >>> preprocessor.transform(table)["numeric"]
        array([[-1.,  0.,  0.,  1.],
               [ 1.,  0.,  1.,  0.],
               [ 0.,  1.,  0.,  1.]], dtype=float32)
        >>> preprocessor.transform_target(table)
        (array([1, 0, 0], dtype=int32), array([0, 1, 2]))
    """

    def __init__(self, target: str, *, embed_from: int = 16, exclude: Sequence[str] = (), task: Task | None = None) -> None:
        self.target = target
        self.embed_from = embed_from
        self.exclude = exclude
        self.task = task

    def fit(self, table: Table) -> TablePreprocessor:
        """Learn means, deviations, categories and the task from the training rows: pass no others."""
        if self.embed_from < 1:
            raise ParameterError(f"embed_from must be at least 1, got {self.embed_from}.")
        if self.task not in (None, "classification", "regression"):
            raise ParameterError(f"task must be 'classification', 'regression' or None, got {self.task!r}.")
        if isinstance(self.exclude, str):
            raise ParameterError(f"exclude must be a list of column names, got the text {self.exclude!r}.")
        for name in (self.target, *self.exclude):
            table.column(name)
        self.notes_: list[str] = []
        rows = self._rows_with_target(table)
        if len(rows) < table.n_rows:
            self.notes_.append(f"{table.n_rows - len(rows)} rows have no target {self.target!r}: left out.")
        table = table.take(rows)
        self._fit_target(table)
        left_out = {self.target, *self.exclude}
        fitted = (self._fit_column(name, column, table) for name, column in table.columns.items() if name not in left_out)
        self.encoders_: list[Encoder] = [encoder for encoder in fitted if encoder is not None]
        if not self.encoders_:
            raise TableError(f"{table.source} has no column to learn from. {' '.join(self.notes_)}".strip())
        return self

    def transform(self, table: Table) -> TableFeatures:
        """All rows as arrays; the target is not needed, further columns are passed over."""
        self._check_fitted()
        missing = [e.name for e in self.encoders_ if e.name not in table.columns]
        if missing:
            hints = "".join(did_you_mean(name, table.columns) for name in missing)
            raise TableError(
                f"{table.source} lacks {len(missing)} column(s) that the model was trained on: "
                f"{', '.join(map(repr, missing))}.{hints} Its columns are: {', '.join(map(repr, table.columns))}."
            )
        blocks = [e.encode(table) for e in self.encoders_ if not isinstance(e, Embedded)]
        numeric = np.concatenate([np.empty((table.n_rows, 0)), *blocks], axis=1).astype(np.float32)
        embedded = [e for e in self.encoders_ if isinstance(e, Embedded)]
        return {"numeric": numeric, "categories": [(e.name, e.encode(table), e.cardinality) for e in embedded]}

    def transform_target(self, table: Table) -> tuple[Array, IndexArray]:
        """``(y, rows)``: the target of the rows that have one, and which rows these are.

        Shapes      y (n,) int32 class numbers, or float32 standardised values ; rows (n,) int64
        """
        self._check_fitted()
        rows = self._rows_with_target(table)
        table = table.take(rows)
        if self.classes_ is not None:
            return self.classes_.encode(self._labels(table), name=f"{table.source}, column {self.target!r}"), rows
        y: Array = self.scale_.apply(numbers_of(table, self.target)).astype(np.float32)
        return y, rows

    def training_arrays(self, table: Table) -> tuple[TableFeatures, Array]:
        """Features and target of the rows that have a target."""
        y, rows = self.transform_target(table)
        return self.transform(table.take(rows)), y

    def inverse_target(self, y: Array) -> Array:
        """Class numbers back to labels, or standardised values back to their unit (float64)."""
        self._check_fitted()
        return self.scale_.invert(y) if self.classes_ is None else self.classes_.decode(y)

    @property
    def numeric_names_(self) -> list[str]:
        """The names of the F columns of ``numeric``."""
        self._check_fitted()
        return [name for e in self.encoders_ if not isinstance(e, Embedded) for name in e.output_names]

    @property
    def kinds_(self) -> dict[str, ColumnKind]:
        """Column name -> kind as in training, for ``read_table(path, kinds=...)`` at prediction."""
        self._check_fitted()
        return {e.name: "numeric" if isinstance(e, Numeric) else "categorical" for e in self.encoders_}

    def to_config(self) -> dict[str, Any]:
        """Everything learned, as JSON can hold it."""
        self._check_fitted()
        return {
            "version": 1,
            "target": self.target,
            "embed_from": self.embed_from,
            "exclude": list(self.exclude),
            "task": self.task_,
            "classes": None if self.classes_ is None else self.classes_.to_config(),
            "scale": [self.scale_.mean, self.scale_.std],
            "columns": [encoder_to_config(encoder) for encoder in self.encoders_],
            "notes": list(self.notes_),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TablePreprocessor:
        """The fitted preprocessor that ``to_config`` wrote; ModelFileError when that is not what came."""
        try:
            if config["version"] != 1:
                raise ValueError(f"version {config['version']!r}, expected 1; a newer chainrule may be needed")
            if config["task"] not in ("classification", "regression"):
                raise ValueError(f"task {config['task']!r}")
            if (config["classes"] is None) != (config["task"] == "regression"):
                raise ValueError("the task and the class labels contradict each other")
            self = cls(str(config["target"]), embed_from=int(config["embed_from"]), exclude=list(config["exclude"]))
            self.task_ = config["task"]
            self.classes_ = None if config["classes"] is None else ClassLabels.from_config(config["classes"])
            self.scale_ = Standardizer(*(float(v) for v in config["scale"]))
            self.encoders_ = [encoder_from_config(column) for column in config["columns"]]
            self.notes_ = [str(note) for note in config["notes"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, ModelFileError):
                raise
            raise ModelFileError(f"The saved table preprocessor is damaged: {error!r}.") from error
        return self

    # ------------------------------------------------------------ fitting, one column at a time

    def _fit_column(self, name: str, column: Column, table: Table) -> Encoder | None:
        known = column.values[~column.is_missing]
        has_missing = len(known) < table.n_rows
        if not len(known):
            self.notes_.append(f"Column {name!r} has no value in any row: left out.")
            return None
        if column.kind == "numeric":
            scale = Standardizer.fit(numbers_of(table, name)[~column.is_missing])
            if scale.std == 0.0:
                self.notes_.append(f"Column {name!r} is {known[0]:g} in every row: it becomes 0 and tells nothing.")
            elif len(known) > MAX_INTEGER_CLASSES and bool((np.diff(known) == 1).all()):
                self.notes_.append(f"Column {name!r} counts the rows up by one; exclude it if it is a row number.")
            return Numeric(name, scale.mean, scale.std, has_missing)
        categories = tuple(sorted(set(known.tolist())))
        n = len(categories)
        if n == len(known) and n > 1:
            self.notes_.append(f"Column {name!r} has a different text in every row, like an identifier: left out.")
            return None
        self._note_typos(name, known)
        if n == 1 and not has_missing:
            self.notes_.append(f"Column {name!r} is {categories[0]!r} in every row: it tells nothing.")
        if n <= self.embed_from:
            return OneHot(name, categories, has_missing)
        if n > 0.5 * len(known):
            self.notes_.append(f"Column {name!r} has {n} different texts in {len(known)} rows; consider excluding it.")
        return Embedded(name, categories)

    def _note_typos(self, name: str, known: Array) -> None:
        """A note when nearly every text is a number: then it is a numeric column with a typing error."""
        texts = [text for text in known.tolist() if not _is_number(text)]
        if len(texts) <= 0.1 * len(known):
            self.notes_.append(
                f"Column {name!r} is taken as text because of {len(texts)} value(s) that are no numbers, e.g. "
                f"{texts[0]!r}. Correct them, or leave them empty, to have it numeric."
            )

    # ------------------------------------------------------------ the target

    def _rows_with_target(self, table: Table) -> IndexArray:
        rows: IndexArray = np.flatnonzero(~table.column(self.target).is_missing)
        if not len(rows):
            raise TableError(f"{table.source}: the target {self.target!r} is missing in every row.")
        return rows

    def _fit_target(self, table: Table) -> None:
        column = table.column(self.target)
        self.scale_ = Standardizer(0.0, 1.0)
        self.classes_: ClassLabels | None = None
        self.task_: Task = self.task or task_of(column)
        if self.task_ == "regression":
            scale = Standardizer.fit(numbers_of(table, self.target))
            if scale.std == 0.0:
                self.notes_.append(f"The target {self.target!r} is {scale.mean:g} in every row: nothing to learn.")
                scale = Standardizer(scale.mean, 1.0)
            self.scale_ = scale
            return
        labels = self._labels(table)
        self.classes_ = ClassLabels.fit(labels)
        n = self.classes_.n_classes
        if n == 1:
            raise TableError(f"{table.source}: the target {self.target!r} is {labels[0]!r} in every row; two are needed.")
        if n == table.n_rows and n > 2:
            raise TableError(
                f"{table.source}: the target {self.target!r} has a different value in every row (e.g. {labels[0]!r}), "
                "so no class can be learned. Choose another target"
                + (", or correct the cells that are no numbers." if column.kind == "categorical" else ".")
            )
        if column.kind == "categorical":
            self._note_typos(self.target, column.values)

    def _labels(self, table: Table) -> Array:
        """The target as labels: whole numbers if classes are, else text."""
        column = table.column(self.target)
        is_text = column.kind == "categorical" if self.classes_ is None else self.classes_.classes.dtype.kind == "O"
        if is_text:
            labels: Array = np.empty(table.n_rows, dtype=object)
            labels[:] = texts_of(table, self.target)
            return labels
        x = numbers_of(table, self.target)
        if (x != np.rint(x)).any():
            row = int((x != np.rint(x)).argmax())
            raise TableError(
                f"{table.source}: classification needs whole numbers or text in {self.target!r}, got {x[row]} in row {row}."
            )
        return x.astype(np.int64)

    def _check_fitted(self) -> None:
        if not hasattr(self, "encoders_"):
            raise NotFittedError("This TablePreprocessor is not fitted yet. Call fit(table) with the training rows first.")


def task_of(column: Column) -> Task:
    """Whether a target is one of classes or a number, by the rule of TablePreprocessor."""
    if column.kind == "categorical":
        return "classification"
    x = column.values
    if not np.isfinite(x).all() or (x != np.rint(x)).any():
        return "regression"
    n = len(np.unique(x))
    few = n <= 2 or (n <= MAX_INTEGER_CLASSES and len(x) >= MIN_ROWS_A_CLASS * n)
    return "classification" if few else "regression"


def _is_number(text: str) -> bool:
    try:
        return float(text) is not None
    except ValueError:
        return False
