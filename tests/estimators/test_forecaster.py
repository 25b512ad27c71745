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
        np.testing.assert_allclose(model.predict(y[: 150 + i]), back["network"][i], rtol=1e-4)
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
    model = small(season=None, horizon=1, epochs=60).fit(x, y)
    assert model.scores_["network"]["mae"] < 0.3 * alone.scores_["network"]["mae"]
    assert model.predict(x, y).shape == (1,)
    with pytest.raises(ShapeError, match=r"2 further columns.*predict\(X, y\)"):
        model.predict(y)
    with pytest.raises(ShapeError, match="X has 1 features, but NeuralForecaster is expecting 2 features"):
        model.predict(x[:, :1], y)
    with pytest.raises(DataError, match="X has 399 steps but y has 400"):
        model.fit(x[1:], y)


@pytest.mark.parametrize("transformation", ["log", "sqrt"])
def test_transformations(transformation: str) -> None:
    y = np.exp(seasonal() / 10)
    model = small(transformation=transformation).fit(y)
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
        (np.zeros(100), {"transformation": "log"}, DataError, 'transformation="log" needs values above 0. Got 0 at step 0'),
        (-np.ones(100), {"transformation": "sqrt"}, DataError, "of at least 0. Got -1"),
        (np.ones(100), {"window": 0}, ParameterError, "window"),
        (np.ones(100), {"horizon": [2, 1]}, ParameterError, "ascending"),
        (np.ones(100), {"horizon": "3"}, ParameterError, "horizon"),
        (np.ones(100), {"season": 0}, ParameterError, "season"),
        (np.ones(100), {"transformation": "exp"}, ParameterError, "transformation"),
        (np.ones(100), {"missing": "drop"}, ParameterError, "missing"),
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
    model = NeuralForecaster(window=6, epochs=2, random_state=0).fit(X, y)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    model.save(tmp_path / "model")
    for fitted in (model, NeuralForecaster.load(tmp_path / "model")):
        np.testing.assert_array_equal(fitted.predict(X, y), model.predict(X, y))
        with pytest.raises(DataError, match="in another order"):
            fitted.predict(X[["b", "a"]], y)
        with pytest.raises(DataError, match=r"missing: \['b'\], not seen in fit: \['c'\]"):
            fitted.predict(X.rename(columns={"b": "c"}), y)
    assert not hasattr(model.fit(y), "feature_names_in_")


# ------------------------------------------------------------ as an estimator of scikit-learn


def test_the_order_of_the_arguments_is_scikit_learns() -> None:
    y, x = seasonal(), np.random.default_rng(0).normal(size=(200, 2))
    alone = small(epochs=3).fit(y)
    np.testing.assert_array_equal(small(epochs=3).fit(None, y).predict(), alone.predict())
    np.testing.assert_array_equal(alone.predict(y[:50]), alone.predict(y=y[:50]))
    with pytest.raises(ShapeError, match=r"\(X, y\), as in scikit-learn"):
        small().fit(y, x)
    with pytest.raises(ShapeError, match="y is missing"):
        small().fit(x)
    with pytest.raises(UnknownNameError, match="Here it is called 'transformation'"):
        NeuralForecaster(transform="log")
    with pytest.raises(UnknownNameError, match="Here it is called 'transformation'"):
        small().set_params(transform="log")
    assert not hasattr(small(), "transform")


