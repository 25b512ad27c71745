"""Weights that do not change any more, so that plans can hold them as constants in the form that is computed fastest.

A parameter that is frozen is dense, sparse or signs of one bit. A product asks the value it multiplies by first (see
``Value.held``), and a frozen parameter answers with the op for its form, where that is the better one there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ops import Builder, Node, SignMatrix, SparseMatrix, Value
from ..ops.value import Shape

__all__ = ["Frozen", "FrozenWeight", "is_signs"]

Array = NDArray[Any]
#: Weights of a larger share that is not zero, and fewer weights, are not tried as sparse ones.
_DENSEST, _SMALLEST = 0.7, 1024
#: The attributes of a convolution.
Geometry = dict[str, Any]


def is_signs(value: Value) -> bool:
    """Whether all elements are −1, 1 or NaN: the output of a sign activation, also moved about, or the largest of some."""
    node = value.producer
    if node is None:
        return False
    if node.op == "where":
        numbers = [v.constant if v.role == "constant" else 0.0 for v in node.inputs[1:]]
        return all(abs(n) == 1 for n in numbers)
    if node.op == "add":
        # sign z + [z = 0], as the activation states it.
        makers = {v.producer.op: v.producer for v in node.inputs if v.producer is not None}
        if set(makers) != {"sign", "equal"}:
            return False
        z, (same, zero) = makers["sign"].inputs[0], makers["equal"].inputs
        return same is z and zero.role == "constant" and zero.constant == 0
    if node.op in ("reshape", "transpose", "slice", "copy", "concat"):
        return all(is_signs(v) for v in node.inputs)
    # A window of padding alone would have no largest element; there is none.
    return node.op == "max_pool" and value is node.outputs[0] and is_signs(node.inputs[0])


class FrozenWeight:
    """A parameter that does not change any more.

    Parameters
        values : what the layer computes with
        prefers_sparse : asked whether an op for sparse weights is faster than the dense one: (x's shape, this, geometry of
            the convolution or None)
    Attributes  shape ; sparse : (O, everything else), or None ; signs : or None
    """

    def __init__(self, values: Array, prefers_sparse: Callable[[Shape, FrozenWeight, Geometry | None], bool]) -> None:
        self.shape, self.dtype, self._prefers_sparse = values.shape, values.dtype, prefers_sparse
        self.sparse: SparseMatrix | None = None
        self.signs: SignMatrix | None = None
        self._dense: Array | None = None
        large = values.ndim >= 2 and values.size > 0
        if large and (np.abs(values) == 1).all():
            self.signs = SignMatrix.of(values)
        elif large and values.size >= _SMALLEST and np.count_nonzero(values) <= _DENSEST * values.size:
            self.sparse = SparseMatrix.of(values.reshape(-1, values.shape[-1]).T)
        else:
            self._dense = np.array(values)

    def dense(self) -> Array:
        """The values as an array."""
        if self._dense is not None:
            return self._dense
        if self.signs is not None:
            return self.signs.to_dense(self.dtype)
        assert self.sparse is not None
        return self.sparse.to_dense().T.astype(self.dtype).reshape(self.shape)

    @property
    def form(self) -> str:
        """ "dense", "sparse" or "signs"."""
        return "signs" if self.signs is not None else "sparse" if self.sparse is not None else "dense"

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        if self.signs is not None:
            return int(self.signs.bits.nbytes)
        if self.sparse is not None:
            return int(self.sparse.indptr.nbytes + self.sparse.indices.nbytes + self.sparse.values.nbytes)
        return int(self._dense.nbytes) if self._dense is not None else 0

    def matmul(self, k: Builder, x: Value, *, transpose_a: bool, transpose_b: bool) -> Value | None:
        """x times the weight by the op for its form; None where the dense one is to be used."""
        if transpose_a or transpose_b or x.ndim != 2:
            return None
        if self.signs is not None and is_signs(x):
            return k.binary_matmul(k.pack_signs(x), self.signs)
        if self.sparse is not None and self._prefers_sparse(x.shape, self, None):
            return k.sparse_weight_matmul(x, self.sparse)
        return None

    def conv(self, k: Builder, x: Value, **geometry: Any) -> Value | None:
        """The convolution of x by the op for its form; None where the dense one is to be used."""
        if self.signs is not None and geometry["groups"] == 1 and is_signs(x):
            window = {name: value for name, value in geometry.items() if name != "groups"}
            return k.binary_conv(k.pack_signs(x), self.signs, **window)
        if self.sparse is not None and x.ndim < 5 and self._prefers_sparse(x.shape, self, geometry):
            return k.sparse_weight_conv(x, self.sparse, kernel=self.shape[:-2], **geometry)
        return None


@dataclass
class Frozen:
    """All parameters and states of a network, frozen. Parameters  weights : the parameters ; states : by their names"""

    weights: Mapping[str, FrozenWeight]
    states: Mapping[str, Array]

    @cached_property
    def names(self) -> dict[str, str]:
        """{name of the arena in plans: name of the parameter or state}"""
        return {f"frozen:{name}": name for name in (*self.weights, *self.states)}

    def value(self, full: str) -> Value:
        """A parameter or state as a value of a plan, in an arena of its own."""
        weight = self.weights.get(full)
        shape = weight.shape if weight is not None else self.states[full].shape
        base = Value((prod(shape),), role="arena", name=f"frozen:{full}")
        found = Value(shape, role="parameter" if weight is not None else "state", name=full, base=base)
        found.held = weight
        return found

    def arena(self, name: str) -> Array:
        """The flat array of an arena, as plans name it."""
        full = self.names[name]
        array = self.weights[full].dense() if full in self.weights else self.states[full]
        return np.ascontiguousarray(array).reshape(-1)


def arenas_in_use(nodes: list[Node], outputs: Mapping[str, Value]) -> set[str]:
    """The names of the arenas that nodes, also fused ones, read or write."""
    values = [v for n in nodes for v in (*n.inputs, *n.outputs)] + list(outputs.values())
    return {v.base.name for v in values if v.base is not None} | {v.name for v in values if v.role == "arena"}
