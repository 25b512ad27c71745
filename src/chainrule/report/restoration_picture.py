"""Restored pictures beside those that they were made from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from .figures import check_picture_path, new_figure, save_figure

__all__ = ["RestoredPicture", "restoration_picture"]

Array = NDArray[Any]
#: Inches that a picture is wide, and how tall it may be at most.
_WIDE, _TALL = 3.0, 3.6


class RestoredPicture(NamedTuple):
    """Parameters  name ; given, restored, truth : (H, W, 1 or 3) in [0, 1], truth None where it is not known
    scores : measures by name, of which those of PSNR stand above the pictures"""

    name: str
    given: Array
    restored: Array
    truth: Array | None
    scores: Mapping[str, float]


def restoration_picture(
    pictures: Sequence[RestoredPicture], path: str | os.PathLike[str], *, title: str, words: tuple[str, str]
) -> Path:
    """One row for each picture: as it was given, restored, and as it truly is where that is known.

    Parameters  words : what a given and a restored picture are called, such as ("noisy", "denoised")
    Raises      ParameterError where there is no picture, or the file cannot be written ; MissingDependencyError
    """
    place = check_picture_path(path)
    if not pictures:
        raise ParameterError("restoration_picture: there is no picture to draw.")
    columns = 3 if any(one.truth is not None for one in pictures) else 2
    heights = [min(_TALL, _WIDE * one.restored.shape[0] / one.restored.shape[1]) for one in pictures]
    figure = new_figure(_WIDE * columns, sum(heights) + 0.3 * len(pictures) + 0.6, title)
    panels = figure.subplots(len(pictures), columns, squeeze=False, gridspec_kw={"height_ratios": heights})
    before = {"noisy": "PSNR of noisy", "grey": "PSNR of grey", "small": "PSNR of bicubic"}
    for row, one in zip(panels, pictures, strict=True):
        of_given, of_restored = one.scores.get(before.get(words[0], "")), one.scores.get("PSNR")
        entries = [
            (f"{one.name}, {words[0]}{_decibels(of_given)}", one.given),
            (f"{words[1]}{_decibels(of_restored)}", one.restored),
            ("truth", one.truth),
        ]
        for axes, (text, picture) in zip(row, entries, strict=False):
            axes.axis("off")
            if picture is not None:
                shown = np.clip(picture, 0, 1)
                shown = np.repeat(shown, 3, axis=2) if shown.shape[2] == 1 else shown
                axes.imshow(shown, interpolation="nearest")
                axes.set_title(text, fontsize=8)
    return save_figure(figure, place)


def _decibels(value: float | None) -> str:
    return "" if value is None else f" {value:.2f} dB"
