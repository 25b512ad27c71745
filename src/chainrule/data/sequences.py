"""Samples of different lengths, and how they are put into batches with little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import DTypeLike

from ..errors import DataError, DtypeError, ShapeError
from ._types import Array, IndexArray
from .containers import to_array, to_numbers

__all__ = ["Sequences", "length_buckets"]

#: Distinct lengths that are told apart when buckets are chosen; more are rounded up first.
_CANDIDATES = 128


class Sequences:
    """Samples of different lengths: sequences of numbers (T,), or of vectors (T, I), with a T of their own.

    All values lie in one array, one sample after the other; nothing is padded until a batch is made.

    Parameters
        samples : arrays or lists, one a sample, each with at least one step
        name : what the error messages call it
    Attributes
        values : (ΣT, ...) all steps ; offsets : (N + 1,) where samples begin ; lengths : (N,) the T of each sample
        shape : (N, −1, ...), with −1 for the length
    Raises      ShapeError when the vectors have different widths ; DataError for no samples, a sample without steps, NaN or
                infinity ; DtypeError for what is no number; each names the sample

    Example
        >>> x = Sequences([[1, 2, 3], [4]])
        >>> len(x), x.lengths.tolist(), x.shape
        (2, [3, 1], (2, -1))
        >>> x.padded()
        array([[1, 2, 3],
               [4, 0, 0]])
        >>> Sequences([[1, 2], []])
        Traceback (most recent call last):
        ...
        chainrule.errors.DataError: X[1] has length 0; every sequence needs at least one step. Leave it out.
    """

    def __init__(self, samples: Sequence[Any], *, name: str = "X") -> None:
        if isinstance(samples, (str, bytes)) or not hasattr(samples, "__len__"):
            raise DtypeError(f"{name} must be a list of sequences, got {type(samples).__name__}.")
        if not len(samples):
            raise DataError(f"{name} has 0 samples while a minimum of 1 is required.")
        parts: list[Array] = []
        for i, sample in enumerate(samples):
            where = f"{name}[{i}]"
            array = sample if isinstance(sample, np.ndarray) else to_array(sample, where)[0]
            if array.ndim < 1:
                raise ShapeError(f"{where} must be a sequence of steps, got a single value.")
            if not len(array):
                raise DataError(f"{where} has length 0; every sequence needs at least one step. Leave it out.")
            array = to_numbers(array, where, None)
            if parts and array.shape[1:] != parts[0].shape[1:]:
                raise ShapeError(
                    f"{name} is ragged within a step: steps of {name}[0] have shape {parts[0].shape[1:]}, those of {where} "
                    f"{array.shape[1:]}. Only the number of steps may differ."
                )
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                at = int((~np.isfinite(array)).reshape(len(array), -1).any(axis=1).argmax())
                raise DataError(f"{where} has a number that is not finite at step {at}. Fill in or leave out such samples.")
            parts.append(array)
        lengths = np.fromiter((len(a) for a in parts), np.int64, len(parts))
        self._set(np.concatenate(parts), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @classmethod
    def from_flat(cls, values: Array, offsets: IndexArray) -> Sequences:
        """Sequences from all steps one after the other and the places where samples begin (and the last one ends)."""
        self = cls.__new__(cls)
        self._set(values, np.asarray(offsets, np.int64))
        return self

    def _set(self, values: Array, offsets: IndexArray) -> None:
        self.values, self.offsets = values, offsets
        self.lengths: IndexArray = np.diff(offsets)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), -1, *self.values.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        return int(self.values.nbytes + self.offsets.nbytes)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, which: int | np.integer[Any]) -> Array: ...
    @overload
    def __getitem__(self, which: slice | list[int] | Array) -> Sequences: ...
    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, (int, np.integer)):
            i = range(len(self))[int(which)]
            return self.values[self.offsets[i] : self.offsets[i + 1]]
        rows = np.arange(len(self))[which]
        offsets = np.concatenate([[0], np.cumsum(self.lengths[rows])]).astype(np.int64)
        return Sequences.from_flat(self.values[self._places(rows, offsets)], offsets)

    def __iter__(self) -> Iterator[Array]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"Sequences({len(self)} of lengths {self.lengths.min()} to {self.lengths.max()}, {self.values.dtype})"

    def astype(self, dtype: DTypeLike) -> Sequences:
        """The same samples with values of another dtype; themselves when it is theirs already."""
        return self if self.dtype == dtype else Sequences.from_flat(self.values.astype(dtype), self.offsets)

    def _places(self, rows: IndexArray, offsets: IndexArray) -> IndexArray:
        """Where in ``values`` the steps of these samples lie, one sample after the other."""
        shift = np.repeat(self.offsets[rows] - offsets[:-1], self.lengths[rows])
        places: IndexArray = np.arange(offsets[-1]) + shift
        return places

    def padded(
        self, rows: Any = None, length: int | None = None, *, dtype: DTypeLike | None = None, padding: float = 0
    ) -> Array:
        """Samples as one array (n, length, ...), filled up at the end with ``padding``.

        Parameters  rows : which samples, None for all ; length : at least that of the longest (and that by default)
        Raises      ShapeError when a sample is longer
        """
        rows = np.arange(len(self)) if rows is None else np.asarray(rows)
        lengths = self.lengths[rows]
        longest = int(lengths.max()) if len(rows) else 0
        length = longest if length is None else length
        if longest > length:
            raise ShapeError(f"a sequence has {longest} steps, more than the {length} asked for. Cut it first.")
        out = np.full((len(rows), length, *self.values.shape[1:]), padding, self.values.dtype if dtype is None else dtype)
        if len(rows):
            offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
            out[np.arange(length) < lengths[:, None]] = self.values[self._places(rows, offsets)]
        return out


def length_buckets(lengths: IndexArray, *, waste: float = 0.06, most: int = 16) -> IndexArray:
    """The lengths to pad to, ascending: as few as keep the share of padding below ``waste``, at most ``most``.

    Each sequence is padded to the first of them that is not shorter. The choice is optimal for its number of buckets, by
    dynamic programming over the distinct lengths.

    Example
        >>> length_buckets(np.array([3, 3, 4, 50, 50, 49])).tolist()
        [4, 50]
    """
    sizes, counts = np.unique(np.asarray(lengths, np.int64), return_counts=True)
    if len(sizes) > _CANDIDATES:
        edges = np.unique(sizes[np.linspace(0, len(sizes) - 1, _CANDIDATES).round().astype(int)])
        counts = np.bincount(np.searchsorted(edges, sizes), weights=counts, minlength=len(edges)).astype(np.int64)
        sizes = edges
    total = float((sizes * counts).sum())
    below = np.concatenate([[0], np.cumsum(counts)])
    # cost[j]: the least padded work of all sequences up to the j-th size when that is the last edge.
    first = sizes * below[1:]
    cost, back = first.astype(np.float64), [np.full(len(sizes), -1)]
    for _ in range(1, min(most, len(sizes))):
        if cost[-1] <= total / (1 - waste):
            break
        # with one edge more: all up to size i, then one bucket from i + 1 to j
        more = cost[:, None] + sizes[None, :] * (below[None, 1:] - below[1:, None])
        more[np.tril_indices(len(sizes))] = np.inf
        back.append(more.argmin(axis=0))
        cost = more.min(axis=0)
        cost[0] = np.inf
    chosen, at = [len(sizes) - 1], len(sizes) - 1
    for step in reversed(back[1:]):
        at = int(step[at])
        chosen.append(at)
    found: IndexArray = sizes[chosen[::-1]]
    return found
