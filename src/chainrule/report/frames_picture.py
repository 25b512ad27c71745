"""A strip of the frames of a video: what was seen, what followed, and what was foreseen, below each other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ParameterError, ShapeError
from .figures import check_picture_path, new_figure, save_figure

__all__ = ["frames_picture"]


def frames_picture(
    rows: Mapping[str, Any],
    path: str | os.PathLike[str],
    *,
    first: Mapping[str, int] | None = None,
    limits: tuple[float, float] | None = None,
    title: str = "",
) -> Path:
    """Draws films as rows of frames, the same moment of all rows in one column.

    Parameters
        rows : {name: frames (T, H, W), (T, H, W, 1) or (T, H, W, 3)}, grey values of any range or colours in [0, 1] or
            0 .. 255 ; path : of the picture, .png, .svg, .pdf or .jpg
        first : {name: number of the row's first frame} = 1 for all, so that frames to come can stand behind those seen
        limits : the values that are black and white, None for the least and the largest of all grey rows together
        title : above the frames
    Returns     the path
    Raises      ShapeError for rows that are no frames, or frames of several sizes ; ParameterError when nothing is to be
                drawn, or the file cannot be written ; MissingDependencyError

    Example
        >>> import tempfile
        >>> film = np.zeros((4, 8, 8))
        >>> place = Path(tempfile.mkdtemp()) / "strip.png"
        >>> frames_picture({"seen": film, "foreseen": film[:2]}, place, first={"foreseen": 5}).name
        'strip.png'
    """
    place = check_picture_path(path)
    shown = {name: _frames(name, film) for name, film in rows.items()}
    if not shown:
        raise ParameterError("frames_picture: there is no row of frames to draw.")
    sizes = {film.shape[1:3] for film in shown.values()}
    if len(sizes) > 1:
        raise ShapeError(f"frames_picture: the frames of all rows must be of one size. Got {sorted(sizes)}.")
    begins = {name: int((first or {}).get(name, 1)) for name in shown}
    unknown = next((name for name in first or {} if name not in shown), None)
    if unknown is not None or min(begins.values()) < 1:
        raise ParameterError(
            f"frames_picture: first must be numbers from 1 on of rows that there are. Got {dict(first or {})}."
        )
    start = min(begins.values())
    columns = max(begins[name] + len(film) for name, film in shown.items()) - start
    grey = [film for film in shown.values() if film.shape[-1] == 1]
    low, high = limits or (
        (min(float(film.min()) for film in grey), max(float(film.max()) for film in grey)) if grey else (0.0, 1.0)
    )
    height, width = next(iter(sizes))
    side = min(1.2, 14 / columns)
    figure = new_figure(side * columns + 1.0, side * len(shown) * height / width + 0.5 + 0.3 * bool(title), title)
    panels = figure.subplots(len(shown), columns, squeeze=False)
    for axes in panels.flat:
        axes.axis("off")
    for row, (name, film) in enumerate(shown.items()):
        for i, frame in enumerate(film):
            column = begins[name] - start + i
            axes = panels[row, column]
            if frame.shape[-1] == 1:
                axes.imshow(frame[..., 0], cmap="gray", vmin=low, vmax=max(high, low + 1e-12), interpolation="nearest")
            else:
                scale = 255.0 if film.max() > 1 else 1.0
                axes.imshow(np.clip(frame / scale, 0, 1), interpolation="nearest")
            if not row or all(not begins[n] <= column + start < begins[n] + len(f) for n, f in list(shown.items())[:row]):
                axes.set_title(str(column + start), fontsize=7, pad=2)
        panels[row, 0].text(-0.1, 0.5, name, transform=panels[row, 0].transAxes, ha="right", va="center", fontsize=8)
    save_figure(figure, place)
    return place


def _frames(name: str, film: Any) -> np.ndarray[Any, Any]:
    found = np.asarray(film)
    if found.ndim == 3:
        found = found[..., None]
    if found.ndim != 4 or found.shape[-1] not in (1, 3) or not found.size or found.dtype.kind not in "buif":
        raise ShapeError(f"frames_picture: {name!r} must be frames (T, H, W, 1 or 3). Got {np.asarray(film).shape}.")
    return found.astype(np.float64)
