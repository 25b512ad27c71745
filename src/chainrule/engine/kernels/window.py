"""Pooling: windows of images (N, D, H, W, C), channels last. Images of fewer spatial axes have sizes of 1 in front.

The block of arguments of every kernel here (64-bit words)
    0 samples, 1 C ; 2 to 4 sizes of the image, 5 to 7 of the output, 8 to 10 of the window ; 11 to 13 strides,
    14 to 16 padding before ; 17 and on the arrays, as each kernel says
"""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit

from .intrinsics import load_f32, load_i32, store_f32, store_i32, word
from .signature import KERNEL
from .vectors import fill

f32, i32 = np.float32, np.int32


@njit(error_model="numpy")
def _start(y, x, index, k, n):
    if index == 0:
        for i in range(n):
            store_f32(y, i, load_f32(x, i))
    else:
        for i in range(n):
            store_f32(y, i, load_f32(x, i))
            store_i32(index, i, k)


@njit(error_model="numpy")
def _larger(y, x, index, k, n):
    """The first largest wins, and the first NaN before all."""
    if index == 0:
        for i in range(n):
            best, v = load_f32(y, i), load_f32(x, i)
            store_f32(y, i, v if (v > best) | ((v != v) & (best == best)) else best)
    else:
        for i in range(n):
            best, v = load_f32(y, i), load_f32(x, i)
            better = (v > best) | ((v != v) & (best == best))
            store_i32(index, i, k if better else load_i32(index, i))
            store_f32(y, i, v if better else best)


@njit(error_model="numpy")
def _choose(dx, dy, index, k, n, add):
    """dx = (or +=) dy where the index is k, else 0."""
    if add:
        for i in range(n):
            store_f32(dx, i, load_f32(dx, i) + (load_f32(dy, i) if load_i32(index, i) == k else f32(0.0)))
    else:
        for i in range(n):
            store_f32(dx, i, load_f32(dy, i) if load_i32(index, i) == k else f32(0.0))


@njit(error_model="numpy")
def _add_scaled(d, x, n, scale):
    for i in range(n):
        store_f32(d, i, load_f32(d, i) + scale * load_f32(x, i))


@njit(error_model="numpy")
def _scaled(d, x, n, scale):
    for i in range(n):
        store_f32(d, i, scale * load_f32(x, i))


@njit(error_model="numpy")
def _tiles(args):
    """Whether the windows cover every element of the image exactly once."""
    for axis in range(3):
        k, o = word(args, 8 + axis), word(args, 5 + axis)
        if word(args, 11 + axis) != k or word(args, 14 + axis) != 0 or k * o != word(args, 2 + axis):
            return False
    return True


@njit(error_model="numpy")
def _low(start):
    return -start if start < 0 else start - start


@njit(error_model="numpy")
def _high(start, kernel, size):
    return size - start if start + kernel > size else kernel


# What a window does with each of its elements; the backward passes are odd.
_MAX, _MAX_BACKWARD, _MEAN, _MEAN_BACKWARD = range(4)


@njit(error_model="numpy")
def _pool(args, mode, image, pooled, index, whole):
    """Goes through all windows. whole : by which means are divided at the borders, 0 for the elements that are there"""
    samples, channels = word(args, 0), word(args, 1)
    depth, height, width = word(args, 2), word(args, 3), word(args, 4)
    od, oh, ow = word(args, 5), word(args, 6), word(args, 7)
    kd, kh, kw = word(args, 8), word(args, 9), word(args, 10)
    row = 4 * channels
    tiles = _tiles(args)
    for n in range(samples):
        own = image + n * depth * height * width * row
        if mode % 2 == 1 and not tiles:
            fill(own, depth * height * width * channels, f32(0.0))
        for d in range(od):
            d0 = d * word(args, 11) - word(args, 14)
            da, db = _low(d0), _high(d0, kd, depth)
            for h in range(oh):
                h0 = h * word(args, 12) - word(args, 15)
                ha, hb = _low(h0), _high(h0, kh, height)
                for w in range(ow):
                    w0 = w * word(args, 13) - word(args, 16)
                    wa, wb = _low(w0), _high(w0, kw, width)
                    at = (((n * od + d) * oh + h) * ow + w) * row
                    y, place = pooled + at, index + at if index != 0 else index
                    first = True
                    scale = f32(1.0)
                    if mode >= _MEAN:
                        scale = f32(1.0) / f32(whole if whole > 0 else (db - da) * (hb - ha) * (wb - wa))
                    for a in range(da, db):
                        for b in range(ha, hb):
                            for c in range(wa, wb):
                                x = own + (((d0 + a) * height + h0 + b) * width + w0 + c) * row
                                k = i32((a * kh + b) * kw + c)
                                if mode == _MAX:
                                    if first:
                                        _start(y, x, place, k, channels)
                                    else:
                                        _larger(y, x, place, k, channels)
                                elif mode == _MAX_BACKWARD:
                                    _choose(x, y, place, k, channels, not tiles)
                                elif mode == _MEAN:
                                    if first:
                                        _scaled(y, x, channels, scale)
                                    else:
                                        _add_scaled(y, x, channels, scale)
                                elif tiles:
                                    _scaled(x, y, channels, scale)
                                else:
                                    _add_scaled(x, y, channels, scale)
                                first = False


