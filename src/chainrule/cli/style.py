"""``chainrule style``: a photo as a painter would have painted it, by steps on its pixels or by a network of one style."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["style"]

#: The longer side of a result, and the sides of photos that a network learns from, where none is given.
_SIZE = 256
#: The options of each use. By steps a photo is changed; a network paints it by one pass; training makes such a network.
_BY_STEPS = ("body", "size", "steps", "optimizer", "strength", "smoothness", "keep_colours", "previews")
_BY_NETWORK = ("size", "keep_colours")
_OF_TRAINING = (
    "body", "size", "strength", "smoothness", "previews", "epochs", "batch_size", "width", "learning_rate", "seed",
)  # fmt: skip


def style(
    what: Annotated[
        list[Path],
        typer.Argument(
            metavar="PHOTO PAINTING|MODEL | train PHOTOS/ PAINTING",
            help="The picture whose content is kept, and the one whose style is taken or a model that has learned a style; "
            "or the word train, a folder of photos and the painting whose style is learned.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write the result (.png, .jpg, ...) or the model. [default: styled.png or style.chainrule]",
        ),
    ] = None,
    body: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="The network that looks: SqueezeNet's weights (.npz), a model or a network of another library, or a ready "
            "one. [default: efficientnet-lite0]",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="The longer side of the result; in training, the sides of the photos. [default: 256; a model keeps the "
            "photo's size]",
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="Steps of the optimizer. [default: 200]")] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="adam, or lbfgs, which comes further in as many steps. [default: adam]"),
    ] = None,
    strength: Annotated[
        float | None, typer.Option(metavar="X", help="What the style counts beside the content. [default: 8]")
    ] = None,
    smoothness: Annotated[float | None, typer.Option(metavar="X", help="What smooth colours count. [default: 5]")] = None,
    keep_colours: Annotated[bool, typer.Option("--keep-colours", help="Keep the colours of the photo.")] = False,
    previews: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write the picture into this folder after every 25 steps, or every epoch of a training."
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="train: passes over the photos. [default: 4]")] = None,
    batch_size: Annotated[int | None, typer.Option(metavar="N", help="train: photos in a step. [default: 4]")] = None,
    width: Annotated[int | None, typer.Option(metavar="N", help="train: channels at full size. [default: 16]")] = None,
    learning_rate: Annotated[float | None, typer.Option(metavar="X", help="train: step size. [default: 0.001]")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="train: makes the result repeatable.")] = None,
) -> None:
    """Paint a photo in the style of a painting.

    chainrule style photo.jpg painting.jpg -o out.png changes the photo until a network that has learned to see finds in it
    the content of the photo and the style of the painting. chainrule style train PHOTOS/ painting.jpg -o painter.chainrule
    trains a network of this style, and chainrule style photo.jpg painter.chainrule then paints any photo at once.
    """
    from ..constraints import Interval
    from ..errors import ParameterError
    from ..images.picture import SUFFIXES
    from ..images.writing import check_picture_path
    from .options import path_to_write

    given: dict[str, Any] = {
        "body": body, "size": size, "steps": steps, "optimizer": optimizer, "strength": strength, "smoothness": smoothness,
        "keep_colours": keep_colours or None, "previews": previews, "epochs": epochs, "batch_size": batch_size,
        "width": width, "learning_rate": learning_rate, "seed": seed,
    }  # fmt: skip
    training = str(what[0]) == "train"
    if len(what) != 2 + training:
        raise ParameterError(
            "chainrule style: give a photo and a painting or a model; or the word train, a folder of photos and a painting."
        )
    with_model = not training and what[1].suffix.lower() not in SUFFIXES
    known, use = (
        (_OF_TRAINING, "training") if training
        else (_BY_NETWORK, "painting with a model") if with_model
        else (_BY_STEPS, "painting like a picture")
    )  # fmt: skip
    foreign = next((name for name, value in given.items() if value is not None and name not in known), None)
    if foreign is not None:
        raise ParameterError(f"--{foreign.replace('_', '-')} is not for {use}. Leave it out.")
    for name, low in (("size", 32), ("steps", 1), ("epochs", 1)):
        if given[name] is not None:
            Interval(int, low).check("", f"--{name}", given[name])
    for name in ("strength", "smoothness"):
        if given[name] is not None:
            Interval(float, 0).check("", f"--{name}", given[name])
    place = path_to_write("--output", output or Path("style.chainrule" if training else "styled.png"))
    if not training:
        check_picture_path(place)
    if previews is not None and not previews.is_dir():
        raise ParameterError(f"--previews: the folder {str(previews)!r} does not exist. Make it first.")
    chosen = {name: value for name, value in given.items() if value is not None and name not in ("body", "size", "previews")}
    for typed, name in (("strength", "style_weight"), ("seed", "random_state")):
        if typed in chosen:
            chosen[name] = chosen.pop(typed)
    if training:
        _train(what[1], what[2], place, body, size or _SIZE, previews, chosen)
    elif with_model:
        _paint_with_model(what[0], what[1], place, size, keep_colours)
    else:
        _paint_by_steps(what[0], what[1], place, body, size or _SIZE, previews, chosen)


def _paint_by_steps(
    photo: Path, painting: Path, place: Path, body: str | None, size: int, previews: Path | None, chosen: dict[str, Any]
) -> None:
    import sys
    import time

    from ..images.writing import as_pixels, write_picture
    from ..tasks.style.bodies import style_body
    from ..tasks.style.transfer import STEPS, transfer
    from .console import is_terminal, out, plain, waiting

    content, look = _read(photo, size), _read(painting, size)
    with waiting("Reading the network ..."):
        found = style_body(body)
    begun, steps = time.perf_counter(), chosen.pop("steps", STEPS)

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

    write_picture(transfer(content, look, found, steps=steps, on_step=show, every=25, **chosen), place)
    out().print(f"Saved {place}", style="bold green", soft_wrap=True)


def _paint_with_model(photo: Path, model: Path, place: Path, size: int | None, keep_colours: bool) -> None:
    from ..images.picture import read_picture
    from ..images.writing import write_picture
    from ..tasks.style.style_network import StyleNetwork
    from .console import out, waiting

    painter = StyleNetwork.load(model)
    picture = read_picture(photo, channels=3) if size is None else _read(photo, size)
    with waiting(f"Painting {photo} ..."):
        made = painter.predict(picture, keep_colours=keep_colours)
    write_picture(made, place)
    out().print(f"Saved {place}", style="bold green", soft_wrap=True)


def _train(
    photos: Path, painting: Path, place: Path, body: str | None, size: int, previews: Path | None, chosen: dict[str, Any]
) -> None:
    import numpy as np

    from ..errors import ImageError
    from ..images.folder import picture_files
    from ..images.picture import read_picture
    from ..tasks.style.bodies import style_body
    from ..tasks.style.style_network import StyleNetwork
    from .console import out, plain, waiting

    files = picture_files(photos)
    if not files:
        raise ImageError(f"{photos}: there is no picture in it.")
    side = size - size % 4
    with waiting(f"Reading {photos} ..."):
        look = _read(painting, size)
        pictures = np.stack([read_picture(file, channels=3, size=(side, side), fit="crop") for file in files])
    with waiting("Reading the network ..."):
        found = style_body(body)
    plain(f"{len(files):,} photos, {side} × {side}")
    painter = StyleNetwork(verbose=1, **chosen)
    callbacks = [] if previews is None else [_previews(previews, painter.predict, pictures[0])]
    painter.fit(pictures, look, found, callbacks=callbacks).save(place)
    out().print(f"Saved {place}", style="bold green", soft_wrap=True)
    plain(f"Next:  chainrule style PHOTO {place} -o out.png")


def _previews(folder: Path, paint: Callable[[Any], Any], photo: Any) -> Any:
    """A callback that writes a photo as the network paints it after each epoch."""
    from ..images.writing import write_picture
    from ..training import Callback

    class Previews(Callback):
        def on_epoch_end(self, state: Any, epoch: int, logs: Any) -> None:
            write_picture(paint(photo), folder / f"epoch{epoch:03}.png")

    return Previews()


def _read(path: Path, size: int) -> Any:
    """The pixels, with the longer side of this size."""
    from ..images.picture import read_header, read_picture

    header = read_header(path)
    scale = size / max(header.height, header.width)
    height, width = (max(1, round(scale * side)) for side in (header.height, header.width))
    return read_picture(path, channels=3, size=(height, width))
