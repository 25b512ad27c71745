"""What ``chainrule diagnose`` does."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from ..data import read_table
from ..diagnosis import Diagnosis, Finding
from ..errors import DataError, MissingDependencyError, ParameterError, did_you_mean
from ..model import Network
from ..network.files import load as load_with_extra
from ..report import DiagnosisReport
from . import choices
from .console import facts, fitted, heading, is_terminal, number, out, plain, warn
from .table_model import IMAGES, TEXTS, TableModel
from .train_run import TrainOptions, kind_of, on_machine, prepare_table

__all__ = ["DiagnoseOptions", "run", "show", "show_cure"]

#: The exit code where a fault is found and not cured.
FAULT = 1
#: Options of train that a saved model has an answer to.
_OF_TRAINING = (
    "hidden", "activation", "task", "exclude", "text", "tokenizer", "size", "fit", "channels", "augment", "network",
    "test_fraction", "validation_fraction", "precision", "patience",
)  # fmt: skip
_STDOUT = Path("-")
_MOST_REJECTED = 6


@dataclass(frozen=True)
class DiagnoseOptions:
    """The options of ``chainrule diagnose``. Parameters  training : those that it shares with train"""

    given: list[Path]
    training: TrainOptions
    cure: float | None
    output: Path | None
    report: Path | None
    json: Path | None
    exit_zero: bool


@dataclass(frozen=True)
class _Subject:
    """What is diagnosed.

    Parameters
        title : of what is printed ; learner : a Network, or an estimator of texts ; data : what it learns, (X, y) or a data
        set alone ; arguments : of its training ; save : writes the model with a cured learner in place of its own
    """

    title: str
    learner: Any
    data: tuple[Any, ...]
    arguments: dict[str, Any]
    save: Callable[[Any, Path], None]


def run(given: DiagnoseOptions) -> None:
    """Prints the diagnosis, and the cure where it is wanted; exits with 1 where a fault is found that is not cured."""
    _check(given)
    subject = _of_model(given) if len(given.given) == 2 else _of_data(given.training)
    diagnosis: Diagnosis = subject.learner.diagnose(*subject.data, **subject.arguments)
    silent = given.json == _STDOUT
    if not silent:
        heading(subject.title)
        show(diagnosis)
    cure, learner = None, subject.learner
    if given.cure is not None:
        cure, learner = _cure(given.cure, subject, diagnosis)
        if not silent:
            heading("Cure")
            show_cure(cure)
    found = {**diagnosis.to_dict(), **({} if cure is None else {"cure": cure.to_dict()})}
    if given.json is not None:
        text = json.dumps(_finite(found), indent=1, allow_nan=False)
        if silent:
            sys.stdout.write(f"{text}\n")
        else:
            given.json.write_text(text, encoding="utf-8")
    written = [] if given.json is None or silent else [given.json]
    if given.report is not None:
        network = learner if isinstance(learner, Network) else getattr(learner, "network_", None)
        DiagnosisReport(diagnosis, cure=cure, network=network, title=subject.title).save(given.report)
        written.append(given.report)
    cured = cure is not None and cure.improved
    if cured and given.output is not None:
        subject.save(learner, given.output)
        written.append(given.output)
    if not silent:
        out().print()
        for place in written:
            out().print(f"Wrote {place}", style="bold green", soft_wrap=True)
        _say_what_next(given, diagnosis, cure)
    if not (diagnosis.healthy or cured or given.exit_zero):
        raise typer.Exit(FAULT)


def _check(given: DiagnoseOptions) -> None:
    if len(given.given) > 2:
        raise ParameterError("Give data, or a model and data: chainrule diagnose [MODEL] DATA.")
    choices.positive_number("--cure", given.cure)
    if given.output is not None:
        if given.cure is None:
            raise ParameterError("--output is where a cured model goes; say how long to search for it: --cure 60.")
        choices.output_place("--output", given.output)
    if given.json is not None and given.json != _STDOUT:
        choices.output_place("--json", given.json)
    if given.report is not None:
        choices.output_place("--report", given.report)
        if given.report.suffix.lower() not in (".html", ".htm"):
            raise ParameterError(f"--report is a page, so its name ends with .html. Got {str(given.report)!r}.")
        for name in ("jinja2", "matplotlib"):
            try:
                __import__(name)
            except ImportError as error:
                raise MissingDependencyError(name, "--report", extra="report") from error


def _finite(value: Any) -> Any:
    """Plain data as JSON has it, with null for a number that is not finite."""
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    value = float(value)
    return value if math.isfinite(value) else None


# ------------------------------------------------------------ data alone


def _of_data(given: TrainOptions) -> _Subject:
    place = given.data
    if place.suffix == ".chainrule":
        raise ParameterError(f"{place} is a model: give data that it is judged on too, as in: diagnose {place} DATA.csv")
    kind = kind_of(given)
    if kind == "pictures":
        from .image_model import ImageModel
        from .train_images_run import prepare_images

        made = prepare_images(given)
        labels = made.model

        def save_images(network: Network, path: Path) -> None:
            ImageModel(network, labels.preprocessor, labels.labels, {"data": place.resolve().name}).save(path)

        title = f"{place}: {made.parts.train.n_samples:,} pictures, {len(labels.classes)} classes"
        return _Subject(title, labels.network, (made.parts.train,), made.fit, save_images)
    if kind == "texts":
        from .text_model import TextModel
        from .train_texts_run import prepare_texts

        texts = prepare_texts(given)
        texts.estimator.callbacks = ()
        title = f"{place}: {given.target} from the texts of {given.text}, {len(texts.train):,} rows"

        def save_texts(estimator: Any, path: Path) -> None:
            TextModel(estimator, str(given.text), str(given.target), {"data": place.name}).save(path)

        return _Subject(title, texts.estimator, texts.learned(), {}, save_texts)
    table = prepare_table(given)
    preprocessor = table.model.preprocessor

    def save_table(network: Network, path: Path) -> None:
        TableModel(network, preprocessor, {"data": place.name, "rows": len(table.y)}).save(path)

    title = f"{place}: {given.target} from {len(preprocessor.encoders_)} columns, {len(table.y):,} rows"
    return _Subject(title, table.model.network, (table.model.inputs(table.features), table.y), table.fit, save_table)


# ------------------------------------------------------------ a model


def _of_model(given: DiagnoseOptions) -> _Subject:
    place, training = given.given[0], given.training
    extra = load_with_extra(place, Network)[1]
    for name in sorted(training.typed.intersection(_OF_TRAINING)):
        raise ParameterError(f"--{name.replace('_', '-')}: {place} is a model, which has its own. Leave it out.")
    typed: dict[str, Any] = {
        name: getattr(training, name)
        for name in ("optimizer", "learning_rate", "epochs", "batch_size", "loss")
        if name in training.typed
    }
    choices.positive("--epochs", training.epochs)
    choices.positive("--batch-size", training.batch_size)
    choices.positive_number("--learning-rate", training.learning_rate)
    machine = {**on_machine(training), "precision": "float32"}
    if IMAGES in extra:
        return _of_images(place, training, typed | machine)
    if TEXTS in extra:
        return _of_texts(place, training)
    if "table" not in extra:
        raise ParameterError(
            f"{place} holds no preprocessing of data, so {training.data} cannot be read for it. Use chainrule.load and "
            f"network.diagnose(X, y) in Python."
        )
    model = TableModel.load(place)
    _same_target(training, model.preprocessor.target)
    data = read_table(
        training.data, delimiter=choices.delimiter_of(training.delimiter), encoding=training.encoding,
        kinds=model.preprocessor.kinds_,
    )  # fmt: skip
    _require_column(data, model.preprocessor.target)
    features, y = model.preprocessor.training_arrays(data)

    def save(network: Network, path: Path) -> None:
        TableModel(network, model.preprocessor, model.facts).save(path)

    title = f"{place} on {training.data}: {len(y):,} rows"
    return _Subject(title, model.network, (model.inputs(features), y), typed | machine, save)


def _of_images(place: Path, training: TrainOptions, arguments: dict[str, Any]) -> _Subject:
    from .image_model import ImageModel
    from .predict_images_run import read

    model = ImageModel.load(place)
    data, _ = read(model, [training.data], training.broken)
    if data.labels is None:
        raise DataError(
            f"{training.data}: the pictures have no classes. Give a folder with one folder for each class, named like them: "
            f"{', '.join(model.classes[:6])}."
        )

    def save(network: Network, path: Path) -> None:
        ImageModel(network, model.preprocessor, model.labels, model.facts).save(path)

    return _Subject(f"{place} on {training.data}: {data.n_samples:,} pictures", model.network, (data,), arguments, save)


def _of_texts(place: Path, training: TrainOptions) -> _Subject:
    from .text_model import TextModel
    from .train_texts_run import read_texts

    model = TextModel.load(place)
    _same_target(training, model.target)
    data = read_table(
        training.data, delimiter=choices.delimiter_of(training.delimiter), encoding=training.encoding,
        kinds={model.text: "categorical"},
    )  # fmt: skip
    for name in (model.text, model.target):
        _require_column(data, name)
    task = "regression" if model.classes is None else "classification"
    texts, y, labels = read_texts(replace(training, task=task), data, model.text, model.target)
    estimator = model.estimator
    for name in training.typed.intersection(("optimizer", "learning_rate", "epochs", "batch_size", "loss")):
        setattr(estimator, name, getattr(training, name))

    def save(cured: Any, path: Path) -> None:
        TextModel(cured, model.text, model.target, model.facts).save(path)

    targets = y if labels is None else labels.decode(y)
    return _Subject(f"{place} on {training.data}: {len(texts):,} rows", estimator, (texts, targets), {}, save)


def _same_target(training: TrainOptions, target: str) -> None:
    if training.target is not None and training.target != target:
        raise ParameterError(f"--target: the model predicts {target!r}. Got {training.target!r}.")


def _require_column(data: Any, name: str) -> None:
    if name not in data.columns:
        hint = did_you_mean(name, data.columns)
        raise ParameterError(f"{data.source} has no column {name!r}, which the model was trained with.{hint}")


# ------------------------------------------------------------ the cure


def _cure(seconds: float, subject: _Subject, diagnosis: Diagnosis) -> tuple[Any, Any]:
    """(the Cure, the cured learner)"""
    options: dict[str, Any] = {"time_budget": seconds, "diagnosis": diagnosis}
    learner = subject.learner
    is_network = isinstance(learner, Network)
    if is_network:
        arguments = {name: value for name, value in subject.arguments.items() if name != "validation_split"}
        if arguments.get("validation_data") is None:
            arguments.pop("validation_data", None)
        found = learner.cure(*subject.data, **arguments, **options)
        return found, found.network
    with out(stderr=True).status("cure") if is_terminal() else nullcontext():
        better = learner.cure(*subject.data, **options)
    return better.cure_, better


# ------------------------------------------------------------ what is said


def _say_what_next(given: DiagnoseOptions, diagnosis: Diagnosis, cure: Any) -> None:
    if cure is None:
        if not diagnosis.healthy and any(c.kind != "data" for f in diagnosis.findings for c in f.changes):
            plain("Next:  the same command with  --cure 60 -o cured.chainrule")
    elif cure.improved and given.output is not None:
        plain(f"Next:  chainrule predict {shlex.quote(str(given.output))} NEW_DATA")
    elif given.output is not None:
        warn(f"Nothing was saved to {given.output}: nothing was changed, and the network stays as it was.")


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
        chain = diagnosis.chain()
        lines = str(chain).split("\n")
        rows = 1 + len(chain.gains)
        fitted("\n".join(lines[:rows]))
        for sentence in lines[rows:]:
            out().print(sentence, soft_wrap=not is_terminal())
    for name, error in diagnosis.errors.items():
        warn(f"The rule {name} failed: {error}")


def show_cure(cure: Any) -> None:
    """Prints a Cure on the terminal."""
    name, before, after = cure.score_name, cure.baseline, cure.best
    if cure.improved:
        changes = "1 change" if len(cure.changes) == 1 else f"{len(cure.changes)} changes"
        out().print(f"Cured by {changes}: held-out {name} {before.score:.4f} → {after.score:.4f}.", style="bold green")
        rows = []
        for i, change in enumerate(cure.changes):
            adds = cure.adds.get(repr(change))
            rows.append(("" if i else "Change", f"{change}{'' if adds is None else f' ({adds.difference:+.4f})'}"))
        rows.append(("Evidence", f"mean of {len(after.runs)} seeds, {cure.evidence}"))
    else:
        out().print(cure.no_change, style="bold yellow")
        rows = [("Score", f"held-out {name} {before.score:.4f}")] if before.runs else []
    if cure.samples != cure.of:
        of = "" if cure.of is None else f" of {cure.of:,}"
        rows.append(("Samples", f"the trials were made with {cure.samples:,}{of}"))
    rows += [("By hand", text) for text in cure.advice]
    rows += [("" if i else "Not kept", str(rejected)) for i, rejected in enumerate(cure.rejected[:_MOST_REJECTED])]
    if len(cure.rejected) > _MOST_REJECTED:
        rows.append(("", f"and {len(cure.rejected) - _MOST_REJECTED} more, which --json and --report list"))
    facts(rows)
    if cure.improved:
        heading("In Python")
        plain(cure.patch())


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
