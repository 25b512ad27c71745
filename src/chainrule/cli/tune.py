"""``chainrule tune``: a search for the settings of a training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..tasks.option import Use
from .options import path_to_write, with_task_options

__all__ = ["tune"]

#: What is searched where nobody says it: of these, the settings that the task has.
_DEFAULT = ("learning_rate=3e-4..3e-2:log", "weight_decay=1e-4..3.0:log", "hidden=64;128;128,64;256,128;256,128,64")
_SHOWN = 10


@with_task_options(Use.TRAIN)
def tune(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="As for chainrule train.")],
    given: Mapping[str, Any],
    search: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=RANGE",
            help="A setting of chainrule train and what it may be: learning_rate=1e-4..1e-1:log, batch_size=16..256, "
            "hidden=64;128,64. May be given several times. [default: learning rate, weight decay, hidden layers]",
        ),
    ] = None,
    trials: Annotated[int, typer.Option(metavar="N", help="Trainings in all.", min=1)] = 30,
    seconds: Annotated[float | None, typer.Option(metavar="S", help="Time after which no new trial is begun.")] = None,
    workers: Annotated[int, typer.Option(metavar="N", help="Trials at a time, each with one processor.", min=1)] = 1,
    metric: Annotated[str, typer.Option(metavar="NAME", help="Number of an epoch that is made small.")] = "val_loss",
    sampler: Annotated[str, typer.Option(metavar="NAME", help="How trials are chosen: tpe, random or grid.")] = "tpe",
    pruner: Annotated[
        str, typer.Option(metavar="NAME", help="How weak trials are ended: median, halving, hyperband or none.")
    ] = "median",
    storage: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keeps the search in a .log or .db file, to go on with it later.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", "-m", metavar="FILE", help="Train the best once more and save it there.")
    ] = None,
    results: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all trials as a CSV file.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw all trials (.png, .svg, .pdf).")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Search for the settings with which a training comes out best.

    Each trial is a training as by chainrule train, judged by its best validation loss; one that is worse than the others
    after as many epochs is ended early. With --storage a search that was stopped goes on: the same command, more --trials.
    Ctrl-C ends the search, and what it has found is shown.
    """
    from ..data import write_predictions
    from ..errors import ParameterError
    from ..report import check_picture_path
    from ..tasks.task import task_for
    from ..tuning import TaskTrials, Tuner
    from ..tuning.space import typed_range
    from .console import heading, number, out, waiting, warn
    from .console import table as show_table
    from .sources import resolve

    source = resolve(data)
    task = task_for(source, given, Use.TRAIN)
    assert task.settings is not None
    settings = task.settings.typed(source, given)
    for place, option in ((model, "--model"), (results, "--results")):
        if place is not None:
            path_to_write(option, place)
    if plot is not None:
        check_picture_path(plot)
    options = task.options()
    space: dict[str, Any] = {}
    for name, what in map(typed_range, search or [text for text in _DEFAULT if text.split("=")[0] in options]):
        if name not in options:
            from ..errors import UnknownNameError

            raise UnknownNameError("setting to search for", name, list(options))
        if name in given:
            raise ParameterError(f"--search {name}: the option --{name.replace('_', '-')} fixes it. Give one of the two.")
        if isinstance(what, list):  # as they would be typed for the option
            what = [task.settings.parsed({name: _typed(options[name].kind, value)})[name] for value in what]
        space[name] = what
    train = TaskTrials(task, settings, metric=metric)
    tuner = Tuner(
        train, space, trials=trials, seconds=seconds, workers=workers, sampler=sampler, pruner=pruner, storage=storage,
        random_state=settings.random_state,
    )  # fmt: skip
    shown = 0

    def tell(trial: Any) -> None:
        nonlocal shown
        shown += 1
        if not quiet:
            text = ", ".join(f"{name} {_value(value)}" for name, value in trial.parameters.items())
            out().print(f"trial {trial.number:3}  {trial.state:8}  {number(trial.score):>8}  {text}", soft_wrap=True)

    interrupted = False
    try:
        if workers > 1:
            with waiting(f"Searching with {workers} workers ..."):
                tuner.search()
        else:
            tuner.search(tell)
    except KeyboardInterrupt:
        interrupted = True
        warn("Interrupted: these trials are done.")
        if not hasattr(tuner, "best_parameters_"):
            raise
    found = tuner.results_
    if not quiet:
        states = [trial.state for trial in found.trials]
        counts = ", ".join(f"{states.count(state)} {state}" for state in ("complete", "pruned", "failed") if state in states)
        heading(f"{len(states)} trials: {counts}")
        rows = [
            [str(t.number), t.state, *(_value(t.parameters.get(name)) for name in space), str(t.epochs), number(t.score)]
            for t in found.ranked[:_SHOWN]
        ]
        show_table(["trial", "state", *space, "epochs", metric], rows, left=2)
    if results is not None:
        table = found.table()
        write_predictions(results, {name: [_plain(row.get(name)) for row in table] for name in table[0]})
    if plot is not None:
        found.picture(plot, f"{data.name}: search")
    written = [str(place) for place in (results, plot) if place is not None]
    if model is not None:
        with waiting("Training the best once more ..."):
            prepared = train.prepared(tuner.best_parameters_, threads=settings.threads)
            trained = prepared.train([])
        if prepared.test is not None:
            samples = trained.model.read(prepared.test)
            if samples.truth is not None:
                scores = trained.model.scores(samples, trained.model.prediction(samples))
                trained.model.facts["test"] = {name: float(value) for name, value in scores.values.items()}
                trained.model.facts["test rows"] = scores.samples
                if not quiet:
                    text = ", ".join(f"{name} {number(value)}" for name, value in scores.values.items())
                    out().print(f"\nThe best on the test part ({scores.samples:,} {task.noun[1]}): {text}")
        trained.model.save(model)
        written.insert(0, str(model))
    if written and not quiet:
        out().print(f"\nSaved {' and '.join(written)}", style="bold green", soft_wrap=True)
    if interrupted:
        raise typer.Exit(130)


def _typed(kind: Any, value: str) -> Any:
    """A value of a list as the option's parser gives it."""
    from ..errors import ParameterError

    if kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            raise ParameterError(
                f"--search: expected {'a whole number' if kind is int else 'a number'}. Got {value!r}."
            ) from None
    return value


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return ",".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)


def _plain(value: Any) -> Any:
    return _value(value) if isinstance(value, tuple) else value
