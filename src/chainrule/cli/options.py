"""The options that several commands have, each written once: a network is diagnosed in the training that it has."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

__all__ = [
    "Activation",
    "Augment",
    "BatchSize",
    "Broken",
    "Channels",
    "Delimiter",
    "Encoding",
    "Engine",
    "Epochs",
    "Exclude",
    "Fit",
    "Hidden",
    "LearningRate",
    "Loss",
    "Network",
    "Optimizer",
    "Patience",
    "Precision",
    "Seed",
    "Size",
    "Target",
    "Task",
    "TestFraction",
    "Text",
    "Threads",
    "Tokenizer",
    "ValidationFraction",
    "WeightDecay",
]

Target: TypeAlias = Annotated[
    str | None, typer.Option("--target", "-t", metavar="COLUMN", help="Column to predict; for tables.")
]
Hidden: TypeAlias = Annotated[str, typer.Option(metavar="UNITS", help="Units of the hidden layers, or none.")]
Activation: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="Activation of the hidden layers.")]
Epochs: TypeAlias = Annotated[
    int | None,
    typer.Option(metavar="N", help="Most passes over the training rows. [default: 30 to 500, by rows; pictures 10 to 60]"),
]
BatchSize: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Rows, or pictures, a step. [default: by how many there are]")
]
LearningRate: TypeAlias = Annotated[
    float | None, typer.Option(metavar="RATE", help="Step size. [default: the optimizer's; for pictures it falls to 0]")
]
Optimizer: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="How weights are updated.")]
WeightDecay: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="RATE", help="Decoupled weight decay. [default: tables, adamw: 0.1 to 3, by rows]"),
]
Loss: TypeAlias = Annotated[str | None, typer.Option(metavar="NAME", help="What is minimised. [default: by the target]")]
TestFraction: TypeAlias = Annotated[float, typer.Option(metavar="SHARE", help="Rows kept apart for the final metrics.")]
ValidationFraction: TypeAlias = Annotated[
    float, typer.Option(metavar="SHARE", help="Training rows that decide when to stop.")
]
Task: TypeAlias = Annotated[str, typer.Option(metavar="TASK", help="auto, classification or regression.")]
Seed: TypeAlias = Annotated[int, typer.Option(metavar="N", help="Seed of all that is random.")]
Patience: TypeAlias = Annotated[
    int | None,
    typer.Option(metavar="N", help="Epochs without better validation loss before it stops. [default: by --epochs]"),
]
Exclude: TypeAlias = Annotated[list[str] | None, typer.Option(metavar="COL,...", help="Columns not to learn from.")]
Engine: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="auto, onednn or reference.")]
Threads: TypeAlias = Annotated[int | None, typer.Option(metavar="N", help="Threads to use. [default: all there are]")]
Precision: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="float32, float64 or bfloat16.")]
Delimiter: TypeAlias = Annotated[str | None, typer.Option(metavar="CHAR", help="Between the fields. [default: found out]")]
Encoding: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="Encoding of a text file.")]
Text: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Texts: learn from the sentences of this column alone.")
]
Tokenizer: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME", help="Texts: their tokens are words, characters or byte_pairs.")
]
Size: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="PIXELS", help="Pictures: size they get, 64 or 48x64 (height x width). [default: up to 64]"),
]
Fit: TypeAlias = Annotated[str, typer.Option(metavar="HOW", help="Pictures: stretch to the size, crop the middle, or pad.")]
Channels: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Pictures: 3 (colours) or 1 (grey). [default: as they are]")
]
Augment: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="LIST",
        help="Pictures: random changes in training: light, none, or a list such as flip,shift=0.1,rotate=10,mixup=0.2.",
    ),
]
Network: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME", help="Pictures: auto, lenet5, vgg_small, resnet20, mobilenet_small, ...")
]
Broken: TypeAlias = Annotated[
    str, typer.Option(metavar="WHAT", help="Pictures: stop at one that cannot be read, or skip it.")
]
