"""A picture of what a detector found: boxes that are right, that are claimed wrongly, and that were missed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .figures import PALETTE, check_picture_path, new_figure, save_figure

__all__ = ["BoxedPicture", "box_picture"]

_RIGHT, _WRONG, _MISSED = PALETTE[0], PALETTE[1], "#e6c700"
_ACROSS = 4


@dataclass(frozen=True)
class BoxedPicture:
    """One picture and its boxes.

    Parameters
        picture (H, W), (H, W, 1) or (H, W, 3) ; name : above it ; boxes (n, 4) : left, top, right, bottom ; labels, scores :
        of each ; right (n,) : whether it is ; missed (m, 4), missed_labels : true boxes that were not found
    """

    picture: NDArray[Any]
    name: str
    boxes: NDArray[np.float64]
    labels: Sequence[str]
    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    missed: NDArray[np.float64]
    missed_labels: Sequence[str]


def box_picture(
    pictures: Sequence[BoxedPicture], path: str | os.PathLike[str], *, title: str = "", judged: bool = True
) -> Path:
    """Draws pictures with their boxes: blue where right, orange where claimed wrongly, yellow and dashed where missed.

    Parameters  judged : whether it is known what is right; else all boxes are blue
    Returns     the path
    Raises      DataError without a picture ; ParameterError when the file cannot be written ; MissingDependencyError
    """
    place = check_picture_path(path)
    if not pictures:
        raise DataError("box_picture: there is no picture to draw.")
    across = min(_ACROSS, len(pictures))
    down = -(-len(pictures) // across)
    shape = pictures[0].picture.shape
    tall = 3.1 * min(2.0, max(0.4, shape[0] / shape[1]))
    figure = new_figure(3.1 * across + 0.2, (tall + 0.3) * down + 0.7, title)
    grid = figure.subplots(down, across, squeeze=False)
    for axes, entry in zip(grid.flat, [*pictures, *[None] * (across * down - len(pictures))], strict=True):
        axes.axis("off")
        if entry is not None:
            _cell(axes, entry)
    if judged:
        from matplotlib.lines import Line2D

        kinds: Any = (("right", _RIGHT, "-"), ("claimed wrongly", _WRONG, "-"), ("missed", _MISSED, "--"))
        handles = [Line2D([], [], color=colour, linestyle=style, label=name) for name, colour, style in kinds]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return save_figure(figure, place)


def _cell(axes: Any, entry: BoxedPicture) -> None:
    picture = entry.picture[..., 0] if entry.picture.ndim == 3 and entry.picture.shape[2] == 1 else entry.picture
    axes.imshow(picture, cmap="gray" if picture.ndim == 2 else None)
    axes.set_title(entry.name[-28:], fontsize=8)
    for box, label, score, right in zip(entry.boxes, entry.labels, entry.scores, entry.right, strict=True):
        _frame(axes, box, f"{label} {score:.2f}" if not right else label, _RIGHT if right else _WRONG, "-")
    for box, label in zip(entry.missed, entry.missed_labels, strict=True):
        _frame(axes, box, label, _MISSED, "--")


def _frame(axes: Any, box: NDArray[np.float64], text: str, colour: str, style: str) -> None:
    from matplotlib.patches import Rectangle

    left, top, right, bottom = box.tolist()
    axes.add_patch(
        Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, linestyle=style, linewidth=1.2)
    )
    axes.text(left, top, text, fontsize=5, color="white", va="bottom", clip_on=True,
              bbox={"facecolor": colour, "edgecolor": "none", "pad": 0.6, "alpha": 0.85})  # fmt: skip
