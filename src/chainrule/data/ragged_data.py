"""A data set of sequences of different lengths that makes its own batches, so that samples can change in training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from ..errors import DataError, ParameterError
from ._types import Array, IndexArray
from .arrays import check_lengths
from .batches import Batch, split_validation
from .sequences import Sequences, length_buckets

__all__ = ["RaggedData"]


class RaggedData:
    """Sequences and their targets for ``Network.fit`` and ``evaluate`` in place of X and y, in batches of about one length.

    A batch is (x, lengths) and the targets: x is padded at the end to one of at most 16 lengths, and the network takes
    ``Masking()(Input((None, ...)), Input((), dtype="int"))``. In training (a generator is given to ``batches``) each sample
    goes through ``change`` first, which may make it shorter or longer.

    Parameters
        samples : Sequences, or a list of arrays (T, ...) ; targets : (N, ...)
        change : called with (sample, generator), returns the changed sample (T', ...); None for none
        padding : what samples are filled up with = 0
        dtype : of x = float32 ; scale : x is what is stored times this = 1
    Attributes  n_samples ; samples : Sequences ; targets ; rows : which of all samples take part
    Raises      as Sequences ; DataError for targets of another number

    Example
        >>> data = RaggedData([[1.0, 2.0], [3.0]], np.array([0, 1]))
        >>> batch = next(data.batches(2))
        >>> batch.inputs[0].tolist(), batch.inputs[1].tolist()
        ([[3.0, 0.0], [1.0, 2.0]], [1, 2])
    """

    def __init__(
        self,
        samples: Any,
        targets: Any,
        *,
        change: Callable[[Array, np.random.Generator], Array] | None = None,
        padding: float = 0.0,
        dtype: Any = np.float32,
        scale: float = 1.0,
        rows: IndexArray | None = None,
    ) -> None:
        self.samples = samples if isinstance(samples, Sequences) else Sequences(samples)
        self.targets = np.asarray(targets)
        check_lengths(samples=self.samples, targets=self.targets)
        self.change, self.padding, self.dtype, self.scale = change, padding, np.dtype(dtype), scale
        self.rows: IndexArray = np.arange(len(self.samples)) if rows is None else np.asarray(rows)
        self._edges = length_buckets(self.samples.lengths[self.rows])

    @property
    def n_samples(self) -> int:
        """The number of samples N."""
        return len(self.rows)

    @property
    def repeats_samples(self) -> bool:
        """Whether every epoch has the same samples, since none is changed at random."""
        return self.change is None

    def take(self, rows: Any, **changed: Any) -> Self:
        """Some of the samples, by their numbers in this set. Parameters  changed : arguments that differ, such as change"""
        kept = {name: getattr(self, name) for name in ("change", "padding", "dtype", "scale")}
        return type(self)(self.samples, self.targets, rows=self.rows[np.asarray(rows)], **{**kept, **changed})

    def split(self, fraction: float, random_state: Any = None, *, stratify: Array | None = None) -> tuple[Self, Self]:
        """(rest, part): a share of the samples, drawn at random, is taken off; labels each in the same proportion.

        Raises      ParameterError, DataError for a fraction that cannot be
        """
        rng = random_state if isinstance(random_state, np.random.Generator) else np.random.default_rng(random_state)
        rest, part = split_validation(self.n_samples, fraction, rng, stratify)
        return self.take(rest), self.take(part, change=None)

    def arrays(self, rows: Any = None) -> tuple[Sequences, Array]:
        """The samples as they are, and their targets. Parameters  rows : some of them, None for all"""
        chosen = self.rows if rows is None else self.rows[np.asarray(rows)]
        samples = self.samples[chosen]
        if self.scale != 1 or samples.dtype != self.dtype:
            samples = Sequences.from_flat(samples.values.astype(self.dtype) * self.dtype.type(self.scale), samples.offsets)
        return samples, self.targets[chosen]

    def batches(self, batch_size: int, rng: np.random.Generator | None = None, *, shuffle: bool = True) -> Iterator[Batch]:
        """One epoch of batches of samples of about one length, in random order where a generator is given."""
        if batch_size < 1:
            raise ParameterError(f"batch_size must be at least 1, got {batch_size}.")
        order = np.arange(self.n_samples) if rng is None or not shuffle else rng.permutation(self.n_samples)
        bucket = np.searchsorted(self._edges, self.samples.lengths[self.rows[order]])
        order = order[np.argsort(bucket, kind="stable")]
        cut = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        for part in cut if rng is None or not shuffle else (cut[i] for i in rng.permutation(len(cut))):
            yield self._batch(self.rows[part], rng)

    def _batch(self, rows: IndexArray, rng: np.random.Generator | None) -> Batch:
        samples: list[Array] = [self.samples[int(row)] for row in rows]
        if rng is not None and self.change is not None:
            samples = [self._changed(sample, row, rng) for sample, row in zip(samples, rows, strict=True)]
        lengths = np.array([len(sample) for sample in samples], np.int32)
        longest = int(lengths.max())
        longest = int(self._edges[min(int(np.searchsorted(self._edges, longest)), len(self._edges) - 1)])
        lengths = np.minimum(lengths, longest).astype(np.int32)
        x = np.full((len(rows), longest, *self.samples.values.shape[1:]), self.padding / self.scale, self.dtype)
        for out, sample, length in zip(x, samples, lengths, strict=True):
            out[:length] = sample[:length]
        if self.scale != 1:
            x *= self.dtype.type(self.scale)
        return Batch((x, lengths), (self.targets[rows],))

    def _changed(self, sample: Array, row: int, rng: np.random.Generator) -> Array:
        assert self.change is not None
        found = self.change(sample, rng)
        if not len(found) or found.shape[1:] != sample.shape[1:]:
            raise DataError(f"The change of sample {row} gave shape {found.shape} for {sample.shape}; only T may differ.")
        return found


def padded_targets(labels: Sequence[Sequence[int]], blank: int = 0) -> Array:
    """(N, L) rows of labels of different lengths, filled up with the blank; of no labels at all L is 1."""
    longest = max(1, max(map(len, labels), default=1))
    rows = np.full((len(labels), longest), blank, np.int32)
    for row, own in zip(rows, labels, strict=True):
        row[: len(own)] = own
    return rows
