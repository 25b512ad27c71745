"""The picture of how much of the gradient reaches each step of a sequence."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError, ParameterError
from .figures import PALETTE, check_picture_path, new_figure, save_figure, tidy

__all__ = ["gradient_through_time_picture"]


def gradient_through_time_picture(
    panels: Mapping[str, Mapping[str, ArrayLike]], path: str | os.PathLike[str], *, title: str = ""
) -> Path:
    """Draws the norm of dhₜ over the steps, on a logarithmic scale; one panel a task, one line a network.

    Parameters
        panels : {title of the panel: {name of the line: (T,) norms}}, such as ``gradient_through_time`` gives
        path : of the picture, .png, .svg, .pdf or .jpg ; title : above the panels
    Returns     the path
    Raises      ParameterError when there is nothing to draw, or the file cannot be written ; DataError for norms that are
                negative or not one a step ; MissingDependencyError
    Example
        >>> import tempfile
        >>> norms = {"copy memory": {"SimpleRNN": [1e-6, 1e-3, 1.0], "LSTM": [0.5, 0.7, 1.0]}}
        >>> gradient_through_time_picture(norms, Path(tempfile.mkdtemp()) / "norms.png").name
        'norms.png'
    """
    place = check_picture_path(path)
    if not panels or not all(panels.values()):
        raise ParameterError("gradient_through_time_picture: there is no line to draw. Give {panel: {line: norms}}.")
    figure = new_figure(5.4 * len(panels), 3.9, title)
    for axes, (name, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        smallest = np.inf
        for (label, values), colour in zip(lines.items(), PALETTE * (1 + len(lines) // len(PALETTE)), strict=False):
            norms = np.asarray(values, np.float64)
            if norms.ndim != 1 or not norms.size or (norms < 0).any():
                raise DataError(f"{name}, {label}: expected one norm of at least 0 a step. Got shape {norms.shape}.")
            shown = np.where(norms > 0, norms, np.nan)
            if np.isfinite(shown).any():
                smallest = min(smallest, float(np.nanmin(shown)))
            axes.plot(np.arange(1, len(norms) + 1), shown, color=colour, linewidth=2, label=label)
        axes.set_yscale("log")
        if smallest < 1e-16:
            axes.set_ylim(bottom=1e-16)
        axes.legend(frameon=False, fontsize=10)
        tidy(axes, "step t", "‖dhₜ‖ (root mean square over samples)", name)
    save_figure(figure, place)
    return place