def test_the_score_is_r2_of_forecasts_made_step_by_step() -> None:
    y = seasonal()
    model = small(horizon=[1, 4]).fit(y[:150])
    back = model.backtest(y, start=150)
    pairs = [(back["truth"][:, 0], back["network"][:, 0]), (back["truth"][:, 1], back["network"][:, 1])]
    more = [model.predict(y[:t])[0] for t in (197, 198, 199)]  # the last of which only the next value is known
    truth, found = (np.concatenate(part) for part in zip(*pairs, strict=True))
    truth, found = np.concatenate([truth, y[197:]]), np.concatenate([found, more])
    expected = 1 - ((truth - found) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
    assert model.score(y[150:]) == pytest.approx(expected, rel=1e-4)
    assert model.score(y[:150]) > 0.9  # the fitted series itself: forecasts begin after its first window
    assert model.score(y[150:152]) <= 1
    with pytest.raises(DataError, match="too few"):
        model.score(y[150:151])
    assert small().fit(np.full(60, 7.0)).score(np.full(5, 7.0)) in (0.0, 1.0)


@pytest.mark.slow
def test_searches_and_pipelines() -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.utils.validation import check_is_fitted

    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 2))
    y = np.concatenate([[0.0], x[:-1, 0] * 2]) + rng.normal(0, 0.1, 240)
    splits = TimeSeriesSplit(3)
    model = clone(small(season=None, horizon=1, transformation=None, epochs=60))
    search = GridSearchCV(model, {"window": [2, 8], "epochs": [1, 60]}, cv=splits, return_train_score=True).fit(x, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all() and search.best_params_["epochs"] == 60
    assert search.best_score_ > 0.8 and search.best_estimator_.predict(x, y).shape == (1,)
    assert GridSearchCV(small(), {"hidden": [(), (8,)]}, cv=splits).fit(seasonal()).best_score_ > 0.5
    pipeline = make_pipeline(StandardScaler(), model).fit(x, y)
    check_is_fitted(pipeline)
    assert pipeline.predict(x, y=y).shape == (1,) and pipeline.score(x, y) > 0.8
    assert cross_val_score(pipeline, x, y, cv=splits).mean() > 0.6


# ------------------------------------------------------------ units


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 32.0, 273.15, 1e6, -1e9])
@pytest.mark.parametrize("factor", [1.0, 1.8, 1e-3, 1e6])
def test_forecasts_do_not_depend_on_the_unit_of_further_columns(shift: float, factor: float) -> None:
    rng = np.random.default_rng(0)
    celsius = 10 + 8 * np.sin(np.arange(200) / 9) + rng.normal(size=200)
    y = np.concatenate([[0.0], celsius[:-1] * 2]) + rng.normal(0, 0.1, 200)
    model = small(season=None, horizon=2, epochs=10, precision="float64", engine="reference")
    expected = copy.deepcopy(model).fit(celsius, y).predict()
    found = copy.deepcopy(model).fit(celsius * factor + shift, y).predict()
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.0, 1e3, 1e9])
@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_forecasts_follow_the_unit_of_the_series(level: float, factor: float) -> None:
    y = autoregressive(200, 0)
    model = small(season=None, horizon=2, epochs=10, precision="float64", engine="reference")
    expected = copy.deepcopy(model).fit(y).predict()
    found = copy.deepcopy(model).fit(y * factor + level * factor).predict()
    np.testing.assert_allclose(found / factor - level, expected, rtol=1e-4, atol=1e-5)


def test_a_flag_far_from_zero_is_a_flag() -> None:
    rng = np.random.default_rng(0)
    flag = rng.integers(0, 2, 300)
    y = np.concatenate([[0.0], flag[:-1] * 5.0]) + 0.1 * rng.normal(size=300)
    errors = [small(season=None, horizon=1, epochs=60).fit(flag + by, y).scores_["network"]["mae"] for by in (0, 1000, 1e7)]
    assert max(errors) < 1.05 * min(errors) < 1


def test_a_steep_trend_is_no_hindrance() -> None:
    y = 1e3 * np.arange(200) + np.random.default_rng(0).normal(size=200)
    scores = small(season=None, horizon=2).fit(y).scores_
    assert scores["network"]["mae"] < 0.01 * scores["naive"]["mae"]


# ------------------------------------------------------------ means


@pytest.mark.parametrize("transformation", ["log", "sqrt"])
def test_a_forecast_of_transformed_values_is_a_mean(transformation: str) -> None:
    """Values with the mean 100 and much smaller medians."""
    rng = np.random.default_rng(0)
    found = []
    for seed in range(4):
        y = 100 * rng.gamma(0.3, 1 / 0.3, 400) + 1e-3
        model = small(season=None, horizon=2, hidden=(), transformation=transformation, random_state=seed, epochs=20).fit(y)
        forecast = model.predict_interval()
        np.testing.assert_array_equal(forecast.mean, model.predict())
        assert (forecast.median < 0.7 * forecast.mean).all()
        assert ((forecast.lower <= forecast.median) & (forecast.median <= forecast.upper)).all()
        found.append(forecast.mean)
    assert np.mean(found) == pytest.approx(100, rel=0.35)


def test_without_a_transformation_mean_and_median_agree() -> None:
    forecast = small().fit(seasonal()).predict_interval()
    np.testing.assert_array_equal(forecast.mean, forecast.median)


# ------------------------------------------------------------ dates


