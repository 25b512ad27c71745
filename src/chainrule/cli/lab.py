"""``chainrule lab``: the phenomena of training as controlled experiments on real digits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["lab"]


def lab(
    name: Annotated[str | None, typer.Argument(help="Name of the experiment, or 'all'; none lists them.")] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the picture; made if it is not there.")
    ] = Path(),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the split of the digits and of all start weights.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer and shorter trainings: a few seconds.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write the measurements beside the picture, as JSON.")] = False,
) -> None:
    """Run a controlled experiment on handwritten digits: measure, show, conclude.

    Writes lab-NAME.png.
    """
    from .lab_run import list_experiments, run

    if name is None:
        list_experiments()
    else:
        run(name, output, seed=seed, quick=quick, json=json)
