"""Products with sparse weights and with signs on the fast engine, against the reference engine and in every vector width."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.engine import get_engine
from chainrule.engine.onednn import compressed, engine
from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import EngineError
from chainrule.ops import Builder, SignMatrix, SparseMatrix, Value
from chainrule.ops.sign_matrix import pack_signs, unpack_signs
from chainrule.plan import Plan, optimise

try:
    get_engine("onednn")
except EngineError as error:
    pytest.skip(f"the onednn engine cannot be used here: {error}", allow_module_level=True)


@pytest.fixture(autouse=True, scope="module")
def _every_product_is_divided() -> Iterator[None]:
    """Also those that are too small for it to pay."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_WORTH_DIVIDING", 0)
        patch.setattr(compressed, "_SMALL", 0)
        yield


def plan_of(emit: Any, arrays: dict[str, np.ndarray]) -> Plan:
    k = Builder()
    inputs = {n: Value(a.shape, "int" if a.dtype.kind == "i" else "float", "input", n) for n, a in arrays.items()}
    outputs = emit(k, *inputs.values())
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return optimise(Plan(k.nodes, inputs, {f"o{i}": v for i, v in enumerate(outputs)}, {}, k.scalars, 1))


def compare(emit: Any, arrays: dict[str, np.ndarray], *, exact: bool = False, threads: tuple[int, ...] = (1, 3)) -> None:
    wanted = ReferenceEngine("float64").compile(plan_of(emit, arrays), {}).run(arrays)
    for count in threads:
        executable = get_engine("onednn", threads=count).compile(plan_of(emit, arrays), {})
        assert executable.native
        for _ in range(2):  # what a run leaves behind must not matter to the next
            executable.temporaries.view(np.float32)[...] = np.nan
            for array in [array for _, array in executable._memories.values()] + executable._shared:
                array.view(np.float32)[...] = np.nan
            found = executable.run(arrays)
            for name, w in wanted.items():
                if exact:
                    np.testing.assert_array_equal(found[name], w, err_msg=f"{name}, {count} threads")
                else:
                    size = max(1.0, float(np.abs(w).max(initial=0)))
                    np.testing.assert_allclose(
                        found[name], w, rtol=1e-4, atol=1e-5 * size, err_msg=f"{name}, {count} threads"
                    )


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype(np.float32)


