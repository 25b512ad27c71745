"""The Builder ``k``: layers, losses and optimizers write their equations with it.

Every method of an op emits one node and returns its value. Python numbers become constants. The Builder computes
nothing: shapes are checked, arrays never seen.

    z = k.add(k.matmul(x, w), b)          # z = x W + b

The methods of ops are those of the families that it inherits from; here is what layers know beside them: their
parameters, gradients and states, where an assignment goes, and which steps of a sequence count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

from ..errors import ShapeError
from .alignment import Alignment
from .attention import Attention
from .communication import Communication
from .compressed import Compressed
from .convolution import Convolution
from .emitter import Operand
from .kept import Kept
from .pooling import Pooling
from .product import Product
from .recurrent import Recurrent
from .reduction import Reduction
from .resampling import Resampling
from .row import Row
from .sparse_matrix import SparseMatrix
from .value import Value, Where


def scalar_of(name: str, factor: float) -> str:
    """The name of a step scalar for ``factor`` times the learning rate, such as "0.1 η" and "step(0.1 η)"."""
    if factor == 1:
        return name
    return f"{factor:g} η" if name == "lr" else f"{name}({factor:g} η)"


class Saved(SimpleNamespace):
    """What a forward pass keeps for its backward pass: ``Saved(x=x, w=w)``."""


class Builder(
    Product,
    Reduction,
    Row,
    Convolution,
    Pooling,
    Resampling,
    Recurrent,
    Attention,
    Alignment,
    Compressed,
    Kept,
    Communication,
):
    """Emits nodes into ``nodes``.

    Parameters
        training : whether layers that differ between training and prediction (Dropout) should train
        parameter : called with (layer name, parameter name), returns the parameter's Value; this is
            where a mask or a sign is inserted, so that no layer knows that it is compressed
        gradient : called with (layer name, parameter name, gradient of that Value), returns the gradient of what is stored
        state : the same for running statistics and other values that are kept but not learned
    """

    def __init__(
        self,
        *,
        training: bool = True,
        parameter: Callable[[str, str], Value] | None = None,
        state: Callable[[str, str], Value] | None = None,
        gradient: Callable[[str, str, Value], Value] | None = None,
    ) -> None:
        super().__init__()
        self.training = training
        #: Whether layers may change their states; in a step that trains other layers they stay as they are.
        self.keeps_states = True
        self.gradients: dict[tuple[str, str], Value] = {}
        #: Parameters whose gradient is one scatter_add that the layer wants applied row by row.
        self.sparse: set[tuple[str, str]] = set()
        self.scalars: dict[str, Value] = {}
        #: How many times the optimizer's learning rate the rate of the layers is that are being updated.
        self.rate_factor = 1.0
        self.watched: list[tuple[str, str, Value]] = []
        self._parameter = parameter
        self._state = state
        self._gradient = gradient
        self._constraints: dict[int, Callable[[Value], Value]] = {}
        self._places: dict[int, Value] = {}
        self._rows: dict[int, tuple[Value, Callable[[Value], Value], Value]] = {}
        self._masks: dict[int, Value] = {}
        self._masked: list[Value] = []  # keeps their ids from being given to other values

    # ------------------------------------------------------------ context

    @contextmanager
    def at(self, phase: str, layer: str = "") -> Iterator[None]:
        """Nodes emitted inside are marked with this phase and layer."""
        before, self.where = self.where, Where(phase, layer)
        try:
            yield
        finally:
            self.where = before

    def param(self, name: str) -> Value:
        """The current layer's parameter ``name``."""
        assert self._parameter is not None
        return self._parameter(self.where.layer, name)

    def grad(self, name: str, value: Value, *, sparse: bool = False) -> None:
        """Adds ``value`` to the gradient of the current layer's parameter ``name``.

        Parameters  sparse : ``value`` is a scatter_add, and an update should touch only the rows that occur in it
        """
        key = (self.where.layer, name)
        wanted = self.param(name).shape
        if value.shape != wanted:
            raise ShapeError(
                f"layer {key[0]!r}: the gradient of {name!r} has shape {value.shape}, the parameter has {wanted}."
            )
        stored = value if self._gradient is None else self._gradient(*key, value)
        if sparse and key not in self.gradients and stored is value:
            self.sparse.add(key)
        elif key in self.gradients:
            self.sparse.discard(key)  # used twice, or by another layer too: rows of a sum are not known
        self._accumulate(key, stored)

    def _accumulate(self, key: tuple[str, str], value: Value) -> None:
        self.gradients[key] = self.add(self.gradients[key], value) if key in self.gradients else value

    def state(self, name: str) -> Value:
        """The current layer's state ``name`` (kept between steps, not learned), as it was before this step."""
        assert self._state is not None
        return self._state(self.where.layer, name)

    def set_state(self, name: str, value: Value) -> None:
        """Makes ``value`` the current layer's state ``name`` for the next step."""
        if self.keeps_states:
            self.assign(self.state(name), value)

    def scalar(self, name: str) -> Value:
        """A number that changes from step to step, such as the learning rate; set by the training loop.

        Where ``rate_factor`` is another than 1 it is that number for so many times the learning rate.
        """
        name = scalar_of(name, self.rate_factor)
        if name not in self.scalars:
            self.scalars[name] = Value((), role="scalar", name=name)
        return self.scalars[name]

    # ------------------------------------------------------------ assignments

    def assign(self, target: Value, value: Operand) -> Value:
        """Stores ``value`` in ``target`` (a parameter, slot or state). Values read before keep their meaning."""
        target = self._places.get(id(target), target)
        if id(target) in self._rows:
            table, put, _ = self._rows[id(target)]
            out = put(value if isinstance(value, Value) else self.constant(value))
            target = table
        else:
            if id(target) in self._constraints:
                value = self._constraints[id(target)](value if isinstance(value, Value) else self.constant(value))
            (out,) = self.emit("copy", value)
        if out.shape != target.shape:
            raise ShapeError(f"assign: a value of shape {out.shape} does not fit a target of shape {target.shape}.")
        out.base, out.offset = (target.base, target.offset) if target.base is not None else (target, 0)
        return out

    def stand_in(self, value: Value, place: Value) -> None:
        """From now on an assignment to ``value`` goes to ``place``, for a value computed from what is stored there."""
        self._places[id(value)] = place

    def constrain(self, target: Value, constraint: Callable[[Value], Value]) -> None:
        """From now on what is assigned to ``target`` goes through the constraint first."""
        self._constraints[id(target)] = constraint

    def by_rows(self, table: Value, rows: Value) -> Value:
        """These rows of a parameter or slot; what is assigned to them goes back to their places, and no other row is
        touched"""
        taken = self.take_rows(table, rows)
        taken.name = table.name
        self._rows[id(taken)] = (table, lambda value: self.put_rows(table, rows, value), taken)
        return taken

    def by_kept(self, table: Value, kept: SparseMatrix) -> Value:
        """The kept elements of a parameter or slot; what is assigned to them goes back to their places, and no other element
        is touched"""
        taken = self.take_kept(table, kept=kept)
        taken.name = table.name
        self._rows[id(taken)] = (table, lambda value: self.put_kept(table, value, kept=kept), taken)
        return taken

    # ------------------------------------------------------------ what is noted of values

    def watch(self, name: str, value: Value) -> None:
        """Notes a value inside the current layer for whoever traces the network; nothing is computed for it otherwise"""
        self.watched.append((self.where.layer, name, value))

    def mask_of(self, x: Value) -> Value | None:
        """The mask (N, T) of a value (N, T, ...), 1 where a step counts and 0 where it is padding; None: all count"""
        return self._masks.get(id(x))

    def set_mask(self, x: Value, mask: Value | None) -> None:
        """Says which steps of x count, for the layers that x goes to"""
        if mask is not None:
            if mask.shape != x.shape[:2]:
                raise ShapeError(f"a mask of shape {mask.shape} does not fit sequences of shape {x.shape}.")
            self._masks[id(x)] = mask
            self._masked.append(x)
