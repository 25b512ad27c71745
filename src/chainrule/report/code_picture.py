"""The picture of the codes of an autoencoder: where samples lie, and what lies where."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from .figures import check_picture_path, new_figure, save_figure, tidy

__all__ = ["code_picture"]

#: How many decoded pictures lie side by side.
_ACROSS = 15
#: Colours of up to ten classes, and of more than ten.
_FEW, _MANY = "tab10", "nipy_spectral"


def code_picture(
    codes: Any,
    path: str | os.PathLike[str],
    *,
    labels: Any = None,
    decode: Callable[[NDArray[Any]], Any] | None = None,
    title: str = "",
) -> Path:
    """Draws codes as points in a plane, coloured by their labels, and beside them the pictures that the plane stands for.

    Codes of more than two numbers are shown by their first two principal components, without the pictures.

    Parameters
        codes : (N, 2) or (N, more) ; path : of the picture, .png, .svg, .pdf or .jpg
        labels : (N,) of any kind, None for one colour
        decode : makes samples of codes, such as ``Autoencoder.inverse_transform``; pictures (H, W) or (H, W, C) in [0, 1],
            or rows of numbers that make a square picture. None leaves the pictures out
        title : above all
    Returns     the path
    Raises      ShapeError when codes or labels do not fit ; ParameterError when the file cannot be written ;
                MissingDependencyError without matplotlib

    Example
        >>> import tempfile
        >>> points = np.random.default_rng(0).normal(size=(50, 2))
        >>> code_picture(points, Path(tempfile.mkdtemp()) / "codes.png", labels=points[:, 0] > 0).name
        'codes.png'
    """
    place = check_picture_path(path)
    points = np.asarray(codes, np.float64)
    if points.ndim != 2 or points.shape[1] < 2 or not len(points):
        raise ShapeError(f"code_picture: codes must be (N, 2) or (N, more). Got {points.shape}.")
    if labels is not None and len(labels) != len(points):
        raise ShapeError(f"code_picture: {len(points)} codes need as many labels. Got {len(labels)}.")
    plain = points.shape[1] == 2
    if not plain:
        centred = points - points.mean(axis=0)
        points = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    grid = _decoded(points, decode) if plain and decode is not None else None
    figure = new_figure(6.4 if grid is None else 12.4, 6.0, title)
    axes = figure.subplots(1, 1 if grid is None else 2, squeeze=False)[0]
    _scatter(axes[0], points, labels, "code" if plain else "principal component of the code")
    if grid is not None:
        low, high = np.quantile(points, (0.02, 0.98), axis=0)
        axes[1].imshow(grid, cmap="gray", extent=(low[0], high[0], low[1], high[1]), aspect="auto", vmin=0, vmax=1)
        axes[1].set_xlabel("code 1", fontsize=11)
        axes[1].set_ylabel("code 2", fontsize=11)
    return save_figure(figure, place)


def _scatter(axes: Any, points: NDArray[Any], labels: Any, what: str) -> None:
    from matplotlib import colormaps

    size = float(np.clip(6000 / len(points), 2, 30))
    if labels is None:
        axes.scatter(*points.T, s=size, linewidths=0, alpha=0.7)
    else:
        names, numbers = np.unique(np.asarray(labels).astype(str), return_inverse=True)
        colours = colormaps[_FEW if len(names) <= 10 else _MANY]
        for i, name in enumerate(names):
            colour = colours(i if len(names) <= 10 else i / (len(names) - 1))
            axes.scatter(*points[numbers == i].T, s=size, linewidths=0, alpha=0.7, color=colour, label=name)
        if len(names) <= 20:
            axes.legend(frameon=False, fontsize=9, markerscale=3)
    tidy(axes, f"{what} 1", f"{what} 2")


def _decoded(points: NDArray[Any], decode: Callable[[NDArray[Any]], Any]) -> NDArray[Any] | None:
    """Pictures for a lattice of codes, as one; None where samples are no pictures."""
    low, high = np.quantile(points, (0.02, 0.98), axis=0)
    across, up = (np.linspace(low[i], high[i], _ACROSS) for i in range(2))
    lattice = np.array([(x, y) for y in up[::-1] for x in across])
    made = np.asarray(decode(lattice), np.float64)
    if made.ndim == 2:
        side = round(np.sqrt(made.shape[1]))
        if side < 4 or side * side != made.shape[1]:
            return None
        made = made.reshape(-1, side, side)
    if made.ndim == 4 and made.shape[3] == 1:
        made = made[..., 0]
    if made.ndim not in (3, 4):
        return None
    height, width = made.shape[1:3]
    rows = made.reshape(_ACROSS, _ACROSS, *made.shape[1:]).swapaxes(1, 2)
    return np.clip(rows.reshape(_ACROSS * height, _ACROSS * width, *made.shape[3:]), 0, 1)
