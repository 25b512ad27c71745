"""Average pooling to a given size."""

from __future__ import annotations

from typing import Any

from ..constraints import Interval, OneOrMore
from ._spatial import check_image, sizes
from .base import Builder, Layer, Saved, Value


class AdaptiveAveragePool2D(Layer):
    """Average pooling to a given size, whatever that of the image: ``y[n, i, j, c]`` is the mean of x[n, u, v, c] over
    ⌊i H / H'⌋ <= u < ⌈(i + 1) H / H'⌉ and ⌊j W / W'⌋ <= v < ⌈(j + 1) W / W'⌉.

    Where H' divides H and W' divides W this is AveragePool2D; else windows differ in size by one, and overlap.

    Parameters  size : int >= 1 or two, (H', W') of the output
    Shapes      x (N, H, W, C) ; y (N, H', W', C)
    Backward    dx[n, u, v, c] = Σ dy / K over the windows that u, v lies in, K the number of their elements
    Raises      ShapeError when x is not (N, H, W, C) ; ParameterError when size is out of range
    References  He et al., Spatial pyramid pooling in deep convolutional networks for visual recognition, ECCV 2014

    Example
        >>> AdaptiveAveragePool2D((4, 3))
        AdaptiveAveragePool2D((4, 3))
    """

    role = "pooling"
    linear = True
    hyperparameters = {"size": OneOrMore(Interval(int, 1), count=2)}

    def __init__(self, size: int | tuple[int, int]):
        self.size = size

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x = xs[0]
        check_image(self, 2, x.shape)
        spatial, size = x.shape[1:-1], sizes(self.size, 2)
        if all(old % new == 0 for old, new in zip(spatial, size, strict=True)):
            kernel = tuple(old // new for old, new in zip(spatial, size, strict=True))
            window: dict[str, Any] = {"kernel": kernel, "stride": kernel, "padding": ((0, 0),) * 2}
            return k.average_pool(x, **window), Saved(window=window, spatial=spatial)
        return k.resample(x, size=size, method="area"), Saved(window=None, spatial=spatial)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        if saved.window is not None:
            return k.average_pool_backward(dy, spatial=saved.spatial, **saved.window)
        return k.resample_backward(dy, spatial=saved.spatial, method="area")
