"""``chainrule export``: a model as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["export"]


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model that chainrule train, or Network.save, wrote.")],
    output: Annotated[Path, typer.Argument(metavar="OUT.onnx", help="ONNX file to write.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Write the raw outputs of the network, and no probabilities of classes.")
    ] = False,
    bare: Annotated[
        bool, typer.Option("--bare", help="Write the network alone, without the preprocessing of columns or pictures.")
    ] = False,
    channels_first: Annotated[
        bool, typer.Option("--channels-first", help="Take and give pictures as (samples, channels, height, width).")
    ] = False,
    sparse: Annotated[
        bool, typer.Option("--sparse", help="Write pruned weights without their zeros, which makes the file smaller.")
    ] = False,
) -> None:
    """Write a model as an ONNX file, which other programs can run.

    Of a table the file has one input for each column: numbers as double, NaN for missing, and categories as strings, "" for
    missing. Of pictures it takes whole numbers from 0 to 255, of any size where the model stretches them. Texts go in as the
    indices of their tokens. The names of classes are in the metadata.
    """
    from ..errors import ParameterError
    from ..model import Network
    from ..tasks import load
    from .console import out, waiting
    from .options import path_to_write

    if output.suffix.lower() != ".onnx":
        raise ParameterError(f"The file to write must end with .onnx. Got {str(output)!r}.")
    path_to_write("OUT.onnx", output)
    with waiting(f"Writing {output} ..."):
        loaded = load(model)
        network = loaded if isinstance(loaded, Network) else getattr(loaded, "network", None) or loaded.network_
        classes = getattr(loaded, "classes", getattr(loaded, "classes_", None))
        metadata = {} if classes is None else {"classes": ",".join(map(str, classes))}
        probabilities = not raw and hasattr(network, "loss_")
        made = None if bare else getattr(loaded, "onnx_preprocessing", None)
        network.to_onnx(
            output, probabilities=probabilities, channels_first=channels_first, metadata=metadata,
            preprocessing=None if made is None else made(), sparse=sparse,
        )  # fmt: skip
    out().print(f"Saved {output}", style="bold green", soft_wrap=True)
