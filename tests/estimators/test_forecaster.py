"""NeuralForecaster: forecasts beside baselines, intervals that cover, and what it says of bad series."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import Dense, Flatten, Network, NeuralForecaster
from chainrule.errors import (
    DataError,
    DtypeError,
    ModelFileError,
    NotFittedError,
    ParameterError,
    ShapeError,
    UnknownNameError,
)

NAN = float("nan")


def seasonal(n: int = 200, noise: float = 0.1, seed: int = 0) -> np.ndarray[Any, Any]:
    t = np.arange(n)
    return 20 + 0.05 * t + 3 * np.sin(2 * np.pi * t / 12) + np.random.default_rng(seed).normal(0, noise, n)


def autoregressive(n: int, seed: int) -> np.ndarray[Any, Any]:
    rng, y = np.random.default_rng(seed), np.zeros(n + 50)
    for t in range(2, n + 50):
        y[t] = 1.2 * y[t - 1] - 0.5 * y[t - 2] + rng.normal()
    return y[50:]


def small(**changes: Any) -> NeuralForecaster:
    return NeuralForecaster(**({"window": 12, "horizon": 3, "season": 12, "epochs": 30, "random_state": 0} | changes))


def test_it_is_better_than_both_baselines_on_a_season_with_a_trend() -> None:
    y = seasonal()
    model = small().fit(y[:160])
    assert set(model.scores_) == {"network", "naive", "seasonal_naive"}
    found = model.backtest(y, start=160)["scores"]
    for scores in (model.scores_, found):
        assert scores["network"]["mae"] < 0.5 * min(scores["naive"]["mae"], scores["seasonal_naive"]["mae"])
    report = model.report()
    assert "last value" in report and "one season (12) before" in report and len(report.splitlines()) == 4


def test_baselines_are_what_their_names_say() -> None:
    y = seasonal(100)
    model = small(horizon=[1, 12, 13]).fit(y)
    found = model.predict_interval()
    np.testing.assert_allclose(found.naive, y[-1])
    np.testing.assert_allclose(found.seasonal_naive, [y[-12], y[-1], y[-12]])
    back = model.backtest(y, start=60)
    np.testing.assert_allclose(back["truth"][5], [y[65], y[76], y[77]])
    np.testing.assert_allclose(back["naive"][5], y[64])
    np.testing.assert_allclose(back["seasonal_naive"][5], [y[53], y[64], y[53]])


def test_a_forecast_uses_what_came_before_and_nothing_else() -> None:
    y = seasonal()
    model = small().fit(y[:150])
    back = model.backtest(y, start=150)
    for i in (0, 7):
        np.testing.assert_allclose(model.predict(y[: 150 + i]), back["network"][i], rtol=1e-5)
    changed = y.copy()
    changed[157:] += 100
    np.testing.assert_array_equal(model.predict(changed[:157]), model.predict(y[:157]))
    np.testing.assert_allclose(model.predict(), model.predict(y[:150]), rtol=1e-6)


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_cover_what_they_say(level: float) -> None:
    """Mean coverage over several series, on steps that come after the fit."""
    covered = []
    for seed in range(4):
        y = autoregressive(900, seed)
        model = small(season=None, window=8, epochs=15, random_state=seed).fit(y[:600])
        back = model.backtest(y, start=600)
        for i in range(0, 290, 7):
            found = model.predict_interval(y[: 600 + i], level=level)
            covered.append((found.lower <= back["truth"][i]) & (back["truth"][i] <= found.upper))
    assert np.mean(covered) == pytest.approx(level, abs=0.06)


def test_intervals_widen_with_the_level_and_with_the_distance() -> None:
    model = small(season=None, horizon=6).fit(autoregressive(500, 1))
    narrow, wide = model.predict_interval(level=0.5), model.predict_interval(level=0.95)
    assert (wide.lower < narrow.lower).all() and (narrow.upper < wide.upper).all()
    assert wide.upper[-1] - wide.lower[-1] > 1.5 * (wide.upper[0] - wide.lower[0])


def test_further_columns_help_where_they_tell_something() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    y = np.concatenate([[0.0], x[:-1, 0] * 2]) + rng.normal(0, 0.1, 400)
    alone = small(season=None, horizon=1).fit(y)
    model = small(season=None, horizon=1, epochs=60).fit(y, x)
    assert model.scores_["network"]["mae"] < 0.3 * alone.scores_["network"]["mae"]
    assert model.predict(y, x).shape == (1,)
    with pytest.raises(ShapeError, match=r"0 column\(s\), but the forecaster was fitted with 2"):
        model.predict(y)
    with pytest.raises(DataError, match="X has 399 steps but y has 400"):
        model.fit(y, x[1:])


@pytest.mark.parametrize("transform", ["log", "sqrt"])
def test_transforms(transform: str) -> None:
    y = np.exp(seasonal() / 10)
    model = small(transform=transform).fit(y)
    found = model.predict_interval()
    assert (found.lower > 0).all() and (np.abs(found.mean - y[-1]) < y[-1]).all()
    assert model.scores_["network"]["mae"] < model.scores_["seasonal_naive"]["mae"]


def test_gaps_are_filled_as_asked() -> None:
    y = seasonal()
    y[[30, 31, 90]] = NAN
    with pytest.raises(DataError, match="first gap at steps 30 to 31"):
        small().fit(y)
    model = small(missing="interpolate").fit(y)
    assert np.isfinite(model.predict()).all()


def test_layers_of_the_users_own() -> None:
    y = seasonal()
    model = small(layers=[Flatten(), Dense(8), Dense(3)]).fit(y)
    assert model.predict().shape == (3,)
    whole = Network([Flatten(), Dense(3)], random_state=0)
    assert small(layers=whole).fit(y).predict().shape == (3,)
    with pytest.raises(ShapeError, match=r"Dense\(3\)"):
        small(layers=[Flatten(), Dense(2)]).fit(y)


def test_it_is_saved_and_copied(tmp_path: Path) -> None:
    y = seasonal()
    model = small().fit(y)
    model.save(tmp_path / "f.chainrule")
    for again in (NeuralForecaster.load(tmp_path / "f.chainrule"), copy.deepcopy(model)):
        np.testing.assert_array_equal(again.predict(), model.predict())
        np.testing.assert_array_equal(again.predict_interval(y[:50]).upper, model.predict_interval(y[:50]).upper)
        assert again.scores_ == model.scores_ and again.get_params() == model.get_params()
    refitted = NeuralForecaster.load(tmp_path / "f.chainrule").fit(y)
    np.testing.assert_array_equal(refitted.predict(), model.predict())
    Network([Dense(1)]).build(3).save(tmp_path / "n.chainrule")
    with pytest.raises(ModelFileError, match="no NeuralForecaster"):
        NeuralForecaster.load(tmp_path / "n.chainrule")


def test_equal_seeds_give_equal_forecasts() -> None:
    y = seasonal()
    np.testing.assert_array_equal(small().fit(y).predict(), small().fit(y).predict())


@pytest.mark.parametrize(
    ("y", "changes", "error", "says"),
    [
        (np.ones(14), {}, DataError, "y has 14 steps.*need at least 16"),
        (np.ones(100), {"window": 120}, DataError, "need at least 124"),
        ([1.0, "a"], {}, DtypeError, "y"),
        (np.zeros(100), {"transform": "log"}, DataError, 'transform="log" needs values above 0. Got 0 at step 0'),
        (-np.ones(100), {"transform": "sqrt"}, DataError, "of at least 0. Got -1"),
        (np.ones(100), {"window": 0}, ParameterError, "window"),
        (np.ones(100), {"horizon": [2, 1]}, ParameterError, "ascending"),
        (np.ones(100), {"horizon": "3"}, ParameterError, "horizon"),
        (np.ones(100), {"season": 0}, ParameterError, "season"),
        (np.ones(100), {"transform": "exp"}, UnknownNameError, "transform"),
        (np.ones(100), {"missing": "drop"}, UnknownNameError, "missing"),
        (np.ones((100, 2)), {}, ShapeError, "one column"),
    ],
)
def test_bad_input(y: Any, changes: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        small(**changes).fit(y)


def test_bad_use() -> None:
    with pytest.raises(NotFittedError):
        small().predict()
    model = small().fit(seasonal())
    with pytest.raises(DataError, match="y has 5 steps, fewer than the 12"):
        model.predict(np.ones(5))
    with pytest.raises(ParameterError, match="level"):
        model.predict_interval(level=90)
    with pytest.raises(DataError, match="backtest"):
        model.backtest(np.ones(50), start=3)


def test_a_constant_series_is_forecast_as_it_is() -> None:
    found = small().fit(np.full(60, 7.0)).predict_interval()
    np.testing.assert_allclose([found.mean, found.lower, found.upper], 7.0, atol=1e-5)


@pytest.mark.parametrize("horizon", [1, 6])
def test_the_picture_of_a_forecast(horizon: int, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from chainrule.report import forecast_picture

    y = seasonal()
    forecast = small(horizon=horizon).fit(y[:180]).predict_interval()
    place = forecast_picture(y[:180], forecast, tmp_path / "f.png", truth=y[180:], title="sales", unit="items")
    assert place.stat().st_size > 10_000
    with pytest.raises(ParameterError, match="folder"):
        forecast_picture(y, forecast, tmp_path / "missing" / "f.png")


def test_columns_in_another_order_are_refused(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    y = np.sin(np.arange(60) / 4)
    X = pandas.DataFrame({"a": np.arange(60.0), "b": np.arange(60) % 7})
    model = NeuralForecaster(window=6, epochs=2, random_state=0).fit(y, X)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    model.save(tmp_path / "model")
    for fitted in (model, NeuralForecaster.load(tmp_path / "model")):
        np.testing.assert_array_equal(fitted.predict(y, X), model.predict(y, X))
        with pytest.raises(DataError, match="in another order"):
            fitted.predict(y, X[["b", "a"]])
        with pytest.raises(DataError, match=r"missing: \['b'\], not seen in fit: \['c'\]"):
            fitted.predict(y, X.rename(columns={"b": "c"}))
    assert not hasattr(model.fit(y), "feature_names_in_")
