"""From good pictures and settings to a training of a network that restores spoilt ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, ImageError
from ...images import picture_files, read_picture
from ...images.folder import own_parts
from ...images.picture import read_header
from ...model import Network
from ...optimizers import OneCycle
from ...training.settings import FitSettings
from ..tabular import inner_share
from ..task import PreparedNetwork
from ..task_model import Samples
from ..words import training_text
from . import TASK
from .degradation import Degradation, Pair
from .patch_data import PatchData
from .restoration_model import RestorationModel, as_picture, pictures_of_npz
from .settings import RestorationSettings

__all__ = ["PictureParts", "pairs_of", "prepare", "read", "resume"]

Array = NDArray[Any]
#: Pixels of all pictures that are held at once; of the larger ones only a part is then learned from.
_MOST_PIXELS = 200_000_000
#: Epochs, samples of a step and the peak of the learning rate where none are set; the share of training in which it rises.
_EPOCHS, _BATCH, _RATE, _WARM = 30, 16, 0.002, 0.1
#: How much red, green and blue count in a grey picture.
_GREY = np.array([[0.299], [0.587], [0.114]], np.float32)
#: Patches to validate on.
_VALIDATION = 256


class PictureParts(NamedTuple):
    """Pictures to train on, to validate on and to test on: paths of files, or arrays; empty for a part that there is not.

    Parameters  channels : of the pictures ; notes : sentences about them
    """

    train: list[Any]
    validation: list[Any]
    test: list[Any]
    channels: int
    notes: list[str]


def read(settings: RestorationSettings) -> PictureParts:
    """The pictures in parts. Raises  ImageError that names the file or folder ; DataError for too few pictures"""
    places: dict[str, Path | None] = {"train": settings.data, "validation": settings.validation, "test": settings.test}
    if own := own_parts(settings.data):
        places = {part: place if part != "train" and place else own.get(part) for part, place in places.items()}
    found = {part: _found(place) for part, place in places.items() if place is not None}
    notes: list[str] = []
    if settings.broken == "skip":
        for part, sources in found.items():
            good = [one for one in sources if _is_readable(one)]
            if len(good) < len(sources):
                notes.append(f"{len(sources) - len(good):,} pictures of the {part} part cannot be read and are left out.")
            found[part] = good
    return divided(found, settings, notes)


def divided(found: Mapping[str, list[Any]], settings: RestorationSettings, notes: list[str]) -> PictureParts:
    """The parts, with those that are missing taken off the training part at random."""
    parts = dict(found)
    if not parts["train"]:
        raise ImageError(f"{settings.data}: there is no picture in it that can be read.")
    rng = np.random.default_rng(settings.random_state)
    channels = settings.channels or (1 if all(map(_is_grey, parts["train"])) else 3)
    if settings.task == "colour":
        colourful = [one for one in parts["train"] if not _is_grey(one)]
        if not colourful:
            raise DataError(f"{settings.data}: all pictures are grey. Colours are learned from pictures that have some.")
        for part, sources in parts.items():
            kept = [one for one in sources if not _is_grey(one)]
            if len(kept) < len(sources):
                notes.append(f"{len(sources) - len(kept):,} pictures of the {part} part are grey and are left out.")
            parts[part] = kept
    share = settings.shares[0]
    if "test" not in parts and share:
        parts["train"], parts["test"] = _taken_off(parts["train"], share, rng, settings, "--test-fraction")
    share = 0.0 if "validation" in parts else inner_share(settings, len(parts["train"]))
    if share:
        parts["train"], parts["validation"] = _taken_off(parts["train"], share, rng, settings, "--validation-fraction")
    return PictureParts(parts["train"], parts.get("validation", []), parts.get("test", []), channels, notes)


def _found(place: Path) -> list[Any]:
    if place.suffix.lower() == ".npz" and not place.is_dir():
        return list(pictures_of_npz(place))
    if place.is_file():
        return [place]
    files: list[Any] = list(picture_files(place))
    if not files:
        raise ImageError(f"{place}: there is no picture in it (PNG, JPEG, BMP, GIF, WebP or TIFF).")
    return files


def _is_readable(source: Any) -> bool:
    try:
        if isinstance(source, Path):
            read_picture(source, channels=1)
    except ImageError:
        return False
    return True


def _is_grey(source: Any) -> bool:
    return read_header(source).grey if isinstance(source, Path) else np.ndim(source) == 2 or np.shape(source)[-1] == 1


def _taken_off(
    sources: list[Any], share: float, rng: np.random.Generator, settings: RestorationSettings, option: str
) -> tuple[list[Any], list[Any]]:
    held = max(1, round(share * len(sources)))
    if held >= len(sources):
        raise DataError(
            f"{settings.data}: of {len(sources)} pictures none is left to learn from. Give more pictures, or {option} 0."
        )
    order = rng.permutation(len(sources))
    return [sources[i] for i in sorted(order[held:])], [sources[i] for i in sorted(order[:held])]


# ---------------------------------------------------------------- pairs and patches


def pairs_of(
    sources: Sequence[Any], degradation: Degradation, channels: int, side: int, where: str
) -> tuple[list[Pair], int]:
    """The pairs of pictures that hold a patch of this side, and how many pictures are too small for one.

    Raises      DataError where all are too small
    """
    most = max(side * side, _MOST_PIXELS // len(sources))
    pairs: list[Pair] = []
    smallest: tuple[int, ...] = ()
    for i, source in enumerate(sources):
        picture = _bytes_of(source, channels, f"{where}: picture {i}")
        if degradation.task != "colour":
            picture = _part(picture, most)
        try:
            pair = degradation.pair(picture)
        except DataError as error:
            raise DataError(f"{source if isinstance(source, Path) else f'{where}: picture {i}'}: {error}") from error
        sizes = [
            shrink * n
            for array, shrink in zip(pair, (degradation.source_shrink, degradation.target_shrink), strict=True)
            for n in array.shape[:2]
        ]
        if min(sizes) >= side:
            pairs.append(pair)
        else:
            smallest = picture.shape[:2]
    if not pairs:
        raise DataError(
            f"{where}: all pictures are smaller than a patch of {side} × {side} pixels, such as one of {smallest[0]} × "
            f"{smallest[1]}. Give larger pictures, or a smaller --patch."
        )
    return pairs, len(sources) - len(pairs)


def _bytes_of(source: Any, channels: int, name: str) -> Array:
    if isinstance(source, Path):
        return read_picture(source, channels=channels)
    picture = as_picture(source, name)
    if picture.shape[2] != channels:
        picture = (
            np.repeat(picture, 3, axis=2) if channels == 3 else picture @ np.array([[0.299], [0.587], [0.114]], np.float32)
        )
    found: Array = np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    return found


def _part(picture: Array, most: int) -> Array:
    """The middle of a picture that has more pixels than that."""
    height, width = picture.shape[:2]
    if height * width <= most:
        return picture
    shrink = math.sqrt(most / (height * width))
    h, w = max(1, int(height * shrink)), max(1, int(width * shrink))
    top, left = (height - h) // 2, (width - w) // 2
    return picture[top : top + h, left : left + w].copy()


def _side(sources: Sequence[Any], degradation: Degradation, settings: RestorationSettings) -> int:
    """The side of the patches: as most pictures are large enough for."""
    if settings.patch is not None:
        return settings.patch
    least = 16
    sides = []
    for source in sources[:: max(1, len(sources) // 500)]:
        size = read_header(source)[:2] if isinstance(source, Path) else np.shape(source)[:2]
        scale = min(1.0, 256 / max(size)) if degradation.task == "colour" else 1.0
        sides.append(scale * min(size))
    step = math.lcm(degradation.step, 4)
    return max(least, min(degradation.patch, int(np.quantile(sides, 0.1)) // step * step))


# ---------------------------------------------------------------- preparing


def prepare(data: PictureParts, settings: RestorationSettings) -> PreparedNetwork:
    """A new network for the pictures, and its training."""
    degradation = settings.degradation(data.channels)
    side = _side(data.train, degradation, settings)
    network = degradation.network(
        side, width=max(1, settings.width // 2) if settings.task == "colour" else settings.width, depth=settings.depth,
        random_state=settings.random_state, dtype=settings.dtype,
    )  # fmt: skip
    train, validation = _patch_data(data, degradation, side, settings.patches, str(settings.data))
    degradation.study(train.pairs)
    epochs, batch = settings.epochs or _EPOCHS, min(settings.batch_size or _BATCH, settings.patches)
    optimizer = settings.make_optimizer()
    rate = settings.learning_rate or (_RATE if settings.optimizer is None else float(optimizer.learning_rate))
    steps = epochs * math.ceil(settings.patches / batch)
    fit = FitSettings.of(
        {
            "loss": degradation.loss,
            "optimizer": optimizer,
            # It falls to 0 over the epochs, so the weights of the last one are the best.
            "learning_rate": OneCycle(rate, total=steps, warm=_WARM),
            "epochs": epochs,
            "batch_size": batch,
            "validation_data": validation,
            "metrics": list(degradation.metrics),
            "class_weight": degradation.class_weight,
            **settings.machine(),
        }
    )
    return PreparedNetwork(
        TASK,
        f"{settings.data}: {len(data.train):,} pictures, {degradation.task}",
        network,
        (train,),
        fit,
        lambda trained, facts: RestorationModel(trained, degradation, facts),
        settings.data.resolve().name,
        len(data.train),
        description=_description(settings, data, degradation, network, fit, side),
        facts={"patches": f"{settings.patches:,} of {side} × {side} pixels an epoch"},
        test=_test_samples(data, degradation, network),
        units={"loss": "nats per pixel" if degradation.loss != "squared_error" else "squared error", "psnr": "decibels"},
    )


def _patch_data(
    data: PictureParts, degradation: Degradation, side: int, patches: int, where: str
) -> tuple[PatchData, PatchData | None]:
    pairs, small = pairs_of(data.train, degradation, data.channels, side, where)
    if small:
        data.notes.append(f"{small:,} pictures are smaller than a patch of {side} × {side} pixels and are left out.")
    train = PatchData(pairs, degradation, side=side, count=patches)
    if not data.validation:
        return train, None
    held, _ = pairs_of(data.validation, degradation, data.channels, side, where)
    return train, PatchData(held, degradation, side=side, count=min(_VALIDATION, max(1, patches // 4)))


def _test_samples(data: PictureParts, degradation: Degradation, network: Network) -> Samples | None:
    if not data.test:
        return None
    return RestorationModel(network, degradation).read(list(data.test), spoil=True)


def resume(model: RestorationModel, settings: RestorationSettings) -> PreparedNetwork:
    """More training of the network of a model, with its own settings where none is set."""
    degradation = model.degradation
    sources = _found(settings.data)
    inside = model.network.input_shapes
    assert inside is not None
    side = inside[0][0] * degradation.source_shrink
    test: list[Any] = []
    if settings.keeps_test_part:
        if settings.test is not None:
            test = _found(settings.test)
        else:
            rng = np.random.default_rng(settings.random_state)
            sources, test = _taken_off(sources, settings.shares[0], rng, settings, "--test-fraction")
    data = PictureParts(sources, [], test, degradation.channels or 3, [])
    train, _ = _patch_data(data, degradation, side, settings.patches, str(settings.data))
    degradation.study(train.pairs)
    return PreparedNetwork(
        TASK,
        f"{settings.data}: {len(sources):,} pictures, {degradation.task}",
        model.network,
        (train,),
        settings.resumed(model.network),
        lambda network, facts: RestorationModel(network, degradation, {**model.facts, **facts}),
        settings.data.resolve().name,
        len(sources),
        test=_test_samples(data, degradation, model.network),
    )


def _description(
    settings: RestorationSettings,
    data: PictureParts,
    degradation: Degradation,
    network: Network,
    fit: FitSettings,
    side: int,
) -> list[tuple[str, str]]:
    counts = [len(part) for part in data[:3]]
    kind = "U-Net" if degradation.task == "colour" else f"{settings.depth} convolutions"
    rate: Any = fit.learning_rate
    return [
        ("Data", f"{settings.data}: {sum(counts):,} pictures to learn to {degradation.task}"),
        *degradation.description(),
        ("Patches", f"{settings.patches:,} of {side} × {side} pixels an epoch"),
        ("Split", f"{counts[0]:,} pictures to train on, {counts[1]:,} to validate on, {counts[2]:,} to test on"),
        *(("Note", note) for note in data.notes),
        ("Network", f"{kind}, {network.parameters.count:,} parameters"),
        ("Training", f"{training_text(fit)}, rate up to {rate.peak:g}"),
    ]
