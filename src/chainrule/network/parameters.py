"""Named arrays that live side by side in one flat arena."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import ShapeError, UnknownNameError
from ..ops.memory import aligned_zeros, round_up
from ..ops.value import Shape


@dataclass(frozen=True)
class Entry:
    """Where one array lies in its arena: ``offset`` in elements; ``decay`` as in layers.Parameter."""

    name: str
    shape: Shape
    offset: int
    decay: bool = True

    @property
    def size(self) -> int:
        return prod(self.shape)


class Arena(Mapping[str, NDArray[Any]]):
    """A read-only mapping from names such as ``"0.dense.weight"`` to arrays that are views into ``flat``.

    Every array starts on a cache line; the padding between them stays zero. Gradients and optimizer slots are arenas of
    the same layout, so that an update, a save or an all-reduce is one pass over one array. The arrays may be written
    in place; ``arena["0.dense.bias"][...] = 0``.

    Parameters  shapes : {name: (shape, decay)} in order ; dtype : of the numbers
    """

    def __init__(self, shapes: Mapping[str, tuple[Shape, bool]], dtype: DTypeLike = np.float32):
        self.entries: dict[str, Entry] = {}
        offset, offsets = 0, {}
        # What decays lies before what does not, so that an update with decay covers two stretches of the arena, not many.
        for name in sorted(shapes, key=lambda name: not shapes[name][1]):
            offsets[name] = offset
            offset += round_up(prod(shapes[name][0]))
        for name, (shape, decay) in shapes.items():
            self.entries[name] = Entry(name, shape, offsets[name], decay)
        self.flat = aligned_zeros(offset, dtype)

    def view(self, flat: NDArray[Any], name: str) -> NDArray[Any]:
        """The array ``name`` in another arena of the same layout."""
        e = self.entries[name]
        return flat[e.offset : e.offset + e.size].reshape(e.shape)

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.entries:
            raise UnknownNameError("parameter", name, self.entries)
        return self.view(self.flat, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    @property
    def count(self) -> int:
        """Number of elements, padding not counted."""
        return sum(e.size for e in self.entries.values())

    def assign(self, values: Mapping[str, Any]) -> None:
        """Copies arrays into the arena. UnknownNameError or ShapeError when one does not fit; then nothing is changed."""
        arrays = {name: np.asarray(value) for name, value in values.items()}
        for name, array in arrays.items():
            if name not in self.entries:
                raise UnknownNameError("parameter", name, self.entries)
            if array.shape != self.entries[name].shape:
                raise ShapeError(f"parameter {name!r} has shape {self.entries[name].shape}, got {array.shape}.")
        for name, array in arrays.items():
            self[name][...] = array
