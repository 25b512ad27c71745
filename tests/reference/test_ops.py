"""Every op of the set on the reference engine against an independent formula, with 80 decimal digits where digits may go."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext
from typing import Any

import numpy as np
import pytest

from chainrule.engine import random
from chainrule.engine.reference import ReferenceEngine
from chainrule.engine.reference.kernels import KERNELS
from chainrule.errors import ShapeError
from chainrule.ops import OPS, Builder, Value
from chainrule.plan import Plan

DTYPES = ("float32", "float64")
RNG = np.random.default_rng(0)
#: Numbers of every size at which a formula may lose digits or overflow.
LINE = np.array([-1e4, -88.0, -20.0, -4.5, -1.0, -0.3, -1e-6, -0.0, 0.0, 1e-6, 0.3, 1.0, 4.5, 20.0, 88.0, 1e4])
POSITIVE = np.array([1e-30, 1e-6, 0.5, 1.0, 3.0, 1e4, 1e30])
getcontext().prec = 80


def D(x: Any) -> Decimal:
    """The number as it is, in decimal."""
    return Decimal(float(x))


def compute(
    op: str, *arrays: Any, dtype: str = "float64", step: int = 0, seed: int = 0, **attrs: Any
) -> tuple[np.ndarray, ...]:
    """The outputs of one op; arrays of integers are indices, Python numbers constants."""
    k = Builder()
    values, data = [], {}
    for i, a in enumerate(arrays):
        if isinstance(a, float):
            values.append(k.constant(a))
            continue
        kind = "int" if a.dtype.kind in "iu" else "float"
        value = Value(a.shape, kind, "input", f"x{i}")
        values.append(value)
        data[f"x{i}"] = a
    outputs = k.emit(op, *values, **attrs)
    inputs = {v.name: v for v in values if v.role == "input"}
    plan = Plan(k.nodes, inputs, {str(i): v for i, v in enumerate(outputs)}, {}, k.scalars, 1)
    found = ReferenceEngine(dtype).compile(plan, {}).run(data, step=step, seed=seed)
    for value, array in zip(outputs, found.values(), strict=True):
        assert array.shape == value.shape
        assert array.dtype == ("int32" if value.dtype == "int" else dtype)
    return tuple(found.values())


def close(got: np.ndarray, wanted: Any, rtol: float = 4e-16, atol: float = 0.0) -> None:
    """Equal to within some roundings of the precision of ``got``; rtol and atol are those of float64."""
    unit = 2.0**29 if got.dtype == np.float32 else 1.0
    np.testing.assert_allclose(got.astype(np.float64), np.asarray(wanted, np.float64), rtol=rtol * unit, atol=atol * unit)


def line(dtype: str) -> np.ndarray:
    return LINE.astype(dtype).astype(np.float64)


# ---------------------------------------------------------------- elementwise, one input

#: op: (formula in decimal or of the math module, numbers)
UNARY: dict[str, tuple[Any, np.ndarray]] = {
    "copy": (lambda x: x, LINE),
    "negative": (lambda x: 0 - x, LINE),
    "absolute": (lambda x: math.copysign(x, 1), LINE),
    "sign": (lambda x: 0 if x == 0 else math.copysign(1, x), LINE),
    "square": (lambda x: x * x, LINE),
    "sqrt": (lambda x: D(x).sqrt(), POSITIVE),
    "exp": (lambda x: D(x).exp(), LINE[:-1]),
    "expm1": (math.expm1, LINE[:-1][LINE[:-1] < 80]),
    "log": (lambda x: D(x).ln(), POSITIVE),
    "log1p": (math.log1p, np.concatenate([POSITIVE, [-0.9, -1e-6]])),
    "tanh": (math.tanh, LINE),
    "sin": (math.sin, LINE),
    "cos": (math.cos, LINE),
    "round": (lambda x: float(round(float(x))), LINE),
    "floor": (lambda x: float(math.floor(x)), LINE),
    "sigmoid": (lambda x: 1 / (1 + (-D(x)).exp()), LINE),
    "softplus": (lambda x: (1 + D(x).exp()).ln(), LINE),
    "erf": (math.erf, LINE),
    "erfc": (math.erfc, LINE),
    "relu": (lambda x: x if x > 0 else 0, LINE),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", UNARY)
def test_one_input(op: str, dtype: str) -> None:
    formula, numbers = UNARY[op]
    x = numbers.astype(dtype).astype(np.float64)
    (y,) = compute(op, x, dtype=dtype)
    wanted = np.array([float(formula(v)) for v in x])
    if dtype == "float32":
        wanted = wanted.astype(np.float32)  # under- and overflow where float32 does
    close(y, wanted, rtol=1e-15, atol=0 if dtype == "float64" else 1e-45 / 2**29)


@pytest.mark.parametrize("dtype", DTYPES)
def test_erf_everywhere(dtype: str) -> None:
    x = np.linspace(-7, 7, 4001).astype(dtype)
    (y,) = compute("erf", x, dtype=dtype)
    close(y, [math.erf(v) for v in x.astype(np.float64)], rtol=6e-16)


@pytest.mark.parametrize("dtype", DTYPES)
def test_erfc_everywhere(dtype: str) -> None:
    """Each value to its last digits, also the small ones far out; float32 ends at 10.05, float64 at 26.6."""
    x = np.linspace(-7, 27, 8001).astype(dtype)
    (y,) = compute("erfc", x, dtype=dtype)
    wanted = np.array([math.erfc(v) for v in x.astype(np.float64)]).astype(dtype)
    close(y, wanted, rtol=2e-15, atol=1e-45 if dtype == "float32" else 1e-322)


@pytest.mark.parametrize("op", sorted(UNARY))
def test_nan_stays_nan_and_empty_stays_empty(op: str) -> None:
    (y,) = compute(op, np.array([np.nan, 0.5]))
    assert np.isnan(y[0]) and np.isfinite(y[1])
    assert compute(op, np.zeros((0, 3)))[0].shape == (0, 3)


def test_infinities() -> None:
    x = np.array([-np.inf, np.inf])
    wanted = {"sigmoid": [0, 1], "tanh": [-1, 1], "erf": [-1, 1], "erfc": [2, 0]}
    wanted |= {op: [0, np.inf] for op in ("softplus", "exp", "relu")}
    for op, values in wanted.items():
        np.testing.assert_array_equal(compute(op, x)[0], values)


# ---------------------------------------------------------------- elementwise, several inputs

BINARY: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "maximum": lambda a, b: a if a > b else b,
    "minimum": lambda a, b: a if a < b else b,
    "greater": lambda a, b: 1.0 if a > b else 0.0,
    "greater_equal": lambda a, b: 0.0 if a < b else 1.0,
    "equal": lambda a, b: 1.0 if a == b else 0.0,
}
SHAPES = [
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((4,), (3, 4)),
    ((3, 1), (1, 4)),
    ((2, 3, 4), (3, 1)),
    ((2, 1, 4), (1, 3, 1)),
    ((), (2, 3)),
    ((2, 3), ()),
    ((1,), (5,)),
    ((), ()),
    ((0, 3), (3,)),
    ((2, 0), (1,)),
]


def draw(shape: tuple[int, ...]) -> np.ndarray:
    """Small halves, so that ties are common and float32 is exact."""
    return np.asarray(RNG.integers(-4, 5, shape) / 2 + 0.25 * RNG.integers(0, 2, shape), np.float64)


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("op", BINARY)
def test_two_inputs_with_broadcasting(op: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    a, b = draw(shapes[0]), draw(shapes[1])
    if op == "divide":
        b = b + 8
    shape = np.broadcast_shapes(*shapes)
    pairs = zip(np.broadcast_to(a, shape).ravel(), np.broadcast_to(b, shape).ravel(), strict=True)
    wanted = np.array([BINARY[op](x, y) for x, y in pairs]).reshape(shape)
    for dtype in DTYPES:
        close(compute(op, a, b, dtype=dtype)[0], wanted)


@pytest.mark.parametrize("op", BINARY)
def test_a_constant_may_stand_on_either_side(op: str) -> None:
    x = draw((3, 4)) + 8.0
    np.testing.assert_array_equal(compute(op, x, 9.0)[0], [[BINARY[op](v, 9.0) for v in row] for row in x])
    np.testing.assert_array_equal(compute(op, 9.0, x)[0], [[BINARY[op](9.0, v) for v in row] for row in x])


def test_nan_in_two_inputs() -> None:
    a, b = np.array([np.nan, 1.0, np.nan]), np.array([1.0, np.nan, np.nan])
    for op in ("add", "subtract", "multiply", "divide", "maximum", "minimum"):
        assert np.isnan(compute(op, a, b)[0]).all(), op
    for op in ("greater", "greater_equal", "equal"):
        np.testing.assert_array_equal(compute(op, a, b)[0], [0, 0, 0])


WHERE = [((3, 4),) * 3, ((3, 1), (4,), ()), ((), (3, 4), (1, 4)), ((4,), (), ()), ((0,), (1,), ())]


@pytest.mark.parametrize("shapes", WHERE, ids=str)
def test_where(shapes: Any) -> None:
    condition, a, b = np.asarray(RNG.integers(-1, 2, shapes[0]), np.float64), draw(shapes[1]), draw(shapes[2])
    shape = np.broadcast_shapes(*shapes)
    rows = zip(*(np.broadcast_to(x, shape).ravel() for x in (condition, a, b)), strict=True)
    wanted = np.array([x if c else y for c, x, y in rows]).reshape(shape)
    np.testing.assert_array_equal(compute("where", condition, a, b)[0], wanted)


def test_where_does_not_let_the_other_side_through() -> None:
    (y,) = compute("where", np.array([1.0, 0.0]), np.array([1, np.nan]), np.array([np.inf, 2]))
    np.testing.assert_array_equal(y, [1, 2])


def test_shapes_that_do_not_broadcast_are_named() -> None:
    with pytest.raises(ShapeError, match=r"add: the shapes \(3, 4\) and \(3,\) do not broadcast"):
        compute("add", draw((3, 4)), draw((3,)))


def test_random_uniform() -> None:
    shape = (300, 200)
    (u,) = compute("random_uniform", shape=shape, stream=1, step=2, seed=3)
    assert u.min() >= 0 and u.max() < 1
    assert abs(u.mean() - 0.5) < 5 / math.sqrt(12 * u.size)
    assert abs(u.var() - 1 / 12) < 1e-3
    np.testing.assert_array_equal(u, np.round(u * 2**24) / 2**24)
    np.testing.assert_array_equal(u.ravel(), random.uniform(u.size, 3, 1, 2))
    for other in ({"stream": 2}, {"step": 3}, {"seed": 4}):
        settings = {"stream": 1, "step": 2, "seed": 3} | other
        assert abs(np.corrcoef(u.ravel(), compute("random_uniform", shape=shape, **settings)[0].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(u.ravel()[1:], u.ravel()[:-1])[0, 1]) < 0.02
    assert compute("random_uniform", shape=(0, 2), stream=1)[0].shape == (0, 2)


# ---------------------------------------------------------------- products and reductions


@pytest.mark.parametrize("sizes", [(2, 3, 4), (1, 1, 1), (5, 1, 2), (1, 7, 1), (0, 3, 2), (2, 0, 3)], ids=str)
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("transpose_a", [False, True])
def test_matmul(sizes: tuple[int, int, int], transpose_a: bool, transpose_b: bool) -> None:
    m, n, p = sizes
    a, b = draw((m, n)), draw((n, p))
    wanted = [[sum(a[i, j] * b[j, q] for j in range(n)) for q in range(p)] for i in range(m)]
    for dtype in DTYPES:
        (c,) = compute(
            "matmul",
            a.T if transpose_a else a,
            b.T if transpose_b else b,
            dtype=dtype,
            transpose_a=transpose_a,
            transpose_b=transpose_b,
        )
        close(c, np.reshape(np.array(wanted, np.float64), (m, p)))


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_batch_matmul(transpose_a: bool, transpose_b: bool) -> None:
    a, b = draw((2, 3, 4, 5)), draw((2, 3, 5, 6))
    for dtype in DTYPES:
        (c,) = compute(
            "batch_matmul",
            a.swapaxes(-1, -2) if transpose_a else a,
            b.swapaxes(-1, -2) if transpose_b else b,
            dtype=dtype,
            transpose_a=transpose_a,
            transpose_b=transpose_b,
        )
        for i, j in np.ndindex(2, 3):
            close(c[i, j], [[sum(a[i, j, m, k] * b[i, j, k, n] for k in range(5)) for n in range(6)] for m in range(4)])


def test_matmul_names_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match="of equal first axes"):
        compute("batch_matmul", draw((2, 3, 4)), draw((3, 4, 2)), transpose_a=False, transpose_b=False)
    with pytest.raises(ShapeError, match="inner sizes 4 and 3 differ"):
        compute("batch_matmul", draw((2, 3, 4)), draw((2, 3, 4)), transpose_a=False, transpose_b=False)
    with pytest.raises(ShapeError, match="inner sizes 3 and 2 differ"):
        compute("matmul", draw((2, 3)), draw((2, 3)), transpose_a=False, transpose_b=False)
    with pytest.raises(ShapeError, match="expected two matrices"):
        compute("matmul", draw((3,)), draw((3, 2)), transpose_a=False, transpose_b=False)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2), ()])
@pytest.mark.parametrize("op", ["sum", "max"])
def test_reductions(op: str, axis: tuple[int, ...], keepdims: bool) -> None:
    x = draw((2, 3, 4))
    wanted: dict[tuple[int, ...], list[float]] = {}
    for at in np.ndindex(x.shape):
        key = tuple(0 if i in axis else at[i] for i in range(3) if keepdims or i not in axis)
        wanted.setdefault(key, []).append(x[at])
    for dtype in DTYPES:
        (y,) = compute(op, x, dtype=dtype, axis=axis, keepdims=keepdims)
        assert y.size == len(wanted)
        for at, values in wanted.items():
            close(y[at], math.fsum(values) if op == "sum" else sorted(values)[-1])


def test_reductions_at_the_edges() -> None:
    np.testing.assert_array_equal(compute("sum", np.zeros((0, 3)), axis=(0,), keepdims=False)[0], [0, 0, 0])
    assert np.isnan(compute("max", np.array([1, np.nan]), axis=(0,), keepdims=False)[0])
    assert np.isnan(compute("sum", np.array([1, np.nan]), axis=(0,), keepdims=False)[0])


# ---------------------------------------------------------------- rows

ROWS = [
    np.array([[0.3, -1.2, 2.0], [1e4, -1e4, 9999.0], [-1e4, -1e4, -1e4], [5.0, 5.0, 5.0]]),
    RNG.standard_normal((2, 3, 7)) * 5,
    RNG.standard_normal((4, 1)),
    np.zeros((0, 3)),
]


def exact_log_sum_exp(row: np.ndarray) -> Decimal:
    top = D(max(row))
    return top + sum((D(v) - top).exp() for v in row).ln()


@pytest.mark.parametrize("x", ROWS, ids=lambda x: str(x.shape))
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows(x: np.ndarray, dtype: str) -> None:
    x = x.astype(dtype).astype(np.float64)
    flat = x.reshape(-1, x.shape[-1])
    lse = [exact_log_sum_exp(row) for row in flat]
    log = [[D(v) - s for v in row] for row, s in zip(flat, lse, strict=True)]
    share = [[v.exp() for v in row] for row in log]
    close(compute("log_sum_exp", x, dtype=dtype)[0].ravel(), lse, atol=4e-16)
    close(compute("log_softmax", x, dtype=dtype)[0].ravel(), np.ravel(log), rtol=8e-16, atol=2e-15)
    close(compute("softmax", x, dtype=dtype)[0].ravel(), np.ravel(share), rtol=4e-15, atol=1e-44 / 2**29)
    (best,) = compute("argmax", x, dtype=dtype)
    np.testing.assert_array_equal(best.ravel(), [list(row).index(max(row)) for row in flat])


def test_rows_with_minus_infinity() -> None:
    x = np.array([[-np.inf, 0.0, 0.0]])
    np.testing.assert_allclose(compute("softmax", x)[0], [[0, 0.5, 0.5]])
    np.testing.assert_allclose(compute("log_softmax", x)[0], [[-np.inf, -math.log(2), -math.log(2)]])
    np.testing.assert_allclose(compute("log_sum_exp", x)[0], [math.log(2)])
    np.testing.assert_array_equal(compute("log_sum_exp", np.array([[-np.inf, -np.inf]]))[0], [-np.inf])


# ---------------------------------------------------------------- softmax cross-entropy


def exact_cross_entropy(z: np.ndarray, t: np.ndarray) -> tuple[list[Decimal], np.ndarray]:
    """ℓ = Σ t (log Σ exp(z) − z) over classes with t > 0, and its derivative (Σ t) softmax(z) − t."""
    losses, gradients = [], []
    for row, target in zip(z, t, strict=True):
        lse, total = exact_log_sum_exp(row), sum(map(D, target))
        losses.append(sum((D(p) * (lse - D(v)) for v, p in zip(row, target, strict=True) if p > 0), Decimal(0)))
        gradients.append([float(total * (D(v) - lse).exp() - D(p)) for v, p in zip(row, target, strict=True)])
    return losses, np.array(gradients).reshape(z.shape)


LOGITS = {
    "ordinary": np.array([[0.5, -1.0, 2.0], [3.0, 0.0, -4.0], [0.0, 0.0, 0.0]]),
    "ten thousand": np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [-1e4, -1e4, -1e4]]),
    "nearly certain": np.array([[20.0, 0.0, 0.0], [0.0, 30.0, 0.0], [0.0, 0.0, 88.0]]),
    "minus infinity": np.array([[0.0, -np.inf, 1.0], [-np.inf, -np.inf, 2.0], [0.0, 1.0, -np.inf]]),
}
CLASSES = np.array([0, 2, 1])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["int", "float", "unnormalised"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOGITS)
def test_softmax_cross_entropy(name: str, dtype: str, kind: str, smoothing: float) -> None:
    z = LOGITS[name].astype(dtype).astype(np.float64)
    t = np.eye(3)[CLASSES]
    if kind == "float":
        t = np.array([[0.2, 0.3, 0.5], [0.0, 0.0, 1.0], [0.9, 0.1, 0.0]])
    elif kind == "unnormalised":
        t = np.array([[0.5, 0.0, 0.5], [0.0, 0.0, 0.0], [2.0, 1.0, 0.0]])
    t = t.astype(dtype).astype(np.float64)
    y = CLASSES if kind == "int" else t
    loss, dz = compute("softmax_cross_entropy", z, y, dtype=dtype, label_smoothing=smoothing)
    if smoothing:
        t = t * (1 - smoothing) + smoothing / 3
    wanted, gradient = exact_cross_entropy(z, t)
    close(loss, wanted, rtol=2e-15, atol=1e-15)
    close(dz, gradient, rtol=4e-15, atol=5e-16)
    assert not np.isnan(loss).any() and not np.isnan(dz).any()


def test_cross_entropy_of_a_sure_answer_keeps_its_digits() -> None:
    z = np.array([[15.0, 0.0]])
    loss, dz = compute("softmax_cross_entropy", z, np.array([0]), dtype="float64", label_smoothing=0.0)
    close(loss, [math.log1p(math.exp(-15))], rtol=1e-9)
    close(dz[:, 1], [math.exp(-15) / (1 + math.exp(-15))], rtol=1e-15)


def test_cross_entropy_of_more_axes_and_of_nothing() -> None:
    z = RNG.standard_normal((2, 3, 4))
    y = RNG.integers(0, 4, (2, 3))
    loss, dz = compute("softmax_cross_entropy", z, y, label_smoothing=0.0)
    wanted, gradient = exact_cross_entropy(z.reshape(6, 4), np.eye(4)[y.ravel()])
    close(loss.ravel(), wanted, rtol=1e-14)
    close(dz.reshape(6, 4), gradient, rtol=1e-14, atol=1e-16)
    loss, dz = compute("softmax_cross_entropy", np.zeros((0, 4)), np.zeros((0,), int), label_smoothing=0.0)
    assert loss.shape == (0,) and dz.shape == (0, 4)
    with pytest.raises(ShapeError, match=r"logits \(2, 3, 4\) need targets \(2, 3\), got \(2,\)"):
        compute("softmax_cross_entropy", z, y[:, 0], label_smoothing=0.0)


# ---------------------------------------------------------------- moving elements


@pytest.mark.parametrize(("shape", "to"), [((2, 3), (6,)), ((6,), (1, 2, 3)), ((), (1, 1)), ((0, 3), (3, 0)), ((1,), ())])
def test_reshape(shape: tuple[int, ...], to: tuple[int, ...]) -> None:
    x = draw(shape)
    (y,) = compute("reshape", x, shape=to)
    assert y.shape == to and list(y.flat) == list(x.flat)
    with pytest.raises(ShapeError, match="elements"):
        compute("reshape", x, shape=(5, 7))


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_transpose(axes: tuple[int, ...]) -> None:
    x = draw((2, 3, 4))
    (y,) = compute("transpose", x, axes=axes)
    for at in np.ndindex(x.shape):
        assert y[tuple(at[a] for a in axes)] == x[at]
    with pytest.raises(ShapeError, match="no order"):
        compute("transpose", x, axes=(0, 1, 1))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_concat_and_slice_undo_each_other(axis: int) -> None:
    parts = [draw(tuple(n if i == axis else s for i, s in enumerate((2, 3, 4)))) for n in (1, 3, 0, 2)]
    (whole,) = compute("concat", *parts, axis=axis)
    start = 0
    for part in parts:
        stop = start + part.shape[axis]
        np.testing.assert_array_equal(compute("slice", whole, axis=axis, start=start, stop=stop)[0], part)
        start = stop
    assert whole.shape[axis] == start
    with pytest.raises(ShapeError, match="outside axis"):
        compute("slice", whole, axis=axis, start=2, stop=7)


@pytest.mark.parametrize("shape", [(5,), (2, 3), (), (0, 2)])
def test_gather_scatter_and_one_hot(shape: tuple[int, ...]) -> None:
    table, index = draw((4, 3)), np.asarray(RNG.integers(0, 4, shape))
    (rows,) = compute("gather", table, index)
    (hot,) = compute("one_hot", index, classes=4)
    for at in np.ndindex(shape):
        assert list(rows[at]) == list(table[index[at]])
        assert list(hot[at]) == [1.0 if c == index[at] else 0.0 for c in range(4)]
    x = draw((*shape, 3))
    wanted = np.zeros((4, 3))
    for at in np.ndindex(shape):
        wanted[index[at]] += x[at]
    for dtype in DTYPES:
        close(compute("scatter_add", index, x, dtype=dtype, rows=4)[0], wanted)


def test_all_reduce() -> None:
    class Two:
        """Two processes, of which the other has ones everywhere."""

        def sum_in_place(self, array: np.ndarray) -> None:
            array += 1

    x = draw((3, 4))
    for dtype in DTYPES:
        close(compute("all_reduce", x.copy(), dtype=dtype, ranks=Two())[0], x + 1)


# ---------------------------------------------------------------- the whole set

TESTED = {
    *UNARY, *BINARY, "where", "random_uniform", "matmul", "batch_matmul", "sum", "max", "softmax",
    "log_softmax", "log_sum_exp", "argmax", "cumulative_sum",
    "softmax_cross_entropy", "reshape", "transpose", "concat", "slice", "gather", "scatter_add", "one_hot", "cast",
    "moments", "all_reduce",
    # in test_convolution_ops.py
    "conv", "conv_backward_data", "conv_backward_weights", "max_pool", "max_pool_backward", "average_pool",
    "average_pool_backward", "resample", "resample_backward", "pad", "channel_moments", "sparse_matmul",
    # in test_recurrent_ops.py
    "simple_rnn", "simple_rnn_backward", "lstm", "lstm_backward", "gru", "gru_backward", "previous", "sequence_mask",
    "attention", "attention_backward", "unique_rows", "take_rows", "put_rows",
    # in tests/unit/test_sparse_rows.py
    "sparse_rows_matmul",
    # in tests/unit/test_losses_ctc.py
    "ctc", "label_error_rate",
    # in test_compressed_ops.py
    "sparse_weight_matmul", "sparse_weight_conv", "pack_signs", "binary_matmul", "binary_conv",
    # in test_kept_ops.py
    "take_kept", "put_kept", "spread_kept", "kept_matmul", "kept_outer",
    # in tests/onednn/test_compressed.py
    "sign_bits", "binary_matmul_signs", "signed_matmul",
    # in tests/onednn/test_int8.py
    "quantize", "int8_matmul", "int8_conv",
}  # fmt: skip


@pytest.mark.parametrize("shape", [(4,), (3, 5), (2, 3, 4), (1, 1), (7, 2, 2, 3)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_moments(shape: tuple[int, ...], dtype: str) -> None:
    x = np.where(RNG.random(shape) < 0.3, 0.0, RNG.normal(size=shape)).astype(dtype)
    (found,) = compute("moments", x, dtype=dtype)
    for column in range(shape[-1]):
        values = [D(v) for v in x[..., column].ravel()]
        exact = [sum(values), sum(v * v for v in values), min(values), max(values), sum(v == 0 for v in values)]
        close(found[:, column], [float(e) for e in exact], rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_cumulative_sum(axis: int, exclusive: bool, reverse: bool) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    (found,) = compute("cumulative_sum", x, axis=axis, exclusive=exclusive, reverse=reverse)
    for at in np.ndindex(x.shape):
        first, last = (at[axis], x.shape[axis] - 1) if reverse else (0, at[axis])
        which = [i for i in range(first, last + 1) if not (exclusive and i == at[axis])]
        rows = [(*at[:axis], i, *at[axis + 1 :]) for i in which]
        assert found[at] == pytest.approx(sum(x[row] for row in rows), abs=1e-12)


def test_cast_rounds_to_bfloat16() -> None:
    x = np.array([1.0, 1 + 2**-8, 1 + 2**-7, 1 + 3 * 2**-8, -3.14159274, 1e-40, 3.4e38, np.inf, np.nan, 0.0])
    (found,) = compute("cast", x, to="bfloat16")
    # Eight bits of fraction are kept; 1 + 2⁻⁸ lies half way and goes to the even neighbour.
    np.testing.assert_array_equal(found[:5], [1.0, 1.0, 1 + 2**-7, 1 + 2**-6, -3.140625])
    assert found[6] == np.inf and found[7] == np.inf and np.isnan(found[8]) and found[9] == 0
    assert abs(found[5] - 1e-40) < 1e-41


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (5, 4, 3), (2, 3, 4, 5)])
def test_channel_moments(shape):
    x = np.random.default_rng(0).normal(100, 2, shape)
    mean, squares = compute("channel_moments", x)
    flat = x.reshape(-1, shape[-1])
    np.testing.assert_allclose(mean, [math.fsum(c) / len(c) for c in flat.T], rtol=1e-14)
    np.testing.assert_allclose(squares, flat.var(axis=0) * len(flat), rtol=1e-9, atol=1e-20)


def test_every_op_is_tested_and_has_a_kernel() -> None:
    assert set(OPS) == TESTED
    assert set(OPS) == set(KERNELS)
