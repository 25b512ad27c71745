"""What users of scikit-learn may count on: warnings, weights, validation data, nested parameters, layers from a function."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from chainrule import Dense, NeuralClassifier, NeuralForecaster, NeuralRegressor
from chainrule.errors import DataError, ParameterError, UnknownNameError
from chainrule.estimators._contract import ConvergenceWarning
from chainrule.layers import GRU, BatchNorm, Conv2D, GlobalAveragePool, ReLU
from chainrule.losses import Huber
from chainrule.optimizers import LBFGS, SGD, Adam

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 4))
y = (X[:, 0] + 0.3 * rng.normal(size=120) > 0).astype(int)
numbers = X[:, 0] * 3 + 1


def quick(kind: Any = NeuralClassifier, **changes: Any) -> Any:
    return kind(**{"hidden": [8], "learning_rate": 0.02, "epochs": 10, "random_state": 0, **changes})


# ------------------------------------------------------------ the warning


def caught(model: Any, *data: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model.fit(*data)
    return [str(one.message) for one in found if issubclass(one.category, ConvergenceWarning)]


@pytest.mark.parametrize("changes", [{}, {"early_stopping": True}])
def test_epochs_that_run_out_while_the_loss_falls(changes: dict[str, Any]) -> None:
    (message,) = caught(quick(epochs=6, learning_rate=0.003, **changes), X, y)
    which = "validation" if changes else "training"
    assert "6 epochs ran out" in message and f"{which} loss was still falling" in message and "more epochs" in message


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 1},  # one number is no trend
        {"epochs": 3000, "patience": 3, "tolerance": 0.01},  # the rule ends the fit
        {"tolerance": None},  # exactly these epochs are asked for
        {"learning_rate": 1e-9},  # the loss does not fall
        {"early_stopping": True, "epochs": 500, "patience": 3},
    ],
)
def test_no_warning_where_nothing_is_cut_off(changes: dict[str, Any]) -> None:
    assert caught(quick(**changes), X, y) == []


# ------------------------------------------------------------ weights


@pytest.mark.parametrize("kind", [NeuralClassifier, NeuralRegressor])
@pytest.mark.parametrize("changes", [{}, {"early_stopping": True, "validation_fraction": 0.3}, {"batch_size": 7}])
def test_a_whole_weight_is_a_repetition(kind: Any, changes: dict[str, Any]) -> None:
    target = y if kind is NeuralClassifier else numbers
    weight = rng.integers(0, 4, 120)
    order = rng.permutation(120)
    weighted = quick(kind, **changes).fit(X[order], target[order], weight[order])
    repeated = quick(kind, **changes).fit(np.repeat(X, weight, axis=0), np.repeat(target, weight))
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))
    np.testing.assert_array_equal(weighted.network_.parameters.flat, repeated.network_.parameters.flat)


def test_the_order_of_the_samples_does_not_matter_unless_it_is_kept() -> None:
    order = rng.permutation(120)
    for kind, target in ((NeuralClassifier, np.array(["a", "b"])[y]), (NeuralRegressor, numbers)):
        same = [quick(kind).fit(data, t).network_.parameters.flat for data, t in ((X, target), (X[order], target[order]))]
        np.testing.assert_array_equal(*same)
        other = [
            quick(kind, shuffle=False).fit(data, t).network_.parameters.flat
            for data, t in ((X, target), (X[order], target[order]))
        ]
        assert not np.array_equal(*other)


def test_of_other_weights_the_proportions_matter() -> None:
    weight = rng.uniform(0.1, 2, 120)
    expected = quick().fit(X, y, weight).predict_proba(X)
    np.testing.assert_allclose(quick().fit(X, y, 7.3 * weight).predict_proba(X), expected, rtol=1e-4)
    large = np.where(y == 1, 1_000_000, 1)  # whole numbers that nobody means as repetitions of a table in memory
    assert quick().fit(X, y, large).predict(X).mean() > 0.9


# ------------------------------------------------------------ class weights


def test_a_class_weight_that_names_no_class() -> None:
    words = np.array(["no", "yes"])[y]
    with pytest.raises(ParameterError, match=r"names 'yess', which is no class. Did you mean 'yes'.*'no', 'yes'"):
        quick(class_weight={"no": 1.0, "yess": 3.0}).fit(X, words)
    with pytest.raises(ParameterError, match="names 2"):
        quick(class_weight={2: 1.0}).fit(X, y)
    # A part of the data may lack a class that has a weight, as long as all others have one.
    quick(class_weight={0: 1.0, 1: 2.0, 2: 3.0}).fit(X, y)
    quick(class_weight={1: 2.0}).fit(X, y)


def test_balanced_weights_of_several_labels() -> None:
    from chainrule.losses import BinaryCrossEntropy
    from chainrule.training.targets import weigh

    labels = np.array([[1, 0, 1], [0, 0, 1], [0, 1, 1], [0, 0, 1]])
    kind, weight = weigh(BinaryCrossEntropy(), labels, 0, (3,), None, "balanced")
    assert kind == "element"
    expected = [[2, 2 / 3, 1], [2 / 3, 2 / 3, 1], [2 / 3, 2, 1], [2 / 3, 2 / 3, 1]]
    np.testing.assert_allclose(weight, expected)
    _, weighted = weigh(BinaryCrossEntropy(), labels, 0, (3,), np.array([3.0, 1, 1, 1]), "balanced")
    np.testing.assert_allclose(weighted[:, 0], [3 * 1, 1, 1, 1])
    with pytest.raises(ParameterError, match="balanced"):
        weigh(BinaryCrossEntropy(), labels, 0, (3,), None, "equal")


# ------------------------------------------------------------ single passes


@pytest.mark.parametrize("optimizer", ["lbfgs", LBFGS()])
def test_no_single_passes_where_the_optimizer_needs_all_data(optimizer: Any) -> None:
    for kind in (NeuralClassifier, NeuralRegressor):
        model = quick(kind, optimizer=optimizer, learning_rate=None)
        assert not hasattr(model, "partial_fit")
        with pytest.raises(AttributeError, match="LBFGS, whose every step needs all of the data"):
            _ = model.partial_fit
    assert quick(optimizer=optimizer, learning_rate=None).fit(X, y).score(X, y) > 0.9


# ------------------------------------------------------------ validation data


def test_validation_data_of_the_users_own() -> None:
    model = quick().fit(X[:80], y[:80], X_val=X[80:], y_val=y[80:])
    assert len(model.history_["val_loss"]) == 10 and len(model.history_["val_accuracy"]) == 10
    assert model.history_["val_loss"][-1] == pytest.approx(model.network_.evaluate(X[80:], y[80:])["loss"], rel=1e-5)
    stopping = quick(early_stopping=True, epochs=300, learning_rate=0.05, patience=5)
    stopping.fit(X[:80], y[:80], X_val=X[80:], y_val=y[80:])
    best = min(stopping.history_["val_loss"])
    assert stopping.n_iter_ < 300
    assert stopping.network_.evaluate(X[80:], y[80:])["loss"] == pytest.approx(best, rel=1e-5)
    weight = np.where(y[80:] == 1, 1.0, 0.0)
    only_yes = quick().fit(X[:80], y[:80], X_val=X[80:], y_val=y[80:], sample_weight_val=weight)
    assert only_yes.history_["val_loss"] != model.history_["val_loss"]
    scaled = NeuralRegressor(epochs=3, random_state=0).fit(
        X[:80], 1e6 * numbers[:80], X_val=X[80:], y_val=1e6 * numbers[80:]
    )
    assert max(scaled.history_["val_loss"]) < 10


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"y_val": None}, ParameterError, "belong together"),
        ({"X_val": X[80:, :3]}, ValueError, "X_val, y_val: .*expecting 4 features"),
        ({"y_val": y[80:] + 5}, DataError, "X_val, y_val: "),
        ({"y_val": y[81:]}, DataError, "X_val, y_val: "),
    ],
)
def test_bad_validation_data(changes: dict[str, Any], error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        quick().fit(X[:80], y[:80], **({"X_val": X[80:], "y_val": y[80:]} | changes))


def test_validation_data_go_through_a_pipeline() -> None:
    sklearn = pytest.importorskip("sklearn")
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    with sklearn.config_context(enable_metadata_routing=True):
        model = quick(NeuralRegressor, scale_inputs=False).set_fit_request(X_val=True, y_val=True)
        pipeline = Pipeline([("scale", StandardScaler()), ("model", model)], transform_input=["X_val"])
        far = 100 + 50 * X
        pipeline.fit(far[:80], numbers[:80], X_val=far[80:], y_val=numbers[80:])
        assert pipeline["model"].history_["val_loss"][-1] < 1


def test_metrics() -> None:
    model = quick(metrics=["accuracy"]).fit(X, y, X_val=X, y_val=y)
    assert "accuracy" in model.history_ and "val_accuracy" in model.history_
    assert "mean_absolute_error" in quick(NeuralRegressor, metrics="mean_absolute_error").fit(X, numbers).history_
    with pytest.raises(UnknownNameError, match="acuracy"):
        quick(metrics=["acuracy"]).fit(X, y)


# ------------------------------------------------------------ parameters within parameters


def test_arguments_of_a_parameter_by_name() -> None:
    model = quick(optimizer="sgd", loss="huber", kind=NeuralRegressor)
    model.set_params(optimizer__momentum=0.9, optimizer__nesterov=True, loss__delta=2.0, epochs=3)
    assert model.optimizer == SGD(momentum=0.9, nesterov=True) and model.loss == Huber(delta=2.0) and model.epochs == 3
    deep = model.get_params()
    assert deep["optimizer__momentum"] == 0.9 and deep["loss__delta"] == 2.0
    assert "optimizer__momentum" not in model.get_params(deep=False)
    model.set_params(optimizer=Adam(), optimizer__beta1=0.5)
    assert model.optimizer == Adam(beta1=0.5)
    shared = SGD()
    quick(optimizer=shared).set_params(optimizer__momentum=0.5)
    assert shared == SGD()  # the user's object is left alone
    with pytest.raises(UnknownNameError, match=r"optimizer 'momentm'. Did you mean 'momentum'"):
        quick(optimizer="sgd").set_params(optimizer__momentm=0.9)
    with pytest.raises(ParameterError, match="hidden has no argument 'x'"):
        quick().set_params(hidden__x=3)


def test_a_search_over_arguments_of_the_optimizer() -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV

    search = GridSearchCV(quick(optimizer="sgd"), {"optimizer__momentum": [0.0, 0.9]}, cv=2).fit(X, y)
    assert search.best_estimator_.optimizer == SGD(momentum=0.9)
    assert clone(search.best_estimator_).optimizer == SGD(momentum=0.9)


@pytest.mark.parametrize(
    ("kind", "given", "meant"),
    [
        (NeuralClassifier, {"hidden_layer_sizes": (3,)}, "hidden"),
        (NeuralRegressor, {"max_iter": 3}, "epochs"),
        (NeuralClassifier, {"lr": 3}, "learning_rate"),
        (NeuralForecaster, {"lookback": 3}, "window"),
    ],
)
def test_names_of_other_libraries(kind: Any, given: dict[str, Any], meant: str) -> None:
    with pytest.raises(UnknownNameError, match=f"Here it is called '{meant}'"):
        kind(**given)
    with pytest.raises(UnknownNameError, match=f"Here it is called '{meant}'"):
        kind().set_params(**given)


@pytest.mark.parametrize("kind", [NeuralClassifier, NeuralRegressor, NeuralForecaster])
def test_every_parameter_is_checked(kind: Any) -> None:
    model = kind()
    assert set(model.get_params(deep=False)) <= set(model._constraints)
    for name in ("epochs", "dropout", "shuffle", "optimizer", "random_state", "engine", "tolerance", "l2", "precision"):
        data = (X, y) if kind is not NeuralForecaster else (numbers,)
        with pytest.raises(
            ParameterError, match=name if name != "optimizer" else "An optimizer|Unknown optimizer|optimizer"
        ):
            kind(**{name: object()}).fit(*data)


# ------------------------------------------------------------ layers from a function


def test_a_function_that_builds_layers() -> None:
    asked = []

    def build(features: Any, outputs: int) -> list[Any]:
        asked.append((features, outputs))
        return [Dense(2 * features), BatchNorm(), ReLU(), Dense(outputs)]

    three = np.arange(120) % 3
    assert quick(layers=build).fit(X, y).score(X, y) > 0.7
    quick(layers=build).fit(X, three)
    quick(NeuralRegressor, layers=build).fit(X, np.column_stack([numbers, numbers]))
    assert asked == [(4, 1), (4, 3), (4, 2)]
    pictures = rng.normal(size=(40, 6, 6, 1))
    quick(layers=lambda shape, outputs: [Conv2D(shape[2] + 1, 3), GlobalAveragePool(), Dense(outputs)]).fit(pictures, y[:40])
    quick(layers=lambda size, outputs: [GRU(4), Dense(outputs)]).fit(["a b", "b a", "a a", "b b"] * 3, [0, 1] * 6)
    with pytest.raises(ParameterError, match=r"must return a list of layers\. Got Dense"):
        quick(layers=lambda features, outputs: Dense(outputs)).fit(X, y)


# ------------------------------------------------------------ outputs that are no numbers


def test_outputs_that_are_not_finite_are_an_error() -> None:
    far = X.copy()
    far[7] = 3e38
    model = quick(hidden=[64, 64]).fit(X, y)
    for method in (model.predict, model.predict_proba, model.decision_function):
        with pytest.raises(DataError, match=r"not finite for 1 of 120 samples, first for X\[7\].*3e\+38"):
            method(far)
    with pytest.raises(DataError, match="not finite"):
        quick(NeuralRegressor, hidden=[64, 64]).fit(X, numbers).predict(far)
