"""What products with the kept weights of a mask compute, in NumPy: the dense products that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Attrs = dict[str, Any]


def _take(attrs: Attrs, table: Array) -> Array:
    kept = attrs["kept"]
    return np.asarray(table[kept.rows, kept.indices])


def _put(attrs: Attrs, table: Array, values: Array) -> Array:
    found, kept = table.copy(), attrs["kept"]
    found[kept.rows, kept.indices] = values
    return found


def _spread(attrs: Attrs, values: Array) -> Array:
    return _put(attrs, np.zeros(attrs["kept"].shape, values.dtype), values)


def _matmul(attrs: Attrs, x: Array, values: Array) -> Array:
    w = _spread(attrs, values)
    return np.asarray(x @ (w.T if attrs["transpose"] else w))


def _outer(attrs: Attrs, x: Array, d: Array) -> Array:
    return _take(attrs, x.T @ d)


KERNELS: dict[str, Callable[..., Array]] = {
    "take_kept": _take,
    "put_kept": _put,
    "spread_kept": _spread,
    "kept_matmul": _matmul,
    "kept_outer": _outer,
}
