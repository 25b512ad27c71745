"""Figures as all pictures of chainrule have them: one set of colours, thin frames, files written with clear errors."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from ..errors import MissingDependencyError, ParameterError
from ..files import replacing

__all__ = ["PALETTE", "check_picture_path", "new_figure", "save_figure", "tidy"]

#: The colours of Okabe and Ito, which people with any colour vision can tell apart; from blue and orange on.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666", "#8B5A2B", "#000000")
_FORMATS = (".png", ".svg", ".pdf", ".jpg")


def check_picture_path(path: str | os.PathLike[str]) -> Path:
    """The path, when a picture can be written there; to be asked before a long fit, not after it.

    Raises      ParameterError for an unknown suffix or a missing folder ; MissingDependencyError without matplotlib
    """
    place = Path(path)
    if place.suffix.lower() not in _FORMATS:
        raise ParameterError(f"A picture is written to a file named {', '.join(_FORMATS)}. Got {os.fspath(path)!r}.")
    if not place.parent.is_dir():
        raise ParameterError(f"{os.fspath(path)!r}: the folder {os.fspath(place.parent)!r} does not exist. Make it first.")
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingDependencyError("matplotlib", "A picture", extra="plot")
    return place


def new_figure(width: float, height: float, title: str = "") -> Any:
    """A figure that belongs to no window, in inches."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingDependencyError("matplotlib", "A picture", extra="plot")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, fontsize=13)
    return figure


def tidy(axes: Any, x: str = "", y: str = "", title: str = "") -> None:
    """Labels, a light grid, and no frame above and to the right."""
    axes.set_xlabel(x, fontsize=11)
    axes.set_ylabel(y, fontsize=11)
    if title:
        axes.set_title(title, fontsize=11)
    if x.startswith("epoch"):
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(True, color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def save_figure(figure: Any, path: str | os.PathLike[str]) -> Path:
    """Writes the figure, whole or not at all; ParameterError when the file cannot be written."""
    place = check_picture_path(path)
    _as_written(figure)
    with replacing(place, what="picture", error=ParameterError) as file:
        figure.savefig(file, format=place.suffix[1:].lower())
    return place


def _as_written(figure: Any) -> None:
    """Shows names as they are written: a pair of $ is no mathematics, and a control character is no glyph."""
    texts = list(figure.texts)
    for axes in figure.axes:
        legend = axes.get_legend()
        texts += [
            axes.title,
            axes.xaxis.label,
            axes.yaxis.label,
            *axes.texts,
            *([] if legend is None else legend.get_texts()),
        ]
    if figure._suptitle is not None:
        texts.append(figure._suptitle)
    for text in texts:
        text.set_parse_math(False)
        text.set_text("".join("?" if ord(sign) < 32 and sign != "\n" else sign for sign in text.get_text()))
