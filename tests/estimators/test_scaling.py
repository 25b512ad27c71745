"""Columns that are far from unit scale are scaled, and it is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Dense, NeuralClassifier, NeuralRegressor
from chainrule.errors import DivergenceError
from chainrule.estimators.scaling import mean_and_scale, needs_scaling

rng = np.random.default_rng(0)
unit = rng.normal(size=(200, 3))
target = unit[:, 0] - 2 * unit[:, 1] + 0.1 * rng.normal(size=200)


def model(**changes: Any) -> NeuralRegressor:
    return NeuralRegressor(**{"hidden": [16], "learning_rate": 0.01, "epochs": 60, "random_state": 0, **changes})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shift", "factor"),
    [
        (1.7e9, 3e7),  # seconds since 1970
        (1.7e9, 1000.0),  # of one day: float32 tells them apart by 128 seconds
        (0.0, 1e-5),
        (273.15, 8.0),
        (1e6, 1.0),
    ],
)
def test_scales_that_a_network_cannot_learn_from(shift: float, factor: float) -> None:
    X = shift + factor * unit
    scaled = model().fit(X, target)
    try:
        raw = model(scale_inputs=False).fit(X, target).score(X, target)
    except DivergenceError:
        raw = -np.inf
    assert scaled.score(X, target) > 0.95 > raw + 0.05
    np.testing.assert_allclose(scaled.input_mean_, X.mean(axis=0))
    np.testing.assert_allclose(scaled.input_scale_, X.std(axis=0), rtol=1e-6)
    kept = {"scale_inputs": True, "shuffle": False, "precision": "float64"}  # the order of the samples is then the same
    expected = model(**kept).fit(unit, target).predict(unit)
    np.testing.assert_allclose(model(**kept).fit(X, target).predict(X), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(model(scale_inputs=True).fit(X, target).predict(X), scaled.predict(X))


def test_columns_of_unit_scale_go_to_the_network_as_they_are() -> None:
    for X in (unit, rng.uniform(0, 1, (200, 3)), (unit > 0).astype(float), 5 * unit, np.ones((200, 3))):
        fitted = model(epochs=1).fit(X, target)
        assert fitted.input_scale_ is None and fitted.input_mean_ is None
        np.testing.assert_array_equal(fitted.predict(X), model(epochs=1, scale_inputs=False).fit(X, target).predict(X))


def test_layers_of_the_users_own_get_x_as_it_is() -> None:
    X = 1e6 + unit
    assert model(layers=[Dense(1)], epochs=1).fit(X, target).input_scale_ is None
    assert model(layers=[Dense(1)], scale_inputs=True, epochs=1).fit(X, target).input_scale_ is not None
    pictures = 100 * rng.normal(size=(20, 4, 4))
    fitted = NeuralClassifier(layers=[Dense(4), Dense(1)], epochs=1, random_state=0)
    assert fitted.fit(pictures.reshape(20, 16), np.arange(20) % 2).input_scale_ is None


def test_the_scale_is_that_of_the_first_data() -> None:
    X = 1e4 * unit
    passes = model()
    for start in (0, 100):
        passes.partial_fit(X[start : start + 100], target[start : start + 100])
    np.testing.assert_allclose(passes.input_scale_, X[:100].std(axis=0))
    again = model(warm_start=True).fit(X, target)
    before = again.input_scale_.copy()
    np.testing.assert_array_equal(again.fit(X[:50], target[:50]).input_scale_, before)
    fresh = model().fit(X, target).fit(unit, target)
    assert fresh.input_scale_ is None


def test_a_constant_column_and_huge_numbers() -> None:
    X = np.column_stack([1e6 * unit[:, 0], np.full(200, 5.0), 1e300 * unit[:, 1]])
    fitted = model().fit(X, target)
    assert fitted.input_scale_[1] == 1 and fitted.score(X, target) > 0.9


def test_rules() -> None:
    for columns, needed in [
        (unit, False),
        (20 * unit, True),
        (2 + 0.1 * unit, True),
        (0.5 + 0.01 * unit, False),
        (1e-3 * unit, True),
        (np.column_stack([1e-3 * unit[:, 0], unit[:, 1]]), False),
        (np.full((10, 2), 1e9), False),
    ]:
        assert needs_scaling(columns, *mean_and_scale(columns)) is needed


def test_a_cure_of_scaled_inputs_keeps_the_scale() -> None:
    from chainrule.diagnosis import Change

    X = 1e5 * unit
    curved = np.abs(unit[:, 0])
    linear = model(hidden=[], epochs=40)
    better = linear.cure(X, curved, changes=[Change("capacity", {"factor": 8.0})])
    assert better.cure_.improved and better.scale_inputs is True and better.score(X, curved) > 0.5
    assert linear.diagnose(X, curved).cause is not None


def test_a_large_table_is_not_copied_in_float64() -> None:
    import tracemalloc

    X = 100 * np.random.default_rng(0).random((20_000, 300), np.float32)  # 24 MB
    fitted = NeuralClassifier(hidden=[4], epochs=1, random_state=0)
    y = np.arange(20_000) % 2
    fitted.fit(X, y)
    tracemalloc.start()
    fitted.fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fitted.input_scale_ is not None and peak < 5 * X.nbytes


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int64, bool])
def test_scales_of_every_kind_of_number(dtype: Any) -> None:
    X = (20 * unit + 100).astype(dtype)
    mean, scale = mean_and_scale(X)
    np.testing.assert_allclose(mean, X.astype(np.float64).mean(axis=0), rtol=1e-6)
    if dtype is not bool:
        np.testing.assert_allclose(scale, X.astype(np.float64).std(axis=0), rtol=1e-6)
        weight = rng.uniform(size=200)
        weighted, _ = mean_and_scale(X, weight)
        np.testing.assert_allclose(weighted, np.average(X.astype(np.float64), axis=0, weights=weight), rtol=1e-6)
