"""The ops on images on the reference engine against plain loops over their definitions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import ShapeError
from chainrule.ops import Builder, Value
from chainrule.ops.table import node_flops
from chainrule.plan import Plan

RNG = np.random.default_rng(0)


def run(op: str, *arrays: np.ndarray, dtype: str = "float64", **attrs: Any) -> tuple[np.ndarray, ...]:
    """The outputs of one op, of the shapes that its rule promises."""
    k = Builder()
    values = [Value(a.shape, "int" if a.dtype.kind in "iu" else "float", "input", f"x{i}") for i, a in enumerate(arrays)]
    outputs = k.emit(op, *values, **attrs)
    plan = Plan(k.nodes, {v.name: v for v in values}, {str(i): v for i, v in enumerate(outputs)}, {}, k.scalars, 1)
    found = ReferenceEngine(dtype).compile(plan, {}).run({f"x{i}": a for i, a in enumerate(arrays)})
    for value, array in zip(outputs, found.values(), strict=True):
        assert array.shape == value.shape
        assert array.dtype == ("int32" if value.dtype == "int" else dtype)
    return tuple(found.values())


def flops(op: str, *shapes: tuple[int, ...], **attrs: Any) -> int:
    k = Builder()
    k.emit(op, *(Value(s) for s in shapes), **attrs)
    return node_flops(k.nodes[0])


def draw(*shape: int) -> np.ndarray:
    """Small quarters: products and sums of them are exact in float32 too."""
    return RNG.integers(-8, 9, shape) / 4


def grid(sizes: Any) -> Iterator[tuple[int, ...]]:
    return product(*map(range, sizes))


def meets(attrs: dict[str, Any], spatial: Any, kernel: Any, output: Any) -> Iterator[tuple[Any, Any, Any]]:
    """(place of the output, element of the window, place in the image) wherever a window meets the image, not padding."""
    dilation = attrs.get("dilation", (1,) * len(kernel))
    for p in grid(output):
        for e in grid(kernel):
            at = tuple(
                s * i + d * j - before
                for i, j, s, d, (before, _) in zip(p, e, attrs["stride"], dilation, attrs["padding"], strict=True)
            )
            if all(0 <= a < size for a, size in zip(at, spatial, strict=True)):
                yield p, e, at


# ---------------------------------------------------------------- convolution

#: spatial, kernel, stride, padding, dilation, groups, C, O, output
CONVOLUTIONS = [
    ((5,), (3,), (1,), ((0, 0),), (1,), 1, 2, 3, (3,)),
    ((7,), (3,), (2,), ((1, 2),), (2,), 1, 1, 2, (3,)),
    ((1,), (1,), (1,), ((0, 0),), (1,), 1, 1, 1, (1,)),
    ((4, 5), (2, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, 2, 3, (3, 3)),
    ((6, 5), (3, 2), (2, 3), ((1, 1), (0, 1)), (1, 1), 1, 3, 2, (3, 2)),
    ((5, 7), (3, 3), (1, 2), ((2, 2), (2, 2)), (2, 2), 2, 4, 6, (5, 4)),
    ((4, 4), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 3, 3, 6, (4, 4)),  # depthwise
    ((3, 3), (5, 5), (1, 1), ((2, 2), (2, 2)), (1, 1), 1, 1, 1, (3, 3)),  # kernel larger than the image without padding
    ((5, 4), (1, 1), (3, 2), ((0, 0), (0, 0)), (1, 1), 1, 2, 2, (2, 2)),  # elements that no window sees
    ((3, 4, 3), (2, 2, 3), (1, 2, 1), ((0, 1), (1, 0), (1, 1)), (1, 1, 1), 2, 2, 4, (3, 2, 3)),
]


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("case", CONVOLUTIONS, ids=lambda c: f"{c[0]}-{c[1]}-groups{c[5]}".replace(" ", ""))
def test_convolution(case: Any, batch: int) -> None:
    spatial, kernel, stride, padding, dilation, groups, channels, out, output = case
    attrs = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    inner, outer = channels // groups, out // groups
    x, w, dy = draw(batch, *spatial, channels), draw(*kernel, inner, out), draw(batch, *output, out)
    y, dx, dw = np.zeros(dy.shape), np.zeros(x.shape), np.zeros(w.shape)
    for p, e, at in meets(attrs, spatial, kernel, output):
        for n, o, c in grid((batch, out, inner)):
            image, weight, result = (n, *at, (o // outer) * inner + c), (*e, c, o), (n, *p, o)
            y[result] += x[image] * w[weight]
            dx[image] += dy[result] * w[weight]
            dw[weight] += dy[result] * x[image]
    for dtype in ("float32", "float64"):
        np.testing.assert_array_equal(run("conv", x, w, dtype=dtype, **attrs)[0], y)
        np.testing.assert_array_equal(run("conv_backward_data", dy, w, dtype=dtype, spatial=spatial, **attrs)[0], dx)
        np.testing.assert_array_equal(run("conv_backward_weights", x, dy, dtype=dtype, kernel=kernel, **attrs)[0], dw)
    count = 2 * batch * math.prod(output) * math.prod(kernel) * inner * out
    assert flops("conv", x.shape, w.shape, **attrs) == count
    assert flops("conv_backward_data", dy.shape, w.shape, spatial=spatial, **attrs) == count
    assert flops("conv_backward_weights", x.shape, dy.shape, kernel=kernel, **attrs) == count


def test_convolution_of_no_samples() -> None:
    attrs = {"stride": (1, 1), "padding": ((0, 0),) * 2, "dilation": (1, 1), "groups": 2}
    assert run("conv", np.zeros((0, 4, 4, 2)), draw(3, 3, 1, 4), **attrs)[0].shape == (0, 2, 2, 4)
    dw = run("conv_backward_weights", np.zeros((0, 4, 4, 2)), np.zeros((0, 2, 2, 4)), kernel=(3, 3), **attrs)[0]
    np.testing.assert_array_equal(dw, np.zeros((3, 3, 1, 4)))


PLAIN: dict[str, Any] = {"stride": (1, 1), "padding": ((0, 0),) * 2, "dilation": (1, 1), "groups": 1}


@pytest.mark.parametrize(
    ("x", "w", "changed", "message"),
    [
        ((1, 4, 4, 1), (5, 3, 1, 2), {}, r"spatial axis 0 the kernel covers 5 elements and the image has 4\."),
        ((1, 4, 4, 1), (3, 3, 1, 2), {"dilation": (1, 2)}, r"axis 1 the kernel covers 5 elements \(size 3, dilation 2\)"),
        ((1, 2, 4, 1), (5, 1, 1, 2), {"padding": ((1, 1), (0, 0))}, r"has 4 \(2 with padding 1 \+ 1\)"),
        ((1, 4, 4, 3), (3, 3, 2, 2), {}, r"takes 2 channels in each of 1 group\(s\), so the image must have 2. It has 3"),
        ((1, 4, 4, 3), (3, 3, 1, 4), {"groups": 2}, "groups=2 does not divide the 3 channels of the image"),
        ((1, 4, 4, 4), (3, 3, 2, 3), {"groups": 2}, "groups=2 does not divide the 3 output channels"),
        ((1, 4), (3, 1, 2), {}, r"expected \(N, \*spatial, C\) with 1, 2 or 3 spatial axes.*Got \(1, 4\)"),
        ((1, 4, 4, 1), (3, 1, 2), {}, r"needs a weight \(\*kernel, C / groups, O\). Got \(3, 1, 2\)"),
        ((1, 4, 4, 1), (3, 3, 1, 2), {"stride": (1,)}, r"stride \(1,\) has 1 entries for 2 spatial axes"),
        ((1, 4, 4, 1), (3, 3, 1, 2), {"stride": (0, 1)}, "must be at least 1"),
        ((1, 4, 4, 1), (3, 3, 1, 2), {"padding": ((-1, 0), (0, 0))}, "padding at least 0"),
    ],
)
def test_a_convolution_that_does_not_fit(x: Any, w: Any, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Builder().emit("conv", Value(x), Value(w), **(PLAIN | changed))


def test_backward_of_a_convolution_that_does_not_fit() -> None:
    k = Builder()
    with pytest.raises(ShapeError, match=r"spatial size \(5, 5\) has \(3, 3\) windows, and dy \(1, 2, 2, 2\) has \(2, 2\)"):
        k.conv_backward_data(Value((1, 2, 2, 2)), Value((3, 3, 1, 2)), spatial=(5, 5), **PLAIN)
    with pytest.raises(ShapeError, match=r"has 4 channels and the weight .* makes 2"):
        k.conv_backward_data(Value((1, 3, 3, 4)), Value((3, 3, 1, 2)), spatial=(5, 5), **PLAIN)
    with pytest.raises(ShapeError, match="same number of axes and of samples"):
        k.conv_backward_weights(Value((2, 5, 5, 1)), Value((1, 3, 3, 2)), kernel=(3, 3), **PLAIN)
    with pytest.raises(ShapeError, match="groups=2 does not divide the 1 channels of x"):
        k.conv_backward_weights(Value((1, 5, 5, 1)), Value((1, 3, 3, 2)), kernel=(3, 3), **(PLAIN | {"groups": 2}))


# ---------------------------------------------------------------- pooling

#: spatial, kernel, stride, padding, output
POOLS = [
    ((6,), (2,), (2,), ((0, 0),), (3,)),
    ((7,), (3,), (2,), ((1, 1),), (4,)),
    ((1,), (1,), (1,), ((0, 0),), (1,)),
    ((4, 4), (2, 2), (2, 2), ((0, 0), (0, 0)), (2, 2)),
    ((5, 6), (3, 2), (1, 2), ((1, 0), (0, 1)), (4, 3)),  # windows that overlap, padding on one side
    ((5, 3), (2, 3), (3, 3), ((0, 0), (0, 0)), (2, 1)),  # the fourth row is in no window
    ((3, 4, 5), (2, 2, 3), (1, 2, 2), ((0, 0), (0, 0), (1, 1)), (2, 2, 3)),
]


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("case", POOLS, ids=lambda c: f"{c[0]}-{c[1]}".replace(" ", ""))
def test_pooling(case: Any, batch: int) -> None:
    spatial, kernel, stride, padding, output = case
    attrs = {"kernel": kernel, "stride": stride, "padding": padding}
    x, dy = draw(batch, *spatial, 2) - 3, draw(batch, *output, 2)
    windows: dict[Any, list[Any]] = {}
    for p, e, at in meets(attrs, spatial, kernel, output):
        windows.setdefault(p, []).append((int(np.ravel_multi_index(e, kernel)), at))
    largest, number, dx = np.zeros(dy.shape), np.zeros(dy.shape, int), np.zeros(x.shape)
    for p, members in windows.items():
        for n, c in grid((batch, 2)):
            best = max(members, key=lambda m: x[(n, *m[1], c)])  # the first of several
            number[(n, *p, c)], largest[(n, *p, c)] = best[0], x[(n, *best[1], c)]
            dx[(n, *best[1], c)] += dy[(n, *p, c)]
    y, index = run("max_pool", x, **attrs)
    np.testing.assert_array_equal(y, largest)
    np.testing.assert_array_equal(index, number)
    np.testing.assert_array_equal(run("max_pool_backward", dy, index, spatial=spatial, **attrs)[0], dx)
    for count_padding in (False, True):
        mean, dx = np.zeros(dy.shape), np.zeros(x.shape)
        for p, members in windows.items():
            divisor = math.prod(kernel) if count_padding else len(members)
            for n, c in grid((batch, 2)):
                mean[(n, *p, c)] = math.fsum(x[(n, *at, c)] for _, at in members) / divisor
                for _, at in members:
                    dx[(n, *at, c)] += dy[(n, *p, c)] / divisor
        full = attrs | {"count_padding": count_padding}
        for dtype, rtol in (("float32", 1e-6), ("float64", 1e-15)):
            np.testing.assert_allclose(run("average_pool", x, dtype=dtype, **full)[0], mean, rtol=rtol)
            got = run("average_pool_backward", dy, dtype=dtype, spatial=spatial, **full)[0]
            np.testing.assert_allclose(got, dx, rtol=rtol, atol=rtol)
    count = dy.size * math.prod(kernel)
    assert flops("max_pool", x.shape, **attrs) == flops("average_pool", x.shape, **full) == count
    assert flops("average_pool_backward", dy.shape, spatial=spatial, **full) == count
    assert flops("max_pool_backward", dy.shape, dy.shape, spatial=spatial, **attrs) == dy.size


def test_the_largest_of_infinities_and_nan() -> None:
    attrs = {"kernel": (3,), "stride": (3,), "padding": ((1, 1),)}
    x = np.array([-np.inf, -np.inf, np.nan, 5.0])[None, :, None]
    y, index = run("max_pool", x, **attrs)
    np.testing.assert_array_equal(y[0, :, 0], [-np.inf, np.nan])
    np.testing.assert_array_equal(index[0, :, 0], [1, 0])  # element 0 of the first window is padding
    assert run("max_pool", np.zeros((0, 4, 1)), **attrs)[0].shape == (0, 2, 1)


def test_a_pool_that_does_not_fit() -> None:
    k, x = Builder(), Value((1, 4, 4, 2))
    with pytest.raises(ShapeError, match=r"max_pool: on spatial axis 1 the kernel covers 5 elements and the image has 4"):
        k.max_pool(x, kernel=(2, 5), stride=(1, 1), padding=((0, 0),) * 2)
    with pytest.raises(ShapeError, match=r"padding \(2, 0\) on spatial axis 0 must be less than the window of 2"):
        k.average_pool(x, kernel=(2, 2), stride=(1, 1), padding=((2, 0), (0, 0)))
    with pytest.raises(ShapeError, match=r"pooling \(1, 4, 4, 2\) gives \(1, 2, 2, 2\), got \(1, 3, 3, 2\)"):
        k.average_pool_backward(Value((1, 3, 3, 2)), spatial=(4, 4), kernel=(2, 2), stride=(2, 2), padding=((0, 0),) * 2)
    with pytest.raises(ShapeError, match=r"kernel .* has 1 entries for 2 spatial axes"):
        k.max_pool(x, kernel=(2,), stride=(1, 1), padding=((0, 0),) * 2)


# ---------------------------------------------------------------- resampling


def mixture(size: int, wanted: int, method: str) -> np.ndarray:
    """(wanted, size): how much of each element an output takes, from the definition, in exact fractions."""
    from fractions import Fraction

    table = np.zeros((wanted, size))
    for p in range(wanted):
        s = Fraction(2 * p + 1, 2) * size / wanted - Fraction(1, 2)
        if method == "nearest":
            table[p, math.floor(s + Fraction(1, 2))] = 1
        elif method == "linear":
            s = min(max(s, Fraction(0)), Fraction(size - 1))
            low = math.floor(s)
            table[p, low] += float(1 - (s - low))
            table[p, min(low + 1, size - 1)] += float(s - low)
        else:
            first, stop = math.floor(Fraction(p * size, wanted)), math.ceil(Fraction((p + 1) * size, wanted))
            table[p, first:stop] = 1 / (stop - first)
    return table


@pytest.mark.parametrize("method", ["nearest", "linear", "area"])
@pytest.mark.parametrize(
    ("spatial", "size"),
    [((4,), (8,)), ((5,), (3,)), ((3, 4), (9, 4)), ((5, 2), (3, 7)), ((1, 1), (3, 2)), ((2, 3, 2), (4, 2, 5))],
)
def test_resampling(spatial: Any, size: Any, method: str) -> None:
    x, dy = draw(2, *spatial, 3), draw(2, *size, 3)
    y, dx = x, dy
    for axis, (old, new) in enumerate(zip(spatial, size, strict=True), 1):
        table = mixture(old, new, method)
        y = np.moveaxis(np.tensordot(table, y, (1, axis)), 0, axis)
        dx = np.moveaxis(np.tensordot(table.T, dx, (1, axis)), 0, axis)
    for dtype, rtol in (("float32", 1e-6), ("float64", 1e-14)):
        found = run("resample", x, dtype=dtype, size=size, method=method)[0]
        np.testing.assert_allclose(found, y, rtol=rtol, atol=rtol)
        found = run("resample_backward", dy, dtype=dtype, spatial=spatial, method=method)[0]
        np.testing.assert_allclose(found, dx, rtol=rtol, atol=rtol)


def test_resampling_touches_no_element_it_does_not_take() -> None:
    x = np.array([1.0, np.inf, 3.0])[None, :, None]
    np.testing.assert_array_equal(run("resample", x, size=(3,), method="linear")[0], x)
    np.testing.assert_array_equal(run("resample", x, size=(9,), method="linear")[0][0, [0, 1, 4, 8], 0], [1, 1, np.inf, 3])


def test_resampling_that_does_not_fit() -> None:
    k = Builder()
    with pytest.raises(ShapeError, match=r"'sinc' must be one of nearest, linear, cubic, area"):
        k.resample(Value((1, 4, 4, 1)), size=(8, 8), method="sinc")
    with pytest.raises(ShapeError, match="expected 2 sizes of at least 1"):
        k.resample(Value((1, 4, 4, 1)), size=(8, 0), method="nearest")


def test_flops_of_resampling() -> None:
    assert flops("resample", (1, 4, 4, 2), size=(8, 8), method="nearest") == 0
    assert flops("resample", (1, 4, 4, 2), size=(8, 8), method="linear") == 2 * 2 * (8 * 4 + 8 * 8) * 2
    assert flops("resample_backward", (1, 8, 8, 2), spatial=(4, 4), method="linear") == 2 * 2 * (8 * 4 + 8 * 8) * 2
    assert flops("resample", (1, 4, 4, 2), size=(2, 2), method="area") == 2 * 2 * (2 * 4 + 2 * 2) * 2


# ---------------------------------------------------------------- padding


def test_pad() -> None:
    x = draw(2, 3, 4)
    (y,) = run("pad", x, padding=((0, 0), (1, 2), (3, 0)))
    assert y.shape == (2, 6, 7)
    np.testing.assert_array_equal(y[:, 1:4, 3:], x)
    assert np.abs(y).sum() == np.abs(x).sum()
    value = Value((2, 3))
    assert Builder().pad(value, ((0, 0), (0, 0))) is value
    with pytest.raises(ShapeError, match="pad: expected a pair"):
        Builder().pad(value, ((0, 0), (0, -1)))
    with pytest.raises(ShapeError, match="pad: expected a pair"):
        Builder().pad(value, ((0, 1),))
