"""Data for the programs: made here from a seed, or read from the folder of the data sets where it is there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..accuracy.data import FOLDER, mnist

__all__ = [
    "Part", "churn", "cifar_pictures", "counts", "digits_of_bars", "gaussians", "gestures", "houses", "mnist_pictures",
    "multi_label", "outputs", "pairs", "parity", "polynomial", "recall", "rings", "series", "shapes", "spirals", "tokens",
    "xor",
]  # fmt: skip

Array = NDArray[Any]


@dataclass(frozen=True)
class Part:
    """Samples to train on and samples to judge on.

    Parameters  X, y, X_test, y_test : X a list of arrays for several inputs ; classes : how many, 0 for numbers
    """

    X: Any
    y: Array
    X_test: Any
    y_test: Array
    classes: int


def _part(X: Any, y: Array, classes: int, seed: int = 0, share: float = 0.75) -> Part:
    """Divided at random."""
    order = np.random.default_rng(seed).permutation(len(y))
    several = isinstance(X, list)
    xs = [np.asarray(x)[order] for x in (X if several else [X])]
    xs = [x.astype(np.int64) if x.dtype.kind in "iu" and x.dtype != np.uint8 else x.astype(np.float32) for x in xs]
    y = np.asarray(y)[order]
    y = y.astype(np.int64) if classes and y.dtype.kind != "f" else y.astype(np.float32)
    cut = int(share * len(y))
    kept, held = [x[:cut] for x in xs], [x[cut:] for x in xs]
    return Part(kept if several else kept[0], y[:cut], held if several else held[0], y[cut:], classes)


# ---------------------------------------------------------------- points


def xor(n: int = 600, noise: float = 0.25, seed: int = 0) -> Part:
    """Four clouds at the corners of a square; opposite corners are one class."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (n, 2))
    return _part(2 * bits - 1 + rng.normal(0, noise, (n, 2)), bits[:, 0] ^ bits[:, 1], 2)


def parity(bits: int = 6, repeats: int = 12, seed: int = 0) -> Part:
    """Whether the number of ones is odd, of every word of so many bits, a little blurred."""
    rng = np.random.default_rng(seed)
    words = np.tile((np.arange(2**bits)[:, None] >> np.arange(bits)) & 1, (repeats, 1))
    return _part(2 * words - 1 + rng.normal(0, 0.1, words.shape), words.sum(axis=1) % 2, 2)


def spirals(n: int = 900, arms: int = 2, turns: float = 1.0, noise: float = 0.03, seed: int = 0) -> Part:
    """Arms wound around each other."""
    rng = np.random.default_rng(seed)
    arm, t = rng.integers(0, arms, n), np.sqrt(rng.uniform(0.02, 1, n))
    angle = 2 * np.pi * (turns * t + arm / arms)
    X = 1.6 * t[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) + rng.normal(0, noise, (n, 2))
    return _part(X, arm, arms)


def rings(n: int = 800, count: int = 3, seed: int = 0) -> Part:
    """Rings around one middle, in the plane, with two more columns of noise."""
    rng = np.random.default_rng(seed)
    ring, angle = rng.integers(0, count, n), rng.uniform(0, 2 * np.pi, n)
    radius = 0.5 + 0.7 * ring + rng.normal(0, 0.1, n)
    plane = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return _part(np.concatenate([plane, rng.normal(0, 1, (n, 2))], axis=1), ring, count)


def gaussians(n: int = 800, width: int = 10, distance: float = 2.0, classes: int = 2, seed: int = 0) -> Part:
    """Normal clouds whose middles are so far apart: the best error is that of the overlap."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(classes, width))
    middles *= distance / np.sqrt(2) / np.linalg.norm(middles, axis=1, keepdims=True)
    label = rng.integers(0, classes, n)
    return _part(middles[label] + rng.normal(size=(n, width)), label, classes)


def polynomial(n: int = 700, noise: float = 0.05, seed: int = 0) -> Part:
    """A cubic of one number, targets of mean 0 and variance about 1."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.7, 1.7, (n, 1))
    y = x**3 - 1.8 * x
    return _part(x, y / y.std() + rng.normal(0, noise, (n, 1)), 0)


def outputs(n: int = 800, noise: float = 0.05, seed: int = 0) -> Part:
    """Three numbers at once: a product, a wave and a sum of five inputs."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.5, 1.5, (n, 5))
    y = np.stack([x[:, 0] * x[:, 1], np.sin(2 * x[:, 2]), 0.5 * (x[:, 3] - x[:, 4])], axis=1)
    return _part(x, (y - y.mean(axis=0)) / y.std(axis=0) + rng.normal(0, noise, y.shape), 0)


def counts(n: int = 900, seed: int = 0) -> Part:
    """How many come, by Poisson's law, of a rate that depends on four numbers."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    return _part(x, rng.poisson(np.exp(1.2 + 0.8 * x[:, :1] - 0.6 * x[:, 1:2] * (x[:, 2:3] > 0))), 0)


