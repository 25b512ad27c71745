"""``chainrule import``: a network of another library as a model of chainrule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["import_model"]


def import_model(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE [WEIGHTS]",
            help="model.onnx, model.keras or model.h5; or two files: net.prototxt net.caffemodel, or net-symbol.json "
            "net.params.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to save the model. [default: FILE's name + .chainrule]"),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            metavar="SIZES",
            help="Sizes of one sample as the file has them, such as 3,224,224, where the file leaves them open.",
        ),
    ] = None,
) -> None:
    """Read a network of ONNX, Keras, Caffe or MXNet, and save it as a model of chainrule.

    The network predicts what it predicted there, and can be trained further. Images are (height, width, channels) here. What
    has no counterpart in chainrule is listed by name.
    """
    from ..errors import ParameterError
    from ..importing import load_foreign
    from .console import fitted, heading, out, plain, waiting
    from .options import path_to_write

    if len(files) > 2:
        raise ParameterError(
            f"import reads one network: a file, or a file and its weights. Got {len(files)} files. Import them one by one."
        )
    place = path_to_write("--output", output or Path(f"{files[0].name.split('.')[0] or 'model'}.chainrule"))
    with waiting(f"Reading {files[0]} ..."):
        network = load_foreign(*files, shape=_sizes(shape))
        network.save(place)
    heading(str(files[0]))
    fitted(network.summary())
    out().print(f"\nSaved {place}", style="bold green", soft_wrap=True)
    plain(f"Next:  chainrule show {place}")


def _sizes(text: str | None) -> tuple[int, ...] | None:
    from ..errors import ParameterError

    if text is None:
        return None
    parts = text.replace("x", ",").split(",")
    if not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise ParameterError(
            f"--shape must be sizes of at least 1 with commas between them, such as 3,224,224. Got {text!r}."
        )
    return tuple(int(part) for part in parts)
