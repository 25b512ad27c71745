"""What ``chainrule train`` does. Imported when the command runs, so that ``--help`` stays quick."""

from __future__ import annotations

import math
import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import typer
from numpy.typing import NDArray

from ..data import Table, TableFeatures, TablePreprocessor, read_table, split_validation
from ..engine import get_engine
from ..errors import DataError, ParameterError, did_you_mean
from ..layers.base import get_activation
from ..losses import Loss, get_loss
from ..optimizers import Optimizer, get_optimizer
from ..report import check_picture_path, learning_curves
from ..training import EarlyStopping
from . import choices
from .console import facts, heading, out, plain, warn
from .progress import ProgressTable
from .scores import baseline_prediction, score, show_scores
from .table_model import TableModel

__all__ = [
    "FEWEST_ROWS",
    "INTERRUPTED",
    "TableTraining",
    "TrainOptions",
    "check_common",
    "check_table",
    "kind_of",
    "on_machine",
    "prepare_table",
    "run",
    "say_how_it_ended",
    "say_what_next",
    "say_what_was_seen",
    "watching",
]

#: Steps that training is given by default, the bounds of the epochs they are made of, and the fewest rows to validate on.
_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS, FEWEST_ROWS = 8000, 30, 500, 8
INTERRUPTED = 130
_MOST_NOTES = 6
#: Weight decay of the default optimizer is 3 up to 500 rows and falls with 1/√rows: the fewer rows, the easier they are
#: learned by heart. Chosen on six small tables; on each it gives better test metrics than none.
_DECAY, _DECAY_ROWS = 3.0, 500


@dataclass(frozen=True)
class TrainOptions:
    """The options of ``chainrule train``.

    Parameters  typed : the names of those that somebody typed ; others : their values, or their defaults
    """

    typed: frozenset[str]
    data: Path
    target: str | None
    model: Path | None
    hidden: str
    activation: str
    epochs: int | None
    batch_size: int | None
    learning_rate: float | None
    optimizer: str
    weight_decay: float | None
    loss: str | None
    test_fraction: float
    validation_fraction: float
    task: str
    seed: int
    patience: int | None
    exclude: list[str]
    engine: str
    threads: int | None
    precision: str
    delimiter: str | None
    encoding: str
    text: str | None
    tokenizer: str
    size: str | None
    fit: str
    channels: int | None
    augment: str
    network: str
    broken: str
    grid: Path | None
    plot: Path | None
    verbose: bool
    quiet: bool
    diagnose: bool = False


#: Options that only tables have, and those that only pictures have.
_TABLES = ("target", "hidden", "activation", "loss", "task", "exclude", "delimiter", "encoding", "text", "tokenizer")
_PICTURES = ("size", "fit", "channels", "augment", "network", "broken", "grid")


def run(given: TrainOptions) -> None:
    """Trains, scores and saves; exits with 130 when Ctrl-C ended the training."""
    kind = kind_of(given)
    if kind == "pictures":
        from .train_images_run import run as run_images

        run_images(given)
    elif kind == "texts":
        from .train_texts_run import run as run_texts

        run_texts(given)
    else:
        _run_table(given)


def kind_of(given: TrainOptions) -> Literal["pictures", "texts", "table"]:
    """What is to be learned. Raises  ParameterError for an option that is for something else"""
    pictures = given.data.is_dir() or given.data.suffix.lower() == ".npz"
    for name in sorted(given.typed.intersection(_TABLES if pictures else _PICTURES)):
        what = "pictures, whose classes are the names of their folders" if pictures else "a table"
        raise ParameterError(
            f"--{name} is for {'tables' if pictures else 'pictures'}; {given.data} is {what}. Leave it out."
        )
    if pictures:
        return "pictures"
    if given.text is not None:
        if "exclude" in given.typed:
            raise ParameterError("--exclude: with --text the network learns from that column alone. Leave it out.")
        return "texts"
    if "tokenizer" in given.typed:
        raise ParameterError("--tokenizer is for texts: name their column by --text.")
    return "table"


class TableTraining(NamedTuple):
    """A training on a table, before it begins.

    Parameters  data : the table ; test : its part that is kept apart, or None ; features, y : what is learned ;
                fit : arguments of ``Network.fit`` ; place : of the model ; held_out : share to validate on
    """

    data: Table
    test: Table | None
    features: TableFeatures
    y: NDArray[Any]
    model: TableModel
    fit: dict[str, Any]
    place: Path
    held_out: float


