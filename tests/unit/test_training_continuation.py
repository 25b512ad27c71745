"""Single passes go on after a copy or a pickle as if nothing had happened."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule import Dense, Dropout, Network, NeuralClassifier, NeuralRegressor, ReLU
from chainrule.optimizers import SGD, Adam, Exponential

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3)).astype(np.float32)
y = (X[:, :1] - X[:, 1:2]).astype(np.float32)
COPIES: list[Callable[[Any], Any]] = [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]


def network() -> Network:
    return Network([Dense(8), ReLU(), Dropout(0.2), Dense(1)], random_state=0)


@pytest.mark.parametrize("make", COPIES)
@pytest.mark.parametrize(
    "optimizer", ["adam", "sgd", SGD(momentum=0.9), Adam(Exponential(0.01, decay=0.9, every=1)), "adagrad", "adadelta"]
)
def test_passes_of_a_network(make: Callable[[Any], Any], optimizer: Any) -> None:
    one, other = network(), network()
    for i in range(6):
        one.partial_fit(X, y, optimizer=optimizer)
        other.partial_fit(X, y, optimizer=optimizer)
        if i % 2:
            other = make(make(other))  # the second one before it has a trainer again
    np.testing.assert_array_equal(one.parameters.flat, other.parameters.flat)
    assert one.history_["loss"] == other.history_["loss"] and len(other.history_["loss"]) == 6


@pytest.mark.parametrize("make", COPIES)
def test_a_copy_and_its_original_go_separate_ways(make: Callable[[Any], Any]) -> None:
    one = network().partial_fit(X, y)
    other = make(one)
    before = one.parameters.flat.copy()
    other.partial_fit(X, y)
    np.testing.assert_array_equal(one.parameters.flat, before)
    one.partial_fit(X, y)
    np.testing.assert_array_equal(one.parameters.flat, other.parameters.flat)


def test_a_pass_goes_on_from_a_fit() -> None:
    one = network().fit(X, y, epochs=3, verbose=0)
    other = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(one.partial_fit(X, y).parameters.flat, other.partial_fit(X, y).parameters.flat)


def test_another_optimizer_starts_anew() -> None:
    one = pickle.loads(pickle.dumps(network().partial_fit(X, y)))
    one.partial_fit(X, y, optimizer="sgd")
    assert len(one.history_["loss"]) == 1


@pytest.mark.parametrize("kind", [NeuralClassifier, NeuralRegressor])
def test_passes_of_an_estimator(kind: Any) -> None:
    target = (y[:, 0] > 0).astype(int) if kind is NeuralClassifier else y[:, 0]
    given = {"classes": [0, 1]} if kind is NeuralClassifier else {}
    one, other = (kind(hidden=[8], dropout=0.1, random_state=0) for _ in range(2))
    for _ in range(4):
        one.partial_fit(X, target, **given)
        other = pickle.loads(pickle.dumps(other.partial_fit(X, target, **given)))
    np.testing.assert_array_equal(one.network_.parameters.flat, other.network_.parameters.flat)


def test_a_network_that_was_changed_since() -> None:
    one = network().partial_fit(X, y)
    one.freeze("0.dense")
    other = pickle.loads(pickle.dumps(one)).partial_fit(X, y)
    assert np.isfinite(other.parameters.flat).all()
