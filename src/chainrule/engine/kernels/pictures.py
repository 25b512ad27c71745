"""The kernel that takes pictures out of an array, moved, brightened and normalised, in one pass."""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit

from .intrinsics import floor, load_f32, load_i32, load_u8, store_f32, word
from .rows import KERNEL

f32, i64 = np.float32, np.int64
#: What lies outside a picture: its border goes on, its mirror image, or nothing.
EDGE, REFLECT, ZERO = range(3)
_ONE = f32(1.0)


@njit(error_model="numpy")
def _inside(i, size, fill):
    """The row (or column) of the picture that stands for row i; −1 for none."""
    if 0 <= i < size:
        return i
    if fill == ZERO:
        return i64(-1)
    if fill == EDGE:
        return i64(0) if i < 0 else size - 1
    if size == 1:
        return i64(0)
    period = 2 * (size - 1)
    i = (-i if i < 0 else i) % period
    return i if i < size else period - i


def _of(load):
    """The kernel's work for pictures that are read by ``load``."""

    @njit(error_model="numpy")
    def straight(x, d, n, channels, gain, offset, low, high, scale, shift):
        """n pixels as they lie."""
        if channels == 1:
            s, t = load_f32(scale, 0), load_f32(shift, 0)
            for p in range(n):
                store_f32(d, p, min(max(f32(load(x, p)) * gain + offset, low), high) * s + t)
            return
        for p in range(n):
            for c in range(channels):
                value = min(max(f32(load(x, p * channels + c)) * gain + offset, low), high)
                store_f32(d, p * channels + c, value * load_f32(scale, c) + load_f32(shift, c))

    @njit(error_model="numpy")
    def whole(x, d, height, width, channels, m, gain, offset, low, high, scale, shift, fill):
        """Mirrored and moved by whole pixels: every pixel is one of the picture."""
        up, left = i64(load_f32(m, 0)), i64(load_f32(m, 4))
        top, begin = i64(load_f32(m, 2)), i64(load_f32(m, 5))
        for i in range(height):
            row = _inside(up * i + top, height, fill)
            for j in range(width):
                column = _inside(left * j + begin, width, fill)
                for c in range(channels):
                    value = f32(0.0)
                    if row >= 0 and column >= 0:
                        value = f32(load(x, (row * width + column) * channels + c))
                    value = min(max(value * gain + offset, low), high)
                    store_f32(d, (i * width + j) * channels + c, value * load_f32(scale, c) + load_f32(shift, c))

    @njit(error_model="numpy")
    def between(x, d, height, width, channels, m, gain, offset, low, high, scale, shift, fill):
        """Any affine map: every pixel is a mean of four."""
        for i in range(height):
            for j in range(width):
                y = load_f32(m, 0) * f32(i) + (load_f32(m, 1) * f32(j) + load_f32(m, 2))
                z = load_f32(m, 3) * f32(i) + (load_f32(m, 4) * f32(j) + load_f32(m, 5))
                top, left = floor(y), floor(z)
                v, h = y - top, z - left
                r, c0 = i64(top), i64(left)
                if r >= 0 and c0 >= 0 and r + 1 < height and c0 + 1 < width:
                    a = (r * width + c0) * channels
                    b = a + width * channels
                    for c in range(channels):
                        upper = f32(load(x, a + c)) * (_ONE - h) + f32(load(x, a + channels + c)) * h
                        lower = f32(load(x, b + c)) * (_ONE - h) + f32(load(x, b + channels + c)) * h
                        value = min(max((upper * (_ONE - v) + lower * v) * gain + offset, low), high)
                        store_f32(d, (i * width + j) * channels + c, value * load_f32(scale, c) + load_f32(shift, c))
                    continue
                r0, r1 = _inside(r, height, fill), _inside(r + 1, height, fill)
                k0, k1 = _inside(c0, width, fill), _inside(c0 + 1, width, fill)
                for c in range(channels):
                    value = f32(0.0)
                    if r0 >= 0 and k0 >= 0:
                        value += f32(load(x, (r0 * width + k0) * channels + c)) * (_ONE - v) * (_ONE - h)
                    if r0 >= 0 and k1 >= 0:
                        value += f32(load(x, (r0 * width + k1) * channels + c)) * (_ONE - v) * h
                    if r1 >= 0 and k0 >= 0:
                        value += f32(load(x, (r1 * width + k0) * channels + c)) * v * (_ONE - h)
                    if r1 >= 0 and k1 >= 0:
                        value += f32(load(x, (r1 * width + k1) * channels + c)) * v * h
                    value = min(max(value * gain + offset, low), high)
                    store_f32(d, (i * width + j) * channels + c, value * load_f32(scale, c) + load_f32(shift, c))

    @njit(error_model="numpy")
    def work(args, item):
        n, height, width, channels = word(args, 0), word(args, 1), word(args, 2), word(args, 3)
        size = height * width * channels
        scale, shift, fill = word(args, 12), word(args, 13), word(args, 14)
        low, high = load_f32(word(args, 10), 0), load_f32(word(args, 10), 1)
        for k in range(n):
            x = word(args, 4) + word(word(args, 6), k) * size * item
            d = word(args, 15) + k * size * 4
            m = word(args, 7)
            gain, offset = load_f32(word(args, 8), k), load_f32(word(args, 9), k)
            if m == 0:
                straight(x, d, height * width, channels, gain, offset, low, high, scale, shift)
            else:
                m += 24 * k
                a, b, c = load_f32(m, 0), load_f32(m, 1), load_f32(m, 2)
                e, f, g = load_f32(m, 3), load_f32(m, 4), load_f32(m, 5)
                steps = (a == _ONE or a == -_ONE) and (f == _ONE or f == -_ONE) and b == 0 and e == 0
                if steps and c == floor(c) and g == floor(g):
                    whole(x, d, height, width, channels, m, gain, offset, low, high, scale, shift, fill)
                else:
                    between(x, d, height, width, channels, m, gain, offset, low, high, scale, shift, fill)

    return work


_bytes, _floats = _of(load_u8), _of(load_f32)


@cfunc(KERNEL, error_model="numpy")
def resample(args, _1, _2, _3):
    """Pictures of rows of an array, as y = clip(g x(A p + t) + o) scale + shift.

    0 pictures n, 1 height, 2 width, 3 channels, 4 array of all pictures, 5 whether it holds float32 (else bytes),
    6 rows (n 64-bit numbers), 7 affine maps (n × 6 float32; 0 for none), 8 gains g, 9 offsets o (n float32),
    10 lowest and highest value, 11 holes (n × 4 int32: top, left, bottom, right; 0 for none), 12 scale, 13 shift (of the
    channels), 14 fill, 15 result (float32).
    """
    if word(args, 5):
        _floats(args, 4)
    else:
        _bytes(args, 1)
    holes = word(args, 11)
    if holes:
        height, width, channels = word(args, 1), word(args, 2), word(args, 3)
        for k in range(word(args, 0)):
            left, right = load_i32(holes, 4 * k + 1), load_i32(holes, 4 * k + 3)
            for i in range(load_i32(holes, 4 * k), load_i32(holes, 4 * k + 2)):
                start = ((k * height + i) * width + left) * channels
                for p in range((right - left) * channels):
                    store_f32(word(args, 15), start + p, f32(0.0))
    return 0
