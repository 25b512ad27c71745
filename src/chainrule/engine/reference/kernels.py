"""What each op computes, in NumPy. The oracle for every other engine."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import alignment, compressed, convolution, kept, recurrent

Array = NDArray[Any]
Attrs = dict[str, Any]


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


# Rational approximations of W. J. Cody, Mathematics of Computation 23 (1969): about 1e-16 in float64.
_ERF_SMALL = (
    (3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3, 1.85777706184603153e-1),
    (2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
_ERF_MIDDLE = (
    (
        5.64188496988670089e-1,
        8.88314979438837594e0,
        6.61191906371416295e1,
        2.98635138197400131e2,
        8.81952221241769090e2,
        1.71204761263407058e3,
        2.05107837782607147e3,
        1.23033935479799725e3,
        2.15311535474403846e-8,
    ),
    (
        1.57449261107098347e1,
        1.17693950891312499e2,
        5.37181101862009858e2,
        1.62138957456669019e3,
        3.29079923573345963e3,
        4.36261909014324716e3,
        3.43936767414372164e3,
        1.23033935480374942e3,
    ),
)
_ERF_LARGE = (
    (
        3.05326634961232344e-1,
        3.60344899949804439e-1,
        1.25781726111229246e-1,
        1.60837851487422766e-2,
        6.58749161529837803e-4,
        1.63153871373020978e-2,
    ),
    (2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3),
)


def _ratio(p: tuple[float, ...], q: tuple[float, ...], x: Array) -> Array:
    top, bottom = p[-1] * x, x
    for a, b in zip(p[: len(q) - 1], q[:-1], strict=True):
        top, bottom = (top + a) * x, (bottom + b) * x
    return (top + p[len(q) - 1]) / (bottom + q[-1])


def erf(x: Array) -> Array:
    """The error function, computed in float64."""
    a = np.abs(np.asarray(x, np.float64))
    small = np.minimum(a, 0.5)
    near = small * _ratio(*_ERF_SMALL, small * small)
    middle = np.clip(a, 0.46875, 4.0)
    mid = 1 - np.exp(-middle * middle) * _ratio(*_ERF_MIDDLE, middle)
    large = np.clip(a, 4.0, 10.0)
    inverse = 1 / (large * large)
    tail = inverse * _ratio(*_ERF_LARGE, inverse)
    far = 1 - np.exp(-large * large) / large * (0.56418958354775628695 - tail)
    return np.copysign(np.where(a <= 0.46875, near, np.where(a <= 4, mid, far)), x).astype(x.dtype)


def erfc(x: Array) -> Array:
    """1 − erf(x), computed in float64 without cancellation where x is positive."""
    a = np.abs(np.asarray(x, np.float64))
    b = np.clip(a, 0.46875, 28.0)
    # b² = t² + (b − t)(b + t), where t has so few digits that t² is exact: e^(−b²) keeps its own.
    t = np.trunc(b * 16) / 16
    e = np.exp(-t * t) * np.exp(-(b - t) * (b + t))
    mid = e * _ratio(*_ERF_MIDDLE, np.minimum(b, 4.0))
    large = np.maximum(b, 4.0)
    inverse = 1 / (large * large)
    far = e / large * (0.56418958354775628695 - inverse * _ratio(*_ERF_LARGE, inverse))
    tail = np.where(b <= 4, mid, far)
    tail = np.where(x < 0, 2 - tail, tail)
    return np.where(a <= 0.46875, 1 - erf(np.asarray(x, np.float64)), np.where(a == a, tail, x)).astype(x.dtype)


def _flag(compare: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    return lambda a, b: compare(a, b).astype(np.result_type(a, b, np.float32))


def _log_sum_exp(x: Array) -> Array:
    top = x.max(axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    total: Array = top + np.log(np.exp(x - top).sum(axis=-1, keepdims=True))
    return total[..., 0]


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    result: Array = e / e.sum(axis=-1, keepdims=True)
    return result


def _log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def _one_hot(index: Array, classes: int, dtype: Any) -> Array:
    hot: Array = (index[..., None] == np.arange(classes)).astype(dtype)
    return hot


def _cross_entropy(attrs: Attrs, z: Array, y: Array) -> tuple[Array, Array]:
    smoothing, classes = attrs["label_smoothing"], z.shape[-1]
    t = _one_hot(y, classes, z.dtype) if y.dtype.kind in "iu" else y
    if smoothing:
        t = t * (1 - smoothing) + smoothing / classes
    # Σ t = 1, so log Σ exp(z) − Σ t z = log Σ exp(z − max) − Σ t (z − max): no large number enters.
    # A class of probability 0 adds nothing whatever its logit, also an infinite one.
    shifted = z - z.max(axis=-1, keepdims=True)
    exps = np.exp(shifted)
    total = exps.sum(axis=-1, keepdims=True)
    weight = t.sum(axis=-1)
    picked = np.where(t > 0, t * shifted, 0).sum(axis=-1)
    return weight * np.log(total[..., 0]) - picked, exps / total * weight[..., None] - t


def _scatter_add(attrs: Attrs, index: Array, x: Array) -> Array:
    out = np.zeros((attrs["rows"], x.shape[-1]), x.dtype)
    good = index.ravel() >= 0
    np.add.at(out, index.ravel()[good], x.reshape(-1, x.shape[-1])[good])
    return out


def _unique_rows(attrs: Attrs, index: Array) -> tuple[Array, Array]:
    flat, rows = index.ravel(), attrs["rows"]
    good = (flat >= 0) & (flat < rows)
    # In the order in which they occur first.
    seen, first, inverse = np.unique(flat[good], return_index=True, return_inverse=True)
    order = np.argsort(first)
    found = np.full(min(flat.size, rows), -1, np.int32)
    found[: len(seen)] = seen[order]
    rank = np.empty(len(seen), np.int64)
    rank[order] = np.arange(len(seen))
    place = np.full(flat.size, -1, np.int32)
    place[good] = rank[inverse]
    return found, place.reshape(index.shape)


def _take_rows(attrs: Attrs, table: Array, rows: Array) -> Array:
    taken: Array = table[np.maximum(rows, 0)]
    taken[rows < 0] = 0
    return taken


def _put_rows(attrs: Attrs, table: Array, rows: Array, x: Array) -> Array:
    out = table.copy()
    out[rows[rows >= 0]] = x[rows >= 0]
    return out


def _cast(attrs: Attrs, x: Array) -> Array:
    """To bfloat16, held as float32: the upper 16 bits, rounded to nearest with ties to even."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), x, rounded.view(np.float32)).astype(np.float32)


