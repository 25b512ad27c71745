"""How well simple models do: what a network must reach before it can be said to have learned.

The models need no training in steps: the best constant, ridge regression, ridge regression with a Gaussian kernel, and the
nearest neighbours. Each sample is predicted by a model that has not seen it (leave-one-out, computed exactly and without
fitting again), so the scores are those on unseen samples.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Reference", "names_or_sizes", "reference_scores", "separation"]

Array = NDArray[Any]
#: How many samples the models are made of, at most; the cost grows with their square.
SAMPLES = 400
NEIGHBOURS = 5


@dataclass(frozen=True)
class Reference:
    """Scores on unseen samples: accuracy for classes, R² for numbers.

    Parameters
        chance : the score of the best constant ; linear : that of ridge regression ; curved : the better one of the kernel
            and the neighbours
        error : how much a score can differ by chance alone: for accuracy its standard error, for R² a third of the R² that
            four standard errors of a correlation make
        skill : the share of the variance of the targets that the best of the models explains, R²; for classes of their
            indicators, 1 minus the Brier score over that of the class frequencies (the Brier skill score). Unlike
            accuracy it is proper: it also grows where classes are unequal and no sample is more likely than not of the
            rare one
        freedom : the effective number of parameters of the better ridge regression, tr(K (K + λ I)⁻¹) for each output
        ceiling : the score that no network of this form can exceed by much
        samples : how many samples the models were made of
    """

    chance: float
    linear: float
    curved: float
    error: float
    skill: float = 0.0
    freedom: float = 0.0
    ceiling: float = 1.0
    samples: int = 0

    @property
    def spread(self) -> float:
        """Standard error of the best score as an estimate of R²: 2 √R² (1 − R²) / √n (Olkin and Finn, 1995)."""
        best = min(1.0, max(0.0, self.best))
        return 2 * sqrt(best) * (1 - best) / sqrt(self.samples) if self.samples else 0.0

    @property
    def best(self) -> float:
        return max(self.chance, min(max(self.linear, self.curved), self.ceiling))

    @property
    def informative(self) -> bool:
        """Whether the inputs tell anything about the targets: better than the constant by more than 3 standard errors."""
        return max(self.linear, self.curved) > self.chance + 3 * self.error

    @property
    def predictable(self) -> bool:
        """Whether the inputs tell anything about the targets by a proper score: the skill is beyond what chance makes.

        A correlation r by chance has the standard error 1 / √n, and the skill is about r²: 16 / n takes four of them.

        References  Gneiting and Raftery, Strictly proper scoring rules, prediction, and estimation, JASA 2007
        """
        return self.informative or bool(self.samples and self.skill > 16 / self.samples)


def reference_scores(x: Array, y: Array, *, classes: bool, pooled: bool = False) -> Reference:
    """The scores of all simple models.

    Parameters  x : standardised features (n, F) ; y : for classes labels (n,), or zeros and ones (n, K) where a sample has
                several answers; else numbers (n, O) ; pooled : whether R² is that of all numbers together, such as the
                pixels of a picture, and not the mean of one R² for each
    """
    with _one_thread():
        return _scores(x, y, classes, pooled)


def _one_thread() -> Any:
    """One thread of BLAS: matrices of this size gain nothing from more, and lose much while other programs use the cores."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    return threadpool_limits(limits=1, user_api="blas")


def _scores(x: Array, y: Array, classes: bool, pooled: bool) -> Reference:
    if len(x) > SAMPLES:
        rows = np.random.default_rng(0).choice(len(x), SAMPLES, replace=False)
        x, y = x[rows], y[rows]
    n = len(x)
    answers = classes and y.ndim == 2
    if answers:
        target = y.astype(np.float64)
    elif classes:
        values, labels = np.unique(y, return_inverse=True)
        labels = labels.reshape(-1)
        target = np.eye(len(values))[labels]
    else:
        target = y - y.mean(axis=0)
        scale = target.std(axis=0)
        kept = scale > 0
        target = target[:, kept] / (np.sqrt((scale[kept] ** 2).mean()) if pooled else scale[kept])
        if not target.shape[1]:
            return Reference(0.0, 0.0, 0.0, 1.0)
    linear, few = _ridge(x, target)
    curve, many = _kernel(x, target)
    predictions = (linear, curve, _neighbours(x, target))
    if answers:
        rate = target.mean(axis=0)
        each = np.maximum(rate, 1 - rate)
        chance = float(each.mean())
        scores = [float(((p > 0.5) == (target > 0.5)).mean()) for p in predictions]
        error = sqrt(max(float((each * (1 - each)).mean()), 1e-4) / n)
    elif classes:
        chance = float(np.bincount(labels).max() / n)
        scores = [float((p.argmax(axis=1) == labels).mean()) for p in predictions]
        error = sqrt(max(chance * (1 - chance), 1e-4) / n)
    else:
        chance = 0.0
        scores = [float(1 - ((target - p) ** 2).mean()) for p in predictions]
        # A correlation r by chance has the standard error 1 / √n, and R² ≈ r²: 16 / n is out of reach of chance.
        error = 16 / (3 * n)
    freedom = few if scores[0] >= scores[1] else many
    return Reference(chance, scores[0], max(scores[1:]), error, _skill(target, predictions), freedom, samples=n)


