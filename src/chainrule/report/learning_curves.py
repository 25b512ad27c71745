"""The picture that says how a fit went: each number of its history over the epochs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ParameterError
from .figures import PALETTE, check_picture_path, new_figure, save_figure, tidy

if TYPE_CHECKING:
    from ..training import History

__all__ = ["learning_curves"]

_TRAINING, _HELD_OUT = PALETTE[:2]
#: Entries of a history that are not how good the network is.
_NOT_SHOWN = ("learning_rate", "seconds")


def learning_curves(
    history: History,
    path: str | os.PathLike[str],
    *,
    title: str = "",
    units: Mapping[str, str] | None = None,
    best_epoch: int | None = None,
) -> Path:
    """Draws one panel for the loss and one for each metric over the epochs, training and validation data together.

    Parameters
        history : of a fit, with at least one epoch ; path : of the picture, .png, .svg, .pdf or .jpg
        title : above the panels ; units : name in the history -> unit, such as {"loss": "nats per sample"}
        best_epoch : the epoch whose weights were kept, marked by a line
    Returns     the path
    Raises      ParameterError when there is no epoch, or the file cannot be written ; MissingDependencyError
    Example
        >>> import tempfile
        >>> from chainrule.training import History
        >>> history = History()
        >>> history.append(1, {"loss": 2.0, "val_loss": 2.1})
        >>> history.append(2, {"loss": 1.0, "val_loss": 1.2})
        >>> learning_curves(history, Path(tempfile.mkdtemp()) / "curves.png").name
        'curves.png'
    """
    place = check_picture_path(path)
    if not history.epochs:
        raise ParameterError("learning_curves: the history has no epoch; fit the network first.")
    names = [name for name in history if not name.startswith("val_") and name not in _NOT_SHOWN]
    figure = new_figure(5.0 * len(names), 3.7, title)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        _panel(axes, history, name, (units or {}).get(name, ""), best_epoch)
    return save_figure(figure, place)


def _panel(axes: Any, history: History, name: str, unit: str, best_epoch: int | None) -> None:
    shown = [(name, "training", _TRAINING, "-")]
    if f"val_{name}" in history:
        shown.append((f"val_{name}", "validation", _HELD_OUT, "--"))
    few, many = len(history.epochs) < 3, len(history.epochs) > 100  # dashes of a long, jagged line cannot be read
    for entry, label, colour, style in shown:
        axes.plot(
            history.epochs,
            history[entry],
            "-" if many else style,
            color=colour,
            marker="o" if few else "",
            linewidth=1.3 if many else 2,
            label=f"{label}, {_last(history[entry])}",
        )
    words = name.replace("_", " ")
    if best_epoch is not None:
        axes.axvline(best_epoch, color="0.45", linewidth=1, linestyle=":", label=f"kept: epoch {best_epoch}")
    tidy(axes, "epoch (passes over the training data)", f"{words} ({unit})" if unit else words)
    low = min(v for entry, *_ in shown for v in history[entry] if v == v)
    if name == "loss" and low >= 0:
        axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=10)


def _last(values: Sequence[float]) -> str:
    return f"last {values[-1]:.3g}"
