"""Boxes as they come, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import OneOf
from ..errors import DataError
from .geometry import Floats, clipped

__all__ = ["WRONG", "WrongBox", "checked_boxes"]

#: What may be done about boxes that are wrong: an error that names the first, put right as far as possible, or left out.
WRONG = ("stop", "clip", "skip")
#: A box that reaches over the edge by less is rounding, not a fault.
_TOLERANCE = 0.5


@dataclass(frozen=True)
class WrongBox:
    """A box that cannot be right. Parameters  where : file or picture ; box : as it came ; why : in words ; done : what
    was done about it: "clipped", "sides exchanged" or "left out"
    """

    where: str
    box: tuple[float, ...]
    why: str
    done: str

    def __str__(self) -> str:
        shown = ", ".join(f"{v:g}" for v in self.box)
        return f"{self.where}: the box ({shown}) {self.why}; it was {self.done}."


def checked_boxes(
    boxes: Any, size: tuple[int, int], where: str, *, wrong: str = "clip"
) -> tuple[Floats, NDArray[np.int64], list[WrongBox]]:
    """Boxes (n, 4) inside a picture (height, width): what can be used, the rows it came from, and what was wrong.

    A box whose left and right, or top and bottom, are exchanged is turned round; one that leaves the picture is clipped; one
    that is empty, outside or not finite is left out. ``wrong="skip"`` leaves out all of these, ``"stop"`` is a DataError.
    """
    OneOf(*WRONG).check("", "wrong", wrong)
    given = np.asarray(boxes, np.float64).reshape(-1, 4)
    height, width = size
    kept: list[Floats] = []
    rows: list[int] = []
    faults: list[WrongBox] = []
    for row, box in enumerate(given):
        new, why, done = _put_right(box, height, width)
        if why and wrong == "stop":
            shown = ", ".join(f"{v:g}" for v in box)
            raise DataError(
                f"{where}: the box ({shown}) {why}. Correct it, or let such boxes be clipped or left out (wrong=\"clip\" or "
                '"skip"; of the command --wrong-boxes clip).'
            )  # fmt: skip
        if why and wrong == "skip":
            new, done = None, "left out"
        if why:
            faults.append(WrongBox(where, tuple(map(float, box)), why, done))
        if new is not None:
            kept.append(new)
            rows.append(row)
    return np.array(kept).reshape(-1, 4), np.array(rows, np.int64), faults


def _put_right(box: Floats, height: int, width: int) -> tuple[Floats | None, str, str]:
    """(the box as it can be used, or None ; what was wrong, "" for nothing ; what was done)"""
    if not np.isfinite(box).all():
        return None, "is not finite", "left out"
    left, top, right, bottom = box
    why, done = [], ""
    if right < left or bottom < top:
        box = np.array([min(left, right), min(top, bottom), max(left, right), max(top, bottom)])
        why, done = ["has its sides exchanged"], "turned round"
    if box[2] <= box[0] or box[3] <= box[1]:
        return None, "is empty", "left out"
    inside = clipped(box, height, width)
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        return None, f"lies outside the picture of {height} × {width} pixels (height × width)", "left out"
    if np.abs(inside - box).max() > _TOLERANCE:
        why.append(f"leaves the picture of {height} × {width} pixels (height × width)")
        done = f"{done} and clipped" if done else "clipped"
    return inside, " and ".join(why), done


def said(faults: Sequence[WrongBox], most: int = 3) -> list[str]:
    """The first faults as sentences, and how many there are in all."""
    lines = [str(fault) for fault in faults[:most]]
    if len(faults) > most:
        lines.append(f"{len(faults):,} boxes in all were wrong.")
    return lines
