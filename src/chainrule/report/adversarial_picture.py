"""The picture of adversarial samples: the pictures, what was added to them, and what came out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..constraints import POSITIVE
from ..errors import ShapeError
from .figures import check_picture_path, new_figure, save_figure

__all__ = ["adversarial_picture"]


def adversarial_picture(
    pictures: Any,
    adversarial: Any,
    path: str | os.PathLike[str],
    *,
    before: Sequence[Any] | None = None,
    after: Sequence[Any] | None = None,
    factor: float = 10.0,
    title: str = "",
) -> Path:
    """Draws a row for each picture: itself, the change times ``factor``, and the adversarial picture.

    In the change, red is added and blue is taken away.

    Parameters
        pictures, adversarial : (N, H, W), (N, H, W, 1) or (N, H, W, 3), in [0, 1]
        path : of the picture, .png, .svg, .pdf or .jpg ; before, after : (N,), what the network says to each
        factor : > 0 = 10, by which the change is enlarged ; title : above the rows
    Returns     the path
    Raises      ShapeError when the two differ in shape ; ParameterError when the file cannot be written or an argument is
                out of range ; MissingDependencyError

    Example
        >>> import tempfile
        >>> x = np.zeros((1, 8, 8))
        >>> adversarial_picture(x, x + 0.05, Path(tempfile.mkdtemp()) / "pictures.png").name
        'pictures.png'
    """
    place = check_picture_path(path)
    x, moved = (np.asarray(a, np.float64) for a in (pictures, adversarial))
    if x.shape != moved.shape:
        raise ShapeError(f"adversarial_picture: pictures {x.shape} and adversarial {moved.shape} must be of one shape.")
    x, moved = (a[..., None] if a.ndim == 3 else a for a in (x, moved))
    if x.ndim != 4 or x.shape[-1] not in (1, 3) or not x.size:
        raise ShapeError(f"adversarial_picture: expected pictures (N, H, W, 1 or 3). Got {x.shape}.")
    POSITIVE.check("adversarial_picture", "factor", factor)
    for name, words in (("before", before), ("after", after)):
        if words is not None and len(words) != len(x):
            raise ShapeError(f"adversarial_picture: {name} has {len(words)} entries for {len(x)} pictures.")
    figure = new_figure(6.6, 2.3 * len(x) * x.shape[1] / x.shape[2] + 0.6, title)
    panels = figure.subplots(len(x), 3, squeeze=False)
    for i, (left, middle, right) in enumerate(panels):
        for axes in (left, middle, right):
            axes.set_xticks([])
            axes.set_yticks([])
        _show(left, x[i])
        _show(right, moved[i])
        change = factor * (moved[i] - x[i])
        if x.shape[-1] == 1:
            middle.imshow(change[..., 0], cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        else:
            _show(middle, 0.5 + 0.5 * change)
        left.set_xlabel(f"says {before[i]}" if before is not None else "", fontsize=10)
        right.set_xlabel(f"says {after[i]}" if after is not None else "", fontsize=10)
        middle.set_xlabel(f"largest change {np.abs(moved[i] - x[i]).max():.3g}", fontsize=10)
        if i == 0:
            for axes, words in ((left, "picture"), (middle, f"change × {factor:g}"), (right, "adversarial picture")):
                axes.set_title(words, fontsize=11)
    return save_figure(figure, place)


def _show(axes: Any, picture: Any) -> None:
    grey = picture.shape[-1] == 1
    values = np.clip(picture[..., 0] if grey else picture, 0, 1)
    axes.imshow(values, cmap="gray" if grey else None, vmin=0, vmax=1, interpolation="nearest")
