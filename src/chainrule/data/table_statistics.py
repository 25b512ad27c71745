"""What a preprocessor learns, from rows that come in chunks: one pass, and no more memory for more rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chainrule.errors import ParameterError, TableError

from ._types import FloatArray
from .column_encoders import (
    CYCLES,
    DateTime,
    Embedded,
    Encoder,
    Numeric,
    OneHot,
    Standardizer,
    column_texts,
    numbers_of,
    places_in_cycle,
)
from .columns import Column, object_array
from .labels import ClassLabels
from .preprocessing import TablePreprocessor, Task, task_of_whole_numbers
from .table import Table
from .table_format import ColumnFormat, ColumnKind

__all__ = ["TableStatistics"]

#: Different texts of one column that are counted; beyond that, those that came once so far are forgotten.
_MOST_TEXTS = 500_000
#: Different labels of a target; a text that has more is no class.
_MOST_LABELS = 10_000


class _Numbers:
    """Mean, deviation and range of numbers."""

    def __init__(self) -> None:
        self.n = 0
        self.scale = Standardizer(0.0, 0.0)
        self.low, self.high = math.inf, -math.inf
        self.truths = self.whole = True

    def update(self, x: FloatArray) -> None:
        if not len(x):
            return
        new, a, b = Standardizer.fit(x), self.n, len(x)
        n = a + b
        step = new.mean - self.scale.mean if a else 0.0
        # The deviations add up as in the formula of Chan, Golub and LeVeque; hypot squares nothing that could overflow.
        std = math.hypot(
            math.sqrt(a / n) * self.scale.std, math.sqrt(b / n) * new.std, math.sqrt(a / n) * math.sqrt(b / n) * step
        )
        self.scale = Standardizer(self.scale.mean + step * (b / n) if a else new.mean, std)
        self.n = n
        self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))
        self.truths = self.truths and bool(((x == 0) | (x == 1)).all())
        self.whole = self.whole and bool(np.isfinite(x).all() and (x == np.rint(x)).all())

    @property
    def standardizer(self) -> Standardizer:
        return self.scale if self.low < self.high else Standardizer(self.low, 0.0)


class _Texts:
    """How often each text occurs."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.forgotten = 0

    def update(self, texts: Sequence[str]) -> None:
        self.counts.update(texts)
        if len(self.counts) > _MOST_TEXTS:
            kept = Counter({text: count for text, count in self.counts.items() if count > 1})
            self.forgotten += len(self.counts) - len(kept)
            self.counts = kept if len(kept) <= _MOST_TEXTS else Counter(dict(kept.most_common(_MOST_TEXTS)))


class _Dates:
    """The range of instants, their mean and deviation, and where in their cycles they lie."""

    def __init__(self) -> None:
        self.seconds = _Numbers()
        self.first, self.last = math.inf, -math.inf
        self.places: dict[str, set[float]] = {cycle: set() for cycle in CYCLES}

    def update(self, column: Column) -> None:
        known = column.values[~column.is_missing]
        if not len(known):
            return
        micros = known.astype("datetime64[us]").astype(np.int64)
        self.seconds.update(micros / 10**6)
        self.first, self.last = min(self.first, int(micros.min())), max(self.last, int(micros.max()))
        for cycle, places in self.places.items():
            if len(places) < 2:
                places.update(places_in_cycle(known, cycle).tolist())


