"""Average precision of found boxes, as the COCO challenge defines it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.kernels.library import call_of
from ..errors import DataError, ShapeError
from .geometry import Floats, areas, as_boxes, iou

__all__ = ["AREAS", "IOUS", "AveragePrecision", "Detections", "Objects", "average_precision"]

Ints = NDArray[np.int64]
#: The overlaps at which COCO calls a box found: 0.50, 0.55, ..., 0.95.
IOUS = np.linspace(0.5, 0.95, 10)
#: Recalls at which precision is read off.
_RECALLS = np.linspace(0, 1, 101)
#: {name: (least, largest area in square pixels)}.
AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
#: Pairs of boxes for which the kernels are not loaded, which takes longer where they must be compiled first.
_FEW = 64


@dataclass(frozen=True)
class Detections:
    """The boxes that were found in one picture. Parameters  boxes (n, 4) ; scores (n,) ; classes (n,) : class numbers"""

    boxes: Floats
    scores: Floats
    classes: Ints

    def __post_init__(self) -> None:
        object.__setattr__(self, "boxes", as_boxes(self.boxes))
        object.__setattr__(self, "scores", np.asarray(self.scores, np.float64).reshape(-1))
        object.__setattr__(self, "classes", np.asarray(self.classes, np.int64).reshape(-1))
        if not len(self.boxes) == len(self.scores) == len(self.classes):
            raise ShapeError(
                f"Detections: expected as many scores and classes as boxes. Got {len(self.boxes)} boxes, {len(self.scores)} "
                f"scores and {len(self.classes)} classes."
            )

    def __len__(self) -> int:
        return len(self.boxes)

    def above(self, threshold: float) -> Detections:
        """Those with at least this score."""
        return self.take(self.scores >= threshold)

    def take(self, rows: Any) -> Detections:
        """These boxes alone."""
        return Detections(self.boxes[rows], self.scores[rows], self.classes[rows])


@dataclass(frozen=True)
class Objects:
    """The true boxes of one picture.

    Parameters  boxes (n, 4) ; classes (n,) ; crowd (n,) : regions of many objects, which may be found any number of times or
                not at all ; area (n,) : of the objects in square pixels, None for that of the boxes
    """

    boxes: Floats
    classes: Ints
    crowd: NDArray[np.bool_] | None = None
    area: Floats | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "boxes", as_boxes(self.boxes))
        object.__setattr__(self, "classes", np.asarray(self.classes, np.int64).reshape(-1))
        crowd = np.zeros(len(self.boxes), bool) if self.crowd is None else np.asarray(self.crowd, bool).reshape(-1)
        object.__setattr__(self, "crowd", crowd)
        area = areas(self.boxes) if self.area is None else np.asarray(self.area, np.float64).reshape(-1)
        object.__setattr__(self, "area", area)
        if not len(self.boxes) == len(self.classes) == len(crowd) == len(area):
            raise ShapeError(f"Objects: {len(self.boxes)} boxes, {len(self.classes)} classes, {len(crowd)} crowd marks.")


@dataclass(frozen=True)
class AveragePrecision:
    """How well boxes were found.

    Parameters
        ap : mean over the overlaps 0.50 to 0.95 and the classes (COCO's main number, AP50:95) ; ap50, ap75 : at one overlap
        by_area : {"small", "medium", "large": AP50:95 of objects of that size}
        by_class : for each class AP50:95 and AP50 ; recall : mean over overlaps and classes of the largest recall
        precision : (overlaps, recalls, classes) of all sizes, NaN for a class that has no object
    A number is NaN where there is no object that it is about.
    """

    ap: float
    ap50: float
    ap75: float
    recall: float
    by_area: dict[str, float]
    by_class: list[tuple[float, float]]
    precision: Floats = field(repr=False)


def average_precision(
    true: Sequence[Objects], found: Sequence[Detections], classes: int, *, most: int = 100
) -> AveragePrecision:
    """The average precision of the boxes found in N pictures, as COCO computes it.

    For each class and overlap the boxes are taken in the order of their scores. Each is right when a true box of its class,
    not yet taken, overlaps it by at least that much (the one with the largest overlap is taken), else wrong. Precision is
    made to fall with recall, read off at 101 recalls, and averaged. Of each picture the ``most`` surest boxes of a class
    count.

    Parameters  true, found : one of each for every picture ; classes : K, how many there are ; most : = 100
    Raises      DataError when there are not as many of both, or a class number is not below K
    References  Lin et al., Microsoft COCO: common objects in context, ECCV 2014, and its evaluation code's definition

    Example
        >>> true = [Objects([[0, 0, 10, 10]], [0])]
        >>> average_precision(true, [Detections([[0, 0, 10, 8]], [0.9], [0])], 1).ap
        0.7
    """
    if len(true) != len(found):
        raise DataError(f"average_precision: got the true boxes of {len(true)} pictures, and found boxes of {len(found)}.")
    for name, given in (("true", [one.classes for one in true]), ("found", [one.classes for one in found])):
        for picture, numbers in enumerate(given):
            if len(numbers) and (numbers.min() < 0 or numbers.max() >= classes):
                raise DataError(
                    f"average_precision: class numbers must be from 0 to {classes - 1}. {name}[{picture}] has "
                    f"{numbers.min()} to {numbers.max()}."
                )
    names = list(AREAS)
    precision = np.full((len(names), len(IOUS), len(_RECALLS), classes), np.nan)
    recall = np.full((len(IOUS), classes), np.nan)
    for c in range(classes):
        pictures = [_overlaps(t, f, c, most) for t, f in zip(true, found, strict=True)]
        pictures = [p for p in pictures if len(p.scores) or len(p.crowd)]
        for a, name in enumerate(names):
            curve, largest = _curve(pictures, AREAS[name])
            if curve is not None:
                precision[a, :, :, c] = curve
                if name == "all":
                    recall[:, c] = largest
    every = precision[0]
    return AveragePrecision(
        _mean(every),
        _mean(every[0]),
        _mean(every[5]),
        _mean(recall),
        {name: _mean(precision[a]) for a, name in enumerate(names) if a},
        [(_mean(every[:, :, c]), _mean(every[0, :, c])) for c in range(classes)],
        every,
    )


@dataclass(frozen=True)
class _Picture:
    """One class in one picture: found boxes in the order of their scores, and their overlaps with the true ones (n, m)."""

    scores: Floats
    area: Floats
    overlap: Floats
    crowd: NDArray[np.bool_]
    true_area: Floats


def _overlaps(true: Objects, found: Detections, c: int, most: int) -> _Picture:
    wanted, there = true.classes == c, np.flatnonzero(found.classes == c)
    there = there[np.argsort(-found.scores[there], kind="stable")][:most]
    assert true.crowd is not None and true.area is not None
    crowd, boxes = true.crowd[wanted], found.boxes[there]
    overlap = iou(boxes, true.boxes[wanted], crowd=crowd)
    return _Picture(found.scores[there], areas(boxes), overlap, crowd, true.area[wanted])


def _curve(pictures: Sequence[_Picture], area: tuple[float, float]) -> tuple[Floats | None, Floats | None]:
    """Precision (overlaps, recalls) and the largest recall (overlaps,) of one class; None where it has no object."""
    scores, right, counted, objects = [], [], [], 0
    for picture in pictures:
        ignored = picture.crowd | (picture.true_area < area[0]) | (picture.true_area > area[1])
        objects += int((~ignored).sum())
        hit, skipped = _matched(picture, ignored)
        outside = (picture.area < area[0]) | (picture.area > area[1])
        scores.append(picture.scores)
        right.append(hit & ~skipped)
        counted.append(~(skipped | (~hit & outside[None, :])))
    if not objects:
        return None, None
    order = np.argsort(-np.concatenate(scores), kind="stable")
    good, counts = np.concatenate(right, axis=1)[:, order], np.concatenate(counted, axis=1)[:, order]
    hits, claims = np.cumsum(good & counts, axis=1), np.cumsum(counts, axis=1)
    recall, precision = hits / objects, hits / np.maximum(claims, np.spacing(1))
    curve = np.zeros((len(IOUS), len(_RECALLS)))
    for t in range(len(IOUS)):
        falling = np.maximum.accumulate(precision[t, ::-1])[::-1]
        at = np.searchsorted(recall[t], _RECALLS, side="left")
        inside = at < len(falling)
        curve[t, inside] = falling[at[inside]]
    return curve, recall[:, -1] if len(order) else np.zeros(len(IOUS))


def _matched(picture: _Picture, ignored: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which found boxes are of a true box, and of which it is ignored: (overlaps, n) each; all overlaps at once."""
    n, m = picture.overlap.shape
    hit, skipped = np.zeros((len(IOUS), n), bool), np.zeros((len(IOUS), n), bool)
    if not n or not m:
        return hit, skipped
    call = call_of("match_boxes") if n * m > _FEW else None
    if call is not None:
        crowd, memory = np.ascontiguousarray(picture.crowd), np.empty(m, np.uint8)
        overlap, least = np.ascontiguousarray(picture.overlap), np.minimum(IOUS, 1 - 1e-10)
        arrays = (overlap, least, crowd, ignored, hit, skipped, memory)
        words = np.array([n, m, len(IOUS), *(one.ctypes.data for one in arrays)], np.int64)
        call(words.ctypes.data)
        return hit, skipped
    taken = np.zeros((len(IOUS), m), bool)
    least, rows = np.minimum(IOUS, 1 - 1e-10)[:, None], np.arange(len(IOUS))
    for i in range(n):
        overlap = picture.overlap[i][None, :]
        free = (~taken | picture.crowd[None, :]) & (overlap >= least)
        # An object that counts is preferred to one that is ignored; of equal overlaps the last one is taken, as in COCO.
        best, any_left = np.full(len(IOUS), -1), np.ones(len(IOUS), bool)
        for group in (~ignored, ignored):
            able = free & group[None, :]
            value = np.where(able, overlap, -1.0)
            last = m - 1 - value[:, ::-1].argmax(axis=1)
            new = any_left & able.any(axis=1)
            best[new] = last[new]
            any_left &= ~new
        here = best >= 0
        hit[here, i] = True
        skipped[here, i] = ignored[best[here]]
        taken[rows[here], best[here]] = True
    return hit, skipped


def _mean(values: Floats) -> float:
    """The mean over what is there."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
