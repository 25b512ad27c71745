"""Aligned memory for arenas."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

#: Bytes: one cache line, and the width of the widest vector register.
ALIGNMENT = 64


def aligned_zeros(shape: int | tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """A zeroed C-contiguous array whose first byte lies on a multiple of 64.

    >>> aligned_zeros((3, 5)).ctypes.data % 64
    0
    """
    dt = np.dtype(dtype)
    shape = (shape,) if isinstance(shape, int) else shape
    count = int(np.prod(shape, dtype=np.int64))
    raw = np.zeros(count * dt.itemsize + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + count * dt.itemsize].view(dt).reshape(shape)


def aligned_copy(array: NDArray[Any]) -> NDArray[Any]:
    """A copy of an array where engines may read it.

    >>> aligned_copy(np.ones(3, np.float32)).ctypes.data % 64
    0
    """
    found = aligned_zeros(array.shape, array.dtype)
    found[...] = array
    return found


def round_up(count: int, multiple: int = 16) -> int:
    """``count`` rounded up to a multiple (16 float32 elements fill a cache line)."""
    return -(-count // multiple) * multiple