class _ColumnStatistics:
    """One column. Its kind is that of the first chunk that has a value in it."""

    def __init__(self) -> None:
        self.kind: ColumnKind | None = None
        self.format: ColumnFormat | None = None
        self.rows = self.missing = 0
        self.numbers, self.texts, self.dates = _Numbers(), _Texts(), _Dates()

    def update(self, name: str, table: Table) -> None:
        column = table.column(name)
        missing = int(column.is_missing.sum())
        self.rows += table.n_rows
        self.missing += missing
        if missing == table.n_rows:
            return
        if self.kind is None:
            self.kind, self.format = column.kind, column.format or ColumnFormat(column.kind)
        if self.kind == "numeric":
            x = numbers_of(table, name)
            self.numbers.update(x[~np.isnan(x)])
        elif self.kind == "datetime" and column.kind == "datetime":
            self.dates.update(column)
        elif self.kind == "datetime":
            raise TableError(
                f"{table.source}: the column {name!r} holds no dates, as it did in the rows before. Write it in the same "
                "way in all files."
            )
        else:
            self.texts.update([text for text in column_texts(column) if text is not None])

    def encoder(self, name: str, into: TablePreprocessor) -> Encoder | None:
        """As ``TablePreprocessor.fit`` makes it of all rows."""
        has_missing = self.missing > 0
        if self.kind is None:
            into.notes_.append(f"Column {name!r} has no value in any row: left out.")
            return None
        if self.kind == "numeric":
            scale = self.numbers.standardizer
            if scale.std == 0.0:
                into.notes_.append(f"Column {name!r} is {scale.mean:g} in every row: it becomes 0 and tells nothing.")
            return Numeric(name, scale.mean, scale.std, has_missing, scale.std > 0 and self.numbers.truths)
        assert self.format is not None
        if self.kind == "datetime":
            dates = self.dates
            return DateTime.of(
                name, dates.seconds.standardizer, dates.last - dates.first, dates.places, has_missing, self.format
            )
        counts, forgotten = self.texts.counts, self.texts.forgotten
        if forgotten:
            # Those that were forgotten came once, as far as is known: so they are counted as one text each.
            counts = counts + Counter({f"\0{i}": 1 for i in range(min(forgotten, self.rows))})
        made = into.fit_texts(name, counts, has_missing)
        if forgotten and isinstance(made, (OneHot, Embedded)):
            made = replace(made, categories=tuple(text for text in made.categories if not text.startswith("\0")))
        return made


