"""Weights that do not change any more, so that plans can hold them as constants in the form that is computed fastest.

A parameter that is frozen is dense, sparse, signs of one bit, or whole numbers of 8 bits. A product asks the value it
multiplies by first (see ``Value.held``), and a frozen parameter answers with the op for its form, where that is the better
one there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ops import Builder, Int8Weights, Node, SignMatrix, SparseMatrix, Value
from ..ops.value import Shape
from .signs import is_signs

__all__ = ["Frozen", "FrozenWeight", "Inputs"]

Array = NDArray[Any]
#: Weights of a larger share that is not zero, and fewer weights, are not tried as sparse ones.
_DENSEST, _SMALLEST = 0.7, 1024
#: What the name of the scales of signs has beside that of the parameter.
_SCALE = ":scale"
#: The attributes of a convolution.
Geometry = dict[str, Any]


@dataclass(frozen=True)
class Inputs:
    """The whole numbers that inputs of a product become: x stands for (n − zero) · scale, n from 0 to 127."""

    scale: float
    zero: int = 0


def _scales_of(values: Array) -> Array | None:
    """The size of the numbers of each output, where all of an output have the same, above 0; else None."""
    sizes = np.abs(values).reshape(-1, values.shape[-1])
    return np.array(sizes[0]) if (sizes[0] > 0).all() and (sizes == sizes[0]).all() else None


def _as_matrix(values: Array) -> SparseMatrix:
    """Weights (..., O) as a sparse matrix (O, everything else)"""
    return SparseMatrix.of(values.reshape(-1, values.shape[-1]).T)


def _bytes_of(matrix: SparseMatrix) -> int:
    return int(matrix.indptr.nbytes + matrix.indices.nbytes + matrix.values.nbytes)


class FrozenWeight:
    """A parameter that does not change any more.

    Parameters
        values : what the layer computes with
        prefers : asked whether the op for the weight's form is faster than the dense one: (x's shape, this, geometry of
            the convolution or None)
        inputs : where the weight is to be whole numbers of 8 bits, how its inputs become such numbers
    Attributes
        shape ; is_sparse : whether so many are zero that kernels for sparse weights are tried
        signs : or None ; scales : of the outputs of signs, (O,), or None ; int8 : or None
        read : values that the weight was multiplied with, where a list is put here before a plan is lowered
    """

    def __init__(
        self,
        values: Array,
        prefers: Callable[[Shape, FrozenWeight, Geometry | None], bool],
        inputs: Inputs | None = None,
    ) -> None:
        self.shape, self.dtype, self._prefers, self.inputs = values.shape, values.dtype, prefers, inputs
        self.name = ""
        self.is_sparse = False
        self._sparse: SparseMatrix | None = None
        self.signs: SignMatrix | None = None
        self.scales: Array | None = None
        self.int8: Int8Weights | None = None
        self.read: list[Value] | None = None
        self._dense: Array | None = None
        large = values.ndim >= 2 and values.size > 0
        if large and inputs is not None:
            self.int8 = Int8Weights.of(values)
        elif large and values.size > values.shape[-1] and (scales := _scales_of(values)) is not None:
            self.signs = SignMatrix.of(values)
            self.scales = None if (scales == 1).all() else scales
        elif large and values.size >= _SMALLEST and np.count_nonzero(values) <= _DENSEST * values.size:
            self.is_sparse = True
            matrix = _as_matrix(values)
            # With few zeros the places take more than the zeros do.
            self._sparse = matrix if _bytes_of(matrix) < values.nbytes else None
        if self.int8 is None and self.signs is None and self._sparse is None:
            self._dense = np.array(values)

    @property
    def sparse(self) -> SparseMatrix:
        """The values as a sparse matrix (O, everything else)"""
        return _as_matrix(self.dense()) if self._sparse is None else self._sparse

    def dense(self) -> Array:
        """The values as an array."""
        if self._dense is not None:
            return self._dense
        if self.signs is not None:
            signs = self.signs.to_dense(self.dtype)
            return signs if self.scales is None else signs * self.scales
        if self.int8 is not None:
            return self.int8.to_dense(self.dtype)
        assert self._sparse is not None
        return self._sparse.to_dense().T.astype(self.dtype).reshape(self.shape)

    @property
    def form(self) -> str:
        """ "dense", "sparse", "signs" or "int8"."""
        if self.int8 is not None:
            return "int8"
        return "signs" if self.signs is not None else "sparse" if self.is_sparse else "dense"

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        if self.signs is not None:
            return int(self.signs.bits.nbytes) + (0 if self.scales is None else int(self.scales.nbytes))
        if self.int8 is not None:
            return self.int8.nbytes
        if self._sparse is not None:
            return _bytes_of(self._sparse)
        return int(self._dense.nbytes) if self._dense is not None else 0

    def matmul(self, k: Builder, x: Value, *, transpose_a: bool, transpose_b: bool) -> Value | None:
        """x times the weight by the op for its form; None where the dense one is to be used."""
        if transpose_a or transpose_b or x.ndim != 2:
            return None
        if self.read is not None:
            self.read.append(x)
        if self.int8 is not None and self.inputs is not None and self._prefers(x.shape, self, None):
            return self.quantized_matmul(k, x)
        if self.signs is not None and x.dtype == "float" and len(self.shape) == 2:
            y = k.binary_matmul(k.pack_signs(x), self.signs) if is_signs(x) else k.signed_matmul(x, self.signs)
            return self._scaled(k, y)
        if self.is_sparse and self._prefers(x.shape, self, None):
            return k.sparse_weight_matmul(x, self.sparse)
        return None

    def conv(self, k: Builder, x: Value, **geometry: Any) -> Value | None:
        """The convolution of x by the op for its form; None where the dense one is to be used."""
        if self.read is not None:
            self.read.append(x)
        if self.int8 is not None and self._takes_groups(geometry["groups"]) and self._prefers(x.shape, self, geometry):
            return self.quantized_conv(k, x, **geometry)
        if self.signs is not None and geometry["groups"] == 1 and is_signs(x):
            window = {name: value for name, value in geometry.items() if name != "groups"}
            return self._scaled(k, k.binary_conv(k.pack_signs(x), self.signs, **window))
        if self.is_sparse and x.ndim < 5 and self._prefers(x.shape, self, geometry):
            return k.sparse_weight_conv(x, self.sparse, kernel=self.shape[:-2], **geometry)
        return None

    def compressed_product(self, k: Builder, x: Value, geometry: Geometry | None) -> Value:
        """x times the weight, or their convolution, by the op for sparse weights or whole numbers."""
        if self.int8 is not None:
            return self.quantized_matmul(k, x) if geometry is None else self.quantized_conv(k, x, **geometry)
        if geometry is None:
            return k.sparse_weight_matmul(x, self.sparse)
        return k.sparse_weight_conv(x, self.sparse, kernel=self.shape[:-2], **geometry)

    def _scaled(self, k: Builder, y: Value) -> Value:
        """The product with signs, times the scales of the outputs where there are some."""
        if self.scales is None:
            return y
        base = Value((self.scales.size,), role="arena", name=f"frozen:{self.name}{_SCALE}")
        return k.multiply(y, Value(self.scales.shape, role="parameter", name=f"{self.name}{_SCALE}", base=base))

    def _takes_groups(self, groups: int) -> bool:
        """Whether the channels of each group are whole words of 8-bit numbers."""
        return groups == 1 or (self.shape[-2] * groups) % 4 == 0

    def quantized_matmul(self, k: Builder, x: Value) -> Value:
        """x, rounded, times the weight of whole numbers."""
        assert self.int8 is not None and self.inputs is not None
        scale, zero = self.inputs.scale, self.inputs.zero
        return k.int8_matmul(k.quantize(x, scale=scale, zero=zero), self.int8, scale=scale, zero=zero)

    def quantized_conv(self, k: Builder, x: Value, **geometry: Any) -> Value:
        """The convolution of x, rounded, with the weight of whole numbers."""
        assert self.int8 is not None and self.inputs is not None
        scale, zero = self.inputs.scale, self.inputs.zero
        padding = geometry["padding"]
        if zero and any(map(any, padding)):
            # A border of whole numbers 0 would not stand for 0.
            x = k.pad(x, ((0, 0), *padding, (0, 0)))
            geometry = geometry | {"padding": tuple((0, 0) for _ in padding)}
        return k.int8_conv(k.quantize(x, scale=scale, zero=zero), self.int8, scale=scale, zero=zero, **geometry)


@dataclass
class Frozen:
    """All parameters and states of a network, frozen. Parameters  weights : the parameters ; states : by their names"""

    weights: Mapping[str, FrozenWeight]
    states: Mapping[str, Array]

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            weight.name = name

    @cached_property
    def names(self) -> dict[str, str]:
        """{name of the arena in plans: name of the parameter or state, or of its scales}"""
        scales = [f"{name}{_SCALE}" for name, weight in self.weights.items() if weight.scales is not None]
        return {f"frozen:{name}": name for name in (*self.weights, *self.states, *scales)}

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
        if full.endswith(_SCALE) and full not in self.weights:
            scales = self.weights[full.removesuffix(_SCALE)].scales
            assert scales is not None
            return np.array(scales)
        array = self.weights[full].dense() if full in self.weights else self.states[full]
        return np.ascontiguousarray(array).reshape(-1)


def arenas_in_use(nodes: list[Node], outputs: Mapping[str, Value]) -> dict[str, Value]:
    """The arenas that nodes, also fused ones, read or write, by their names."""
    values = [v for n in nodes for v in (*n.inputs, *n.outputs)] + list(outputs.values())
    arenas = [v.base for v in values if v.base is not None] + [v for v in values if v.role == "arena"]
    return {v.name: v for v in arenas}
