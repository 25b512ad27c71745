"""``chainrule diagnose``: why a network does not learn a table, or whether a saved model is healthy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["diagnose"]


def diagnose(
    given: Annotated[
        list[Path],
        typer.Argument(metavar="[MODEL] DATA", help="A table; or a model that chainrule train saved, and a table."),
    ],
    target: Annotated[
        str | None, typer.Option("--target", "-t", metavar="COLUMN", help="Column to predict. [default: the model's]")
    ] = None,
    hidden: Annotated[str, typer.Option(metavar="UNITS", help="Units of the hidden layers, or none.")] = "128,64",
    activation: Annotated[str, typer.Option(metavar="NAME", help="Activation of the hidden layers.")] = "relu",
    epochs: Annotated[int, typer.Option(metavar="N", help="Passes over the rows.")] = 30,
    batch_size: Annotated[int, typer.Option(metavar="N", help="Rows a step.")] = 32,
    learning_rate: Annotated[
        float | None, typer.Option(metavar="RATE", help="Step size. [default: the optimizer's]")
    ] = None,
    optimizer: Annotated[str, typer.Option(metavar="NAME", help="How weights are updated.")] = "adam",
    loss: Annotated[str | None, typer.Option(metavar="NAME", help="What is minimised. [default: by the target]")] = None,
    task: Annotated[str, typer.Option(metavar="TASK", help="auto, classification or regression.")] = "auto",
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of all that is random.")] = 0,
    exclude: Annotated[list[str] | None, typer.Option(metavar="COL,...", help="Columns not to learn from.")] = None,
    delimiter: Annotated[str | None, typer.Option(metavar="CHAR", help="Between the fields. [default: found out]")] = None,
    encoding: Annotated[str, typer.Option(metavar="NAME", help="Encoding of a text file.")] = "utf-8",
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the findings to this file.")] = None,
) -> None:
    """Say what keeps a network from learning a table, along its chain rule.

    With a table alone a network is made as chainrule train would with the same options, and trained for a while. With a
    model and a table the model is judged on its rows. Nothing is saved or changed.
    """
    from .diagnose_run import DiagnoseOptions, run

    run(
        DiagnoseOptions(
            given, target, hidden, activation, epochs, batch_size, learning_rate, optimizer, loss, task, seed, exclude or [],
            delimiter, encoding, json,
        )
    )  # fmt: skip
