"""Sparse matrices of SciPy as X."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import NeuralClassifier, NeuralRegressor
from chainrule.data.sparse import sparse_rows
from chainrule.errors import DataError, ShapeError

sparse = pytest.importorskip("scipy.sparse")

rng = np.random.default_rng(0)
dense = rng.normal(size=(150, 30)) * (rng.random((150, 30)) < 0.2)
y = (dense[:, 0] + dense[:, 1] > 0).astype(int)


def quick(kind: Any = NeuralClassifier, **changes: Any) -> Any:
    return kind(**{"hidden": [8], "learning_rate": 0.02, "epochs": 8, "random_state": 0, **changes})


@pytest.mark.parametrize(
    "form", ["csr_array", "csr_matrix", "csc_array", "coo_array", "lil_array", "dok_array", "bsr_array"]
)
def test_every_format_gives_the_same_model(form: str) -> None:
    X = getattr(sparse, form)(dense)
    expected = quick().fit(sparse.csr_array(dense), y)
    model = quick().fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(dense))
    assert model.n_features_in_ == 30 and model.score(X, y) > 0.8


def test_it_learns_as_from_the_dense_matrix() -> None:
    whole = {"batch_size": 150, "precision": "float64"}
    a, b = quick(**whole).fit(sparse.csr_array(dense), y), quick(**whole).fit(dense, y)
    np.testing.assert_allclose(a.predict_proba(dense), b.predict_proba(dense), rtol=1e-9)
    numbers = dense[:, 0]
    assert quick(NeuralRegressor, epochs=60).fit(sparse.csr_array(dense), numbers).score(dense, numbers) > 0.9


@pytest.mark.parametrize(
    "changes",
    [
        {"early_stopping": True},
        {"class_weight": "balanced"},
        {"batch_size": 7},
        {"optimizer": "lbfgs", "learning_rate": None},
        {"warm_start": True},
    ],
)
def test_parameters(changes: dict[str, Any]) -> None:
    X = sparse.csr_array(dense)
    model = quick(**changes).fit(X, y, rng.uniform(0.5, 1.5, 150))
    model.fit(X, y)
    assert model.score(X, y) > 0.7


def test_weights_are_repetitions_and_the_order_does_not_matter() -> None:
    X, weight, order = sparse.csr_array(dense), rng.integers(0, 3, 150), rng.permutation(150)
    rows = np.repeat(np.arange(150), weight)
    expected = quick().fit(X[rows], y[rows]).predict_proba(X)
    np.testing.assert_array_equal(quick().fit(X[order], y[order], weight[order]).predict_proba(X), expected)


def test_passes_validation_diagnosis_and_files(tmp_path: Path) -> None:
    X = sparse.csr_array(dense)
    model = quick()
    for _ in range(8):
        model.partial_fit(X, y, classes=[0, 1])
    assert model.score(X, y) > 0.8
    assert "val_loss" in quick().fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:]).history_
    assert quick(learning_rate=1e-8, epochs=10).diagnose(X, y).cause is not None
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(NeuralClassifier.load(tmp_path / "m").predict(X), model.predict(X))


def test_pipelines_of_texts_and_categories() -> None:
    pytest.importorskip("sklearn")
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    texts = [f"{'good' if i % 2 else 'bad'} word{i % 7} other{i % 5}" for i in range(100)]
    assert (
        make_pipeline(TfidfVectorizer(), quick(epochs=60)).fit(texts, np.arange(100) % 2).score(texts, np.arange(100) % 2)
        == 1
    )
    kinds = np.array([[f"a{i % 10}", f"b{i % 3}"] for i in range(120)])
    made = make_pipeline(OneHotEncoder(), quick(NeuralRegressor, epochs=100)).fit(kinds, np.arange(120) % 10)
    assert made.score(kinds, np.arange(120) % 10) > 0.8


@pytest.mark.parametrize(
    ("X", "error", "says"),
    [
        (sparse.csr_array([[0.0, np.nan], [1.0, 0.0]]), DataError, "NaN, first in row 0, column 1"),
        (sparse.csr_array([[0.0, 1.0], [np.inf, 0.0]]), DataError, "infinity, first in row 1, column 0"),
        (sparse.csr_array([[0.0, 1e300], [1.0, 0.0]]), DataError, "float32"),
        (sparse.csr_array([[0.0, 1j], [1.0, 0.0]]), DataError, "Complex"),
        (sparse.csr_array((0, 3)), DataError, "0 sample"),
        (sparse.csr_array((3, 0)), DataError, "0 feature"),
    ],
)
def test_bad_matrices(X: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        quick().fit(X, np.arange(X.shape[0]) % 2)


def test_other_bad_input() -> None:
    with pytest.raises(ShapeError, match="must have shape"):
        sparse_rows(sparse.coo_array(np.ones(3)))
    model = quick().fit(sparse.csr_array(dense), y)
    with pytest.raises(ShapeError, match="30 features"):
        model.predict(sparse.csr_array(dense[:, :5]))


@pytest.mark.slow
def test_the_whole_is_never_dense() -> None:
    n, features = 8_000, 20_000  # 640 MB as float32
    X = sparse.random_array((n, features), density=1e-3, format="csr", dtype=np.float32, rng=np.random.default_rng(0))
    labels = np.arange(n) % 2
    model = NeuralClassifier(hidden=[4], epochs=1, random_state=0)
    model.fit(X[:64], labels[:64])
    tracemalloc.start()
    model.fit(X, labels)
    model.predict_proba(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 220e6
