"""``chainrule restore``: trains a network that restores pictures, and restores pictures with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["restore"]


def restore(
    what: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL PICTURES | train PHOTOS/",
            help="A model and pictures to restore; or the word train and a folder of good pictures.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|FOLDER",
            help="Where to write the picture, several pictures, or the model. [default: restored.png or restorer.chainrule]",
        ),
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="NAME", help="train: denoise or colour. [default: denoise]")] = None,
    sigma: Annotated[
        str | None, typer.Option(metavar="LOW:HIGH", help="train: strength of the noise in bytes. [default: 0:55]")
    ] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="train: passes over the patches. [default: 10]")] = None,
    patches: Annotated[int | None, typer.Option(metavar="N", help="train: patches of an epoch. [default: 8000]")] = None,
    width: Annotated[int | None, typer.Option(metavar="N", help="train: channels of the network. [default: 32]")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="train: makes the result repeatable.")] = None,
) -> None:
    """Take the noise out of pictures, or colour grey ones.

    chainrule restore train PHOTOS/ --task colour -o model.chainrule learns from good pictures; chainrule restore
    model.chainrule grey.jpg -o coloured.png restores one, and several into a folder.
    """
    from ..errors import ParameterError

    given = {"task": task, "sigma": sigma, "epochs": epochs, "patches": patches, "width": width, "random_state": seed}
    if str(what[0]) == "train":
        if len(what) != 2:
            raise ParameterError("chainrule restore train: give one folder of pictures.")
        chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if sigma is not None:
            chosen["sigma"] = _strengths(sigma)
        _train(what[1], output or Path("restorer.chainrule"), chosen)
        return
    unused = next((name for name, value in given.items() if value is not None), None)
    if unused:
        raise ParameterError(
            f"--{'seed' if unused == 'random_state' else unused} is for training: chainrule restore train PHOTOS/."
        )
    if len(what) < 2:
        raise ParameterError("chainrule restore: give a model and pictures, or the word train and a folder.")
    _restore(what[0], what[1:], output)


def _strengths(text: str) -> tuple[float, float]:
    from ..errors import ParameterError

    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise ParameterError(f"--sigma must be a number of bytes, or two such as 15:50. Got {text!r}.")
    return numbers[0], numbers[-1]


def _train(source: Path, place: Path, chosen: dict[str, Any]) -> None:
    from ..errors import ImageError
    from ..images.folder import picture_files
    from ..images.picture import read_header, read_picture
    from ..tasks.restoration.picture_restorer import PictureRestorer
    from .console import heading, out, plain, waiting
    from .options import path_to_write

    place = path_to_write("--output", place)
    files = picture_files(source)
    if len(files) < 2:
        raise ImageError(f"{source}: at least 2 pictures are needed, one of them to measure with. Found {len(files)}.")
    channels = 1 if all(read_header(file).grey for file in files) else 3
    with waiting(f"Reading {source} ..."):
        pictures = [read_picture(file, channels=channels) for file in files]
    held = max(1, len(pictures) // 10)
    plain(f"{len(pictures):,} pictures, {held} of them to measure with")
    model = PictureRestorer(verbose=1, **chosen).fit(pictures[held:])
    model.save(place)
    heading("On pictures that it has not learned from")
    for name, value in model.evaluate(pictures[:held]).items():
        plain(f"{name:24} {value:.2f}{' dB' if 'psnr' in name else ''}")
    out().print(f"\nSaved {place}", style="bold green", soft_wrap=True)
    plain(f"Next:  chainrule restore {place} PICTURE -o restored.png")


def _restore(model: Path, pictures: list[Path], output: Path | None) -> None:
    from ..errors import ParameterError
    from ..images.picture import read_header, read_picture
    from ..images.writing import as_pixels, write_picture
    from ..tasks.restoration.picture_restorer import PictureRestorer
    from .console import out

    made = PictureRestorer.load(model)
    several = len(pictures) > 1
    place = output or Path("restored" if several else "restored.png")
    if several and not place.is_dir():
        raise ParameterError(f"--output: several pictures go into a folder that exists. Make {str(place)!r} first.")
    for path in pictures:
        grey = read_header(path).grey or (made.task == "denoise" and made.network_.output_shapes[0][2] == 1)
        restored = made.predict(read_picture(path, channels=1 if grey else 3))
        target = place / f"{path.stem}.png" if several else place
        write_picture(as_pixels(restored), target)
        out().print(f"Saved {target}", style="bold green", soft_wrap=True)
