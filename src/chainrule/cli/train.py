"""``chainrule train``: from a table, or from pictures, to a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["train"]


def train(
    context: typer.Context,
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Table (.csv, .tsv, .txt, also .gz, or .parquet); or a folder of pictures with one folder for each class, "
            "or an .npz file of pictures and labels.",
        ),
    ],
    target: Annotated[
        str | None, typer.Option("--target", "-t", metavar="COLUMN", help="Column to predict; for tables.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", metavar="FILE", help="Where to save the model. [default: DATA's name + .chainrule]"),
    ] = None,
    hidden: Annotated[str, typer.Option(metavar="UNITS", help="Units of the hidden layers, or none.")] = "128,64",
    activation: Annotated[str, typer.Option(metavar="NAME", help="Activation of the hidden layers.")] = "relu",
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Most passes over the training rows. [default: 30 to 500, by rows; pictures 10 to 60]"
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(metavar="N", help="Rows, or pictures, a step. [default: by how many there are]")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(metavar="RATE", help="Step size. [default: the optimizer's; for pictures it falls to 0]")
    ] = None,
    optimizer: Annotated[str, typer.Option(metavar="NAME", help="How weights are updated.")] = "adamw",
    weight_decay: Annotated[
        float | None,
        typer.Option(metavar="RATE", help="Decoupled weight decay. [default: tables, adamw: 0.1 to 3, by rows]"),
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
    text: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Texts: learn from the sentences of this column alone.")
    ] = None,
    tokenizer: Annotated[
        str, typer.Option(metavar="NAME", help="Texts: their tokens are words, characters or byte_pairs.")
    ] = "words",
    size: Annotated[
        str | None,
        typer.Option(metavar="PIXELS", help="Pictures: size they get, 64 or 48x64 (height x width). [default: up to 64]"),
    ] = None,
    fit: Annotated[
        str, typer.Option(metavar="HOW", help="Pictures: stretch to the size, crop the middle, or pad.")
    ] = "stretch",
    channels: Annotated[
        int | None, typer.Option(metavar="N", help="Pictures: 3 (colours) or 1 (grey). [default: as they are]")
    ] = None,
    augment: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="Pictures: random changes in training: light, none, or a list such as flip,shift=0.1,rotate=10,mixup=0.2.",
        ),
    ] = "light",
    network: Annotated[
        str, typer.Option(metavar="NAME", help="Pictures: auto, lenet5, vgg_small, resnet20, mobilenet_small, ...")
    ] = "auto",
    broken: Annotated[
        str, typer.Option(metavar="WHAT", help="Pictures: stop at one that cannot be read, or skip it.")
    ] = "stop",
    grid: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Pictures: draw some of the test part with predictions (.png, ...).")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the learning curves (.png, .svg, .pdf).")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every epoch.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Train a network on a table, or on pictures, and save it with its preprocessing.

    A test part is kept apart, numbers are standardised, categories one-hot encoded or embedded, missing values filled in;
    all of that is learned from the training rows only. Text targets, and whole numbers of few values, are taken for classes.
    Of pictures the classes are the names of the folders, and a small convolutional network learns them; some options are for
    tables or for pictures only, and say so.
    With --text the network reads the sentences of one column: a vector for each token, and their mean.
    Ctrl-C ends the training and keeps what was learned.
    """
    from .train_run import TrainOptions, run

    typed = {name for name in context.params if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"}
    run(
        TrainOptions(
            typed=frozenset(typed),
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
            text=text,
            tokenizer=tokenizer,
            size=size,
            fit=fit,
            channels=channels,
            augment=augment,
            network=network,
            broken=broken,
            grid=grid,
            plot=plot,
            verbose=verbose,
            quiet=quiet,
        )
    )
