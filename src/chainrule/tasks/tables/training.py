"""From a table and settings to a training that can begin."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple, cast

from numpy.typing import NDArray

from ...data import Table, TableFeatures, TablePreprocessor
from ...errors import ParameterError
from ...losses import Loss
from ...training import EarlyStopping
from ...training.settings import FitSettings
from ..scores import Scores, guess_classes, guess_numbers
from ..tabular import inner_share, loss_for, read_for, require_columns, require_target, split_rows
from ..task import PreparedNetwork
from ..words import training_text
from . import TASK
from .settings import TableSettings
from .table_model import TableModel

__all__ = ["TableParts", "prepare", "read", "resume"]

Array = NDArray[Any]
#: Steps that a training has by default, and the bounds of the epochs that they are made of.
_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 8000, 30, 500
_MOST_NOTES = 6
#: Weight decay of the default optimizer is 3 up to 500 rows and falls with 1/√rows: the fewer rows, the easier they are
#: learned by heart. Chosen on six small tables; on each it gives better test metrics than none.
_DECAY, _DECAY_ROWS = 3.0, 500


class TableParts(NamedTuple):
    """A table in parts.

    Parameters  whole : all that was read from DATA ; train, validation, test : rows to learn from; the others may be None ;
                task : what the target is, which all rows of DATA decide
    """

    whole: Table
    train: Table
    validation: Table | None
    test: Table | None
    task: Literal["classification", "regression"]


def read(settings: TableSettings) -> TableParts:
    """The table in parts. Raises  TableError ; ParameterError for a column that there is not ; DataError for too few rows"""
    target = require_target(settings)
    if target in settings.exclude:
        raise ParameterError(f"--exclude: {target!r} is the target, which must be kept.")
    data = read_for(settings, settings.data)
    require_columns(data, {"--target": target, "--exclude": settings.exclude, "--keep": settings.keep})
    wanted = None if settings.task == "auto" else cast(Literal["classification", "regression"], settings.task)
    whole = TablePreprocessor(target, exclude=settings.exclude, keep=settings.keep, task=wanted).fit(data)
    codes, rows = whole.transform_target(data)
    classes = codes if whole.task_ == "classification" else None
    split = split_rows(settings, data.source, len(rows), classes)
    test = data.take(rows[split.test]) if len(split.test) else None
    validation = None
    kinds = {target: data.column(target).kind, **whole.kinds_}
    for option, path in (("--validation", settings.validation), ("--test", settings.test)):
        if path is not None:
            part = read_for(settings, path, kinds)
            require_columns(part, {option: target})
            validation, test = (part, test) if option == "--validation" else (validation, part)
    return TableParts(data, data.take(rows[split.train]), validation, test, whole.task_)


def prepare(data: TableParts, settings: TableSettings) -> PreparedNetwork:
    """A new network for the table, and its training."""
    target = require_target(settings)
    preprocessor = TablePreprocessor(target, exclude=settings.exclude, keep=settings.keep, task=data.task).fit(data.train)
    features, y = preprocessor.training_arrays(data.train)
    n = len(y)
    validation = None if data.validation is None else preprocessor.training_arrays(data.validation)
    loss = _loss(preprocessor, settings.loss)
    model = TableModel.create(preprocessor, features, loss, **settings.model_arguments())
    held_out = inner_share(settings, n)
    fit = _fit_settings(settings, n, held_out, loss, None if validation is None else _arrays(*validation))

    def guess(truth: Array) -> tuple[str, Scores]:
        if preprocessor.classes_ is None:
            return guess_numbers(preprocessor.inverse_target(y), truth)
        return guess_classes(preprocessor.classes_.classes.tolist(), y, truth)

    return PreparedNetwork(
        TASK,
        f"{settings.data}: {target} from {len(preprocessor.encoders_)} columns, {n:,} rows",
        model.network,
        _arrays(features, y),
        fit,
        lambda network, facts: TableModel(network, preprocessor, facts, model.reading),
        settings.data.name,
        n,
        description=_description(settings, data, model, features, n, held_out, fit),
        test=data.test,
        guess=guess,
        units={"loss": _unit(loss), "accuracy": "share of rows"},
    )


def resume(model: TableModel, settings: TableSettings) -> PreparedNetwork:
    """More training of the network of a model, with its own settings where none is set."""
    target = model.target
    if settings.target is not None and settings.target != target:
        raise ParameterError(f"--target: the model predicts {target!r}. Got {settings.target!r}.")
    data = read_for(settings, settings.data, model.preprocessor.kinds_)
    require_columns(data, {"The model's target": target})
    test = None
    if settings.test is not None:
        test = read_for(settings, settings.test, model.preprocessor.kinds_)
        require_columns(test, {"--test": target})
    elif settings.keeps_test_part:
        codes, rows = model.preprocessor.transform_target(data)
        classes = codes if model.preprocessor.task_ == "classification" else None
        split = split_rows(settings, data.source, len(rows), classes)
        data, test = data.take(rows[split.train]), data.take(rows[split.test])
    features, y = model.preprocessor.training_arrays(data)
    outputs = model.network.output_shapes[0][-1]
    loss = None if settings.loss is None else _loss(model.preprocessor, settings.loss, outputs)
    return PreparedNetwork(
        TASK,
        f"{settings.data}: {len(y):,} rows",
        model.network,
        _arrays(features, y),
        settings.resumed(model.network, loss=loss),
        lambda network, facts: TableModel(network, model.preprocessor, {**model.facts, **facts}, model.reading),
        settings.data.name,
        len(y),
        test=test,
    )


def _loss(preprocessor: TablePreprocessor, name: str | None, outputs: int | None = None) -> Loss:
    classes = preprocessor.classes_
    return loss_for(preprocessor.target, preprocessor.task_, 0 if classes is None else classes.n_classes, name, outputs)


def _arrays(features: TableFeatures, y: Array) -> tuple[Any, Array]:
    return TableModel.inputs(features), y


def _fit_settings(settings: TableSettings, n: int, held_out: float, loss: Loss, validation: Any) -> FitSettings:
    optimizer = settings.make_optimizer()
    if settings.weight_decay is None and optimizer.name == "adamw":
        optimizer.weight_decay = float(f"{_DECAY * min(1.0, math.sqrt(_DECAY_ROWS / n)):.2g}")
    batch_size = settings.batch_size or min(256, max(16, 1 << max(0, (n // 40).bit_length())))
    steps = math.ceil(n * (1 - held_out) / batch_size)
    epochs = settings.epochs or min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, math.ceil(_STEPS / steps)))
    validated = held_out or validation is not None
    return FitSettings.of(
        {
            "loss": loss,
            "optimizer": optimizer,
            "learning_rate": settings.learning_rate,
            "epochs": epochs,
            "batch_size": batch_size,
            **({} if validation is None else {"validation_data": validation}),
            "validation_split": held_out,
            "early_stopping": EarlyStopping(patience=settings.patience or max(10, epochs // 10)) if validated else None,
            **settings.machine(),
        }
    )


# ---------------------------------------------------------------- words


def _description(
    settings: TableSettings, data: TableParts, model: TableModel, features: TableFeatures, n: int, held_out: float,
    fit: FitSettings,
) -> list[tuple[str, str]]:  # fmt: skip
    preprocessor = model.preprocessor
    missing = preprocessor.missing_target_note(data.whole)
    notes = [missing] if missing else []
    held = math.ceil(n * held_out)
    validated = data.validation.n_rows if data.validation is not None else held
    tested = data.test.n_rows if data.test is not None else 0
    notes += preprocessor.notes_
    shown = notes[:_MOST_NOTES]
    if len(notes) > _MOST_NOTES + 1:
        shown.append(f"and {len(notes) - _MOST_NOTES} more notes, which chainrule show prints.")
    else:
        shown = notes
    sizes = " → ".join(
        [f"{features['numeric'].shape[1]} numbers"] * bool(features["numeric"].shape[1])
        + [f"Dense({layer.units})" for layer in model.network.layers.values() if hasattr(layer, "units")]
    )
    embedded = f" with {len(features['categories'])} embedded column(s)" if features["categories"] else ""
    return [
        ("Data", f"{settings.data}: {data.whole.n_rows:,} rows, {len(data.whole.names)} columns"),
        ("Target", model.target_text()),
        ("Inputs", model.inputs_text()),
        ("Split", f"{n - held:,} rows to train on, {validated:,} to validate on, {tested:,} to test on"),
        *(("Note", note) for note in shown),
        ("Network", f"{sizes}{embedded}, {settings.activation}, {model.network.parameters.count:,} parameters"),
        ("Training", training_text(fit)),
    ]


def _unit(loss: Loss) -> str:
    return "nats per row" if loss.probabilities else f"{loss.name.replace('_', ' ')}, standardised"