def sparse(shape: tuple[int, ...], sparsity: float, block: int, seed: int = 0) -> np.ndarray:
    """Weights (..., O) with zeros; outputs of a block have them in the same places, and some outputs have nothing."""
    rng = np.random.default_rng((seed, *shape))
    kept = rng.random((*shape[:-1], -(-shape[-1] // block))) >= sparsity
    kept[..., rng.random(kept.shape[-1]) < 0.1] = False
    return (rng.normal(size=shape) * np.repeat(kept, block, axis=-1)[..., : shape[-1]]).astype(np.float32)


def as_matrix(weights: np.ndarray) -> SparseMatrix:
    return SparseMatrix.of(weights.reshape(-1, weights.shape[-1]).T)


@settings(max_examples=25, deadline=None)
@given(
    samples=st.sampled_from([1, 2, 3, 7, 8, 9, 31, 32, 33, 63, 64, 65, 130, 200]),
    inputs=st.integers(1, 300),
    outputs=st.integers(1, 90),
    sparsity=st.sampled_from([0.0, 0.5, 0.9, 0.97, 1.0]),
    block=st.sampled_from([1, 4, 16]),
    following=st.booleans(),
)
def test_sparse_weights(samples: int, inputs: int, outputs: int, sparsity: float, block: int, following: bool) -> None:
    w, b = sparse((inputs, outputs), sparsity, block), normal(outputs)

    def emit(k: Builder, x: Value, bias: Value) -> Any:
        y = k.sparse_weight_matmul(x, as_matrix(w))
        return k.relu(k.add(y, bias)) if following else y

    compare(emit, {"x": normal(samples, inputs), "b": b})


def test_large_sparse_weights_are_divided() -> None:
    for samples in (1, 20, 64, 256):
        for block in (1, 4):
            w, b = sparse((512, 320), 0.8, block), normal(320)

            def emit(k: Builder, x: Value, bias: Value, w: np.ndarray = w) -> Any:
                return k.tanh(k.add(k.sparse_weight_matmul(x, as_matrix(w)), bias))

            arrays = {"x": normal(samples, 512), "b": b}
            compare(emit, arrays, threads=(1, 2, 4))


@st.composite
def images(draw: Any) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]:
    axes = draw(st.sampled_from([1, 2, 2, 2]))
    groups = draw(st.sampled_from([1, 1, 1, 2]))
    channels, outputs = groups * draw(st.integers(1, 20)), groups * draw(st.sampled_from([1, 3, 4, 8, 17, 20]))
    spatial = tuple(draw(st.integers(1, 17)) for _ in range(axes))
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    stride = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    dilation = tuple(draw(st.sampled_from([1, 1, 2])) for _ in range(axes))
    padding = []
    for n, k, d in zip(spatial, kernel, dilation, strict=True):
        cover = d * (k - 1) + 1
        before = draw(st.integers(0, 3))
        padding.append((before, max(draw(st.integers(0, 3)), cover - n - before)))
    x = (draw(st.integers(1, 4)), *spatial, channels)
    window = {"stride": stride, "padding": tuple(padding), "dilation": dilation}
    return x, (*kernel, channels // groups, outputs), window | {"groups": groups}


@settings(max_examples=40, deadline=None)
@given(images(), st.sampled_from([0.3, 0.9, 1.0]), st.sampled_from([1, 4]), st.booleans())
def test_sparse_convolutions(case: Any, sparsity: float, block: int, following: bool) -> None:
    x, shape, window = case
    w, b = sparse(shape, sparsity, block), normal(shape[-1])

    def emit(k: Builder, image: Value, bias: Value) -> Any:
        y = k.sparse_weight_conv(image, as_matrix(w), kernel=shape[:-2], **window)
        return k.relu(k.add(y, bias)) if following else y

    compare(emit, {"x": normal(*x), "b": b})


def test_sparse_convolutions_are_the_dense_ones() -> None:
    w = sparse((3, 3, 24, 40), 0.8, 1)
    window = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    for samples, size in ((1, 40), (5, 16), (2, 70)):

        def emit(k: Builder, x: Value, weights: Value) -> Any:
            dense = k.conv(x, weights, **window)
            return k.subtract(dense, k.sparse_weight_conv(x, as_matrix(w), kernel=(3, 3), **window))

        compare(emit, {"x": normal(samples, size, size, 24) / 8, "w": w}, threads=(1, 2))


def test_sparse_weights_let_no_neighbour_in() -> None:
    """A sample that is not finite changes no other, and weights of zero are not multiplied."""
    w = sparse((40, 24), 0.7, 1)
    w[7] = 0
    x = normal(70, 40)
    x[3], x[:, 7] = np.nan, np.inf
    plan = plan_of(lambda k, a: k.sparse_weight_matmul(a, as_matrix(w)), {"x": x})
    found = get_engine("onednn", threads=1).compile(plan, {}).run({"x": x})["o0"]
    others = np.delete(np.arange(70), 3)
    x[:, 7] = 0
    np.testing.assert_allclose(found[others], x[others] @ w, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- signs

WIDTHS = [1, 3, 8, 63, 64, 65, 127, 128, 200, 511, 512, 513, 1000, 1024]


@settings(max_examples=25, deadline=None)
@given(
    samples=st.sampled_from([1, 2, 3, 4, 5, 7, 33]),
    inputs=st.sampled_from(WIDTHS),
    outputs=st.sampled_from([1, 4, 7, 8, 9, 16, 65]),
    following=st.booleans(),
)
def test_signs_are_multiplied_to_the_bit(samples: int, inputs: int, outputs: int, following: bool) -> None:
    w, b = normal(inputs, outputs, seed=1), np.round(normal(outputs))

    def emit(k: Builder, x: Value, bias: Value) -> Any:
        y = k.binary_matmul(k.pack_signs(x), SignMatrix.of(w))
        return (k.relu(k.add(y, bias)), k.pack_signs(y)) if following else y

    x = normal(samples, inputs)
    x[x < -2] = 0
    compare(emit, {"x": x, "b": b}, exact=True)
    plan = plan_of(lambda k, x: k.binary_matmul(k.pack_signs(x), SignMatrix.of(w)), {"x": x})
    found = get_engine("onednn").compile(plan, {}).run({"x": x})["o0"]
    np.testing.assert_array_equal(found, np.where(x >= 0, 1, -1) @ np.where(w >= 0, 1, -1))


def test_more_signs_than_a_byte_can_count() -> None:
    for inputs in (2040, 15872, 15873, 20000, 64 * 500):
        x, w = np.ones((2, inputs), np.float32), -np.ones((inputs, 9), np.float32)
        w[::3, 4] = 1
        compare(lambda k, a, w=w: k.binary_matmul(k.pack_signs(a), SignMatrix.of(w)), {"x": x}, exact=True, threads=(1,))


def test_limits_of_channels_and_turned_ones() -> None:
    x = np.round(normal(9, 130))
    limits, turned = np.round(normal(130, seed=1)), np.arange(130) % 3 == 0
    limits[5], limits[6], x[2, 7] = np.inf, -np.inf, np.nan
    compare(lambda k, a: k.pack_signs(a, limits=limits, turned=turned), {"x": x}, exact=True)
    compare(lambda k, a: k.pack_signs(a, limits=limits), {"x": x}, exact=True)
    compare(lambda k, a: k.pack_signs(a, turned=turned), {"x": x}, exact=True)


@settings(max_examples=25, deadline=None)
@given(images(), st.sampled_from([1, 3, 40, 64, 70, 128]))
def test_binary_convolutions_to_the_bit(case: Any, channels: int) -> None:
    x_shape, shape, window = case
    w = normal(*shape[:-2], channels, shape[-1], seed=1)
    window = {name: value for name, value in window.items() if name != "groups"}
    x = normal(*x_shape[:-1], channels)

    def emit(k: Builder, image: Value) -> Any:
        return k.relu(k.binary_conv(k.pack_signs(image), SignMatrix.of(w), **window))

    compare(emit, {"x": x}, exact=True)

    def both(k: Builder, image: Value, weights: Value) -> Any:
        return k.conv(image, weights, **window), k.binary_conv(k.pack_signs(image), SignMatrix.of(w), **window)

    arrays = {"x": np.where(x >= 0, 1, -1).astype(np.float32), "w": np.where(w >= 0, 1, -1).astype(np.float32)}
    found = get_engine("onednn").compile(plan_of(both, arrays), {}).run(arrays)
    np.testing.assert_array_equal(found["o1"], found["o0"])

    def of_changing_weights(k: Builder, image: Value, weights: Value) -> Any:
        sums = k.sum(k.reshape(weights, (-1, *w.shape[-2:])), axis=1)
        return k.relu(k.binary_conv(k.pack_signs(image), k.sign_bits(weights), shape=w.shape, sums=sums, **window))

    compare(of_changing_weights, arrays, exact=True)


@settings(max_examples=25, deadline=None)
@given(
    samples=st.sampled_from([1, 2, 3, 15, 16, 17, 40]),
    inputs=st.sampled_from([1, 3, 63, 64, 65, 130, 300]),
    outputs=st.sampled_from([1, 7, 8, 9, 33, 64, 65, 130]),
)
def test_bits_that_are_made_of_weights_and_floats_times_signs(samples: int, inputs: int, outputs: int) -> None:
    x, w = normal(samples, inputs), normal(inputs, outputs, seed=1)
    w[0, 0] = np.nan  # counts as −1
    shape, constant = w.shape, SignMatrix.of(np.where(w >= 0, 1, -1))
    compare(lambda k, w: k.sign_bits(w), {"w": w}, exact=True)
    compare(lambda k, x, w: k.binary_matmul(k.pack_signs(x), k.sign_bits(w), shape=shape), {"x": x, "w": w}, exact=True)

    def both(k: Builder, x: Value, w: Value) -> Any:
        return k.signed_matmul(x, constant), k.signed_matmul(x, k.sign_bits(w), shape=shape)

    compare(both, {"x": x, "w": w})
    whole = get_engine("onednn").compile(plan_of(both, {"x": x, "w": w}), {}).run({"x": x, "w": w})["o0"].copy()
    for n in (1, samples // 2 + 1):  # a row does not depend on the others
        arrays = {"x": x[:n], "w": w}
        found = get_engine("onednn").compile(plan_of(both, arrays), {}).run(arrays)
        np.testing.assert_array_equal(found["o0"], whole[:n])
        np.testing.assert_array_equal(found["o1"], whole[:n])


@settings(max_examples=25, deadline=None)
@given(
    samples=st.sampled_from([1, 2, 3, 40, 300]),
    inputs=st.sampled_from([1, 64, 65, 600]),
    outputs=st.sampled_from([1, 7, 8, 33, 64, 65, 250]),
)
def test_sums_of_signs_are_compared_with_limits(samples: int, inputs: int, outputs: int) -> None:
    x, w = normal(samples, inputs), normal(inputs, outputs, seed=1)
    limits = np.round(normal(outputs, seed=2) * np.sqrt(inputs)).astype(np.float32)
    turned = normal(outputs, seed=3) > 0

    def emit(k: Builder, x: Value) -> Value:
        return k.binary_matmul_signs(k.pack_signs(x), SignMatrix.of(w), limits=limits, turned=turned)

    compare(emit, {"x": x}, exact=True)


def test_packing_and_back() -> None:
    x = normal(5, 3, 77)
    np.testing.assert_array_equal(unpack_signs(pack_signs(x), 77), np.where(x >= 0, 1, -1))
    weights = normal(3, 3, 70, 11)
    np.testing.assert_array_equal(SignMatrix.of(weights).to_dense(), np.where(weights >= 0, 1, -1))


# ---------------------------------------------------------------- vectors of other processors


def _run(kernel: Any, *words: Any) -> None:
    kernel(*[w.__array_interface__["data"][0] if isinstance(w, np.ndarray) else w for w in words])


@pytest.mark.slow
@pytest.mark.parametrize("width", [4, 8, 16])
@pytest.mark.parametrize("vectors", [1, 2, 4, 8])
def test_sparse_tiles_of_every_width(width: int, vectors: int) -> None:
    """What other processors would run: LLVM makes vectors of this one of them."""
    from chainrule.engine.kernels.sparse_weights import planes_of

    some, rng = planes_of(width), np.random.default_rng(0)
    positions = width * vectors
    planes = rng.normal(size=(9, positions)).astype(np.float32)
    for outputs, count in ((1, 0), (1, 5), (4, 0), (4, 3)):
        sums, values = np.ones((outputs, positions), np.float32), rng.normal(size=(count, outputs)).astype(np.float32)
        places = rng.choice(9, count, replace=False)
        offsets = (places * positions).astype(np.int32)
        _run(some, sums, positions, planes, offsets, values, count, vectors, outputs)
        np.testing.assert_allclose(sums, 1 + values.T @ planes[places], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("words", [2, 4, 8])
@pytest.mark.parametrize("counting", [False, True])
def test_sign_products_of_every_width(words: int, counting: bool) -> None:
    from chainrule.engine.kernels.bits import product_of

    product, memory = product_of(words, counting), np.zeros(64, np.int64)
    for inputs, outputs, rows in ((64, 8, 1), (700, 8, 5), (1500, 5, 4), (16100, 8, 2)):
        x, w = normal(rows, inputs), normal(inputs, outputs, seed=1)
        signs, bits = SignMatrix.of(w), pack_signs(x)
        y = np.full((rows, outputs), np.nan, np.float32)
        _run(product, y, outputs, bits, signs.words, signs.bits[0], signs.words, rows, inputs, outputs, memory)
        np.testing.assert_array_equal(y, np.where(x >= 0, 1, -1) @ signs.to_dense())


@pytest.mark.slow
def test_the_kernels_of_wide_vectors_as_a_whole(tmp_path: Path) -> None:
    """All kernels, compiled with vectors of 512 bits, which this processor does in halves where it has no such vectors."""
    root = Path(__file__).parents[2]
    chosen = "large_sparse or let_no_neighbour or more_signs or limits or floats_times"
    done = subprocess.run(
        [sys.executable, "tests/onednn/wide_vectors.py", "counts", chosen],
        cwd=root, env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)}, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("features", ["+cx16,+popcnt,+sse3,+sse4.1,+sse4.2,+ssse3", "+sse2"])
def test_the_portable_kernel_of_signs(features: str) -> None:
    """The kernel of processors without AVX2, compiled and run with these instructions alone."""
    done = subprocess.run(
        [sys.executable, "tests/onednn/portable_signs.py"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=900,
        env=os.environ | {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert done.stdout.splitlines() == ["portable, without AVX2", "3 products agree"]