def multi_label(n: int = 900, seed: int = 0) -> Part:
    """Four answers, yes or no, to one row of eight numbers."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 8))
    y = np.stack([x[:, 0] + x[:, 1] > 0, x[:, 2] * x[:, 3] > 0, x[:, 4] > 0.3, np.abs(x[:, 5]) < 0.7], axis=1)
    return _part(x, y.astype(np.int64), 2)


# ---------------------------------------------------------------- tables


def houses(n: int = 900, *, raw: bool = False, raw_price: bool = False, seed: int = 0) -> Part:
    """Prices of houses: area, rooms, year, metres to the centre, income of the street, garden. Raw is in their own units."""
    rng = np.random.default_rng(seed)
    area, year = rng.uniform(40, 260, n), rng.integers(1900, 2022, n)
    rooms = np.clip(np.round(area / 32 + rng.normal(0, 0.8, n)), 1, 9)
    metres, income = rng.exponential(6000, n) + 200, rng.lognormal(10.6, 0.35, n)
    garden = rng.integers(0, 2, n)
    price = (
        2100 * area * (1 + 0.5 * np.exp(-metres / 4000)) + 900 * (year - 1900) + 1.5 * income + 25000 * garden * (area > 120)
    )
    price *= rng.normal(1, 0.04, n)
    X = np.stack([area, rooms, year, metres, income, garden], axis=1)
    if not raw:
        X = (X - X.mean(axis=0)) / X.std(axis=0)
    if not raw_price:
        price = (price - price.mean()) / price.std()
    return _part(X, price[:, None], 0)


def churn(n: int = 1200, *, raw: bool = False, share: float = 0.5, seed: int = 0) -> Part:
    """Who leaves: months, bill, calls, age, kind of contract as three columns. ``share`` of them do."""
    rng = np.random.default_rng(seed)
    months, bill, calls = rng.integers(1, 72, n), rng.gamma(4, 18, n), rng.poisson(2.0, n)
    age, contract = rng.integers(18, 85, n), rng.integers(0, 3, n)
    score = (
        1.2 * calls - 0.07 * months + 0.03 * (bill - 72) * (contract == 0) + 0.6 * (contract == 0) - 0.02 * np.abs(age - 45)
    )
    score += rng.logistic(0, 0.35, n)
    X = np.concatenate([np.stack([months, bill, calls, age], axis=1), np.eye(3)[contract]], axis=1)
    if not raw:
        X[:, :4] = (X[:, :4] - X[:, :4].mean(axis=0)) / X[:, :4].std(axis=0)
    return _part(X, (score > np.quantile(score, 1 - share)).astype(int), 2)


# ---------------------------------------------------------------- pictures


def shapes(n: int = 800, size: int = 16, kinds: int = 4, noise: float = 0.15, seed: int = 0) -> Part:
    """Discs, squares, crosses, rings, triangles, stripes of any place and size, as pictures of 0 to 1."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, kinds, n)
    i, j = np.mgrid[:size, :size]
    pictures = np.empty((n, size, size, 1))
    for k in range(n):
        r = rng.uniform(0.2, 0.32) * size
        a, b = i - rng.uniform(r, size - r), j - rng.uniform(r, size - r)
        distance, corner = np.hypot(a, b), np.maximum(abs(a), abs(b))
        drawn = [
            distance < r,
            corner < 0.85 * r,
            (np.minimum(abs(a), abs(b)) < 0.25 * r) & (corner < r),
            (distance < r) & (distance > 0.6 * r),
            (abs(b) < (a + r) / 2) & (a < r) & (a > -r),
            (corner < r) & (np.floor(a / 2) % 2 == 0),
        ][kind[k]]
        pictures[k, ..., 0] = drawn * rng.uniform(0.6, 1) + rng.normal(0, noise, (size, size))
    return _part(pictures.clip(0, 1), kind, kinds)


#: Which of seven bars a digit has: top, upper left, upper right, middle, lower left, lower right, bottom.
_BARS = (0b1110111, 0b0010010, 0b1011101, 0b1011011, 0b0111010, 0b1101011, 0b1101111, 0b1010010, 0b1111111, 0b1111011)


