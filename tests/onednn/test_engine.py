"""The onednn engine against the reference engine: every op, random shapes, every number of threads, poisoned memory."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import Dense, Network
from chainrule.engine import get_engine
from chainrule.engine.kernels.library import kernels
from chainrule.engine.kernels.sizes import BLOCK_COLUMNS, BLOCK_DEPTH, SHEET, VECTOR
from chainrule.engine.onednn.library import open_library
from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import EngineError
from chainrule.layers import Tanh
from chainrule.ops import OPS, Builder, Value
from chainrule.ops.memory import aligned_zeros
from chainrule.plan import Plan, optimise

try:
    get_engine("onednn")
except EngineError as error:
    pytest.skip(f"the onednn engine cannot be used here: {error}", allow_module_level=True)

UNARY = [
    n
    for n, s in OPS.items()
    if s.kind == "elementwise" and n not in ("where", "random_uniform") and s.text.count("{1}") == 0
]
BINARY = [n for n, s in OPS.items() if s.kind == "elementwise" and "{1}" in s.text and "{2}" not in s.text]


def plan_of(emit, inputs, batch=1):
    """A plan from a function of a Builder and its input values."""
    k = Builder()
    values = {name: Value(shape, dtype, "input", name) for name, (shape, dtype) in inputs.items()}
    outputs = emit(k, *values.values())
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return optimise(Plan(k.nodes, values, {f"o{i}": v for i, v in enumerate(outputs)}, {}, k.scalars, batch))


def run(plan, arrays, threads, arenas=None, **kw):
    if threads == 0:
        return ReferenceEngine("float64").compile(plan, arenas or {}).run(arrays, **kw)
    executable = get_engine("onednn", threads=threads).compile(plan, arenas or {})
    executable.temporaries.view(np.float32)[...] = np.nan
    return executable.run(arrays, **kw)


def compare(emit, arrays, *, rtol=3e-6, atol=1e-6):
    inputs = {n: (a.shape, "int" if a.dtype.kind == "i" else "float") for n, a in arrays.items()}
    wanted = run(plan_of(emit, inputs), arrays, 0)
    for threads in (1, 2, 3):
        found = run(plan_of(emit, inputs), arrays, threads)
        for name, w in wanted.items():
            assert found[name].shape == w.shape
            np.testing.assert_allclose(found[name], w, rtol=rtol, atol=atol, err_msg=f"{name}, {threads} threads")


SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, 1e4, -1e4, 1e-30, -1e-30, 88.0, -88.0, 1e-3, 0.5, np.inf, -np.inf, np.nan], np.float32
)


def oracle(op, x):
    """The reference engine in float32's range: what overflows float32 is infinite."""
    with np.errstate(all="ignore"):
        return run(plan_of(lambda k, v: k.emit(op, v)[0], {"x": (x.shape, "float")}), {"x": x}, 0)["o0"].astype(np.float32)


@pytest.mark.parametrize("op", UNARY)
def test_unary_values_and_limits(op):
    generator = np.random.default_rng(0)
    x = np.concatenate(
        [SPECIAL, generator.normal(size=3001) * 4, generator.uniform(-100, 100, 2000), np.linspace(-1, 1, 1111)]
    )
    x = x.astype(np.float32)
    wanted = oracle(op, x)
    for threads in (1, 2):
        found = run(plan_of(lambda k, v: k.emit(op, v)[0], {"x": (x.shape, "float")}), {"x": x}, threads)["o0"]
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-37, err_msg=op)


