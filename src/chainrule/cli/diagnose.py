"""``chainrule diagnose``: why a network does not learn a table, texts or pictures, or whether a saved model is healthy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options

__all__ = ["diagnose"]


def diagnose(
    context: typer.Context,
    given: Annotated[
        list[Path],
        typer.Argument(
            metavar="[MODEL] DATA",
            help="A table, a folder of pictures or an .npz file, as for train; or a model that train saved, and such data.",
        ),
    ],
    target: options.Target = None,
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
    cure: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Search so long for changes that make it learn, and prove them.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="With --cure: where to save the cured model.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with pictures to this file (.html).")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the findings to this file; - prints them, and nothing else.")
    ] = None,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 also where faults are found.")] = False,
) -> None:
    """Say what keeps a network from learning, along its chain rule; with --cure, change it until it learns.

    With data alone the training is looked at that chainrule train would do with the same options, for at most 3,000 steps or
    20 seconds. With a model and data the model is judged on all of it, and only options that are typed change how it is
    trained again. Nothing is saved or changed but what --output, --report and --json name.
    The exit code is 0 when the network is healthy, or was cured; 1 when a fault is found; 2 when the data, a file or an
    option is not as it must be.
    """
    from .diagnose_run import DiagnoseOptions, run
    from .train_run import TrainOptions

    typed = {name for name in context.params if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"}
    training = TrainOptions(
        typed=frozenset(typed),
        data=given[-1],
        target=target,
        model=None,
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
        grid=None,
        plot=None,
        verbose=False,
        quiet=True,
    )
    run(DiagnoseOptions(given, training, cure, output, report, json, exit_zero))
