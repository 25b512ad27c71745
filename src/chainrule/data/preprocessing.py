"""From a table to the arrays that a network takes, learned on the training rows only."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, ModelFileError, NotFittedError, ParameterError, TableError, did_you_mean

from ._types import Array, IndexArray
from .booleans_in_text import are_booleans, truth_of
from .column_encoders import (
    DateTime,
    Embedded,
    Encoder,
    Numeric,
    OneHot,
    Standardizer,
    column_texts,
    encoder_from_config,
    encoder_to_config,
    numbers_of,
    unknown_texts,
)
from .columns import MOST_OTHERS, Column, object_array
from .labels import ClassLabels
from .numbers_in_text import looks_like_number, parse_number
from .table import Table
from .table_format import ColumnFormat, ColumnKind
from .unknown import MOSTLY, UnknownValues, UnknownValuesWarning

__all__ = ["TableFeatures", "TablePreprocessor", "task_of", "task_of_whole_numbers"]

Task = Literal["classification", "regression"]
MAX_INTEGER_CLASSES = 20
MIN_ROWS_A_CLASS = 5
#: Words for a missing value that are names of classes just as well, in lower case.
_CLASS_WORDS = frozenset({"none", "na", "null"})


class TableFeatures(TypedDict):
    """``numeric`` (N, F) float32; ``categories`` a list of (column name, (N,) int32 indices, cardinality)."""

    numeric: npt.NDArray[np.float32]
    categories: list[tuple[str, npt.NDArray[np.int32], int]]


class TablePreprocessor:
    """Turn the columns of a table into arrays, the same way for training and for prediction.

    - numeric column: ``(x - mean) / std`` (0 if constant); missing becomes the mean, and a 0/1 column
      "<name> is missing" is added if any was missing in training
    - column of dates: a standardised trend, and sine and cosine of the day, week, month and year as far as training saw them
    - categorical column of at most ``embed_from`` distinct values: one-hot, with a column for missing if any was
      missing in training; a category unknown in training is zero in all of them
    - categorical column of more: an index for an embedding layer, 0 being unknown, missing, or there once only
    - left out, each with a note in ``notes_``: columns without any value, text columns in which every value is different (an
      identifier), and those of more than ``embed_from`` texts where more than half of the rows have a text that occurs
      once: by the estimate of Good and Turing, that is the share of new rows whose text nothing is known of
    - target: **classification** if it is text or bool, or whole numbers of at most two values, or of at most 20
      values with 5 rows each on average; otherwise **regression**, standardised. ``task`` overrules this.
      Rows without a target are left out, with a note. Labels are kept as they are written.

    Parameters
        target : name of the column to predict
        embed_from : the most distinct values that are one-hot encoded
        exclude : names of columns not to learn from
        task : "classification", "regression", or None to decide by the rule above
        keep : names of text columns to learn from however many of their texts occur once
    References  I. J. Good, The population frequencies of species and the estimation of population parameters, Biometrika
    1953
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

    def __init__(
        self,
        target: str,
        *,
        embed_from: int = 16,
        exclude: Sequence[str] = (),
        task: Task | None = None,
        keep: Sequence[str] = (),
    ) -> None:
        self.target = target
        self.embed_from = embed_from
        self.exclude = exclude
        self.task = task
        self.keep = keep

    def fit(self, table: Table) -> TablePreprocessor:
        """Learn means, deviations, categories and the task from the training rows: pass no others."""
        if self.embed_from < 1:
            raise ParameterError(f"embed_from must be at least 1, got {self.embed_from}.")
        if self.task not in (None, "classification", "regression"):
            raise ParameterError(f"task must be 'classification', 'regression' or None, got {self.task!r}.")
        for option in ("exclude", "keep"):
            if isinstance(getattr(self, option), str):
                raise ParameterError(f"{option} must be a list of column names, got the text {getattr(self, option)!r}.")
        for name in (self.target, *self.exclude, *self.keep):
            table.column(name)
        self.notes_: list[str] = list(table.notes)
        self.classes_: ClassLabels | None = None
        rows = self._rows_with_target(table)
        self._note_missing_targets(table, rows)
        table = table.take(rows)
        self._fit_target(table)
        left_out = {self.target, *self.exclude}
        fitted = (self._fit_column(name, column, table) for name, column in table.columns.items() if name not in left_out)
        self.encoders_: list[Encoder] = [encoder for encoder in fitted if encoder is not None]
        if not self.encoders_:
            raise TableError(f"{table.source} has no column to learn from. {' '.join(self.notes_)}".strip())
        encoders: dict[str, Encoder | None] = {self.target: None, **{e.name: e for e in self.encoders_}}
        self.formats_ = {name: _format_of(table.column(name), encoder) for name, encoder in encoders.items()}
        return self

    def transform(self, table: Table) -> TableFeatures:
        """All rows as arrays; the target is not needed, further columns are passed over.

        Warns       UnknownValuesWarning, with examples, when most values of a column were not there in training
        """
        if said := self.doubts(table):
            warnings.warn(
                f"{table.source}: {'; '.join(said)}. Predictions cannot use these columns: write them as in training.",
                UnknownValuesWarning,
                stacklevel=2,
            )
        return self.features(table)

    def features(self, table: Table) -> TableFeatures:
        """As ``transform``, without a warning."""
        self._check_columns(table)
        blocks = [e.encode(table) for e in self.encoders_ if not isinstance(e, Embedded)]
        numeric = np.concatenate([np.empty((table.n_rows, 0)), *blocks], axis=1).astype(np.float32)
        embedded = [e for e in self.encoders_ if isinstance(e, Embedded)]
        return {"numeric": numeric, "categories": [(e.name, e.encode(table), e.cardinality) for e in embedded]}

    def unknown_values(self, table: Table) -> dict[str, UnknownValues]:
        """{column: its values that were not there in training}, of the columns that have such values.

        Example
            >>> table = Table({
            ...     "colour": Column("categorical", np.array(["red", "blue"], dtype=object)),
            ...     "sold": Column("categorical", np.array(["yes", "no"], dtype=object)),
            ... })
            >>> TablePreprocessor("sold", exclude=[]).fit(table).unknown_values(table)
            {}
        """
        self._check_columns(table)
        found = {}
        for encoder in self.encoders_:
            if isinstance(encoder, (OneHot, Embedded)):
                share, examples = unknown_texts(table.column(encoder.name), encoder.categories)
                if share:
                    found[encoder.name] = UnknownValues(share, examples, getattr(encoder, "rare", 0.0))
        return found

    def _check_columns(self, table: Table) -> None:
        self._check_fitted()
        missing = [e.name for e in self.encoders_ if e.name not in table.columns]
        if missing:
            hints = "".join(did_you_mean(name, table.columns) for name in missing)
            raise TableError(
                f"{table.source} lacks {len(missing)} column(s) that the model was trained on: "
                f"{', '.join(map(repr, missing))}.{hints} Its columns are: {', '.join(map(repr, table.columns))}."
            )

    def doubts(self, table: Table) -> list[str]:
        """What is said of columns that predictions cannot use: most of their values were not there in training, or they are
        empty and in training never were."""
        said = []
        for name, values in self.unknown_values(table).items():
            if values.share > MOSTLY + values.expected / 2:
                shown = ", ".join(repr(text) for text in values.examples)
                said.append(f"{values.share:.0%} of the values of {name!r} were not there in training, such as {shown}")
        for encoder in self.encoders_:
            without = isinstance(encoder, (Numeric, OneHot, DateTime)) and not encoder.indicator
            if without and bool(table.column(encoder.name).is_missing.all()):
                said.append(f"{encoder.name!r} is empty in every row, and in training it never was")
        return said

    def transform_target(self, table: Table) -> tuple[Array, IndexArray]:
        """``(y, rows)``: the target of the rows that have one, and which rows these are.

        Shapes      y (n,) int32 class numbers, or float32 standardised values ; rows (n,) int64
        """
        self._check_fitted()
        rows = self._rows_with_target(table)
        table = table.take(rows)
        if self.classes_ is not None:
            return self.classes_.encode(self._known_labels(table, self.classes_)), rows
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
    def kinds_(self) -> dict[str, ColumnKind | ColumnFormat]:
        """Column name -> kind or format as in training, for ``read_table(path, kinds=...)`` at prediction."""
        self._check_fitted()
        found: dict[str, ColumnKind | ColumnFormat] = {}
        for name, how in self.formats_.items():
            if name != self.target or not how.is_plain:
                found[name] = how.kind if how.is_plain else how
        return found

    def to_config(self) -> dict[str, Any]:
        """Everything learned, as JSON can hold it."""
        self._check_fitted()
        return {
            "version": 2,
            "target": self.target,
            "embed_from": self.embed_from,
            "exclude": list(self.exclude),
            "keep": list(self.keep),
            "task": self.task_,
            "classes": None if self.classes_ is None else self.classes_.to_config(),
            "scale": [self.scale_.mean, self.scale_.std],
            "columns": [encoder_to_config(encoder) for encoder in self.encoders_],
            "formats": {name: how.to_config() for name, how in self.formats_.items()},
            "notes": list(self.notes_),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TablePreprocessor:
        """The fitted preprocessor that ``to_config`` wrote; ModelFileError when that is not what came."""
        try:
            if config["version"] not in (1, 2):
                raise ValueError(f"version {config['version']!r}, expected 1 or 2; a newer chainrule may be needed")
            if config["task"] not in ("classification", "regression"):
                raise ValueError(f"task {config['task']!r}")
            if (config["classes"] is None) != (config["task"] == "regression"):
                raise ValueError("the task and the class labels contradict each other")
            self = cls(
                str(config["target"]),
                embed_from=int(config["embed_from"]),
                exclude=list(config["exclude"]),
                keep=[str(name) for name in config.get("keep", ())],
            )
            self.task_ = config["task"]
            self.classes_ = None if config["classes"] is None else ClassLabels.from_config(config["classes"])
            self.scale_ = Standardizer(*(float(v) for v in config["scale"]))
            self.encoders_ = [encoder_from_config(column) for column in config["columns"]]
            self.notes_ = [str(note) for note in config["notes"]]
            formats = {str(name): ColumnFormat.from_config(how) for name, how in config.get("formats", {}).items()}
            self.formats_ = {e.name: formats.get(e.name) or ColumnFormat(_kind_of(e)) for e in self.encoders_}
            self.formats_ = {**formats, **self.formats_}
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
        if column.kind == "datetime":
            return DateTime.fit(name, column)
        if column.kind == "numeric":
            scale = Standardizer.fit(numbers_of(table, name)[~column.is_missing])
            if scale.std == 0.0:
                self.notes_.append(f"Column {name!r} is {known[0]:g} in every row: it becomes 0 and tells nothing.")
            elif len(known) > MAX_INTEGER_CLASSES and bool((np.diff(known) == 1).all()):
                self.notes_.append(f"Column {name!r} counts the rows up by one; exclude it if it is a row number.")
            truth = scale.std > 0 and bool(((known == 0) | (known == 1)).all())
            return Numeric(name, scale.mean, scale.std, has_missing, truth)
        return self.fit_texts(name, Counter(known.tolist()), has_missing)

    def fit_texts(self, name: str, counts: Counter[str], has_missing: bool) -> Encoder | None:
        """The encoder of a column of texts, which occur so often, or None where it is left out, with a note."""
        known = counts.total()
        if are_booleans(counts):
            counts = Counter(_frequent_spelling(counts).values())
        categories, n = tuple(sorted(counts)), len(counts)
        if n == known and n > 1 and name not in self.keep:
            self.notes_.append(f"Column {name!r} has a different text in every row, like an identifier: left out.")
            return None
        self.note_typos(name, counts)
        if n == 1 and not has_missing:
            self.notes_.append(f"Column {name!r} is {categories[0]!r} in every row: it tells nothing.")
        if n <= self.embed_from:
            return OneHot(name, categories, has_missing)
        once = sum(count == 1 for count in counts.values())
        rare = once / known
        evidence = f"Column {name!r} has {n:,} different texts in {known:,} rows, {once:,} of them once"
        if rare > MOSTLY and name not in self.keep:
            self.notes_.append(
                f"{evidence}, so about {rare:.0%} of new rows would have a text that nothing is known of: left out. To "
                "learn from "
                "it all the same: keep=; from its words: --text."
            )
            return None
        if rare > MOSTLY / 4:
            self.notes_.append(f"{evidence}; those share one vector with what is unknown.")
        if rare <= MOSTLY:
            return Embedded(name, tuple(text for text in categories if counts[text] > 1), rare)
        return Embedded(name, categories)

    def note_typos(self, name: str, counts: Counter[str]) -> None:
        """A note when nearly every text is a number: then it is a numeric column with a typing error."""
        texts = [text for text in counts if not looks_like_number(text)]
        n = sum(counts[text] for text in texts)
        if texts and n <= MOST_OTHERS * counts.total():
            self.notes_.append(
                f"Column {name!r} is taken as text because of {n} value(s) that are no numbers, e.g. "
                f"{texts[0]!r}. Correct them, or leave them empty, to have it numeric."
            )

    # ------------------------------------------------------------ the target

    def _target_column(self, table: Table) -> Column:
        """The target, with words such as "none" as classes unless the rest of the table says that they stand for missing."""
        column = table.column(self.target)
        if column.kind != "categorical" or column.written is None:
            return column
        words = Counter(word for word, missing in zip(column.written, column.is_missing, strict=True) if missing and word)
        if self.classes_ is not None:
            classes = {word for word in words if word in set(self.classes_.classes.tolist())}
        else:
            never = set(column.format.missing) if column.format is not None else set()
            classes = {w for w in words if w.lower() in _CLASS_WORDS and w not in never and not self._is_marker(w, table)}
        if not classes:
            return column
        values = [word if word in classes else value for word, value in zip(column.written, column.values, strict=True)]
        return Column("categorical", object_array(values), column.written, column.format)

    def _is_marker(self, word: str, table: Table) -> bool:
        """Whether other columns use the word for a missing value: one of numbers or dates, or, for NA, two of any kind."""
        times = 0
        for name, column in table.columns.items():
            if (
                name != self.target
                and column.written is not None
                and bool((column.written[column.is_missing] == word).any())
            ):
                times += 1
                if column.kind != "categorical":
                    return True
        return times > 1 and word == "NA"

    def _rows_with_target(self, table: Table) -> IndexArray:
        rows: IndexArray = np.flatnonzero(~self._target_column(table).is_missing)
        if not len(rows):
            raise TableError(f"{table.source}: the target {self.target!r} is missing in every row.")
        return rows

    def _note_missing_targets(self, table: Table, rows: IndexArray) -> None:
        """Says how many rows are left out, for which marker of missing values, and which such words are classes."""
        column = self._target_column(table)
        missing, n = column.is_missing, table.n_rows - len(rows)
        written = np.full(table.n_rows, None) if column.written is None else column.written
        if n:
            self.notes_.append(self.missing_target_note(table))
        words = Counter(
            w for w, was, now in zip(written, table.column(self.target).is_missing, missing, strict=True) if was > now
        )
        for word, count in words.items():
            self.notes_.append(
                f"{word!r} in the target is taken for a class ({count:,} rows). If it stands for a missing value: "
                "--na-values "
                f"{word}, in Python na_values=."
            )

    def missing_target_note(self, table: Table) -> str:
        """How many rows are left out because they have no target, and for which marker of a missing value; "" for none."""
        column = self._target_column(table)
        missing = column.is_missing
        n = int(missing.sum())
        if not n:
            return ""
        written = np.full(n, None) if column.written is None else column.written[missing]
        counts = Counter(repr(word) if word else "empty" for word in written)
        which = ", ".join(f"{word}: {count:,}" for word, count in counts.most_common(5))
        which = f" ({which})" if set(counts) != {"empty"} else ""
        return f"{n:,} {'row has' if n == 1 else 'rows have'} no target {self.target!r}{which}: left out."

    def _fit_target(self, table: Table) -> None:
        column = self._target_column(table)
        if column.kind == "datetime":
            raise TableError(
                f"{table.source}: the target {self.target!r} holds dates, which are neither classes nor numbers. "
                "Predict a number "
                "made of them, such as the days since the first one."
            )
        self.scale_ = Standardizer(0.0, 1.0)
        self.task_: Task = self.task or task_of(column)
        if self.task_ == "regression":
            scale = Standardizer.fit(numbers_of(table, self.target))
            if scale.std == 0.0:
                self.notes_.append(f"The target {self.target!r} is {scale.mean:g} in every row: nothing to learn.")
                scale = Standardizer(scale.mean, 1.0)
            self.scale_ = scale
            return
        labels = self.labels_of(column, table)
        self.classes_ = ClassLabels.fit(labels)
        if self.classes_.n_classes == 1:
            raise TableError(f"{table.source}: the target {self.target!r} is {labels[0]!r} in every row; two are needed.")
        counts = Counter(labels.tolist())
        self.check_classes(counts, table.source, table.n_rows, column.kind == "categorical")
        if column.kind == "categorical":
            self.note_typos(self.target, counts)

    def check_classes(self, counts: Counter[Any], source: str, n_rows: int, is_text: bool) -> None:
        """TableError for classes that cannot be learned, as there are about as many as rows, or that are rather numbers."""
        n, once = len(counts), [label for label, count in counts.items() if count == 1]
        where = f"{source}: the target {self.target!r}"
        if n == n_rows and n > 2:
            raise TableError(
                f"{where} has a different value in every row (e.g. {once[0]!r}), so no class can be learned. Choose "
                "another target" + (", or correct the cells that are no numbers." if is_text else ".")
            )
        if not is_text or self.task is not None:
            return
        numbers = [label for label in counts if looks_like_number(label)]
        others = [label for label in counts if not looks_like_number(label)]
        many = n > MAX_INTEGER_CLASSES or n_rows < MIN_ROWS_A_CLASS * n
        few_others = sum(counts[label] for label in others) <= MOST_OTHERS * n_rows
        if numbers and 2 * len(numbers) >= n and (many or few_others):
            cells = ", ".join(
                f"{label!r} ({counts[label]:,} times)" for label in sorted(others, key=lambda t: -counts[t])[:5]
            )
            raise TableError(
                f"{where} holds numbers, but {sum(counts[t] for t in others):,} of {n_rows:,} cells are none: "
                f"{cells or '-'}. "
                "Name those that stand for a missing value (--na-values, in Python na_values=), say how numbers are written "
                "(--decimal, --thousands), or take all for classes: --task classification, in Python task=."
            )
        if n > 2 and len(once) > MOSTLY * n_rows:
            cells = ", ".join(repr(label) for label in once[:3])
            raise TableError(
                f"{where} has {n:,} classes in {n_rows:,} rows, {len(once):,} of them in a single row (such as "
                f"{cells}), so "
                "they cannot be learned. Choose another target, or have it all the same: --task classification, in "
                "Python task=."
            )

    def labels_of(self, column: Column, table: Table) -> Array:
        """The target as labels: whole numbers where they are written as such, else text as it is written."""
        texts = [text for text in column_texts(column) if text is not None]
        if column.kind == "categorical":
            counts = Counter(texts)
            same = _frequent_spelling(counts) if are_booleans(counts) else {}
            return object_array([same.get(text, text) for text in texts])
        x = column.values
        if (x != np.rint(x)).any():
            row = int((x != np.rint(x)).argmax())
            raise TableError(
                f"{table.source}: classification needs whole numbers or text in {self.target!r}, got {x[row]} in row {row}."
            )
        if all(_is_whole(text) for text in set(texts)):
            return np.array([int(text) for text in texts], dtype=np.int64)
        return object_array(texts)

    def _known_labels(self, table: Table, classes: ClassLabels) -> Array:
        """The target of these rows in the spelling of the known classes: yes for True, 007 for 7."""
        known = {str(label): label for label in classes.classes.tolist()}
        found: dict[str, Any] = {}
        texts = [text for text in column_texts(self._target_column(table)) if text is not None]
        for text in set(texts):
            label = known.get(text)
            if label is None and are_booleans(known) and truth_of(text) is not None:
                label = next(known[other] for other in known if truth_of(other) == truth_of(text))
            if label is None and (number := parse_number(text)) is not None:
                same = [other for other in known if parse_number(other) == number]
                label = known[same[0]] if len(same) == 1 else None
            found[text] = label
        if unseen := sorted(text for text, label in found.items() if label is None):
            shown = ", ".join(repr(text) for text in unseen[:10]) + f", ... ({len(unseen)} in all)" * (len(unseen) > 10)
            row = next(i for i, text in enumerate(texts) if found[text] is None)
            raise DataError(
                f"{table.source}, column {self.target!r} has labels that were not there in training: {shown}, the first "
                "at row "
                f"{row}. Known labels: {', '.join(repr(label) for label in known.values())}."
            )
        labels = [found[text] for text in texts]
        return object_array(labels) if classes.classes.dtype.kind in "OUT" else np.array(labels, classes.classes.dtype)

    def _check_fitted(self) -> None:
        if not hasattr(self, "encoders_"):
            raise NotFittedError("This TablePreprocessor is not fitted yet. Call fit(table) with the training rows first.")


def task_of(column: Column) -> Task:
    """Whether a target is one of classes or a number, by the rule of TablePreprocessor."""
    if column.kind != "numeric":
        return "classification"
    x = column.values
    if not np.isfinite(x).all() or (x != np.rint(x)).any():
        return "regression"
    n = len(np.unique(x)) if column.written is None else len({text for text in column_texts(column) if text is not None})
    return task_of_whole_numbers(n, len(x))


def task_of_whole_numbers(different: int, n: int) -> Task:
    """The same for n whole numbers of which so many are different."""
    few = different <= 2 or (different <= MAX_INTEGER_CLASSES and n >= MIN_ROWS_A_CLASS * different)
    return "classification" if few else "regression"


def _kind_of(encoder: Encoder) -> ColumnKind:
    return "numeric" if isinstance(encoder, Numeric) else "datetime" if isinstance(encoder, DateTime) else "categorical"


def _frequent_spelling(counts: Counter[str]) -> dict[str, str]:
    """{spelling of true or false: the most frequent spelling of the same}."""
    best: dict[bool | None, str] = {}
    for text, _ in counts.most_common():
        best.setdefault(truth_of(text), text)
    return {text: best[truth_of(text)] for text in counts}


def _is_whole(text: str) -> bool:
    """Whether a text is a whole number as Python writes it, that 64 bits hold."""
    try:
        number = int(text)
    except ValueError:
        return False
    return str(number) == text and -(2**63) <= number < 2**63


def _format_of(column: Column, encoder: Encoder | None) -> ColumnFormat:
    """How the cells of a column are written, for reading those of another file alike."""
    how = column.format or ColumnFormat(column.kind)
    if isinstance(encoder, Numeric) and encoder.truth:
        return ColumnFormat("numeric", how.decimal, how.thousands, how.percent, how.missing, truth=True)
    return how
