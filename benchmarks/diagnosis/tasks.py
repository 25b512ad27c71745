"""Small tasks that a good network learns in a second: scikit-learn's data sets and synthetic functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TASKS", "Task", "task"]

Array = NDArray[Any]


class Task:
    """Samples split into a part to train on and one to judge on, inputs (and targets of regressions) scaled.

    Parameters  X, y : all samples ; classes : how many, 0 for a regression ; scale : whether inputs are standardised here
    """

    def __init__(self, X: Array, y: Array, classes: int, *, scale: bool = True, limit: int = 900) -> None:
        order = np.random.default_rng(0).permutation(len(X))[:limit]
        X, y = np.asarray(X, np.float64)[order], np.asarray(y)[order]
        cut = int(0.75 * len(X))
        if scale:
            X = X.reshape(len(X), -1) if X.ndim == 2 else X
            mean, std = X[:cut].mean(axis=0), X[:cut].std(axis=0)
            X = (X - mean) / np.where(std > 0, std, 1)
        if not classes:
            y = np.asarray(y, np.float64)
            y = (y - y[:cut].mean()) / y[:cut].std()
            y = y.reshape(-1, 1).astype(np.float32)
        else:
            y = y.astype(np.int64)
        X = X.astype(np.float32)
        self.X, self.y, self.X_test, self.y_test = X[:cut], y[:cut], X[cut:], y[cut:]
        self.classes = classes


def _sklearn(name: str, classes: int) -> Task:
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    return Task(found.data, found.target, classes)


def _digit_images() -> Task:
    from sklearn.datasets import load_digits

    found = load_digits()
    return Task((found.images[..., None] - 5) / 6, found.target, 10, scale=False)


def _moons() -> Task:
    from sklearn.datasets import make_moons

    X, y = make_moons(800, noise=0.15, random_state=0)
    return Task(X, y, 2)


def _circles() -> Task:
    from sklearn.datasets import make_circles

    X, y = make_circles(800, noise=0.08, factor=0.5, random_state=0)
    return Task(X, y, 2)


def _blobs() -> Task:
    from sklearn.datasets import make_blobs

    X, y = make_blobs(800, centers=5, n_features=8, cluster_std=2.5, random_state=0)
    return Task(X, y, 5)


def _informative() -> Task:
    from sklearn.datasets import make_classification

    X, y = make_classification(900, 20, n_informative=8, n_redundant=4, n_classes=3, class_sep=1.5, random_state=1)
    return Task(X, y, 3)


def _friedman() -> Task:
    from sklearn.datasets import make_friedman1

    X, y = make_friedman1(900, 8, noise=0.5, random_state=0)
    return Task(X, y, 0)


def _sine() -> Task:
    rng = np.random.default_rng(0)
    X = rng.uniform(-3, 3, (700, 1))
    return Task(X, np.sin(2 * X[:, 0]) + 0.05 * rng.normal(size=700), 0)


def _plane() -> Task:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(700, 6))
    return Task(X, X @ rng.normal(size=6) + X[:, 0] * X[:, 1] + 0.1 * rng.normal(size=700), 0)


def _waves() -> Task:
    """Sequences (N, 20, 2): which of three frequencies."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 700)
    t = np.arange(20)
    phase = rng.uniform(0, 2 * np.pi, 700)
    angle = (0.3 + 0.35 * y[:, None]) * t + phase[:, None]
    X = np.stack([np.sin(angle), np.cos(angle)], axis=-1) + 0.2 * rng.normal(size=(700, 20, 2))
    return Task(X, y, 3, scale=False)


def _sums() -> Task:
    """Sequences (N, 15, 2): the sum of the numbers that are marked."""
    rng = np.random.default_rng(0)
    values, marks = rng.normal(size=(800, 15)), (rng.random((800, 15)) < 0.3).astype(float)
    return Task(np.stack([values, marks], axis=-1), (values * marks).sum(axis=1), 0, scale=False)


def _recall() -> Task:
    """Sequences (N, 60, 4) of noise: which of four signs stood at the first step."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 1600)
    X = 0.1 * rng.normal(size=(1600, 60, 4))
    X[np.arange(1600), 0, y] += 1.5
    return Task(X, y, 4, scale=False, limit=1600)


TASKS: dict[str, Callable[[], Task]] = {
    "digits": lambda: _sklearn("digits", 10),
    "wine": lambda: _sklearn("wine", 3),
    "iris": lambda: _sklearn("iris", 3),
    "cancer": lambda: _sklearn("breast_cancer", 2),
    "diabetes": lambda: _sklearn("diabetes", 0),
    "images": _digit_images,
    "moons": _moons,
    "circles": _circles,
    "blobs": _blobs,
    "informative": _informative,
    "friedman": _friedman,
    "sine": _sine,
    "plane": _plane,
    "waves": _waves,
    "sums": _sums,
    "recall": _recall,
}


@cache
def task(name: str) -> Task:
    """The task of this name."""
    return TASKS[name]()
