"""How like two sets of samples are, by features that a network finds in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShapeError

__all__ = ["frechet_distance", "kernel_distance", "precision_and_recall", "separation", "variety"]

Floats = NDArray[np.float64]


def _pair(real: Any, made: Any, least: int) -> tuple[Floats, Floats]:
    a, b = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (real, made))
    if a.shape[1] != b.shape[1] or min(len(a), len(b)) < least:
        raise ShapeError(f"features must be (N, F) and (M, F) with N and M at least {least}. Got {a.shape} and {b.shape}.")
    return a, b


def frechet_distance(real: Any, made: Any) -> float:
    """``‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½)``: the Fréchet distance of two normal distributions with the moments of the
    features; 0 for equal ones.

    Parameters  real, made : features (N, F) and (M, F), N and M at least 2
    References  Heusel et al., GANs trained by a two time-scale update rule converge to a local Nash equilibrium, 2017

    Example
        >>> x = np.random.default_rng(0).normal(size=(2000, 3))
        >>> round(frechet_distance(x, x + [2, 0, 0]), 6)
        4.0
    """
    a, b = _pair(real, made, 2)
    mean = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    first, second = np.atleast_2d(np.cov(a, rowvar=False)), np.atleast_2d(np.cov(b, rowvar=False))
    # tr (Σ₁ Σ₂)^½ by the eigenvalues of the symmetric Σ₁^½ Σ₂ Σ₁^½, which are those of Σ₁ Σ₂ and not negative.
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    return float(max(0.0, mean + np.trace(first) + np.trace(second) - 2 * shared))


def kernel_distance(real: Any, made: Any, *, degree: int = 3) -> float:
    """The squared maximum mean discrepancy with the kernel ``k(x, y) = (xᵀ y / F + 1)^degree``, without bias: its mean is 0
    for samples of one distribution, so it may be a little below 0.

    Parameters  real, made : features (N, F) and (M, F), N and M at least 2
    References  Bińkowski et al., Demystifying MMD GANs, ICLR 2018
    """
    a, b = _pair(real, made, 2)

    def kernel(x: Floats, y: Floats) -> Floats:
        found: Floats = (x @ y.T / x.shape[1] + 1) ** degree
        return found

    within = 0.0
    for x in (a, b):
        own = kernel(x, x)
        within += (own.sum() - np.trace(own)) / (len(x) * (len(x) - 1))
    return float(within - 2 * kernel(a, b).mean())


def precision_and_recall(real: Any, made: Any, *, neighbours: int = 3) -> tuple[float, float]:
    """The share of made samples that lie among the real ones, and of real samples that lie among the made ones.

    A sample lies among others when it is within the distance of one of them to its k-th neighbour among these. Precision
    says how good the samples are, recall how much of the variety they have.

    Parameters  real, made : features (N, F) and (M, F), N and M above ``neighbours`` = k = 3
    References  Kynkäänniemi et al., Improved precision and recall metric for assessing generative models, 2019

    Example
        >>> x = np.random.default_rng(0).normal(size=(400, 2))
        >>> precision, recall = precision_and_recall(x, 0.1 * x)
        >>> precision > 0.95, recall < 0.3
        (True, True)
    """
    a, b = _pair(real, made, neighbours + 1)

    def covered(of: Floats, by: Floats) -> float:
        radius = np.sort(_squares(by, by), axis=1)[:, neighbours]
        return float((_squares(of, by) <= radius).any(axis=1).mean())

    return covered(b, a), covered(a, b)


def variety(samples: Any) -> float:
    """The mean distance of two samples, by the root of the mean square of their differences."""
    x = np.asarray(samples, np.float64).reshape(len(samples), -1)
    squares = _squares(x, x) / x.shape[1]
    return float(np.sqrt(squares[np.triu_indices(len(x), 1)]).mean()) if len(x) > 1 else 0.0


def separation(real: Any, made: Any) -> float:
    """The probability that a critic's score of a real sample is above that of a made one; 0.5 where it tells nothing.

    Parameters  real, made : scores (N,) and (M,)
    """
    a, b = np.asarray(real, np.float64).ravel(), np.asarray(made, np.float64).ravel()
    above = a[:, None] - b[None, :]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def _squares(a: Floats, b: Floats) -> Floats:
    found: Floats = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * a @ b.T
    return np.maximum(found, 0)
