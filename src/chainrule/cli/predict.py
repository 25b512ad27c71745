"""``chainrule predict``: a saved model on new rows, or on pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["predict"]


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model that chainrule train saved.")],
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...",
            help="Table with the columns of training, in any order; or pictures, folders of pictures, or an .npz file; or "
            "sentences, in quotes, for a model of texts.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="CSV file to write, - for standard output. [default: show some rows]"
        ),
    ] = None,
    delimiter: Annotated[str | None, typer.Option(metavar="CHAR", help="Between the fields. [default: found out]")] = None,
    encoding: Annotated[str, typer.Option(metavar="NAME", help="Encoding of a text file.")] = "utf-8",
    broken: Annotated[
        str, typer.Option(metavar="WHAT", help="Pictures: stop at one that cannot be read, or skip it.")
    ] = "stop",
    grid: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Pictures: draw them with their predictions (.png, .svg, .pdf).")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Predict the rows of a table, or what pictures show, with a trained model.

    The file written has all columns of DATA, unchanged, and after them predicted_TARGET and, for classes,
    probability_CLASS for each class. Where DATA has the target column too, the metrics are printed.

    For one picture the classes are printed with their probabilities, for several the most probable ones. Where the pictures
    lie in folders named like the classes, the metrics are printed too. So are the classes of a sentence with theirs.
    """
    from .predict_run import run

    run(model, data, output, delimiter=delimiter, encoding=encoding, broken=broken, grid=grid, quiet=quiet)
