"""Named arrays of a network, which live side by side in flat blocks of memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import EngineError, ShapeError, UnknownNameError
from ..ops.memory import aligned_zeros
from ..ops.value import Shape
from .store import Variable, allocate, offsets, touch, touches, views

__all__ = ["Arena", "Entry", "arena_name", "block_of", "kind_of"]

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Entry:
    """Where one array lies: ``block`` is the number of the arena's block, ``offset`` in elements, ``decay`` as in
    layers.Parameter."""

    name: str
    shape: Shape
    offset: int
    decay: bool = True
    block: int = 0

    @property
    def size(self) -> int:
        return prod(self.shape)


def arena_name(kind: str, block: int) -> str:
    """The name in plans of the flat array of this kind ("parameters", "gradients", ...) that goes with a block."""
    return kind if block == 0 else f"{kind}#{block}"


def kind_of(name: str) -> str:
    """The kind of a flat array by its name in plans."""
    return name.partition("#")[0]


def block_of(name: str) -> int:
    """The number of the block that a flat array goes with, by its name in plans."""
    return int(name.partition("#")[2] or 0)


class Arena(Mapping[str, NDArray[Any]]):
    """A read-only mapping from names such as ``"0.dense.weight"`` to arrays that are views into flat blocks.

    A network of its own has one block. One that shares variables with other networks has their blocks, too; see
    ``network.store``. Every array starts on a cache line; the padding between them stays zero. Gradients and optimizer
    slots are flat arrays parallel to the blocks, so that an update, a save or an all-reduce is one pass over one array for
    each block. The arrays may be written in place; ``arena["0.dense.bias"][...] = 0``.

    Parameters  shapes : {name: (shape, decay)} in order, of new arrays ; dtype : of the numbers
    Attributes  variables : {name: Variable} ; entries : {name: Entry} ; blocks : the flat arrays, for engines; who writes
                to them in another way than through views by name calls ``store.touch`` afterwards
    """

    def __init__(self, shapes: Mapping[str, tuple[Shape, bool]], dtype: DTypeLike = np.float32):
        made = {name: Variable(shape, decay) for name, (shape, decay) in shapes.items()}
        allocate(made.values(), dtype)
        self._hold_variables(made, np.dtype(dtype))

    @classmethod
    def over(cls, variables: Mapping[str, Variable], dtype: DTypeLike) -> Arena:
        """The arena of variables that have their places."""
        found = cls.__new__(cls)
        found._hold_variables(dict(variables), np.dtype(dtype))
        return found

    def _hold_variables(self, variables: dict[str, Variable], dtype: np.dtype[Any]) -> None:
        self.variables, self.dtype = variables, dtype
        self.entries: dict[str, Entry] = {}
        blocks: dict[int, NDArray[Any]] = {}
        for name, v in variables.items():
            blocks.setdefault(id(v.block), v.block)
            self.entries[name] = Entry(name, v.shape, v.offset, v.decay, list(blocks).index(id(v.block)))
        self.blocks = tuple(blocks.values()) or (aligned_zeros(0, dtype),)

    def __getstate__(self) -> dict[str, Any]:
        return {"variables": self.variables, "dtype": self.dtype}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Of several networks copied together the first puts the variables that they share into its block.
        allocate([v for v in state["variables"].values() if not v.settled], state["dtype"])
        self._hold_variables(state["variables"], state["dtype"])

    # ------------------------------------------------------------ a mapping of arrays

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.entries:
            raise UnknownNameError("parameter", name, self.entries)
        return self.variables[name].array

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
        """Copies arrays into the arena, where a mask keeps its zeros.

        Raises  UnknownNameError or ShapeError when one does not fit; then nothing is changed
        """
        arrays = {name: np.asarray(value) for name, value in values.items()}
        for name, array in arrays.items():
            if name not in self.entries:
                raise UnknownNameError("parameter", name, self.entries)
            if array.shape != self.entries[name].shape:
                raise ShapeError(f"parameter {name!r} has shape {self.entries[name].shape}, got {array.shape}.")
        for name, array in arrays.items():
            self[name][...] = array
            self.variables[name].project()

    # ------------------------------------------------------------ flat arrays of this layout

    @property
    def flat(self) -> NDArray[Any]:
        """The one block, of a network that shares nothing with others."""
        if len(self.blocks) != 1:
            raise EngineError(
                f"the arrays lie in {len(self.blocks)} blocks, because the network shares some with other networks; "
                f"``packed()`` is a flat copy of them."
            )
        touch()
        return self.blocks[0][:]

    def stamp(self) -> int | None:
        """The same number as long as no number of the arrays has changed; None where somebody could change them unseen.

        Whoever asks for an array by its name may write to it, now or as long as the view lives.
        """
        return touches() if all(views(block) == 0 for block in self.blocks) else None

    def arenas(self, kind: str) -> dict[str, NDArray[Any]]:
        """The blocks by their names in plans, as arenas of this kind ("parameters" or "states")."""
        return {arena_name(kind, i): block for i, block in enumerate(self.blocks)}

    def like(self, kind: str, start: float = 0.0) -> dict[str, NDArray[Any]]:
        """New flat arrays of this layout, parallel to the blocks, such as gradients; filled with ``start``."""
        found = {name: aligned_zeros(block.size, self.dtype) for name, block in self.arenas(kind).items()}
        if start:
            for array in found.values():
                array[...] = start
        return found

    def view(self, flat: NDArray[Any], name: str) -> NDArray[Any]:
        """The array ``name`` in a flat array parallel to its block."""
        e = self.entries[name]
        return flat[e.offset : e.offset + e.size].reshape(e.shape)

    def part(self, arenas: Arrays, kind: str, name: str) -> NDArray[Any]:
        """The array ``name`` in flat arrays of this kind, which are parallel to the blocks."""
        return self.view(arenas[arena_name(kind, self.entries[name].block)], name)

    def packed(self, arenas: Arrays | None = None, kind: str = "parameters") -> NDArray[Any]:
        """A copy of all arrays as one flat array: as they would lie in a network that shares nothing.

        Parameters  arenas : flat arrays of this kind, which are parallel to the blocks; the arrays themselves by default
        """
        places, size = self._packing()
        found = aligned_zeros(size, self.dtype)
        for (name, e), at in zip(self.entries.items(), places, strict=True):
            source = self[name] if arenas is None else self.part(arenas, kind, name)
            found[at : at + e.size] = source.reshape(-1)
        return found

    def unpack(self, flat: NDArray[Any], arenas: Arrays | None = None, kind: str = "parameters") -> None:
        """Copies what ``packed`` gave back to its places; in the arrays themselves it becomes what may be stored there."""
        places, size = self._packing()
        if flat.shape != (size,):
            raise ShapeError(f"expected a flat array of {size} numbers, got shape {flat.shape}.")
        for (name, e), at in zip(self.entries.items(), places, strict=True):
            target = self[name] if arenas is None else self.part(arenas, kind, name)
            np.copyto(target, flat[at : at + e.size].reshape(e.shape), casting="same_kind")
            if arenas is None:
                self.variables[name].project()

    def unpacked(self, flat: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The arrays by name in what ``packed`` gave."""
        places, size = self._packing()
        if flat.shape != (size,):
            raise ShapeError(f"expected a flat array of {size} numbers, got shape {flat.shape}.")
        return {n: flat[at : at + e.size].reshape(e.shape) for (n, e), at in zip(self.entries.items(), places, strict=True)}

    def _packing(self) -> tuple[list[int], int]:
        return offsets((e.shape, e.decay) for e in self.entries.values())