@cfunc(KERNEL, error_model="numpy")
def max_pool(args, _1, _2, _3):
    """17 x, 18 y, 19 index of the largest element of each window (int32), or 0."""
    _pool(args, _MAX, word(args, 17), word(args, 18), word(args, 19), 0)
    return 0


@cfunc(KERNEL, error_model="numpy")
def max_pool_backward(args, _1, _2, _3):
    """17 dx, 18 dy, 19 index."""
    _pool(args, _MAX_BACKWARD, word(args, 17), word(args, 18), word(args, 19), 0)
    return 0


@cfunc(KERNEL, error_model="numpy")
def average_pool(args, _1, _2, _3):
    """17 x, 18 y, 19 by how many elements a window's sum is divided, 0 for those within the image."""
    _pool(args, _MEAN, word(args, 17), word(args, 18), 0, word(args, 19))
    return 0


@cfunc(KERNEL, error_model="numpy")
def average_pool_backward(args, _1, _2, _3):
    """17 dx, 18 dy, 19 as in average_pool."""
    _pool(args, _MEAN_BACKWARD, word(args, 17), word(args, 18), 0, word(args, 19))
    return 0


@cfunc(KERNEL, error_model="numpy")
def interpolate(args, _1, _2, _3):
    """Each output is a mixture of elements, whose numbers and weights on each axis are given.

    0 samples, 1 C ; 2 to 4 sizes of the image, 5 to 7 of the output ; 8 to 10 elements mixed on each axis ; 11 to 13 their
    numbers (int32: for each of the mixed, one an output), 14 to 16 their weights (float32, the same) ; 17 image, 18 output,
    19 whether this is the backward pass, which adds the outputs up into the image
    """
    samples, channels = word(args, 0), word(args, 1)
    depth, height, width = word(args, 2), word(args, 3), word(args, 4)
    od, oh, ow = word(args, 5), word(args, 6), word(args, 7)
    td, th, tw = word(args, 8), word(args, 9), word(args, 10)
    image, output, backward = word(args, 17), word(args, 18), word(args, 19)
    row = 4 * channels
    for n in range(samples):
        own = image + n * depth * height * width * row
        if backward != 0:
            fill(own, depth * height * width * channels, f32(0.0))
        for d in range(od):
            for h in range(oh):
                for w in range(ow):
                    y = output + (((n * od + d) * oh + h) * ow + w) * row
                    if backward == 0:
                        fill(y, channels, f32(0.0))
                    for a in range(td):
                        ia, wa = load_i32(word(args, 11), a * od + d), load_f32(word(args, 14), a * od + d)
                        for b in range(th):
                            ib, wb = load_i32(word(args, 12), b * oh + h), load_f32(word(args, 15), b * oh + h)
                            for c in range(tw):
                                ic, wc = load_i32(word(args, 13), c * ow + w), load_f32(word(args, 16), c * ow + w)
                                scale = wa * wb * wc
                                # An element of weight 0 takes no part, also where it is not finite.
                                if scale != f32(0.0):
                                    x = own + ((ia * height + ib) * width + ic) * row
                                    if backward != 0:
                                        _add_scaled(x, y, channels, scale)
                                    else:
                                        _add_scaled(y, x, channels, scale)
    return 0


@cfunc(KERNEL, error_model="numpy")
def pad(args, _1, _2, _3):
    """Copies an array (0 to 4 sizes) into a larger one of zeros (5 to 9 sizes), 10 to 14 elements from its edges.

    15 source, 16 target. Elements are of 4 bytes.
    """
    total = word(args, 5) * word(args, 6) * word(args, 7) * word(args, 8) * word(args, 9)
    source, target, count = word(args, 15), word(args, 16), word(args, 4)
    fill(target, total, f32(0.0))
    for a in range(word(args, 0)):
        for b in range(word(args, 1)):
            for c in range(word(args, 2)):
                for d in range(word(args, 3)):
                    x = ((a * word(args, 1) + b) * word(args, 2) + c) * word(args, 3) + d
                    y = (a + word(args, 10)) * word(args, 6) + b + word(args, 11)
                    y = (y * word(args, 7) + c + word(args, 12)) * word(args, 8) + d + word(args, 13)
                    _scaled(target + 4 * (y * word(args, 9) + word(args, 14)), source + 4 * x * count, count, f32(1.0))
    return 0
