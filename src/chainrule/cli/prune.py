"""``chainrule prune``: what a model loses and gains by pruning, and the smallest one that is good enough."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..tasks.option import Use
from .options import with_task_options

__all__ = ["prune"]


@with_task_options(Use.COMPRESS)
def prune(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model that chainrule train saved.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Data as for train, to train further on and to measure with.")
    ],
    given: Mapping[str, Any],
    sparsity: Annotated[
        str, typer.Option(metavar="SHARES", help="Shares of weights, or of units, to remove, one after the other.")
    ] = "0.5,0.8,0.9,0.95",
    structure: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What is removed together: none (single weights), blocks (four neighbouring outputs) or units (whole units "
            "and channels: a smaller dense network, faster everywhere).",
        ),
    ] = "none",
    tolerance: Annotated[
        float, typer.Option(metavar="LOSS", help="How much less accuracy, or R², the recommended model may have.")
    ] = 0.005,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to save the recommended model. [default: MODEL's name + -pruned]"
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw the accuracy, the speed and the sizes over the sparsity (.png, .svg, .pdf)."
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write everything that was measured as JSON.")] = None,
) -> None:
    """Remove more and more weights of a model, and measure each step: accuracy, time of a prediction, file and memory.

    After each step the model is trained some epochs further on a part of DATA. The other part measures it; where DATA and
    --seed are those of the training, that is the test part of the training, which the model has never learned from. The
    sparsest model within the tolerance is recommended and saved. The times are those of packed networks, as net.pack() gives
    them.
    """
    from .compression import prepared_for_compression, write_json
    from .console import heading, out, plain, table, waiting, warn
    from .options import path_to_write

    shares, place = _check(sparsity, structure, tolerance, plot), output or model.with_name(f"{model.stem}-pruned.chainrule")
    path_to_write("--output", place)
    if json is not None:
        path_to_write("--json", json)
    with waiting(f"Reading {data} ..."):
        prepared = prepared_for_compression(model, data, given)
    heading(f"Pruning {model} on {prepared.title}")
    with waiting("Pruning and training further ..."):
        found, learner = prepared.prune(sparsities=shares, structure=structure, tolerance=tolerance)
    columns, *rows = found.rows()
    further = "1 epoch" if found.epochs == 1 else f"{found.epochs} epochs"
    table(columns, rows, title=f"{further} of further training after each step; times on this machine")
    out().print()
    saved = found.recommended is not found.dense
    (plain if saved else warn)(found.conclusion())
    written = []
    if saved:
        prepared.save_compressed(learner, found.recommended, place)
        written.append(place)
    if plot is not None:
        written.append(found.save_picture(plot, title=f"{model.name}: pruning"))
    if json is not None:
        write_json(json, found.to_dict())
        written.append(json)
    for one in written:
        out().print(f"Wrote {one}", style="bold green", soft_wrap=True)


def _check(sparsity: str, structure: str, tolerance: float, plot: Path | None) -> list[float]:
    """The shares as numbers, once all of the command's own options are right."""
    from ..constraints import Interval, OneOf
    from ..errors import ParameterError
    from ..report import check_picture_path
    from ..sparsity.frontier import STRUCTURES, checked_sparsities

    try:
        shares = [float(part) for part in sparsity.split(",")]
    except ValueError:
        raise ParameterError(
            f"--sparsity takes shares with commas between them, such as 0.5,0.8,0.9. Got {sparsity!r}."
        ) from None  # fmt: skip
    checked_sparsities(shares, "--sparsity")
    OneOf(*STRUCTURES).check("", "--structure", structure)
    Interval(float, 0).check("", "--tolerance", tolerance)
    if plot is not None:
        check_picture_path(plot)
    return shares