class TableStatistics:
    """Gathers, chunk by chunk, what ``TablePreprocessor.fit`` learns from all rows at once.

    The mean, the deviation and the categories are those of all rows. Words such as "none" in the target always stand for a
    missing value here, since what decides about them is known only at the end. Of a column with more than half a million
    different texts, those that come once are forgotten in between.

    Parameters  as of TablePreprocessor

    Example
        >>> whole = Table.from_columns({"x": [1.0, 2.0, 4.0, None], "y": ["a", "b", "b", "a"]})
        >>> statistics = TableStatistics("y")
        >>> for rows in (slice(0, 2), slice(2, 4)):
        ...     statistics.update(whole.take(rows))
        >>> made = statistics.preprocessor()
        >>> made.encoders_[0].describe() == TablePreprocessor("y").fit(whole).encoders_[0].describe()
        True
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
        self.target, self.embed_from, self.exclude, self.task, self.keep = target, embed_from, exclude, task, keep
        self.rows = self.without_target = 0
        self.notes: list[str] = []
        self.source = ""
        self._columns: dict[str, _ColumnStatistics] = {}
        self._labels: Counter[str] | None = Counter()
        self._numbers = _Numbers()

    def update(self, table: Table) -> None:
        """Takes in the rows of one more chunk. Raises  TableError for a column that is missing, or of another kind"""
        for name in (self.target, *self.exclude, *self.keep):
            table.column(name)
        self.source = self.source or table.source
        self.notes += [note for note in table.notes if note not in self.notes]
        target = table.column(self.target)
        known = ~target.is_missing
        self.without_target += int((~known).sum())
        table = table.take(np.flatnonzero(known))
        self.rows += table.n_rows
        for name in table.names:
            if name not in self._columns:
                self._columns[name] = _ColumnStatistics()
            if name == self.target:
                self._update_target(table)
            elif name not in self.exclude:
                self._columns[name].update(name, table)

    def _update_target(self, table: Table) -> None:
        column, found = table.column(self.target), self._columns[self.target]
        if not table.n_rows:
            return
        if found.kind is None:
            found.kind, found.format = column.kind, column.format or ColumnFormat(column.kind)
        if found.kind == "datetime":
            raise TableError(
                f"{table.source}: the target {self.target!r} holds dates, which are neither classes nor numbers. Predict a "
                "number made of them, such as the days since the first one."
            )
        if found.kind == "numeric" or self.task == "regression":
            self._numbers.update(numbers_of(table, self.target))
        if self._labels is not None:
            self._labels.update(text for text in column_texts(column) if text is not None)
            if len(self._labels) > _MOST_LABELS:
                if self.task == "classification" or (found.kind == "categorical" and self.task is None):
                    raise TableError(
                        f"{table.source}: the target {self.target!r} has more than {_MOST_LABELS:,} different values, too "
                        "many for classes. Choose another target."
                    )
                self._labels = None

    def preprocessor(self) -> TablePreprocessor:
        """The fitted preprocessor.

        Raises      TableError where the target cannot be learned, or there is no column to learn from
        """
        if not self.rows:
            raise TableError(f"{self.source}: the target {self.target!r} is missing in every row.")
        if self.task not in (None, "classification", "regression"):
            raise ParameterError(f"task must be 'classification', 'regression' or None, got {self.task!r}.")
        made = TablePreprocessor(
            self.target, embed_from=self.embed_from, exclude=self.exclude, task=self.task, keep=self.keep
        )
        made.notes_ = list(self.notes)
        if self.without_target:
            have = "row has" if self.without_target == 1 else "rows have"
            made.notes_.append(f"{self.without_target:,} {have} no target {self.target!r}: left out.")
        made.classes_, made.scale_ = None, Standardizer(0.0, 1.0)
        self._fit_target(made)
        found = {
            name: column.encoder(name, made)
            for name, column in self._columns.items()
            if name != self.target and name not in self.exclude
        }
        made.encoders_ = [encoder for encoder in found.values() if encoder is not None]
        if not made.encoders_:
            raise TableError(f"{self.source} has no column to learn from. {' '.join(made.notes_)}".strip())
        made.formats_ = {}
        for name in [self.target, *(e.name for e in made.encoders_)]:
            how = self._columns[name].format
            assert how is not None
            encoder = found.get(name)
            truth = isinstance(encoder, Numeric) and encoder.truth
            made.formats_[name] = replace(how, truth=True) if truth else how
        return made

    def _fit_target(self, made: TablePreprocessor) -> None:
        kind, labels = self._columns[self.target].kind, self._labels
        if self.task is not None:
            made.task_ = self.task
        elif kind == "categorical":
            made.task_ = "classification"
        elif labels is None or not self._numbers.whole:
            made.task_ = "regression"
        else:
            made.task_ = task_of_whole_numbers(len(labels), self.rows)
        if made.task_ == "regression":
            scale = self._numbers.standardizer
            if scale.std == 0.0:
                made.notes_.append(f"The target {self.target!r} is {scale.mean:g} in every row: nothing to learn.")
                scale = Standardizer(scale.mean, 1.0)
            made.scale_ = scale
            return
        assert labels is not None and kind is not None
        texts = object_array(list(labels))
        values = texts if kind == "categorical" else np.array([float(text) for text in labels])
        column = Column(kind, values, None if kind == "categorical" else texts)
        counts: Counter[object] = Counter()
        for label, count in zip(made.labels_of(column, Table({self.target: column})).tolist(), labels.values(), strict=True):
            counts[label] += count  # true, yes and 1 are one label
        of_labels = np.array(list(counts), np.int64 if all(isinstance(one, int) for one in counts) else object)
        made.classes_ = ClassLabels.fit(of_labels)
        if made.classes_.n_classes == 1:
            raise TableError(f"{self.source}: the target {self.target!r} is {of_labels[0]!r} in every row; two are needed.")
        made.check_classes(counts, self.source, self.rows, kind == "categorical")
        if kind == "categorical":
            made.note_typos(self.target, Counter({str(label): count for label, count in counts.items()}))
        self.class_counts = [counts[label] for label in made.classes_.classes.tolist()]

    #: How often each class occurs, once ``preprocessor`` was called.
    class_counts: list[int]
