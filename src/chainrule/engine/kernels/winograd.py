"""Convolutions of 3 × 3 by Winograd's minimal filtering, F(2 × 2, 3 × 3): 16 products in place of 36.

With d a tile of 4 × 4 of the image, g the filter and y the 2 × 2 outputs that the tile gives,

    y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A

where ⊙ is summed over the channels. So each of the 16 places of a transformed tile is a matrix product of its own: (tiles,
inputs) times (inputs, outputs). The filters are transformed once (``winograd_weights``), the tiles as they are needed, some
at a time, so that they stay in the second-level cache. All sums are exact up to rounding: the entries of A, B and G are 0,
±1 and ±½, and errors are about those of a direct convolution.

Source: Lavin and Gray 2016, Fast Algorithms for Convolutional Neural Networks.
"""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit

from .intrinsics import load_f32, store_f32, word
from .panel import panel1
from .signature import KERNEL
from .sizes import PLACES, VECTOR
from .vectors import fill

f32 = np.float32
_HALF = f32(0.5)
#: Inputs that are multiplied before the next ones are: what they meet of the filters stays in the first-level cache.
_STRETCH = 512


@njit(error_model="numpy")
def _transformed_tile(
    v, apart, channels, xa0, xa1, xa2, xa3, xb0, xb1, xb2, xb3, xc0, xc1, xc2, xc3, xd0, xd1, xd2, xd3
):  # fmt: skip
    """V = Bᵀ d B for each channel. Parameters  v : of place 0, places ``apart`` bytes apart ; x.. : pixels, row by row"""
    for c in range(channels):
        a0, a1, a2, a3 = load_f32(xa0, c), load_f32(xa1, c), load_f32(xa2, c), load_f32(xa3, c)
        b0, b1, b2, b3 = load_f32(xb0, c), load_f32(xb1, c), load_f32(xb2, c), load_f32(xb3, c)
        c0, c1, c2, c3 = load_f32(xc0, c), load_f32(xc1, c), load_f32(xc2, c), load_f32(xc3, c)
        d0, d1, d2, d3 = load_f32(xd0, c), load_f32(xd1, c), load_f32(xd2, c), load_f32(xd3, c)
        # Down the columns: 0 − 2, 1 + 2, 2 − 1, 1 − 3; then along the rows the same.
        p0, p1, p2, p3 = a0 - c0, a1 - c1, a2 - c2, a3 - c3
        q0, q1, q2, q3 = b0 + c0, b1 + c1, b2 + c2, b3 + c3
        r0, r1, r2, r3 = c0 - b0, c1 - b1, c2 - b2, c3 - b3
        s0, s1, s2, s3 = b0 - d0, b1 - d1, b2 - d2, b3 - d3
        store_f32(v, c, p0 - p2)
        store_f32(v + apart, c, p1 + p2)
        store_f32(v + 2 * apart, c, p2 - p1)
        store_f32(v + 3 * apart, c, p1 - p3)
        store_f32(v + 4 * apart, c, q0 - q2)
        store_f32(v + 5 * apart, c, q1 + q2)
        store_f32(v + 6 * apart, c, q2 - q1)
        store_f32(v + 7 * apart, c, q1 - q3)
        store_f32(v + 8 * apart, c, r0 - r2)
        store_f32(v + 9 * apart, c, r1 + r2)
        store_f32(v + 10 * apart, c, r2 - r1)
        store_f32(v + 11 * apart, c, r1 - r3)
        store_f32(v + 12 * apart, c, s0 - s2)
        store_f32(v + 13 * apart, c, s1 + s2)
        store_f32(v + 14 * apart, c, s2 - s1)
        store_f32(v + 15 * apart, c, s1 - s3)


@njit(error_model="numpy")
def _outputs_of_tile(y00, y01, y10, y11, m, apart, channels):
    """y = Aᵀ M A for each channel. Parameters  y.. : places of the four outputs ; m : of place 0 of the products"""
    for c in range(channels):
        a0, a1 = load_f32(m, c), load_f32(m + apart, c)
        a2, a3 = load_f32(m + 2 * apart, c), load_f32(m + 3 * apart, c)
        b0, b1 = load_f32(m + 4 * apart, c), load_f32(m + 5 * apart, c)
        b2, b3 = load_f32(m + 6 * apart, c), load_f32(m + 7 * apart, c)
        c0, c1 = load_f32(m + 8 * apart, c), load_f32(m + 9 * apart, c)
        c2, c3 = load_f32(m + 10 * apart, c), load_f32(m + 11 * apart, c)
        d0, d1 = load_f32(m + 12 * apart, c), load_f32(m + 13 * apart, c)
        d2, d3 = load_f32(m + 14 * apart, c), load_f32(m + 15 * apart, c)
        p0, p1, p2, p3 = a0 + b0 + c0, a1 + b1 + c1, a2 + b2 + c2, a3 + b3 + c3
        q0, q1, q2, q3 = b0 - c0 - d0, b1 - c1 - d1, b2 - c2 - d2, b3 - c3 - d3
        store_f32(y00, c, p0 + p1 + p2)
        store_f32(y01, c, p1 - p2 - p3)
        store_f32(y10, c, q0 + q1 + q2)
        store_f32(y11, c, q1 - q2 - q3)


