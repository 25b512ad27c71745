"""Non-maximum suppression: of boxes that show the same object only the surest stays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval, Maybe
from ..engine.kernels.library import call_of
from .geometry import Floats, as_boxes, iou

__all__ = ["non_maximum_suppression"]

Ints = NDArray[np.int64]
#: Boxes for which the kernels are not loaded, which takes longer where they must be compiled first.
_FEW = 16


def non_maximum_suppression(
    boxes: Any, scores: Any, classes: Any = None, *, threshold: float = 0.5, most: int | None = None
) -> NDArray[np.int64]:
    """The numbers of the boxes that stay, the surest first: each one that overlaps no surer box of its class that stays.

    Boxes of different classes do not suppress each other. Where there are more than a few boxes a compiled kernel compares
    each with those that stay alone.

    Parameters  boxes (n, 4) ; scores (n,) ; classes (n,) or None for one class ; threshold : in [0, 1] = 0.5, boxes whose
                intersection over union is larger are of the same object ; most : of the boxes that stay, None for all
    Raises      ShapeError, DataError for boxes that are none ; ParameterError for a threshold out of its range

    Example
        >>> non_maximum_suppression([[0, 0, 2, 2], [0, 0, 2, 2.2], [5, 5, 6, 6]], [0.8, 0.9, 0.3])
        array([1, 2])
    """
    Interval(float, 0, 1, closed="both").check("non_maximum_suppression", "threshold", threshold)
    Maybe(Interval(int, 0)).check("non_maximum_suppression", "most", most)
    found: Floats = as_boxes(boxes)
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    labels = None if classes is None else np.unique(np.asarray(classes), return_inverse=True)[1].astype(np.int64)[order]
    limit = len(order) if most is None else min(most, len(order))
    call = call_of("suppress") if len(order) > _FEW else None
    stay = _stay if call is None else partial(_by_kernel, call)
    return np.asarray(order[stay(found[order], labels, threshold, limit)], np.int64)


def _by_kernel(call: Callable[[int], int], boxes: Floats, labels: Ints | None, threshold: float, most: int) -> Ints:
    boxes, limit = np.ascontiguousarray(boxes), np.array([threshold], np.float64)
    kept, count = np.empty(most, np.int64), np.zeros(1, np.int64)
    words = np.array(
        [
            len(boxes), boxes.ctypes.data, 0 if labels is None else labels.ctypes.data, limit.ctypes.data, most,
            kept.ctypes.data, count.ctypes.data,
        ],
        np.int64,
    )  # fmt: skip
    call(words.ctypes.data)
    return kept[: count[0]]


def _stay(boxes: Floats, labels: Ints | None, threshold: float, most: int) -> Ints:
    """The same by NumPy: the overlaps of all boxes are one matrix, and one pass over its rows decides."""
    same = iou(boxes, boxes) > threshold
    if labels is not None:
        same &= labels[:, None] == labels[None, :]
    alive = np.ones(len(boxes), bool)
    for row in range(len(boxes)):
        if alive[row]:
            alive[row + 1 :] &= ~same[row, row + 1 :]
    return np.flatnonzero(alive)[:most]
