"""``chainrule quantize``: a model of 8 bits, beside the one of float32."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..tasks.option import Use
from .options import with_task_options

__all__ = ["quantize"]


@with_task_options(Use.COMPRESS)
def quantize(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model that chainrule train saved.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Data as for train, to find scales with and to measure with.")
    ],
    given: Mapping[str, Any],
    tolerance: Annotated[
        float, typer.Option(metavar="LOSS", help="How much less accuracy, or R², the model of 8 bits may have.")
    ] = 0.005,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to save the model of 8 bits. [default: MODEL's name + -int8]"
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write everything that was measured as JSON.")] = None,
) -> None:
    """Turn the weights of a model into whole numbers of 8 bits, and measure what that costs and gains.

    A part of DATA shows the ranges of the activations, which become whole numbers, too. The other part measures the accuracy
    of both models; where DATA and --seed are those of the training, it is the test part of the training. The times are those
    of packed networks, which use the kernels for 8 bits in the layers where they are faster on this processor. The model of
    8 bits is saved where it is within the tolerance.
    """
    from ..constraints import Interval
    from .compression import prepared_for_compression, write_json
    from .console import heading, out, plain, table, waiting, warn
    from .options import path_to_write

    Interval(float, 0).check("", "--tolerance", tolerance)
    place = path_to_write("--output", output or model.with_name(f"{model.stem}-int8.chainrule"))
    if json is not None:
        path_to_write("--json", json)
    with waiting(f"Reading {data} ..."):
        prepared = prepared_for_compression(model, data, given)
    heading(f"8 bits for {model} on {prepared.title}")
    with waiting("Measuring ..."):
        found, learner = prepared.quantize(tolerance=tolerance)
    columns, *rows = found.rows()
    table(columns, rows, title="times on this machine")
    out().print()
    (plain if found.within else warn)(found.conclusion())
    written = []
    if found.within:
        prepared.save_compressed(learner, found.int8, place)
        written.append(place)
    if json is not None:
        write_json(json, found.to_dict())
        written.append(json)
    for one in written:
        out().print(f"Wrote {one}", style="bold green", soft_wrap=True)
