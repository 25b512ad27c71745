"""Convolutions, pooling, normalisation by channels, and other sizes of images."""

from __future__ import annotations

from math import ceil, floor
from typing import Any

import numpy as np

from ...errors import ModelFileError
from ...layers import (
    Average,
    AveragePool1D,
    AveragePool2D,
    AveragePool3D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    ConvTranspose3D,
    DepthToSpace,
    GlobalAveragePool,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    Layer,
    LocalResponseNorm,
    Maximum,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    Padding2D,
    Permute,
    Reshape,
    Resize2D,
    ZeroPadding1D,
    ZeroPadding2D,
)
from ..foreign import BATCH, ForeignNode, Size
from ..translate import Traced, Translator, channels_last, known_count, operator, plain_sizes
from .moving import cut_axis

_CONV: dict[int, Any] = {1: Conv1D, 2: Conv2D, 3: Conv3D}
_TRANSPOSED: dict[int, Any] = {1: ConvTranspose1D, 2: ConvTranspose2D, 3: ConvTranspose3D}
_MAX: dict[int, Any] = {1: MaxPool1D, 2: MaxPool2D, 3: MaxPool3D}
_AVERAGE: dict[int, Any] = {1: AveragePool1D, 2: AveragePool2D, 3: AveragePool3D}


def _plain(values: tuple[int, ...]) -> Any:
    """One number where all are the same."""
    return values[0] if len(set(values)) == 1 else values


