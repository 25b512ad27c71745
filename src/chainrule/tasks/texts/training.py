"""From a column of texts and settings to a training that can begin."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data import ClassLabels, Table
from ...data.preprocessing import task_of
from ...errors import ParameterError, TableError
from ...estimators import NeuralClassifier, NeuralRegressor
from ...losses import Loss
from ...training.settings import FitSettings
from ..scores import Scores, guess_classes, guess_numbers
from ..tabular import inner_share, loss_for, read_for, require_columns, require_target, split_rows
from ..task import PreparedEstimator
from . import TASK
from .settings import TextSettings
from .text_model import TextModel, texts_of_column

__all__ = ["TextParts", "prepare", "read", "resume"]

Array = NDArray[Any]
#: Epochs, epochs without improvement, and the dropout of the vectors and hidden layers by default.
_EPOCHS, _PATIENCE, _DROPOUT = 40, 4, 0.5
#: The dropout of a pretrained body's features, and the epochs where the body learns along.
_HEAD_DROPOUT, _TUNING_EPOCHS = 0.1, 3


class TextParts(NamedTuple):
    """Texts and their targets in parts.

    Parameters  whole : the table ; texts, y : of all its rows that have both, y as class numbers where there are ``labels``
                train, test : numbers of rows to learn from, and to test on
                test_table : a table of its own to test on, or None
    """

    whole: Table
    texts: list[str]
    y: Array
    labels: ClassLabels | None
    train: Array
    test: Array
    test_table: Table | None

    def pairs(self, rows: Array) -> tuple[list[str], Array]:
        """The texts of these rows, and their labels or numbers."""
        targets = self.y if self.labels is None else self.labels.decode(self.y)
        return [self.texts[i] for i in rows], targets[rows]


def read(settings: TextSettings) -> TextParts:
    """The texts in parts. Raises  TableError ; ParameterError for a column that there is not ; DataError for too few rows"""
    target, text = require_target(settings), str(settings.text)
    if settings.validation is not None:
        raise ParameterError("--validation is for tables and pictures; of texts a part of DATA is used. Leave it out.")
    kinds = {text: "categorical"}
    data = read_for(settings, settings.data, kinds)
    require_columns(data, {"--target": target, "--text": text})
    texts, y, labels = _pairs(data, text, target, settings.task)
    split = split_rows(settings, data.source, len(y), None if labels is None else y)
    other = None if settings.test is None else read_for(settings, settings.test, {**kinds, target: data.column(target).kind})
    if other is not None:
        require_columns(other, {"--test": (text, target)})
    return TextParts(data, texts, y, labels, split.train, split.test, other)


def prepare(data: TextParts, settings: TextSettings) -> PreparedEstimator:
    """A new estimator for the texts, and its training."""
    n = len(data.train)
    held_out = inner_share(settings, n)
    kind: Any = NeuralClassifier if data.labels is not None else NeuralRegressor
    estimator = kind(
        list(settings.hidden),
        activation=settings.activation,
        dropout=_DROPOUT if settings.pretrained is None else _HEAD_DROPOUT,
        tokenizer=settings.tokenizer,
        pretrained=False if settings.pretrained is None else settings.pretrained,
        fine_tune=settings.fine_tune,
        loss=None if settings.loss is None else _loss(require_target(settings), data.labels, settings.loss),
        optimizer=settings.make_optimizer(),
        learning_rate=settings.learning_rate,
        epochs=settings.epochs or (_TUNING_EPOCHS if settings.fine_tune else _EPOCHS),
        batch_size=settings.batch_size or "auto",
        early_stopping=bool(held_out),
        validation_fraction=held_out or 0.1,
        patience=settings.patience or _PATIENCE,
        tolerance=0.0 if held_out else None,
        random_state=settings.random_state,
        engine=settings.engine,
        threads=settings.threads,
        precision=settings.precision,
    )
    text, target = str(settings.text), require_target(settings)
    reading = settings.reading()
    to_test = data.test_table
    if to_test is None and len(data.test):
        _, rows = texts_of_column(data.whole, text)
        kept = rows[~data.whole.column(target).is_missing[rows]]
        to_test = data.whole.take(kept[data.test])
    return PreparedEstimator(
        TASK,
        f"{settings.data}: {target} from the texts of {text}, {n:,} rows",
        estimator,
        data.pairs(data.train),
        FitSettings(),
        lambda fitted, facts: TextModel(fitted, text, target, facts, reading),
        settings.data.name,
        n,
        description=_description(settings, data, held_out, estimator),
        test=to_test,
        guess=lambda truth: _guess(data, truth),
        units={"loss": "nats per text" if data.labels is not None else "", "accuracy": "share of texts"},
    )


def resume(model: TextModel, settings: TextSettings) -> PreparedEstimator:
    """More training of a model, with its own settings where none is set."""
    if settings.target is not None and settings.target != model.target:
        raise ParameterError(f"--target: the model predicts {model.target!r}. Got {settings.target!r}.")
    data = read_for(settings, settings.data, {model.text: "categorical"})
    require_columns(data, {"The model's texts": model.text, "The model's target": model.target})
    texts, y, labels = _pairs(data, model.text, model.target, "regression" if model.labels is None else "classification")
    test = None
    if settings.test is not None:
        test = read_for(settings, settings.test, {model.text: "categorical"})
        require_columns(test, {"--test": (model.text, model.target)})
    elif settings.keeps_test_part:
        split = split_rows(settings, data.source, len(y), None if labels is None else y)
        _, rows = texts_of_column(data, model.text)
        test = data.take(rows[~data.column(model.target).is_missing[rows]][split.test])
        texts, y = [texts[i] for i in split.train], y[split.train]
    estimator = model.estimator
    outputs = model.network.output_shapes[0][-1]
    loss = None if settings.loss is None else _loss(model.target, labels, settings.loss, outputs)
    fit = settings.resumed(estimator.network_, loss=loss)
    for name in fit.given:
        if name != "precision":  # the option is not offered here, since a model has its own
            setattr(estimator, name, getattr(fit, name))
    if settings.seed is not None:
        estimator.random_state = settings.seed
    return PreparedEstimator(
        TASK,
        f"{settings.data}: {len(texts):,} rows",
        estimator,
        (texts, y if labels is None else labels.decode(y)),
        fit,
        lambda fitted, facts: TextModel(fitted, model.text, model.target, {**model.facts, **facts}, model.reading),
        settings.data.name,
        len(texts),
        test=test,
    )


def _loss(target: str, labels: ClassLabels | None, name: str, outputs: int | None = None) -> Loss:
    task, count = ("regression", 0) if labels is None else ("classification", labels.n_classes)
    return loss_for(target, task, count, name, outputs)


def _guess(data: TextParts, truth: Array) -> tuple[str, Scores]:
    if data.labels is None:
        return guess_numbers(data.y[data.train], truth)
    return guess_classes(data.labels.classes.tolist(), data.y[data.train], truth)


def _pairs(data: Table, text: str, target: str, task: str) -> tuple[list[str], Array, ClassLabels | None]:
    """Texts and targets of the rows that have both; targets as class numbers where labels are returned."""
    texts, rows = texts_of_column(data, text)
    column = data.column(target)
    kept = ~column.is_missing[rows]
    if not kept.any():
        raise TableError(f"{data.source}: no row has both a text in {text!r} and a value in {target!r}.")
    texts, values = [t for t, k in zip(texts, kept, strict=True) if k], column.values[rows[kept]]
    task = task_of(type(column)(column.kind, values)) if task == "auto" else task
    if task == "regression":
        if column.kind == "categorical":
            raise TableError(f"{data.source}: --task regression needs numbers in {target!r}, got {values[0]!r}.")
        return texts, values.astype(np.float64), None
    if column.kind == "numeric":
        if (values != np.rint(values)).any():
            raise TableError(f"{data.source}: classification needs whole numbers or text in {target!r}.")
        values = values.astype(np.int64)
    labels = ClassLabels.fit(values)
    if labels.n_classes == 1:
        raise TableError(f"{data.source}: the target {target!r} is {values[0]!r} in every row; two classes are needed.")
    return texts, labels.encode(values), labels


def _description(settings: TextSettings, data: TextParts, held_out: float, estimator: Any) -> list[tuple[str, str]]:
    labels, n = data.labels, len(data.train)
    held = math.ceil(n * held_out)
    shown = "" if labels is None else ", ".join(map(str, labels.classes.tolist()[:6])) + ", ..." * (labels.n_classes > 6)
    what = f"a number (mean {data.y.mean():.4g})" if labels is None else f"{labels.n_classes} classes ({shown})"
    tested = len(data.test) if data.test_table is None else data.test_table.n_rows
    body = settings.pretrained
    tokens = settings.tokenizer.replace("_", " ") if body is None else f"the tokenizer of {body} cuts them"
    rows = [
        ("Data", f"{settings.data}: {data.whole.n_rows:,} rows, {len(data.whole.names)} columns"),
        ("Target", f"{settings.target}: {what}"),
        ("Input", f"texts of {settings.text!r}, as {tokens}"),
        ("Split", f"{n - held:,} rows to train on, {held:,} to validate on, {tested:,} to test on"),
    ]
    if len(data.texts) < data.whole.n_rows:
        rows.append(("Note", f"{data.whole.n_rows - len(data.texts):,} rows have no text or no target: left out."))
    units = " → ".join(f"Dense({count})" for count in settings.hidden)
    epochs = estimator.epochs
    when = f"at most {epochs} epochs, {estimator.patience} without better validation loss" if held else f"{epochs} epochs"
    network = f"a vector for each token, their mean{' → ' if units else ''}{units}, dropout {_DROPOUT:g}"
    if body is not None:
        network = f"{body}, which {'learns along' if settings.fine_tune else 'stays as it is'}, and a new last layer"
    rows += [
        ("Network", network),
        ("Training", f"{estimator.optimizer.name}, {when}"),
    ]
    return rows
