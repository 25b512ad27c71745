"""The largest element of each channel."""

from __future__ import annotations

from ._global_pooling import _GlobalPooling
from .base import Builder, Saved, Value


class GlobalMaxPool(_GlobalPooling):
    """Largest element of each channel ``y[n, c] = max x[n, ..., c]`` over all axes between.

    Steps of sequences that a mask says are padding do not count (see Masking).

    Shapes      x (N, *spatial, C) with one spatial axis or more ; y (N, C)
    Backward    dx[n, p, c] = dy[n, c] where p is the place of the largest element, else 0    (the first of several)
    Raises      ShapeError when x has no spatial axis
    References  Oquab et al., Is object localization for free? Weakly-supervised learning with CNNs, CVPR 2015

    Example
        >>> GlobalMaxPool()
        GlobalMaxPool()
    """

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, mask = self._image(k, xs[0]), k.mask_of(xs[0])
        if mask is not None and x.ndim == 3:
            x = k.where_(k.reshape(mask, (*mask.shape, 1)), x, float("-inf"))
        y, index = k.max_pool(x, **self._window(x.shape))
        return k.reshape(y, (x.shape[0], x.shape[-1])), Saved(index=index, x=x, shape=xs[0].shape)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        dy = k.reshape(dy, saved.index.shape)
        window = self._window(saved.x.shape)
        return k.reshape(k.max_pool_backward(dy, saved.index, spatial=window["kernel"], **window), saved.shape)