def _padding(
    node: ForeignNode, x: Traced, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Any:
    """(before, after) for each axis of places, or "same"."""
    axes, auto = len(kernel), node.attributes.get("auto_pad", "NOTSET") or "NOTSET"
    if auto == "VALID":
        return ((0, 0),) * axes
    if auto == "SAME_UPPER":
        return "same"
    if auto == "SAME_LOWER":
        found = []
        for size, k, s, d in zip(x.shape[2:], kernel, stride, dilation, strict=True):
            if isinstance(size, Size):
                raise ModelFileError("auto_pad SAME_LOWER needs sizes that are known. Give them: shapes=...")
            total = max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
            found.append((total - total // 2, total // 2))
        return tuple(found)
    pads = [int(p) for p in node.attributes.get("pads", [0] * 2 * axes)]
    if len(pads) != 2 * axes or min(pads) < 0:
        raise ModelFileError(f"its padding {pads} is not supported.")
    return tuple(zip(pads[:axes], pads[axes:], strict=True))


def _shown(padding: Any) -> Any:
    if isinstance(padding, str):
        return padding
    numbers = {n for pair in padding for n in pair}
    if len(numbers) == 1:
        number = numbers.pop()
        return number if number else "valid"
    return padding


def _windows(size: Any, kernel: int, stride: int, dilation: int, padding: Any, *, up: bool = False) -> Any:
    """How many windows fit on an axis."""
    if isinstance(size, Size):
        return Size("places")
    if padding == "same":
        return -(-size // stride)
    before, after = padding
    free = size + before + after - dilation * (kernel - 1) - 1
    if free < 0:
        raise ModelFileError(f"a kernel of {kernel} does not fit {size} places with padding {before} + {after}.")
    count = (ceil(free / stride) if up else free // stride) + 1
    return count - 1 if up and (count - 1) * stride >= size + before else count


def _name(node: ForeignNode) -> str:
    weight = node.inputs[1] if len(node.inputs) > 1 else ""
    return weight.rpartition(".")[0] if weight.endswith(".weight") else node.name


@operator("Conv")
def conv(t: Translator, node: ForeignNode) -> None:
    x, weight, bias = t.image(), t.numbers(1), t.numbers(2)
    assert weight is not None
    axes, a = x.rank - 2, node.attributes
    if axes not in _CONV or weight.ndim != x.rank:
        raise ModelFileError(f"a weight of shape {weight.shape} does not fit a tensor of shape {x.shape}.")
    kernel = weight.shape[2:]
    stride = tuple(int(s) for s in a.get("strides", [1] * axes))
    dilation = tuple(int(d) for d in a.get("dilations", [1] * axes))
    groups = int(a.get("group", 1))
    if weight.shape[1] * groups != x.shape[1]:
        raise ModelFileError(f"a weight of shape {weight.shape} in {groups} group(s) does not fit {x.shape[1]} channels.")
    padding = _padding(node, x, kernel, stride, dilation)
    layer = _CONV[axes](
        weight.shape[0], _plain(kernel), stride=_plain(stride), padding=_shown(padding), dilation=_plain(dilation),
        groups=groups, bias=bias is not None,
    )  # fmt: skip
    pairs = ["same"] * axes if padding == "same" else padding
    places = [_windows(*v) for v in zip(x.shape[2:], kernel, stride, dilation, pairs, strict=True)]
    weights = {"weight": weight.transpose(*range(2, x.rank), 1, 0)} | ({} if bias is None else {"bias": bias})
    shape = (x.shape[0], weight.shape[0], *places)
    t.put(t.apply(layer, x, shape=shape, order=x.order, weights=weights, called=_name(node)))


@operator("ConvTranspose")
def conv_transpose(t: Translator, node: ForeignNode) -> None:
    x, weight, bias = t.image(), t.numbers(1), t.numbers(2)
    assert weight is not None
    axes, a = x.rank - 2, node.attributes
    if axes not in _TRANSPOSED or weight.ndim != x.rank or weight.shape[0] != x.shape[1]:
        raise ModelFileError(f"a weight of shape {weight.shape} does not fit a tensor of shape {x.shape}.")
    kernel, groups = weight.shape[2:], int(a.get("group", 1))
    stride = tuple(int(s) for s in a.get("strides", [1] * axes))
    dilation = tuple(int(d) for d in a.get("dilations", [1] * axes))
    extra = tuple(int(p) for p in a.get("output_padding", [0] * axes))
    padding = _padding(node, x, kernel, stride, dilation)
    if "output_shape" in a:
        padding = _from_output_shape(node, x, kernel, stride, dilation, extra)
    channels = weight.shape[1] * groups
    layer = _TRANSPOSED[axes](
        channels, _plain(kernel), stride=_plain(stride), padding=_shown(padding), output_padding=_plain(extra),
        dilation=_plain(dilation), groups=groups, bias=bias is not None,
    )  # fmt: skip
    places: list[Any] = []
    for i, (size, k, s, d, e) in enumerate(zip(x.shape[2:], kernel, stride, dilation, extra, strict=True)):
        if isinstance(size, Size):
            places.append(Size("places"))
        elif padding == "same":
            places.append(size * s)
        else:
            places.append((size - 1) * s + d * (k - 1) + 1 - sum(padding[i]) + e)
    # The file's (I, O / groups, ...) becomes (..., O / groups, I).
    weights = {"weight": weight.transpose(*range(2, x.rank), 1, 0)} | ({} if bias is None else {"bias": bias})
    shape = (x.shape[0], channels, *places)
    t.put(t.apply(layer, x, shape=shape, order=x.order, weights=weights, called=_name(node)))


def _from_output_shape(
    node: ForeignNode, x: Traced, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...],
    extra: tuple[int, ...],
) -> Any:  # fmt: skip
    """The padding that makes a transposed convolution's output of the size that the file asks for."""
    wanted = [int(s) for s in node.attributes["output_shape"]][-len(kernel) :]
    lower, found = node.attributes.get("auto_pad", "NOTSET") != "SAME_UPPER", []
    for size, k, s, d, e, want in zip(x.shape[2:], kernel, stride, dilation, extra, wanted, strict=True):
        if isinstance(size, Size):
            raise ModelFileError("an output_shape needs sizes that are known. Give them: shapes=...")
        total = (size - 1) * s + d * (k - 1) + 1 + e - want
        if total < 0:
            raise ModelFileError(f"its output_shape {wanted} is larger than what it computes.")
        small, large = total // 2, total - total // 2
        found.append((large, small) if lower else (small, large))
    return tuple(found)


@operator("MaxPool", "AveragePool")
def pool(t: Translator, node: ForeignNode) -> None:
    x, a = t.image(), node.attributes
    axes = x.rank - 2
    kernel = tuple(int(k) for k in a["kernel_shape"])
    stride = tuple(int(s) for s in a.get("strides", [1] * axes))
    dilation = tuple(int(d) for d in a.get("dilations", [1] * axes))
    if any(node.outputs[1:]):
        raise ModelFileError("the places of the largest are asked for, which is not supported.")
    if any(d != 1 for d in dilation):
        _dilated_pool(t, node, x, kernel, stride, dilation)
        return
    padding, up = _padding(node, x, kernel, stride, dilation), bool(a.get("ceil_mode", 0))
    options: dict[str, Any] = {"stride": _plain(stride), "padding": _shown(padding), "ceil": up and padding != "same"}
    if node.op == "AveragePool":
        options["count_padding"] = bool(a.get("count_include_pad", 0))
    layer: Layer = (_MAX if node.op == "MaxPool" else _AVERAGE)[axes](_plain(kernel), **options)
    pairs = ["same"] * axes if padding == "same" else padding
    places = [
        _windows(size, k, s, 1, pair, up=up) for size, k, s, pair in zip(x.shape[2:], kernel, stride, pairs, strict=True)
    ]
    t.put(t.apply(layer, x, shape=(*x.shape[:2], *places), order=x.order))


def _dilated_pool(
    t: Translator, node: ForeignNode, x: Traced, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> None:  # fmt: skip
    """A window with gaps: one shifted image for each of its places, joined, of which every other place is taken."""
    padding = _padding(node, x, kernel, stride, dilation)
    largest = node.op == "MaxPool"
    if x.rank != 4 or padding == "same" or node.attributes.get("ceil_mode") or any(isinstance(s, Size) for s in x.shape[2:]):
        raise ModelFileError("pooling with dilation is supported for images of known sizes, without ceil_mode.")
    if not largest and any(map(any, padding)) and not node.attributes.get("count_include_pad"):
        raise ModelFileError("means with dilation that do not count the padding are not supported.")
    if any(map(any, padding)):
        sizes = [s + sum(p) for s, p in zip(x.shape[2:], padding, strict=True)]
        x = on_axes(t, x, [2, 3], sizes, Padding2D(padding, value=-3.0e38 if largest else 0.0))
    left = [s - d * (k - 1) for s, d, k in zip(x.shape[2:], dilation, kernel, strict=True)]
    if min(left) < 1:
        raise ModelFileError(f"a window of {kernel} with dilation {dilation} does not fit images of {x.shape[2:]}.")
    parts = []
    for i in range(kernel[0]):
        rows = cut_axis(t, x, 2, i * dilation[0], i * dilation[0] + left[0])
        for j in range(kernel[1]):
            parts.append(cut_axis(t, rows, 3, j * dilation[1], j * dilation[1] + left[1]))
    shape = (*x.shape[:2], *left)
    made = t.apply(Maximum() if largest else Average(), *parts, shape=shape, order=x.order) if len(parts) > 1 else parts[0]
    if any(s != 1 for s in stride):
        places = [(s - 1) // step + 1 for s, step in zip(left, stride, strict=True)]
        made = t.apply(MaxPool2D(1, stride=_plain(stride)), made, shape=(*x.shape[:2], *places), order=x.order)
    t.put(made)


@operator("SpaceToDepth")
def space_to_depth(t: Translator, node: ForeignNode) -> None:
    x, block = t.image(), int(node.attributes["blocksize"])
    if x.rank != 4 or known_count(x.shape[1:]) is None or any(s % block for s in x.shape[2:]):
        raise ModelFileError(f"blocks of {block} do not divide images of {x.shape}.")
    channels, height, width = x.shape[1], x.shape[2] // block, x.shape[3] // block
    plain = (0, 1, 2, 3, 4, 5)
    apart = (height, block, width, block, channels)
    y = t.apply(Reshape(apart), x, shape=(BATCH, *apart), order=plain)
    joined = (height, width, block, block, channels)
    y = t.apply(Permute((1, 3, 2, 4, 5)), y, shape=(BATCH, *joined), order=plain)
    deep = channels * block * block
    shape = (x.shape[0], deep, height, width)
    t.put(t.apply(Reshape((height, width, deep)), y, shape=shape, order=channels_last(4)))


@operator("GlobalAveragePool", "GlobalMaxPool")
def global_pool(t: Translator, node: ForeignNode) -> None:
    x = t.image()
    layer = GlobalAveragePool() if node.op == "GlobalAveragePool" else GlobalMaxPool()
    flat = t.apply(layer, x, shape=x.shape[:2], order=(0, 1))
    whole = (*x.shape[:2], *[1] * (x.rank - 2))
    t.put(t.apply(Reshape((*[1] * (x.rank - 2), x.shape[1])), flat, shape=whole, order=channels_last(x.rank)))


@operator("BatchNormalization")
def batch_normalization(t: Translator, node: ForeignNode) -> None:
    x = t.image()
    gamma, beta, mean, variance = (t.numbers(i) for i in range(1, 5))
    layer = BatchNorm(
        epsilon=float(node.attributes.get("epsilon", 1e-5)), momentum=min(0.999, float(node.attributes.get("momentum", 0.9)))
    )
    weights = {"gamma": gamma, "beta": beta, "running_mean": mean, "running_var": variance}
    if any(w is None or w.shape != (x.shape[1],) for w in weights.values()):
        raise ModelFileError(f"its four arrays must have one number for each of {x.shape[1]} channels.")
    t.put(t.apply(layer, x, shape=x.shape, order=x.order, weights=weights, called=_name(node)))  # type: ignore[arg-type]


@operator("InstanceNormalization", "GroupNormalization")
def grouped_normalization(t: Translator, node: ForeignNode) -> None:
    x, gamma, beta = t.image(), t.numbers(1), t.numbers(2)
    assert gamma is not None and beta is not None
    epsilon, channels = float(node.attributes.get("epsilon", 1e-5)), int(x.shape[1])
    if node.op == "InstanceNormalization":
        layer: Layer = InstanceNorm(epsilon=epsilon)
    else:
        groups = int(node.attributes["num_groups"])
        layer = GroupNorm(groups, epsilon=epsilon)
        if gamma.size == groups != channels:  # version 18 has one number for each group
            gamma, beta = (np.repeat(v, channels // groups) for v in (gamma, beta))
    weights = {"gamma": gamma.reshape(-1), "beta": beta.reshape(-1)}
    t.put(t.apply(layer, x, shape=x.shape, order=x.order, weights=weights, called=node.name))


@operator("LRN")
def lrn(t: Translator, node: ForeignNode) -> None:
    x, a = t.image(), node.attributes
    layer = LocalResponseNorm(
        int(a["size"]), alpha=float(a.get("alpha", 1e-4)), beta=float(a.get("beta", 0.75)), kappa=float(a.get("bias", 1.0))
    )
    t.put(t.apply(layer, x, shape=x.shape, order=x.order))


@operator("DepthToSpace")
def depth_to_space(t: Translator, node: ForeignNode) -> None:
    x, block = t.image(), int(node.attributes["blocksize"])
    order = "block_first" if node.attributes.get("mode", "DCR") == "DCR" else "channel_first"
    places = [Size("places") if isinstance(s, Size) else s * block for s in x.shape[2:]]
    shape = (x.shape[0], x.shape[1] // block**2, *places)
    t.put(t.apply(DepthToSpace(block, order=order), x, shape=shape, order=x.order))


@operator("Pad")
def pad(t: Translator, node: ForeignNode) -> None:
    x = t.settled(t.get(0))
    given = t.array(1) if node.version >= 11 else np.asarray(node.attributes["pads"])
    assert given is not None
    value = float(node.attributes.get("value", 0.0)) if node.version < 11 else 0.0
    if node.version >= 11 and node.given(2):
        value = float(np.asarray(t.array(2)).reshape(()))
    pads = [int(p) for p in given]
    around = list(zip(pads[: x.rank], pads[x.rank :], strict=True))
    if not any(any(p) for p in around):
        t.put(x)
        return
    if node.version >= 18 and node.given(3):
        given_places = t.array(3)
        assert given_places is not None
        given_axes = [int(i) % x.rank for i in np.atleast_1d(given_places)]
        around = [around[given_axes.index(i)] if i in given_axes else (0, 0) for i in range(x.rank)]
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}.get(
        str(node.attributes.get("mode", "constant"))
    )
    if any(around[x.order[0]]) or mode is None:
        raise ModelFileError(f"padding {around} of {x.shape} with {node.attributes.get('mode')} is not supported.")
    for axis, (before, after) in enumerate(around):
        if min(before, after) < 0:  # it cuts off
            size = x.shape[axis]
            if isinstance(size, Size):
                raise ModelFileError("it cuts off an axis of a size that is not known. Give the sizes: shapes=...")
            x = cut_axis(t, x, axis, max(-before, 0), int(size) - max(-after, 0))
            around[axis] = (max(before, 0), max(after, 0))
    axes = [i for i, sides in enumerate(around) if any(sides)]
    while axes:
        pair, axes = axes[:2], axes[2:]
        sides = tuple(around[i] for i in pair)
        if len(pair) == 1 and x.rank == 3 and mode == "constant" and value == 0:
            x = t.ordered(x, (0, pair[0], 3 - pair[0]))
            size = x.shape[pair[0]]
            wide = Size("places") if isinstance(size, Size) else size + sum(sides[0])
            shape = tuple(wide if i == pair[0] else s for i, s in enumerate(x.shape))
            x = t.apply(ZeroPadding1D(sides), x, shape=shape, order=x.order)
            continue
        both = sides if len(sides) == 2 else (*sides, (0, 0))
        plain = mode == "constant" and value == 0
        layer: Layer = ZeroPadding2D(both) if plain else Padding2D(both, mode=mode, value=value)
        sizes = [
            Size("places") if isinstance(x.shape[i], Size) else x.shape[i] + sum(p) for i, p in zip(pair, sides, strict=True)
        ]
        x = on_axes(t, x, pair, sizes, layer)
    t.put(x)


def on_axes(t: Translator, x: Traced, axes: list[int], sizes: list[Any], layer: Layer) -> Traced:
    """A layer for images on one or two axes of a tensor, which get these sizes; the other axes are its channels."""
    rest = [i for i in x.order[1:] if i not in axes]
    order = (x.order[0], *axes, *rest)
    x = t.ordered(x, order)
    shape = tuple(sizes[axes.index(i)] if i in axes else s for i, s in enumerate(x.shape))
    if len(axes) == 2 and len(rest) == 1:
        return t.apply(layer, x, shape=shape, order=order)
    count = known_count([x.shape[i] for i in rest])
    if count is None:
        raise ModelFileError("it works on an axis beside others whose sizes are not known. Give the sizes: shapes=...")
    places = [x.shape[i] for i in axes] + [1] * (2 - len(axes))
    image = t.apply(Reshape(plain_sizes([*places, count])), x, shape=(BATCH, *places, count), order=(0, 1, 2, 3))
    wide = [*sizes, *[1] * (2 - len(axes))]
    made = t.apply(layer, image, shape=(BATCH, *wide, count), order=(0, 1, 2, 3))
    return t.apply(Reshape(plain_sizes([shape[i] for i in order[1:]])), made, shape=shape, order=order)


@operator("Resize", "Upsample")
def resize(t: Translator, node: ForeignNode) -> None:
    x, a = t.image(), node.attributes
    old = node.op == "Upsample" or node.version < 11
    scales = t.array(1 if old else 2) if node.version >= 9 or node.op == "Resize" else np.asarray(a["scales"])
    wanted = None if old else t.array(3)
    method = {"nearest": "nearest", "linear": "bilinear", "bilinear": "bilinear", "cubic": "bicubic"}.get(
        str(a.get("mode", "nearest"))
    )
    place = "asymmetric" if old else str(a.get("coordinate_transformation_mode", "half_pixel"))
    rounding = {
        "round_prefer_floor": "round_down", "round_prefer_ceil": "round_up", "floor": "floor", "ceil": "ceil",
    }.get("floor" if old else str(a.get("nearest_mode", "round_prefer_floor")))  # fmt: skip
    known = ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric")
    if method is None or place not in known or rounding is None:
        raise ModelFileError(f"the way of resizing {a} is not supported.")
    if int(a.get("antialias", 0)) or int(a.get("exclude_outside", 0)):
        raise ModelFileError("resizing with antialias or exclude_outside is not supported.")
    if str(a.get("keep_aspect_ratio_policy", "stretch")) != "stretch":
        raise ModelFileError("resizing that keeps the ratio of the sides is not supported.")
    if method == "bicubic" and abs(float(a.get("cubic_coeff_a", -0.75)) + 0.75) > 1e-6:
        raise ModelFileError("cubic resizing is supported with cubic_coeff_a = -0.75 only.")
    axes = [int(i) % x.rank for i in a.get("axes", range(x.rank))]
    sizes, factors = dict(enumerate(x.shape)), dict[int, float]()
    if wanted is not None and wanted.size:
        sizes |= dict(zip(axes, wanted.tolist(), strict=True))
    elif scales is not None and scales.size:
        factors = dict(zip(axes, map(float, scales), strict=True))
        for i, factor in factors.items():
            if factor != 1:
                size = x.shape[i]
                sizes[i] = Size("places") if isinstance(size, Size) else floor(size * factor + 1e-6)
    else:
        raise ModelFileError("neither scales nor sizes are given.")
    sizes[0] = x.shape[0]  # a file that was exported for one sample says so
    if any(isinstance(sizes[i], Size) and i not in factors and sizes[i] != x.shape[i] for i in range(2, x.rank)):
        raise ModelFileError("it resizes to a size that is not known before data comes. Give the sizes: shapes=...")
    changed = [i for i in range(x.rank) if sizes[i] != x.shape[i] or factors.get(i, 1.0) != 1]
    if any(i < 2 for i in changed if not isinstance(sizes[i], Size)):
        raise ModelFileError(f"it resizes samples or channels: {x.shape} becomes {list(sizes.values())}.")
    if place == "pytorch_half_pixel" and any(sizes[i] == 1 for i in changed):
        raise ModelFileError("resizing to one place by pytorch_half_pixel is not supported.")
    if (
        place == "half_pixel_symmetric"
        and factors
        and any(isinstance(x.shape[i], Size) or not float(x.shape[i] * factors[i]).is_integer() for i in changed)
    ):
        raise ModelFileError("half_pixel_symmetric is supported where the new sizes are whole.")
    place = "half_pixel" if place in ("pytorch_half_pixel", "half_pixel_symmetric") else place
    options: dict[str, Any] = {"method": method, "coordinates": place, "rounding": rounding}
    changed = changed or list(range(2, min(x.rank, 4)))
    while changed:
        # All ways of resizing work along one axis after the other.
        pair, changed = changed[:2], changed[2:]
        if len(pair) == 1 and x.rank == 4:
            pair = [2, 3]
        new = [sizes[i] for i in pair]
        if any(isinstance(s, Size) for s in new):
            scale = tuple(factors.get(i, 1.0) for i in pair) + (1.0,) * (2 - len(pair))
            layer = Resize2D(scale=(scale[0], scale[1]), **options)
        else:
            height, width = (*(int(s) for s in new), *(1,) * (2 - len(pair)))
            layer = Resize2D((height, width), **options)
            uneven = any(i in factors and abs(sizes[i] - x.shape[i] * factors[i]) > 1e-3 for i in pair)
            if place != "align_corners" and uneven:
                # Places are then those of the scales, and not of the new sizes.
                both = (*(factors.get(i, 1.0) for i in pair), *(1.0,) * (2 - len(pair)))
                layer = Resize2D(scale=(both[0], both[1]), **options)
        x = on_axes(t, x, pair, new, layer)
    t.put(t.ordered(x, channels_last(x.rank)))
