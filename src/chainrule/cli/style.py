"""``chainrule style``: a photo as a painter would have painted it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["style"]


def style(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="The picture whose content is kept.")],
    painting: Annotated[Path, typer.Argument(metavar="PAINTING", help="The picture whose style is taken.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the result (.png, .jpg, ...).")
    ] = Path("styled.png"),
    body: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="The network that looks: SqueezeNet's weights (.npz), a model or a network of another library, or a ready "
            "one. [default: efficientnet-lite0]",
        ),
    ] = None,
    size: Annotated[int, typer.Option(metavar="PIXELS", help="The longer side of the result.")] = 256,
    steps: Annotated[int, typer.Option(metavar="N", help="Steps of the optimizer.")] = 200,
    optimizer: Annotated[
        str, typer.Option(metavar="NAME", help="adam, or lbfgs, which comes further in as many steps.")
    ] = "adam",
    strength: Annotated[float, typer.Option(metavar="X", help="What the style counts beside the content.")] = 8.0,
    smoothness: Annotated[float, typer.Option(metavar="X", help="What smooth colours count.")] = 5.0,
    keep_colours: Annotated[bool, typer.Option("--keep-colours", help="Keep the colours of the photo.")] = False,
    previews: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the picture after every 25 steps into this folder.")
    ] = None,
) -> None:
    """Paint a photo in the style of a painting.

    The picture is changed until a network that has learned to see finds in it the content of the photo and the style of the
    painting.
    """
    import sys
    import time

    from ..constraints import Interval
    from ..errors import ParameterError
    from ..images.writing import as_pixels, write_picture
    from ..tasks.style.bodies import style_body
    from ..tasks.style.transfer import transfer
    from .console import is_terminal, out, plain, waiting
    from .options import path_to_write

    for name, value, low in (("--size", size, 32), ("--steps", steps, 1)):
        Interval(int, low).check("", name, value)
    place = path_to_write("--output", output)
    if previews is not None and not previews.is_dir():
        raise ParameterError(f"--previews: the folder {str(previews)!r} does not exist. Make it first.")
    content, look = _read(photo, size), _read(painting, size)
    with waiting("Reading the network ..."):
        found = style_body(body)
    begun = time.perf_counter()

    def show(done: int, picture: Any, value: float) -> None:
        left = (time.perf_counter() - begun) / done * (steps - done)
        line = f"step {done}/{steps}  objective {value:.4g}  {left:.0f} s left"
        if is_terminal():
            sys.stdout.write(f"\r{line}\x1b[K" + ("\n" if done == steps else ""))
            sys.stdout.flush()
        else:
            plain(line)
        if previews is not None:
            write_picture(as_pixels(picture), previews / f"step{done:04}.png")

    made = transfer(
        content, look, found, steps=steps, optimizer=optimizer, style_weight=strength, smoothness=smoothness,
        keep_colours=keep_colours, on_step=show, every=25,
    )  # fmt: skip
    write_picture(made, place)
    out().print(f"Saved {place}", style="bold green", soft_wrap=True)


def _read(path: Path, size: int) -> Any:
    """The pixels, with the longer side of this size."""
    from ..images.picture import read_header, read_picture

    header = read_header(path)
    scale = size / max(header.height, header.width)
    height, width = (max(1, round(scale * side)) for side in (header.height, header.width))
    return read_picture(path, channels=3, size=(height, width))
