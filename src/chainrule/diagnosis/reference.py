"""How well simple models do: what a network must reach before it can be said to have learned.

They need no training by steps: the best constant, ridge regression, ridge regression with a Gaussian kernel, and the nearest
neighbours. Each sample is predicted by
a model that has not seen it (leave one out, exact and without fitting again), so the scores are those on unseen samples.
"""

from __future__ import annotations

from contextlib import nullcontext
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
    with _one_thread():
        return _scores(x, y, classes)


def _one_thread() -> Any:
    """Matrices of this size gain nothing from several threads of BLAS, and lose much while other programs use the cores."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    return threadpool_limits(limits=1, user_api="blas")


def _scores(x: Array, y: Array, classes: bool) -> Reference:
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
    """Leave-one-out predictions of ridge regression."""
    return _left_out([x @ x.T], (0.1, 10.0, 300.0), target)


def _kernel(x: Array, target: Array) -> Array:
    """Leave-one-out predictions of ridge regression with a Gaussian kernel."""
    squares = (x**2).sum(axis=1)
    distance = np.maximum(squares[:, None] + squares[None, :] - 2 * x @ x.T, 0)
    kernels = [np.exp(-distance / (2 * width * x.shape[1])) for width in (0.2, 1.0, 5.0)]
    return _left_out(kernels, (0.02, 0.3), target)


def _left_out(kernels: list[Array], strengths: tuple[float, ...], target: Array) -> Array:
    """Each sample predicted by a model of all others: with A = (K + λ I)⁻¹ the error is (A t)ᵢ / Aᵢᵢ.

    The best kernel and strength are taken; that choice is worth one or two numbers beside the samples.
    """
    mean = target.mean(axis=0)
    best, least = np.broadcast_to(mean, target.shape), float(((target - mean) ** 2).mean())
    for kernel in kernels:
        for strength in strengths:
            inverse = np.linalg.inv(kernel + strength * np.eye(len(kernel)))
            error = (inverse @ (target - mean)) / np.maximum(np.diag(inverse), 1e-12)[:, None]
            total = float((error**2).mean())
            if total < least:
                best, least = target - error, total
    return best


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
