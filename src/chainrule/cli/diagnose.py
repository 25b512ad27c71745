"""``chainrule diagnose``: why a network does not learn, or whether a saved model is healthy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..tasks.option import Use
from .options import with_task_options

if TYPE_CHECKING:
    from ..diagnosis import Diagnosis, Finding
    from ..tasks.task import Prepared

__all__ = ["diagnose", "show_cure", "show_diagnosis", "without_warnings"]

#: The exit code where a fault is found and not cured.
FAULT = 1
_STDOUT = Path("-")
_MOST_REJECTED = 6


@with_task_options(Use.DIAGNOSE, Use.RESUME)
def diagnose(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="[MODEL] DATA",
            help="Data as for train: a table, a folder of pictures, an .npz file, or - for standard input. To judge a model "
            "that train saved, give the model before the data.",
        ),
    ],
    given: Mapping[str, Any],
    cure: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="Search for changes that make the network learn, for so many seconds, and prove them."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="With --cure: where to save the cured model.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the diagnosis as a page with pictures (.html).")
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the findings as JSON; - prints them, and nothing else."),
    ] = None,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 even where a fault is found.")] = False,
) -> None:
    """Say what keeps a network from learning, along its chain rule; with --cure, change it until it learns.

    With data alone, the training that chainrule train would do with the same options is watched for at most 3,000 steps or
    20 seconds. With a model and data, the model is judged on all of the data, and a copy of it is trained further with its
    own settings; options change these settings. Nothing is saved or changed except the files that --output, --report and
    --json name.

    The exit code is 0 when the network is healthy or was cured, 1 when a fault is found, and 2 when the data, a file or an
    option is not as it must be.
    """
    from ..model import Network
    from ..report import DiagnosisReport
    from .console import heading, out, waiting

    _check(data, cure, output, report, json)
    with waiting(f"Reading {data[-1]} ..."):
        title, prepared = _of_model(data[0], data[1], given) if len(data) == 2 else _of_data(data[0], given)
    with waiting("Training a copy for at most 20 seconds, to watch it ..."):
        diagnosis = prepared.diagnose()
    silent = json == _STDOUT
    if not silent:
        heading(title)
        show_diagnosis(diagnosis)
    found_cure, learner = None, prepared.learner
    if cure is not None:
        found_cure, learner = prepared.cure(cure, diagnosis)  # says on a terminal itself what it does
        if not silent:
            heading("Cure")
            show_cure(found_cure)
    written = []
    if json is not None:
        _write_json(json, diagnosis, found_cure)
        written += [] if silent else [json]
    if report is not None:
        network = learner if isinstance(learner, Network) else getattr(learner, "network_", None)
        DiagnosisReport(diagnosis, cure=found_cure, network=network, title=title).save(report)
        written.append(report)
    cured = found_cure is not None and found_cure.improved
    if cured and output is not None:
        prepared.save(learner, output)
        written.append(output)
    if not silent:
        out().print()
        for place in written:
            out().print(f"Wrote {place}", style="bold green", soft_wrap=True)
        _say_what_next(output, diagnosis, found_cure)
    if not (diagnosis.healthy or cured or exit_zero):
        raise typer.Exit(FAULT)


def _check(data: list[Path], cure: float | None, output: Path | None, report: Path | None, json: Path | None) -> None:
    """Everything that can be wrong with the command's own options, before anything is read."""
    from ..constraints import Interval
    from ..errors import MissingDependencyError, ParameterError
    from .options import path_to_write

    if len(data) > 2:
        raise ParameterError("Give data, or a model and data: chainrule diagnose [MODEL] DATA.")
    if cure is not None:
        Interval(float, 0, closed="neither").check("", "--cure", cure)
    if output is not None:
        if cure is None:
            raise ParameterError("--output is where a cured model goes; say how long to search for it: --cure 60.")
        path_to_write("--output", output)
    if json is not None and json != _STDOUT:
        path_to_write("--json", json)
    if report is not None:
        path_to_write("--report", report)
        if report.suffix.lower() not in (".html", ".htm"):
            raise ParameterError(f"--report is a page, so its name ends with .html. Got {str(report)!r}.")
        for name in ("jinja2", "matplotlib"):
            try:
                __import__(name)
            except ImportError as error:
                raise MissingDependencyError(name, "--report", extra="report") from error


