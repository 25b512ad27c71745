"""What the ops on images compute, in NumPy: convolution, pooling, resampling and padding.

Everything rests on two functions that are each other's transpose: ``_windows`` looks at an image through windows, and
``_add_windows`` adds windows back to where they were taken from. With the windows as rows of a matrix a convolution is a
matrix product (im2col), and its backward passes are the two products that a matrix product always has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ...ops.resampling import method_of, ratio_of

Array = NDArray[Any]
Attrs = dict[str, Any]
Pairs = Sequence[tuple[int, int]]


def _around(padding: Pairs) -> list[tuple[int, int]]:
    """Padding of every axis from that of the spatial ones."""
    return [(0, 0), *padding, (0, 0)]


def _windows(
    x: Array, kernel: Sequence[int], stride: Sequence[int], padding: Pairs, dilation: Sequence[int], fill: float = 0.0
) -> Array:
    """(N, *output, C, *kernel): a view of the padded image, element k of the window at p being x[stride p + dilation k]."""
    axes = len(kernel)
    if any(map(any, padding)):
        x = np.pad(x, _around(padding), constant_values=fill)
    cover = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    view: Array = sliding_window_view(x, cover, axis=tuple(range(1, axes + 1)))
    steps = [slice(None), *(slice(None, None, s) for s in stride), slice(None), *(slice(None, None, d) for d in dilation)]
    return view[tuple(steps)]


def _add_windows(
    windows: Array, spatial: Sequence[int], stride: Sequence[int], padding: Pairs, dilation: Sequence[int]
) -> Array:
    """The transpose of ``_windows``: (N, *output, C, *kernel) added up into an image (N, *spatial, C)."""
    axes = len(spatial)
    output, kernel = windows.shape[1 : 1 + axes], windows.shape[2 + axes :]
    padded = [size + before + after for size, (before, after) in zip(spatial, padding, strict=True)]
    x = np.zeros((windows.shape[0], *padded, windows.shape[1 + axes]), windows.dtype)
    for k in product(*map(range, kernel)):
        # Element k of all windows lies on a grid of the image with the stride as its spacing.
        places = [slice(d * i, d * i + s * (n - 1) + 1, s) for i, d, s, n in zip(k, dilation, stride, output, strict=True)]
        x[(slice(None), *places)] += windows[(slice(None),) * (2 + axes) + k]
    inside = [slice(before, before + size) for size, (before, _) in zip(spatial, padding, strict=True)]
    return x[(slice(None), *inside)]


# ------------------------------------------------------------ convolution: (groups, rows, columns) matrices


def _as_patches(windows: Array, groups: int) -> Array:
    """(groups, N · output, kernel · C / groups): each window as a row."""
    axes = (windows.ndim - 2) // 2
    n, output, channels, kernel = (
        windows.shape[0],
        windows.shape[1 : 1 + axes],
        windows.shape[1 + axes],
        windows.shape[2 + axes :],
    )
    split = windows.reshape(n, *output, groups, channels // groups, *kernel)
    order = [1 + axes, *range(1 + axes), *range(3 + axes, 3 + 2 * axes), 2 + axes]
    return split.transpose(order).reshape(groups, n * prod(output), prod(kernel) * (channels // groups))


def _as_matrices(w: Array, groups: int) -> Array:
    """(groups, kernel · C / groups, O / groups) from a weight (*kernel, C / groups, O)."""
    return w.reshape(prod(w.shape[:-1]), groups, w.shape[-1] // groups).transpose(1, 0, 2)


def _as_rows(y: Array, groups: int) -> Array:
    """(groups, N · output, O / groups) from an image (N, *output, O)."""
    return y.reshape(prod(y.shape[:-1]), groups, y.shape[-1] // groups).transpose(1, 0, 2)


def _conv(attrs: Attrs, x: Array, w: Array) -> Array:
    groups = attrs["groups"]
    windows = _windows(x, w.shape[:-2], attrs["stride"], attrs["padding"], attrs["dilation"])
    y = _as_patches(windows, groups) @ _as_matrices(w, groups)
    return y.transpose(1, 0, 2).reshape(*windows.shape[: x.ndim - 1], w.shape[-1])


def _conv_backward_data(attrs: Attrs, dy: Array, w: Array) -> Array:
    groups, kernel, inner = attrs["groups"], w.shape[:-2], w.shape[-2]
    axes = len(kernel)
    patches = _as_rows(dy, groups) @ _as_matrices(w, groups).transpose(0, 2, 1)
    split = patches.reshape(groups, *dy.shape[:-1], *kernel, inner)
    order = [*range(1, 2 + axes), 0, 2 + 2 * axes, *range(2 + axes, 2 + 2 * axes)]
    windows = split.transpose(order).reshape(*dy.shape[:-1], groups * inner, *kernel)
    return _add_windows(windows, attrs["spatial"], attrs["stride"], attrs["padding"], attrs["dilation"])


def _conv_backward_weights(attrs: Attrs, x: Array, dy: Array) -> Array:
    groups, kernel = attrs["groups"], attrs["kernel"]
    windows = _windows(x, kernel, attrs["stride"], attrs["padding"], attrs["dilation"])
    dw = _as_patches(windows, groups).transpose(0, 2, 1) @ _as_rows(dy, groups)
    return dw.transpose(1, 0, 2).reshape(*kernel, x.shape[-1] // groups, dy.shape[-1])


# ------------------------------------------------------------ pooling


def _flat_windows(attrs: Attrs, x: Array, fill: float) -> Array:
    """(N, *output, C, elements of a window)."""
    kernel = attrs["kernel"]
    windows = _windows(x, kernel, attrs["stride"], attrs["padding"], (1,) * len(kernel), fill)
    return windows.reshape(*windows.shape[: x.ndim], prod(kernel))


def _add_flat_windows(attrs: Attrs, windows: Array) -> Array:
    kernel = attrs["kernel"]
    windows = windows.reshape(*windows.shape[:-1], *kernel)
    return _add_windows(windows, attrs["spatial"], attrs["stride"], attrs["padding"], (1,) * len(kernel))


def _max_pool(attrs: Attrs, x: Array) -> tuple[Array, Array]:
    windows = _flat_windows(attrs, x, -np.inf)
    index = windows.argmax(axis=-1)
    if any(map(any, attrs["padding"])):
        # Where all of a window is −∞ the padding would come first.
        data = _flat_windows(attrs, np.ones((1, *x.shape[1:-1], 1), x.dtype), 0.0) > 0
        index = np.where(windows.max(axis=-1) == -np.inf, np.broadcast_to(data.argmax(axis=-1), index.shape), index)
    return np.take_along_axis(windows, index[..., None], axis=-1)[..., 0], index


def _max_pool_backward(attrs: Attrs, dy: Array, index: Array) -> Array:
    windows = np.zeros((*dy.shape, prod(attrs["kernel"])), dy.dtype)
    np.put_along_axis(windows, index[..., None].astype(np.intp), dy[..., None], axis=-1)
    return _add_flat_windows(attrs, windows)


def _counts(attrs: Attrs, spatial: Sequence[int], dtype: Any) -> Array:
    """(1, *output, 1): by how many elements the sum of each window is divided."""
    ones = np.ones((1, *spatial, 1), dtype)
    return np.asarray(_flat_windows(attrs, ones, 1.0 if attrs["count_padding"] else 0.0).sum(axis=-1))


def _average_pool(attrs: Attrs, x: Array) -> Array:
    total = _flat_windows(attrs, x, 0.0).sum(axis=-1)
    return np.asarray(total / _counts(attrs, x.shape[1:-1], x.dtype))


def _average_pool_backward(attrs: Attrs, dy: Array) -> Array:
    share = dy / _counts(attrs, attrs["spatial"], dy.dtype)
    return _add_flat_windows(attrs, np.broadcast_to(share[..., None], (*dy.shape, prod(attrs["kernel"]))))


# ------------------------------------------------------------ resampling and padding


def taps(size: int, wanted: int, method: str, axis: int) -> list[tuple[Array, Array]]:
    """Which elements each of ``wanted`` outputs mixes from an axis of ``size``: pairs (index, weight), one entry an output.

    Parameters  method : of ``resample``, such as "linear" or "nearest/asymmetric/floor" ; axis : among the spatial ones

    All numbers but the weights are integers, so that no rounding moves a border.
    """
    p = np.arange(wanted)
    kind, coordinates, rounding = method_of(method)
    if kind == "area":
        first, last = p * size // wanted, -(-(p + 1) * size // wanted)
        count = last - first
        return [(np.minimum(first + i, last - 1), np.where(i < count, 1 / count, 0.0)) for i in range(int(count.max()))]
    # Output p lies at s / unit of the axis.
    old, new = ratio_of(method, axis) or (size, wanted)
    if coordinates == "half_pixel":
        s, unit = (2 * p + 1) * old - new, 2 * new
    elif coordinates == "asymmetric":
        s, unit = p * old, new
    else:
        s, unit = p * (size - 1), max(wanted - 1, 1)
    if kind == "nearest":
        chosen = {
            "round_up": (2 * s + unit) // (2 * unit),
            "round_down": -((unit - 2 * s) // (2 * unit)),
            "floor": s // unit,
            "ceil": -(-s // unit),
        }[rounding]
        return [(np.clip(chosen, 0, size - 1), np.ones(wanted))]
    if kind == "linear":
        s = np.clip(s, 0, unit * (size - 1))
        low, rest = s // unit, s % unit
        right = rest / unit
        return [(low, 1 - right), (low + (rest > 0), right)]
    low, t = s // unit, (s % unit) / unit
    return [(np.clip(low + i, 0, size - 1), _cubic(np.abs(t - i))) for i in range(-1, 3)]


def _cubic(distance: Array, a: float = -0.75) -> Array:
    """The weights of cubic convolution (Keys 1981) with PyTorch's and ONNX's a."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = (((distance - 5) * distance + 8) * distance - 4) * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


