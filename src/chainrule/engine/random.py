"""Random numbers that depend on nothing but (seed, stream, step, index): the same on every engine and thread count.

Each number is a mix of a counter, so any part of an array can be made alone, in any order. The mixing function is the
32-bit integer hash "lowbias32" found by C. Wellons' search for low avalanche bias (nullprogram.com, 2018), applied twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_M1, _M2 = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)


def _mix(x: NDArray[np.uint32]) -> NDArray[np.uint32]:
    x = x ^ (x >> np.uint32(16))
    x = x * _M1
    x = x ^ (x >> np.uint32(15))
    x = x * _M2
    return x ^ (x >> np.uint32(16))


def stream_keys(seed: int, stream: int, step: int) -> tuple[int, int]:
    """Two 32-bit keys of one random op at one step (a SplitMix64 finaliser over the three numbers)."""
    mask = (1 << 64) - 1
    z = (seed * 0x9E3779B97F4A7C15 + step * 0xD1B54A32D192ED03 + stream * 0x8CB92BA72F3D8DD7) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    z ^= z >> 31
    return z & 0xFFFFFFFF, z >> 32


def uniform(size: int, seed: int, stream: int, step: int) -> NDArray[np.float32]:
    """``size`` numbers in [0, 1), multiples of 2⁻²⁴."""
    low, high = stream_keys(seed, stream, step)
    index = np.arange(size, dtype=np.uint32)
    bits = _mix(_mix(index + np.uint32(low)) ^ np.uint32(high))
    return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
