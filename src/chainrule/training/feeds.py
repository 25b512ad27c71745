"""How samples reach the engine: from memory, from disk block by block, or from the user's own iterator of batches.

A feed cuts an epoch into pieces. A piece is one call of ``Executable.run_steps``: some steps of one batch size, with the
arrays they read and the order in which they read them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import closing
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..data.sequences import Sequences, length_buckets
from ..data.series import overlaps
from ..data.sparse import SparseRows
from ..network.origins import narrowed
from ..ops.value import Shape

Array = NDArray[Any]
Arrays = Mapping[str, Array]
Order = NDArray[np.int64]
#: How many bytes of samples are read from the disk at a time.
BLOCK_BYTES = 32 * 2**20
#: The most steps that a data set is asked for at a time, and the most bytes of these steps.
_MOST_STEPS, _STEPS_BYTES = 16, 4 * 2**20
#: The largest share of the work on sequences that may be padding, where smaller batches can prevent more.
_MOST_PADDING = 0.1
#: The same where one batch shall hold all samples, so that its gradient is that of all of them.
_MOST_PADDING_OF_ALL = 0.5
#: The most plans that a feed of sequences asks to be kept, and a data set whose batches have sizes of their own.
_MOST_PLANS, _MOST_FREE_PLANS = 256, 64


class Piece(NamedTuple):
    """``steps`` steps on ``batch`` samples each.

    ``order`` numbers samples of ``data``, None takes them as they lie; ``owned`` bytes were read for this piece alone;
    ``terms`` is over how many the loss of a step is a mean, where it is not over its samples.
    """

    data: Arrays
    order: Order | None
    batch: int
    steps: int
    owned: int = 0
    terms: int = 0

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of one sample of each input, which say what plan can run the piece."""
        found, i = [], 0
        while (x := self.data.get(f"x{i}")) is not None:
            found.append(x.shape[1:])
            i += 1
        return tuple(found)


def taken(array: Any, rows: Any) -> Any:
    """Some samples, in one piece of memory: of an array, or sparse rows as they are."""
    return array[rows] if isinstance(array, SparseRows) else np.ascontiguousarray(array[rows])


#: Says how many steps of a batch size, on inputs of these shapes (None: those of the network), the next piece may have.
Pace = Callable[[int, "tuple[Shape, ...] | None"], int]


class Feed(Protocol):
    """What the trainer needs to know of its data."""

    #: How many plans an epoch needs, at most.
    plans: int

    @property
    def n_samples(self) -> int | None:
        """The number of samples in an epoch, None when it is not known."""

    def steps(self, batch_size: int) -> int | None:
        """The number of steps in an epoch, None when it is not known."""

    def pieces(
        self, batch_size: int, pace: Pace, rng: np.random.Generator | None = None, *, shuffle: bool = True
    ) -> Iterator[Piece]:
        """One epoch; the last batch may be smaller.

        Parameters  rng : None for evaluation, in the given order ; else the source of a new order and of random changes ;
                    shuffle : False keeps the given order in training too
        """


