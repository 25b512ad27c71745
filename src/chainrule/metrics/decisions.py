"""From targets and probabilities to what was true and what was decided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import DataError, ShapeError
from .base import Array

__all__ = ["Decisions", "decide", "distributions_to_classes", "same_shape"]


@dataclass(frozen=True)
class Decisions:
    """What was true and what was decided, of one shape.

    Parameters  kind : "classes" (labels), "binary" (yes or no), or "multilabel" (yes or no for every output)
    """

    true: Array
    decided: Array
    kind: str


def decide(name: str, y: Array, p: Array, *, threshold: float, multilabel: bool) -> Decisions:
    """The decisions that predictions stand for.

    Parameters
        name : of the metric, for errors ; threshold : of the prediction, for yes or no
        y, p : class indices (N, ...) and scores (N, ..., K): the largest score wins ;
               distributions (N, ..., K) and scores of the same shape: the largest of each ;
               yes or no (0 and 1, or −1 and +1) and scores of the same shape, or with a last axis of size 1 more ;
               or labels and decided labels, which are no floats
        multilabel : y and p of the same shape are yes or no for each output, not distributions
    Raises  ShapeError when the shapes do not fit ; DataError when rows of y are no distribution
    """
    if p.dtype.kind not in "fc" and not multilabel:
        y, p = same_shape(name, y, p)
        return Decisions(y, p, "classes")
    if multilabel:
        if y.shape != p.shape:
            raise ShapeError(f"{name}: multilabel=True needs y_true and prediction of one shape. Got {y.shape}, {p.shape}.")
        return Decisions(y > 0.5, p > (threshold if p.dtype.kind == "f" else 0.5), "multilabel")
    if p.ndim == 1 or p.shape[-1] == 1:
        y, p = same_shape(name, y, p)
        return Decisions(y > 0.5, p > threshold, "binary")
    if y.shape == p.shape:
        return Decisions(distributions_to_classes(name, y), p.argmax(axis=-1), "classes")
    if y.shape == (*p.shape[:-1], 1):
        y = y[..., 0]
    if y.shape != p.shape[:-1]:
        raise ShapeError(f"{name}: scores {p.shape} need targets {p.shape[:-1]} or {p.shape}. Got y_true {y.shape}.")
    return Decisions(y, p.argmax(axis=-1), "classes")


def distributions_to_classes(name: str, y: Array) -> Array:
    """The most probable class of every row; DataError for rows that do not sum to 1."""
    total = y.sum(axis=-1, dtype=np.float64)
    wrong = ~(np.abs(total - 1) <= 1e-3)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"{name}: y_true of the prediction's shape must hold a distribution over classes in each row. "
            f"Row {', '.join(map(str, at))} sums to {total[at]:.6g}. For several labels at once use multilabel=True."
        )
    return np.asarray(y.argmax(axis=-1))


def same_shape(name: str, y: Array, p: Array) -> tuple[Array, Array]:
    """y and p of one shape: a last axis of size 1 that only one of them has is taken off."""
    if y.ndim == p.ndim + 1 and y.shape[-1] == 1:
        y = y[..., 0]
    elif p.ndim == y.ndim + 1 and p.shape[-1] == 1:
        p = p[..., 0]
    if y.shape != p.shape:
        raise ShapeError(f"{name}: y_true and prediction must have one shape. Got {y.shape} and {p.shape}.")
    return y, p
