"""How samples reach the engine: from memory, from disk block by block, or from the user's own iterator of batches.

A feed cuts an epoch into pieces. A piece is one call of ``Executable.run_steps``: some steps of one batch size, with the
arrays they read and the order in which they read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = Mapping[str, Array]
Order = NDArray[np.int64]
#: Bytes of samples that are read from disk at a time.
BLOCK_BYTES = 32 * 2**20


class Piece(NamedTuple):
    """``steps`` steps on ``batch`` samples each.

    ``order`` numbers samples of ``data``, None takes them as they lie; ``owned`` bytes were read for this piece alone;
    ``kinds`` names the targets' forms and weights (None: those of the trainer).
    """

    data: Arrays
    order: Order | None
    batch: int
    steps: int
    owned: int = 0


#: Says how many steps of a batch size the next piece may have.
Pace = Callable[[int], int]


class Feed(Protocol):
    """What the trainer needs of its data."""

    @property
    def n_samples(self) -> int | None:
        """Samples an epoch, None when that is not known."""

    def steps(self, batch_size: int) -> int | None:
        """Steps an epoch, None when that is not known."""

    def pieces(self, batch_size: int, pace: Pace, rng: np.random.Generator | None = None) -> Iterator[Piece]:
        """One epoch, shuffled by ``rng`` or in the given order; the last batch may be smaller."""


class ArrayFeed:
    """Samples from arrays that all have them along axis 0.

    Parameters
        arrays : by the names of a plan's inputs ("x0", "y0", "w0", ...)
        dtypes : what each becomes ; rows : the samples that take part, None for all

    Arrays of the right dtype in C order are used where they lie; others are converted once. Memory maps stay on disk: each
    piece reads its own rows, in the order in which they lie in the file.
    """

    def __init__(self, arrays: Arrays, dtypes: Mapping[str, Any], rows: Order | None = None) -> None:
        self.on_disk = any(isinstance(a, np.memmap) for a in arrays.values())
        self.dtypes = {name: np.dtype(dtypes[name]) for name in arrays}
        self.arrays = {name: a if self.on_disk else np.ascontiguousarray(a, self.dtypes[name]) for name, a in arrays.items()}
        self.rows = rows
        self._n = len(next(iter(arrays.values()))) if rows is None else len(rows)

    @property
    def n_samples(self) -> int:
        return self._n

    def steps(self, batch_size: int) -> int:
        return -(-self._n // min(batch_size, self._n))

    def first(self, count: int) -> dict[str, Array]:
        """The first samples, as arrays of the right dtype."""
        rows: Any = slice(0, count) if self.rows is None else self.rows[:count]
        return {name: np.ascontiguousarray(a[rows], self.dtypes[name]) for name, a in self.arrays.items()}

    def pieces(self, batch_size: int, pace: Pace, rng: np.random.Generator | None = None) -> Iterator[Piece]:
        n, batch = self._n, min(batch_size, self._n)
        order = self.rows
        if rng is not None:
            order = rng.permutation(n) if self.rows is None else self.rows[rng.permutation(n)]
        full, rest = divmod(n, batch)
        at = 0
        while at < full:
            steps = min(full - at, pace(batch))
            if self.on_disk:
                steps = max(1, min(steps, BLOCK_BYTES // max(1, self._bytes_a_sample() * batch)))
            yield self._piece(order, at * batch, batch, steps)
            at += steps
        if rest:
            yield self._piece(order, full * batch, rest, 1)

    def _bytes_a_sample(self) -> int:
        return sum(self.dtypes[n].itemsize * int(np.prod(a.shape[1:], dtype=np.int64)) for n, a in self.arrays.items())

    def _piece(self, order: Order | None, start: int, batch: int, steps: int) -> Piece:
        stop = start + batch * steps
        if not self.on_disk:
            if order is None:
                return Piece({name: a[start:stop] for name, a in self.arrays.items()}, None, batch, steps)
            return Piece(self.arrays, order[start:stop], batch, steps)
        rows: Any = slice(start, stop)
        inner = None
        if order is not None:
            # Ascending rows are read several times faster from disk than rows in any order.
            wanted = order[start:stop]
            rows = np.sort(wanted)
            inner = np.searchsorted(rows, wanted).astype(np.int64, copy=False)
        data = {name: np.ascontiguousarray(a[rows], self.dtypes[name]) for name, a in self.arrays.items()}
        data = {name: a.view(np.ndarray) for name, a in data.items()}
        return Piece(data, inner, batch, steps, sum(a.nbytes for a in data.values()))


class StreamFeed:
    """Batches as an iterator yields them, each one step.

    Parameters
        epoch : called once an epoch, returns the batches as {name: array}
        steps : batches an epoch when known
    """

    def __init__(self, epoch: Callable[[], Iterator[Arrays]], steps: int | None = None) -> None:
        self._epoch, self._steps = epoch, steps

    @property
    def n_samples(self) -> None:
        return None

    def steps(self, batch_size: int) -> int | None:
        return self._steps

    def pieces(self, batch_size: int, pace: Pace, rng: np.random.Generator | None = None) -> Iterator[Piece]:
        for data in self._epoch():
            # The user's iterator may fill the same buffers again, and a diverging step is run a second time.
            kept = {name: np.array(a, order="C") for name, a in data.items()}
            yield Piece(kept, None, len(kept["x0"]), 1, sum(a.nbytes for a in kept.values()))
