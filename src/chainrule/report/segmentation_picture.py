"""The picture of a segmentation: what was predicted, laid over the pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval
from ..errors import ParameterError, ShapeError
from .figures import PALETTE, check_picture_path, new_figure, save_figure

__all__ = ["segmentation_picture"]

Array = NDArray[Any]
_RIGHT, _MISSED, _WRONG = PALETTE[2], PALETTE[5], PALETTE[1]


def segmentation_picture(
    pictures: Any,
    predicted: Any,
    path: str | os.PathLike[str],
    *,
    true: Any = None,
    class_names: Sequence[str] | None = None,
    background: int | None = 0,
    columns: int = 4,
    title: str = "",
) -> Path:
    """Draws masks over pictures, one panel each.

    Of one region and with the truth, green is what was found, blue what was missed, and orange what was claimed wrongly,
    with the Dice coefficient above. Of several classes each has a colour; with the truth, the true masks stand below the
    predicted.

    Parameters
        pictures : (N, H, W), (N, H, W, 1) or (N, H, W, 3), grey values of any range or colours in [0, 1] or 0 .. 255
        predicted : (N, H, W) or (N, H, W, 1) of bool or 0 and 1 for one region, of class indices for several
        path : of the picture, .png, .svg, .pdf or .jpg ; true : as predicted, or None
        class_names : of the classes 0, 1, ... ; background : the class that is not coloured, None colours all
        columns : panels side by side ; title : above the panels
    Returns     the path
    Raises      ShapeError when masks and pictures do not have one size ; ParameterError when nothing is to be drawn, or
                the file cannot be written ; MissingDependencyError

    Example
        >>> import tempfile
        >>> picture = np.zeros((1, 8, 8))
        >>> segmentation_picture(picture, picture > 0, Path(tempfile.mkdtemp()) / "masks.png").name
        'masks.png'
    """
    place = check_picture_path(path)
    shown = np.asarray(pictures)
    if shown.ndim == 3:
        shown = shown[..., None]
    if shown.ndim != 4 or shown.shape[-1] not in (1, 3) or not shown.size:
        raise ShapeError(f"segmentation_picture: expected pictures (N, H, W, 1 or 3). Got {np.asarray(pictures).shape}.")
    found = _masks("predicted", predicted, shown)
    truth = None if true is None else _masks("true", true, shown)
    columns = Interval(int, 1).check("segmentation_picture", "columns", columns)
    region = max(int(m.max()) for m in (found, truth) if m is not None) <= 1 and class_names is None
    count = len(shown)
    across = min(columns, count)
    repeated = 1 if region or truth is None else 2
    rows = -(-count // across) * repeated
    height, width = shown.shape[1:3]
    figure = new_figure(2.4 * across, 2.4 * rows * height / width + 0.25 * rows + 0.7, title)
    panels = figure.subplots(rows, across, squeeze=False)
    for axes in panels.flat:
        axes.axis("off")
    entries: dict[str, str] = {}
    for i in range(count):
        row, column = divmod(i, across)
        axes = panels[row * repeated, column]
        if region:
            layers, entries = _region(found[i], None if truth is None else truth[i])
            _draw(axes, shown[i], layers)
            if truth is not None:
                axes.set_title(f"Dice {_dice(found[i], truth[i]):.2f}", fontsize=9)
            continue
        for below, (word, masks) in enumerate((("predicted", found), ("true", truth))):
            if masks is not None:
                axes = panels[row * repeated + below, column]
                _draw(axes, shown[i], _classes(masks[i], class_names, background, entries))
                axes.set_title(word, fontsize=9)
    if entries:
        from matplotlib.patches import Patch

        patches = [Patch(color=colour, label=name) for name, colour in entries.items()]
        figure.legend(handles=patches, loc="outside lower center", ncols=min(len(patches), 6), frameon=False, fontsize=9)
    return save_figure(figure, place)


def _masks(name: str, masks: Any, pictures: Array) -> Array:
    array = np.asarray(masks)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.shape != pictures.shape[:3]:
        raise ShapeError(
            f"segmentation_picture: {name} has shape {np.asarray(masks).shape}, the pictures need masks of shape "
            f"{pictures.shape[:3]}. A mask has the size of its picture."
        )
    if array.dtype.kind == "f" and not (array == np.rint(array)).all():
        raise ParameterError(
            f"segmentation_picture: {name} must hold class indices, or 0 and 1. For probabilities of one region give "
            f"p > 0.5, for classes p.argmax(axis=-1)."
        )
    return array.astype(np.int64)


def _draw(axes: Any, picture: Array, layers: list[tuple[Array, str]]) -> None:
    from matplotlib.colors import to_rgb

    values = picture.astype(np.float64)
    if picture.shape[-1] == 3:
        base = values / 255 if values.max() > 1 else values
    else:
        low, high = values.min(), values.max()
        base = np.repeat((values - low) / (high - low if high > low else 1), 3, axis=-1)
    for mask, colour in layers:
        base = np.where(mask[..., None], 0.45 * base + 0.55 * np.array(to_rgb(colour)), base)
    axes.imshow(np.clip(base, 0, 1), interpolation="nearest")


def _region(found: Array, truth: Array | None) -> tuple[list[tuple[Array, str]], dict[str, str]]:
    here = found == 1
    if truth is None:
        return [(here, _RIGHT)], {"predicted": _RIGHT}
    there = truth == 1
    layers = [(here & there, _RIGHT), (~here & there, _MISSED), (here & ~there, _WRONG)]
    return layers, {"found": _RIGHT, "missed": _MISSED, "claimed wrongly": _WRONG}


def _classes(
    mask: Array, class_names: Sequence[str] | None, background: int | None, entries: dict[str, str]
) -> list[tuple[Array, str]]:
    layers = []
    for label in np.unique(mask):
        if label == background:
            continue
        colour = PALETTE[int(label) % len(PALETTE)]
        known = class_names is not None and 0 <= label < len(class_names)
        entries[class_names[label] if known and class_names is not None else f"class {label}"] = colour
        layers.append((mask == label, colour))
    return layers


def _dice(found: Array, truth: Array) -> float:
    total = int(found.sum() + truth.sum())
    return 2 * int((found & truth).sum()) / total if total else 1.0
