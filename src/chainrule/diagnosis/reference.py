"""How well simple models do: what a network must reach before it can be said to have learned.

They need no training by steps: the best constant, ridge regression, ridge regression with a Gaussian kernel, and the nearest
neighbours. Each sample is predicted by
a model that has not seen it (leave one out, exact and without fitting again), so the scores are those on unseen samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Reference", "reference_scores"]

Array = NDArray[Any]
#: Samples that the models are made of: the cost grows with the square.
SAMPLES = 400
NEIGHBOURS = 5


@dataclass(frozen=True)
class Reference:
    """Scores on unseen samples: accuracy for classes, R² for numbers.

    Parameters  chance : of the best constant ; linear : of ridge regression ; curved : of the better of kernel and
    neighbours ; error : standard error of a score
    """

    chance: float
    linear: float
    curved: float
    error: float

    @property
    def best(self) -> float:
        return max(self.chance, self.linear, self.curved)

    @property
    def informative(self) -> bool:
        """Whether the inputs tell anything about the targets: better than the constant by more than 3 standard errors."""
        return self.best > self.chance + 3 * self.error


def reference_scores(x: Array, y: Array, *, classes: bool) -> Reference:
    """Parameters  x : standardised, (n, F) ; y : labels (n,) for classes, else (n, O) numbers"""
    if len(x) > SAMPLES:
        rows = np.random.default_rng(0).choice(len(x), SAMPLES, replace=False)
        x, y = x[rows], y[rows]
    n = len(x)
    if classes:
        values, labels = np.unique(y, return_inverse=True)
        labels = labels.reshape(-1)
        target = np.eye(len(values))[labels]
    else:
        target = y - y.mean(axis=0)
        scale = target.std(axis=0)
        target = target[:, scale > 0] / scale[scale > 0]
        if not target.shape[1]:
            return Reference(0.0, 0.0, 0.0, 1.0)
    linear = _ridge(x, target)
    curves = (_kernel(x, target), _neighbours(x, target))
    if classes:
        chance = float(np.bincount(labels).max() / n)
        hits = [float((p.argmax(axis=1) == labels).mean()) for p in (linear, *curves)]
        return Reference(chance, hits[0], max(hits[1:]), sqrt(max(chance * (1 - chance), 1e-4) / n))
    scores = [float(1 - ((target - p) ** 2).mean()) for p in (linear, *curves)]
    # Of R² when nothing is learned: about √(2 / n) per standardised target.
    return Reference(0.0, scores[0], max(scores[1:]), sqrt(2 / n))


def _ridge(x: Array, target: Array) -> Array:
    """Leave-one-out predictions of ridge regression, at the best of some strengths (the choice is worth one more number)."""
    n = len(x)
    mean = target.mean(axis=0)
    u, s = _left_vectors(x)
    projected = u.T @ (target - mean)
    best, error = np.broadcast_to(mean, target.shape), np.inf
    for strength in (1e-2, 1.0, 10.0, 100.0, 1000.0):
        shrink = s**2 / (s**2 + strength)
        fitted = (u * shrink) @ projected
        leverage = ((u**2) * shrink).sum(axis=1) + 1 / n
        residual = (target - mean - fitted) / np.maximum(1 - leverage, 1e-3)[:, None]
        total = float((residual**2).mean())
        if total < error:
            best, error = target - residual, total
    return best


def _kernel(x: Array, target: Array) -> Array:
    """Leave-one-out predictions of ridge regression with a Gaussian kernel, at the best of some widths and strengths."""
    squares = (x**2).sum(axis=1)
    distance = np.maximum(squares[:, None] + squares[None, :] - 2 * x @ x.T, 0)
    mean = target.mean(axis=0)
    best, error = np.broadcast_to(mean, target.shape), np.inf
    for width in (0.2, 1.0, 5.0):
        values, vectors = np.linalg.eigh(np.exp(-distance / (2 * width * x.shape[1])))
        projected = vectors.T @ (target - mean)
        for strength in (0.01, 0.1, 1.0):
            inverse = vectors / (np.maximum(values, 0) + strength)
            residual = (inverse @ projected) / np.maximum((inverse * vectors).sum(axis=1), 1e-12)[:, None]
            total = float((residual**2).mean())
            if total < error:
                best, error = target - residual, total
    return best


def _left_vectors(x: Array) -> tuple[Array, Array]:
    """u and s of the singular value decomposition of x, from the smaller of x xᵀ and xᵀ x: many times faster, exact
    enough."""
    wide = x.shape[1] > x.shape[0]
    values, vectors = np.linalg.eigh(x @ x.T if wide else x.T @ x)
    kept = values > 1e-10 * max(float(values[-1]), 1e-300)
    s = np.sqrt(values[kept])
    return (vectors[:, kept], s) if wide else (x @ vectors[:, kept] / s, s)


def _neighbours(x: Array, target: Array) -> Array:
    """Means over the nearest other samples; identical ones count as one's own copy and do not help."""
    squares = (x**2).sum(axis=1)
    distance = squares[:, None] + squares[None, :] - 2 * x @ x.T
    same = distance <= 1e-9 * (1 + squares[:, None])
    distance[same] = np.inf
    k = min(NEIGHBOURS, len(x) - 1)
    nearest = np.argpartition(distance, k - 1, axis=1)[:, :k]
    found: Array = target[nearest].mean(axis=1)
    return found
