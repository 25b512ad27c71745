"""Channels become pixels, and pixels channels."""

from __future__ import annotations

from ..constraints import Interval, OneOf
from ._spatial import check_image
from .base import Builder, Layer, Saved, ShapeError, Value

#: How the b² groups of channels lie: of a channel's block one after the other, or of a block's channels.
_ORDERS = ("channel_first", "block_first")


class DepthToSpace(Layer):
    """Makes a block of b × b pixels of every b² channels; the upsampling of sub-pixel convolution (pixel shuffle).

    ``y[n, b i + u, b j + v, c] = x[n, i, j, c b² + u b + v]`` with order="channel_first" (PyTorch's PixelShuffle,
    ONNX's CRD), or ``x[n, i, j, (u b + v) C + c]`` with order="block_first" (TensorFlow, ONNX's DCR).

    Parameters  block : int >= 1 = 2 ; order : "channel_first" or "block_first" = "channel_first"
    Shapes      x (N, H, W, b² C) ; y (N, b H, b W, C)
    Backward    dx is dy put back
    Raises      ShapeError when b² does not divide the channels ; ParameterError when block < 1 ;
                UnknownNameError for another order
    References  Shi et al., Real-time single image and video super-resolution, CVPR 2016

    Example
        >>> DepthToSpace(2)
        DepthToSpace()
    """

    role = "reshaping"
    hyperparameters = {
        "block": Interval(int, 1),
        "order": OneOf(*_ORDERS),
    }

    def __init__(self, block: int = 2, *, order: str = "channel_first"):
        self.block, self.order = block, order

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, b = xs[0], int(self.block)
        check_image(self, 2, x.shape)
        n, h, w, channels = x.shape
        if channels % (b * b):
            raise ShapeError(f"DepthToSpace: blocks of {b} × {b} need a multiple of {b * b} channels. Got {x.shape}.")
        c = channels // (b * b)
        if self.order == "channel_first":
            parts, order = (n, h, w, c, b, b), (0, 1, 4, 2, 5, 3)
        else:
            parts, order = (n, h, w, b, b, c), (0, 1, 3, 2, 4, 5)
        moved = k.transpose(k.reshape(x, parts), order)
        return k.reshape(moved, (n, h * b, w * b, c)), Saved(shape=x.shape, moved=moved.shape, order=order)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        back = tuple(saved.order.index(i) for i in range(6))
        return k.reshape(k.transpose(k.reshape(dy, saved.moved), back), saved.shape)
