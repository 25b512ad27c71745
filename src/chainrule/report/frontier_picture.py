"""The picture of a frontier: what a network loses and gains as its weights become fewer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .figures import PALETTE, check_picture_path, new_figure, save_figure, tidy

if TYPE_CHECKING:
    from ..sparsity import Frontier

__all__ = ["frontier_picture"]

_X = "weights removed (%)"


def frontier_picture(frontier: Frontier, path: str | os.PathLike[str], *, title: str = "") -> Path:
    """Draws the measure, the times of predictions and the sizes over the share of weights that are removed.

    Parameters  path : of the picture, .png, .svg, .pdf or .jpg ; title : above the three panels
    Returns     the path
    Raises      ParameterError when the file cannot be written ; MissingDependencyError without matplotlib
    """
    place, steps, dense, best = check_picture_path(path), frontier.steps, frontier.dense, frontier.recommended
    x = [100 * step.sparsity for step in steps]
    figure = new_figure(13.0, 3.9, title)
    left, middle, right = figure.subplots(1, 3)
    left.plot(x, [step.score for step in steps], "o-", color=PALETTE[0], linewidth=2)
    least = dense.score - frontier.tolerance if frontier.measure.higher else dense.score * (1 + frontier.tolerance)
    left.axhline(least, color="0.5", linestyle="--", label="what is tolerated")
    left.plot([100 * best.sparsity], [best.score], "o", color=PALETTE[1], markersize=11, label="recommended")
    left.legend(frameon=False)
    tidy(left, _X, frontier.measure.name, "On held-out samples")
    for colour, batch in zip(PALETTE, dense.seconds, strict=False):
        speed = [dense.seconds[batch] / step.seconds[batch] for step in steps]
        many = "1 sample" if batch == 1 else f"{batch:,} samples"
        middle.plot(x, speed, "o-", color=colour, linewidth=2, label=many)
    middle.axhline(1, color="0.5", linewidth=1)
    middle.legend(frameon=False)
    tidy(middle, _X, "times as fast as dense", "Prediction on this machine")
    for colour, name, kind in ((PALETTE[0], "file", "file_bytes"), (PALETTE[1], "memory of the weights", "memory_bytes")):
        share = [100 * getattr(step, kind) / getattr(dense, kind) for step in steps]
        right.plot(x, share, "o-", color=colour, linewidth=2, label=name)
    right.set_ylim(0, None)
    right.legend(frameon=False)
    tidy(right, _X, "% of the dense network", "Size")
    return save_figure(figure, place)