def _skill(target: Array, predictions: tuple[Array, ...]) -> float:
    """1 − Σ (t − p)² / Σ (t − t̄)², over all outputs together, of the best predictions."""
    total = float(((target - target.mean(axis=0)) ** 2).sum())
    least = min(float(((target - p) ** 2).sum()) for p in predictions)
    return 1 - least / total if total > 0 else 0.0


def names_or_sizes(x: Array, y: Array) -> tuple[float, bool | None]:
    """The accuracy of a model of classes on whole numbers, and True where these are names, False where they are sizes, None
    where both are possible.

    Sizes, such as ratings and counts, are close to each other where samples are alike, so a rounded regression predicts them
    as well as a choice between classes. Where it does not, the numbers are names of classes. The two are compared sample by
    sample, and have to differ by three standard errors and a twentieth.

    Parameters  x : standardised, (n, F) ; y : whole numbers (n,)
    """
    if len(x) > SAMPLES:
        rows = np.random.default_rng(0).choice(len(x), SAMPLES, replace=False)
        x, y = x[rows], y[rows]
    values, labels = np.unique(y, return_inverse=True)
    labels = labels.reshape(-1)
    chosen, rounded = [], []
    with _one_thread():
        for model in (_ridge, _kernel):
            chosen.append(model(x, np.eye(len(values))[labels])[0].argmax(axis=1) == labels)
            said = model(x, y[:, None].astype(np.float64))[0]
            rounded.append(np.abs(said - values).argmin(axis=1) == labels)
    best, other = (max(found, key=lambda hits: float(hits.mean())) for found in (chosen, rounded))
    gain = best.astype(float) - other
    clear = bool(gain.mean() > max(0.05, 3 * float(gain.std()) / sqrt(len(gain))))
    return float(best.mean()), True if clear else None if gain.mean() > 0 else False


def separation(x: Array, rare: Array) -> tuple[float, float]:
    """How well simple models tell a rare class apart from the others, and the standard error: the area under the receiver
    operating characteristic (1/2 by chance), with as many samples of the others as make up ``SAMPLES``.

    Parameters  x : standardised, (n, F) ; rare : of each sample, whether it is of that class
    References  Hanley and McNeil, The meaning and use of the area under a ROC curve, Radiology 1982
    """
    rng = np.random.default_rng(0)
    here, others = np.flatnonzero(rare), np.flatnonzero(~rare)
    here = rng.permutation(here)[: SAMPLES // 2]
    others = rng.permutation(others)[: max(len(here), SAMPLES - len(here))]
    rows, k = np.concatenate([here, others]), len(here)
    target = (np.arange(len(rows)) < k).astype(np.float64)[:, None]
    with _one_thread():
        areas = [_area(model(x[rows], target)[0][:, 0], k) for model in (_ridge, _kernel)]
    return max(areas), sqrt((k + len(others) + 1) / (12 * max(1, k) * max(1, len(others))))


def _area(said: Array, k: int) -> float:
    """The share of the pairs of one of the first k samples and one of the others in which the first is rated more likely."""
    if not 0 < k < len(said):
        return 0.5
    above = said[:k, None] - said[None, k:]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def _ridge(x: Array, target: Array) -> tuple[Array, float]:
    """Leave-one-out predictions of ridge regression, and its effective number of parameters."""
    return _left_out([x @ x.T], (0.1, 10.0, 300.0), target)


def _kernel(x: Array, target: Array) -> tuple[Array, float]:
    """Leave-one-out predictions of ridge regression with a Gaussian kernel, and its effective number of parameters."""
    squares = (x**2).sum(axis=1)
    distance = np.maximum(squares[:, None] + squares[None, :] - 2 * x @ x.T, 0)
    kernels = [np.exp(-distance / (2 * width * x.shape[1])) for width in (0.2, 1.0, 5.0)]
    return _left_out(kernels, (0.02, 0.3), target)


def _left_out(kernels: list[Array], strengths: tuple[float, ...], target: Array) -> tuple[Array, float]:
    """Each sample predicted by a model of all others: with A = (K + λ I)⁻¹ the error is (A t)ᵢ / Aᵢᵢ; and n − λ tr A.

    The best kernel and strength are taken; this choice fits one or two numbers, few compared with the samples.
    """
    mean = target.mean(axis=0)
    best, least, freedom = np.broadcast_to(mean, target.shape), float(((target - mean) ** 2).mean()), 0.0
    for kernel in kernels:
        for strength in strengths:
            inverse = np.linalg.inv(kernel + strength * np.eye(len(kernel)))
            error = (inverse @ (target - mean)) / np.maximum(np.diag(inverse), 1e-12)[:, None]
            total = float((error**2).mean())
            if total < least:
                best, least = target - error, total
                freedom = len(kernel) - strength * float(np.trace(inverse))
    return best, freedom


def _neighbours(x: Array, target: Array) -> Array:
    """The means over the nearest other samples. A sample that is identical counts as a copy and is left out."""
    squares = (x**2).sum(axis=1)
    distance = squares[:, None] + squares[None, :] - 2 * x @ x.T
    same = distance <= 1e-9 * (1 + squares[:, None])
    distance[same] = np.inf
    k = min(NEIGHBOURS, len(x) - 1)
    nearest = np.argpartition(distance, k - 1, axis=1)[:, :k]
    found: Array = target[nearest].mean(axis=1)
    return found
