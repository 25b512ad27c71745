"""The C signature of every kernel: a block of arguments, three spare words, a status."""

from __future__ import annotations

from numba import types

KERNEL = types.int32(types.int64, types.int64, types.int64, types.int64)
