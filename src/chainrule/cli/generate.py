"""``chainrule generate``: trains a network that makes pictures, and makes pictures with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..tasks.picture_generation.picture_generator import PictureGenerator

__all__ = ["generate"]

#: The side that pictures of a folder are brought to, where none is given.
_SIZE = 32
#: Options that training reads, and those that making pictures reads.
_OF_TRAINING = ("epochs", "size", "objective", "width", "batch_size", "learning_rate")
_OF_MAKING = ("count", "labels", "truncation", "animation")


def generate(
    what: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL | train DATA",
            help="A model that makes pictures; or the word train and a folder of pictures (with one folder for each class, "
            "or pictures alone), or an .npz file.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write the pictures, side by side, or the model. [default: samples.png or generator.chainrule]",
        ),
    ] = None,
    count: Annotated[int | None, typer.Option("--count", "-n", metavar="N", help="How many pictures. [default: 64]")] = None,
    labels: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Of which classes, with commas between. [default: all by turns]")
    ] = None,
    truncation: Annotated[
        float | None, typer.Option(metavar="X", help="Draw numbers of the noise above this anew: more typical pictures.")
    ] = None,
    animation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a way from picture to picture as a .gif.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="train: passes over the pictures. [default: 20]")] = None,
    size: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="train: bring pictures of a folder to this side. [default: 32]")
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="train: hinge, non-saturating, least-squares or wasserstein. [default: hinge]"),
    ] = None,
    width: Annotated[int | None, typer.Option(metavar="N", help="train: channels of the first level. [default: 32]")] = None,
    batch_size: Annotated[int | None, typer.Option(metavar="N", help="train: pictures in a step. [default: 64]")] = None,
    learning_rate: Annotated[float | None, typer.Option(metavar="X", help="train: step size. [default: 0.002]")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Makes the result repeatable.")] = None,
) -> None:
    """Make new pictures like those of a collection.

    chainrule generate train PHOTOS/ -o model.chainrule learns from a folder; chainrule generate model.chainrule -n 64 -o
    grid.png makes pictures. Folders for classes make a generator that can be asked for a class.
    """
    from ..constraints import Interval
    from ..errors import ParameterError

    given = {
        "count": count, "labels": labels, "truncation": truncation, "animation": animation, "epochs": epochs, "size": size,
        "objective": objective, "width": width, "batch_size": batch_size, "learning_rate": learning_rate,
    }  # fmt: skip
    for name in ("count", "size", "epochs", "width"):
        if given[name] is not None:
            Interval(int, 1).check("", f"--{name}", given[name])
    training = str(what[0]) == "train"
    if len(what) != 1 + training:
        raise ParameterError("chainrule generate: give a model, or the word train and a folder or an .npz file.")
    unused = [name for name in (_OF_MAKING if training else _OF_TRAINING) if given[name] is not None]
    if unused:
        how = "making pictures, after the training" if training else "training, so write: chainrule generate train DATA"
        raise ParameterError(f"--{unused[0].replace('_', '-')} is for {how}.")
    if training:
        chosen = {name: given[name] for name in _OF_TRAINING if given[name] is not None}
        _train(what[1], output or Path("generator.chainrule"), seed, chosen)
    else:
        _make(what[0], output or Path("samples.png"), count or 64, labels, truncation, animation, seed)


def _train(source: Path, place: Path, seed: int | None, chosen: dict[str, Any]) -> None:
    from ..tasks.picture_generation.picture_generator import PictureGenerator
    from .console import heading, out, plain, waiting, warn
    from .options import path_to_write

    place = path_to_write("--output", place)
    size = chosen.pop("size", None)
    with waiting(f"Reading {source} ..."):
        pictures, labels = _read(source, size)
    classes = "" if labels is None else f" of {len(set(labels))} classes"
    plain(f"{len(pictures):,} pictures{classes}, {pictures.shape[1]} × {pictures.shape[2]}, {pictures.shape[3]} channel(s)")
    model = PictureGenerator(random_state=seed, verbose=1, **chosen).fit(pictures, labels)
    model.save(place)
    heading("What it makes")
    for name, value in model.evaluate(pictures, labels).items():
        plain(f"{name:18} {value:.4g}")
    for fault in model.faults_:
        warn(f"Fault: {fault}")
    out().print(f"\nSaved {place}", style="bold green", soft_wrap=True)
    plain(f"Next:  chainrule generate {place} -n 64 -o grid.png")


def _read(source: Path, size: int | None) -> tuple[Any, Any]:
    import numpy as np

    from ..errors import ImageError, ParameterError
    from ..images.folder import class_folders, picture_files
    from ..images.npz_file import read_npz
    from ..images.picture import read_header, read_picture

    if source.suffix.lower() == ".npz":
        if size is not None:
            raise ParameterError("--size is for folders: the pictures of an .npz file have their size.")
        arrays = read_npz(source)
        pictures = next((a for a in arrays.values() if a.ndim >= 3), None)
        if pictures is None:
            raise ImageError(f"{source}: there is no array of pictures (N, H, W) or (N, H, W, C) in it.")
        flat = (a for a in arrays.values() if a.ndim == 1 and len(a) == len(pictures))
        return pictures[..., None] if pictures.ndim == 3 else pictures, next(flat, None)
    folders = [e for e in source.iterdir() if e.is_dir() and not e.name.startswith(".")] if source.is_dir() else []
    named = class_folders(source) if folders else {"": picture_files(source)}
    files = [(name, file) for name, found in named.items() for file in found]
    if not files:
        raise ImageError(f"{source}: there is no picture in it.")
    side = _SIZE if size is None else size
    channels = 1 if all(read_header(file).grey for _, file in files) else 3
    pixels = np.stack([read_picture(file, channels=channels, size=(side, side), fit="crop") for _, file in files])
    return pixels, np.array([name for name, _ in files]) if folders else None


def _make(
    model: Path, place: Path, count: int, labels: str | None, truncation: float | None, animation: Path | None,
    seed: int | None,
) -> None:  # fmt: skip
    from ..images.writing import (
        check_animation_path,
        check_picture_path,
        picture_lattice,
        write_animation,
        write_picture,
    )
    from ..tasks.picture_generation.picture_generator import PictureGenerator
    from .console import out
    from .options import path_to_write

    place = check_picture_path(path_to_write("--output", place))
    if animation is not None:
        check_animation_path(path_to_write("--animation", animation))
    made: PictureGenerator = PictureGenerator.load(model)
    names = None if labels is None else [part.strip() for part in labels.split(",")]
    wanted = None if names is None else [names[i % len(names)] for i in range(count)]
    pictures = made.sample(count, labels=wanted, truncation=truncation, random_state=seed)
    write_picture(
        picture_lattice(pictures, columns=10 if made.classes_ is not None and len(made.classes_) == 10 else None), place
    )
    out().print(f"Saved {place}", style="bold green", soft_wrap=True)
    if animation is not None:
        frames = made.interpolate(label=None if names is None else names[0], random_state=seed)
        write_animation(list(frames), animation)
        out().print(f"Saved {animation}", style="bold green", soft_wrap=True)