def _of_data(place: Path, given: Mapping[str, Any]) -> tuple[str, Prepared]:
    """The title and the training that chainrule train would do."""
    from ..errors import ParameterError
    from ..tasks.task import task_for
    from .sources import resolve

    if place.suffix == ".chainrule":
        raise ParameterError(f"{place} is a model: give data that it is judged on too, as in: diagnose {place} DATA.csv")
    source = resolve(place)
    task = task_for(source, given, Use.DIAGNOSE)
    settings = task.settings.typed(source, given)  # type: ignore[union-attr]
    prepared = task.prepare(task.read(settings), settings)
    return prepared.title, prepared


def _of_model(place: Path, data: Path, given: Mapping[str, Any]) -> tuple[str, Prepared]:
    """The title and the training that a model would go on with."""
    from ..errors import ParameterError
    from ..tasks import load
    from ..tasks.task import refuse_foreign, task_of
    from .sources import resolve

    loaded = load(resolve(place))
    task = task_of(loaded)
    if task is None or task.settings is None:
        raise ParameterError(
            f"{place} holds a {type(loaded).__name__} without the preprocessing of data, so {data} cannot be read for it. "
            "Use chainrule.load and its diagnose(X, y) in Python."
        )
    refuse_foreign(task, given, Use.RESUME, f"{place} is a model of {task.name}")
    prepared = task.resume(loaded, task.settings.typed(resolve(data), given))
    return f"{place} on {prepared.title}", prepared


@contextmanager
def without_warnings() -> Iterator[None]:
    """Silences the warnings of a watched fit, because the report shows the faults in full afterwards."""
    import warnings

    from ..trials import DiagnosisWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosisWarning)
        yield


def _write_json(place: Path, diagnosis: Diagnosis, cure: Any) -> None:
    import json
    import sys

    from ..files import write_whole

    found = {**diagnosis.to_dict(), **({} if cure is None else {"cure": cure.to_dict()})}
    text = json.dumps(_finite(found), indent=1, allow_nan=False)
    if place == _STDOUT:
        sys.stdout.write(f"{text}\n")
    else:
        write_whole(place, text, what="--json")


def _finite(value: Any) -> Any:
    """Plain data as JSON has it, with null for a number that is not finite."""
    import math

    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    value = float(value)
    return value if math.isfinite(value) else None


def _say_what_next(output: Path | None, diagnosis: Diagnosis, cure: Any) -> None:
    import shlex

    from .console import plain, warn

    if cure is None:
        if not diagnosis.healthy and any(c.kind != "data" for f in diagnosis.findings for c in f.changes):
            plain("Next:  the same command with  --cure 60 -o cured.chainrule")
    elif cure.improved and output is not None:
        plain(f"Next:  chainrule predict {shlex.quote(str(output))} NEW_DATA")
    elif output is not None:
        warn(f"Nothing was saved to {output}, because no change won: the network stays as it was.")


def show_diagnosis(diagnosis: Diagnosis) -> None:
    """Prints a diagnosis on the terminal."""
    from .console import facts, fitted, heading, is_terminal, number, out, warn

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
    from .console import facts, heading, out, plain

    name, before, after = cure.score_name, cure.baseline, cure.best
    if cure.improved:
        changes = "1 change" if len(cure.changes) == 1 else f"{len(cure.changes)} changes"
        out().print(f"Cured by {changes}: held-out {name} {before.score:.4f} → {after.score:.4f}.", style="bold green")
        rows = []
        for i, change in enumerate(cure.changes):
            adds = cure.adds.get(change)
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
    from .console import facts, out

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
