"""``chainrule lab``: the phenomena of training as controlled experiments on real digits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..laboratory import Experiment, Outcome

__all__ = ["lab"]


def lab(
    name: Annotated[
        str | None, typer.Argument(help="Name of the experiment, or 'all'; without a name all experiments are listed.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Folder for the picture; made if it is not there. [default: this folder]"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="Seed of the split of the digits and of all start weights. [default: 0]"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer and shorter trainings, for some seconds.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write the measurements beside the picture, as JSON.")] = False,
) -> None:
    """Run a controlled experiment on handwritten digits: measure, show, conclude.

    Writes lab-NAME.png.
    """
    from ..errors import ParameterError
    from ..laboratory import EXPERIMENTS, experiment
    from ..report import check_picture_path

    if name is None:
        typed = {"--output": output is not None, "--seed": seed is not None, "--quick": quick, "--json": json}
        for option in (option for option, is_typed in typed.items() if is_typed):
            raise ParameterError(f"{option} is for an experiment; name one: chainrule lab NAME {option} ...")
        _list_experiments()
        return
    names = list(EXPERIMENTS) if name == "all" else [name]
    chosen = [experiment(one, quick=quick, seed=seed or 0) for one in names]
    folder = output or Path()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(f"--output: the folder {str(folder)!r} cannot be made: {error.strerror or error}.") from error
    check_picture_path(folder / "lab.png")
    for one in chosen:
        _run(one, folder, json)


def _list_experiments() -> None:
    """Prints the experiments, each with its question."""
    from ..laboratory import EXPERIMENTS
    from .console import out, table

    table(("experiment", "question"), [(name, kind.question) for name, kind in EXPERIMENTS.items()], left=2)
    out().print("\nRun one with:  chainrule lab NAME     (all of them: chainrule lab all)", style="bright_black")


def _run(one: Experiment, folder: Path, json: bool) -> None:
    """Runs an experiment, prints what it measured and concluded, and writes its picture."""
    import json as json_format

    from ..files import write_whole
    from .console import heading, out, table
    from .progress import duration

    heading(one.title)
    _text(one.question)
    _text(one.method, style="bright_black")
    outcome = _watched(one)
    for found in outcome.tables:
        table(found.columns, found.rows, left=found.left, title=found.title)
    heading("What the measurements say")
    for claim in outcome.claims:
        _text(str(claim), style="green" if claim.holds else "yellow")
    if one.references:
        _text("Read: " + "; ".join(one.references), style="bright_black")
    saved = str(outcome.save_picture(folder / f"lab-{one.name}.png"))
    if json:
        data = folder / f"lab-{one.name}.json"
        write_whole(data, json_format.dumps(outcome.to_dict(), indent=1, allow_nan=False) + "\n", what="--json")
        saved += f" and {data}"
    out().print(f"\nSaved {saved}; it took {duration(outcome.seconds)}.", style="bold green", soft_wrap=True)


def _watched(one: Experiment) -> Outcome:
    """The outcome, with a bar on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from .console import is_terminal, out

    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out(), transient=True, disable=not is_terminal()) as bar:
        task = bar.add_task("", total=None)
        return one.run(lambda done, of: bar.update(task, completed=done, total=of))


def _text(text: str, style: str = "") -> None:
    import textwrap

    from .console import out

    width = out().width
    out().print("\n".join(textwrap.wrap(text, width, subsequent_indent="  " if text[0] in "✓✗" else "")), style=style)