def digits_of_bars(n: int = 900, size: int = 20, noise: float = 0.2, seed: int = 0) -> Part:
    """Digits of seven bars, moved about, as pictures of 0 to 1."""
    rng = np.random.default_rng(seed)
    digit = rng.integers(0, 10, n)
    pictures = rng.normal(0.1, noise, (n, size, size, 1))
    h = size // 2 - 3
    for k in range(n):
        t, l, w = rng.integers(0, 3), rng.integers(2, 6), rng.integers(1, 3)
        bars = (
            (t, l, w, h), (t, l, h, w), (t, l + h, h, w), (t + h, l, w, h + w), (t + h, l, h, w), (t + h, l + h, h, w),
            (t + 2 * h, l, w, h + w),
        )  # fmt: skip
        for q, (a, b, height, width) in enumerate(bars):
            if _BARS[digit[k]] >> (6 - q) & 1:
                pictures[k, a : a + height, b : b + width, 0] += 0.8
    return _part(pictures.clip(0, 1), digit, 10)


@cache
def _mnist() -> tuple[Array, Array]:
    X, y, _, _ = mnist(FOLDER)
    return X[:1600], y[:1600]


def mnist_pictures(n: int = 1200) -> Part | None:
    """The first digits of MNIST, of 0 to 1; None where the folder is missing."""
    if not (FOLDER / "mnist").exists():
        return None
    X, y = _mnist()
    return _part(X[:n], y[:n], 10)


@cache
def _cifar() -> tuple[Array, Array]:
    from ..accuracy.data import cifar10

    ((X, y),) = cifar10(FOLDER, [("train", 3000)])
    keep = np.isin(y, (0, 1, 6))  # aeroplanes, cars, frogs
    return X[keep], np.searchsorted([0, 1, 6], y[keep])


def cifar_pictures(n: int = 900) -> Part | None:
    """Three classes of CIFAR-10 (aeroplane, car, frog), of 0 to 1; None where the folder is missing."""
    if not (FOLDER / "cifar10").exists():
        return None
    X, y = _cifar()
    return _part(X[:n], y[:n], 3)


def pairs(n: int = 900, seed: int = 0) -> Part:
    """Two rows each: do they come from the same side of a curve?"""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, 4)), rng.normal(size=(n, 4))

    def side(x: Array) -> Array:
        return x[:, 0] > 0.5 * x[:, 1]

    return _part([a, b], (side(a) == side(b)).astype(int), 2)


# ---------------------------------------------------------------- sequences


def tokens(n: int = 900, rows: int = 60, length: int = 20, topics: int = 2, share: float = 0.35, seed: int = 0) -> Part:
    """Texts as numbers of words: some words belong to a topic, most to none."""
    rng = np.random.default_rng(seed)
    topic = rng.integers(0, topics, n)
    own = rows // (2 * topics)
    X = rng.integers(topics * own, rows, (n, length))
    for k in range(n):
        told = rng.random(length) < share
        X[k, told] = topic[k] * own + rng.integers(0, own, told.sum())
    return _part(X, topic, topics)


def series(n: int = 700, window: int = 24, noise: float = 0.05, seed: int = 0, *, channels_last: bool = True) -> Part:
    """Windows of a sum of two waves of changing height, and the value after each."""
    rng = np.random.default_rng(seed)
    t = np.arange(n + window)
    values = np.sin(2 * np.pi * t / 17) * (1 + 0.4 * np.sin(t / 90)) + 0.5 * np.sin(2 * np.pi * t / 5.3 + 1)
    values = (values - values.mean()) / values.std() + rng.normal(0, noise, len(t))
    X = np.lib.stride_tricks.sliding_window_view(values, window)[:n]
    return _part(X[..., None] if channels_last else X, values[window : window + n, None], 0)


def gestures(n: int = 700, length: int = 40, seed: int = 0) -> Part:
    """Movements in three channels: a bump that rises, falls, or waves, somewhere in noise."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    X = rng.normal(0, 0.35, (n, length, 3))
    s = np.linspace(0, 1, 16)
    for k in range(n):
        at = rng.integers(0, length - 16)
        bump = (np.where(s < 0.75, s / 0.75, 4 * (1 - s)), np.where(s > 0.25, (1 - s) / 0.75, 4 * s), np.sin(4 * np.pi * s))
        X[k, at : at + 16] += (1.6 * bump[kind[k]])[:, None] * rng.normal(1, 0.2, 3)
    return _part(X, kind, 3)


def recall(n: int = 700, length: int = 30, seed: int = 0) -> Part:
    """The sign of the first step, told after many steps of noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(0, 0.5, (n, length, 1))
    sign = rng.integers(0, 2, n)
    X[:, 0, 0] = 2.0 * sign - 1
    return _part(X, sign, 2)
