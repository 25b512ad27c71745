"""Products of 8-bit numbers on the fast engine against the reference engine, whose sums are of whole numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.engine import get_engine
from chainrule.engine.onednn import engine, int8
from chainrule.engine.onednn.library import open_library
from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import DataError, DtypeError, EngineError, ParameterError, ShapeError
from chainrule.ops import Builder, Int8Weights, Value
from chainrule.ops.int8_weights import bytes_of, numbers_of, quantised
from chainrule.plan import Plan, optimise

try:
    get_engine("onednn")
except EngineError as error:
    pytest.skip(f"the onednn engine cannot be used here: {error}", allow_module_level=True)

PLAIN = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}


@pytest.fixture(autouse=True, scope="module")
def _every_product_is_divided() -> Iterator[None]:
    """Also those that are too small for it to pay."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_WORTH_DIVIDING", 0)
        patch.setattr(int8, "_SMALL", 0)
        yield


def plan_of(emit: Any, x: np.ndarray) -> Plan:
    k, value = Builder(training=False), Value(x.shape, "int" if x.dtype.kind == "i" else "float", "input", "x0")
    return optimise(Plan(k.nodes, {"x0": value}, {"output0": emit(k, value)}, {}, k.scalars, x.shape[0]))


def compare(emit: Any, x: np.ndarray, *, exact: bool = False, native: bool | None = True) -> np.ndarray:
    wanted = ReferenceEngine("float32").compile(plan_of(emit, x), {}).run({"x0": x})["output0"]
    for threads in (1, 3):
        executable = get_engine("onednn", threads=threads).compile(plan_of(emit, x), {})
        # Without oneDNN products of 8-bit numbers are run by the reference kernel.
        assert native is None or open_library().dnnl is None or executable.native == native
        for _ in range(2):
            executable.temporaries.view(np.float32)[...] = np.nan
            found = executable.run({"x0": x})["output0"]
            if exact:
                np.testing.assert_array_equal(found, wanted)
            else:  # all sums of whole numbers are the same; only the floats that they become are rounded
                np.testing.assert_allclose(found, wanted, rtol=3e-6, atol=3e-6 * max(1e-30, float(np.abs(wanted).max())))
    return np.asarray(wanted)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 20), channels=st.integers(1, 70), scale=st.floats(1e-3, 10), zero=st.integers(0, 127))
def test_floats_become_the_nearest_numbers(rows: int, channels: int, scale: float, zero: int) -> None:
    x = 100 * scale * normal(rows, channels)
    x[0, 0] = np.float32(2.5 * scale)  # half way between two numbers
    compare(lambda k, v: k.quantize(v, scale=scale, zero=zero), x, exact=True)


def test_what_is_no_number_or_out_of_the_range() -> None:
    x = np.array([[np.nan, -np.inf, np.inf, -1.0, 300.0, 1.5, 2.5]], np.float32)
    words = compare(lambda k, v: k.quantize(v, scale=1.0, zero=0), x, exact=True)
    np.testing.assert_array_equal(numbers_of(words, 8)[0], [0, 0, 127, 0, 127, 2, 2, 0])


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 40), inner=st.integers(1, 70), outputs=st.integers(1, 50), zero=st.sampled_from([0, 5, 64]))
def test_dense_products(rows: int, inner: int, outputs: int, zero: int) -> None:
    weights = Int8Weights.of(normal(inner, outputs, seed=1))
    bias = normal(outputs, seed=2)

    def emit(k: Builder, v: Value) -> Value:
        y = k.int8_matmul(k.quantize(v, scale=0.03, zero=zero), weights, scale=0.03, zero=zero)
        return k.maximum(k.add(y, float(bias[0])), 0.0)

    compare(emit, normal(rows, inner))


