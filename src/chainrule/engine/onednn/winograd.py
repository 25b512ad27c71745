"""Convolutions of 3 × 3 with stride 1 by Winograd's minimal filtering; see ``kernels/winograd.py``.

On processors without AVX-512 oneDNN multiplies 36 numbers for 2 × 2 outputs; here it is 16. dx is such a convolution, too:
of dy, with filters that are turned by half a turn and whose inputs and outputs have changed places.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from ...ops import Value
from ..kernels.sizes import PLACES, VECTOR
from .calls import Address, AnyCall, Call, Data, Memory, Part, Within, access, bounds
from .library import open_library
from .primitives import Convolution

__all__ = ["Filtering", "minimal_filtering"]

#: Inputs times outputs over their sum below which transforming tiles costs more than it saves (on Zen 3 slower at 16, level
#: at 17 to 20), and the least tiles of a sample, which share the filters.
_FEWEST_CHANNELS, _FEWEST_TILES = 22, 12
#: Filters of more bytes come from memory, and are worth their way where a sample has so many tiles.
_LARGE_FILTERS, _MANY_TILES = 8 << 20, 64
#: Floats of a way of the first-level cache, and of the lines between two matrices.
_WAY, _LINES_APART = 1024, 80
#: Floats of tiles and products that stay in the second-level cache, and the most and least tiles at a time.
_CACHED, _MOST_TILES, _LEAST_TILES = 96 * 1024, 96, 24


class Filtering:
    """A convolution, or dx of one, by minimal filtering.

    Parameters  kind : "forward" or "data" ; c : the convolution as the network states it ; threads : that share it
    """

    def __init__(self, kind: str, c: Convolution, threads: int) -> None:
        self.turned = kind == "data"
        self.stated = c
        own = self._own(c)
        line = -(-own.outputs // VECTOR) * VECTOR
        fitting = _CACHED // (PLACES * (own.inputs + line)) // 6 * 6
        self.at_a_time = max(1, min(max(_LEAST_TILES, min(fitting, _MOST_TILES)), own.samples * _tiles(own)))
        self.filters = Memory(4 * PLACES * own.inputs * line)
        self.zeros = Data(np.zeros(own.inputs, np.float32))
        self._apart = _spread(self.at_a_time * own.inputs), _spread(self.at_a_time * line)
        self._tiles = [Memory(4 * PLACES * self._apart[0]) for _ in range(threads)]
        self._products = [Memory(4 * (PLACES * self._apart[1] + line)) for _ in range(threads)]

    def _own(self, c: Convolution) -> Convolution:
        """The convolution that is computed: for dx that of dy."""
        if not self.turned:
            return c
        before = tuple(k - 1 - b for k, b in zip(c.kernel, c.before, strict=True))
        return replace(c, inputs=c.outputs, outputs=c.inputs, spatial=c.output, output=c.spatial, before=before)

    def transformation(self, w: Value, threads: int) -> list[Part | None]:
        """The parts of the task that transforms the filters."""
        c = self.stated
        own, tap = self._own(c), c.inputs * c.outputs
        strides = [1, c.outputs, -tap, 8 * tap] if self.turned else [c.outputs, 1, tap, 0]
        parts: list[Part | None] = []
        for t, (a, b) in enumerate(pairwise(bounds(own.inputs, threads))):
            words: list[Any] = [own.inputs, own.outputs, Address(w), *strides, self.filters, a, b]
            part = Part([Call("winograd_weights", words)], [access(w)], [(id(self.filters), t, t + 1)])
            parts.append(part if b > a else None)
        return parts

    def calls(self, thread: int, c: Convolution, source: Address, target: Address) -> list[AnyCall]:
        """The calls of a part. Parameters  c : of it, as the network states it"""
        c = self._own(c)
        total, found = c.samples * _tiles(c), list[AnyCall]()
        tiles, products = self._tiles[thread], self._products[thread]
        of_tiles, of_products = self._apart
        unused = Within(products, PLACES * of_products)
        for first in range(0, total, self.at_a_time):
            count = min(self.at_a_time, total - first)
            image = [c.inputs, *c.spatial, *c.output, *c.before]
            found += [
                Call("winograd_tiles", [*image, source, tiles, first, count, self.zeros, of_tiles]),
                Call("winograd_products", [count, c.inputs, c.outputs, tiles, self.filters, products, *self._apart]),
                Call("winograd_outputs", [c.outputs, *c.output, products, target, first, count, unused, of_products]),
            ]
        return found


def minimal_filtering(kind: str, c: Convolution, threads: int) -> Filtering | None:
    """How a convolution is made by minimal filtering; None where it cannot be, or where oneDNN is faster."""
    three = c.kernel == (3, 3) and c.stride == (1, 1) and c.dilation == (1, 1) and c.groups == 1 and c.dtype == "float"
    if not (three and _is_faster_here()) or kind not in ("forward", "data"):
        return None
    many = c.inputs * c.outputs >= _FEWEST_CHANNELS * (c.inputs + c.outputs)
    # Of one sample, so that its digits do not depend on how many others there are.
    tiles = _tiles(c) if kind == "forward" else _tiles(replace(c, output=c.spatial))
    fewest = _FEWEST_TILES if 4 * PLACES * c.inputs * c.outputs <= _LARGE_FILTERS else _MANY_TILES
    return Filtering(kind, c, threads) if many and tiles >= fewest else None


def _is_faster_here() -> bool:
    """Whether the processor has AVX but not AVX-512, for which oneDNN's kernels are better, or there is no oneDNN."""
    library = open_library()
    return library.dnnl is None or (library.isa.startswith("AVX") and "512" not in library.isa)


def _spread(elements: int) -> int:
    """At least so many elements, such that 16 things so far apart have lines of the first-level cache of their own."""
    return -(-elements // _WAY) * _WAY + _LINES_APART


def _tiles(c: Convolution) -> int:
    """Tiles of one sample."""
    return -(-c.output[0] // 2) * -(-c.output[1] // 2)
