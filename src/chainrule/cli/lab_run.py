"""What ``chainrule lab`` does."""

from __future__ import annotations

import json as json_format
import textwrap
from pathlib import Path

from ..errors import ParameterError
from ..laboratory import EXPERIMENTS, Outcome, experiment
from ..report import check_picture_path
from .console import heading, is_terminal, out, table
from .progress import duration

__all__ = ["list_experiments", "run"]


def list_experiments() -> None:
    """The experiments, each with its question."""
    table(("experiment", "question"), [(name, kind.question) for name, kind in EXPERIMENTS.items()], left=2)
    out().print("\nRun one with:  chainrule lab NAME     (all of them: chainrule lab all)", style="bright_black")


def run(name: str, folder: Path, *, seed: int, quick: bool, json: bool) -> None:
    """Runs one experiment, or all."""
    names = list(EXPERIMENTS) if name == "all" else [name]
    chosen = [experiment(one, quick=quick, seed=seed) for one in names]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(f"--output: the folder {str(folder)!r} cannot be made: {error.strerror or error}.") from error
    check_picture_path(folder / "lab.png")
    for one in chosen:
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
        picture = outcome.save_picture(folder / f"lab-{one.name}.png")
        saved = str(picture)
        if json:
            data = folder / f"lab-{one.name}.json"
            data.write_text(json_format.dumps(outcome.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
            saved += f" and {data}"
        out().print(f"\nSaved {saved}; it took {duration(outcome.seconds)}.", style="bold green", soft_wrap=True)


def _watched(one: object) -> Outcome:
    """The outcome, with a bar on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..laboratory import Experiment

    assert isinstance(one, Experiment)
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out(), transient=True, disable=not is_terminal()) as bar:
        task = bar.add_task("", total=None)
        return one.run(lambda done, of: bar.update(task, completed=done, total=of))


def _text(text: str, style: str = "") -> None:
    width = out().width
    out().print("\n".join(textwrap.wrap(text, width, subsequent_indent="  " if text[0] in "✓✗" else "")), style=style)