@pytest.mark.slow
@pytest.mark.parametrize("freq", ["D", "h", "B", "W-WED", "MS", "ME", "QS", "YE", "15min", "BME"])
def test_an_index_of_dates_decides_the_order(freq: str) -> None:
    pandas = pytest.importorskip("pandas")
    y = pandas.Series(seasonal(160), pandas.date_range("1850-01-01", periods=160, freq=freq))
    x = pandas.DataFrame({"a": np.cos(np.arange(160.0)), "b": np.arange(160) % 7}, y.index)
    expected = small(epochs=3).fit(x.to_numpy(), y.to_numpy()).predict()
    shuffled = y.sample(frac=1, random_state=0)
    for columns, series in ((x[::-1], y[::-1]), (x, shuffled), (x.sample(frac=1, random_state=1), y), (x, y)):
        np.testing.assert_array_equal(small(epochs=3).fit(columns, series).predict(), expected)
    # Rows without dates belong to each other, one by one; the dates of one of them order both.
    np.testing.assert_array_equal(small(epochs=3).fit(x.to_numpy()[::-1], y[::-1]).predict(), expected)
    np.testing.assert_array_equal(small(epochs=3).fit(x[::-1], y.to_numpy()[::-1]).predict(), expected)
    np.testing.assert_array_equal(small(epochs=3).fit(x.to_period() if freq in ("D", "MS") else x, y).predict(), expected)


def test_rows_of_x_at_other_dates_are_left_out() -> None:
    pandas = pytest.importorskip("pandas")
    index = pandas.date_range("2020-01-01", periods=170)
    y, x = pandas.Series(seasonal(160), index[5:165]), pandas.DataFrame({"a": np.sin(np.arange(170.0))}, index)
    expected = small(epochs=2).fit(x.iloc[5:165], y).predict()
    np.testing.assert_array_equal(small(epochs=2).fit(x, y).predict(), expected)
    with pytest.raises(DataError, match="X has no row at 5 of the 160 dates of y, first at 2020-06-09"):
        small().fit(x.iloc[:160], y)


def test_dates_that_occur_twice_or_are_missing() -> None:
    pandas = pytest.importorskip("pandas")
    y = pandas.Series(seasonal(160), pandas.date_range("2020-01-31", periods=160, freq="ME"))
    with pytest.raises(DataError, match=r"2020-03-31 occurs 2 times.*groupby"):
        small().fit(pandas.concat([y, y.iloc[2:3]]))
    gap = y.drop(y.index[[40, 41, 90]])
    with pytest.raises(
        DataError, match=r"lacks 3 of 160 dates: its spacing is 1 month, and 2023-04-30 is followed by 2023-07-31"
    ):
        small().fit(gap)
    holes = y.copy()
    holes.iloc[[40, 41, 90]] = NAN
    for missing in ("interpolate", "forward"):
        expected = small(missing=missing, epochs=2).fit(holes.to_numpy()).predict()
        np.testing.assert_array_equal(small(missing=missing, epochs=2).fit(gap[::-1]).predict(), expected)
    uneven = pandas.Series(y.to_numpy()[:50], pandas.to_datetime(np.cumsum(np.arange(50) % 7 + 1.37), unit="D"))
    with pytest.raises(DataError, match="not evenly spaced"):
        small().fit(uneven)
    unknown = pandas.Series(y.to_numpy()[:50], [pandas.NaT, *y.index[1:50]])
    with pytest.raises(DataError, match="row 0"):
        small().fit(unknown)
    far = pandas.Series(
        seasonal(60), [*pandas.date_range("2020-01-01", periods=59, freq="min"), pandas.Timestamp("2200-01-01")]
    )
    with pytest.raises(DataError, match="nine tenths"):
        small(missing="forward").fit(far)


def test_dates_of_other_kinds() -> None:
    pandas = pytest.importorskip("pandas")
    y, dates = seasonal(160), pandas.date_range("2021-01-01", periods=160)
    expected = small(epochs=2).fit(y).predict()
    for index in (
        dates.strftime("%Y-%m-%d"),
        pandas.Index(dates.date),
        dates.to_period("D"),
        dates.tz_localize("Europe/Berlin"),
    ):
        np.testing.assert_array_equal(small(epochs=2).fit(pandas.Series(y, index)[::-1]).predict(), expected)
    hours = pandas.date_range("2021-03-27", periods=160, freq="h", tz="Europe/Berlin")  # an hour is missing in local time
    np.testing.assert_array_equal(small(epochs=2).fit(pandas.Series(y, hours)[::-1]).predict(), expected)
    # An index of other labels says nothing of time.
    names = pandas.Series(y, [f"row {i}" for i in range(160)])
    np.testing.assert_array_equal(small(epochs=2).fit(names).predict(), expected)


def test_dates_say_what_follows() -> None:
    pandas = pytest.importorskip("pandas")
    y = pandas.Series(seasonal(), pandas.date_range("2020-01-01", periods=200))
    model = small().fit(y[:150])
    assert model.score(y[150:]) == pytest.approx(model.score(y.to_numpy()[150:]))
    back = model.backtest(y[155:], start=12)  # not the next step: forecasts begin after a window of these
    assert model.score(y[155:]) > 0.8 and len(back["truth"]) == 31
    with pytest.raises(DataError, match="too few"):
        model.score(y[155:165])


