"""Boxes as numbers: ``(left, top, right, bottom)`` in pixels, with the y axis down and the edges between pixels.

A picture of W columns reaches from 0 to W, so the box of all of it is (0, 0, W, H), and a box of one pixel has width 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, DtypeError, ShapeError

__all__ = ["areas", "as_boxes", "clipped", "from_centres", "iou", "paired_iou", "to_centres"]

Floats = NDArray[np.float64]


def as_boxes(boxes: Any, name: str = "boxes") -> Floats:
    """The boxes as float64 (n, 4); an empty list is (0, 4).

    Raises      ShapeError when they are not (n, 4) ; DtypeError when they are no numbers ; DataError for NaN or infinity
    """
    try:
        found = np.asarray(boxes, np.float64)
    except (TypeError, ValueError) as error:
        raise DtypeError(f"{name}: expected numbers (n, 4), left, top, right, bottom. {error}") from error
    if found.size == 0:
        return np.zeros((0, 4))
    if found.ndim != 2 or found.shape[1] != 4:
        raise ShapeError(f"{name}: expected (n, 4), left, top, right, bottom of each box. Got shape {found.shape}.")
    if not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
        raise DataError(f"{name}: box {row} is not finite: {found[row].tolist()}.")
    return found


def areas(boxes: Floats) -> Floats:
    """Width times height (...,), 0 where a side is not positive."""
    size = np.maximum(boxes[..., 2:4] - boxes[..., :2], 0)
    return np.asarray(size[..., 0] * size[..., 1])


def iou(first: Floats, second: Floats, *, crowd: NDArray[np.bool_] | None = None) -> Floats:
    """Intersection over union of every box with every other: (n, m), ``|A ∩ B| / |A ∪ B|``.

    Parameters  first (n, 4), second (m, 4) ; crowd (m,) : where True, second is a region of many objects, and the
                intersection is divided by the area of the first box alone, as COCO does

    Example
        >>> iou(np.array([[0, 0, 2, 2.0]]), np.array([[1, 0, 3, 2.0], [5, 5, 6, 6]])).round(3)
        array([[0.333, 0.   ]])
    """
    a, b = first[:, None, :], second[None, :, :]
    size = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0)
    both = size[..., 0] * size[..., 1]
    union = areas(first)[:, None] + areas(second)[None, :] - both
    if crowd is not None:
        union = np.where(crowd[None, :], areas(first)[:, None], union)
    return np.asarray(np.divide(both, union, out=np.zeros_like(both), where=union > 0))


def paired_iou(first: Floats, second: Floats) -> Floats:
    """Intersection over union of each box with the one at its place: (n, 4), (n, 4) -> (n,)."""
    size = np.maximum(np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2]), 0)
    both = size[:, 0] * size[:, 1]
    union = areas(first) + areas(second) - both
    return np.asarray(np.divide(both, union, out=np.zeros_like(both), where=union > 0))


def clipped(boxes: Floats, height: float, width: float) -> Floats:
    """The parts of the boxes that lie inside a picture of this size."""
    return np.asarray(np.clip(boxes, 0, [width, height, width, height]))


def to_centres(boxes: Floats) -> Floats:
    """(left, top, right, bottom) as (x and y of the centre, width, height)."""
    return np.concatenate([(boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]], axis=-1)


def from_centres(boxes: Floats) -> Floats:
    """(x and y of the centre, width, height) as (left, top, right, bottom)."""
    return np.concatenate([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], axis=-1)