@pytest.mark.parametrize("op", BINARY)
@pytest.mark.parametrize(
    "a,b",
    [
        ((7,), (7,)),
        ((5, 7), (7,)),
        ((7,), (5, 7)),
        ((5, 7), (5, 1)),
        ((5, 7), ()),
        ((40, 700), (700,)),
        ((40, 700), (40, 1)),
        ((3, 5, 7), (7,)),
        ((3, 5, 7), (5, 7)),
        ((3, 5, 7), (3, 1, 1)),
        ((3, 5, 7), (1, 5, 1)),
        ((6, 1, 3), (1, 4, 1)),
        ((64, 100), (64, 100)),
    ],
)
def test_binary_broadcasting(op, a, b):
    generator = np.random.default_rng(1)
    x, y = (
        generator.integers(-3, 4, s).astype(np.float32) if op == "equal" else generator.normal(size=s).astype(np.float32)
        for s in (a, b)
    )
    compare(lambda k, u, v: k.emit(op, u, v)[0], {"x": np.asarray(x), "y": np.asarray(y)})


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_elementwise_chains(data):
    """Fused chains with registers, several outputs, broadcasting and multiply-add."""
    rows, columns = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 700))
    if rows * columns > 20000:
        columns = 20000 // rows
    shapes = [(rows, columns), (columns,), (1, columns), (), (rows, columns)]
    names = [
        "add",
        "subtract",
        "multiply",
        "maximum",
        "greater",
        "tanh",
        "sigmoid",
        "relu",
        "square",
        "negative",
        "where",
        "softplus",
    ]
    steps = [
        (
            data.draw(st.sampled_from(names)),
            data.draw(st.integers(0, 99)),
            data.draw(st.integers(0, 99)),
            data.draw(st.integers(0, 99)),
        )
        for _ in range(data.draw(st.integers(1, 14)))
    ]

    def emit(k, *inputs):
        full = [inputs[0], inputs[4]]
        pool = list(inputs)
        for op, i, j, m in steps:
            arity = 3 if op == "where" else 2 if op in BINARY else 1
            chosen = [full[i % len(full)], pool[j % len(pool)], pool[m % len(pool)]][:arity]
            if op in ("greater", "where"):
                # What jumps is asked of numbers as they came: rounding decides on computed ones that are nearly equal.
                chosen[0] = inputs[4 * (i % 2)]
                if op == "greater":
                    chosen[1] = inputs[j % 5]
            full.append(k.emit(op, *chosen)[0])
            pool.append(full[-1])
        return tuple(full[-2:])

    generator = np.random.default_rng(2)
    arrays = {f"x{i}": np.asarray(generator.uniform(-1, 1, s), np.float32) for i, s in enumerate(shapes)}
    compare(emit, arrays, rtol=1e-4, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 90), st.integers(1, 80), st.booleans(), st.booleans())
def test_matmul(m, n, k_, ta, tb):
    generator = np.random.default_rng(3)
    x = generator.normal(size=(k_, m) if ta else (m, k_)).astype(np.float32)
    y = generator.normal(size=(n, k_) if tb else (k_, n)).astype(np.float32)
    compare(lambda k, a, b: k.matmul(a, b, transpose_a=ta, transpose_b=tb), {"x": x, "y": y}, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("add", [0, 1])
@pytest.mark.parametrize(
    ("rows", "columns", "depth"), [(1, 1, 1), (7, 130, 300), (193, 257, 256), (36, 512, 513), (5, 16, 0)]
)
def test_product_by_blocks(rows, columns, depth, add):
    generator = np.random.default_rng(7)
    a = generator.normal(size=(rows, depth + 3)).astype(np.float32)
    b = generator.normal(size=(depth + 1, columns + 5)).astype(np.float32)
    c = generator.normal(size=(rows, columns + 2)).astype(np.float32)
    wanted = c.copy()
    wanted[:, :columns] = add * c[:, :columns] + a[:, :depth].astype(float) @ b[:depth, :columns]
    block = aligned_zeros(BLOCK_DEPTH * BLOCK_COLUMNS + SHEET * VECTOR, np.float32)
    block[...] = np.nan
    a_at, b_at, c_at, block_at = (v.ctypes.data for v in (a, b, c, block))
    words = np.array([rows, columns, depth, a_at, depth + 3, b_at, columns + 5, c_at, columns + 2, add, block_at], np.int64)
    kernel = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 4)(kernels().addresses["product_by_blocks"])
    assert kernel(words.ctypes.data, 0, 0, 0) == 0
    np.testing.assert_allclose(c, wanted, rtol=1e-5, atol=1e-4)  # what lies beside the result is as it was


