"""Patches of pictures, drawn and spoilt anew in every epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.batches import Batch
from ...errors import DataError
from .degradation import Degradation, Pair

__all__ = ["PatchData"]

Array = NDArray[Any]


class PatchData:
    """Patches from random places of pictures, for ``Network.fit`` in place of X and y.

    Where a generator is given (in training) they are drawn anew in every epoch, mirrored and turned; else they are the same
    ones each time.

    Parameters  pairs : of pictures ; degradation : of their patches ; side : of a patch ; count : patches of an epoch
    Attributes  n_samples : count
    """

    def __init__(self, pairs: Sequence[Pair], degradation: Degradation, *, side: int, count: int) -> None:
        if not pairs:
            raise DataError("there is no picture to learn from.")
        self.pairs, self.degradation, self.side, self.count = list(pairs), degradation, side, count
        # A large picture has more to learn from than a small one.
        sizes = np.array([pair.target.shape[0] * pair.target.shape[1] for pair in pairs], np.float64)
        self._until = np.cumsum(sizes / sizes.sum())

    @property
    def n_samples(self) -> int:
        return self.count

    def split(self, fraction: float, random_state: Any = None) -> tuple[PatchData, PatchData]:
        """(rest, part): a share of the pictures is taken off. Raises  DataError where one of the two would have none"""
        rng = random_state if isinstance(random_state, np.random.Generator) else np.random.default_rng(random_state)
        held = max(1, round(fraction * len(self.pairs)))
        if held >= len(self.pairs):
            raise DataError(f"{len(self.pairs)} pictures cannot be divided into two parts. Give more pictures.")
        order = rng.permutation(len(self.pairs))
        counts = [max(1, round(self.count * share)) for share in (1 - fraction, fraction)]
        rest, part = (
            PatchData([self.pairs[i] for i in rows], self.degradation, side=self.side, count=count)
            for rows, count in zip((order[held:], order[:held]), counts, strict=True)
        )
        return rest, part

    def batches(self, batch_size: int, rng: np.random.Generator | None = None, *, shuffle: bool = True) -> Iterator[Batch]:
        """One epoch of batches."""
        changes = rng is not None
        rng = np.random.default_rng(0) if rng is None else rng
        for start in range(0, self.count, batch_size):
            size = min(batch_size, self.count - start)
            x, y = self.degradation.batch(*self._patches(size, rng, changes), rng)
            yield Batch((x,), (y,))

    def _patches(self, count: int, rng: np.random.Generator, changes: bool) -> tuple[Array, Array]:
        kind = self.degradation
        shrinks = kind.source_shrink, kind.target_shrink
        step = max(shrinks)
        sides = [self.side // shrink for shrink in shrinks]
        found = [
            np.empty((count, side, side, array.shape[2]), array.dtype)
            for side, array in zip(sides, self.pairs[0], strict=True)
        ]
        rows = np.minimum(np.searchsorted(self._until, rng.random(count)), len(self.pairs) - 1)
        for i, row in enumerate(rows.tolist()):
            pair = self.pairs[row]
            room = [
                min((n - side) * shrink for n, side, shrink in zip(axis, sides, shrinks, strict=True)) // step
                for axis in ((pair.source.shape[k], pair.target.shape[k]) for k in (0, 1))
            ]
            top, left = (step * int(rng.integers(free + 1)) for free in room)
            turn, mirror = int(rng.integers(4)) if kind.turns else 0, bool(rng.integers(2))
            for out, array, side, shrink in zip(found, pair, sides, shrinks, strict=True):
                part = array[top // shrink :, left // shrink :][:side, :side]
                if changes:
                    part = np.rot90(part, turn)
                    part = part[:, ::-1] if mirror else part
                out[i] = part
        return found[0], found[1]
