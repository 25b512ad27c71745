"""Batches for the training loop: from arrays in memory or on disk, or from the user's own iterator."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

from chainrule.errors import DataError, DtypeError, ParameterError, ShapeError

from ..constraints import Interval
from ._types import Array, IndexArray
from .arrays import as_features, as_targets, check_lengths

__all__ = ["ArrayData", "Batch", "Batches", "IteratorData", "repeats_samples", "shuffled_order", "split_validation"]

Arrays: TypeAlias = "Array | tuple[Array, ...]"


class Batch(NamedTuple):
    """One batch. ``inputs`` and ``targets`` are tuples, as a network may have several of each."""

    inputs: tuple[Array, ...]
    targets: tuple[Array, ...]
    sample_weight: Array | None = None

    @property
    def n_samples(self) -> int:
        """The number of samples N."""
        return int(self.inputs[0].shape[0])


@runtime_checkable
class Batches(Protocol):
    """A data set that makes its own batches, which ``Network.fit``, ``evaluate`` and ``predict`` take in place of X and y.

    How many samples it has (None: not known), and an epoch of batches. One with ``split(fraction, random_state)`` can be
    given to fit with ``validation_split``. One that has the attribute ``repeats_samples`` and says True there gives the same
    samples in every epoch, in the order of one ``rng.permutation(n_samples)``, and draws nothing else.
    """

    @property
    def n_samples(self) -> int | None:
        """Samples an epoch, or None when that is not known beforehand."""

    def batches(self, batch_size: int, rng: np.random.Generator | None = None, *, shuffle: bool = True) -> Iterator[Batch]:
        """One epoch of batches in new arrays, each of ``batch_size`` samples but the last.

        Parameters  rng : None for evaluation, in the given order and without anything random ; else the source of the order
                    and of random changes ; shuffle : False keeps the given order in training too
        """


def repeats_samples(data: Batches) -> bool:
    """Whether every epoch of the data set has the same samples, in the order of ``rng.permutation`` alone."""
    return bool(getattr(data, "repeats_samples", False))


class ArrayData:
    """Batches from arrays, which may be memory maps: only the rows of a batch are read.

    Parameters
        inputs, targets : an array, or a tuple of them, with samples along axis 0
        sample_weight : (N,) of finite numbers >= 0, not all zero; None means equal weights
    Shapes      every array (N, ...)
    Raises      DataError for unequal lengths, no samples or bad weights; ShapeError for weights not (N,)
    Example
        >>> data = ArrayData(np.arange(6.0).reshape(3, 2), np.array([0, 1, 1]))
        >>> data.take(np.array([2, 0])).inputs[0]
        array([[4., 5.],
               [0., 1.]])
        >>> [batch.n_samples for batch in data.batches(2)]
        [2, 1]
    """

    def __init__(self, inputs: Arrays, targets: Arrays = (), sample_weight: Any = None) -> None:
        self.inputs = inputs if isinstance(inputs, tuple) else (inputs,)
        self.targets = targets if isinstance(targets, tuple) else (targets,)
        if not self.inputs:
            raise DataError("ArrayData needs at least one input array, got none.")
        named = {f"inputs[{i}]": a for i, a in enumerate(self.inputs)}
        named.update({f"targets[{i}]": a for i, a in enumerate(self.targets)})
        for name, array in named.items():
            if not isinstance(array, np.ndarray) or array.ndim == 0:
                raise DtypeError(f"{name} must be a NumPy array of samples, got {type(array).__name__}; see as_features.")
        self.sample_weight = None if sample_weight is None else _weights(sample_weight, "sample_weight")
        self._n = check_lengths(**named, sample_weight=self.sample_weight)
        if self._n == 0:
            raise DataError("ArrayData needs at least one sample, got arrays of length 0.")

    @property
    def n_samples(self) -> int:
        """The number of samples N."""
        return self._n

    def take(self, indices: IndexArray | slice, out: Batch | None = None) -> Batch:
        """The samples at ``indices``: a copy (into ``out`` where given), or views when ``indices`` is a slice.

        Raises      DataError when an index is outside 0..N-1
        """
        if isinstance(indices, slice):
            weight = None if self.sample_weight is None else self.sample_weight[indices]
            return Batch(tuple(a[indices] for a in self.inputs), tuple(a[indices] for a in self.targets), weight)
        if len(indices) and (indices.min() < 0 or indices.max() >= self._n):
            raise DataError(f"Sample indices must be from 0 to {self._n - 1}, got {indices.min()} to {indices.max()}.")
        if out is None:
            inputs = tuple(_rows_at(a, indices) for a in self.inputs)
            targets = tuple(_rows_at(a, indices) for a in self.targets)
            weight = None if self.sample_weight is None else self.sample_weight[indices]
            return Batch(inputs, targets, weight)
        for source, into in zip(self.inputs + self.targets, out.inputs + out.targets, strict=True):
            _rows_at(source, indices, into)
        if self.sample_weight is not None and out.sample_weight is not None:
            _rows_at(self.sample_weight, indices, out.sample_weight)
        return out

    def batches(self, batch_size: int, rng: np.random.Generator | None = None, *, shuffle: bool = True) -> Iterator[Batch]:
        """One epoch of batches of ``batch_size`` samples; the last one may be smaller."""
        if batch_size < 1:
            raise ParameterError(f"batch_size must be at least 1, got {batch_size}.")
        order = None if rng is None or not shuffle else shuffled_order(self._n, rng)
        for start in range(0, self._n, batch_size):
            stop = min(start + batch_size, self._n)
            yield self.take(slice(start, stop) if order is None else order[start:stop])


class IteratorData:
    """Batches that the user's own iterable yields: ``(x, y)`` or ``(x, y, sample_weight)``, each checked.

    Parameters
        source : an iterable that can be gone through once an epoch (a list, a DataLoader), a function that
            returns an iterator, or an iterator (which serves one epoch, or ``steps_per_epoch`` batches an epoch)
        steps_per_epoch : batches an epoch; None means until the source ends
        input_dtype, target_dtype : what x and y become; None keeps the labels of y as they are
        free : whether sizes of samples may differ between batches, such as the length of sequences
        scalars : which inputs are one number a sample, (N,), by their places
    Shapes      x (N, ...) and y (N, ...); N may differ between batches, the rest may not unless ``free``
    Raises      ShapeError, DtypeError, DataError, each with the number of the batch, counted from 0
    Example
        >>> source = [([[1.0, 2.0]], [0]), ([[3.0, 4.0], [5.0, 6.0]], [1, 0])]
        >>> [batch.n_samples for batch in IteratorData(source).batches()]
        [1, 2]
    """

    def __init__(
        self,
        source: Iterable[Any] | Callable[[], Iterable[Any]],
        *,
        steps_per_epoch: int | None = None,
        input_dtype: Any = np.float32,
        target_dtype: Any = None,
        free: bool = False,
        scalars: Collection[int] = (),
    ) -> None:
        if not callable(source) and not isinstance(source, Iterable) and not hasattr(source, "__getitem__"):
            raise DtypeError(
                f"Batches must come from an iterable or a function that returns one, got {type(source).__name__}."
            )
        if steps_per_epoch is not None and steps_per_epoch < 1:
            raise ParameterError(f"steps_per_epoch must be at least 1 or None, got {steps_per_epoch}.")
        self.source = source
        self.steps_per_epoch = steps_per_epoch
        self.input_dtype = input_dtype
        self.target_dtype = target_dtype
        self.free, self.scalars = free, scalars
        self._shapes: list[tuple[int, ...]] | None = None

    @property
    def n_samples(self) -> None:
        """None: a source does not tell beforehand."""
        return None

    def batches(
        self, batch_size: int = 0, rng: np.random.Generator | None = None, *, shuffle: bool = True
    ) -> Iterator[Batch]:
        """One epoch. The source itself decides on batch sizes and order; the arguments are unused."""
        is_iterable = isinstance(self.source, Iterable) or not callable(self.source)
        source: Any = self.source if is_iterable else self.source()  # type: ignore[operator]
        iterator = iter(source)
        number = 0
        while self.steps_per_epoch is None or number < self.steps_per_epoch:
            try:
                item = next(iterator)
            except StopIteration:
                break
            yield self._checked(item, number)
            number += 1
        if number == 0:
            advice = (
                " It is an iterator, which can be gone through only once: pass a function that makes a new one "
                "for every epoch."
                if iterator is self.source
                else ""
            )
            raise DataError(f"The source of batches yielded no batch in this epoch.{advice}")

    def _checked(self, item: Any, number: int) -> Batch:
        where = f"Batch {number} (counted from 0)"
        if not isinstance(item, (tuple, list)) or len(item) not in (2, 3):
            got = f"{type(item).__name__}" + (f" of length {len(item)}" if isinstance(item, (tuple, list)) else "")
            raise DataError(f"{where}: expected a tuple (x, y) or (x, y, sample_weight), got a {got}.")
        xs = item[0] if isinstance(item[0], tuple) else (item[0],)
        ys = item[1] if isinstance(item[1], tuple) else (item[1],)
        try:
            inputs = tuple(
                as_features(x, name="x", dtype=self.input_dtype, ndim=1 if i in self.scalars else None)
                for i, x in enumerate(xs)
            )
            targets = tuple(as_targets(y, name="y", dtype=self.target_dtype) for y in ys)
            weight = _weights(item[2], "sample_weight") if len(item) == 3 and item[2] is not None else None
            named = {f"x[{i}]" if len(inputs) > 1 else "x": a for i, a in enumerate(inputs)}
            named.update({f"y[{i}]" if len(targets) > 1 else "y": a for i, a in enumerate(targets)})
            check_lengths(**named, sample_weight=weight)
        except (ShapeError, DtypeError, DataError) as error:
            raise type(error)(f"{where}: {error}") from error
        shapes = [a.shape[1:] for a in named.values()]
        if self._shapes is None:
            self._shapes = shapes
        if len(shapes) != len(self._shapes):
            raise ShapeError(f"{where}: {len(shapes)} arrays, but the first batch had {len(self._shapes)}.")
        for name, shape, first in zip(named, shapes, self._shapes, strict=True):
            if shape != first and not (self.free and len(shape) == len(first)):
                raise ShapeError(
                    f"{where}: {name} has samples of shape {shape}, but those of the first batch have shape {first}. "
                    "Every batch needs the same shape but for the number of samples."
                )
        return Batch(inputs, targets, weight)


def shuffled_order(n: int, rng: np.random.Generator) -> IndexArray:
    """The numbers 0..n-1 in random order, int64 (n,)."""
    return rng.permutation(n).astype(np.int64, copy=False)


def split_validation(
    n: int, fraction: float, rng: np.random.Generator, stratify: Array | None = None
) -> tuple[IndexArray, IndexArray]:
    """Split samples 0..n-1 at random into training and validation.

    Parameters
        n : number of samples ; fraction : the share to validate on, 0 < fraction < 1
        stratify : (n,) labels; each is then split in the same proportion (largest remainders), and every
            label keeps at least one training sample, so a label with one sample is trained on
    Shapes      (n_training,), (n_validation,): int64, each in ascending order; n_validation = ceil(n * fraction)
    Raises      ParameterError for a bad fraction; DataError for too few samples or labels of another length
    Example
        >>> train, val = split_validation(10, 0.2, np.random.default_rng(0), stratify=np.repeat([0, 1], 5))
        >>> len(train), len(val), (val < 5).sum()
        (8, 2, np.int64(1))
    """
    Interval(float, 0, 1, closed="neither").check("", "the validation fraction", fraction)
    if n < 2:
        raise DataError(f"A split into training and validation needs at least 2 samples, got {n}.")
    n_validation = math.ceil(round(n * float(fraction), 9))
    if n_validation >= n:
        raise DataError(
            f"A validation fraction of {fraction} of {n} samples leaves none to train on. Use a smaller fraction."
        )
    chosen = np.zeros(n, dtype=bool)
    if stratify is None:
        chosen[shuffled_order(n, rng)[:n_validation]] = True
    else:
        labels = np.asarray(stratify)
        if labels.shape != (n,):
            raise DataError(f"Labels to stratify by must be one for each of the {n} samples, got shape {labels.shape}.")
        _, code, counts = np.unique(labels, return_inverse=True, return_counts=True)
        for label, quota in enumerate(_quotas(counts, n_validation)):
            members = np.flatnonzero(code == label)
            chosen[rng.permutation(members)[:quota]] = True
        if not chosen.any():
            raise DataError(
                f"No label has 2 samples or more ({len(counts)} labels, {n} samples), so none can be validated on."
            )
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _quotas(counts: IndexArray, total: int) -> IndexArray:
    """How many of each label to take so that about ``total`` come together, by largest remainders."""
    exact = counts * (total / counts.sum())
    quotas: IndexArray = np.minimum(np.floor(exact).astype(np.int64), counts - 1)
    for label in np.argsort(-(exact - quotas), kind="stable"):
        if quotas.sum() >= total:
            break
        quotas[label] += int(quotas[label] < counts[label] - 1)
    return quotas


def _rows_at(array: Array, indices: IndexArray, out: Array | None = None) -> Array:
    if not array.flags.c_contiguous:  # np.take would first copy all of it
        rows: Array = np.asarray(array[indices])
        if out is None:
            return rows
        out[...] = rows
        return out
    result: Array = np.take(np.asarray(array), indices, axis=0, out=out, mode="clip")
    return result


def _weights(values: Any, name: str) -> Array:
    weight = as_targets(values, name=name, dtype=np.float32, ndim=1)
    if weight.min() < 0:
        raise DataError(f"{name} must not be negative, got {weight.min()} at row {int(weight.argmin())}.")
    if not weight.any():
        raise DataError(f"{name} is zero for every sample; at least one must count.")
    return weight
