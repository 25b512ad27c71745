"""The kernel that takes pictures out of an array, moved, brightened and normalised, in one pass."""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit

from .intrinsics import floor, load_f32, load_i32, load_u8, store_f32, word
from .signature import KERNEL

f32, i32, i64 = np.float32, np.int32, np.int64
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


@njit(error_model="numpy")
def _first_inside(start, step, size, n):
    """The first j of 0 .. n − 1 from which start + step j can lie in [0, size − 1); what follows may leave it again."""
    if start >= 0 and start < size - 1:
        return i64(0)
    if step == 0:
        return n
    edge = -start / step if step > 0 else (f32(size - 1) - start) / step
    if not edge > 0:  # also what no 64-bit integer can hold
        return i64(0)
    return n if not edge < f32(n) else i64(edge)


@njit(error_model="numpy")
def _at(start, step, j):
    return start + step * f32(j)


@njit(error_model="numpy")
def _mixed(x, a, below, right, h, v):
    """The mean of four values with their weights."""
    upper = load_f32(x, a) * (_ONE - h) + load_f32(x, a + right) * h
    lower = load_f32(x, a + below) * (_ONE - h) + load_f32(x, a + below + right) * h
    return upper * (_ONE - v) + lower * v


@njit(error_model="numpy")
def _inner(x, d, begin, end, width, channels, y, dy, z, dz, gain, offset, low, high, scale, shift):
    """Pixels begin .. end − 1 of a row, all of whose four neighbours are in the picture."""
    if channels == 1:
        s, t = load_f32(scale, 0), load_f32(shift, 0)
        for j in range(begin, end):
            p, q = _at(y, dy, j), _at(z, dz, j)
            r, k = i32(p), i32(q)
            value = _mixed(x, i64(r * i32(width) + k), width, i64(1), q - f32(k), p - f32(r))
            store_f32(d, j, min(max(value * gain + offset, low), high) * s + t)
        return
    for j in range(begin, end):
        p, q = _at(y, dy, j), _at(z, dz, j)
        r, k = i64(p), i64(q)
        h, v = q - f32(k), p - f32(r)
        for c in range(channels):
            value = _mixed(x, (r * width + k) * channels + c, width * channels, channels, h, v)
            value = min(max(value * gain + offset, low), high)
            store_f32(d, j * channels + c, value * load_f32(scale, c) + load_f32(shift, c))


@njit(error_model="numpy")
def _outer(x, d, begin, end, height, width, channels, y, dy, z, dz, gain, offset, low, high, scale, shift, fill):
    """Pixels begin .. end − 1 of a row, with neighbours that may lie outside."""
    for j in range(begin, end):
        p, q = _at(y, dy, j), _at(z, dz, j)
        top, left = floor(p), floor(q)
        v, h = p - top, q - left
        r0, r1 = _inside(i64(top), height, fill), _inside(i64(top) + 1, height, fill)
        k0, k1 = _inside(i64(left), width, fill), _inside(i64(left) + 1, width, fill)
        for c in range(channels):
            value = f32(0.0)
            if r0 >= 0 and k0 >= 0:
                value += load_f32(x, (r0 * width + k0) * channels + c) * (_ONE - v) * (_ONE - h)
            if r0 >= 0 and k1 >= 0:
                value += load_f32(x, (r0 * width + k1) * channels + c) * (_ONE - v) * h
            if r1 >= 0 and k0 >= 0:
                value += load_f32(x, (r1 * width + k0) * channels + c) * v * (_ONE - h)
            if r1 >= 0 and k1 >= 0:
                value += load_f32(x, (r1 * width + k1) * channels + c) * v * h
            value = min(max(value * gain + offset, low), high)
            store_f32(d, j * channels + c, value * load_f32(scale, c) + load_f32(shift, c))


@njit(error_model="numpy")
def _lies_inside(y, z, height, width):
    return y >= 0 and z >= 0 and y < height - 1 and z < width - 1


@njit(error_model="numpy")
def _between(x, d, height, width, channels, m, gain, offset, low, high, scale, shift, fill):
    """Any affine map of a picture of float32: every pixel is a mean of four."""
    dy, dz = load_f32(m, 1), load_f32(m, 4)
    for i in range(height):
        y, z = load_f32(m, 0) * f32(i) + load_f32(m, 2), load_f32(m, 3) * f32(i) + load_f32(m, 5)
        row = d + 4 * i * width * channels
        # A straight line enters the picture once and leaves it once. The quotient is a guess, so the ends are tried.
        begin = max(_first_inside(y, dy, height, width), _first_inside(z, dz, width, width))
        while begin < width and not _lies_inside(_at(y, dy, begin), _at(z, dz, begin), height, width):
            begin += 1
        last = width - 1
        back = max(_first_inside(_at(y, dy, last), -dy, height, width), _first_inside(_at(z, dz, last), -dz, width, width))
        end = width - back
        while end > begin and not _lies_inside(_at(y, dy, end - 1), _at(z, dz, end - 1), height, width):
            end -= 1
        end = max(begin, end)
        _outer(x, row, i64(0), begin, height, width, channels, y, dy, z, dz, gain, offset, low, high, scale, shift, fill)
        _inner(x, row, begin, end, width, channels, y, dy, z, dz, gain, offset, low, high, scale, shift)
        _outer(x, row, end, width, height, width, channels, y, dy, z, dz, gain, offset, low, high, scale, shift, fill)


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
                    floats = x
                    if item == 1:
                        floats = word(args, 16)
                        for p in range(size):
                            store_f32(floats, p, f32(load(x, p)))
                    _between(floats, d, height, width, channels, m, gain, offset, low, high, scale, shift, fill)

    return work


_bytes, _floats = _of(load_u8), _of(load_f32)


@cfunc(KERNEL, error_model="numpy")
def resample(args, _1, _2, _3):
    """Pictures of rows of an array, as y = clip(g x(A p + t) + o) scale + shift.

    0 pictures n, 1 height, 2 width, 3 channels, 4 array of all pictures, 5 whether it holds float32 (else bytes),
    6 rows (n 64-bit numbers), 7 affine maps (n × 6 float32; 0 for none), 8 gains g, 9 offsets o (n float32),
    10 lowest and highest value, 11 holes (n × 4 int32: top, left, bottom, right; 0 for none), 12 scale, 13 shift (of the
    channels), 14 fill, 15 result (float32), 16 room for one picture of float32.
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
