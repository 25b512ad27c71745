"""Products with sparse weights and with signs, in NumPy, against sums written out; and what does not fit is named."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import DataError, DtypeError, ShapeError
from chainrule.ops import Builder, SignMatrix, SparseMatrix, Value
from chainrule.ops.sign_matrix import pack_signs, unpack_signs
from chainrule.plan import Plan
from chainrule.registry import identity

RNG = np.random.default_rng(0)


def run(emit: Any, x: np.ndarray) -> np.ndarray:
    k = Builder()
    a = Value(x.shape, "int" if x.dtype.kind == "i" else "float", "input", "x")
    plan = Plan(k.nodes, {"x": a}, {"y": emit(k, a)}, {}, k.scalars, 1)
    return np.asarray(ReferenceEngine("float64").compile(plan, {}).run({"x": x})["y"])


def signs(x: np.ndarray) -> np.ndarray:
    return np.where(x >= 0, 1.0, -1.0)


def conv_sums(x: np.ndarray, w: np.ndarray, stride: int, before: int, after: int, groups: int = 1) -> np.ndarray:
    """Σ over taps and channels, one output after the other; 2 spatial axes."""
    size = [(n + before + after - k) // stride + 1 for n, k in zip(x.shape[1:3], w.shape[:2], strict=True)]
    y, inner, outer = np.zeros((x.shape[0], *size, w.shape[-1])), w.shape[-2], w.shape[-1] // groups
    for n, a, b, o in np.ndindex(*y.shape):
        for i, j, c in np.ndindex(*w.shape[:-1]):
            p, q = a * stride + i - before, b * stride + j - before
            if 0 <= p < x.shape[1] and 0 <= q < x.shape[2]:
                y[n, a, b, o] += x[n, p, q, o // outer * inner + c] * w[i, j, c, o]
    return y


def test_sparse_weight_matmul() -> None:
    x, w = RNG.normal(size=(5, 7)), RNG.normal(size=(7, 4)) * (RNG.random((7, 4)) < 0.4)
    found = run(lambda k, a: k.sparse_weight_matmul(a, SparseMatrix.of(w.T)), x)
    wanted = [[sum(x[n, i] * w[i, o] for i in range(7)) for o in range(4)] for n in range(5)]
    np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("groups", [1, 2])
def test_sparse_weight_conv(groups: int) -> None:
    x, w = RNG.normal(size=(2, 5, 4, 6)), RNG.normal(size=(3, 2, 6 // groups, 4))
    w *= RNG.random(w.shape) < 0.3
    window = {"stride": (2, 2), "padding": ((1, 0), (1, 0)), "dilation": (1, 1), "groups": groups}
    matrix = SparseMatrix.of(w.reshape(-1, 4).T)
    found = run(lambda k, a: k.sparse_weight_conv(a, matrix, kernel=(3, 2), **window), x)
    np.testing.assert_allclose(found, conv_sums(x, w, 2, 1, 0, groups), rtol=1e-12, atol=1e-13)


def test_pack_signs() -> None:
    x = np.array([[1.0, -1.0, 0.0, np.nan, -0.0, np.inf]])
    (row,) = run(lambda k, a: k.pack_signs(a), x)
    assert [int(row[0]) >> i & 1 for i in range(6)] == [1, 0, 1, 0, 1, 1]
    limits, turned = np.array([2, -2, 0, 0, 0, 0.0]), np.array([0, 0, 1, 1, 0, 0], bool)
    (row,) = run(lambda k, a: k.pack_signs(a, limits=limits, turned=turned), x)
    assert [int(row[0]) >> i & 1 for i in range(6)] == [0, 1, 0, 1, 1, 1]


def test_binary_matmul() -> None:
    x, w = RNG.normal(size=(3, 70)), RNG.normal(size=(70, 9))
    found = run(lambda k, a: k.binary_matmul(k.pack_signs(a), SignMatrix.of(w)), x)
    np.testing.assert_array_equal(found, signs(x) @ signs(w))


def test_binary_conv_adds_nothing_outside_the_image() -> None:
    x, w = RNG.normal(size=(2, 4, 5, 66)), RNG.normal(size=(3, 3, 66, 4))
    window = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
    found = run(lambda k, a: k.binary_conv(k.pack_signs(a), SignMatrix.of(w), **window), x)
    np.testing.assert_array_equal(found, conv_sums(signs(x), signs(w), 1, 1, 1))


@pytest.mark.parametrize("channels", [1, 63, 64, 65, 200])
def test_packed_rows(channels: int) -> None:
    x = RNG.normal(size=(2, 3, channels))
    bits = pack_signs(x)
    assert bits.dtype == np.int32 and bits.shape == (2, 3, 2 * -(-channels // 64))
    np.testing.assert_array_equal(unpack_signs(bits, channels), signs(x))


def test_a_sign_matrix_is_a_value() -> None:
    w = RNG.normal(size=(3, 3, 5, 10))
    a = SignMatrix.of(w)
    np.testing.assert_array_equal(a.to_dense(), signs(w))
    same = [SignMatrix.of(signs(w)), pickle.loads(pickle.dumps(a)), copy.deepcopy(a), SignMatrix(a.shape, np.array(a.bits))]
    assert all(b == a and hash(b) == hash(a) and identity(b) == identity(a) for b in same)
    assert SignMatrix.of(-w) != a and a.bits.nbytes == 2 * 9 * 8 * 8


def test_bad_sign_matrices() -> None:
    with pytest.raises(DataError, match="NaN"):
        SignMatrix.of(np.array([[1.0, np.nan]]))
    with pytest.raises(DtypeError):
        SignMatrix.of(np.array([["a"]]))
    for shape in ((0, 3), (3, 0), (5,)):
        with pytest.raises(ShapeError):
            SignMatrix.of(np.ones(shape))
    bits = np.array(SignMatrix.of(np.ones((3, 3))).bits)
    with pytest.raises(ShapeError, match="uint64 bits of shape"):
        SignMatrix((70, 3), bits)
    bits[0, 0, 5] = 1
    with pytest.raises(DataError, match="must be 0"):
        SignMatrix((3, 3), bits)


def test_what_does_not_fit_is_named() -> None:
    x, image = np.ones((2, 5)), np.ones((1, 4, 4, 3))
    window: dict[str, Any] = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}
    matrix, w = SparseMatrix.of(np.eye(4)), SignMatrix.of(np.ones((4, 4)))
    with pytest.raises(ShapeError, match="weights of 4 inputs"):
        run(lambda k, a: k.sparse_weight_matmul(a, matrix), x)
    with pytest.raises(ShapeError, match="27 weights for each output"):
        run(lambda k, a: k.sparse_weight_conv(a, matrix, kernel=(3, 3), **window), image)
    with pytest.raises(ShapeError, match="does not divide"):
        run(lambda k, a: k.sparse_weight_conv(a, matrix, kernel=(1, 1), **window, groups=2), image)
    with pytest.raises(ShapeError, match="packed"):
        run(lambda k, a: k.binary_matmul(a, w), x)
    with pytest.raises(ShapeError, match=r"weights \(\*kernel, C, O\)"):
        run(lambda k, a: k.binary_conv(k.pack_signs(a), SignMatrix.of(np.ones((3, 4))), **window), image)
    with pytest.raises(ShapeError, match="limits must have"):
        run(lambda k, a: k.pack_signs(a, limits=np.zeros(4)), x)
