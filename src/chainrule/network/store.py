"""Variables: the arrays of layers, which all networks that use a layer share.

A layer holds no arrays, yet it is the layer that says which networks share what: all networks in which one layer object
stands have the same parameters and states of it. The first of them that is built makes the variables; every later one finds
them here and takes them over.

    trained = Network([Dense(32), ReLU(), Dense(10)]).fit(X, y)
    other = Network([trained, Dense(2)])          # begins with the weights of ``trained``, and fits of either change both
    apart = Network([copy.deepcopy(trained), Dense(2)])   # has a copy of them

Variables lie in blocks of memory that never move: a network that is built over variables of others refers to their blocks
and makes one more for what is new. So nobody's view of an array, and no compiled plan, is ever out of date.
"""

from __future__ import annotations

import itertools
import sys
import threading
import weakref
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import ParameterError, ShapeError
from ..layers import Layer
from ..ops.memory import aligned_zeros, round_up
from ..ops.value import Shape
from .representation import Representation

__all__ = ["LOCK", "LayerVariables", "Variable", "allocate", "changes", "keep", "touch", "touches", "variables_of", "views"]

#: Held while variables are looked up and made, so that two networks built at the same time share them, too.
LOCK = threading.RLock()


class Variable:
    """An array with an identity of its own.

    Parameters
        shape : its shape ; decay : as in layers.Parameter
    Attributes
        block, offset : the flat array that it lies in, and where, in elements
        representation : how the array is held, None: as it is ; held : the arrays of the representation, flat, by name
        version : changes with the equations of the representation ; contents : changes with its arrays, too
        started : whether it has what its start takes from data (the statistics of Standardize, the scale of LSUV)

    Copies and pickles keep the array alone, not the block, which may hold arrays of other networks; ``allocate`` puts the
    variables of a copied network into a block again.
    """

    __slots__ = (
        "_equations", "_loose", "block", "contents", "decay", "held", "offset", "representation", "shape", "started",
        "version",
    )  # fmt: skip

    block: NDArray[Any]
    offset: int
    representation: Representation | None
    held: dict[str, NDArray[Any]]

    def __init__(self, shape: Shape, decay: bool = True) -> None:
        self.shape, self.decay, self.started = shape, decay, False
        #: The numbers until they are put into a block; None once they are.
        self._loose: NDArray[Any] | None = None
        self.representation, self.held = None, {}
        self.version = self.contents = 0
        #: What the equations of the representation depend on beside its configuration.
        self._equations: Hashable = None

    @property
    def trainable(self) -> bool:
        """Whether fits may change the array."""
        return self.representation is None or self.representation.trainable

    def represent(self, representation: Representation | None) -> None:
        """Holds the array in this way from now on; None as it is. What is stored becomes what may be stored."""
        old, own = self.representation, None
        flats: dict[str, NDArray[Any]] = {}
        if representation is not None:
            own, flats = representation.bind(self.block.dtype)
            self.array[...] = own.project(self.array)  # before anything is changed, as it may refuse the numbers
        same = type(old) is type(own) and (old is None or own is None or old.config() == own.config())
        if same and {n: a.size for n, a in flats.items()} == {n: a.size for n, a in self.held.items()}:
            # Only the numbers of its arrays are new: compiled plans read them where they lie.
            for name, flat in flats.items():
                self.held[name][...] = flat
        else:
            self.representation, self.held = own, flats
            self.version = _next_version()
        self.changed()

    def project(self) -> None:
        """Makes what is stored what may be stored."""
        if self.representation is not None:
            self.array[...] = self.representation.project(self.array)

    def changed(self) -> None:
        """Notes that the arrays of the representation have other numbers."""
        self.contents = _next_version()
        equations = None if self.representation is None else self.representation.equations()
        if equations != self._equations:
            self._equations, self.version = equations, self.contents

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def array(self) -> NDArray[Any]:
        """The numbers, as a view that may be written."""
        touch()
        return self.block[self.offset : self.offset + self.size].reshape(self.shape)

    def settle(self, block: NDArray[Any], offset: int) -> None:
        """Gives the variable its place for good, and the numbers it was copied with."""
        self.block, self.offset = block, offset
        if self._loose is not None:
            self.array[...] = self._loose
            self._loose = None

    @property
    def settled(self) -> bool:
        """Whether the variable has its place."""
        return self._loose is None

    def __getstate__(self) -> tuple[Any, ...]:
        numbers = np.array(self.array) if self._loose is None else self._loose
        return self.shape, self.decay, self.started, numbers, self.representation

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.shape, self.decay, self.started, self._loose, representation = state
        self.representation, self.held = (None, {}) if representation is None else representation.bind(self._loose.dtype)
        self.version = self.contents = _next_version()
        self._equations = None if self.representation is None else self.representation.equations()


