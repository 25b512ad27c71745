"""Standardize: measured by the first fit, kept by files, exact in both directions."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import Dense, Input, Network, ReLU, Standardize, load
from chainrule.errors import ParameterError, ShapeError
from chainrule.testing import check_layer


@pytest.mark.parametrize("shape", [(1,), (5,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("inverse", [False, True])
def test_equations(shape, inverse):
    check_layer(Standardize(inverse=inverse), shape)


def data(n=200):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3)) * [1e4, 1.0, 1e-3] + [5e5, 0.0, 1.0]
    return X, 1e6 + 2e4 * (X[:, :1] - 5e5) / 1e4


def test_first_fit_measures_inputs(tmp_path):
    X, y = data()
    labels = (y[:, 0] > 1e6).astype(int)
    net = Network([Standardize(), Dense(8), ReLU(), Dense(2)], random_state=0)
    net.fit(X, labels, epochs=30, verbose=0, learning_rate=0.01)
    np.testing.assert_allclose(net.states["0.standardize.mean"], X.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(net.states["0.standardize.scale"], X.std(axis=0), rtol=1e-4)
    assert net.evaluate(X, labels)["accuracy"] > 0.95
    kept = net.states["0.standardize.mean"].copy()
    net.fit(X + 1.0, labels, epochs=1, verbose=0)
    np.testing.assert_array_equal(net.states["0.standardize.mean"], kept)
    net.save(tmp_path / "net.chainrule")
    np.testing.assert_array_equal(load(tmp_path / "net.chainrule").predict(X), net.predict(X))


def test_inverse_takes_raw_targets():
    X, y = data()
    net = Network([Standardize(), Dense(1), Standardize(inverse=True)], random_state=0)
    net.fit(X, y, epochs=60, learning_rate=0.02, loss_weights=[1 / float(y.var())], verbose=0)
    residual = net.predict(X) - y
    assert 1 - residual.var() / y.var() > 0.99
    np.testing.assert_allclose(net.states["2.standardize.mean"], y.mean(axis=0), rtol=1e-5)


def test_training_is_that_of_scaled_data():
    """With the loss weight the gradients, and so the weights, are those of a network on standardised data and targets."""
    X, y = data(64)
    raw = Network([Standardize(), Dense(1), Standardize(inverse=True)], random_state=0, dtype="float64")
    raw.fit(X, y, epochs=3, optimizer="sgd", loss_weights=[1 / float(y.var())], shuffle=False, verbose=0)
    scaled = Network([Dense(1)], random_state=0, dtype="float64")
    Xs, ys = (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()
    scaled.fit(Xs, ys, epochs=3, optimizer="sgd", shuffle=False, verbose=0)
    np.testing.assert_allclose(raw.parameters["1.dense.weight"], scaled.parameters["0.dense.weight"], rtol=1e-9, atol=1e-12)


def test_constant_features_stay():
    found = Standardize().measure(np.full((10, 2), 1e8, np.float32))
    assert found["mean"].tolist() == [1e8, 1e8] and found["scale"].tolist() == [1.0, 1.0]
    rounded = np.float32(0.1) + np.float32([0, 1e-9] * 5)
    assert Standardize().measure(rounded[:, None])["scale"].tolist() == [1.0]


def test_streams_and_targets_without_last_axis():
    X, y = data(64)
    net = Network([Standardize(), Dense(1), Standardize(inverse=True)], random_state=0)
    net.fit(X, y[:, 0], epochs=1, verbose=0)
    np.testing.assert_allclose(net.states["2.standardize.mean"], [y.mean()], rtol=1e-5)
    with pytest.raises(ParameterError, match="as dense arrays"):
        Network([Standardize(), Dense(1)]).fit([(X, y)], verbose=0)


def test_bad_use():
    X, y = data(32)
    with pytest.raises(ParameterError, match="must be True or False"):
        Network([Standardize(inverse=1)])
    with pytest.raises(ParameterError, match="directly at an input"):
        Network([Dense(3), Standardize(), Dense(1)]).fit(X, y, verbose=0)
    with pytest.raises(ParameterError, match="make an output"):
        Network([Standardize(inverse=True), Dense(1)]).fit(X, y, verbose=0)
    with pytest.raises(ParameterError, match="numeric targets"):
        Network([Dense(2), Standardize(inverse=True)]).fit(X, np.arange(32) % 2, verbose=0)
    with pytest.raises(ShapeError, match="feature axis"):
        Network(inputs=(x := Input(())), outputs=Standardize()(x)).build()