def _along(vector: Array, axis: int, like: Array) -> Array:
    """The vector shaped to broadcast along one axis, in the precision of ``like``."""
    return vector.astype(like.dtype).reshape([-1 if i == axis else 1 for i in range(like.ndim)])


def _resample(attrs: Attrs, x: Array) -> Array:
    for axis, wanted in enumerate(attrs["size"], 1):
        parts = taps(x.shape[axis], wanted, attrs["method"], axis - 1)
        if len(parts) == 1:
            x = x.take(parts[0][0], axis=axis) * _along(parts[0][1], axis, x)
            continue
        total = np.zeros((*x.shape[:axis], wanted, *x.shape[axis + 1 :]), x.dtype)
        for index, weight in parts:
            # An element of weight 0 takes no part, also where it is not finite.
            w = _along(weight, axis, x)
            total += np.where(w != 0, x.take(index, axis=axis) * w, 0)
        x = total
    return x


def _resample_backward(attrs: Attrs, dy: Array) -> Array:
    for axis, size in reversed(list(enumerate(attrs["spatial"], 1))):
        dx = np.zeros((*dy.shape[:axis], size, *dy.shape[axis + 1 :]), dy.dtype)
        for index, weight in taps(size, dy.shape[axis], attrs["method"], axis - 1):
            w = _along(weight, axis, dy)
            np.add.at(dx, (*(slice(None),) * axis, index), np.where(w != 0, dy * w, 0))
        dy = dx
    return dy


KERNELS: dict[str, Callable[..., Any]] = {
    "conv": _conv,
    "conv_backward_data": _conv_backward_data,
    "conv_backward_weights": _conv_backward_weights,
    "max_pool": _max_pool,
    "max_pool_backward": _max_pool_backward,
    "average_pool": _average_pool,
    "average_pool_backward": _average_pool_backward,
    "resample": _resample,
    "resample_backward": _resample_backward,
    "pad": lambda attrs, x: np.pad(x, attrs["padding"]),
}