def test_training_of_widths_whose_rows_share_lines_of_the_cache():
    generator = np.random.default_rng(8)
    x, y = generator.normal(size=(150, 300)).astype(np.float32), generator.integers(0, 3, 150)
    nets = []
    for engine, threads in (("reference", None), ("onednn", 1), ("onednn", 2)):
        net = Network([Dense(512), Tanh(), Dense(1024), Tanh(), Dense(3)], random_state=0)
        net.fit(x, y, epochs=1, batch_size=100, optimizer="sgd", verbose=0, engine=engine, threads=threads)
        nets.append(net)
    for found in nets[1:]:
        for name, wanted in nets[0].parameters.items():
            np.testing.assert_allclose(found.parameters[name], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("m,n,k_", [(128, 1024, 784), (1, 1024, 784), (2, 640, 512), (1, 10, 1024), (300, 200, 100)])
def test_large_products_with_epilogue(m, n, k_):
    generator = np.random.default_rng(4)
    arrays = {
        "x": generator.normal(size=(m, k_)),
        "w": generator.normal(size=(k_, n)) / k_**0.5,
        "b": generator.normal(size=n),
    }
    arrays = {name: a.astype(np.float32) for name, a in arrays.items()}
    compare(lambda k, x, w, b: k.relu(k.add(k.matmul(x, w), b)), arrays, rtol=1e-4, atol=1e-5)

    def two_users(k, x, w, b):
        z = k.add(k.matmul(x, w), b)
        return k.tanh(z), k.multiply(z, k.greater(z, 0.0))

    compare(two_users, arrays, rtol=1e-4, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 300), st.integers(1, 40), st.sampled_from([0.0, 0.1]), st.sampled_from([1.0, 30.0, 1e4]), st.booleans()
)
def test_softmax_cross_entropy(n, classes, smoothing, scale, indices):
    generator = np.random.default_rng(5)
    z = (generator.normal(size=(n, classes)) * scale).astype(np.float32)
    y = (
        generator.integers(0, classes, n).astype(np.int32)
        if indices
        else generator.dirichlet(np.ones(classes), n).astype(np.float32)
    )
    compare(
        lambda k, a, b: k.softmax_cross_entropy(a, b, label_smoothing=smoothing),
        {"z": z, "y": y},
        rtol=2e-5,
        atol=2e-6 * max(1, scale),
    )


@pytest.mark.parametrize("op", ["softmax", "log_softmax", "log_sum_exp", "argmax"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (129, 33), (2, 3, 5), (700, 10)])
def test_row_ops(op, shape):
    x = (np.random.default_rng(6).normal(size=shape) * 20).astype(np.float32)
    compare(lambda k, v: k.emit(op, v)[0], {"x": x}, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("op", ["sum", "max"])
@pytest.mark.parametrize(
    "shape,axis",
    [
        ((7,), 0),
        ((300, 200), 0),
        ((300, 200), 1),
        ((300, 200), None),
        ((4, 5, 6), 1),
        ((4, 5, 6), (0, 1)),
        ((4, 5, 6), (0, 2)),
        ((1, 9), 0),
        ((40, 1, 60), (0, 1)),
        ((40, 1, 60), (1, 2)),
        ((40, 1, 60), 1),
        ((1, 1), None),
        ((7, 1), 1),
        ((300, 1, 20), (0, 2)),
        ((64, 50, 1), (1, 2)),
    ],
)
def test_reductions(op, shape, axis):
    x = np.random.default_rng(7).normal(size=shape).astype(np.float32)
    for keepdims in (False, True):
        compare(lambda k, v, kd=keepdims: getattr(k, op)(v, axis, keepdims=kd), {"x": x}, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (129, 33), (2, 3, 5), (4, 16, 9, 70), (300, 200), (5,)])
