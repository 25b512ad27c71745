"""``chainrule train``: from a table, or from pictures, to a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options

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
    target: options.Target = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", metavar="FILE", help="Where to save the model. [default: DATA's name + .chainrule]"),
    ] = None,
    hidden: options.Hidden = "128,64",
    activation: options.Activation = "relu",
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    learning_rate: options.LearningRate = None,
    optimizer: options.Optimizer = "adamw",
    weight_decay: options.WeightDecay = None,
    loss: options.Loss = None,
    test_fraction: options.TestFraction = 0.25,
    validation_fraction: options.ValidationFraction = 0.15,
    task: options.Task = "auto",
    seed: options.Seed = 0,
    patience: options.Patience = None,
    exclude: options.Exclude = None,
    engine: options.Engine = "auto",
    threads: options.Threads = None,
    precision: options.Precision = "float32",
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = "utf-8",
    text: options.Text = None,
    tokenizer: options.Tokenizer = "words",
    size: options.Size = None,
    fit: options.Fit = "stretch",
    channels: options.Channels = None,
    augment: options.Augment = "light",
    network: options.Network = "auto",
    broken: options.Broken = "stop",
    grid: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Pictures: draw some of the test part with predictions (.png, ...).")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the learning curves (.png, .svg, .pdf).")] = None,
    diagnose: Annotated[
        bool, typer.Option("--diagnose", help="Watch the training and say what is wrong with it, if anything.")
    ] = False,
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
            diagnose=diagnose,
        )
    )
