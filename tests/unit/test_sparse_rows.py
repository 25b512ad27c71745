"""Batches of a sparse matrix that stay sparse through the first layer."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import BatchNorm, Dense, Dropout, LayerNorm, Network, NeuralClassifier, ReLU, load
from chainrule.data.sparse import SparseRows
from chainrule.engine.onednn import OneDNNEngine
from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import ParameterError, ShapeError
from chainrule.losses import SoftmaxCrossEntropy
from chainrule.ops import Builder, Value
from chainrule.plan import optimise
from chainrule.plan.lower import lower_training, takes_sparse
from chainrule.plan.plan import Plan
from chainrule.training.intake import input_arrays, take_arrays

sparse = pytest.importorskip("scipy.sparse")

rng = np.random.default_rng(0)
X = sparse.random_array((300, 700), density=0.02, format="csr", dtype=np.float32, rng=np.random.default_rng(0))
D = X.toarray()
y = (D[:, :300].sum(axis=1) > D[:, 300:600].sum(axis=1)).astype(int)


def product(rows: int, columns: int, width: int, *, transpose: bool) -> Plan:
    k = Builder()
    x = Value((rows, columns), "sparse", "input", "x0")
    b = Value((rows if transpose else columns, width), "float", "input", "b")
    return optimise(Plan(k.nodes, {"x0": x, "b": b}, {"out": k.matmul(x, b, transpose_a=transpose)}, {}, {}, rows))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 70),
    st.integers(1, 90),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.03, 0.5, 1.0]),
    st.booleans(),
    st.sampled_from([1, 2, 3]),
    st.integers(0, 2**31),
)
def test_the_fast_engine_multiplies_as_the_reference(
    rows: int, columns: int, width: int, density: float, transpose: bool, threads: int, seed: int
) -> None:
    local = np.random.default_rng(seed)
    a = sparse.random_array((rows, columns), density=density, format="csr", dtype=np.float32, rng=local)
    b = local.normal(size=(rows if transpose else columns, width)).astype(np.float32)
    plan = product(rows, columns, width, transpose=transpose)
    assert [node.op for node in plan.nodes] == ["sparse_rows_matmul"]
    expected = (a.toarray().T if transpose else a.toarray()).astype(np.float64) @ b
    for engine in (ReferenceEngine(), OneDNNEngine(threads=threads)):
        executable = engine.compile(plan, {})
        if isinstance(engine, OneDNNEngine):
            executable.temporaries[...] = 255  # a NaN wherever nothing is written
        found = executable.run({"x0": SparseRows(a), "b": b})["out"]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_float64_on_the_reference_engine_is_exact() -> None:
    a = SparseRows(sparse.csr_array(D.astype(np.float64)))
    b = rng.normal(size=(700, 5))
    found = ReferenceEngine("float64").compile(product(300, 700, 5, transpose=False), {}).run({"x0": a, "b": b})["out"]
    np.testing.assert_allclose(found, D.astype(np.float64) @ b, rtol=1e-12, atol=1e-12)


def network(*layers: Any) -> Network:
    return Network([*layers, Dense(8), ReLU(), Dense(2)], random_state=0)


def both(*make: Any, **settings: Any) -> tuple[Network, Network]:
    nets = tuple(network(*(one() for one in make)) for _ in range(2))
    for net, data in zip(nets, (X, D), strict=True):
        net.fit(data, y, **{"epochs": 3, "batch_size": 32, "verbose": 0, **settings})
    return nets


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": "sgd"},
        {"optimizer": "lbfgs"},
        {"engine": "reference"},
        {"validation_split": 0.2},
        {"class_weight": "balanced"},
        {"sample_weight": np.linspace(0.5, 1.5, 300)},
        {"shuffle": False, "batch_size": 300},
    ],
    ids=str,
)
def test_it_learns_as_from_the_dense_matrix(settings: dict[str, Any]) -> None:
    a, b = both(**settings)
    np.testing.assert_allclose(a.history_["loss"], b.history_["loss"], rtol=1e-5)
    np.testing.assert_allclose(a.predict(X), b.predict(D), rtol=1e-4, atol=1e-5)
    found, expected = a.evaluate(X, y), b.evaluate(D, y)
    assert found["accuracy"] == expected["accuracy"] and found["loss"] == pytest.approx(expected["loss"], rel=1e-5)


@pytest.mark.parametrize("first", [lambda: Dropout(0.2), LayerNorm, BatchNorm])
def test_a_network_that_needs_dense_numbers_gets_them(first: Any) -> None:
    a, b = both(first)
    assert not takes_sparse(a, 0)
    assert a.history_["loss"] == b.history_["loss"]
    np.testing.assert_array_equal(a.predict(X), b.predict(D))


def test_which_networks_and_matrices_are_read_as_sparse_rows() -> None:
    net = network().build((700,))
    assert takes_sparse(net, 0)
    assert "sparse_rows_matmul" in {n.op for n in lower_training(net, [SoftmaxCrossEntropy()], None, 8, sparse=(0,)).nodes}
    full = sparse.csr_array(rng.normal(size=(50, 700)).astype(np.float32))  # a matrix without zeros
    for matrix, expected in ((X, (0,)), (full, ())):
        taken = take_arrays(net, input_arrays(net, matrix), [y[: matrix.shape[0]]], None)
        assert taken.objective.sparse == expected


def test_a_row_is_predicted_alike_alone_and_among_others() -> None:
    net, _ = both()
    whole = net.predict(X)
    np.testing.assert_array_equal(net.predict(X[:3]), whole[:3])
    np.testing.assert_array_equal(net.predict(X, batch_size=7), whole)


@pytest.mark.parametrize("form", ["csc_array", "coo_matrix", "lil_array"])
def test_formats_entries_that_are_zero_and_entries_given_twice(form: str) -> None:
    net, _ = both()
    np.testing.assert_array_equal(net.predict(getattr(sparse, form)(D)), net.predict(X))
    twice = sparse.csr_matrix((np.array([1.0, 2.0, 0.0]), np.array([5, 5, 9]), np.array([0, 3])), (1, 700))
    np.testing.assert_allclose(net.predict(twice), net.predict(twice.toarray().astype(np.float32)), rtol=1e-5)


def test_going_on_saving_packing_and_diagnosing(tmp_path: Path) -> None:
    net, dense = both()
    for one, data in ((net, X), (dense, D)):
        one.partial_fit(data, y)
    np.testing.assert_allclose(net.predict(X), dense.predict(D), rtol=1e-4, atol=1e-5)
    net.save(tmp_path / "m.chainrule")
    np.testing.assert_array_equal(load(tmp_path / "m.chainrule").predict(X), net.predict(X))
    np.testing.assert_allclose(net.pack().predict(X), net.predict(X), rtol=1e-4, atol=1e-5)
    assert network().diagnose(X, y, epochs=3, learning_rate=1e-9).cause is not None


def test_bad_input() -> None:
    net, _ = both()
    with pytest.raises(ShapeError, match="700 features"):
        net.predict(X[:, :5])
    with pytest.raises(ParameterError, match="toarray"):
        net.input_gradient(X, y)
    with pytest.raises(ParameterError, match="y is missing"):
        network().fit(X)
    with pytest.raises(ShapeError, match=r"need \(700, ...\)"):
        Builder().sparse_rows_matmul(Value((3, 700), "sparse", "input", "x0"), Value((5, 2)))


def test_memory_stays_flat() -> None:
    n, features = 4_000, 20_000  # 320 MB as float32
    big = sparse.random_array((n, features), density=1e-3, format="csr", dtype=np.float32, rng=np.random.default_rng(0))
    model = NeuralClassifier(hidden=[4], epochs=1, random_state=0).fit(big[:64], np.arange(64) % 2)
    tracemalloc.start()
    model.fit(big, np.arange(n) % 2).predict_proba(big)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6