class ArrayFeed:
    """Samples from arrays that all have them along axis 0.

    Parameters
        arrays : by the names of a plan's inputs ("x0", "y0", "w0", ...)
        dtypes : what each becomes ; rows : the samples that take part, None for all
        whole : whether the samples at the end of an epoch that do not fill a batch are left out of it
        origins : what is subtracted from arrays before they are narrowed (``Origins``)
        sparse : names of SparseRows that plans read as they are

    Arrays of the right dtype in C order are used where they lie; others are converted once. Memory maps stay on disk,
    windows stay views of their series, and SparseRows that plans read as dense arrays stay sparse: each piece reads its own
    rows, in the order in which they lie.
    """

    plans = 2

    def __init__(
        self,
        arrays: Arrays,
        dtypes: Mapping[str, Any],
        rows: Order | None = None,
        *,
        whole: bool = False,
        origins: Arrays | None = None,
        sparse: Container[str] = (),
    ) -> None:
        self.whole, self._origins, self._sparse = whole, origins or {}, sparse
        self.by_piece = any(
            name not in sparse if isinstance(a, SparseRows) else isinstance(a, np.memmap) or overlaps(a)
            for name, a in arrays.items()
        )
        self.dtypes = {name: np.dtype(dtypes[name]) for name in arrays}
        self.arrays = {
            name: a if self.by_piece or name in sparse else narrowed(a, self.dtypes[name], self._origins.get(name))
            for name, a in arrays.items()
        }
        self.rows = rows
        self._n = len(next(iter(arrays.values()))) if rows is None else len(rows)

    @property
    def n_samples(self) -> int:
        return self._n

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of one sample of each input."""
        return Piece(self.arrays, None, 0, 0).shapes

    def steps(self, batch_size: int) -> int:
        batch = min(batch_size, self._n)
        return self._n // batch if self.whole else -(-self._n // batch)

    def given(self) -> dict[str, Array]:
        """What comes with the inputs, targets and weights of all samples, as arrays of the right dtype."""
        rows: Any = slice(None) if self.rows is None else self.rows
        return {name: narrowed(a[rows], self.dtypes[name]) for name, a in self.arrays.items() if name[0] != "x"}

    def first(self, count: int) -> dict[str, Array]:
        """The first samples, as arrays of the right dtype."""
        rows: Any = slice(0, count) if self.rows is None else self.rows[:count]
        return {name: a.dense() if isinstance(a, SparseRows) else a for name, a in self._read(rows).items()}

    def _read(self, rows: Any) -> dict[str, Array]:
        """These samples, as plans read them."""
        origins = self._origins if self.by_piece else {}
        return {
            name: a[rows] if name in self._sparse else narrowed(a[rows], self.dtypes[name], origins.get(name))
            for name, a in self.arrays.items()
        }

    def pieces(
        self, batch_size: int, pace: Pace, rng: np.random.Generator | None = None, *, shuffle: bool = True
    ) -> Iterator[Piece]:
        n, batch = self._n, min(batch_size, self._n)
        order = self.rows
        if rng is not None and shuffle:
            order = rng.permutation(n) if self.rows is None else self.rows[rng.permutation(n)]
        full, rest = divmod(n, batch)
        at = 0
        while at < full:
            steps = min(full - at, pace(batch, self.shapes))
            if self.by_piece:
                steps = max(1, min(steps, BLOCK_BYTES // max(1, self._bytes_a_sample() * batch)))
            yield self._piece(order, at * batch, batch, steps)
            at += steps
        if rest and not self.whole:
            yield self._piece(order, full * batch, rest, 1)

    def _bytes_a_sample(self) -> int:
        return sum(self.dtypes[n].itemsize * int(np.prod(a.shape[1:], dtype=np.int64)) for n, a in self.arrays.items())

    def _piece(self, order: Order | None, start: int, batch: int, steps: int) -> Piece:
        stop = start + batch * steps
        if not self.by_piece:
            if order is None:
                return Piece({name: a[start:stop] for name, a in self.arrays.items()}, None, batch, steps)
            return Piece(self.arrays, order[start:stop], batch, steps)
        rows: Any = slice(start, stop)
        inner = None
        if order is not None:
            # Rows in ascending order are read from the disk several times faster than rows in random order.
            wanted = order[start:stop]
            rows = np.sort(wanted)
            inner = np.searchsorted(rows, wanted).astype(np.int64, copy=False)
        data = {n: a if isinstance(a, SparseRows) else a.view(np.ndarray) for n, a in self._read(rows).items()}
        return Piece(data, inner, batch, steps, sum(a.nbytes for a in data.values()))


class SequenceFeed:
    """Samples of which some arrays are ``Sequences``: batches of samples of about one length, each padded to it.

    Parameters
        arrays : by the names of a plan's inputs, arrays or Sequences ; dtypes : what each becomes
        masks : {"w0": ("y0", (F,))} makes of w0, the weights (N,) of samples if there are any, those (N, T, F) of the steps
            of y0: 0 at the padding
        exact : names of arrays that must not be padded: a batch holds samples of one length of theirs
        rows : the samples that take part, None for all ; origins : as in ``ArrayFeed``

    The lengths that are padded to are few, so that the plans are few, and chosen so that little is padded (see
    ``length_buckets``). The samples of an epoch are shuffled, put in the order of their padded lengths and cut into batches,
    and the batches are taken in random order. Of each length the last samples, too few for a batch, go to the next length
    unless that would make more than a tenth of the work padding (half of it in a batch of all samples): then they are a
    batch of their own.
    Where several arrays have lengths of their own, the second is sorted within the first, upwards and downwards by turns.
    """

    def __init__(
        self,
        arrays: Mapping[str, Array | Sequences],
        dtypes: Mapping[str, Any],
        *,
        masks: Mapping[str, tuple[str, Shape]] | None = None,
        exact: Container[str] = (),
        rows: Order | None = None,
        origins: Arrays | None = None,
    ) -> None:
        self.arrays = {name: _narrowed(a, dtypes[name], (origins or {}).get(name)) for name, a in arrays.items()}
        self.dtypes, self.masks = {n: np.dtype(d) for n, d in dtypes.items()}, dict(masks or {})
        self.rows = np.arange(len(next(iter(arrays.values())))) if rows is None else rows
        # Arrays whose samples have the same lengths are padded alike.
        self._lengths: list[Order] = []
        self._group: dict[str, int] = {}
        for name, a in self.arrays.items():
            if isinstance(a, Sequences):
                same = (g for g, lengths in enumerate(self._lengths) if np.array_equal(lengths, a.lengths))
                self._group[name] = group = next(same, len(self._lengths))
                if group == len(self._lengths):
                    self._lengths.append(a.lengths)
        # Where a sample has several lengths, batches are formed by the longest first, since it causes most of the work.
        self._by = sorted(range(len(self._lengths)), key=lambda g: -int(self._lengths[g][self.rows].sum()))
        self._exact = sorted({group for name, group in self._group.items() if name in exact})
        self._edges = [
            np.unique(lengths[self.rows]) if g in self._exact else length_buckets(lengths[self.rows])
            for g, lengths in enumerate(self._lengths)
        ]
        self._bucket = [np.searchsorted(e, lengths) for e, lengths in zip(self._edges, self._lengths, strict=True)]
        #: Work done on the samples, and on padding beside them, in the last epoch.
        self.useful = self.padded = 0
        self.plans = min(4 * int(np.prod([len(e) for e in self._edges])), _MOST_PLANS)

    @property
    def n_samples(self) -> int:
        return len(self.rows)

    @property
    def padding(self) -> float:
        """The share of steps of the last epoch that were padding."""
        return self.padded / max(1, self.useful + self.padded)

    def steps(self, batch_size: int) -> int:
        return len(self.batches(batch_size))

    def all(self) -> dict[str, Array]:
        """All samples, of Sequences all steps one after the other."""
        return {n: a[self.rows].values if isinstance(a, Sequences) else a[self.rows] for n, a in self.arrays.items()}

    def first(self, count: int) -> dict[str, Array]:
        """The first samples, padded to the longest of them; without those so long that most of it would be padding."""
        rows = self.rows[:count]
        for lengths in self._lengths:
            ordered = np.sort(lengths[rows])
            fits = ordered * np.arange(1, len(rows) + 1) <= np.cumsum(ordered) / (1 - _MOST_PADDING_OF_ALL)
            rows = rows[lengths[rows] <= ordered[np.flatnonzero(fits)[-1]]]
        return self._batch(rows)

    def batches(self, batch_size: int, rng: np.random.Generator | None = None) -> list[Order]:
        """The rows of each batch of an epoch."""
        rows = self.rows if rng is None else self.rows[rng.permutation(len(self.rows))]
        keys: list[Order] = [self._bucket[g][rows] for g in self._by]
        for outer, inner in pairwise(keys):
            np.negative(inner, out=inner, where=outer % 2 == 1)
        rows = rows[np.lexsort(keys[::-1])]
        batch = min(batch_size, len(rows))
        ends = {0, len(rows)}
        for g in self._exact:
            ends.update((np.flatnonzero(np.diff(self._lengths[g][rows])) + 1).tolist())
        cut = [rows[start:stop] for start, stop in self._cuts(rows, ends, batch)]
        return cut if rng is None else [cut[i] for i in rng.permutation(len(cut))]

    def _cuts(self, rows: Order, ends: set[int], batch: int) -> list[tuple[int, int]]:
        """Where the sorted rows are cut into batches: at ``ends``, and between two lengths where that saves much padding."""
        most = _MOST_PADDING if batch < len(rows) else _MOST_PADDING_OF_ALL
        edges, bucket = self._edges[self._by[0]], self._bucket[self._by[0]][rows]
        steps = (np.flatnonzero(np.diff(bucket)) + 1).tolist()
        # The largest steps first: there a sample of the shorter length is padded most.
        steps.sort(key=lambda at: int(edges[bucket[at - 1]]) - int(edges[bucket[at]]))
        while True:
            cuts = [
                (at, min(at + batch, stop)) for start, stop in pairwise(sorted(ends)) for at in range(start, stop, batch)
            ]
            useful = padded = 0
            for lengths, grid in zip(self._lengths, self._edges, strict=True):
                tops = np.maximum.reduceat(lengths[rows], [start for start, _ in cuts])
                sizes = np.array([stop - start for start, stop in cuts])
                total, used = int((grid[np.searchsorted(grid, tops)] * sizes).sum()), int(lengths[rows].sum())
                useful, padded = useful + used, padded + total - used
            if not steps or padded <= most * (useful + padded):
                return cuts
            ends = ends | {steps.pop(0)}

    def pieces(
        self, batch_size: int, pace: Pace, rng: np.random.Generator | None = None, *, shuffle: bool = True
    ) -> Iterator[Piece]:
        self.useful = self.padded = 0
        for rows in self.batches(batch_size, rng if shuffle else None):
            data = self._batch(rows)
            of = next(iter(self.masks.values()), None)
            terms = 0 if of is None else int(self._lengths[self._group[of[0]]][rows].sum())
            yield Piece(data, None, len(rows), 1, sum(a.nbytes for a in data.values()), terms)

    def _batch(self, rows: Order) -> dict[str, Array]:
        to = []
        for lengths, edges in zip(self._lengths, self._edges, strict=True):
            longest = lengths[rows].max()
            to.append(int(edges[np.searchsorted(edges, longest)]) if longest <= edges[-1] else int(longest))
        for lengths, length in zip(self._lengths, to, strict=True):
            used = int(lengths[rows].sum())
            self.useful += used
            self.padded += len(rows) * length - used
        data: dict[str, Array] = {}
        for name, a in self.arrays.items():
            data[name] = a.padded(rows, to[self._group[name]]) if isinstance(a, Sequences) else a[rows]
        for name, (of, tail) in self.masks.items():
            lengths, length = self._lengths[self._group[of]][rows], to[self._group[of]]
            # J is a mean over all steps, padding included; these weights make it the mean over the real steps of all
            # samples.
            weight = len(rows) * length / lengths.sum() * (np.arange(length) < lengths[:, None])
            given = data.get(name)
            if given is not None and given.ndim == 1:
                weight = weight * given[:, None]
            weight = np.broadcast_to(weight.reshape(weight.shape + (1,) * len(tail)), weight.shape + tail)
            if given is not None and given.ndim > 1:  # one for each step, or each entry of a step
                weight = weight * given.reshape(given.shape + (1,) * (weight.ndim - given.ndim))
            data[name] = np.ascontiguousarray(weight, self.dtypes[name])
        return data


def _narrowed(array: Array | Sequences, dtype: Any, origin: Array | None) -> Array | Sequences:
    if not isinstance(array, Sequences):
        return narrowed(array, dtype, origin)
    return (
        array.astype(dtype) if origin is None else Sequences.from_flat(narrowed(array.values, dtype, origin), array.offsets)
    )


class StreamFeed:
    """Batches as an iterator yields them, each one step.

    Parameters
        epoch : called once an epoch, returns the batches as {name: array}
        steps : batches an epoch when known
    """

    plans = 8

    def __init__(self, epoch: Callable[[], Iterator[Arrays]], steps: int | None = None) -> None:
        self._epoch, self._steps = epoch, steps

    @property
    def n_samples(self) -> None:
        return None

    def steps(self, batch_size: int) -> int | None:
        return self._steps

    def pieces(
        self, batch_size: int, pace: Pace, rng: np.random.Generator | None = None, *, shuffle: bool = True
    ) -> Iterator[Piece]:
        for data in self._epoch():
            # The user's iterator may fill the same buffers again, and a diverging step is run a second time.
            kept = {name: np.array(a, order="C") for name, a in data.items()}
            yield Piece(kept, None, len(kept["x0"]), 1, sum(a.nbytes for a in kept.values()))


class DataSetFeed:
    """Batches that a data set makes (``chainrule.data.Batches``), perhaps by other threads ahead of time.

    Parameters
        epoch : called with (batch_size, rng, shuffle) once an epoch, returns batches as {name: array}, new arrays each time
        n_samples : an epoch, None when that is not known ; bytes_a_sample : of the arrays
        free : whether sizes of samples may differ between batches, each of which is one step then

    Many small steps are asked for as one batch and cut here, so that what happens between steps is done for many at once.
    """

    plans = 2

    def __init__(
        self,
        epoch: Callable[[int, np.random.Generator | None, bool], Iterator[Arrays]],
        n_samples: int | None,
        bytes_a_sample: int,
        *,
        free: bool = False,
    ) -> None:
        self._epoch, self._n, self._bytes, self._free = epoch, n_samples, bytes_a_sample, free
        if free:
            self.plans = _MOST_FREE_PLANS

    @property
    def n_samples(self) -> int | None:
        return self._n

    def steps(self, batch_size: int) -> int | None:
        return None if self._n is None else -(-self._n // min(batch_size, self._n))

    def pieces(
        self, batch_size: int, pace: Pace, rng: np.random.Generator | None = None, *, shuffle: bool = True
    ) -> Iterator[Piece]:
        batch = batch_size if self._n is None else min(batch_size, self._n)
        if self._free:
            with closing(self._epoch(batch, rng, shuffle)) as batches:  # type: ignore[type-var]
                for data in batches:
                    yield self._piece(data, 0, len(data["x0"]), 1)
            return
        # This does not depend on the pace, since the random changes of a batch must not depend on the speed of the machine.
        at_once = max(1, min(_MOST_STEPS, _STEPS_BYTES // max(1, self._bytes * batch)))
        with closing(self._epoch(batch * at_once, rng, shuffle)) as batches:  # type: ignore[type-var]
            for data in batches:
                full, rest = divmod(len(data["x0"]), batch)
                at = 0
                while at < full:
                    steps = min(full - at, pace(batch, None))
                    yield self._piece(data, at * batch, batch, steps)
                    at += steps
                if rest:
                    yield self._piece(data, full * batch, rest, 1)

    def _piece(self, data: Arrays, start: int, batch: int, steps: int) -> Piece:
        part = {name: a[start : start + batch * steps] for name, a in data.items()}
        return Piece(part, None, batch, steps, sum(a.nbytes for a in part.values()))
