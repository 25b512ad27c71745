"""Scores of found boxes as probabilities that the box is right, so that one threshold suits all classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...boxes import Detections, Objects, iou

__all__ = ["calibrated", "fitted_calibration", "matched"]

Floats = NDArray[np.float64]
#: Boxes of a class below which its scores stay as they are.
_FEWEST = 10


def matched(true: Objects, found: Detections, overlap: float = 0.5) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which found boxes are right, and which true boxes were found: each true box by the surest box that overlaps it most.

    Regions of many objects count for nothing: boxes in them are right, and they need not be found.
    """
    right, seen = np.zeros(len(found), bool), np.zeros(len(true.boxes), bool)
    assert true.crowd is not None
    overlaps = iou(found.boxes, true.boxes, crowd=true.crowd)
    overlaps[found.classes[:, None] != true.classes[None, :]] = 0
    for i in np.argsort(-found.scores, kind="stable"):
        able = np.where(seen & ~true.crowd, 0, overlaps[i])
        if len(able) and able.max() >= overlap:
            right[i] = True
            seen[int(able.argmax())] = True
    return right, seen | true.crowd


def fitted_calibration(true: Sequence[Objects], found: Sequence[Detections], classes: int) -> Floats:
    """(K, 2): a and b of every class, so that σ(a logit(score) + b) is the share of boxes with that score that are right.

    Fitted by Newton's method to the log-likelihood, with a small penalty towards a = 1, b = 0; a stays positive, so the
    order of the boxes of a class is kept (Platt scaling).
    """
    out = np.tile([1.0, 0.0], (classes, 1))
    rights = [matched(t, f)[0] for t, f in zip(true, found, strict=True)]
    if not rights:
        return out
    right, scores = np.concatenate(rights), np.concatenate([f.scores for f in found])
    labels = np.concatenate([f.classes for f in found])
    for c in range(classes):
        mine = labels == c
        y, x = right[mine].astype(float), _logit(scores[mine])
        if mine.sum() < _FEWEST or y.min() == y.max():
            continue
        design, w = np.stack([x, np.ones_like(x)], axis=1), np.array([1.0, 0.0])
        for _ in range(50):
            p = _sigmoid(design @ w)
            slope = design.T @ (p - y) + (w - [1.0, 0.0])
            curvature = (design * (p * (1 - p))[:, None]).T @ design + np.eye(2)
            step = np.linalg.solve(curvature, slope)
            w = w - np.clip(step, -1, 1)
            if np.abs(step).max() < 1e-9:
                break
        out[c] = max(float(w[0]), 0.05), float(w[1])
    return out


def calibrated(found: Detections, calibration: Floats) -> Detections:
    """The same boxes with scores that are probabilities, the surest first."""
    a, b = calibration[found.classes].T if len(found) else (np.ones(0), np.zeros(0))
    scores = _sigmoid(a * _logit(found.scores) + b)
    order = np.argsort(-scores, kind="stable")
    return Detections(found.boxes[order], scores[order], found.classes[order])


def _logit(p: Floats) -> Floats:
    q = np.clip(p, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(q / (1 - q)))


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -50, 50))))
