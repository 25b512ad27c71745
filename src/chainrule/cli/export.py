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
    channels_first: Annotated[
        bool, typer.Option("--channels-first", help="Take and give pictures as (samples, channels, height, width).")
    ] = False,
) -> None:
    """Write the network of a model as an ONNX file, which other programs can run.

    The file holds the network and not the preprocessing of tables, pictures or texts: give it what the network is given.
    The names of classes are in its metadata.
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
        network.to_onnx(output, probabilities=probabilities, channels_first=channels_first, metadata=metadata)
    out().print(f"Saved {output}", style="bold green", soft_wrap=True)