@pytest.mark.parametrize("extreme", [127, -127])
def test_the_largest_numbers_do_not_overflow(extreme: int) -> None:
    """On processors that add products of neighbours in 16 bits."""
    weights = Int8Weights(np.full((64, 24), extreme, np.int8), np.ones(24, np.float32))
    words = bytes_of(np.full((5, 64), 127, np.uint8))
    y = compare(lambda k, v: k.int8_matmul(v, weights, scale=1.0, zero=0), words, exact=True)
    np.testing.assert_array_equal(y, np.full((5, 24), 64 * 127 * extreme, np.float32))


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 4),
    size=st.integers(3, 9),
    channels=st.integers(1, 20),
    outputs=st.integers(1, 20),
    kernel=st.sampled_from([1, 2, 3]),
    stride=st.integers(1, 2),
    pad=st.integers(0, 1),
    dilation=st.integers(1, 2),
    zero=st.sampled_from([0, 30]),
)
def test_convolutions(
    n: int, size: int, channels: int, outputs: int, kernel: int, stride: int, pad: int, dilation: int, zero: int
) -> None:
    pad = 0 if zero or (kernel - 1) * dilation + 1 <= pad else pad
    if (kernel - 1) * dilation + 1 > size + 2 * pad:
        return
    weights = Int8Weights.of(normal(kernel, kernel, channels, outputs, seed=1))
    window = {"stride": (stride,) * 2, "padding": ((pad, pad),) * 2, "dilation": (dilation,) * 2}

    def emit(k: Builder, v: Value) -> Value:
        quantized = k.quantize(v, scale=0.03, zero=zero)
        return k.maximum(k.int8_conv(quantized, weights, scale=0.03, zero=zero, **window), 0.0)

    compare(emit, normal(n, size, size, channels))


@pytest.mark.parametrize("groups", [2, 8])
def test_convolutions_in_groups(groups: int) -> None:
    weights = Int8Weights.of(normal(3, 3, 8 // groups, 16, seed=1))
    window = PLAIN | {"padding": ((1, 1), (1, 1))}

    def emit(k: Builder, v: Value) -> Value:
        return k.int8_conv(k.quantize(v, scale=0.02, zero=0), weights, scale=0.02, zero=0, groups=groups, **window)

    compare(emit, np.abs(normal(2, 6, 6, 8)), native=None)  # oneDNN may lack a kernel for few channels in a group


def test_signals_and_volumes() -> None:
    for axes in (1, 3):
        weights = Int8Weights.of(normal(*(2,) * axes, 5, 7, seed=1))
        window = {"stride": (1,) * axes, "padding": ((0, 0),) * axes, "dilation": (1,) * axes}

        def emit(k: Builder, v: Value, weights: Any = weights, window: Any = window) -> Value:
            return k.int8_conv(k.quantize(v, scale=0.02, zero=0), weights, scale=0.02, zero=0, **window)

        compare(emit, np.abs(normal(2, *(5,) * axes, 5)), native=None)


def test_what_cannot_be() -> None:
    k, x = Builder(training=False), Value((2, 8), "float", "input", "x0")
    for scale, zero in ((0.0, 0), (-1.0, 0), (float("nan"), 0), (float("inf"), 0), (1.0, -1), (1.0, 128)):
        with pytest.raises(ParameterError):
            k.quantize(x, scale=scale, zero=zero)
    weights = Int8Weights.of(normal(8, 3))
    words = k.quantize(x, scale=1.0, zero=0)
    with pytest.raises(ShapeError, match="channels are an int value"):
        k.int8_matmul(words, Int8Weights.of(normal(9, 3)), scale=1.0, zero=0)
    with pytest.raises(ShapeError):
        k.int8_matmul(x, weights, scale=1.0, zero=0)
    image = k.quantize(Value((1, 4, 4, 8), "float", "input", "x1"), scale=1.0, zero=3)
    kernel = Int8Weights.of(normal(3, 3, 8, 2))
    with pytest.raises(ShapeError, match="zero=0"):
        k.int8_conv(image, kernel, scale=1.0, zero=3, **(PLAIN | {"padding": ((1, 1), (1, 1))}))
    with pytest.raises(ShapeError, match="groups"):
        k.int8_conv(image, kernel, scale=1.0, zero=0, groups=3, **PLAIN)
    with pytest.raises(DataError, match="not finite"):
        Int8Weights.of(np.array([[np.nan, 1.0]]))
    with pytest.raises(ShapeError):
        Int8Weights.of(np.zeros(3))
    with pytest.raises(DtypeError):
        Int8Weights(np.zeros((2, 2)), np.ones(2, np.float32))
    with pytest.raises(DataError):
        Int8Weights(np.full((2, 2), -128, np.int8), np.ones(2, np.float32))
    with pytest.raises(DataError):
        Int8Weights(np.zeros((2, 2), np.int8), np.zeros(2, np.float32))


def test_rounding_of_weights() -> None:
    w = normal(30, 7)
    w[:, 3] = 0
    held = Int8Weights.of(w)
    assert np.abs(held.to_dense() - w).max() <= np.abs(w).max() / 127 / 2 * 1.001
    np.testing.assert_array_equal(held.values[:, 3], 0)
    assert Int8Weights.of(held.to_dense()) == held
    x = normal(50, 3)
    assert np.abs((quantised(x, 0.05, 64).astype(float) - 64) * 0.05 - x)[np.abs(x) < 3].max() <= 0.025 * 1.001
