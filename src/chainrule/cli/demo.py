"""``chainrule demo``: the whole of chainrule in one minute, on data that needs no download."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["demo"]


def demo(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Folder for the model and the picture; made if it is not there."),
    ] = Path(),
) -> None:
    """Train a network on handwritten digits, print its accuracy, its equations and its speed beside scikit-learn's.

    Writes digits.chainrule and digits-learning-curves.png.
    """
    from .demo_run import run

    run(output)