def _matmul(attrs: Attrs, a: Array, b: Array) -> Array:
    return (a.T if attrs["transpose_a"] else a) @ (b.T if attrs["transpose_b"] else b)


def _batch_matmul(attrs: Attrs, a: Array, b: Array) -> Array:
    first = a.swapaxes(-1, -2) if attrs["transpose_a"] else a
    return np.asarray(np.matmul(first, b.swapaxes(-1, -2) if attrs["transpose_b"] else b))


def _sparse_matmul(attrs: Attrs, x: Array, scale: Array | None = None) -> Array:
    return np.asarray(attrs["matrix"].dot(x, scale=scale, transpose=attrs["transpose"]))


def _sparse_rows_matmul(attrs: Attrs, x: Any, b: Array) -> Array:
    return np.asarray(x.transposed_dot(b) if attrs["transpose"] else x.dot(b))


def _moments(attrs: Attrs, x: Array) -> Array:
    columns = x.reshape(-1, x.shape[-1])
    parts = (columns.sum(0), np.square(columns).sum(0), columns.min(0), columns.max(0), (columns == 0).sum(0))
    return np.stack(parts).astype(x.dtype)


ELEMENTWISE: dict[str, Callable[..., Array]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "greater": _flag(np.greater),
    "greater_equal": _flag(np.greater_equal),
    "equal": _flag(np.equal),
    "where": lambda c, a, b: np.asarray(np.where(c != 0, a, b)),
    "copy": np.copy,
    "negative": np.negative,
    "absolute": np.abs,
    "sign": np.sign,
    "square": np.square,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
    "floor": np.floor,
    "round": np.rint,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "erf": erf,
    "erfc": erfc,
    "relu": lambda x: np.maximum(x, 0),
}


