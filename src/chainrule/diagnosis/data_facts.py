"""Facts about the data that need no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rank import participation
from .reference import Reference, names_or_sizes, reference_scores, separation

__all__ = ["DataFacts"]

Array = NDArray[Any]
#: How many samples the facts are computed from; where there are more, they are drawn evenly.
ROWS = 2000
#: How many samples the effective rank of the inputs is computed from.
RANK_ROWS = 256
#: How many features of a sample the simple models read, and how many numbers they predict, at most.
WIDTH, OUTPUTS = 2048, 64


@dataclass
class DataFacts:
    """Inputs and targets of a network, as NumPy arrays.

    Parameters
        inputs, targets : one array for each input and output, with the samples on axis 0
        index_limits : for each input, how many indices its embeddings know; None for an input of numbers
        classes : for each output, how many classes its loss tells apart; None where the targets are numbers
        validation : (inputs, targets) of the validation samples, or None
        total : how many samples there are in all, where the arrays hold only some of them
        independent : whether the output for a sample depends on that sample alone; a node of a graph has neighbours
        width : how many numbers the narrowest layer holds that a sample has to pass; None where a path leads around it
    """

    inputs: Sequence[Array]
    targets: Sequence[Array]
    index_limits: Sequence[int | None] = ()
    classes: Sequence[int | None] = ()
    validation: tuple[Sequence[Array], Sequence[Array]] | None = None
    total: int | None = None
    independent: bool = True
    width: int | None = None
    _notes: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def samples(self) -> int:
        """How many samples there are in all."""
        return self.total or self._held

    @property
    def _held(self) -> int:
        return len(self.inputs[0]) if self.inputs else 0

    def of_output(self, number: int) -> DataFacts:
        """The facts about the inputs and the targets of one output alone."""
        held = self.validation
        return DataFacts(
            self.inputs, [self.targets[number]], self.index_limits, list(self.classes[number : number + 1]),
            None if held is None else (held[0], [held[1][number]]), self.total, self.independent,
        )  # fmt: skip

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The numbers of the samples that the facts are computed from."""
        n = self._held
        return np.arange(n) if n <= ROWS else np.sort(np.random.default_rng(0).choice(n, ROWS, replace=False))

    @cached_property
    def non_finite(self) -> dict[str, int]:
        """How many values of each array are NaN or infinite, by its name: "X" or "y", with a number where there are
        several."""
        found = {}
        for letter, arrays in (("X", self.inputs), ("y", self.targets)):
            for i, a in enumerate(arrays):
                if np.asarray(a).dtype.kind != "f":
                    continue
                bad = int(np.size(a) - np.isfinite(a).sum())
                if bad:
                    found[letter if len(arrays) == 1 else f"{letter}[{i}]"] = bad
        return found

    @cached_property
    def broken(self) -> NDArray[np.int64]:
        """The numbers of the samples that hold a value which is NaN or infinite."""
        numbers = [np.asarray(a) for a in (*self.inputs, *self.targets) if np.asarray(a).dtype.kind == "f"]
        bad = np.zeros(self._held, bool)
        for a in numbers:
            if len(a) == len(bad):
                bad |= ~np.isfinite(a).all(axis=tuple(range(1, np.ndim(a))))
        return np.flatnonzero(bad)

    def _numbers(self, i: int) -> Array:
        """Input i of the samples in ``rows``, as (n, features) in float64."""
        x = np.asarray(self.inputs[i])[self.rows]
        found: Array = x.reshape(len(x), -1).astype(np.float64)
        return found

    @cached_property
    def features(self) -> Array:
        """All inputs of numbers side by side, (n, F); channels of images and steps of sequences count as features."""
        parts = [self._numbers(i) for i in range(len(self.inputs)) if not self._is_index(i)]
        found: Array = np.concatenate(parts, axis=1) if parts else np.zeros((len(self.rows), 0))
        return found

    def _is_index(self, i: int) -> bool:
        return i < len(self.index_limits) and self.index_limits[i] is not None

    @cached_property
    def feature_means(self) -> Array:
        return self.features.mean(axis=0) if len(self.rows) else np.zeros(0)

    @cached_property
    def feature_stds(self) -> Array:
        return self.features.std(axis=0) if len(self.rows) else np.zeros(0)

    @cached_property
    def feature_rms(self) -> Array:
        found: Array = np.sqrt(self.feature_means**2 + self.feature_stds**2)
        return found

    @cached_property
    def input_rank(self) -> float:
        """The effective rank of the features, centred, over the samples; NaN where there are no features."""
        return participation(self._some_features) if self._some_features.size else float("nan")

    @cached_property
    def moment_rank(self) -> float:
        """The effective rank of E[xxᵀ], which gives the curvature along the first weights. It is 1 where one direction,
        such as the mean or a column in other units, outweighs all others."""
        return participation(self._some_features, centred=False) if self._some_features.size else float("nan")

    @property
    def _some_features(self) -> Array:
        return self.features[:: max(1, -(-len(self.features) // RANK_ROWS))]

    @cached_property
    def constant_features(self) -> NDArray[np.int64]:
        """The numbers of the features that have the same value in every sample."""
        if len(self.rows) < 2 or not self.features.size:
            return np.zeros(0, np.int64)
        return np.flatnonzero(np.ptp(self.features, axis=0) == 0)

    # ------------------------------------------------------------ targets

    @cached_property
    def target(self) -> Array:
        """The first target of the samples in ``rows``."""
        return np.asarray(self.targets[0])[self.rows] if self.targets else np.zeros(0)

    @cached_property
    def class_labels(self) -> Array | None:
        """The class of every sample, where the first output tells classes apart and each sample has one class; else None."""
        if not self.targets or not self.classes or self.classes[0] is None:
            return None
        return _labels(np.asarray(self.targets[0]))

    @cached_property
    def class_counts(self) -> NDArray[np.int64] | None:
        """How many samples each of the classes in the data has."""
        if self.class_labels is None or not len(self.class_labels):
            return None
        return np.unique(self.class_labels, return_counts=True)[1]

    @property
    def classification(self) -> bool:
        return bool(self.classes) and self.classes[0] is not None

    @cached_property
    def looks_like_classes(self) -> int | None:
        """How many classes the first target seems to hold, whatever the loss is; None where it does not look like classes.

        Classes are one-hot rows, zeros and ones, or the numbers 0, 1, ..., K − 1 where these have an int dtype or are no
        sizes."""
        y = np.asarray(self.targets[0]) if self.targets else np.zeros(0)
        if not y.size or (y.dtype.kind == "f" and not np.isfinite(y).all()):
            return None
        if y.ndim == 2 and y.shape[1] > 1:
            hot = bool(((y == 0) | (y == 1)).all()) and bool((y.sum(axis=1) == 1).all())
            return int(y.shape[1]) if hot else None
        count = self.counted
        return count if count is not None and (y.dtype.kind in "biu" or count == 2 or self.named[1]) else None

    @cached_property
    def counted(self) -> int | None:
        """K, where the first target holds all of the numbers 0, 1, ..., K − 1 and no others, of any dtype: classes or
        counts."""
        values = np.unique(np.asarray(self.targets[0])) if self.targets else np.zeros(0)
        if not 2 <= len(values) <= 100 or not np.isfinite(values).all() or values[0] != 0:
            return None
        return len(values) if (values == np.arange(len(values))).all() else None

    @cached_property
    def named(self) -> tuple[float, bool | None]:
        """The accuracy of a simple model of classes on the whole numbers of the first target, and whether these numbers are
        names of classes rather than sizes; see ``names_or_sizes``."""
        if self.design is None or self.target.size != len(self.rows) or len(self.rows) < 20:
            return 0.0, None
        return names_or_sizes(self.design, self.target.reshape(-1))

    # ------------------------------------------------------------ what simple models make of it

    @cached_property
    def design(self) -> Array | None:
        """Standardised features for the simple models, with indices as counts; None where they are too many or not
        finite."""
        parts = []
        for i, x in enumerate(self.inputs):
            if self._is_index(i):
                limit = int(self.index_limits[i] or 0)
                if limit > WIDTH:
                    return None
                rows = np.asarray(x)[self.rows].reshape(len(self.rows), -1).astype(np.int64)
                counts = np.zeros((len(rows), limit))
                np.add.at(counts, (np.repeat(np.arange(len(rows)), rows.shape[1]), rows.ravel().clip(0, limit - 1)), 1)
                parts.append(counts)
            else:
                parts.append(self._numbers(i))
        whole = np.concatenate(parts, axis=1) if parts else np.zeros((0, 0))
        if not whole.size or not np.isfinite(whole).all():
            return None
        if whole.shape[1] > WIDTH:
            whole = whole[:, np.linspace(0, whole.shape[1] - 1, WIDTH).astype(int)]
        std = whole.std(axis=0)
        whole = whole[:, std > 0]
        return (whole - whole.mean(axis=0)) / std[std > 0] if whole.shape[1] else None

    @cached_property
    def reference(self) -> Reference | None:
        """The scores of the simple models on samples that they have not seen; None where these models do not apply."""
        if self.design is None or not self.targets or len(self.rows) < 20:
            return None
        if self.classification:
            if self.class_labels is not None:
                return reference_scores(self.design, self.class_labels[self.rows], classes=True)
            y = self.target
            several = y.ndim == 2 and bool(((y == 0) | (y == 1)).all())
            return reference_scores(self.design, y, classes=True) if several else None
        y = self.target.reshape(len(self.target), -1).astype(np.float64)
        if not np.isfinite(y).all():
            return None
        columns = np.flatnonzero(y.std(axis=0) > 0)
        if len(columns) > OUTPUTS:
            columns = columns[np.linspace(0, len(columns) - 1, OUTPUTS).astype(int)]
        code = self.code_share
        y = y[:, columns] if len(columns) else y
        found = reference_scores(self.design, y, classes=False, pooled=code is not None)
        return found if code is None else replace(found, ceiling=code)

    @cached_property
    def code_share(self) -> float | None:
        """R² of the best linear code as wide as the narrowest layer, where the targets are the inputs themselves (an
        autoencoder): the share of the largest eigenvalues. None where they are not, or the layer holds all of them.

        A narrow layer is the aim of such a network, so it is measured by what principal components of that number reach
        (Baldi and Hornik, Neural networks and principal component analysis, 1989).
        """
        if self.width is None or len(self.inputs) != 1 or not self.targets or self.classification or self._is_index(0):
            return None
        x, y = self._numbers(0), self.target.reshape(len(self.target), -1).astype(np.float64)
        if x.shape != y.shape or y.shape[1] < 3 or not (np.isfinite(x).all() and np.isfinite(y).all()):
            return None
        varying = (x.std(axis=0) > 0) & (y.std(axis=0) > 0)
        x, y = x[:, varying] - x[:, varying].mean(axis=0), y[:, varying] - y[:, varying].mean(axis=0)
        if y.shape[1] < 3 or self.width >= y.shape[1]:
            return None
        alike = (x * y).sum(axis=0) / np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
        if np.median(alike) < 0.5:
            return None
        y = y[:, np.linspace(0, y.shape[1] - 1, min(WIDTH, y.shape[1])).astype(int)]
        own, others = y[::2], y[1::2]  # axes from one half of the samples, judged on the other
        axes = np.linalg.svd(own, full_matrices=False)[2][: self.width]
        return float(1 - ((others - others @ axes.T @ axes) ** 2).sum() / (others**2).sum())

    @cached_property
    def rare_and_hidden(self) -> bool:
        """Whether at least nine tenths of the samples belong to one class, and simple models cannot tell the rarest class
        apart from it."""
        counts = self.class_counts
        if counts is None or len(counts) < 2 or counts.max() < 0.9 * counts.sum():
            return False
        area, error = self.rare_separation
        return area <= 0.5 + 2 * error

    @cached_property
    def rare_separation(self) -> tuple[float, float]:
        """How well the simple models tell the rarest class apart from the others, and the standard error; see
        ``separation``."""
        labels = self.class_labels
        if labels is None or self.design is None or self.class_counts is None or len(self.class_counts) < 2:
            return 0.5, 0.0
        values, counts = np.unique(labels[self.rows], return_counts=True)
        rare = labels[self.rows] == values[counts.argmin()]
        return separation(self.design, rare) if 3 <= rare.sum() < len(rare) else (0.5, 0.0)

    # ------------------------------------------------------------ training and validation together

    @cached_property
    def shared_rows(self) -> tuple[float, float] | None:
        """The share of the validation samples that are also training samples, and the share of the training samples that
        occur more than once."""
        if self.validation is None or not len(self.validation[0][0]) or not self.independent:
            return None
        train = _hashes(self.inputs)
        found = set(train.tolist())
        inside = 1.0 - len(found) / max(1, len(train))
        held = _hashes(self.validation[0])
        return float(np.mean([h in found for h in held.tolist()])), inside

    @cached_property
    def label_runs(self) -> float | None:
        """The z-score of the number of runs of equal labels, compared with a random order of the samples (negative where
        there are fewer runs); None where the targets are numbers."""
        labels = self.class_labels
        if labels is None or len(labels) < 20 or self.class_counts is None or len(self.class_counts) < 2:
            return None
        changes = float((labels[1:] != labels[:-1]).sum())
        p = self.class_counts / self.class_counts.sum()
        q, n = float(1 - (p**2).sum()), len(labels) - 1
        return (changes - n * q) / float(np.sqrt(n * q * (1 - q)) + 1e-12)


def _labels(y: Array) -> Array | None:
    """The class of every sample, from indices, zeros and ones, or one-hot rows."""
    if y.ndim == 1:
        return y
    if y.ndim == 2 and y.shape[1] == 1:
        found: Array = y[:, 0]
        return found
    if y.ndim == 2 and bool((y.max(axis=1) > 0).all()) and np.allclose(y.sum(axis=1), 1):
        best: Array = y.argmax(axis=1)
        return best
    return None


def _hashes(arrays: Sequence[Array]) -> NDArray[np.int64]:
    """A number for each sample, equal for equal samples."""
    total = np.zeros(len(arrays[0]), np.int64)
    with np.errstate(all="ignore"):
        for a in arrays:
            flat = np.ascontiguousarray(np.asarray(a).reshape(len(a), -1), np.float32)
            bits = flat.view(np.int32).astype(np.int64)
            factors = np.random.default_rng(1).integers(1, 2**62, bits.shape[1], dtype=np.int64) | 1
            total ^= (bits * factors).sum(axis=1)
    return total
