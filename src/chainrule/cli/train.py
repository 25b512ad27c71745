"""``chainrule train``: from a table to a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["train"]


def train(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Table to learn from: .csv, .tsv, .txt (also .gz) or .parquet.")
    ],
    target: Annotated[str, typer.Option("--target", "-t", metavar="COLUMN", help="Column to predict.")],
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", metavar="FILE", help="Where to save the model. [default: DATA's name + .chainrule]"),
    ] = None,
    hidden: Annotated[str, typer.Option(metavar="UNITS", help="Units of the hidden layers, or none.")] = "128,64",
    activation: Annotated[str, typer.Option(metavar="NAME", help="Activation of the hidden layers.")] = "relu",
    epochs: Annotated[
        int | None,
        typer.Option(metavar="N", help="Most passes over the training rows. [default: about 8,000 steps, 30 to 500]"),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(metavar="N", help="Rows a step. [default: 16 to 256, by rows]")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(metavar="RATE", help="Step size. [default: the optimizer's]")
    ] = None,
    optimizer: Annotated[str, typer.Option(metavar="NAME", help="How weights are updated.")] = "adamw",
    weight_decay: Annotated[
        float | None,
        typer.Option(metavar="RATE", help="Decoupled weight decay. [default: for adamw 0.1 to 3, by rows; else 0]"),
    ] = None,
    loss: Annotated[str | None, typer.Option(metavar="NAME", help="What is minimised. [default: by the target]")] = None,
    test_fraction: Annotated[float, typer.Option(metavar="SHARE", help="Rows kept apart for the final metrics.")] = 0.25,
    validation_fraction: Annotated[
        float, typer.Option(metavar="SHARE", help="Training rows that decide when to stop.")
    ] = 0.15,
    task: Annotated[str, typer.Option(metavar="TASK", help="auto, classification or regression.")] = "auto",
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of all that is random.")] = 0,
    patience: Annotated[
        int | None,
        typer.Option(metavar="N", help="Epochs without better validation loss before it stops. [default: by --epochs]"),
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(metavar="COL,...", help="Columns not to learn from.")] = None,
    engine: Annotated[str, typer.Option(metavar="NAME", help="auto, onednn or reference.")] = "auto",
    threads: Annotated[int | None, typer.Option(metavar="N", help="Threads to use. [default: all there are]")] = None,
    precision: Annotated[str, typer.Option(metavar="NAME", help="float32, float64 or bfloat16.")] = "float32",
    delimiter: Annotated[str | None, typer.Option(metavar="CHAR", help="Between the fields. [default: found out]")] = None,
    encoding: Annotated[str, typer.Option(metavar="NAME", help="Encoding of a text file.")] = "utf-8",
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the learning curves (.png, .svg, .pdf).")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every epoch.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Train a network on a table and save it with its preprocessing.

    A test part is kept apart, numbers are standardised, categories one-hot encoded or embedded, missing values filled in;
    all of that is learned from the training rows only. Text targets, and whole numbers of few values, are taken for classes.
    Ctrl-C ends the training and keeps what was learned.
    """
    from .train_run import TrainOptions, run

    run(
        TrainOptions(
            data=data,
            target=target,
            model=model,
            hidden=hidden,
            activation=activation,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            optimizer=optimizer,
            weight_decay=weight_decay,
            loss=loss,
            test_fraction=test_fraction,
            validation_fraction=validation_fraction,
            task=task,
            seed=seed,
            patience=patience,
            exclude=exclude or [],
            engine=engine,
            threads=threads,
            precision=precision,
            delimiter=delimiter,
            encoding=encoding,
            plot=plot,
            verbose=verbose,
            quiet=quiet,
        )
    )
