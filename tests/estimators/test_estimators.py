"""The estimators as a user works with them, apart from what scikit-learn's own checks cover."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_diabetes, load_digits, load_iris, load_wine
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

import chainrule
from chainrule import Dense, Dropout, Network, NeuralClassifier, NeuralRegressor, ReLU, Reshape
from chainrule.errors import DataError, DivergenceError, DtypeError, ModelFileError, ParameterError, ShapeError
from chainrule.initializers import Orthogonal
from chainrule.layers import Input, PReLU
from chainrule.losses import BinaryCrossEntropy, SoftmaxCrossEntropy
from chainrule.optimizers import SGD, Adam, Cosine, Exponential
from chainrule.training import Callback

Estimator = NeuralClassifier | NeuralRegressor


@pytest.fixture(scope="module")
def blobs() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    y = np.arange(150) % 3
    X = rng.normal(size=(150, 4)) + 3 * np.eye(3, 4)[y]
    return X, y


def quick(**kw: Any) -> NeuralClassifier:
    return NeuralClassifier(**{"hidden": [16], "learning_rate": 0.02, "epochs": 20, "random_state": 0, **kw})


def curve(n: int = 120) -> tuple[Any, Any]:
    X = np.linspace(-1, 1, n).reshape(-1, 1)
    return X, 500 + 100 * X[:, 0] ** 2


def small(**kw: Any) -> NeuralRegressor:
    return NeuralRegressor(**{"hidden": [16], "learning_rate": 0.02, "epochs": 60, "random_state": 0, **kw})


# ---------------------------------------------------------------- how well they learn


def test_digits() -> None:
    X, y = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)
    assert NeuralClassifier(hidden=[128, 64], random_state=0).fit(train, y_train).score(test, y_test) >= 0.97


@pytest.mark.parametrize("load", [load_iris, load_wine])
def test_small_tables_in_a_pipeline(load: Callable[..., Any]) -> None:
    X, y = load(return_X_y=True)
    model = make_pipeline(StandardScaler(), NeuralClassifier(random_state=0))
    assert cross_val_score(model, X, y, cv=5).mean() >= 0.93


def test_diabetes() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = make_pipeline(StandardScaler(), NeuralRegressor(l2=0.03, random_state=0))
    # MLPRegressor(max_iter=2000) has 0.37, a linear model 0.48.
    assert cross_val_score(model, X, y, cv=5).mean() >= 0.4


def test_the_units_of_y_do_not_matter() -> None:
    X, y = curve()
    assert small().fit(X, y).score(X, y) == pytest.approx(small().fit(X, 1e-6 * y).score(X, 1e-6 * y), abs=1e-3)
    assert small().fit(X, y).score(X, y) > 0.9
    huge = small().fit(X, 1e300 * y / y.max())
    assert np.isfinite(huge.predict(X)).all()


def test_constant_y() -> None:
    X, _ = curve()
    assert small(epochs=200).fit(X, np.full(len(X), 1e6)).predict(X) == pytest.approx(1e6, abs=1)


# ---------------------------------------------------------------- labels and probabilities


@pytest.mark.parametrize("dtype", [str, object, np.int8, np.int64, np.float64])
def test_labels_of_any_kind(blobs: Any, dtype: Any) -> None:
    X, y = blobs
    labels = np.array(["a", "bb", "ccc"])[y].astype(dtype) if dtype in (str, object) else (10 * y - 5).astype(dtype)
    model = quick().fit(X, labels)
    assert model.predict(X).dtype == labels.dtype
    assert model.score(X, labels) > 0.9
    np.testing.assert_array_equal(model.classes_, np.unique(labels))


def test_bool_labels(blobs: Any) -> None:
    X, y = blobs
    model = quick().fit(X, y == 1)
    assert model.classes_.tolist() == [False, True]
    assert model.predict(X).dtype == bool
    assert model.n_outputs_ == 1


@pytest.mark.parametrize(
    ("loss", "outputs"),
    [(None, 1), ("binary_cross_entropy", 1), ("softmax_cross_entropy", 2), ("kl_divergence", 2), (BinaryCrossEntropy(), 1)],
)
def test_binary(blobs: Any, loss: Any, outputs: int) -> None:
    X, y = blobs
    model = quick(loss=loss).fit(X, y > 0)
    p, decision = model.predict_proba(X), model.decision_function(X)
    assert model.n_outputs_ == outputs
    assert p.shape == (150, 2) and decision.shape == (150,)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(np.log(p[:, 1] / p[:, 0]), decision, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(model.predict(X), decision > 0)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(p))
    assert model.score(X, y > 0) > 0.9


@pytest.mark.parametrize("loss", [None, "binary_cross_entropy", "kl_divergence", SoftmaxCrossEntropy(label_smoothing=0.1)])
def test_multiclass(blobs: Any, loss: Any) -> None:
    X, y = blobs
    model = quick(loss=loss).fit(X, y)
    p = model.predict_proba(X)
    assert p.dtype == np.float64 and p.shape == (150, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(p.argmax(axis=1), model.predict(X))
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize("loss", ["hinge", "multi_class_hinge"])
@pytest.mark.parametrize("classes", [2, 3])
def test_hinge_losses_give_no_probabilities(blobs: Any, loss: str, classes: int) -> None:
    X, y = blobs
    y = y % classes
    model = quick(loss=loss).fit(X, y)
    assert not hasattr(model, "predict_proba") and not hasattr(model, "predict_log_proba")
    assert model.score(X, y) > 0.6
    with pytest.raises(AttributeError, match=r"no predict_proba with loss='.*hinge', which gives no probabilities"):
        model.predict_proba(X)


def test_several_labels_at_once(blobs: Any) -> None:
    X, y = blobs
    Y = np.column_stack([y == 0, y != 1, X[:, 3] > 0]).astype(int)
    for loss in (None, "hinge"):
        model = quick(loss=loss, epochs=60).fit(X, Y)
        assert model.predict(X).shape == Y.shape
        assert (model.predict(X) == Y).mean() > 0.9
        np.testing.assert_array_equal(model.predict(X), model.decision_function(X) > 0)
    p = quick().fit(X, Y).predict_proba(X)
    assert ((p > 0) & (p < 1)).all()
    weighted = quick(class_weight=[0.0, 1.0, 1.0]).fit(X, Y)
    assert (weighted.predict(X)[:, 0] == Y[:, 0]).mean() < 0.9 < (weighted.predict(X)[:, 1] == Y[:, 1]).mean()
    with pytest.raises(ParameterError, match="3 labels at once"):
        quick(loss="softmax_cross_entropy").fit(X, Y)
    rare = np.column_stack([np.arange(150) % 15 == 0, y == 1]).astype(int)  # the first label has nothing to do with X
    assert not quick(hidden=()).fit(X, rare).predict(X)[:, 0].any()
    balanced = quick(hidden=(), class_weight="balanced").fit(X, rare)
    assert balanced.predict_proba(X)[:, 0].mean() == pytest.approx(0.5, abs=0.15)


def test_probabilities_far_out_stay_exact(blobs: Any) -> None:
    X, y = blobs
    model = quick().fit(X, y > 0)
    far = model.predict_proba(1e4 * X)
    assert np.isfinite(far).all() and ((far >= 0) & (far <= 1)).all()


def test_regression_of_several_outputs() -> None:
    X, y = curve()
    Y = np.column_stack([y, -1000 * y + 3])
    model = small().fit(X, Y)
    assert model.predict(X).shape == Y.shape and model.score(X, Y) > 0.9
    assert small(epochs=2).fit(X, y[:, None]).predict(X).shape == (len(X), 1)


def test_counts() -> None:
    X, _ = curve(300)
    y = np.random.default_rng(0).poisson(np.exp(1 + X[:, 0]))
    model = small(loss="poisson").fit(X, y)
    assert model.target_scale_.tolist() == [1.0]
    np.testing.assert_allclose(model.predict([[1.0], [-1.0]]), np.exp([2.0, 0.0]), rtol=0.4)


@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_other_losses_of_numbers(loss: str) -> None:
    X, y = curve()
    assert small(loss=loss).fit(X, y).score(X, y) > 0.8


# ---------------------------------------------------------------- weights


def test_weight_zero_is_the_same_as_leaving_out(blobs: Any) -> None:
    X, y = blobs
    weight = (np.arange(150) % 5 != 0).astype(float)
    kept = weight > 0
    a, b = quick().fit(X, y, weight), quick().fit(X[kept], y[kept])
    np.testing.assert_array_equal(a.decision_function(X), b.decision_function(X))
    a = quick().fit(X, np.where(kept, y, 7), 2.5 * weight)
    assert a.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(a.decision_function(X), b.decision_function(X))


def test_class_weight(blobs: Any) -> None:
    X, y = blobs
    noise = np.random.default_rng(0).normal(size=X.shape)
    towards = quick(class_weight={0: 1.0, 1: 1e-3, 2: 1e-3}).fit(noise, y)
    assert (towards.predict(noise) == 0).mean() > 0.9
    few = np.r_[0:150:3, 1:30:3]
    balanced = quick(class_weight="balanced").fit(X[few], y[few])
    by_hand = quick().fit(X[few], y[few], np.where(y[few] == 0, 1 / 50, 1 / 10))
    np.testing.assert_allclose(balanced.decision_function(X), by_hand.decision_function(X), rtol=1e-3, atol=1e-3)
    with pytest.raises(DataError, match="zero for every sample"):
        quick(class_weight={0: 0, 1: 0, 2: 0}).fit(X, y)


# ---------------------------------------------------------------- parameters


def test_layers(blobs: Any) -> None:
    X, y = blobs
    layers = [Reshape((2, 2)), Reshape((4,)), Dense(16), ReLU(), Dropout(0.1), Dense(3)]
    model = quick(layers=layers)
    assert model.fit(X, y).score(X, y) > 0.9
    assert model.network_.layers["2.dense"] is not layers[2]
    assert quick(layers=[Dense(2)]).fit(X, y > 0).n_outputs_ == 2
    with pytest.raises(ShapeError, match=r"need 3 output\(s\), and the network gives 4\. Let layers end with Dense\(3\)"):
        quick(layers=[Dense(4)]).fit(X, y)
    with pytest.raises(ParameterError, match="Unknown architecture 'dense'"):
        quick(layers="dense").fit(X, y)
    with pytest.raises(ParameterError, match="expected a list of layers"):
        quick(layers=3).fit(X, y)
    again = [Dense(4), ReLU()]
    assert clone(quick(layers=again)).layers is not again


def test_a_network_is_copied_with_its_weights(blobs: Any) -> None:
    X, y = blobs
    network = Network([Dense(16), ReLU(), Dense(3)], random_state=1).fit(X, y, epochs=30, learning_rate=0.02, verbose=0)
    before = network.parameters.flat.copy()
    model = NeuralClassifier(layers=network, epochs=1, learning_rate=1e-6).fit(X, y)
    np.testing.assert_array_equal(network.parameters.flat, before)
    np.testing.assert_allclose(model.network_.parameters.flat, before, atol=1e-3)
    x = Input(4)
    two = Network(inputs=[x, Input(4)], outputs=[Dense(3)(x)])
    with pytest.raises(ShapeError, match="one input and one output"):
        NeuralClassifier(layers=two).fit(X, y)


def test_activation_layers_are_not_shared() -> None:
    X, y = curve()
    activation = PReLU()
    model = small(hidden=[4, 4], activation=activation, weight_init=Orthogonal(), epochs=1).fit(X, y)
    names = [name for name in model.network_.parameters if "prelu" in name]
    assert len(names) == 2


def test_optimizers_and_schedules(blobs: Any) -> None:
    X, y = blobs
    for optimizer, rate in [
        ("sgd", 0.1),
        (Adam(0.02), None),
        (SGD(0.1, momentum=0.9), Cosine(0.1, total=200)),
        ("lbfgs", None),
    ]:
        assert quick(optimizer=optimizer, learning_rate=rate).fit(X, y).score(X, y) > 0.9
    model = quick(optimizer=SGD(0.5), learning_rate=None, l2=0.01).fit(X, y)
    assert model.network_.optimizer_ == SGD(0.5, l2=0.01)


def test_linear_model_and_one_int(blobs: Any) -> None:
    X, y = blobs
    assert len(quick(hidden=()).fit(X, y).network_.layers) == 1
    assert quick(hidden=8).fit(X, y).network_.parameters["0.dense.weight"].shape == (4, 8)
    assert quick(hidden=np.array([8, 4])).fit(X, y).n_outputs_ == 3


def test_early_stopping(blobs: Any) -> None:
    X, y = blobs
    noise = np.random.default_rng(1).permutation(y)
    model = quick(early_stopping=True, patience=3, epochs=200).fit(X, noise)
    assert model.n_iter_ < 100 and "val_loss" in model.history_
    assert not hasattr(model, "partial_fit")


def test_tolerance_ends_a_fit_that_has_converged(blobs: Any) -> None:
    X, y = blobs
    assert quick(epochs=500, tolerance=0.01).fit(X, y).n_iter_ < 100
    assert quick(epochs=30, tolerance=None).fit(X, y).n_iter_ == 30 == len(quick(epochs=30).fit(X, y).loss_curve_)


@pytest.mark.parametrize("make", [quick, small])
def test_random_state(make: Any) -> None:
    X, y = curve()
    y = y > 550 if make is quick else y
    same = [make(random_state=3, dropout=0.2, epochs=5).fit(X, y).network_.parameters.flat for _ in range(2)]
    np.testing.assert_array_equal(*same)
    varied = [make(random_state=None, epochs=2).fit(X, y).network_.parameters.flat for _ in range(2)]
    assert (varied[0] != varied[1]).any()
    for state in (np.random.RandomState(0), np.random.default_rng(0)):
        pair = [make(random_state=copy.deepcopy(state), epochs=2).fit(X, y).network_.parameters.flat for _ in range(2)]
        np.testing.assert_array_equal(*pair)


def test_float64(blobs: Any) -> None:
    X, y = blobs
    model = quick(precision="float64", epochs=10).fit(X, y)
    assert model.network_.parameters.flat.dtype == np.float64


def test_predictions_do_not_depend_on_the_other_rows() -> None:
    rng = np.random.default_rng(0)
    many = rng.normal(size=(1025, 300))
    model = quick(hidden=[512], epochs=1).fit(many, rng.integers(0, 100, 1025))
    whole = model.decision_function(many)
    for n in (1, 2, 3, 7, 1024):
        np.testing.assert_array_equal(model.decision_function(many[:n]), whole[:n])
    np.testing.assert_array_equal(model.decision_function(many[-1:]), whole[-1:])


# ---------------------------------------------------------------- going on


def test_warm_start(blobs: Any) -> None:
    X, y = blobs
    model = quick(warm_start=True, epochs=5).fit(X, y)
    first = model.loss_curve_[0]
    network = model.network_
    assert model.fit(X, y).network_ is network
    assert model.loss_curve_[0] < first and model.n_iter_ == 5
    with pytest.raises(DataError, match="labels that were not there in training: 9"):
        model.fit(X, np.where(y == 2, 9, y))
    with pytest.raises(ShapeError, match="expecting 4 features"):
        model.fit(X[:, :2], y)
    with pytest.raises(DataError, match=r"y has shape \(150, 3\)"):
        model.fit(X, np.eye(3, dtype=int)[y])


def test_partial_fit(blobs: Any) -> None:
    X, y = blobs
    model = quick(learning_rate=Exponential(0.02, decay=0.999))
    for start in range(0, 150, 15):
        rows = slice(start, start + 15)
        model.partial_fit(X[rows], y[rows], classes=[0, 1, 2] if start == 0 else None)
    assert model.network_.optimizer_.learning_rate == Exponential(0.02, decay=0.999)
    for _ in range(30):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.9 and model.n_iter_ == 40
    restored = pickle.loads(pickle.dumps(model))
    assert restored.partial_fit(X, y).score(X, y) > 0.9
    with pytest.raises(DataError, match="labels that were not there in training: 5"):
        model.partial_fit(X, y + 5)
    with pytest.raises(DataError, match="is not what the first call had"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(DataError, match="classes must be passed on the first call to partial_fit"):
        quick().partial_fit(X, y)
    with pytest.raises(ParameterError, match="'balanced' is not supported for partial_fit"):
        quick(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])


def test_partial_fit_keeps_the_optimizers_state() -> None:
    X, y = curve()
    one, two = small(shuffle=False, epochs=2, tolerance=None), small(shuffle=False)
    one.fit(X, y)
    two.partial_fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(one.predict(X), two.predict(X))
    with pytest.raises(DataError, match=r"y has 2 output\(s\), and the first data had 1"):
        two.partial_fit(X, np.column_stack([y, y]))


def test_partial_fit_of_several_labels(blobs: Any) -> None:
    X, y = blobs
    Y = np.eye(3, dtype=int)[y]
    assert quick().partial_fit(X, Y).partial_fit(X, Y).predict(X).shape == Y.shape


# ---------------------------------------------------------------- data


def test_dataframes(blobs: Any) -> None:
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    X, y = blobs
    names = ["a", "b", "c", "d"]
    frame = pd.DataFrame(X, columns=names)
    model = quick().fit(frame, pd.Series(y, index=np.arange(150)[::-1]))
    assert model.feature_names_in_.tolist() == names
    np.testing.assert_array_equal(model.predict(frame), model.predict(pl.DataFrame(X, schema=names)))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["b", "a", "c", "d"]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)


def test_memory_maps(tmp_path: Path, blobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = blobs
    stored = np.memmap(tmp_path / "X", np.float32, "w+", shape=X.shape)
    stored[:] = X
    expected = quick().fit(X, y).decision_function(X)
    np.testing.assert_array_equal(quick().fit(stored, y).decision_function(stored), expected)
    monkeypatch.setattr("chainrule.estimators.training._ORDERED_BYTES", 0)  # as for arrays of that size
    expected = quick().fit(X, y).decision_function(X)
    monkeypatch.setattr("chainrule.estimators.features._SMALL_MAP_BYTES", 0)
    np.testing.assert_allclose(quick().fit(stored, y).decision_function(stored), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        (np.ones((3, 2)), [0, 1], DataError, "X has 3 samples but y has 2"),
        (np.array([[1.0, 2], [np.nan, 4]]), [0, 1], DataError, "X contains NaN.*at row 1, column 0"),
        (np.array([[1.0, 2], [3, np.inf]]), [0, 1], DataError, "X contains infinity.*at row 1, column 1"),
        ([[1.0, "red"], [2.0, "blue"]], [0, 1], DtypeError, "X must hold numbers, got text at row 0, column 1: 'red'"),
        (np.ones((0, 2)), [], DataError, "0 sample"),
        (np.ones((2, 0)), [0, 1], DataError, "0 feature"),
        (np.ones(4), [0, 1, 0, 1], ShapeError, "Reshape your data"),
        (np.ones((2, 2, 2)), [0, 1], ShapeError, "3"),
        (np.ones((2, 2)), None, DataError, "target y is None"),
        (np.ones((2, 2)), [0.5, 1.5], DataError, "continuous"),
        (np.ones((2, 2)), [1, 1], DataError, "only 1 class"),
        (np.ones((2, 2)), [0.0, np.nan], DataError, "y contains NaN.*at row 1"),
        (np.ones((2, 2)), [[0, 2], [1, 0]], DataError, "Multioutput"),
    ],
)
def test_bad_data(X: Any, y: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        NeuralClassifier(epochs=1).fit(X, y)


def test_bad_targets_of_a_regressor() -> None:
    with pytest.raises(DataError, match=r"y contains infinity.*at row 1"):
        NeuralRegressor().fit([[1.0], [2.0]], [0.0, np.inf])
    with pytest.raises(DtypeError, match="y must hold numbers, got text"):
        NeuralRegressor().fit([[1.0], [2.0]], ["low", "high"])


def test_bad_data_at_predict(blobs: Any) -> None:
    model = quick(epochs=1).fit(*blobs)
    with pytest.raises(ShapeError, match="X has 3 features, but NeuralClassifier is expecting 4 features as input"):
        model.predict(np.ones((2, 3)))
    with pytest.raises(DtypeError, match="must hold numbers, got text"):
        model.predict([["a", "b", "c", "d"]])
    with pytest.raises(DataError, match="X contains NaN"):
        model.predict_proba(np.full((1, 4), np.nan))
    with pytest.raises(chainrule.errors.NotFittedError, match=r"not fitted yet\. Call fit"):
        quick().predict(np.ones((2, 4)))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"activation": "rleu"}, "Unknown activation 'rleu'. Did you mean 'relu'"),
        ({"loss": "softmax_cross_entrpy"}, "Unknown loss .* Did you mean 'softmax_cross_entropy'"),
        ({"loss": "squared_error"}, "SquaredError is a loss of numbers"),
        ({"optimizer": "adm"}, "Unknown optimizer 'adm'. Did you mean 'adam'"),
        ({"weight_init": "he_norml"}, "Did you mean 'he_normal'"),
        ({"engine": "onednm"}, "Did you mean 'onednn'"),
        ({"class_weight": "balance"}, "Did you mean 'balanced'"),
        ({"class_weight": {0: -1}}, "class_weight must give each of 3 classes a finite number of at least 0"),
        ({"hidden": [-5]}, "hidden must be .* at least 1.*Got \\[-5\\]"),
        ({"hidden": [2.5]}, "hidden must be"),
        ({"hidden": "100"}, "hidden must be"),
        ({"hidden": None}, "hidden must be"),
        ({"learning_rate": -0.1}, "learning_rate must be .* above 0.*Got -0.1"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"dropout": 1.0}, "dropout must be a number from 0 to below 1"),
        ({"l2": -1.0}, "l2 must be a finite number of at least 0"),
        ({"epochs": 0}, "epochs must be an int of at least 1"),
        ({"batch_size": 0}, "batch_size must be an int of at least 1"),
        ({"batch_size": "all"}, 'or "auto"'),
        ({"patience": 0}, "patience"),
        ({"tolerance": -1}, "tolerance"),
        ({"validation_fraction": 1.0}, "validation_fraction must be a number above 0 and below 1"),
        ({"verbose": 3}, "verbose"),
        ({"random_state": -1}, "random_state"),
        ({"random_state": "zero"}, "random_state"),
        ({"precision": "float16"}, "precision"),
        ({"warm_start": "yes"}, "warm_start must be True or False"),
        ({"threads": 0}, "threads"),
        ({"callbacks": [print]}, "callbacks must be instances"),
    ],
)
def test_bad_parameters(blobs: Any, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        NeuralClassifier(**parameters).fit(*blobs)


def test_bad_parameters_of_a_regressor() -> None:
    with pytest.raises(ParameterError, match="SoftmaxCrossEntropy is a loss of classes"):
        NeuralRegressor(loss="softmax_cross_entropy").fit(*curve())
    with pytest.raises(ParameterError, match="scale_targets"):
        NeuralRegressor(scale_targets=1).fit(*curve())


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (np.ones(3), DataError, "150 samples but sample_weight has 3"),
        (np.ones((150, 2)), ShapeError, "one weight a sample"),
        (-np.ones(150), DataError, "must not be negative"),
        (np.zeros(150), DataError, "non-zero"),
        (np.full(150, np.nan), DataError, "sample_weight contains NaN"),
    ],
)
def test_bad_weights(blobs: Any, weight: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        quick().fit(*blobs, weight)


def test_a_diverging_fit_keeps_the_last_good_weights() -> None:
    X, y = curve()
    model = small(optimizer="sgd", learning_rate=1e6, scale_targets=False)
    with pytest.raises(DivergenceError, match="diverged"):
        model.fit(X, y)
    assert np.isfinite(model.predict(X)).all()


# ---------------------------------------------------------------- with scikit-learn


def test_tags() -> None:
    assert is_classifier(quick()) and is_regressor(small())
    assert get_tags(quick()).classifier_tags.multi_label and get_tags(small()).target_tags.multi_output
    assert not get_tags(quick(loss="softmax_cross_entropy")).classifier_tags.multi_label


@pytest.mark.slow
def test_grid_search_in_processes(blobs: Any) -> None:
    X, y = blobs
    model = make_pipeline(StandardScaler(), quick(epochs=10))
    search = GridSearchCV(model, {"neuralclassifier__hidden": [[4], [16, 8]]}, cv=2, n_jobs=2).fit(X, y)
    assert search.best_score_ > 0.8
    alone = GridSearchCV(model, {"neuralclassifier__hidden": [[4], [16, 8]]}, cv=2).fit(X, y)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"], atol=0.02)


def _threads() -> tuple[int, str | None]:
    from chainrule.engine import get_engine

    return get_engine().threads, os.environ.get("OMP_NUM_THREADS")  # type: ignore[attr-defined]


@pytest.mark.slow
def test_workers_share_the_processors() -> None:
    joblib = pytest.importorskip("joblib")
    workers = os.cpu_count() or 1
    found = joblib.Parallel(n_jobs=max(2, workers))(joblib.delayed(_threads)() for _ in range(2))
    assert all(threads == int(limit or 0) == 1 for threads, limit in found)


def test_threads_at_the_same_time(blobs: Any) -> None:
    joblib = pytest.importorskip("joblib")
    X, y = blobs
    fit = lambda: quick().fit(X, y).decision_function(X)  # noqa: E731
    found = joblib.Parallel(n_jobs=4, backend="threading")(joblib.delayed(fit)() for _ in range(8))
    for one in found:
        np.testing.assert_array_equal(one, fit())


def _fit_and_put(queue: Any, X: Any, y: Any) -> None:
    queue.put(quick(hidden=[256], epochs=3).fit(X, y).score(X, y))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # of Python 3.12, for the fork that is tested
def test_after_a_fork(blobs: Any) -> None:
    X, y = blobs
    quick(hidden=[256], batch_size=150, threads=2).fit(X, y)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_fit_and_put, args=(queue, X, y))
    process.start()
    assert queue.get(timeout=60) > 0.5
    process.join(60)
    assert process.exitcode == 0


def test_ensembles(blobs: Any) -> None:
    X, y = blobs
    model = quick(epochs=10)
    voting = VotingClassifier([("net", model), ("line", LogisticRegression())], voting="soft").fit(X, y)
    assert voting.score(X, y) > 0.9
    assert CalibratedClassifierCV(model, cv=2).fit(X, y).score(X, y) > 0.9
    assert CalibratedClassifierCV(quick(loss="hinge", epochs=10), cv=2).fit(X, y).score(X, y) > 0.9
    assert BaggingClassifier(model, n_estimators=2, random_state=0).fit(X, y).score(X, y) > 0.9


def test_clone_and_set_params(blobs: Any) -> None:
    model = quick(optimizer=Adam(beta1=0.8), callbacks=(Callback(),)).fit(*blobs)
    again = clone(model)
    assert not hasattr(again, "network_") and again.optimizer == Adam(beta1=0.8)
    assert again.set_params(hidden=[3]).hidden == [3]
    with pytest.raises(ValueError, match=r"Unknown parameter of NeuralClassifier 'hiden'\. Did you mean 'hidden'"):
        again.set_params(hiden=[3])


def test_sklearn_callbacks(blobs: Any) -> None:
    X, y = blobs
    monitor = ScoringMonitor(scoring="accuracy")
    model = quick(epochs=4).set_callbacks(monitor).fit(X, y)
    scores = [row["accuracy"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(scores) == 4
    assert scores[-1] == model.score(X, y)
    assert scores == sorted(scores)
    plain = quick(epochs=4).fit(X, y)
    np.testing.assert_array_equal(plain.decision_function(X), model.decision_function(X))


# ---------------------------------------------------------------- keeping and seeing


@pytest.mark.parametrize("kind", ["binary", "text", "labels"])
def test_save_and_load_a_classifier(tmp_path: Path, blobs: Any, kind: str) -> None:
    X, y = blobs
    target = {"binary": y > 0, "text": np.array(["a", "b", "c"])[y], "labels": np.eye(3, dtype=int)[y]}[kind]
    weight = {"a": 2.0} if kind == "text" else None
    model = quick(class_weight=weight, optimizer=Adam(0.01), learning_rate=Cosine(0.02, total=100), activation=PReLU())
    model.fit(X, target).save(tmp_path / "model")
    loaded = NeuralClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.classes_.dtype == model.classes_.dtype
    assert loaded.loss_curve_ == model.loss_curve_ and loaded.class_weight == weight
    refitted = loaded.fit(X, target)
    np.testing.assert_array_equal(refitted.predict_proba(X), model.predict_proba(X))


def test_save_and_load_a_regressor(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    X, y = curve()
    frame = pd.DataFrame(X, columns=["x"])
    model = small(layers=[Dense(8), ReLU(), Dense(1)], epochs=5).fit(frame, y)
    model.save(tmp_path / "model")
    loaded = NeuralRegressor.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    assert loaded.feature_names_in_.tolist() == ["x"]
    np.testing.assert_array_equal(loaded.fit(frame, y).predict(frame), model.predict(frame))
    with pytest.raises(ModelFileError, match="holds a 'NeuralRegressor', no NeuralClassifier"):
        NeuralClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(chainrule.load(tmp_path / "model").predict(frame), model.predict(frame))
    model.network_.save(tmp_path / "network")
    with pytest.raises(ModelFileError, match="holds a Network, no NeuralRegressor"):
        NeuralRegressor.load(tmp_path / "network")
    with pytest.raises(chainrule.errors.NotFittedError, match="Call fit"):
        small().save(tmp_path / "never")


def test_a_hostile_estimator_file(tmp_path: Path) -> None:
    X, y = curve()
    model = small(epochs=1).fit(X, y)
    for extra in (
        {"class": "NeuralRegressor"},
        {"class": "NeuralRegressor", "params": {"system": "rm"}, "custom": False, "n_features_in": 1},
    ):
        model.network_.save(tmp_path / "bad", extra={"estimator": extra})
        with pytest.raises(ModelFileError, match="damaged"):
            NeuralRegressor.load(tmp_path / "bad")


def test_pickle(blobs: Any) -> None:
    X, y = blobs
    model = quick().fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


def test_equations(blobs: Any) -> None:
    assert "relu" in str(quick(epochs=1).fit(*blobs).equations()).lower()
