"""``chainrule show``: what a saved model is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["show"]


def show(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model that chainrule train, or Network.save, wrote.")],
    equations: Annotated[bool, typer.Option(help="Print the equations of the network.")] = True,
) -> None:
    """Show a model: layers, shapes, parameter counts, FLOPs, preprocessing, and the equations of its training."""
    from .show_run import run

    run(model, equations=equations)
