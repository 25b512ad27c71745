"""A constant matrix of signs, one bit each: the weights of a binarised layer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, DtypeError, ShapeError

__all__ = ["SignMatrix", "pack_signs", "unpack_signs", "words_of"]

Array = NDArray[Any]
#: Outputs whose words lie side by side.
BLOCK = 8


def words_of(channels: int) -> int:
    """How many 64-bit words hold a bit for each channel.

    >>> words_of(65)
    2
    """
    return -(-channels // 64)


def pack_signs(x: Array) -> Array:
    """Bits of x (..., C), 1 where x >= 0, as int32 (..., 2 words): a NaN gives 0. The bits after the last channel are 0.

    >>> pack_signs(np.array([[1.0, -2.0, 0.0, np.nan]]))
    array([[5, 0]], dtype=int32)
    """
    return _packed(np.asarray(x) >= 0)


def _packed(positive: Array) -> Array:
    channels = positive.shape[-1]
    bits = np.zeros((*positive.shape[:-1], 64 * words_of(channels)), np.uint8)
    bits[..., :channels] = positive
    return np.ascontiguousarray(np.packbits(bits, axis=-1, bitorder="little")).view("<i4").astype(np.int32, copy=False)


def unpack_signs(bits: Array, channels: int, dtype: Any = np.float32) -> Array:
    """−1 and 1 (..., C) from what ``pack_signs`` made of them."""
    flat = np.unpackbits(np.ascontiguousarray(bits, "<i4").view(np.uint8), axis=-1, bitorder="little")[..., :channels]
    return (2.0 * flat - 1.0).astype(dtype)


class SignMatrix:
    """The signs of weights (*kernel, C, O), one bit each. It never changes, so plans may share it.

    Parameters
        shape : (*kernel, C, O)
        bits : uint64 (O / 8 rounded up, taps · words, 8): of eight outputs the words of each tap side by side, a word
            holding 64 channels, 1 for +1; the bits of channels and outputs that are not there are 0
    Raises      ShapeError, DataError when the bits do not describe a matrix of that shape

    Example
        >>> weights = np.array([[0.5, -1.0], [-0.2, 0.0]])
        >>> signs = SignMatrix.of(weights)
        >>> signs
        SignMatrix(2×2)
        >>> signs.to_dense()
        array([[ 1., -1.],
               [-1.,  1.]], dtype=float32)
    """

    def __init__(self, shape: Sequence[int], bits: Array) -> None:
        self.shape = tuple(int(n) for n in shape)
        if len(self.shape) < 2 or min(self.shape) < 1:
            raise ShapeError(f"SignMatrix: the shape must be (*kernel, C, O) of sizes from 1. Got {tuple(shape)}.")
        wanted = (-(-self.outputs // BLOCK), self.words, BLOCK)
        if bits.shape != wanted or bits.dtype != np.uint64:
            raise ShapeError(f"SignMatrix: {self.shape} needs uint64 bits of shape {wanted}. Got {bits.dtype} {bits.shape}.")
        self.bits = np.ascontiguousarray(bits)
        # Bits beyond the last channel or output would be counted.
        if (self.bits != _blocks(_packed(self._positive()), self.outputs)).any():
            raise DataError(
                f"SignMatrix: bits after the last of {self.channels} channels or {self.outputs} outputs must be 0."
            )
        self.bits.flags.writeable = False

    @classmethod
    def of(cls, weights: Any) -> SignMatrix:
        """The signs of weights (*kernel, C, O): +1 where a weight is at least 0. DataError where one is NaN."""
        dense = np.asarray(weights)
        if dense.dtype.kind not in "biuf":
            raise DtypeError(f"SignMatrix: the weights must be numbers. Got {dense.dtype}.")
        if dense.ndim < 2 or 0 in dense.shape:
            raise ShapeError(f"SignMatrix: the weights must be (*kernel, C, O) of sizes from 1. Got {dense.shape}.")
        if np.isnan(dense).any():
            raise DataError("SignMatrix: a weight is NaN, so it has no sign. Train the layer again, or restore its weights.")
        return cls(dense.shape, _blocks(_packed(np.moveaxis(dense >= 0, -1, 0)), dense.shape[-1]))

    @property
    def outputs(self) -> int:
        return self.shape[-1]

    @property
    def channels(self) -> int:
        return self.shape[-2]

    @property
    def taps(self) -> int:
        """Weights of each channel and output."""
        return prod(self.shape[:-2])

    @property
    def words(self) -> int:
        """64-bit words of an output."""
        return self.taps * words_of(self.channels)

    def _positive(self) -> Array:
        """(O, taps, C) of bool."""
        rows = self.bits.transpose(0, 2, 1).reshape(-1, self.taps, words_of(self.channels))[: self.outputs]
        bits = np.unpackbits(np.ascontiguousarray(rows).astype("<u8").view(np.uint8), axis=-1, bitorder="little")
        return bits[..., : self.channels].astype(bool)

    def to_dense(self, dtype: Any = np.float32) -> Array:
        """−1 and 1, of the shape of the weights."""
        signs = np.where(self._positive(), 1, -1).astype(dtype)
        return np.ascontiguousarray(np.moveaxis(signs, 0, -1)).reshape(self.shape)

    @cached_property
    def digest(self) -> str:
        """A hash of the content."""
        return hashlib.sha256(repr(self.shape).encode() + self.bits.tobytes()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SignMatrix) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __deepcopy__(self, memo: Any) -> SignMatrix:
        return self

    def __reduce__(self) -> Any:
        return SignMatrix, (self.shape, np.array(self.bits))

    def __repr__(self) -> str:
        return f"SignMatrix({'×'.join(map(str, self.shape))})"


def _blocks(packed: Array, outputs: int) -> Array:
    """The block layout of bits (O, ..., 2 words) as int32."""
    rows = np.ascontiguousarray(packed).view(np.uint64).reshape(outputs, -1)
    padded = np.zeros((-(-outputs // BLOCK) * BLOCK, rows.shape[1]), np.uint64)
    padded[:outputs] = rows
    return np.ascontiguousarray(padded.reshape(-1, BLOCK, rows.shape[1]).transpose(0, 2, 1))
