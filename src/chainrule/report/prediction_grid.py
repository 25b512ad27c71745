"""The picture that shows what a classifier sees: pictures, what it takes them for, and how sure it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ParameterError, ShapeError
from .figures import PALETTE, check_picture_path, new_figure, save_figure

__all__ = ["prediction_grid"]

_RIGHT, _WRONG, _UNKNOWN = PALETTE[0], PALETTE[1], "0.25"
_LETTERS = 16


def prediction_grid(
    pictures: Sequence[NDArray[Any]],
    probabilities: NDArray[Any],
    classes: Sequence[str],
    path: str | os.PathLike[str],
    *,
    true: Sequence[int] | Sequence[str] | NDArray[Any] | None = None,
    title: str = "",
    columns: int | None = None,
) -> Path:
    """Draws pictures with the most probable class of each and its probability: blue where right, orange where wrong.

    A wrong one names the true class too and how probable it was held. Below each picture a bar shows the probability.

    Parameters
        pictures : at least one, each (H, W), (H, W, 1) or (H, W, 3), uint8 or floats from 0 to 1; sizes may differ
        probabilities : (N, K) ; classes : the K names ; path : of the picture, .png, .svg, .pdf or .jpg
        true : class numbers or names (N,), None where they are not known ; title : above all ; columns : None chooses
    Returns     the path
    Raises      ShapeError when lengths do not fit ; DataError when a true class is none of the K ; ParameterError when the
                file cannot be written ; MissingDependencyError
    Example
        >>> import tempfile
        >>> pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8), np.uint8)
        >>> p = np.array([[0.9, 0.1], [0.3, 0.7]])
        >>> prediction_grid(pixels, p, ["cat", "dog"], Path(tempfile.mkdtemp()) / "grid.png", true=[0, 0]).name
        'grid.png'
    """
    place = check_picture_path(path)
    p = np.asarray(probabilities, np.float64)
    n = len(pictures)
    if not n or p.shape != (n, len(classes)) or (true is not None and len(true) != n):
        raise ShapeError(
            f"prediction_grid: {n} pictures and {len(classes)} classes need probabilities ({n}, {len(classes)}) and as many "
            f"true classes. Got {p.shape}{'' if true is None else f' and {len(true)}'}, and at least one picture."
        )
    if columns is not None and (not isinstance(columns, (int, np.integer)) or columns < 1):
        raise ParameterError(f"prediction_grid: columns must be an int of at least 1. Got {columns!r}.")
    numbers = None if true is None else _numbers(true, classes)
    across = int(columns) if columns is not None else min(n, max(1, min(8, round(np.sqrt(1.6 * n)))))
    down = -(-n // across)
    figure = new_figure(1.55 * across + 0.2, 2.05 * down + (0.45 if title else 0.1), title)
    for i, axes in enumerate(figure.subplots(down, across, squeeze=False).flat):
        axes.set_xticks([])
        axes.set_yticks([])
        if i >= n:
            axes.axis("off")
            continue
        right = None if numbers is None else int(p[i].argmax()) == numbers[i]
        _cell(axes, _shown(pictures[i]), p[i], classes, None if numbers is None else numbers[i], right)
    return save_figure(figure, place)


def _numbers(true: Any, classes: Sequence[str]) -> list[int]:
    """The classes that are true as numbers, from numbers or names."""
    names = [str(name) for name in classes]
    given = np.asarray(true).tolist()
    found = [names.index(label) if isinstance(label, str) and label in names else label for label in given]
    for label in found:
        if isinstance(label, str) or label != int(label) or not 0 <= label < len(names):
            raise DataError(
                f"prediction_grid: a true class is a name or a number from 0 to {len(names) - 1}. Got {label!r}; the "
                f"classes are {', '.join(names)}."
            )
    return [int(label) for label in found]


def _cell(
    axes: Any, pixels: NDArray[Any], p: NDArray[np.float64], classes: Sequence[str], true: int | None, right: bool | None
) -> None:
    best = int(p.argmax())
    colour = _UNKNOWN if right is None else _RIGHT if right else _WRONG
    grey = pixels.ndim == 2
    small = max(pixels.shape[:2]) <= 64
    axes.imshow(
        pixels, cmap="gray" if grey else None, vmin=0, vmax=255 if pixels.dtype == np.uint8 else 1,
        interpolation="nearest" if small else "antialiased",
    )  # fmt: skip
    for side in axes.spines.values():
        side.set_color(colour)
        side.set_linewidth(2.2)
    axes.set_title(f"{_short(classes[best])} {100 * p[best]:.0f} %", fontsize=9, color=colour, pad=3, fontweight="bold")
    # The bar is as long as the probability; its empty part is light.
    bar = axes.inset_axes((0.0, -0.075, 1.0, 0.045))
    bar.barh([0], [1.0], color="0.9")
    bar.barh([0], [p[best]], color=colour)
    bar.set_xlim(0, 1)
    bar.axis("off")
    # A space, so that all rows are of one height.
    words = f"is {_short(classes[true])} ({100 * p[true]:.0f} %)" if right is False and true is not None else " "
    axes.set_xlabel(words, fontsize=8, color="0.25", labelpad=9)


def _shown(picture: NDArray[Any]) -> NDArray[Any]:
    pixels = np.asarray(picture)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim != 2 and not (pixels.ndim == 3 and pixels.shape[2] in (3, 4)):
        raise ShapeError(f"prediction_grid: a picture must be (H, W), (H, W, 1) or (H, W, 3). Got {pixels.shape}.")
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return (pixels >> 8).astype(np.uint8)
    low, high = float(pixels.min()), float(pixels.max())
    if low >= 0 and high <= 1:
        return pixels.astype(np.float64)
    return (pixels - low) / max(high - low, 1e-12)  # normalised pictures: their darkest and lightest are black and white


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…"
