"""What an estimator has learned is one state: saved, loaded, pickled and copied whole, as often as one likes."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import Dense, NeuralClassifier, NeuralForecaster, NeuralRegressor, ReLU
from chainrule.errors import ModelFileError

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 4))
y = (X[:, 0] > 0).astype(int)
words = [f"{'good' if one else 'bad'} {'film' if i % 3 else 'plot'}" for i, one in enumerate(y)]
series = 10 + np.sin(np.arange(120) / 3) + 0.1 * rng.normal(size=120)
quick: dict[str, Any] = {"epochs": 3, "random_state": 0}

KINDS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "two classes": (NeuralClassifier(hidden=[8], **quick), (X, np.array(["no", "yes"])[y])),
    "three classes": (NeuralClassifier(hidden=[8], **quick), (X, np.arange(120) % 3)),
    "labels of Python": (NeuralClassifier(hidden=[8], **quick), (X, np.array(["a", "b"], object)[y])),
    "several labels": (NeuralClassifier(hidden=[8], class_weight=[1.0, 2.0], **quick), (X, np.column_stack([y, 1 - y]))),
    "hinge": (NeuralClassifier(loss="hinge", optimizer="sgd", **quick), (X, y)),
    "scaled columns": (NeuralClassifier(hidden=[8], **quick), (1e6 * X + 1e7, y)),
    "layers": (NeuralClassifier(layers=[Dense(6), ReLU(), Dense(1)], **quick), (X, y)),
    "texts": (NeuralClassifier(embedding=4, early_stopping=True, **quick), (words, y)),
    "numbers": (NeuralRegressor(hidden=[8], **quick), (X, 1000 * X[:, 0])),
    "several numbers": (NeuralRegressor(hidden=[8], precision="float64", **quick), (X, X[:, :2])),
    "counts": (NeuralRegressor(hidden=[8], loss="poisson", **quick), (X, np.abs(np.rint(3 * X[:, 0])))),
    "series": (NeuralForecaster(window=6, horizon=2, **quick), (series,)),
    "dated series": (NeuralForecaster(window=6, transformation="log", season=4, **quick), (X, series)),
}


@pytest.fixture(params=list(KINDS))
def fitted(request: pytest.FixtureRequest) -> tuple[Any, tuple[Any, ...]]:
    model, data = KINDS[request.param]
    return copy.deepcopy(model).fit(*data), data


def answers(model: Any, data: tuple[Any, ...]) -> list[Any]:
    if isinstance(model, NeuralForecaster):
        forecast = model.predict_interval(*data, level=0.8)
        return [model.predict(), forecast.mean, forecast.upper, model.score(*data), model.report()]
    found = [model.predict(data[0])]
    if hasattr(model, "predict_proba"):
        found.append(model.predict_proba(data[0]))
    return found


def same(a: Any, b: Any, data: tuple[Any, ...]) -> None:
    for one, other in zip(answers(a, data), answers(b, data), strict=True):
        np.testing.assert_array_equal(one, other)
    assert str(a.equations()) == str(b.equations())
    assert a.history_.to_dict() == b.history_.to_dict() and a.n_iter_ == b.n_iter_ and a.loss_curve_ == b.loss_curve_
    assert sorted(a.network_.metrics_, key=repr) == sorted(b.network_.metrics_, key=repr)


def test_files_of_files(fitted: Any, tmp_path: Path) -> None:
    model, data = fitted
    model.save(tmp_path / "a")
    once = type(model).load(tmp_path / "a")
    same(model, once, data)
    once.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    twice = type(model).load(tmp_path / "b")
    same(model, twice, data)
    assert once.get_params(deep=False).keys() == model.get_params(deep=False).keys()
    again = pickle.loads(pickle.dumps(once))
    again.save(tmp_path / "c")
    same(model, type(model).load(tmp_path / "c"), data)


@pytest.mark.slow
def test_what_is_loaded_works_on(fitted: Any, tmp_path: Path) -> None:
    model, data = fitted
    model.save(tmp_path / "a")
    loaded = type(model).load(tmp_path / "a")
    assert loaded.diagnose(*data) is not None
    same(model, loaded, data)
    if hasattr(loaded, "partial_fit"):
        before = loaded.network_.parameters.flat.copy()
        loaded.partial_fit(*data)
        assert not np.array_equal(before, loaded.network_.parameters.flat)
        loaded.save(tmp_path / "b")
        same(loaded, type(model).load(tmp_path / "b"), data)
    loaded.fit(*data)
    assert len(answers(loaded, data)) == len(answers(model, data))


def test_copies_and_pickles(fitted: Any) -> None:
    model, data = fitted
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), copy.deepcopy(copy.deepcopy(model))):
        same(model, other, data)
        assert vars(other).keys() == vars(model).keys()


def test_nothing_that_is_learned_is_left_out(fitted: Any) -> None:
    """Every attribute of a fitted estimator is a parameter, part of the state, or taken from the network."""
    model, _ = fitted
    of_network = {"network_", "history_", "loss_curve_", "n_iter_", "n_outputs_"}
    of_others = {"tokenizer", "embedding", "warm_start", "scale_inputs", "architecture", "pretrained", "fine_tune"}
    parameters = {*model.get_params(deep=False), *of_others}
    assert set(vars(model)) - parameters - of_network - {"_best"} <= set(model._state)


def test_a_damaged_scale_is_refused(tmp_path: Path) -> None:
    model = NeuralClassifier(hidden=[4], **quick).fit(1e6 * X, y)
    model.input_scale_ = model.input_scale_[:2]
    model.save(tmp_path / "m")
    with pytest.raises(ModelFileError, match="scales of its inputs"):
        NeuralClassifier.load(tmp_path / "m")
