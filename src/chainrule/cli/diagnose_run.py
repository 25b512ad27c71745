"""What ``chainrule diagnose`` does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from ..data import TablePreprocessor, read_table
from ..diagnosis import Diagnosis, Finding
from ..errors import ParameterError, did_you_mean
from ..layers.base import get_activation
from ..losses import get_loss
from ..model import Network
from ..network.files import load as load_with_extra
from ..optimizers import get_optimizer
from . import choices
from .console import facts, fitted, heading, number, out, warn
from .table_model import TableModel

__all__ = ["DiagnoseOptions", "run", "show"]


@dataclass(frozen=True)
class DiagnoseOptions:
    """The options of ``chainrule diagnose``."""

    given: list[Path]
    target: str | None
    hidden: str
    activation: str
    epochs: int
    batch_size: int
    learning_rate: float | None
    optimizer: str
    loss: str | None
    task: str
    seed: int
    exclude: list[str]
    delimiter: str | None
    encoding: str
    json: Path | None


def run(given: DiagnoseOptions) -> None:
    """Prints the diagnosis of a network on a table, and writes it as JSON where that is wanted."""
    choices.positive("--epochs", given.epochs)
    choices.positive("--batch-size", given.batch_size)
    choices.positive_number("--learning-rate", given.learning_rate)
    choices.seed(given.seed)
    if given.json is not None:
        choices.output_place("--json", given.json)
    if len(given.given) == 1:
        title, diagnosis = _table(given, given.given[0])
    elif len(given.given) == 2:
        title, diagnosis = _model(given, *given.given)
    else:
        raise ParameterError("Give a table, or a model and a table: chainrule diagnose [MODEL] DATA.")
    heading(title)
    show(diagnosis)
    if given.json is not None:
        given.json.write_text(json.dumps(diagnosis.to_dict(), indent=1, default=float), encoding="utf-8")


def _table(given: DiagnoseOptions, place: Path) -> tuple[str, Diagnosis]:
    hidden = choices.hidden_units(given.hidden)
    get_activation(given.activation)
    get_optimizer(given.optimizer)
    if given.loss is not None:
        get_loss(given.loss)
    choices.known_name("--task", given.task, choices.TASKS)
    if place.is_dir() or place.suffix.lower() == ".npz":
        raise ParameterError(f"diagnose reads tables, and {place} is pictures. For these use Network.diagnose in Python.")
    if place.suffix == ".chainrule":
        raise ParameterError(f"{place} is a model: give a table that it is judged on too, as in diagnose {place} DATA.csv.")
    if given.target is None:
        raise ParameterError(f"--target is missing: name the column of {place} to predict, such as --target price.")
    data = read_table(place, delimiter=choices.delimiter_of(given.delimiter), encoding=given.encoding)
    exclude = choices.column_list(given.exclude)
    for name in (given.target, *exclude):
        if name not in data.columns:
            hint = did_you_mean(name, data.columns)
            raise ParameterError(
                f"{data.source} has no column {name!r}.{hint} Its columns are: {', '.join(map(repr, data.columns))}."
            )
    task = None if given.task == "auto" else cast(Literal["classification", "regression"], given.task)
    preprocessor = TablePreprocessor(given.target, exclude=exclude, task=task).fit(data)
    features, y = preprocessor.training_arrays(data)
    loss = TableModel.default_loss(preprocessor, given.loss)
    model = TableModel.create(
        preprocessor, features, loss, hidden=hidden, activation=given.activation, random_state=given.seed
    )  # fmt: skip
    found = model.network.diagnose(
        model.inputs(features), y, loss=loss, optimizer=given.optimizer, learning_rate=given.learning_rate,
        epochs=given.epochs, batch_size=given.batch_size,
    )  # fmt: skip
    return f"{place}: {given.target} from {len(preprocessor.encoders_)} columns, {len(y):,} rows", found


def _model(given: DiagnoseOptions, place: Path, table: Path) -> tuple[str, Diagnosis]:
    if "table" not in load_with_extra(place, Network)[1]:
        raise ParameterError(
            f"{place} holds no preprocessing of a table, so {table} cannot be read for it. Use chainrule.load and "
            f"network.diagnose(X, y) in Python."
        )
    model = TableModel.load(place)
    target = model.preprocessor.target
    if given.target is not None and given.target != target:
        raise ParameterError(f"--target: the model predicts {target!r}. Got {given.target!r}.")
    data = read_table(table, delimiter=choices.delimiter_of(given.delimiter), encoding=given.encoding)
    if target not in data.columns:
        hint = did_you_mean(target, data.columns)
        raise ParameterError(f"{data.source} has no column {target!r}, which the model predicts.{hint}")
    features, y = model.preprocessor.training_arrays(data)
    optimizer: Any = None if given.learning_rate is None else given.optimizer
    found = model.network.diagnose(
        model.inputs(features), y, optimizer=optimizer, learning_rate=given.learning_rate, batch_size=given.batch_size
    )
    return f"{place} on {table}: {len(y):,} rows", found


def show(diagnosis: Diagnosis) -> None:
    """Prints a diagnosis on the terminal."""
    if diagnosis.healthy:
        out().print("Healthy: nothing keeps this network from learning.", style="bold green")
    else:
        n = len(diagnosis.findings)
        out().print(f"{n} fault{'s' if n > 1 else ''} found, the cause of most first.", style="bold red")
    for finding in diagnosis.findings:
        _finding(finding, "red" if finding.severity == "error" else "yellow")
    for note in diagnosis.notes:
        _finding(note, "cyan")
    heading("Evidence")
    facts([(name[:1].upper() + name[1:], number(value)) for name, value in diagnosis.evidence.items()])
    if diagnosis.statistics is not None and diagnosis.statistics.samples:
        heading("The gradient along the chain rule")
        fitted(str(diagnosis.chain()))
    for name, error in diagnosis.errors.items():
        warn(f"The rule {name} failed: {error}")


def _finding(finding: Finding, colour: str) -> None:
    out().print()
    out().print(f"{finding.severity} {finding.code}: {finding.title}", style=f"bold {colour}")
    rows = [("Cause", finding.cause), ("Equation", finding.equation)]
    if finding.threshold is not None:
        rows.append(("Limit", str(finding.threshold)))
    rows += [("Change" if not i else "", str(change)) for i, change in enumerate(finding.changes[:3])]
    if finding.symptoms:
        rows.append(("Explains", "; ".join(s.title for s in finding.symptoms)))
    rows.append(("Paper", finding.paper))
    facts([(name, text) for name, text in rows if text])
