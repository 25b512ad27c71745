"""Pooling of images, and its backward passes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..errors import ShapeError
from .emitter import Emitter
from .spatial import image, match, sliding, windows
from .table import Attrs, Out, op
from .value import Node, Shape, Value


def _pool(op: str, x: Shape, attrs: Attrs) -> Shape:
    axes = image(op, x)
    match(op, axes, attrs, ("kernel", "stride", "padding"))
    for axis, (k, pair) in enumerate(zip(attrs["kernel"], attrs["padding"], strict=True)):
        if max(pair) >= k:
            raise ShapeError(
                f"{op}: padding {tuple(pair)} on spatial axis {axis} must be less than the window of {k}: "
                f"a window would see nothing but padding."
            )
    size = windows(op, x[1:-1], attrs["kernel"], attrs["stride"], attrs["padding"], (1,) * axes)
    return (x[0], *size, x[-1])


def _max_pool(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    shape = _pool("max_pool", inputs[0].shape, attrs)
    return [(shape, "float"), (shape, "int")]


def _average_pool(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return [(_pool("average_pool", inputs[0].shape, attrs), "float")]


def _pool_backward(op: str, inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    dy = inputs[0].shape
    axes = image(op, dy)
    match(op, axes, attrs, ("spatial",))
    x = (dy[0], *attrs["spatial"], dy[-1])
    wanted = _pool(op, x, attrs)
    for v in inputs:
        if v.shape != wanted:
            raise ShapeError(f"{op}: pooling {x} gives {wanted}, got {v.shape}.")
    return [(x, "float")]


def _max_pool_backward(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return _pool_backward("max_pool_backward", inputs, attrs)


def _average_pool_backward(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return _pool_backward("average_pool_backward", inputs, attrs)


def _flops(node: Node) -> int:
    """One comparison or addition for each element of each window; max_pool_backward adds one element a window."""
    if node.op == "max_pool_backward":
        return node.inputs[0].size
    pooled = node.inputs[0] if node.op == "average_pool_backward" else node.outputs[0]
    elements: int = prod(node.attrs["kernel"])
    return pooled.size * elements


#: How the second output of ``max_pool`` is written.
_INDEX = ("argmaxpool({0})", r"\operatorname{{argmaxpool}}({0})", 0)
_SCATTER = r"\operatorname{{scatter}}({0} \text{{ at }} {1})"


class Pooling(Emitter):
    """The Builder's pooling of images (N, *spatial, C) with 1, 2 or 3 spatial axes."""

    @op("window", "maxpool({0})", r"\operatorname{{maxpool}}({0})", rule=_max_pool, flops=_flops, more=(_INDEX,))
    def max_pool(
        self, x: Value, *, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[tuple[int, int]]
    ) -> tuple[Value, Value]:
        """The largest element of each window, and which of the window's elements it is, for ``max_pool_backward``.

        The number is of the first largest one, counted along the last spatial axis first. Padding is never the largest.
        Nobody needs the numbers in prediction: an engine that sees them unused need not compute them.
        """
        attrs = sliding(kernel=kernel, stride=stride, padding=padding)
        y, index = self.emit("max_pool", x, **attrs)
        return y, index

    @op("window", "scatter({0} at {1})", _SCATTER, rule=_max_pool_backward, flops=_flops)
    def max_pool_backward(
        self,
        dy: Value,
        index: Value,
        *,
        spatial: Sequence[int],
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
    ) -> Value:
        """dx of ``max_pool`` for an x of these spatial sizes: each dy is added where its window's largest element was"""
        attrs = sliding(kernel=kernel, stride=stride, padding=padding)
        return self.emit("max_pool_backward", dy, index, spatial=tuple(spatial), **attrs)[0]

    @op("window", "avgpool({0})", r"\operatorname{{avgpool}}({0})", rule=_average_pool, flops=_flops)
    def average_pool(
        self,
        x: Value,
        *,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
        count_padding: bool = False,
    ) -> Value:
        """The mean of each window; padding counts as zeros (count_padding) or not at all"""
        attrs = sliding(kernel=kernel, stride=stride, padding=padding)
        return self.emit("average_pool", x, **attrs, count_padding=count_padding)[0]

    @op("window", "avgpoolᵀ({0})", r"\operatorname{{avgpool}}^{{\top}}({0})", rule=_average_pool_backward, flops=_flops)
    def average_pool_backward(
        self,
        dy: Value,
        *,
        spatial: Sequence[int],
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
        count_padding: bool = False,
    ) -> Value:
        """dx of ``average_pool`` for an x of these spatial sizes: each dy is spread evenly over its window"""
        attrs = sliding(kernel=kernel, stride=stride, padding=padding)
        return self.emit("average_pool_backward", dy, spatial=tuple(spatial), **attrs, count_padding=count_padding)[0]
