"""Statistics of pictures and feature maps that objectives are made of."""

from __future__ import annotations

from math import prod

from .base import Builder, Layer, Saved, ShapeError, Value


class GramMatrix(Layer):
    """How often each two channels are large at one place, ``y[n, c, d] = Σ x[n, ..., c] x[n, ..., d] / M`` over M places.

    It says what a picture is made of, strokes and colours, and nothing about where.

    Shapes      x (N, ..., C) ; y (N, C, C)
    Backward    dx = x (dy + dyᵀ) / M
    Raises      ShapeError when x has no places
    References  Gatys, Ecker, Bethge, Image style transfer using convolutional neural networks, CVPR 2016

    Example
        >>> GramMatrix()
        GramMatrix()
    """

    role = "other"

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x = xs[0]
        if x.ndim < 3:
            raise ShapeError(f"GramMatrix: expected feature maps (N, ..., C), got {x.shape}.")
        places = prod(x.shape[1:-1])
        rows = k.reshape(x, (x.shape[0], places, x.shape[-1]))
        if x.shape[0] == 1:  # a plain product, which engines have the fastest kernels for
            flat = k.reshape(x, (places, x.shape[-1]))
            y = k.reshape(k.matmul(flat, flat, transpose_a=True), (1, x.shape[-1], x.shape[-1]))
        else:
            y = k.batch_matmul(rows, rows, transpose_a=True)
        y = k.multiply(y, 1 / places)
        return y, Saved(rows=rows, shape=x.shape, places=places)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        both = k.multiply(k.add(dy, k.transpose(dy, (0, 2, 1))), 1 / saved.places)
        if saved.shape[0] == 1:
            flat = k.reshape(saved.rows, saved.rows.shape[1:])
            return k.reshape(k.matmul(flat, k.reshape(both, both.shape[1:])), saved.shape)
        return k.reshape(k.batch_matmul(saved.rows, both), saved.shape)


class TotalVariation(Layer):
    """The mean square of the differences of neighbouring pixels, down and across: small for smooth pictures.

    ``y[n] = Σ (x[i+1, j] − x[i, j])² / (C (H−1) W) + Σ (x[i, j+1] − x[i, j])² / (C H (W−1))``

    Shapes      x (N, H, W, C), H and W at least 2 ; y (N, 1)
    Backward    dx = the differences, doubled and scaled, put back to both of their pixels with opposite signs
    Raises      ShapeError when x is no picture

    Example
        >>> TotalVariation()
        TotalVariation()
    """

    role = "other"

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x = xs[0]
        if x.ndim != 4 or min(x.shape[1:3]) < 2:
            raise ShapeError(f"TotalVariation: expected pictures (N, H, W, C) of two pixels a side or more, got {x.shape}.")
        total: Value | None = None
        kept = []
        for axis in (1, 2):
            size = x.shape[axis]
            d = k.subtract(k.slice(x, axis, 1, size), k.slice(x, axis, 0, size - 1))
            count = prod(d.shape[1:])
            mean = k.multiply(k.sum(k.reshape(k.square(d), (x.shape[0], count)), axis=1, keepdims=True), 1 / count)
            total = mean if total is None else k.add(total, mean)
            kept.append((axis, d, count))
        assert total is not None
        return total, Saved(kept=kept)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        scale = k.reshape(dy, (dy.shape[0], 1, 1, 1))
        total: Value | None = None
        for axis, d, count in saved.kept:
            g = k.multiply(d, k.multiply(scale, 2 / count))
            edge = k.multiply(k.slice(g, axis, 0, 1), 0.0)
            dx = k.subtract(k.concat([edge, g], axis), k.concat([g, edge], axis))
            total = dx if total is None else k.add(total, dx)
        assert total is not None
        return total
