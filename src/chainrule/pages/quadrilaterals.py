"""Quadrilaterals around lines of text: (n, 4, 2) corners x, y in pixels, with the y axis down."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boxes.geometry import Floats
from ..errors import DataError, DtypeError, ShapeError

__all__ = ["areas_and_lengths", "as_quadrilaterals", "bounds", "edge_distances", "of_boxes"]


def as_quadrilaterals(lines: Any, name: str = "lines") -> Floats:
    """Lines as float64 (n, 4, 2), corners in an order that makes them convex and clockwise, beginning as they were given.

    Parameters  lines : (n, 4, 2) corners, (n, 8) the same in a row, or (n, 4) boxes (left, top, right, bottom)
    Raises      ShapeError, DtypeError, DataError for other shapes, for what are no numbers, and for NaN or infinity

    Example
        >>> as_quadrilaterals([[0, 0, 4, 2]])[0].tolist()
        [[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [0.0, 2.0]]
    """
    try:
        given = np.asarray(lines, np.float64)
    except (TypeError, ValueError) as error:
        raise DtypeError(f"{name}: expected corners as numbers (n, 4, 2), or boxes (n, 4). {error}") from error
    if given.size == 0:
        return np.zeros((0, 4, 2))
    if given.ndim == 2 and given.shape[1] == 4:
        given = of_boxes(given)
    elif given.ndim == 2 and given.shape[1] == 8:
        given = given.reshape(-1, 4, 2)
    if given.ndim != 3 or given.shape[1:] != (4, 2):
        raise ShapeError(f"{name}: expected corners (n, 4, 2) or (n, 8), or boxes (n, 4). Got shape {given.shape}.")
    if not np.isfinite(given).all():
        row = int(np.flatnonzero(~np.isfinite(given).all(axis=(1, 2)))[0])
        raise DataError(f"{name}: line {row} is not finite: {given[row].tolist()}.")
    middle = given.mean(axis=1, keepdims=True)
    angle = np.arctan2(given[..., 1] - middle[..., 1], given[..., 0] - middle[..., 0])
    # Clockwise, from the first corner that was given on.
    order = np.argsort(np.mod(angle - angle[:, :1] + 1e-9, 2 * np.pi), axis=1, kind="stable")
    return np.take_along_axis(given, order[..., None], axis=1)


def of_boxes(boxes: Floats) -> Floats:
    """The corners (n, 4, 2) of boxes (n, 4)."""
    left, top, right, bottom = np.asarray(boxes, np.float64).reshape(-1, 4).T
    return np.stack([left, top, right, top, right, bottom, left, bottom], axis=1).reshape(-1, 4, 2)


def bounds(lines: Floats) -> Floats:
    """The smallest boxes (n, 4) around lines (n, 4, 2)."""
    return np.concatenate([lines.min(axis=1), lines.max(axis=1)], axis=1) if len(lines) else np.zeros((0, 4))


def areas_and_lengths(lines: Floats) -> tuple[Floats, Floats]:
    """The areas (n,) of lines and the lengths (n,) of their outlines."""
    after = np.roll(lines, -1, axis=1)
    cross = lines[..., 0] * after[..., 1] - lines[..., 1] * after[..., 0]
    return np.abs(cross.sum(axis=1)) / 2, np.hypot(*np.moveaxis(after - lines, 2, 0)).sum(axis=1)


def edge_distances(line: Floats, x: NDArray[Any], y: NDArray[Any]) -> Floats:
    """How far points lie inside the nearest edge of one convex line (4, 2); negative outside, where corners are mitred."""
    after = np.roll(line, -1, axis=0)
    along = after - line
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
    found: Floats | None = None
    for (px, py), (dx, dy), size in zip(line, along, length, strict=True):
        inside = (dx * (y - py) - dy * (x - px)) / size
        found = inside if found is None else np.minimum(found, inside)
    assert found is not None
    return found
