"""Shape rules and FLOPs of the ops that work on images: convolution, pooling, resampling and padding.

An image is (N, *spatial, C), channels last, with 1, 2 or 3 spatial axes: sequences, images and volumes are one op each. A
window on a spatial axis covers ``dilation (kernel − 1) + 1`` elements, and

    output = (input + padding before + padding after − covered) // stride + 1

A weight is (*kernel, C / groups, O). Attributes hold one entry for each spatial axis; padding is a (before, after) pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ..errors import ShapeError
from .value import Node, Shape, Value

Attrs = dict[str, Any]
Out = tuple[Shape, str]
Pairs = tuple[tuple[int, int], ...]


def covered(kernel: int, dilation: int = 1) -> int:
    """How many elements of an axis a window covers.

    >>> covered(3, 2)
    5
    """
    return dilation * (kernel - 1) + 1


def windows(op: str, spatial: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape) -> Shape:
    """How many windows fit on each spatial axis; ShapeError with the numbers of the axis on which none does.

    >>> windows("conv", (28, 28), (5, 5), (2, 2), ((2, 2), (0, 0)), (1, 1))
    (14, 12)
    """
    sizes = []
    for axis, (size, k, s, (before, after), d) in enumerate(zip(spatial, kernel, stride, padding, dilation, strict=True)):
        if min(k, s, d) < 1 or min(before, after) < 0:
            raise ShapeError(
                f"{op}: kernel, stride and dilation must be at least 1 and padding at least 0; "
                f"on spatial axis {axis} they are {k}, {s}, {d} and ({before}, {after})."
            )
        padded, cover = size + before + after, covered(k, d)
        if cover > padded:
            parts = f" ({size} with padding {before} + {after})" if before or after else ""
            spread = f" (size {k}, dilation {d})" if d > 1 else ""
            raise ShapeError(
                f"{op}: on spatial axis {axis} the kernel covers {cover} elements{spread} and the image has {padded}"
                f"{parts}. Use a smaller kernel, more padding, or larger images."
            )
        sizes.append((padded - cover) // s + 1)
    return tuple(sizes)


def image(op: str, shape: Shape) -> int:
    """The number of spatial axes of an image; ShapeError when it is none."""
    if not 3 <= len(shape) <= 5:
        raise ShapeError(
            f"{op}: expected (N, *spatial, C) with 1, 2 or 3 spatial axes, such as images (N, H, W, C). Got {shape}."
        )
    return len(shape) - 2


def _match(op: str, axes: int, attrs: Attrs, names: Sequence[str]) -> None:
    for name in names:
        if len(attrs[name]) != axes:
            raise ShapeError(f"{op}: {name} {attrs[name]} has {len(attrs[name])} entries for {axes} spatial axes.")


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


def conv(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, w = (v.shape for v in inputs)
    axes = image("conv", x)
    _match("conv", axes, attrs, _WINDOW)
    _weight("conv", axes, w, attrs["groups"])
    _channels("conv", x[-1], w[-2], attrs["groups"])
    size = windows("conv", x[1:-1], w[:-2], *(attrs[name] for name in _WINDOW))
    return [((x[0], *size, w[-1]), "float")]


def conv_backward_data(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    op, (dy, w), spatial = "conv_backward_data", (v.shape for v in inputs), tuple(attrs["spatial"])
    axes = image(op, dy)
    _match(op, axes, attrs, ("spatial", *_WINDOW))
    _weight(op, axes, w, attrs["groups"])
    if dy[-1] != w[-1]:
        raise ShapeError(f"{op}: dy {dy} has {dy[-1]} channels and the weight {w} makes {w[-1]}.")
    _same_windows(op, dy, spatial, w[:-2], attrs["stride"], attrs["padding"], attrs["dilation"])
    return [((dy[0], *spatial, w[-2] * attrs["groups"]), "float")]


def conv_backward_weights(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    op, (x, dy), kernel, groups = "conv_backward_weights", (v.shape for v in inputs), attrs["kernel"], attrs["groups"]
    axes = image(op, x)
    _match(op, axes, attrs, ("kernel", *_WINDOW))
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


def conv_flops(node: Node) -> int:
    """2 for each weight that meets each output (dy in the backward passes), padding counted as if it were data."""
    if node.op == "conv_backward_weights":
        dy, per_output = node.inputs[1], prod(node.outputs[0].shape[:-1])
        return 2 * dy.size * per_output
    y = node.outputs[0] if node.op == "conv" else node.inputs[0]
    return 2 * y.size * prod(node.inputs[1].shape[:-1])


# ------------------------------------------------------------ pooling


def _pool(op: str, x: Shape, attrs: Attrs) -> Shape:
    axes = image(op, x)
    _match(op, axes, attrs, ("kernel", "stride", "padding"))
    for axis, (k, pair) in enumerate(zip(attrs["kernel"], attrs["padding"], strict=True)):
        if max(pair) >= k:
            raise ShapeError(
                f"{op}: padding {tuple(pair)} on spatial axis {axis} must be less than the window of {k}: "
                f"a window would see nothing but padding."
            )
    size = windows(op, x[1:-1], attrs["kernel"], attrs["stride"], attrs["padding"], (1,) * axes)
    return (x[0], *size, x[-1])


def max_pool(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    shape = _pool("max_pool", inputs[0].shape, attrs)
    return [(shape, "float"), (shape, "int")]


def average_pool(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return [(_pool("average_pool", inputs[0].shape, attrs), "float")]


def _pool_backward(op: str, inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    dy = inputs[0].shape
    axes = image(op, dy)
    _match(op, axes, attrs, ("spatial",))
    x = (dy[0], *attrs["spatial"], dy[-1])
    wanted = _pool(op, x, attrs)
    for v in inputs:
        if v.shape != wanted:
            raise ShapeError(f"{op}: pooling {x} gives {wanted}, got {v.shape}.")
    return [(x, "float")]


def max_pool_backward(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return _pool_backward("max_pool_backward", inputs, attrs)


def average_pool_backward(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return _pool_backward("average_pool_backward", inputs, attrs)


def pool_flops(node: Node) -> int:
    """One comparison or addition for each element of each window; max_pool_backward adds one element a window."""
    if node.op == "max_pool_backward":
        return node.inputs[0].size
    pooled = node.inputs[0] if node.op == "average_pool_backward" else node.outputs[0]
    elements: int = prod(node.attrs["kernel"])
    return pooled.size * elements


# ------------------------------------------------------------ resampling and padding

#: How ``resample`` finds an output from the input, where an output lies, and how "nearest" rounds; see Builder.resample.
METHODS = ("nearest", "linear", "cubic", "area")
COORDINATES = ("half_pixel", "align_corners", "asymmetric")
ROUNDINGS = ("round_up", "round_down", "floor", "ceil")


def method_of(text: str) -> tuple[str, str, str]:
    """The method, coordinates and rounding that ``resample``'s method names, with their defaults where it is shorter.

    >>> method_of("linear/align_corners")
    ('linear', 'align_corners', 'round_up')
    """
    parts = text.split("/") if isinstance(text, str) else [str(text)]
    found = (*parts, *("", COORDINATES[0], ROUNDINGS[0])[len(parts) :])
    for one, known in zip(found, (METHODS, COORDINATES, ROUNDINGS), strict=False):
        if one not in known:
            raise ShapeError(f"resample: {one!r} must be one of {', '.join(known)}. Got the method {text!r}.")
    return found[0], found[1], found[2]


def _resample(op: str, x: Shape, sizes: Sequence[int], method: str) -> Shape:
    axes = image(op, x)
    method_of(method)
    if len(sizes) != axes or min(sizes) < 1 or min(x[1:-1]) < 1:
        raise ShapeError(f"{op}: expected {axes} sizes of at least 1 for an image {x}. Got {tuple(sizes)}.")
    return (x[0], *sizes, x[-1])


def resample(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return [(_resample("resample", inputs[0].shape, attrs["size"], attrs["method"]), "float")]


def resample_backward(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return [(_resample("resample_backward", inputs[0].shape, attrs["spatial"], attrs["method"]), "float")]


def resample_flops(node: Node) -> int:
    """A multiply-add for each input that an output mixes, axis after axis."""
    method = method_of(node.attrs["method"])[0]
    if method == "nearest":
        return 0 if node.op == "resample" else node.inputs[0].size
    x, y = node.inputs[0], node.outputs[0]
    if node.op == "resample_backward":
        x, y = y, x
    shape, flops = list(x.shape), 0
    for axis in range(1, x.ndim - 1):
        before, shape[axis] = shape[axis], y.shape[axis]
        flops += 2 * prod(shape) * ({"linear": 2, "cubic": 4}.get(method) or -(-before // shape[axis]))
    return flops


def pad(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, padding = inputs[0], attrs["padding"]
    if len(padding) != x.ndim or any(min(pair) < 0 for pair in padding):
        raise ShapeError(f"pad: expected a pair of numbers of at least 0 for each axis of {x.shape}. Got {padding}.")
    return [(tuple(s + before + after for s, (before, after) in zip(x.shape, padding, strict=True)), x.dtype)]
