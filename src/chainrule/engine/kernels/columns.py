"""Convolutions as matrix products: windows of an image as rows of a matrix, and such rows added up into an image.

The block of arguments of both kernels is that of ``window.py`` up to word 16, with 1 the channels of a group; then
    17 the group's first channel in the first image, 18 matrix (windows, *kernel, channels of a group),
    19 channels of the image ; 20 to 22 dilation
"""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit

from .intrinsics import word
from .signature import KERNEL
from .vectors import add, copy, fill

f32 = np.float32
_GATHER, _ADD = 0, 1


@njit(error_model="numpy")
def _run(target, source, taps, channels, step, apart):
    """Neighbouring taps of a window, ``step`` and ``apart`` bytes apart in the target and in the source."""
    if step == 4 * channels and apart == step:
        copy(target, source, taps * channels)
    else:
        for _ in range(taps):
            copy(target, source, channels)
            target += step
            source += apart


@njit(error_model="numpy")
def _add_run(target, source, taps, channels, step, apart):
    if apart == 4 * channels and apart == step:
        add(target, source, taps * channels)
    else:
        for _ in range(taps):
            add(target, source, channels)
            target += step
            source += apart


@njit(error_model="numpy")
def _first(start, dilation):
    """The first tap of a window that lies within the image."""
    return (-start + dilation - 1) // dilation if start < 0 else 0


@njit(error_model="numpy")
def _end(start, dilation, taps, size):
    """One more than the last tap within the image; 0 where there is none."""
    if start >= size:
        return 0
    last = (size - 1 - start) // dilation + 1
    return taps if last > taps else (0 if last < 0 else last)


@njit(error_model="numpy")
def _windows(args, mode):
    samples, channels, whole = word(args, 0), word(args, 1), word(args, 19)
    depth, height, width = word(args, 2), word(args, 3), word(args, 4)
    od, oh, ow = word(args, 5), word(args, 6), word(args, 7)
    kd, kh, kw = word(args, 8), word(args, 9), word(args, 10)
    dd, dh, dw = word(args, 20), word(args, 21), word(args, 22)
    row, tap, matrix = 4 * whole, 4 * channels, word(args, 18)
    line = kw * tap
    for n in range(samples):
        own = word(args, 17) + n * depth * height * width * row
        if mode == _ADD:
            if whole == channels:
                fill(own, depth * height * width * channels, f32(0.0))
            else:
                for p in range(depth * height * width):
                    fill(own + p * row, channels, f32(0.0))
        for d in range(od):
            d0 = d * word(args, 11) - word(args, 14)
            da, db = _first(d0, dd), _end(d0, dd, kd, depth)
            for h in range(oh):
                h0 = h * word(args, 12) - word(args, 15)
                ha, hb = _first(h0, dh), _end(h0, dh, kh, height)
                for w in range(ow):
                    w0 = w * word(args, 13) - word(args, 16)
                    wa, wb = _first(w0, dw), _end(w0, dw, kw, width)
                    if mode == _GATHER and (da > 0 or db < kd or ha > 0 or hb < kh or wa > 0 or wb < kw):
                        fill(matrix, kd * kh * kw * channels, f32(0.0))
                    if wb > wa:
                        for a in range(da, db):
                            for b in range(ha, hb):
                                x = own + (((d0 + a * dd) * height + h0 + b * dh) * width + w0 + wa * dw) * row
                                m = matrix + (a * kh + b) * line + wa * tap
                                if mode == _GATHER:
                                    _run(m, x, wb - wa, channels, tap, dw * row)
                                else:
                                    _add_run(x, m, wb - wa, channels, dw * row, tap)
                    matrix += kd * kh * line


@cfunc(KERNEL, error_model="numpy")
def image_to_columns(args, _1, _2, _3):
    """Writes the windows of an image as rows of the matrix; what lies outside the image is 0."""
    _windows(args, _GATHER)
    return 0


@cfunc(KERNEL, error_model="numpy")
def columns_to_image(args, _1, _2, _3):
    """Adds the rows of the matrix up into the image they lie in."""
    _windows(args, _ADD)
    return 0