def prepare_table(given: TrainOptions) -> TableTraining:
    """Reads the table and makes the network, with all that its training needs."""
    hidden, optimizer, place = check_table(given)
    target = given.target
    assert target is not None
    data = read_table(given.data, delimiter=choices.delimiter_of(given.delimiter), encoding=given.encoding)
    exclude = choices.column_list(given.exclude)
    if target in exclude:
        raise ParameterError(f"--exclude: {target!r} is the target, which must be kept.")
    train_part, test_part, task = _split(given, data, target, exclude)
    preprocessor = TablePreprocessor(target, exclude=exclude, task=task).fit(train_part)
    features, y = preprocessor.training_arrays(train_part)
    loss = TableModel.default_loss(preprocessor, given.loss)
    model = TableModel.create(
        preprocessor, features, loss, hidden=hidden, activation=given.activation, random_state=given.seed,
        dtype="float64" if given.precision == "float64" else "float32",
    )  # fmt: skip
    n = len(y)
    held_out = given.validation_fraction if math.ceil(n * given.validation_fraction) >= FEWEST_ROWS else 0.0
    batch_size = given.batch_size or min(256, max(16, 1 << max(0, (n // 40).bit_length())))
    steps = math.ceil(n * (1 - held_out) / batch_size)
    epochs = given.epochs or min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, math.ceil(_STEPS / steps)))
    if given.weight_decay is None and optimizer.name == "adamw":
        optimizer.weight_decay = float(f"{_DECAY * min(1.0, math.sqrt(_DECAY_ROWS / n)):.2g}")
    fit = {
        "loss": loss,
        "optimizer": optimizer,
        "learning_rate": given.learning_rate,
        "epochs": epochs,
        "batch_size": batch_size,
        "validation_split": held_out,
        "early_stopping": EarlyStopping(patience=given.patience or max(10, epochs // 10)) if held_out else None,
        **on_machine(given),
    }
    return TableTraining(data, test_part, features, y, model, fit, place, held_out)


def on_machine(given: TrainOptions) -> dict[str, Any]:
    """The arguments of ``Network.fit`` that say how it is computed."""
    return {
        "engine": given.engine,
        "threads": given.threads,
        "precision": "bfloat16" if given.precision == "bfloat16" else "float32",
    }


def _run_table(given: TrainOptions) -> None:
    made = prepare_table(given)
    model, y, fit, target, place = made.model, made.y, made.fit, given.target, made.place
    epochs, stopping, loss, optimizer = fit["epochs"], fit["early_stopping"], fit["loss"], fit["optimizer"]
    n = len(y)
    if not given.quiet:
        when = f"{epochs} epochs"
        if stopping is not None:
            when = f"at most {epochs} epochs, {stopping.patience} without better validation loss"
        decay = f" with weight decay {optimizer.weight_decay:g}" if optimizer.weight_decay else ""
        how = f"{given.optimizer}{decay}, {_loss_name(loss)}, batches of {fit['batch_size']}, {when}"
        _describe(given, made.data, model, made.features, n, math.ceil(n * made.held_out), made.test, how)
    progress = [] if given.quiet else [ProgressTable(every_epoch=given.verbose)]
    network = model.network
    with watching():
        network.fit(
            model.inputs(made.features), y, **fit, callbacks=progress, verbose=0, diagnose=given.diagnose
        )  # fmt: skip
    history = network.history_
    best = stopping.best_epoch_ if stopping is not None and history.epochs else None
    if not given.quiet:
        say_how_it_ended(history.interrupted, stopping, len(history.epochs))
    model.facts = {"data": given.data.name, "rows": n, "epochs": len(history.epochs), "kept epoch": best}
    _scores(given, model, y, made.test)
    model.save(place)
    if given.plot is not None and history.epochs:
        learning_curves(
            history,
            given.plot,
            title=f"{given.data.name}: {target}",
            best_epoch=best,
            units={"loss": _unit(loss), "accuracy": "share of rows"},
        )
    say_what_was_seen(given, network)
    if not given.quiet:
        say_what_next(given, place, "NEW.csv -o out.csv", given.plot)
    if history.interrupted:
        raise typer.Exit(INTERRUPTED)


@contextmanager
def watching() -> Iterator[None]:
    """What a watched fit warns of is shown in full afterwards."""
    from ..trials import DiagnosisWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosisWarning)
        yield


def say_what_was_seen(given: TrainOptions, network: Any, diagnosis: Any = None) -> None:
    """The diagnosis of a watched fit, with --diagnose."""
    if given.diagnose and not given.quiet:
        from .diagnose_run import show

        heading("Diagnosis")
        show(network.diagnosis_ if diagnosis is None else diagnosis)


def check_table(given: TrainOptions) -> tuple[list[int], Optimizer, Path]:
    """Everything that can be wrong with the options, before the file is read."""
    choices.delimiter_of(given.delimiter)
    hidden = choices.hidden_units(given.hidden)
    get_activation(given.activation)
    if given.loss is not None:
        get_loss(given.loss)
    choices.known_name("--task", given.task, choices.TASKS)
    optimizer, place = check_common(given)
    if given.target is None and not given.data.exists():
        raise DataError(f"{given.data}: there is no such file or folder.")
    if given.target is None and given.data.suffix.lower() in (".png", ".jpg", ".jpeg"):
        raise DataError(f"{given.data} is one picture. Give a folder that has one folder for each class, with its pictures.")
    if given.target is None:
        raise ParameterError(f"--target is missing: name the column of {given.data} to predict, such as --target price.")
    return hidden, optimizer, place


def check_common(given: TrainOptions) -> tuple[Optimizer, Path]:
    """What can be wrong with the options that tables and pictures share: the optimizer, and where the model goes."""
    if given.verbose and given.quiet:
        raise ParameterError("--verbose and --quiet exclude each other. Give one of them.")
    optimizer = get_optimizer(given.optimizer)
    if given.weight_decay is not None:
        choices.not_negative("--weight-decay", given.weight_decay)
        optimizer.weight_decay = given.weight_decay
    choices.known_name("--precision", given.precision, ("float32", "float64", "bfloat16"))
    choices.fraction("--test-fraction", given.test_fraction)
    choices.fraction("--validation-fraction", given.validation_fraction)
    choices.seed(given.seed)
    for option, value in (("--epochs", given.epochs), ("--batch-size", given.batch_size), ("--patience", given.patience)):
        choices.positive(option, value)
    choices.positive_number("--learning-rate", given.learning_rate)
    get_engine(given.engine, dtype=given.precision, threads=given.threads)
    if given.plot is not None:
        check_picture_path(given.plot)
    # A folder given as "." or ".." has its name all the same.
    stem = given.data.resolve().name.split(".")[0] or "model"
    return optimizer, choices.output_place("--model", given.model or Path(f"{stem}.chainrule"))


def _split(
    given: TrainOptions, data: Table, target: str, exclude: list[str]
) -> tuple[Table, Table | None, Literal["classification", "regression"]]:
    """Training part, test part (None for --test-fraction 0), and the task, which all rows decide."""
    for name in (target, *exclude):
        if name not in data.columns:
            option = "--target" if name == target else "--exclude"
            hint = did_you_mean(name, data.columns)
            raise ParameterError(
                f"{option}: {data.source} has no column {name!r}.{hint} "
                f"Its columns are: {', '.join(map(repr, data.columns))}."
            )
    wanted = None if given.task == "auto" else cast(Literal["classification", "regression"], given.task)
    whole = TablePreprocessor(target, exclude=exclude, task=wanted).fit(data)
    codes, rows = whole.transform_target(data)
    if not given.test_fraction:
        return data.take(rows), None, whole.task_
    classes = codes if whole.task_ == "classification" else None
    try:
        train, test = split_validation(len(rows), given.test_fraction, np.random.default_rng(given.seed), classes)
    except DataError as error:
        raise DataError(
            f"{data.source}: {len(rows)} rows cannot be split with --test-fraction {given.test_fraction:g}. {error} "
            "Give more rows, or --test-fraction 0 to test on none."
        ) from error
    return data.take(rows[train]), data.take(rows[test]), whole.task_


# ------------------------------------------------------------ what is said


def _describe(
    given: TrainOptions,
    data: Table,
    model: TableModel,
    features: TableFeatures,
    n: int,
    held_out: int,
    test: Table | None,
    how: str,
) -> None:
    preprocessor, network = model.preprocessor, model.network
    heading(f"{given.data}: {data.n_rows:,} rows, {len(data.names)} columns")
    without = data.n_rows - n - (test.n_rows if test else 0)
    notes = [f"{without:,} rows have no target: left out."] if without else []
    rows = [("Target", target_text(preprocessor)), ("Inputs", inputs_text(preprocessor))]
    parts = [
        f"{n - held_out:,} rows to train on",
        f"{held_out:,} to validate on",
        f"{test.n_rows if test else 0:,} to test on",
    ]
    rows.append(("Split", ", ".join(parts)))
    notes += preprocessor.notes_
    more = (
        [f"and {len(notes) - _MOST_NOTES} more notes, which chainrule show prints."] if len(notes) > _MOST_NOTES + 1 else []
    )
    rows += [("Note", note) for note in (notes[:_MOST_NOTES] + more if more else notes)]
    sizes = " → ".join(
        [f"{features['numeric'].shape[1]} numbers"] * bool(features["numeric"].shape[1])
        + [f"Dense({layer.units})" for layer in network.layers.values() if hasattr(layer, "units")]
    )
    embedded = f" with {len(features['categories'])} embedded column(s)" if features["categories"] else ""
    rows.append(("Network", f"{sizes}{embedded}, {given.activation}, {network.parameters.count:,} parameters"))
    rows.append(("Training", how))
    facts(rows)
    out().print()


def target_text(preprocessor: TablePreprocessor) -> str:
    """The target and what it is."""
    classes = preprocessor.classes_
    if classes is None:
        scale = preprocessor.scale_
        return f"{preprocessor.target}: a number (mean {scale.mean:.4g}, standard deviation {scale.std:.4g})"
    labels = [str(label) for label in classes.classes.tolist()]
    shown = ", ".join(labels[:6]) + (", ..." if len(labels) > 6 else "")
    return f"{preprocessor.target}: {len(labels)} classes ({shown})"


def inputs_text(preprocessor: TablePreprocessor) -> str:
    """How the columns become numbers, in short."""
    kinds = [type(e).__name__ for e in preprocessor.encoders_]
    words = {
        "Numeric": "standardised",
        "DateTime": "dates as trend and cycles",
        "OneHot": "one-hot encoded",
        "Embedded": "embedded",
    }
    parts = [f"{kinds.count(kind)} {word}" for kind, word in words.items() if kind in kinds]
    width = len(preprocessor.numeric_names_)
    return f"{len(kinds)} columns ({', '.join(parts)})" + (f", {width} numbers a row" if width else "")


def _loss_name(loss: Loss) -> str:
    return loss.name.replace("_", " ")


def _unit(loss: Loss) -> str:
    return "nats per row" if "entropy" in loss.name else f"{_loss_name(loss)}, standardised"


def say_how_it_ended(interrupted: bool, stopping: EarlyStopping | None, epochs: int) -> None:
    kept = f" The weights of epoch {stopping.best_epoch_} are kept, which had the least validation loss." if stopping else ""
    if interrupted:
        warn(f"Interrupted after {epochs} whole epochs: what was learned so far is kept.{kept if epochs else ''}")
    elif stopping is not None and stopping.stopped_epoch_ is not None:
        out().print(f"Stopped early after epoch {epochs}.{kept}")
    elif kept:
        out().print(kept.strip())


def _scores(given: TrainOptions, model: TableModel, y: NDArray[Any], test: Table | None) -> None:
    if test is None:
        return
    preprocessor = model.preprocessor
    own = score(preprocessor, test, model.predict(test))
    name, guess = baseline_prediction(preprocessor, y, test.n_rows)
    model.facts["test"] = {metric: float(value) for metric, value in own.values.items()}
    model.facts["test rows"] = own.rows
    if not given.quiet:
        show_scores(
            f"Test part ({own.rows:,} row{'s' * (own.rows != 1)})",
            own,
            [(name, score(preprocessor, test, guess))],
            target=preprocessor.target,
        )


def say_what_next(given: TrainOptions, place: Path, new: str, *pictures: Path | None) -> None:
    """What was written, and the commands that use it. Parameters  new : what the model may be used on"""
    saved = [str(path) for path in (place, *pictures) if path is not None]
    out().print(f"\nSaved {' and '.join(saved)}", style="bold green")
    model = shlex.quote(str(place))
    plain(f"Next:  chainrule predict {model} {new}")
    plain(f"       chainrule show {model}")