#: Counts the occasions on which numbers in blocks may have been written.
_touches = itertools.count(1)
_last_touch = 0


def touch() -> None:
    """Notes that numbers of some network are written, or that somebody gets a view through which they can be.

    What writes to blocks without asking a ``Variable`` for its array, such as a step of training, calls this afterwards.
    """
    global _last_touch
    _last_touch = next(_touches)


def touches() -> int:
    """Another number after every ``touch``: where it and ``views`` are as they were, no number has changed."""
    return _last_touch


def views(block: NDArray[Any]) -> int | None:
    """How many views of a block are alive, through which it can be written at any time; None where Python does not tell."""
    return None if _references is None else _references(block.base) - _OF_ITSELF


_references = getattr(sys, "getrefcount", None)
_alone = aligned_zeros(1)
#: References to the memory of a block that nobody has a view of.
_OF_ITSELF = 0 if _references is None else _references(_alone.base)


#: Counts the changes of all representations, so that a plan compiled before one is told from a plan compiled after it.
_versions = itertools.count(1)
_latest = 0


def changes() -> int:
    """Another number after every change of any representation, so that nothing needs to be compared where it is the same."""
    return _latest


def _next_version() -> int:
    global _latest
    _latest = next(_versions)
    return _latest


def offsets(shapes: Iterable[tuple[Shape, bool]]) -> tuple[list[int], int]:
    """Where arrays of these shapes (and whether they decay) lie in a block of their own, and the size of the block.

    Every array starts on a cache line. What decays lies before what does not, so that an update with decay covers two
    stretches of the block, not many.
    """
    wanted = list(shapes)
    found, at = [0] * len(wanted), 0
    for i in sorted(range(len(wanted)), key=lambda i: not wanted[i][1]):
        found[i] = at
        at += round_up(prod(wanted[i][0]))
    return found, at


def allocate(variables: Iterable[Variable], dtype: DTypeLike) -> None:
    """Puts these variables, none of which has a place yet, into one new block of zeros."""
    wanted = list(variables)
    places, size = offsets((v.shape, v.decay) for v in wanted)
    block = aligned_zeros(size, dtype)
    for variable, place in zip(wanted, places, strict=True):
        variable.settle(block, place)


@dataclass
class LayerVariables:
    """The variables of one layer by their names in it. Parameters  dtype : "float32" or "float64" """

    dtype: str
    parameters: dict[str, Variable] = field(default_factory=dict)
    states: dict[str, Variable] = field(default_factory=dict)

    def check(self, layer: str, parameters: Mapping[str, Shape], states: Mapping[str, Shape], dtype: str) -> None:
        """ParameterError or ShapeError when a network asks for other arrays than those that the layer has already."""
        how = "Two networks that use one layer object share its weights; for weights of its own give the network a copy: "
        how += "copy.deepcopy(layer), or copy.deepcopy(network)."
        if dtype != self.dtype:
            raise ParameterError(
                f"layer {layer!r} has {self.dtype} weights from another network, and this network is {dtype}. {how}"
            )
        for own, wanted in ((self.parameters, parameters), (self.states, states)):
            has = {name: variable.shape for name, variable in own.items()}
            for name in sorted(has.keys() | wanted.keys()):
                if has.get(name) != wanted.get(name):
                    raise ShapeError(
                        f"layer {layer!r} has {name!r} of shape {has.get(name)} from another network, and this network "
                        f"needs shape {wanted.get(name)}. {how}"
                    )


# By the number of the object, as a user's layer may compare by value and so have no hash.
_KEPT: dict[int, tuple[weakref.ref[Layer], LayerVariables]] = {}


def variables_of(layer: Layer) -> LayerVariables | None:
    """The variables of this layer object, None before a network with it is built."""
    found = _KEPT.get(id(layer))
    return found[1] if found is not None and found[0]() is layer else None


def keep(layer: Layer, variables: LayerVariables) -> None:
    """Makes these the variables of the layer object, as long as it lives."""
    number = id(layer)
    # The callback runs no code of Python's, since a Ctrl-C that arrives there would be thrown away.
    _KEPT[number] = (weakref.ref(layer, partial(_KEPT.pop, number)), variables)
