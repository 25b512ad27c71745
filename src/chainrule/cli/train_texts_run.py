"""What ``chainrule train --text COLUMN`` does: a network on the texts of one column."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from ..data import ClassLabels, Table, read_table, split_validation
from ..data.preprocessing import task_of
from ..data.text import Tokenizer
from ..errors import DataError, ParameterError, TableError, did_you_mean
from ..estimators import NeuralClassifier, NeuralRegressor
from ..metrics import R2, MeanAbsoluteError, RootMeanSquaredError
from ..report import learning_curves
from . import choices
from .console import facts, heading, out
from .progress import ProgressTable
from .scores import Scores, score_classes, show_scores
from .text_model import TextModel, texts_of_column
from .train_run import (
    FEWEST_ROWS,
    INTERRUPTED,
    TrainOptions,
    check_table,
    say_how_it_ended,
    say_what_next,
    say_what_was_seen,
)

__all__ = ["TextTraining", "prepare_texts", "read_texts", "run"]

Array = NDArray[Any]
#: Bounds of the epochs, epochs without improvement, and the dropout of the vectors and hidden layers.
_EPOCHS, _PATIENCE, _DROPOUT = 40, 4, 0.5
#: Hidden layers by default. Texts are learned by heart sooner than tables, so there are fewer.
_HIDDEN = (100,)


class TextTraining(NamedTuple):
    """A training on texts, before it begins.

    Parameters  data : the table ; texts, y : of all rows that have both, y as class numbers where there are ``labels`` ;
                train, test : numbers of rows ; estimator : not fitted ; held_out : share to validate on
    """

    data: Table
    texts: list[str]
    y: Array
    labels: ClassLabels | None
    train: Array
    test: Array
    estimator: Any
    hidden: list[int]
    place: Path
    held_out: float

    def learned(self) -> tuple[list[str], Array]:
        """The texts and targets that are learned from."""
        targets = self.y if self.labels is None else self.labels.decode(self.y)
        return [self.texts[i] for i in self.train], targets[self.train]


def prepare_texts(given: TrainOptions) -> TextTraining:
    """Reads the texts and makes the estimator."""
    hidden, optimizer, place = check_table(given)
    if "hidden" not in given.typed:
        hidden = list(_HIDDEN)
    text, target = given.text, given.target
    assert text is not None and target is not None
    if text == target:
        raise ParameterError(f"--text and --target are both {text!r}. Name the column of texts, and the one to predict.")
    choices.known_name("--tokenizer", given.tokenizer, sorted(Tokenizer.registry))
    data = read_table(
        given.data, delimiter=choices.delimiter_of(given.delimiter), encoding=given.encoding, kinds={text: "categorical"}
    )
    for option, name in (("--target", target), ("--text", text)):
        if name not in data.columns:
            raise ParameterError(
                f"{option}: {data.source} has no column {name!r}.{did_you_mean(name, data.columns)} "
                f"Its columns are: {', '.join(map(repr, data.columns))}."
            )
    texts, y, labels = read_texts(given, data, text, target)
    train, test = np.arange(len(y)), np.arange(0)
    if given.test_fraction:
        try:
            rng, classes = np.random.default_rng(given.seed), None if labels is None else y
            train, test = split_validation(len(y), given.test_fraction, rng, classes)
        except DataError as error:
            raise DataError(f"{data.source}: {error} Give more rows, or --test-fraction 0 to test on none.") from error
    n = len(train)
    held_out = given.validation_fraction if math.ceil(n * given.validation_fraction) >= FEWEST_ROWS else 0.0
    epochs, patience = given.epochs or _EPOCHS, given.patience or _PATIENCE
    kind: Any = NeuralRegressor if labels is None else NeuralClassifier
    estimator = kind(
        hidden,
        activation=given.activation,
        dropout=_DROPOUT,
        tokenizer=given.tokenizer,
        loss=given.loss,
        optimizer=optimizer,
        learning_rate=given.learning_rate,
        epochs=epochs,
        batch_size=given.batch_size or "auto",
        early_stopping=bool(held_out),
        validation_fraction=held_out or 0.1,
        patience=patience,
        tolerance=0.0 if held_out else None,
        callbacks=[] if given.quiet else [ProgressTable(every_epoch=given.verbose)],
        random_state=given.seed,
        engine=given.engine,
        threads=given.threads,
        precision=given.precision,
    )
    return TextTraining(data, texts, y, labels, train, test, estimator, hidden, place, held_out)


def run(given: TrainOptions) -> None:
    """Trains, scores and saves; exits with 130 when Ctrl-C ended the training."""
    made = prepare_texts(given)
    data, texts, y, labels, train, test, estimator, hidden, place, held_out = made
    n, epochs, patience, text, target = len(train), estimator.epochs, estimator.patience, given.text, given.target
    assert text is not None and target is not None
    if not given.quiet:
        _describe(given, data, hidden, len(texts), labels, y, n, math.ceil(n * held_out), len(test), epochs, patience)
    estimator.fit(*made.learned())
    history = estimator.history_
    done, best = len(history.epochs), None
    if held_out and done:
        best = 1 + int(np.argmin(history["val_loss"]))
    if not given.quiet:
        stopped = done if done < epochs and not history.interrupted else None
        ended = None if best is None else SimpleNamespace(best_epoch_=best, stopped_epoch_=stopped)
        say_how_it_ended(history.interrupted, ended, done)  # type: ignore[arg-type]
    model = TextModel(estimator, text, target, {"data": given.data.name, "rows": n, "epochs": done, "kept epoch": best})
    if len(test):
        _scores(given, model, labels, [texts[i] for i in test], y[test], y[train])
    model.save(place)
    if given.plot is not None and done:
        units = {"loss": "nats per text" if labels is not None else "", "accuracy": "share of texts"}
        learning_curves(history, given.plot, title=f"{given.data.name}: {target}", best_epoch=best, units=units)
    if given.diagnose and not given.quiet:
        say_what_was_seen(given, estimator.network_, estimator.diagnose(*made.learned()))
    if not given.quiet:
        say_what_next(given, place, '"a sentence"', given.plot)
    if history.interrupted:
        raise typer.Exit(INTERRUPTED)


def read_texts(given: TrainOptions, data: Table, text: str, target: str) -> tuple[list[str], Array, ClassLabels | None]:
    """Texts and targets of the rows that have both; targets as class numbers where labels are returned."""
    texts, rows = texts_of_column(data, text)
    column = data.column(target)
    kept = ~column.is_missing[rows]
    if not kept.any():
        raise TableError(f"{data.source}: no row has both a text in {text!r} and a value in {target!r}.")
    texts, values = [t for t, k in zip(texts, kept, strict=True) if k], column.values[rows[kept]]
    task = task_of(type(column)(column.kind, values)) if given.task == "auto" else given.task
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


def _describe(
    given: TrainOptions, data: Table, units: list[int], n: int, labels: ClassLabels | None, y: Array, training: int,
    held: int, test: int, epochs: int, patience: int,
) -> None:  # fmt: skip
    heading(f"{given.data}: {data.n_rows:,} rows, {len(data.names)} columns")
    shown = "" if labels is None else ", ".join(map(str, labels.classes.tolist()[:6])) + ", ..." * (labels.n_classes > 6)
    what = f"a number (mean {y.mean():.4g})" if labels is None else f"{labels.n_classes} classes ({shown})"
    rows = [
        ("Target", f"{given.target}: {what}"),
        ("Input", f"texts of {given.text!r}, as {given.tokenizer.replace('_', ' ')}"),
        ("Split", f"{training - held:,} rows to train on, {held:,} to validate on, {test:,} to test on"),
    ]
    if n < data.n_rows:
        rows.append(("Note", f"{data.n_rows - n:,} rows have no text or no target: left out."))
    hidden = " → ".join(f"Dense({count})" for count in units)
    rows.append(("Network", f"a vector for each token, their mean{' → ' if hidden else ''}{hidden}, dropout {_DROPOUT:g}"))
    when = f"at most {epochs} epochs, {patience} without better validation loss" if held else f"{epochs} epochs"
    rows.append(("Training", f"{given.optimizer}, {when}"))
    facts(rows)
    out().print()


def _scores(
    given: TrainOptions, model: TextModel, labels: ClassLabels | None, texts: list[str], y: Array, training: Array
) -> None:
    prediction = model.predict(texts)
    if labels is None:
        own, other = _numbers(y, prediction.values), _numbers(y, np.full(len(y), training.mean()))
        name = "mean"
    else:
        shares = np.bincount(training, minlength=labels.n_classes) / len(training)
        assert prediction.probabilities is not None
        names = labels.classes.tolist()
        own = score_classes(names, y, labels.encode(prediction.values), prediction.probabilities)
        guess = np.full(len(y), int(shares.argmax()))
        other, name = score_classes(names, y, guess, np.tile(shares, (len(y), 1))), "most frequent class"
    model.facts["test"] = {metric: float(value) for metric, value in own.values.items()}
    model.facts["test rows"] = own.rows
    if not given.quiet:
        show_scores(f"Test part ({own.rows:,} rows)", own, [(name, other)], target=model.target)


def _numbers(y: Array, guess: Array) -> Scores:
    values = {"R²": R2()(y, guess), "RMSE": RootMeanSquaredError()(y, guess), "MAE": MeanAbsoluteError()(y, guess)}
    return Scores(values, [], len(y))
