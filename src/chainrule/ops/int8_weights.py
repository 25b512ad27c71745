"""Constant weights of 8 bits with a scale for each output, and activations of 7 bits that they are multiplied with."""

from __future__ import annotations

import hashlib
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, DtypeError, ShapeError

__all__ = ["HIGHEST", "Int8Weights", "bytes_of", "numbers_of", "quantised", "words_of_bytes"]

Array = NDArray[Any]
#: The largest whole number of an activation, and the largest size of one of a weight. Processors without VNNI add products
#: of neighbours in 16 bits, and 2 · 127 · 127 is the most that fits; so every processor computes the same, exactly.
HIGHEST, _LARGEST = 127, 127
#: Steps of the fraction of a scale.
_DIGITS = 1 << 16


def words_of_bytes(channels: int) -> int:
    """How many 32-bit words hold a byte for each channel.

    >>> words_of_bytes(5)
    2
    """
    return -(-channels // 4)


def quantised(x: Array, scale: float, zero: int) -> Array:
    """The whole numbers ``x / scale + zero``, rounded to the nearest even and cut to 0 ... 127, as uint8. NaN gives 0."""
    shifted = np.asarray(x, np.float32) * np.float32(1 / scale) + np.float32(zero)
    inside = np.where(shifted > 0, np.minimum(shifted, np.float32(HIGHEST)), np.float32(0))
    found: Array = np.rint(inside).astype(np.uint8)
    return found


def bytes_of(numbers: Array) -> Array:
    """uint8 (..., C) as int32 words (..., C / 4 rounded up); the bytes after the last channel are 0."""
    channels = numbers.shape[-1]
    padded = np.zeros((*numbers.shape[:-1], 4 * words_of_bytes(channels)), np.uint8)
    padded[..., :channels] = numbers
    return padded.view("<i4").astype(np.int32, copy=False)


def numbers_of(words: Array, channels: int) -> Array:
    """uint8 (..., C) from what ``bytes_of`` made of them."""
    return np.ascontiguousarray(words, "<i4").view(np.uint8)[..., :channels]


class Int8Weights:
    """Weights as whole numbers from −127 to 127 and a scale for each output: ``w = scales · values``. It never changes.

    Parameters  values : int8 (*kernel, C, O) ; scales : float32 (O,), above 0
    Raises      ShapeError, DtypeError, DataError when they do not fit

    Example
        >>> weights = Int8Weights.of(np.array([[0.5, 2.0], [-1.0, 0.1]], np.float32))
        >>> weights.values.tolist()
        [[64, 127], [-127, 6]]
        >>> np.abs(weights.to_dense() - [[0.5, 2.0], [-1.0, 0.1]]).max() < 0.01
        np.True_
    """

    def __init__(self, values: Array, scales: Array) -> None:
        values, scales = np.asarray(values), np.asarray(scales)
        if values.dtype != np.int8 or scales.dtype != np.float32:
            raise DtypeError(f"Int8Weights: values must be int8 and scales float32. Got {values.dtype} and {scales.dtype}.")
        if values.ndim < 2 or not values.size or scales.shape != values.shape[-1:]:
            raise ShapeError(
                f"Int8Weights: values (*kernel, C, O) need one scale for each output. Got {values.shape} and {scales.shape}."
            )
        if values.min() < -_LARGEST or not (np.isfinite(scales) & (scales > 0)).all():
            raise DataError("Int8Weights: values must be from -127 to 127, and scales finite and above 0.")
        self.values, self.scales = np.array(values), np.array(scales)
        self.values.flags.writeable = self.scales.flags.writeable = False

    @classmethod
    def of(cls, weights: Any) -> Int8Weights:
        """The weights (*kernel, C, O) rounded to 255 steps of each output's own size. DataError where one is not finite."""
        dense = np.asarray(weights, np.float32)
        if dense.ndim < 2 or not dense.size:
            raise ShapeError(f"Int8Weights: the weights must be (*kernel, C, O) of sizes from 1. Got {dense.shape}.")
        if not np.isfinite(dense).all():
            raise DataError("Int8Weights: a weight is not finite. Train the layer again, or restore its weights.")
        largest = np.abs(dense).max(axis=tuple(range(dense.ndim - 1)))
        # Scales of 16 binary digits, rounded up: times a whole number they are exact, so numbers that were rounded once stay
        # as they are when they are rounded again.
        fraction, exponent = np.frexp(np.maximum(largest.astype(np.float64) / _LARGEST, float(np.finfo(np.float32).tiny)))
        rounded = np.ldexp(np.ceil(fraction * _DIGITS) / _DIGITS, exponent)
        scales = np.where(largest > 0, rounded, 1).astype(np.float32)
        return cls(np.clip(np.rint(dense / scales), -_LARGEST, _LARGEST).astype(np.int8), scales)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def outputs(self) -> int:
        return int(self.values.shape[-1])

    @property
    def channels(self) -> int:
        """Channels of the input that an output reads."""
        return int(self.values.shape[-2])

    @property
    def taps(self) -> int:
        """Weights of each channel and output."""
        return prod(self.values.shape[:-2])

    @property
    def nbytes(self) -> int:
        return int(self.values.nbytes + self.scales.nbytes)

    def to_dense(self, dtype: Any = np.float32) -> Array:
        """The numbers that the weights stand for."""
        found: Array = (self.values.astype(np.float32) * self.scales).astype(dtype)
        return found

    @cached_property
    def digest(self) -> str:
        """A hash of the content."""
        return hashlib.sha256(repr(self.shape).encode() + self.values.tobytes() + self.scales.tobytes()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Int8Weights) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __deepcopy__(self, memo: Any) -> Int8Weights:
        return self

    def __reduce__(self) -> Any:
        return Int8Weights, (np.array(self.values), np.array(self.scales))

    def __repr__(self) -> str:
        return f"Int8Weights({'×'.join(map(str, self.shape))})"
