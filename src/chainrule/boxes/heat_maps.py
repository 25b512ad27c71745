"""Boxes as the targets of a network that has an output for every place, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .average_precision import Detections, Objects
from .suppression import non_maximum_suppression

__all__ = ["decoded", "encoded"]

Floats32 = NDArray[np.float32]
#: The Gaussian of an object: its deviation is this share of half the box's side, out to three deviations.
_WIDTH = 0.54 / 3
#: Objects of which a picture's candidates are looked at.
_CANDIDATES = 300


def encoded(objects: Sequence[Objects], size: tuple[int, int], classes: int, stride: int) -> tuple[Floats32, Floats32]:
    """The targets of N pictures (H, W): a heat map, and the distances to the sides of boxes with weights.

    Around the middle of each object the map of its class has a Gaussian, whose deviations are proportional to the box's
    sides: ``exp(−dx² / 2σₓ² − dy² / 2σ_y²)``, exactly 1 at one place; of several the largest counts. The same places learn
    the object's box, with weights that have the shape of the Gaussian and the sum 1, so that a small object counts as much
    as a large one. Where Gaussians overlap the smaller object has the place.

    Parameters  objects : boxes in pixels ; size : (H, W) ; stride s : pixels from one place to the next
    Shapes      heat (N, H / s, W / s, classes) ; sides (N, H / s, W / s, 5): left, top, right, bottom in units of s, weight
    """
    h, w = size[0] // stride, size[1] // stride
    heat = np.zeros((len(objects), h, w, classes), np.float32)
    sides = np.zeros((len(objects), h, w, 5), np.float32)
    for n, one in enumerate(objects):
        assert one.area is not None and one.crowd is not None
        for i in np.argsort(-one.area, kind="stable").tolist():  # the smaller ones last
            if not one.crowd[i]:
                _draw(heat[n, :, :, one.classes[i]], sides[n], one.boxes[i] / stride)
    return heat, sides


def _draw(heat: Floats32, sides: Floats32, box: NDArray[np.float64]) -> None:
    h, w = heat.shape
    left, top, right, bottom = box
    x, y = (left + right) / 2, (top + bottom) / 2
    # Place j stands for the middle of its pixels, j + 1/2 in units of the stride.
    at_x, at_y = min(max(int(x), 0), w - 1), min(max(int(y), 0), h - 1)
    reach_x, reach_y = (int(max(0.0, 3 * _WIDTH * side / 2)) for side in (right - left, bottom - top))
    rows, columns = (
        slice(max(0, at - reach), min(limit, at + reach + 1))
        for at, reach, limit in ((at_y, reach_y, h), (at_x, reach_x, w))
    )
    dy, dx = np.arange(rows.start, rows.stop) - at_y, np.arange(columns.start, columns.stop) - at_x
    vertical, horizontal = (max(2 * reach + 1, 1) / 6 for reach in (reach_y, reach_x))
    bell = np.exp(-(dy[:, None] ** 2) / (2 * vertical**2) - dx[None, :] ** 2 / (2 * horizontal**2)).astype(np.float32)
    heat[rows, columns] = np.maximum(heat[rows, columns], bell)
    j, i = dx + at_x + 0.5, (dy + at_y + 0.5)[:, None]
    distances = np.broadcast_arrays(j - left, i - top, right - j, bottom - i)
    inside = np.minimum.reduce(distances) > 0
    inside[at_y - rows.start, at_x - columns.start] = True
    weight = np.where(inside, bell / max(float(bell[inside].sum()), 1e-6), 0)
    target = np.stack([np.maximum(d, 0.05) for d in distances] + [weight], axis=-1).astype(np.float32)
    place = sides[rows, columns]
    place[inside] = target[inside]


def decoded(
    heat: Floats32,
    sides: Floats32,
    stride: int,
    *,
    least: float = 0.01,
    most: int = 100,
    overlap: float = 0.6,
) -> list[Detections]:
    """The boxes that the outputs of a network say, of N pictures.

    A place where the probability of a class is the largest among its eight neighbours is a candidate; its score is that
    probability, its box lies around it. Of candidates that overlap each other only the surest stays.

    Parameters  heat (N, h, w, K) : probabilities ; sides (N, h, w, 4) : distances in units of the stride ; least : score ;
                most : boxes a picture = 100 ; overlap : intersection over union from which two boxes are of one object = 0.6
    """
    n, h, w, _ = heat.shape
    padded = np.pad(heat, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-1)
    around = np.maximum.reduce([padded[:, dy : dy + h, dx : dx + w] for dy in range(3) for dx in range(3)])
    peaks = (heat >= around) & (heat >= least)
    found = []
    for i in range(n):
        row, column, c = np.nonzero(peaks[i])
        scores = heat[i, row, column, c].astype(np.float64)
        chosen = np.argsort(-scores, kind="stable")[:_CANDIDATES]
        row, column, c, scores = row[chosen], column[chosen], c[chosen], scores[chosen]
        distance = sides[i, row, column].astype(np.float64)
        x, y = (column + 0.5)[:, None], (row + 0.5)[:, None]
        middle = np.concatenate([x, y], axis=1)
        boxes = stride * np.concatenate([middle - distance[:, :2], middle + distance[:, 2:]], axis=1)
        kept = non_maximum_suppression(boxes, scores, c, threshold=overlap, most=most)
        found.append(Detections(boxes[kept], scores[kept], c[kept]))
    return found
