"""Images of other sizes: resampling, its backward pass, and padding."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..errors import ShapeError
from .emitter import Emitter
from .spatial import image
from .table import Attrs, Out, no_flops, op
from .value import Node, Shape, Value

#: How ``resample`` finds an output from the input, where an output lies, and how "nearest" rounds; see Builder.resample.
METHODS = ("nearest", "linear", "cubic", "area")
COORDINATES = ("half_pixel", "align_corners", "asymmetric")
ROUNDINGS = ("round_up", "round_down", "floor", "ceil")


def method_of(text: str) -> tuple[str, str, str]:
    """The method, coordinates and rounding that ``resample``'s method names, with their defaults where it is shorter.

    >>> method_of("linear/align_corners")
    ('linear', 'align_corners', 'round_up')
    """
    parts = text.split("/")[:3] if isinstance(text, str) else [str(text)]
    found = (*parts, *("", COORDINATES[0], ROUNDINGS[0])[len(parts) :])
    for one, known in zip(found, (METHODS, COORDINATES, ROUNDINGS), strict=False):
        if one not in known:
            raise ShapeError(f"resample: {one!r} must be one of {', '.join(known)}. Got the method {text!r}.")
    return found[0], found[1], found[2]


def ratio_of(text: str, axis: int) -> tuple[int, int] | None:
    """The ratio (old, new) in which ``resample``'s method stretches a spatial axis, None where that of the sizes counts.

    >>> ratio_of("linear/half_pixel/round_up/2:3,7:10", 1)
    (7, 10)
    """
    parts = text.split("/")
    if len(parts) < 4:
        return None
    old, _, new = parts[3].split(",")[axis].partition(":")
    return int(old), int(new)


def _resample(op: str, x: Shape, sizes: Sequence[int], method: str) -> Shape:
    axes = image(op, x)
    method_of(method)
    if len(sizes) != axes or min(sizes) < 1 or min(x[1:-1]) < 1:
        raise ShapeError(f"{op}: expected {axes} sizes of at least 1 for an image {x}. Got {tuple(sizes)}.")
    return (x[0], *sizes, x[-1])


def _forward(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return [(_resample("resample", inputs[0].shape, attrs["size"], attrs["method"]), "float")]


def _backward(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return [(_resample("resample_backward", inputs[0].shape, attrs["spatial"], attrs["method"]), "float")]


def _flops(node: Node) -> int:
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


def _pad(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, padding = inputs[0], attrs["padding"]
    if len(padding) != x.ndim or any(min(pair) < 0 for pair in padding):
        raise ShapeError(f"pad: expected a pair of numbers of at least 0 for each axis of {x.shape}. Got {padding}.")
    return [(tuple(s + before + after for s, (before, after) in zip(x.shape, padding, strict=True)), x.dtype)]


class Resampling(Emitter):
    """The Builder's ops that change the sizes of images (N, *spatial, C) with 1, 2 or 3 spatial axes."""

    @op("window", "resample({0})", r"\operatorname{{resample}}({0})", rule=_forward, flops=_flops)
    def resample(self, x: Value, *, size: Sequence[int], method: str) -> Value:
        """x with other spatial sizes. Output p of O on an axis of I elements lies at s of the input.

        Parameters
            size : of each spatial axis of the output
            method : "nearest" takes element floor(s + ½); "linear" mixes the two elements around s by their distance
                (bilinear, trilinear), at the borders the outermost alone; "cubic" mixes four (Keys 1981, a = −3/4); "area"
                is the mean of elements floor(p I / O) to ceil((p + 1) I / O) − 1. After a "/" may stand where outputs lie:
                "half_pixel", s = (p + ½) I / O − ½, "align_corners", s = p (I − 1) / (O − 1), or "asymmetric", s = p I / O;
                after another how "nearest" rounds: "round_up", floor(s + ½), "round_down", ceil(s − ½), "floor" or "ceil";
                after a third the ratio I:O of each axis, separated by commas, where it is not that of the sizes
        """
        return self.emit("resample", x, size=tuple(size), method=method)[0]

    @op("window", "resampleᵀ({0})", r"\operatorname{{resample}}^{{\top}}({0})", rule=_backward, flops=_flops)
    def resample_backward(self, dy: Value, *, spatial: Sequence[int], method: str) -> Value:
        """dx of ``resample`` for an x of these spatial sizes"""
        return self.emit("resample_backward", dy, spatial=tuple(spatial), method=method)[0]

    @op("move", "pad({0})", r"\operatorname{{pad}}({0})", rule=_pad, flops=no_flops)
    def pad(self, x: Value, padding: Sequence[tuple[int, int]]) -> Value:
        """x with (before, after) zeros on each axis, also the first; its backward pass is a ``slice`` of each axis"""
        pairs = tuple((int(before), int(after)) for before, after in padding)
        return self.emit("pad", x, padding=pairs)[0] if any(map(any, pairs)) else x
