"""Sparse matrices, graph convolution, and networks whose samples are the nodes of one graph."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from chainrule import Dense, Dropout, GraphConv, Network, ReLU, SparseMatrix, load
from chainrule.engine import get_engine
from chainrule.errors import ChainruleError, DataError, DtypeError, ParameterError, ShapeError
from chainrule.losses import SoftmaxCrossEntropy
from chainrule.ops import Builder, Value
from chainrule.plan import Plan, optimise
from chainrule.testing import check_layer

sparse = pytest.importorskip("scipy.sparse")
NODES = 7
EDGES = [(0, 1), (1, 2), (2, 3), (0, 3), (4, 5), (5, 1), (0, 0)]  # node 6 has no edge, node 0 a loop of its own


def dense_propagation(a: np.ndarray) -> np.ndarray:
    a = a + np.eye(len(a))
    root = np.sqrt(a.sum(axis=1))
    return a / np.outer(root, root)


def adjacency(**options: object) -> SparseMatrix:
    return SparseMatrix.from_edges(EDGES, nodes=NODES, **options)  # type: ignore[arg-type]


def two_groups(seed: int = 0, size: int = 40) -> tuple[SparseMatrix, np.ndarray, np.ndarray]:
    """A graph of two groups whose nodes have mostly neighbours in their own; features say nothing but which node it is."""
    rng = np.random.default_rng(seed)
    y = np.arange(size) % 2
    a, b = rng.integers(0, size, (2, 8 * size))
    keep = (y[a] == y[b]) | (rng.random(8 * size) < 0.05)
    return SparseMatrix.from_edges(np.stack([a, b], 1)[keep], nodes=size), np.eye(size, dtype=np.float32), y


# ---------------------------------------------------------------- matrices


def test_matrix_is_the_same_from_all_that_users_hold() -> None:
    a = adjacency()
    dense = a.to_dense()
    assert dense[0, 0] == 1 and dense.sum() == 13 and (dense == dense.T).all()
    assert (
        SparseMatrix.of(dense) == a == SparseMatrix.of(sparse.csr_matrix(dense)) == SparseMatrix.of(sparse.coo_array(dense))
    )
    twice = SparseMatrix.from_edges([*EDGES, (1, 0)], nodes=NODES)
    assert twice == a  # an edge given twice counts once
    assert SparseMatrix.from_edges(EDGES).shape == (6, 6)
    assert SparseMatrix.from_edges([], nodes=3).entries == 0
    weighted = SparseMatrix.from_edges([(0, 1)], weights=[0.5], directed=True)
    np.testing.assert_array_equal(weighted.to_dense(), [[0, 0.5], [0, 0]])


def test_propagation_is_the_formula() -> None:
    a = adjacency()
    np.testing.assert_allclose(a.propagation().to_dense(), dense_propagation(a.to_dense()), rtol=1e-15)
    bare = a.propagation(self_loops=False).to_dense()
    assert not bare[6].any() and np.isfinite(bare).all()  # no edge, no loop: nothing to divide by
    np.testing.assert_array_equal(a.propagation(normalise=False).to_dense(), a.to_dense() + np.eye(NODES))


@pytest.mark.parametrize("columns", [(), (1,), (5,)])
def test_products_and_transposes_of_matrices_with_empty_rows(columns: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(9, 6)) * (rng.random((9, 6)) < 0.3)
    dense[[0, 4, 8]] = 0
    m, scale = SparseMatrix.of(dense), rng.normal(size=np.count_nonzero(dense))
    x, z = rng.normal(size=(6, *columns)), rng.normal(size=(9, *columns))
    np.testing.assert_allclose(m.dot(x), dense @ x, atol=1e-12)
    np.testing.assert_allclose(m.dot(z, transpose=True), dense.T @ z, atol=1e-12)
    scaled = dense.copy()
    scaled[m.rows, m.indices] *= scale
    np.testing.assert_allclose(m.dot(x, scale=scale), scaled @ x, atol=1e-12)
    np.testing.assert_allclose(m.dot(z, scale=scale, transpose=True), scaled.T @ z, atol=1e-12)
    np.testing.assert_array_equal(m.transposed.to_dense(), dense.T)
    assert m.transposed.transposed is m and adjacency().transposed == adjacency()


def test_matrix_is_copied_pickled_and_compared_by_value() -> None:
    a = adjacency()
    assert pickle.loads(pickle.dumps(a)) == a and copy.deepcopy(a) is a and SparseMatrix(**a.config()) == a
    assert a != SparseMatrix.from_edges(EDGES, nodes=NODES + 1) and a != "a"
    assert len({a, adjacency()}) == 1 and repr(a) == "SparseMatrix(7×7, 13 entries)"
    with pytest.raises(ValueError, match="read-only"):
        a.values[0] = 2


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", [(1, 1, 1), (300, 200, 17), (500, 3, 64), (3, 500, 33)])
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
def test_fast_engine_against_dense_products(
    threads: int, shape: tuple[int, int, int], transpose: bool, scaled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.engine.onednn.engine._WORTH_DIVIDING", 0.0)
    rows, columns, width = shape
    rng = np.random.default_rng(rows)
    dense = rng.normal(size=(rows, columns)) * (rng.random((rows, columns)) < 0.1)
    m = SparseMatrix.of(dense)
    x = rng.normal(size=((rows if transpose else columns), width)).astype(np.float32)
    s = rng.normal(size=m.entries).astype(np.float32)
    k = Builder()
    inputs = {"x": Value(x.shape, role="input", name="x"), "s": Value(s.shape, role="input", name="s")}
    given = {"x": x, "s": s} if scaled and m.entries else {"x": x}
    scale = inputs["s"] if "s" in given else None
    out = k.sparse_matmul(m, inputs["x"], transpose=transpose, scale=scale)
    plan = optimise(Plan(k.nodes, {n: inputs[n] for n in given}, {"y": k.relu(out)}, {}, {}, 1))
    if scale is not None:
        dense[m.rows, m.indices] *= s
    wanted = np.maximum((dense.T if transpose else dense) @ x, 0)
    got = get_engine("onednn", threads=threads).compile(plan, {}).run(given)["y"]
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SparseMatrix((2, 2), [0, 1], [0], [1.0]), ShapeError, "indptr"),
        (lambda: SparseMatrix((2, 2), [0, 1, 1], [2], [1.0]), DataError, "from 0 to 1"),
        (lambda: SparseMatrix((2, 2), [0, 1, 1], [0], [np.nan]), DataError, "finite"),
        (lambda: SparseMatrix((2,), [0], [], []), ParameterError, r"\(rows, columns\)"),
        (lambda: SparseMatrix.from_edges([(0, 1, 2)]), ShapeError, r"\(edges, 2\)"),
        (lambda: SparseMatrix.from_edges([(0.5, 1)]), DtypeError, "whole numbers"),
        (lambda: SparseMatrix.from_edges([(0, 9)], nodes=5), DataError, "from 0 to 4. Got 0 to 9"),
        (lambda: SparseMatrix.from_edges([(0, -1)]), DataError, "Got -1"),
        (lambda: SparseMatrix.from_edges([(0, 1)], weights=[1.0, 2.0]), ShapeError, "one for each of 1 edges"),
        (lambda: SparseMatrix.of(np.array([["a"]])), DtypeError, "numbers"),
        (lambda: SparseMatrix.of(np.zeros(3)), ShapeError, "matrix"),
    ],
)
def test_bad_matrices(make, error: type[Exception], message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=message):
        make()


# ---------------------------------------------------------------- the layer


@pytest.mark.parametrize("options", [{}, {"normalise": False}, {"self_loops": False}, {"bias": False}])
@pytest.mark.parametrize(("units", "inputs"), [(3, 5), (5, 3), (2, 2)])
@pytest.mark.parametrize("directed", [False, True])
def test_equations(options: dict[str, bool], units: int, inputs: int, directed: bool) -> None:
    report = check_layer(GraphConv(units, adjacency(directed=directed), **options), (inputs,), batches=(NODES,))
    assert report.compared > 20


def test_layer_is_the_formula_and_takes_every_kind_of_adjacency() -> None:
    a, x = adjacency(), np.random.default_rng(0).normal(size=(NODES, 4)).astype(np.float32)
    full = np.array([*EDGES, (6, 6)])
    for given in (a, a.to_dense(), sparse.csr_array(a.to_dense()), full):
        net = Network([GraphConv(3, given)], random_state=0).build((4,))
        w = net.parameters["0.graph_conv.weight"].astype(np.float64)
        dense = SparseMatrix.from_edges(full).to_dense() if given is full else a.to_dense()
        np.testing.assert_allclose(net.predict(x), dense_propagation(dense) @ (x @ w), atol=1e-6)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (np.zeros((3, 4)), ShapeError, "square.*3×4"),
        (sparse.csr_matrix(np.ones((2, 5))), ShapeError, "square.*2×5"),
        (np.array([[0, 1], [1, 0]]), ParameterError, "matrix or two edges"),
        (np.array([["a", "b"]]), DtypeError, "numbers"),
        (np.array([[0.0, -1.0], [-1.0, 0.0]]), DataError, "negative"),
        (np.array([[0.0, np.nan], [1.0, 0.0]]), DataError, "finite"),
        ("graph", DtypeError, "numbers"),
    ],
)
def test_bad_adjacency(given: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Network([GraphConv(2, given)])


@pytest.mark.parametrize("options", [{"units": 0}, {"normalise": 1}, {"self_loops": None}, {"bias": "yes"}])
def test_bad_arguments(options: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match=r"GraphConv|graph"):
        Network([GraphConv(**{"units": 2, "adjacency": adjacency(), **options})])  # type: ignore[arg-type]


# ---------------------------------------------------------------- networks of a graph


def test_nodes_must_fit_the_graph() -> None:
    net = Network([GraphConv(2, adjacency())], random_state=0)
    with pytest.raises(ShapeError, match=r"X has 5 rows.*7 nodes"):
        net.fit(np.zeros((5, 3)), np.zeros(5, int), verbose=0)
    net.build((3,))
    with pytest.raises(ShapeError, match=r"X has 9 rows.*7 nodes"):
        net.predict(np.zeros((9, 3), np.float32))
    with pytest.raises(DataError, match=r"7.*6|6.*7"):
        net.fit(np.zeros((7, 3)), np.zeros(6, int), verbose=0)
    with pytest.raises(ParameterError, match=r"validation_split.*-1"):
        net.fit(np.zeros((7, 3)), np.zeros(7, int), validation_split=0.2, verbose=0)
    with pytest.raises(ShapeError, match=r"'0.graph_conv' has a graph of 7 nodes and layer '1.graph_conv' one of 6"):
        Network([GraphConv(2, adjacency()), GraphConv(2, SparseMatrix.from_edges(EDGES))]).build((3,))


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_nodes_without_labels_are_left_out(engine: str) -> None:
    a, x, y = two_groups()
    shown = np.where(np.arange(len(y)) < 4, y, -1)
    net = Network([GraphConv(8, a), ReLU(), GraphConv(2, a)], random_state=0)
    rest = np.where(shown < 0, y, -1)
    net.fit(x, shown, epochs=60, learning_rate=0.05, validation_data=(x, rest), verbose=0, engine=engine)
    assert net.loss_.ignore_label == -1
    found = net.evaluate(x, rest)
    assert found["accuracy"] > 0.9 and found["accuracy"] == pytest.approx(net.history_["val_accuracy"][-1])
    assert net.history_["accuracy"][-1] == 1.0  # of the four that have labels
    z = net.predict(x).astype(np.float64)
    losses = np.log(np.exp(z).sum(1)) - z[np.arange(len(y)), y]
    assert net.evaluate(x, shown)["loss"] == pytest.approx(losses[:4].mean(), rel=1e-4, abs=1e-6)
    assert found["accuracy"] == pytest.approx((z.argmax(1) == y)[4:].mean())


def test_trace_leaves_out_what_has_no_label() -> None:
    a, x, y = two_groups()
    shown = np.where(np.arange(len(y)) < 6, y, -1)
    net = Network([GraphConv(4, a), ReLU(), GraphConv(2, a)], random_state=0)
    net.fit(x, shown, epochs=1, verbose=0)
    found = net.trace(x, shown)
    assert found.loss == pytest.approx(net.evaluate(x, shown)["loss"], rel=1e-5)
    assert not found["2.graph_conv.dz"][6:].any() and found["2.graph_conv.dz"][:6].all()


def test_a_mask_as_weights_says_the_same_but_for_its_scale() -> None:
    a, x, y = two_groups()
    mask = (np.arange(len(y)) < 8).astype(float)
    loss = SoftmaxCrossEntropy()
    one = Network([GraphConv(2, a)], random_state=0).fit(
        x, y, loss=loss, sample_weight=mask * len(y) / 8, epochs=5, optimizer="sgd", verbose=0
    )
    two = Network([GraphConv(2, a)], random_state=0).fit(x, np.where(mask > 0, y, -1), epochs=5, optimizer="sgd", verbose=0)
    np.testing.assert_allclose(one.predict(x), two.predict(x), atol=1e-6)


def test_classes_are_balanced_over_the_nodes_that_have_labels() -> None:
    a, x, y = two_groups()
    shown = np.where(np.arange(len(y)) < 9, y, -1)  # five of class 0, four of class 1
    net = Network([GraphConv(2, a)], random_state=0).build((len(y),))
    from chainrule.training.intake import take_arrays

    intake = take_arrays(net, [x], [shown], None, class_weight="balanced")
    w = intake.feed.arrays["w0"]
    assert (w[9:] == 0).all()
    np.testing.assert_allclose(w[:9], np.where(y[:9] == 0, 9 / 10, 9 / 8) * len(y) / 9, rtol=1e-6)


@pytest.mark.parametrize("engine", ["onednn", "reference"])
@pytest.mark.parametrize("first", ["graph", "dense", "dropout"])
def test_sparse_features_are_the_same_as_dense_ones(engine: str, first: str) -> None:
    a, _, y = two_groups()
    rng = np.random.default_rng(1)
    x = (rng.random((len(y), 50)) * (rng.random((len(y), 50)) < 0.1)).astype(np.float32)

    def net() -> Network:
        start = {"graph": [], "dense": [Dense(6)], "dropout": [Dropout(0.0)]}[first]
        return Network([*start, GraphConv(4, a), ReLU(), GraphConv(2, a)], random_state=0)

    fits = [
        net().fit(given, y, epochs=5, verbose=0, engine=engine, validation_data=(given, y))
        for given in (x, sparse.csr_matrix(x), SparseMatrix.of(x))
    ]
    for other in fits[1:]:
        np.testing.assert_allclose(other.predict(sparse.csr_matrix(x)), fits[0].predict(x), atol=1e-4)
        np.testing.assert_allclose(other.predict(x), fits[0].predict(x), atol=1e-4)  # dense again: no matter
        assert other.evaluate(sparse.csr_matrix(x), y)["loss"] == pytest.approx(fits[0].evaluate(x, y)["loss"], rel=1e-4)
        np.testing.assert_allclose(other.history_["val_loss"], fits[0].history_["val_loss"], rtol=1e-4)


def test_dropout_of_sparse_features_is_the_same_on_every_engine() -> None:
    a, x, y = two_groups()
    fits = [
        Network([Dropout(0.5), GraphConv(4, a), ReLU(), Dropout(0.5), GraphConv(2, a)], random_state=0).fit(
            sparse.csr_matrix(x), y, epochs=10, verbose=0, engine=engine
        )
        for engine in ("onednn", "reference")
    ]
    np.testing.assert_allclose(fits[0].predict(x), fits[1].predict(x), atol=1e-4)
    plain = Network([GraphConv(4, a), ReLU(), GraphConv(2, a)], random_state=0).fit(x, y, epochs=10, verbose=0)
    assert abs(plain.predict(x) - fits[0].predict(x)).max() > 1e-3


def test_what_sparse_features_cannot_do() -> None:
    a, x, y = two_groups()
    with pytest.raises(ShapeError, match=r"sparse matrix.*toarray"):
        Network([ReLU(), GraphConv(2, a)]).fit(sparse.csr_matrix(x), y, verbose=0)
    with pytest.raises(ChainruleError, match="Sparse"):  # without a graph there is no batch that is always the same
        Network([Dense(2)]).fit(SparseMatrix.of(x), y, verbose=0)
    net = Network([GraphConv(2, a)], random_state=0).fit(x, y, epochs=1, verbose=0)
    with pytest.raises(ParameterError, match="sparse"):
        net.input_gradient(sparse.csr_matrix(x), y)
    assert net.input_gradient(x, y).shape == x.shape


def test_a_network_of_a_graph_is_saved_shown_and_copied(tmp_path) -> None:  # type: ignore[no-untyped-def]
    a, x, y = two_groups()
    given = sparse.csr_matrix(a.to_dense())
    net = Network([GraphConv(4, given), ReLU(), GraphConv(2, given)], random_state=0)
    net.fit(x, y, epochs=2, optimizer="lbfgs", verbose=0).partial_fit(x, y)
    net.save(tmp_path / "graph.chainrule")
    again = load(tmp_path / "graph.chainrule")
    np.testing.assert_array_equal(again.predict(x), net.predict(x))
    assert again.layers["0.graph_conv"].adjacency == a
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(net)).predict(x), net.predict(x))
    assert "Â x W¹" in str(net.equations()).replace("(", "").replace(")", "") and "GraphConv(4" in net.summary()
    assert net.trace(x, y)["0.graph_conv.z"].shape == (len(y), 4)
    assert "sparse_matmul" in net.plan().show()


def test_estimators_take_networks_of_a_graph() -> None:
    from chainrule import NeuralClassifier

    x, labels = np.random.default_rng(0).normal(size=(NODES, 4)), np.array(list("abababa"))
    model = NeuralClassifier(layers=[GraphConv(8, adjacency()), ReLU(), GraphConv(2, adjacency())], epochs=5, random_state=0)
    model.fit(x, labels)
    assert model.predict(x).shape == (NODES,) and set(model.predict(x)) <= {"a", "b"}
    with pytest.raises(ShapeError, match="7 nodes"):
        model.predict(x[:3])


# ---------------------------------------------------------------- labels that stand for none, in general


def test_ignored_labels_of_pixels() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 4, 4, 2)).astype(np.float32)
    y = rng.integers(0, 3, (6, 4, 4))
    y[:, 0] = 11
    loss = SoftmaxCrossEntropy(ignore_label=11)
    net = Network([Dense(3)], random_state=0)
    net.fit(x, y, loss=loss, epochs=2, batch_size=4, verbose=0, validation_data=(x, y))
    z = net.predict(x).astype(np.float64)
    each = np.log(np.exp(z).sum(-1)) - np.take_along_axis(z, np.where(y == 11, 0, y)[..., None], -1)[..., 0]
    found = net.evaluate(x, y)
    assert found["loss"] == pytest.approx(each[:, 1:].mean(), rel=1e-5)
    assert found["accuracy"] == pytest.approx((z.argmax(-1) == y)[:, 1:].mean())
    assert "accuracy" not in net.history_ and "val_accuracy" in net.history_
    with pytest.raises(DataError, match=r"every label is 11"):
        net.evaluate(x, np.full_like(y, 11))
    with pytest.raises(DataError, match="class indices from 0 to 2"):
        net.evaluate(x, np.where(y == 11, 5, y))
    with pytest.raises(ParameterError, match="ignore_label"):
        SoftmaxCrossEntropy(ignore_label=0.5).validate()  # type: ignore[arg-type]
