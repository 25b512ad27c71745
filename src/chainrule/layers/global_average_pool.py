"""The mean of each channel."""

from __future__ import annotations

from ._global_pooling import _GlobalPooling
from .base import Builder, Saved, Value


class GlobalAveragePool(_GlobalPooling):
    """Mean of each channel ``y[n, c] = 1/K Σ x[n, ..., c]`` over the K elements of all axes between.

    Steps of sequences that a mask says are padding do not count (see Masking).
    In front of the last Dense it takes the place of Flatten with far fewer weights, and images of any size fit.

    Shapes      x (N, *spatial, C) with one spatial axis or more ; y (N, C)
    Backward    dx[n, p, c] = dy[n, c] / K
    Raises      ShapeError when x has no spatial axis
    References  Lin et al., Network in network, ICLR 2014

    Example
        >>> GlobalAveragePool()
        GlobalAveragePool()
    """

    linear = True

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        mask = k.mask_of(xs[0])
        if mask is not None and xs[0].ndim == 3:
            # The mean over the steps that count: y = Σ m x / Σ m.
            share = k.divide(mask, k.maximum(k.sum(mask, axis=1, keepdims=True), 1.0))
            share = k.reshape(share, (*share.shape, 1))
            return k.sum(k.multiply(xs[0], share), axis=1), Saved(share=share)
        x = self._image(k, xs[0])
        y = k.average_pool(x, **self._window(x.shape))
        return k.reshape(y, (x.shape[0], x.shape[-1])), Saved(pooled=y.shape, x=x, shape=xs[0].shape)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        if hasattr(saved, "share"):
            return k.multiply(k.reshape(dy, (dy.shape[0], 1, dy.shape[1])), saved.share)
        dy, window = k.reshape(dy, saved.pooled), self._window(saved.x.shape)
        return k.reshape(k.average_pool_backward(dy, spatial=window["kernel"], **window), saved.shape)
