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
    """Show a model: its preprocessing, layers, shapes, parameters and FLOPs, and the equations of its training."""
    from ..model import Network
    from ..tasks import load
    from ..tasks.task_model import TaskModel
    from .console import facts, fitted, heading, size, waiting
    from .sources import resolve

    with waiting(f"Reading {model} ..."):
        place = resolve(model)
        loaded = load(place)
    heading(f"{model} ({size(place.stat().st_size)}B)")
    if isinstance(loaded, TaskModel):
        for title, rows in loaded.description():
            if title:
                heading(title)
            facts(rows)
    elif isinstance(loaded, Network):
        facts([("Made by", "Network.save: a network without the preprocessing of data")])
    else:
        facts([("Made by", f"{type(loaded).__name__}.save"), ("Settings", repr(loaded))])
    network = loaded.network
    heading("Network")
    fitted(network.summary())
    if equations:
        heading("Equations")
        fitted(str(network.equations()))
