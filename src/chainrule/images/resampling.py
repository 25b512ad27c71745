"""From stored pictures to what a network takes: moved, brightened, normalised, in one pass over the pixels.

The compiled kernel does the work where the fast engine's kernels are; NumPy does the same elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .augmentation import FILLS, Draw

__all__ = ["prepare", "resample", "resample_classes", "value_range"]

Array = NDArray[Any]
Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
#: Pixels that NumPy works on at a time, so that its temporaries stay small.
_PIXELS = 1 << 20


def prepare() -> None:
    """Loads the compiled kernel, so that no background thread has to."""
    _kernel()


def value_range(dtype: np.dtype[Any]) -> float:
    """The number that stands for full brightness: the largest of an integer dtype, 1 for floats."""
    return 1.0 if dtype.kind == "f" else 1.0 if dtype.kind == "b" else float(np.iinfo(dtype).max)


def resample(source: Array, rows: Rows, draw: Draw | None, mean: Floats, std: Floats) -> Floats:
    """The pictures of these rows, changed as drawn, as ``(x / range − mean) / std``.

    Parameters  source : uint8 or float32 (M, H, W, C), C-contiguous ; rows : (n,) ; mean, std : (C,)
    Shapes      (n, H, W, C) float32, a new array
    """
    n, (height, width, channels) = len(rows), source.shape[1:]
    out = np.empty((n, height, width, channels), np.float32)
    top = np.float32(value_range(source.dtype))
    scale, shift = (1 / (top * std)).astype(np.float32), (-mean / std).astype(np.float32)
    gain = np.ones(n, np.float32) if draw is None or draw.gain is None else draw.gain
    offset = np.zeros(n, np.float32) if draw is None or draw.offset is None else draw.offset * top
    # Values of bytes stay between black and white; what range floats have only their owner knows.
    changed = draw is not None and draw.gain is not None and source.dtype.kind != "f"
    limits = np.array([0, top] if changed else [-np.inf, np.inf], np.float32)
    call = _kernel()
    if call is not None and source.dtype in (np.uint8, np.float32) and source.flags.c_contiguous:
        # Names keep the arrays alive while the kernel reads them.
        matrix = None if draw is None or draw.matrix is None else np.ascontiguousarray(draw.matrix, np.float32)
        holes = None if draw is None or draw.holes is None else np.ascontiguousarray(draw.holes, np.int32)
        numbers = np.ascontiguousarray(rows, np.int64)
        gain, offset = np.ascontiguousarray(gain, np.float32), np.ascontiguousarray(offset, np.float32)
        room = np.empty(height * width * channels if matrix is not None else 0, np.float32)
        fill = 0 if draw is None else FILLS.index(draw.fill)
        words = np.array(
            [
                n, height, width, channels, source.ctypes.data, int(source.dtype == np.float32), numbers.ctypes.data,
                0 if matrix is None else matrix.ctypes.data, gain.ctypes.data, offset.ctypes.data, limits.ctypes.data,
                0 if holes is None else holes.ctypes.data, scale.ctypes.data, shift.ctypes.data, fill, out.ctypes.data,
                room.ctypes.data,
            ],
            np.int64,
        )  # fmt: skip
        call(words.ctypes.data)
    else:
        _in_numpy(source, rows, draw, gain, offset, limits, scale, shift, out)
    if draw is not None and draw.partner is not None and draw.share is not None:
        share = draw.share.reshape(-1, 1, 1, 1)
        other = out[draw.partner]
        other *= 1 - share
        out *= share
        out += other
    return out


def resample_classes(source: Array, rows: Rows, draw: Draw | None) -> Array:
    """Masks (M, H, W) of class numbers of these rows, moved as drawn; every pixel takes the nearest one."""
    if draw is None or draw.matrix is None:
        return np.ascontiguousarray(source[rows])
    n, (height, width) = len(rows), source.shape[1:]
    out = np.empty((n, height, width), source.dtype)
    for part in _parts(n, height * width):
        y, x = _places(draw.matrix[part], height, width)
        i, inside_i = _index(np.rint(y), height, draw.fill)
        j, inside_j = _index(np.rint(x), width, draw.fill)
        taken = source[rows[part][:, None, None], i, j]
        out[part] = taken if inside_i is None or inside_j is None else np.where(inside_i & inside_j, taken, 0)
    return out


def _in_numpy(
    source: Array,
    rows: Rows,
    draw: Draw | None,
    gain: Floats,
    offset: Floats,
    limits: Floats,
    scale: Floats,
    shift: Floats,
    out: Floats,
) -> None:
    height, width = source.shape[1:3]
    for part in _parts(len(rows), height * width):
        matrix = None if draw is None or draw.matrix is None else draw.matrix[part]
        if matrix is None:
            values = np.asarray(source[rows[part]], np.float32)
        else:
            assert draw is not None
            values = _bilinear(source, rows[part], matrix, draw.fill)
        values = values * gain[part, None, None, None] + offset[part, None, None, None]
        np.clip(values, limits[0], limits[1], out=values)
        out[part] = values * scale + shift
    if draw is not None and draw.holes is not None:
        for picture, (top, left, bottom, right) in zip(out, draw.holes, strict=True):
            picture[top:bottom, left:right] = 0


def _bilinear(source: Array, rows: Rows, matrix: Floats, fill: str) -> Floats:
    height, width = source.shape[1:3]
    y, x = _places(matrix, height, width)
    top, left = np.floor(y), np.floor(x)
    down, right = (y - top)[..., None], (x - left)[..., None]
    found = np.zeros((*y.shape, source.shape[3]), np.float32)
    for dy, wy in ((0, 1 - down), (1, down)):
        for dx, wx in ((0, 1 - right), (1, right)):
            i, inside_i = _index(top + dy, height, fill)
            j, inside_j = _index(left + dx, width, fill)
            weight = wy * wx
            if inside_i is not None and inside_j is not None:
                weight = weight * (inside_i & inside_j)[..., None]
            found += weight * source[rows[:, None, None], i, j]
    return found


def _places(matrix: Floats, height: int, width: int) -> tuple[Floats, Floats]:
    """Where each pixel of the result is taken from: (n, H, W) each."""
    a, b, c, d, e, f = (column[:, None, None] for column in matrix.T)
    i, j = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    return a * i + (b * j + c), d * i + (e * j + f)


def _index(place: Array, size: int, fill: str) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """Rows (or columns) of the picture for whole places, and which of them are inside where outside is empty."""
    at = place.astype(np.int64)
    if fill == "reflect":
        period = max(1, 2 * (size - 1))
        at = np.abs(at) % period
        return np.minimum(at, period - at) if size > 1 else np.zeros_like(at), None
    inside = (at >= 0) & (at < size) if fill == "zero" else None
    return np.clip(at, 0, size - 1), inside


def _parts(n: int, pixels: int) -> list[slice]:
    step = max(1, _PIXELS // max(1, pixels))
    return [slice(start, min(n, start + step)) for start in range(0, n, step)]


def _kernel() -> Callable[[int], int] | None:
    """The compiled kernel, None where there is none."""
    from ..engine.kernels.library import call_of

    return call_of("resample")
