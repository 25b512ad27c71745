"""Convolutions and their backward passes. A weight is (*kernel, C / groups, O)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..errors import ShapeError
from .emitter import Emitter
from .spatial import Pairs, image, match, sliding, windows
from .table import Attrs, Out, op
from .value import Node, Shape, Value


def _weight(op: str, axes: int, shape: Shape, groups: int) -> None:
    if len(shape) != axes + 2:
        raise ShapeError(f"{op}: an image with {axes} spatial axes needs a weight (*kernel, C / groups, O). Got {shape}.")
    if groups < 1 or shape[-1] % groups:
        raise ShapeError(f"{op}: groups={groups} does not divide the {shape[-1]} output channels of the weight {shape}.")


def _channels(op: str, channels: int, inner: int, groups: int) -> None:
    if channels % groups:
        raise ShapeError(f"{op}: groups={groups} does not divide the {channels} channels of the image.")
    if channels // groups != inner:
        raise ShapeError(
            f"{op}: the weight takes {inner} channels in each of {groups} group(s), "
            f"so the image must have {inner * groups}. It has {channels}."
        )


_WINDOW = ("stride", "padding", "dilation")


def _conv(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, w = (v.shape for v in inputs)
    axes = image("conv", x)
    match("conv", axes, attrs, _WINDOW)
    _weight("conv", axes, w, attrs["groups"])
    _channels("conv", x[-1], w[-2], attrs["groups"])
    size = windows("conv", x[1:-1], w[:-2], *(attrs[name] for name in _WINDOW))
    return [((x[0], *size, w[-1]), "float")]


def _data(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    op, (dy, w), spatial = "conv_backward_data", (v.shape for v in inputs), tuple(attrs["spatial"])
    axes = image(op, dy)
    match(op, axes, attrs, ("spatial", *_WINDOW))
    _weight(op, axes, w, attrs["groups"])
    if dy[-1] != w[-1]:
        raise ShapeError(f"{op}: dy {dy} has {dy[-1]} channels and the weight {w} makes {w[-1]}.")
    _same_windows(op, dy, spatial, w[:-2], attrs["stride"], attrs["padding"], attrs["dilation"])
    return [((dy[0], *spatial, w[-2] * attrs["groups"]), "float")]


def _weights(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    op, (x, dy), kernel, groups = "conv_backward_weights", (v.shape for v in inputs), attrs["kernel"], attrs["groups"]
    axes = image(op, x)
    match(op, axes, attrs, ("kernel", *_WINDOW))
    if len(dy) != len(x) or dy[0] != x[0]:
        raise ShapeError(f"{op}: x {x} and dy {dy} must have the same number of axes and of samples.")
    for channels, name in ((x[-1], "x"), (dy[-1], "dy")):
        if groups < 1 or channels % groups:
            raise ShapeError(f"{op}: groups={groups} does not divide the {channels} channels of {name}.")
    _same_windows(op, dy, x[1:-1], kernel, attrs["stride"], attrs["padding"], attrs["dilation"])
    return [((*kernel, x[-1] // groups, dy[-1]), "float")]


def _same_windows(op: str, dy: Shape, spatial: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape) -> None:
    size = windows(op, spatial, kernel, stride, padding, dilation)
    if dy[1:-1] != size:
        raise ShapeError(f"{op}: an image of spatial size {spatial} has {size} windows, and dy {dy} has {dy[1:-1]}.")


def _flops(node: Node) -> int:
    """2 for each weight that meets each output (dy in the backward passes), padding counted as if it were data."""
    if node.op == "conv_backward_weights":
        dy, per_output = node.inputs[1], prod(node.outputs[0].shape[:-1])
        return 2 * dy.size * per_output
    y = node.outputs[0] if node.op == "conv" else node.inputs[0]
    return 2 * y.size * prod(node.inputs[1].shape[:-1])


class Convolution(Emitter):
    """The Builder's convolutions of images (N, *spatial, C) with 1, 2 or 3 spatial axes."""

    @op("product", "{0} ∗ {1}", r"{0} \ast {1}", 1, rule=_conv, flops=_flops, takes_epilogue=True)
    def conv(
        self,
        x: Value,
        w: Value,
        *,
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
        dilation: Sequence[int],
        groups: int = 1,
    ) -> Value:
        """y[n, p, o] = Σ x[n, stride p + dilation k − before, c] w[k, c, o]: convolution as networks mean it, not flipped.

        Parameters
            x : (N, *spatial, C) ; w : (*kernel, C / groups, O) ; stride, dilation : of each spatial axis
            padding : (before, after) of each spatial axis, of zeros
            groups : the channels of x and of y are split into so many groups that do not see each other
        """
        if w.held is not None:
            found: Value | None = w.held.conv(self, x, stride=stride, padding=padding, dilation=dilation, groups=groups)
            if found is not None:
                return found
        attrs = sliding(stride=stride, padding=padding, dilation=dilation)
        return self.emit("conv", x, w, **attrs, groups=groups)[0]

    @op("product", "{0} ∗ᵀ {1}", r"{0} \ast^{{\top}} {1}", 1, rule=_data, flops=_flops, takes_epilogue=True)
    def conv_backward_data(
        self,
        dy: Value,
        w: Value,
        *,
        spatial: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
        dilation: Sequence[int],
        groups: int = 1,
    ) -> Value:
        """dx of ``conv`` for an x of these spatial sizes: also the transposed convolution of dy"""
        attrs = sliding(stride=stride, padding=padding, dilation=dilation)
        return self.emit("conv_backward_data", dy, w, spatial=tuple(spatial), **attrs, groups=groups)[0]

    @op("product", "{0} ⋆ {1}", r"{0} \star {1}", 1, rule=_weights, flops=_flops)
    def conv_backward_weights(
        self,
        x: Value,
        dy: Value,
        *,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
        dilation: Sequence[int],
        groups: int = 1,
    ) -> Value:
        """dw of ``conv`` for a kernel of these sizes"""
        attrs = sliding(stride=stride, padding=padding, dilation=dilation)
        return self.emit("conv_backward_weights", x, dy, kernel=tuple(kernel), **attrs, groups=groups)[0]