def test_moments(shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    x[np.abs(x) < 0.3] = 0
    compare(lambda k, v: k.moments(v), {"x": x}, rtol=2e-5, atol=2e-4)


def test_moving_elements():
    generator = np.random.default_rng(8)
    x, y = generator.normal(size=(5, 4, 3)).astype(np.float32), generator.normal(size=(5, 2, 3)).astype(np.float32)
    index = generator.integers(0, 5, (6, 2)).astype(np.int32)
    table = generator.normal(size=(5, 11)).astype(np.float32)
    rows = generator.normal(size=(6, 2, 11)).astype(np.float32)
    compare(lambda k, a, b: k.concat([a, b, a], axis=1), {"x": x, "y": y})
    compare(lambda k, a: k.slice(a, 1, 1, 3), {"x": x})
    compare(lambda k, a: k.slice(a, 0, 2, 5), {"x": x})
    for axes in ([2, 0, 1], [1, 0, 2], [0, 2, 1]):
        compare(lambda k, a, o=axes: k.transpose(a, o), {"x": x})
    compare(lambda k, t, i: k.gather(t, i), {"t": table, "i": index})
    compare(lambda k, i, r: k.scatter_add(i, r, rows=5), {"i": index, "r": rows}, rtol=1e-5)
    compare(lambda k, i: k.one_hot(i, 5), {"i": index})
    compare(lambda k, a: k.reshape(k.multiply(k.reshape(a, (20, 3)), 2.0), (5, 12)), {"x": x})
    compare(lambda k, i, j: k.equal(k.argmax(i), j), {"x": table, "j": np.argmax(table, 1).astype(np.int32)})


def test_random_numbers_are_the_reference_engines_bit_for_bit():
    plan = plan_of(lambda k: k.random_uniform((37, 211)), {})
    wanted = ReferenceEngine("float32").compile(plan, {}).run({}, step=5, seed=123)["o0"]
    for threads in (1, 2, 3):
        np.testing.assert_array_equal(run(plan, {}, threads, step=5, seed=123)["o0"], wanted)
    other = run(plan, {}, 2, step=6, seed=123)["o0"]
    assert (other != wanted).mean() > 0.99
    assert abs(wanted.mean() - 0.5) < 0.01 and wanted.min() >= 0 and wanted.max() < 1


def test_an_assignment_does_not_disturb_what_still_reads_the_old_value():
    def build(threads):
        k = Builder()
        arena = Value((1000,), role="arena", name="parameters")
        w = Value((1000,), base=arena, offset=0)
        k.assign(w, k.add(w, 1.0))
        k.assign(w, k.multiply(w, 3.0))
        out = k.add(w, 0.5)
        plan = optimise(Plan(k.nodes, {}, {"o": out}, {"parameters": arena}, {}, 1))
        flat = aligned_zeros(1000)
        flat[...] = np.arange(1000)
        engine = ReferenceEngine() if threads == 0 else get_engine("onednn", threads=threads)
        return engine.compile(plan, {"parameters": flat}).run({})["o"], flat

    out, flat = build(0)
    for threads in (1, 2):
        o, f = build(threads)
        np.testing.assert_array_equal(f, flat)
        np.testing.assert_array_equal(o, out)


def test_wrong_shapes_are_refused():
    plan = plan_of(lambda k, x: k.relu(x), {"x": ((4, 3), "float")}, batch=4)
    executable = get_engine("onednn", threads=1).compile(plan, {})
    with pytest.raises(EngineError, match=r"shape \(4, 3\), got \(4, 2\)"):
        executable.run({"x": np.zeros((4, 2), np.float32)})
    with pytest.raises(EngineError, match="need 8 samples, got 7"):
        executable.run_steps({"x": np.zeros((7, 3), np.float32)}, None, {}, steps=2)
    with pytest.raises(EngineError, match="sample numbers below 7"):
        executable.run_steps({"x": np.zeros((7, 3), np.float32)}, np.full(4, 7), {}, steps=1)


def test_wrong_dtype_and_strides_are_taken():
    plan = plan_of(lambda k, x: k.relu(x), {"x": ((4, 3), "float")}, batch=4)
    executable = get_engine("onednn", threads=2).compile(plan, {})
    x = np.arange(24.0).reshape(3, 8).T[::2] - 9
    np.testing.assert_array_equal(executable.run({"x": x})["o0"], np.maximum(x, 0).astype(np.float32))


@pytest.mark.slow
def test_the_machine_and_its_compiler_agree_on_the_codes():
    from chainrule.engine.kernels import elementwise
    from chainrule.engine.onednn import program

    assert elementwise.OPERATIONS == program.OPERATIONS
    assert elementwise.BLOCK == program.BLOCK
    for name in ("REGISTER", "FULL", "SCALAR", "ROW", "COLUMN", "CONSTANT", "INTEGERS"):
        assert getattr(elementwise, name) == getattr(program, name)


def _bfloat16(x):
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


@pytest.mark.skipif(not get_engine("onednn").library.has_bfloat16, reason="this processor has no bfloat16")
@pytest.mark.parametrize(
    "m,n,k_,ta,tb", [(128, 256, 300, False, False), (257, 130, 127, True, False), (128, 200, 333, False, True)]
)
def test_products_in_bfloat16_round_their_inputs_only(m, n, k_, ta, tb):
    generator = np.random.default_rng(9)
    x = generator.normal(size=(k_, m) if ta else (m, k_)).astype(np.float32)
    y = generator.normal(size=(n, k_) if tb else (k_, n)).astype(np.float32)
    plan = plan_of(
        lambda k, a, b: k.relu(k.matmul(a, b, transpose_a=ta, transpose_b=tb)),
        {"x": (x.shape, "float"), "y": (y.shape, "float")},
    )
    a, b = _bfloat16(x), _bfloat16(y)
    wanted = np.maximum((a.T if ta else a).astype(np.float64) @ (b.T if tb else b), 0)
    for threads in (1, 2):
        executable = get_engine("onednn", dtype="bfloat16", threads=threads).compile(plan, {})
        assert any(t.node.op == "cast" for s in executable.segments for g in s.groups for t in g.tasks)
        np.testing.assert_allclose(executable.run({"x": x, "y": y})["o0"], wanted, rtol=1e-4, atol=1e-4)


def test_threads_see_what_others_have_made(monkeypatch):
    """Many short steps of several phases; a race would give other numbers now and then."""
    generator = np.random.default_rng(10)
    arrays = {
        "x": generator.normal(size=(64, 100)),
        "w": generator.normal(size=(100, 90)),
        "v": generator.normal(size=(90, 64)),
    }
    arrays = {n: a.astype(np.float32) for n, a in arrays.items()}
    monkeypatch.setattr("chainrule.engine.onednn.engine._WORTH_DIVIDING", 0.0)
    plan = plan_of(
        lambda k, x, w, v: k.matmul(k.matmul(k.matmul(x, w), v), k.tanh(x)),
        {n: (a.shape, "float") for n, a in arrays.items()},
        64,
    )
    one = get_engine("onednn", threads=1).compile(plan, {}).run(arrays)["o0"]
    for threads in (2, 3, 5):
        executable = get_engine("onednn", threads=threads).compile(plan, {})
        first = executable.run(arrays)["o0"]
        np.testing.assert_allclose(first, one, rtol=1e-4, atol=1e-2)
        for _ in range(200):
            np.testing.assert_array_equal(executable.run(arrays)["o0"], first)


@pytest.mark.skipif(open_library().dnnl is None, reason="the order of OpenBLAS's additions depends on the number of rows")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("features", "units"), [(5, 2), (8, 5), (20, 10), (200, 40)])
def test_a_prediction_does_not_depend_on_the_other_samples(features: int, units: int, threads: int) -> None:
    """To the bit, from 8 samples on: kernels add what is left over of a batch in another order, and that must not show."""
    rng = np.random.default_rng(features)
    net = Network([Dense(units), Tanh(), Dense(units)], random_state=0).build((features,))
    X = rng.normal(size=(500, features)).astype(np.float32)
    net.partial_fit(X, X[:, :units], loss="squared_error", engine="onednn", threads=threads)
    whole = net.predict(X)
    for n in (*range(8, 60), 97, 98, 193, 194, 195, 385, 499):
        first = int(rng.integers(0, len(X) - n + 1))
        np.testing.assert_array_equal(net.predict(X[first : first + n]), whole[first : first + n], err_msg=str(n))
