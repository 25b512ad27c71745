"""Convolutions, pooling, normalisation by channels, and other sizes of images."""

from __future__ import annotations

from math import ceil, floor
from typing import Any

import numpy as np

from ...errors import ModelFileError
from ...layers import (
    AveragePool1D,
    AveragePool2D,
    AveragePool3D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    DepthToSpace,
    GlobalAveragePool,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    Layer,
    LocalResponseNorm,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    Padding2D,
    Reshape,
    Resize2D,
    ZeroPadding1D,
    ZeroPadding2D,
)
from ..foreign import ForeignNode, Size
from ..translate import Traced, Translator, channels_last, operator

_CONV: dict[int, Any] = {1: Conv1D, 2: Conv2D, 3: Conv3D}
_TRANSPOSED: dict[int, Any] = {1: ConvTranspose1D, 2: ConvTranspose2D}
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
        raise ModelFileError("an output_shape is not supported; export it with pads and output_padding.")
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


@operator("MaxPool", "AveragePool")
def pool(t: Translator, node: ForeignNode) -> None:
    x, a = t.image(), node.attributes
    axes = x.rank - 2
    kernel = tuple(int(k) for k in a["kernel_shape"])
    stride = tuple(int(s) for s in a.get("strides", [1] * axes))
    dilation = tuple(int(d) for d in a.get("dilations", [1] * axes))
    if any(d != 1 for d in dilation) or any(node.outputs[1:]):
        raise ModelFileError("pooling with dilation, or with the places of the largest, is not supported.")
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
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}.get(
        str(node.attributes.get("mode", "constant"))
    )
    if any(around[0]) or any(around[1]) or x.rank not in (3, 4) or mode is None or min(pads) < 0:
        raise ModelFileError(f"padding {around} of {x.shape} is not supported; only that of the places of images is.")
    x = t.ordered(x, channels_last(x.rank))
    sides = tuple(around[2:])
    if x.rank == 4:
        layer: Layer = (
            ZeroPadding2D(sides) if mode == "constant" and value == 0 else Padding2D(sides, mode=mode, value=value)
        )
    elif mode == "constant" and value == 0:
        layer = ZeroPadding1D(sides)
    else:
        raise ModelFileError("a border of sequences that is not of zeros is not supported.")
    places = [Size("places") if isinstance(s, Size) else s + sum(p) for s, p in zip(x.shape[2:], sides, strict=True)]
    t.put(t.apply(layer, x, shape=(*x.shape[:2], *places), order=x.order))


@operator("Resize", "Upsample")
def resize(t: Translator, node: ForeignNode) -> None:
    x, a = t.image(), node.attributes
    if x.rank != 4:
        raise ModelFileError("only images are resized.")
    old = node.op == "Upsample" or node.version < 11
    scales = t.array(1 if old else 2) if node.version >= 9 or node.op == "Resize" else np.asarray(a["scales"])
    wanted = None if old else t.array(3)
    method = {"nearest": "nearest", "linear": "bilinear", "bilinear": "bilinear", "cubic": "bicubic"}.get(
        str(a.get("mode", "nearest"))
    )
    place = "asymmetric" if old else str(a.get("coordinate_transformation_mode", "half_pixel"))
    place = {"pytorch_half_pixel": "half_pixel"}.get(place, place)
    rounding = {
        "round_prefer_floor": "round_down", "round_prefer_ceil": "round_up", "floor": "floor", "ceil": "ceil",
    }.get("floor" if old else str(a.get("nearest_mode", "round_prefer_floor")))  # fmt: skip
    if method is None or place not in ("half_pixel", "align_corners", "asymmetric") or rounding is None:
        raise ModelFileError(f"the way of resizing {a} is not supported.")
    if method == "bicubic" and abs(float(a.get("cubic_coeff_a", -0.75)) + 0.75) > 1e-6:
        raise ModelFileError("cubic resizing is supported with cubic_coeff_a = -0.75 only.")
    options: dict[str, Any] = {"method": method, "coordinates": place, "rounding": rounding}
    if wanted is not None and wanted.size:
        if any(isinstance(s, Size) for s in wanted[2:]):
            raise ModelFileError("it resizes to a size that is not known before data comes. Give the sizes: shapes=...")
        size: list[Any] = [int(s) for s in wanted[2:]]
        layer = Resize2D(tuple(size), **options)
    elif scales is not None and scales.size:
        if any(float(s) != 1 for s in scales[:2]):
            raise ModelFileError(f"it resizes samples or channels: scales {scales.tolist()}.")
        factors = tuple(float(s) for s in scales[2:])
        size = [
            Size("places") if isinstance(s, Size) else floor(s * f + 1e-6) for s, f in zip(x.shape[2:], factors, strict=True)
        ]
        layer = Resize2D(scale=(factors[0], factors[1]), **options)
    else:
        raise ModelFileError("neither scales nor sizes are given.")
    t.put(t.apply(layer, x, shape=(*x.shape[:2], *size), order=x.order))
