"""What products with compressed weights compute, in NumPy: the dense products that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ops import Int8Weights, SignMatrix
from ...ops.compressed import reshaped_weights
from ...ops.int8_weights import bytes_of, numbers_of, quantised
from ...ops.sign_matrix import pack_signs, unpack_signs
from .convolution import KERNELS as CONVOLUTIONS

Array = NDArray[Any]
Attrs = dict[str, Any]


def _sparse_weight_matmul(attrs: Attrs, x: Array) -> Array:
    return np.asarray(attrs["matrix"].dot(x.T)).T


def _sparse_weight_conv(attrs: Attrs, x: Array) -> Array:
    weights = reshaped_weights(attrs["matrix"], attrs["kernel"]).astype(x.dtype)
    return np.asarray(CONVOLUTIONS["conv"](attrs, x, weights))


def _pack_signs(attrs: Attrs, x: Array) -> Array:
    limits, turned = attrs["limits"], attrs["turned"]
    positive = x >= (0 if limits is None else limits.astype(x.dtype))
    if turned is not None:
        positive ^= turned
    return pack_signs(np.where(positive, 1.0, -1.0))


def _sign_bits(attrs: Attrs, w: Array) -> Array:
    # NaN has the bit 0 here, and a SignMatrix refuses it.
    return SignMatrix.of(np.where(w >= 0, 1, -1)).bits.view(np.int32)


def _signs_of(attrs: Attrs, bits: Sequence[Array]) -> Array:
    """The signs (*kernel, C, O) of a product, which are an attribute or a value of bits."""
    weights: SignMatrix | None = attrs["weights"]
    if weights is None:
        weights = SignMatrix(attrs["shape"], np.ascontiguousarray(bits[0], np.int32).view(np.uint64))
    return weights.to_dense()


def _binary_matmul(attrs: Attrs, x: Array, *bits: Array) -> Array:
    return unpack_signs(x, attrs["shape"][0]) @ _signs_of(attrs, bits)


def _binary_matmul_signs(attrs: Attrs, x: Array, *bits: Array) -> Array:
    return _pack_signs(attrs, _binary_matmul(attrs, x, *bits))


def _signed_matmul(attrs: Attrs, x: Array, *bits: Array) -> Array:
    return np.asarray(x @ _signs_of(attrs, bits).astype(x.dtype))


def _binary_conv(attrs: Attrs, bits: Array, *weights: Array) -> Array:
    x = unpack_signs(bits, attrs["shape"][-2])
    return np.asarray(CONVOLUTIONS["conv"](attrs | {"groups": 1}, x, _signs_of(attrs, weights)))


def _quantize(attrs: Attrs, x: Array) -> Array:
    return bytes_of(quantised(x, attrs["scale"], attrs["zero"]))


def _int8_matmul(attrs: Attrs, words: Array) -> Array:
    weights: Int8Weights = attrs["weights"]
    sums = numbers_of(words, weights.channels).astype(np.int64) @ weights.values.astype(np.int64)
    return _scaled(sums, attrs, weights.values.sum(axis=0, dtype=np.int64))


def _int8_conv(attrs: Attrs, words: Array) -> Array:
    weights: Int8Weights = attrs["weights"]
    x = numbers_of(words, weights.channels * attrs["groups"]).astype(np.float64)
    # Sums of whole numbers are exact in float64.
    sums = np.asarray(CONVOLUTIONS["conv"](attrs, x, weights.values.astype(np.float64)))
    return _scaled(sums, attrs, weights.values.reshape(-1, weights.outputs).sum(axis=0, dtype=np.int64))


def _scaled(sums: Array, attrs: Attrs, totals: Array) -> Array:
    """What sums of whole numbers stand for: zero counts once with each weight."""
    weights: Int8Weights = attrs["weights"]
    factors = weights.scales.astype(np.float64) * attrs["scale"]
    return np.asarray(((sums - attrs["zero"] * totals) * factors).astype(np.float32))


KERNELS: dict[str, Callable[..., Array]] = {
    "sparse_weight_matmul": _sparse_weight_matmul,
    "sparse_weight_conv": _sparse_weight_conv,
    "pack_signs": _pack_signs,
    "sign_bits": _sign_bits,
    "binary_matmul": _binary_matmul,
    "binary_matmul_signs": _binary_matmul_signs,
    "signed_matmul": _signed_matmul,
    "binary_conv": _binary_conv,
    "quantize": _quantize,
    "int8_matmul": _int8_matmul,
    "int8_conv": _int8_conv,
}