def _channel_moments(x: Array) -> tuple[Array, Array]:
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axis=axes, dtype=np.float64)
    return mean, np.square(x - mean).sum(axis=axes)


def _cumulative_sum(attrs: Attrs, x: Array) -> Array:
    axis = attrs["axis"]
    turned = np.flip(x, axis) if attrs["reverse"] else x
    total = np.cumsum(turned, axis=axis, dtype=x.dtype)
    if attrs["exclusive"]:
        total = total - turned
    return np.flip(total, axis) if attrs["reverse"] else total


def _random_uniform(draw: Callable[[int], Array], attrs: Attrs) -> Array:
    return draw(prod(attrs["shape"])).reshape(attrs["shape"])


#: {op: function(attrs, *arrays) -> array or tuple of arrays}. The first argument of the kernel of a random op is one more: a
#: function that gives as many numbers in [0, 1) as it is asked for.
def _all_reduce(attrs: Attrs, x: Array) -> Array:
    attrs["ranks"].sum_in_place(x)  # a copy of all gradients would take longer than their sum
    return x


KERNELS: dict[str, Callable[..., Any]] = {
    "matmul": _matmul,
    "batch_matmul": _batch_matmul,
    "sparse_matmul": _sparse_matmul,
    "sparse_rows_matmul": _sparse_rows_matmul,
    "sum": lambda attrs, x: x.sum(axis=attrs["axis"], keepdims=attrs["keepdims"]),
    "channel_moments": lambda attrs, x: _channel_moments(x),
    "cumulative_sum": _cumulative_sum,
    "max": lambda attrs, x: x.max(axis=attrs["axis"], keepdims=attrs["keepdims"]),
    "moments": _moments,
    "softmax": lambda attrs, x: _softmax(x),
    "log_softmax": lambda attrs, x: _log_softmax(x),
    "log_sum_exp": lambda attrs, x: _log_sum_exp(x),
    "argmax": lambda attrs, x: x.argmax(axis=-1).astype(np.int32),
    "softmax_cross_entropy": _cross_entropy,
    "reshape": lambda attrs, x: x.reshape(attrs["shape"]),
    "transpose": lambda attrs, x: x.transpose(attrs["axes"]),
    "concat": lambda attrs, *xs: np.concatenate(xs, axis=attrs["axis"]),
    "slice": lambda attrs, x: x[(slice(None),) * attrs["axis"] + (slice(attrs["start"], attrs["stop"]),)],
    "gather": lambda attrs, table, index: table[index],
    "scatter_add": _scatter_add,
    "unique_rows": _unique_rows,
    "take_rows": _take_rows,
    "put_rows": _put_rows,
    "cast": _cast,
    "one_hot": lambda attrs, index: _one_hot(index, attrs["classes"], np.float32),
    "random_uniform": _random_uniform,
}
KERNELS.update({name: lambda attrs, *xs, f=f: f(*xs) for name, f in ELEMENTWISE.items()})
KERNELS["all_reduce"] = _all_reduce
KERNELS.update(compressed.KERNELS)
KERNELS.update(convolution.KERNELS)
KERNELS.update(kept.KERNELS)
KERNELS.update(recurrent.KERNELS)
KERNELS.update(alignment.KERNELS)
