"""diagnose and cure of the estimators, as a user of scikit-learn tries them."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import NeuralClassifier, NeuralForecaster, NeuralRegressor
from chainrule.diagnosis import Change, Rule
from chainrule.errors import DataError
from chainrule.layers import Dense

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 5))
y = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
numbers = X[:, 0] * 1e5 + 3
faster = [Change("learning_rate", {"value": 0.05})]
slow = {"hidden": [16], "learning_rate": 1e-7, "epochs": 20, "random_state": 0}


def fitted_attributes(estimator):
    return sorted(set(vars(estimator)) - set(estimator.get_params(deep=False)))


def test_before_a_fit_nothing_is_changed():
    model = NeuralClassifier(**slow)
    before = fitted_attributes(model)
    found = model.diagnose(X, y)
    assert found.cause.name == "learning-rate-too-small"
    assert fitted_attributes(model) == before and not model.__sklearn_is_fitted__()


def test_after_a_fit_the_fit_is_judged():
    model = NeuralClassifier(hidden=[32], learning_rate=0.02, epochs=60, random_state=0).fit(X, y)
    before = model.network_.parameters.flat.copy()
    found = model.diagnose(X, y)
    assert found.healthy and found.history["loss"] == model.loss_curve_
    np.testing.assert_array_equal(model.network_.parameters.flat, before)
    assert NeuralClassifier(**slow).fit(X, y).diagnose(X, y).cause.name == "learning-rate-too-small"
    with pytest.raises(DataError):
        model.diagnose(X, np.repeat("unknown", 300))


def test_a_generator_as_random_state_is_not_used_up():
    state = np.random.default_rng(3)
    model = NeuralClassifier(hidden=[8], epochs=3, random_state=state)
    before = state.bit_generator.state
    model.diagnose(X, y)
    assert state.bit_generator.state == before


def test_rules_and_weights_are_passed_on():
    class Always(Rule):
        """Says so."""

        code, name = "X1", "always"

        def check(self, case):
            yield self.finding("asked", severity="note")

    found = NeuralRegressor(**slow).diagnose(X, numbers, np.ones(300), rules=[Always()])
    assert [note.name for note in found.notes if note.name == "always"] == ["always"]


def test_cure_gives_a_new_estimator():
    model = NeuralClassifier(**slow)
    better = model.cure(X, y, changes=faster)
    assert better is not model and better.cure_.improved and better.score(X, y) > 0.9
    assert better.get_params()["optimizer"].learning_rate == 0.05 and better.hidden == [16]
    assert model.get_params()["learning_rate"] == 1e-7 and not model.__sklearn_is_fitted__()
    again = type(better)(**better.get_params(deep=False)).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), better.predict_proba(X))


def test_a_changed_network_becomes_its_layers():
    model = NeuralRegressor(hidden=[], epochs=40, learning_rate=0.02, random_state=0)
    curved = np.abs(X[:, 0])
    better = model.cure(X, curved, changes=[Change("capacity", {"factor": 8.0})])
    assert better.cure_.improved and better.layers is not None and better.score(X, curved) > 0.5
    assert [type(one) for one in better.layers.layers.values()].count(Dense) == 2
    assert better.predict(X[:3]).shape == (3,)


def test_when_nothing_wins_the_estimator_is_fitted_as_it_is():
    model = NeuralClassifier(hidden=[32], learning_rate=0.02, epochs=40, random_state=0)
    same = model.cure(X, y, changes=[Change("clip", {"norm": 1e9})])
    assert not same.cure_.improved and same.score(X, y) > 0.9
    np.testing.assert_array_equal(same.predict_proba(X), model.fit(X, y).predict_proba(X))


def test_early_stopping_and_weights():
    model = NeuralClassifier(**slow, early_stopping=True, class_weight="balanced")
    better = model.cure(X, y, np.ones(300), changes=faster)
    assert better.cure_.improved and better.early_stopping and "val_loss" in better.history_


@pytest.mark.slow
def test_texts():
    good, bad = (np.array([f"{kind}{i}" for i in range(30)]) for kind in ("good", "bad"))
    labels = np.arange(120) % 2
    texts = [" ".join(rng.choice(good if label else bad, 4 + i % 3)) for i, label in enumerate(labels)]
    model = NeuralClassifier(embedding=8, **slow)
    assert model.diagnose(texts, labels).cause.name == "learning-rate-too-small"
    assert model.cure(texts, labels, changes=faster).predict(["good1 good2 good3", "bad1 bad2"]).tolist() == [1, 0]


@pytest.mark.slow
def test_forecaster():
    t = np.arange(300)
    series = 10 + np.sin(2 * np.pi * t / 12) + 0.3 * np.sin(2 * np.pi * t / 5) + 0.05 * rng.normal(size=300)
    model = NeuralForecaster(window=12, horizon=3, epochs=30, learning_rate=1e-7, random_state=0)
    assert model.diagnose(series).cause.name == "learning-rate-too-small"
    assert not hasattr(model, "network_")
    better = model.cure(series, changes=[Change("learning_rate", {"value": 0.01})])
    assert better.cure_.improved and better.predict().shape == (3,)
    assert better.scores_["network"]["mae"] < better.scores_["naive"]["mae"]
    assert better.diagnose(series).healthy


def test_in_a_pipeline():
    pipeline = pytest.importorskip("sklearn.pipeline")
    from sklearn.base import clone
    from sklearn.preprocessing import StandardScaler

    made = pipeline.make_pipeline(StandardScaler(), NeuralClassifier(**slow)).fit(X, y)
    scaled = made[:-1].transform(X)
    better = made[-1].cure(scaled, y, changes=faster)
    made.steps[-1] = ("neuralclassifier", better)
    assert made.score(X, y) > 0.9 and clone(made).fit(X, y).score(X, y) > 0.9