@njit(error_model="numpy")
def _pixel(i, j, height, width, image, pixel, zeros):
    """Where the channels of a pixel are; outside the image they are zeros."""
    return image + pixel * (i * width + j) if 0 <= i < height and 0 <= j < width else zeros


@cfunc(KERNEL, error_model="numpy")
def winograd_tiles(args, _1, _2, _3):
    """Bᵀ d B of some tiles, for each of the 16 places a matrix (tiles, channels); what lies outside the image is 0.

    0 channels, 1 rows and 2 columns of the image, 3 rows and 4 columns of the output, 5 rows and 6 columns before the image
    in the first window, 7 images (channels last), 8 matrices, 9 first tile, 10 tiles, 11 as many zeros as channels,
    12 elements from a matrix to the next
    """
    channels, height, width, above, left = word(args, 0), word(args, 1), word(args, 2), word(args, 5), word(args, 6)
    down, right = (word(args, 3) + 1) // 2, (word(args, 4) + 1) // 2
    first, zeros, apart, pixel = word(args, 9), word(args, 11), 4 * word(args, 12), 4 * channels
    for t in range(word(args, 10)):
        n, place = (first + t) // (down * right), (first + t) % (down * right)
        i, j = 2 * (place // right) - above, 2 * (place % right) - left
        x, v = word(args, 7) + pixel * n * height * width, word(args, 8) + pixel * t
        if i >= 0 and j >= 0 and i + 4 <= height and j + 4 <= width:
            a = x + pixel * (i * width + j)
            b, c, d = a + pixel * width, a + 2 * pixel * width, a + 3 * pixel * width
            _transformed_tile(
                v, apart, channels, a, a + pixel, a + 2 * pixel, a + 3 * pixel, b, b + pixel, b + 2 * pixel,
                b + 3 * pixel, c, c + pixel, c + 2 * pixel, c + 3 * pixel, d, d + pixel, d + 2 * pixel, d + 3 * pixel,
            )  # fmt: skip
        else:
            _transformed_tile(
                v, apart, channels,
                _pixel(i, j, height, width, x, pixel, zeros), _pixel(i, j + 1, height, width, x, pixel, zeros),
                _pixel(i, j + 2, height, width, x, pixel, zeros), _pixel(i, j + 3, height, width, x, pixel, zeros),
                _pixel(i + 1, j, height, width, x, pixel, zeros), _pixel(i + 1, j + 1, height, width, x, pixel, zeros),
                _pixel(i + 1, j + 2, height, width, x, pixel, zeros), _pixel(i + 1, j + 3, height, width, x, pixel, zeros),
                _pixel(i + 2, j, height, width, x, pixel, zeros), _pixel(i + 2, j + 1, height, width, x, pixel, zeros),
                _pixel(i + 2, j + 2, height, width, x, pixel, zeros), _pixel(i + 2, j + 3, height, width, x, pixel, zeros),
                _pixel(i + 3, j, height, width, x, pixel, zeros), _pixel(i + 3, j + 1, height, width, x, pixel, zeros),
                _pixel(i + 3, j + 2, height, width, x, pixel, zeros), _pixel(i + 3, j + 3, height, width, x, pixel, zeros),
            )  # fmt: skip
    return 0


@cfunc(KERNEL, error_model="numpy")
def winograd_products(args, _1, _2, _3):
    """The products of the 16 places: (tiles, inputs) (inputs, outputs), the filters in panels of 16 columns.

    0 tiles, 1 inputs, 2 outputs, 3 transformed tiles, 4 transformed filters, 5 products, their rows filled up to a multiple
    of 16, 6 elements from a matrix of tiles and 7 of products to the next
    """
    count, inputs, outputs = word(args, 0), word(args, 1), word(args, 2)
    line = (outputs + VECTOR - 1) // VECTOR * VECTOR
    for place in range(PLACES):
        source, target = word(args, 3) + 4 * place * word(args, 6), word(args, 5) + 4 * place * word(args, 7)
        fill(target, count * line, f32(0.0))
        for c in range(0, line, VECTOR):
            panel = word(args, 4) + 4 * (place * line + c) * inputs
            for k in range(0, inputs, _STRETCH):
                part = min(inputs - k, _STRETCH)
                panel1(target + 4 * c, line, source + 4 * k, inputs, panel + 4 * VECTOR * k, VECTOR, VECTOR, part, count)
    return 0


@cfunc(KERNEL, error_model="numpy")
def winograd_outputs(args, _1, _2, _3):
    """Aᵀ M A of some tiles, which are 2 × 2 outputs each; those beyond an odd size are dropped.

    0 channels, 1 rows and 2 columns of the output, 3 products, 4 output, 5 first tile, 6 tiles, 7 memory for what is
    dropped, 8 elements from a matrix to the next
    """
    channels, rows, columns, m, first = word(args, 0), word(args, 1), word(args, 2), word(args, 3), word(args, 5)
    unused, apart, pixel = word(args, 7), 4 * word(args, 8), 4 * channels
    line = 4 * ((channels + VECTOR - 1) // VECTOR * VECTOR)
    down, right = (rows + 1) // 2, (columns + 1) // 2
    for t in range(word(args, 6)):
        n, place = (first + t) // (down * right), (first + t) % (down * right)
        i, j = 2 * (place // right), 2 * (place % right)
        y = word(args, 4) + pixel * ((n * rows + i) * columns + j)
        beside, below = j + 1 < columns, i + 1 < rows
        y01 = y + pixel if beside else unused
        y10 = y + pixel * columns if below else unused
        y11 = y + pixel * (columns + 1) if beside and below else unused
        _outputs_of_tile(y, y01, y10, y11, m + line * t, apart, channels)
    return 0


@cfunc(KERNEL, error_model="numpy")
def winograd_weights(args, _1, _2, _3):
    """G g Gᵀ of each filter: for each of the 16 places a matrix (inputs, outputs) in panels of 16 columns, the last one
    filled up with zeros.

    0 inputs, 1 outputs, 2 filters, elements from 3 an input, 4 an output and 5 a tap to the next, 6 element of the first
    tap, 7 transformed filters, 8 and 9 the first input and the one after the last
    """
    inputs, outputs, source = word(args, 0), word(args, 1), word(args, 2)
    by_input, by_output, by_tap, target = word(args, 3), word(args, 4), word(args, 5), word(args, 7)
    line = (outputs + VECTOR - 1) // VECTOR * VECTOR
    apart, step, next_row = 4 * line * inputs, 4 * by_tap, 12 * by_tap
    for i in range(word(args, 8), word(args, 9)):
        for j in range(0, line, VECTOR):
            many = min(outputs - j, VECTOR)
            g = source + 4 * (word(args, 6) + i * by_input + j * by_output)
            to = target + 4 * (j * inputs + VECTOR * i)
            for place in range(PLACES):
                fill(to + place * apart, VECTOR, f32(0.0))
            g1, g2 = g + next_row, g + 2 * next_row
            for o in range(many):
                at = o * by_output
                a0, a1, a2 = load_f32(g, at), load_f32(g + step, at), load_f32(g + 2 * step, at)
                b0, b1, b2 = load_f32(g1, at), load_f32(g1 + step, at), load_f32(g1 + 2 * step, at)
                c0, c1, c2 = load_f32(g2, at), load_f32(g2 + step, at), load_f32(g2 + 2 * step, at)
                # Down the columns: 0, half the sum, half the alternating sum, 2; then along the rows the same.
                e0, e1, e2 = a0 + c0, a1 + c1, a2 + c2
                p0, p1, p2 = _HALF * (e0 + b0), _HALF * (e1 + b1), _HALF * (e2 + b2)
                q0, q1, q2 = _HALF * (e0 - b0), _HALF * (e1 - b1), _HALF * (e2 - b2)
                store_f32(to, o, a0)
                store_f32(to + apart, o, _HALF * ((a0 + a2) + a1))
                store_f32(to + 2 * apart, o, _HALF * ((a0 + a2) - a1))
                store_f32(to + 3 * apart, o, a2)
                store_f32(to + 4 * apart, o, p0)
                store_f32(to + 5 * apart, o, _HALF * ((p0 + p2) + p1))
                store_f32(to + 6 * apart, o, _HALF * ((p0 + p2) - p1))
                store_f32(to + 7 * apart, o, p2)
                store_f32(to + 8 * apart, o, q0)
                store_f32(to + 9 * apart, o, _HALF * ((q0 + q2) + q1))
                store_f32(to + 10 * apart, o, _HALF * ((q0 + q2) - q1))
                store_f32(to + 11 * apart, o, q2)
                store_f32(to + 12 * apart, o, c0)
                store_f32(to + 13 * apart, o, _HALF * ((c0 + c2) + c1))
                store_f32(to + 14 * apart, o, _HALF * ((c0 + c2) - c1))
                store_f32(to + 15 * apart, o, c2)
    return 0