def test_callbacks_of_scikit_learn_and_the_warning() -> None:
    pytest.importorskip("sklearn.callback")
    import warnings

    from sklearn.callback import ProgressBar

    calls = []

    class Counting(ProgressBar):
        def on_fit_task_end(self, *args: Any, **kwargs: Any) -> Any:
            calls.append(1)

    model = small(epochs=4, early_stopping=False)
    model.set_callbacks(Counting()).fit(seasonal())
    assert len(calls) >= 4
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        small(epochs=3, season=None, learning_rate=1e-3).fit(seasonal())
    assert any("3 epochs ran out while the validation loss" in str(one.message) for one in found)


# ---------------------------------------------------------------- the next steps, from further columns alone


def _with_promotions(n: int = 160, **options: Any) -> tuple[np.ndarray, np.ndarray, NeuralForecaster]:
    """A series that a further column of the step before explains."""
    rng = np.random.default_rng(3)
    X = rng.integers(0, 2, (n, 2)).astype(float)
    y = 10 + 5 * np.concatenate([[0], X[:-1, 0]]) + 0.01 * rng.normal(size=n)
    made = {"window": 2, "hidden": (), "epochs": 60, "learning_rate": 0.05, "l2": 0.0, "random_state": 0, **options}
    return X, y, NeuralForecaster(**made)


@pytest.mark.parametrize("horizon", [1, 3, [1, 2, 5]])
def test_predict_of_further_columns_forecasts_the_next_steps(horizon: Any) -> None:
    X, y, model = _with_promotions(horizon=horizon)
    model.fit(X[:140], y[:140])
    found = model.predict(X[140:])
    assert found.shape == (20,)
    direct = 3 if horizon == 3 else 2 if isinstance(horizon, list) else 1
    assert np.array_equal(found[:direct], model.predict()[:direct])
    # The next ones are what predict gives when the forecasts before are taken for the series.
    seen = np.concatenate([y[:140], found[:direct]])
    assert np.allclose(found[direct : 2 * direct], model.predict(X[: 140 + direct], seen)[:direct], rtol=1e-6)
    if direct == 1:
        assert np.abs(found - y[140:]).mean() < 0.5 < np.abs(y[140:] - y[:140].mean()).mean()


def test_predict_of_further_columns_follows_their_dates() -> None:
    pandas = pytest.importorskip("pandas")
    X, y, model = _with_promotions(epochs=5)
    days = pandas.date_range("2024-01-01", periods=160)
    table = pandas.DataFrame(X, days, columns=["promotion", "noise"])
    model.fit(table[:140], pandas.Series(y[:140], days[:140]))
    found = model.predict(table[140:])
    order = np.random.default_rng(0).permutation(20)
    assert np.array_equal(model.predict(table[140:].iloc[order]), found[order])
    for rows, says in ((table[141:], "must be the steps after"), (table[:20], "must be the steps after")):
        with pytest.raises(DataError, match=says):
            model.predict(rows)
    model.set_params(missing="forward").fit(table[:140], pandas.Series(y[:140], days[:140]))
    with pytest.raises(DataError, match="gaps"):
        model.predict(table[140:].drop(days[145]))


def test_predict_of_further_columns_refuses_what_it_cannot_do() -> None:
    X, y, model = _with_promotions(horizon=[2, 3], epochs=2)
    model.fit(X, y)
    for bad, error, says in (
        (X[:5], ParameterError, "horizons"), (X[:5, :1], ShapeError, "expecting 2 features"), (X[0], ShapeError, "Reshape"),
        (np.full((3, 2), np.nan), DataError, "NaN|missing"),
    ):  # fmt: skip
        with pytest.raises(error, match=says):
            model.predict(bad)


@pytest.mark.slow
def test_forecasters_in_the_tools_of_scikit_learn() -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_predict, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y, model = _with_promotions()
    split = TimeSeriesSplit(2, test_size=20)
    scores = cross_val_score(clone(model), X, y, cv=split, scoring="neg_mean_absolute_error")
    assert scores.shape == (2,) and scores.min() > -0.6
    pipeline = make_pipeline(StandardScaler(), clone(model))
    grid = {"neuralforecaster__learning_rate": [1e-7, 0.05]}
    for scoring in (None, "neg_root_mean_squared_error"):
        search = GridSearchCV(pipeline, grid, cv=split, scoring=scoring).fit(X[:140], y[:140])
        assert search.best_params_ == {"neuralforecaster__learning_rate": 0.05}, scoring
    assert search.predict(X[140:]).shape == (20,) and search.score(X[140:], y[140:]) > -1
    with pytest.raises(ValueError, match="partitions"):  # scikit-learn's own: a time split predicts only later steps
        cross_val_predict(clone(model), X, y, cv=split)
