"""``chainrule train``: from data to a saved model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..tasks.option import Use
from .options import with_task_options

if TYPE_CHECKING:
    from ..tasks.settings import TrainingSettings
    from ..tasks.task import Prepared

__all__ = ["train"]

INTERRUPTED = 130


@with_task_options(Use.TRAIN)
def train(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Table (.csv, .tsv, .txt, each also .gz, or .parquet), or many of them as a folder or a pattern in quotes "
            "('data/*.parquet'); a folder of pictures or sounds with one folder for each class, or with a file labels.csv "
            "of what is written or said in them; an .npz file of pictures and labels; "
            "or - for standard input.",
        ),
    ],
    given: Mapping[str, Any],
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", metavar="FILE", help="Where to save the model. [default: DATA's name + .chainrule]"),
    ] = None,
    grid: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Pictures: draw some of the test part with their predictions (.png, .svg, .pdf)."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the learning curves (.png, .svg, .pdf).")] = None,
    diagnose: Annotated[
        bool, typer.Option("--diagnose", help="Watch the training, and say which faults keep the network from learning.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print a line for every epoch.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Train a network on a table, on texts or on pictures, and save it with its preprocessing.

    A part of the data is kept apart as a test. Of a table the numbers are standardised, the categories one-hot encoded or
    embedded, and missing values filled in; all of that is learned from the training rows alone. A target of text, or of few
    different whole numbers, is taken for classes. With --text the network reads the texts of one column. The classes of
    pictures are the names of their folders.

    Ctrl-C ends the training early, and what was learned is saved.
    """
    is_first = True
    if given.get("distributed"):
        from ..training.distributed import Ranks

        # From here on an error on one rank ends all of them.
        is_first = Ranks.world().rank == 0
        quiet = quiet or not is_first
    try:
        prepared, settings, place = _begin(data, given, model, grid, plot, verbose, quiet)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("before the training began: nothing was learned, and nothing was saved") from None
    from ..report import learning_curves
    from .console import facts, heading, out
    from .diagnose import show_diagnosis, without_warnings
    from .progress import ProgressTable

    task = prepared.task
    if not quiet:
        (_, title), *rest = prepared.description
        heading(title)
        facts(rest)
        out().print()
    with without_warnings():
        trained = prepared.train([] if quiet else [ProgressTable(every_epoch=verbose)], watch=diagnose)
    if not is_first:
        return  # rank 0 says and saves what all have learned
    made, history = trained.model, trained.history
    if not quiet:
        _say_how_it_ended(trained)
    prediction = None
    if prepared.test is not None:
        samples = made.read(prepared.test)
        prediction = made.prediction(samples)
        _score(prepared, made, samples, prediction, quiet)
    made.save(place)
    written = [place]
    title = f"{prepared.name}: {made.target}"
    if plot is not None and history.epochs:
        learning_curves(history, plot, title=title, best_epoch=trained.best_epoch, units=dict(prepared.units))
        written.append(plot)
    if grid is not None and prediction is not None:
        task.draw(grid, made, samples, prediction, title=f"{title}, test part", seed=settings.random_state)
        written.append(grid)
    if diagnose and not quiet:
        heading("Diagnosis")
        show_diagnosis(prepared.diagnosis_of_training())
    if not quiet:
        _say_what_next(written, task.example)
    if history.interrupted:
        raise typer.Exit(INTERRUPTED)


def _begin(
    data: Path,
    given: Mapping[str, Any],
    model: Path | None,
    grid: Path | None,
    plot: Path | None,
    verbose: bool,
    quiet: bool,
) -> tuple[Prepared, TrainingSettings, Path]:
    """The training, its settings, and the place of the model, once everything was checked and read."""
    from ..engine import get_engine
    from ..errors import ParameterError
    from ..report import check_picture_path
    from ..tasks.task import task_for
    from .console import waiting
    from .options import path_to_write
    from .sources import STANDARD_INPUT, resolve

    piped = str(data) == STANDARD_INPUT
    with waiting(f"Reading {data} ..."):
        source = resolve(data)
        given = {**given, **{part: resolve(given[part]) for part in ("validation", "test") if part in given}}
    task = task_for(source, given, Use.TRAIN)
    if verbose and quiet:
        raise ParameterError("--verbose and --quiet exclude each other. Give one of them.")
    if grid is not None and not task.draws:
        raise ParameterError(f"--grid draws pictures, and {data} is read as {task.what or task.name}. Leave it out.")
    settings = task.settings.typed(source, given)  # type: ignore[union-attr]
    if grid is not None and settings.shares[0] == 0 and settings.test is None:
        raise ParameterError("--grid draws the test part, and --test-fraction 0 leaves none. Give one without the other.")
    for picture in (grid, plot):
        if picture is not None:
            check_picture_path(picture)
    # A folder given as "." or ".." has its name all the same.
    stem = "" if piped else source.resolve().name.split(".")[0]
    if any(sign in stem for sign in "*?["):  # a pattern of several files: its folder has a name
        stem = source.resolve().parent.name
    place = path_to_write("--model", model or Path(f"{stem or 'model'}.chainrule"))
    with waiting(f"Reading {data} ..."):
        parts = task.read(settings)
    get_engine(settings.engine, dtype=settings.precision, threads=settings.threads).prepare(*task.kernels)
    with waiting("Preparing the network ..."):
        prepared = task.prepare(parts, settings)
    return prepared, settings, place


def _say_how_it_ended(trained: Any) -> None:
    from .console import out, warn

    epochs, best = len(trained.history.epochs), trained.best_epoch
    kept = f" The weights of epoch {best} are kept, which had the least validation loss." if best else ""
    if trained.history.interrupted:
        warn(f"Interrupted after {epochs} whole epochs: what was learned so far is kept.{kept if epochs else ''}")
    elif trained.early:
        out().print(f"Stopped early after epoch {epochs}.{kept}")
    elif kept:
        out().print(kept.strip())


def _score(prepared: Any, made: Any, samples: Any, prediction: Any, quiet: bool) -> None:
    """Keeps the metrics of the test part in the model, and prints them beside those of the best guess."""
    from .console import warn
    from .metrics_table import show_scores

    if samples.truth is None:
        warn(f"No metrics of the test part: {samples.refused or samples.missing}")
        return
    own = made.scores(samples, prediction)
    made.facts["test"] = {metric: float(value) for metric, value in own.values.items()}
    made.facts["test rows"] = own.samples
    if not quiet:
        many = prepared.task.noun[own.samples != 1]
        guess = [] if prepared.guess is None else [prepared.guess(samples.truth)]
        show_scores(f"Test part ({own.samples:,} {many})", own, guess, target=made.target, unit=prepared.task.noun[1])


def _say_what_next(written: list[Path], example: str) -> None:
    """Prints the files that were written, and the commands that use them."""
    import shlex

    from .console import out, plain

    out().print(f"\nSaved {' and '.join(map(str, written))}", style="bold green")
    model = shlex.quote(str(written[0]))
    plain(f"Next:  chainrule predict {model} {example}")
    plain(f"       chainrule show {model}")
