"""Numbers that float32 cannot tell apart: evaluated as they are, and reported."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from chainrule import Dense, Network, ReLU
from chainrule.data.resolution import lost_resolution

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 1))
QUIET = {"verbose": 0, "engine": "reference"}
TARGETS = {"metres": 5_300_000 + 0.05 * X, "large": 1e9 + 5 * X, "integers": (10**12 + np.arange(300))[:, None]}


def constant(value: float, outputs: int = 1) -> Network:
    """A network whose output is a constant."""
    net = Network([Dense(outputs)], random_state=0).build((1,))
    net.parameters["0.dense.weight"][...] = 0
    net.parameters["0.dense.bias"][...] = value
    return net


@pytest.mark.parametrize("kind", TARGETS)
def test_a_constant_prediction_does_not_seem_to_be_perfect(kind: str) -> None:
    y = TARGETS[kind]
    net = constant(float(y.mean()))
    error = (net.predict(X).astype(np.float64) - y) ** 2
    found = net.evaluate(X, y, loss="squared_error", metrics=["r2", "mean_squared_error", "mean_absolute_error"])
    assert found["loss"] == pytest.approx(error.mean()) == found["mean_squared_error"]
    assert found["r2"] == pytest.approx(1 - error.mean() / y.var(), abs=1e-9) and found["r2"] < 0.1
    assert found["mean_absolute_error"] == pytest.approx(np.sqrt(error).mean())


def test_weights_and_several_outputs_are_evaluated_exactly_as_well() -> None:
    y, w = TARGETS["metres"], RNG.uniform(0, 2, 300)
    net = constant(float(y.mean()))
    error = (net.predict(X).astype(np.float64) - y)[:, 0] ** 2
    found = net.evaluate(X, y, loss="squared_error", metrics=["mean_squared_error"], sample_weight=w)
    assert found["loss"] == pytest.approx((w * error).mean())
    assert found["mean_squared_error"] == pytest.approx((w * error).sum() / w.sum())
    both = np.column_stack([y, X])
    two = constant(float(y.mean()), 2)
    assert two.evaluate(X, both, loss="squared_error")["loss"] == pytest.approx(
        ((two.predict(X).astype(np.float64) - both) ** 2).mean(), rel=1e-5
    )


def test_validation_during_a_fit_is_exact_and_the_fit_warns() -> None:
    y = TARGETS["large"]
    net = constant(float(y.mean()))
    with pytest.warns(UserWarning, match=r"float32 cannot tell the numbers of column 0 of y apart: they lie between 99"):
        net.fit(X, y, epochs=1, learning_rate=1e-30, validation_split=0.2, metrics=["r2"], **QUIET)
    assert net.history_["val_loss"][0] == pytest.approx(y.var(), rel=0.3) and net.history_["val_r2"][0] < 0.1


def test_a_column_of_the_inputs_is_reported() -> None:
    both = np.column_stack([X, 1.7e9 + 0.001 * X])
    net = Network([Dense(8), ReLU(), Dense(1)], random_state=0)
    with pytest.warns(UserWarning, match=r"column 1 of X apart.*X - X\.mean\(axis=0\)"):
        net.fit(both, X, epochs=1, **QUIET)
    found = Network([Dense(8), ReLU(), Dense(1)], random_state=0).diagnose(both, X, epochs=2, engine="reference")
    assert "lost-resolution" in {f.name for f in found.findings} | {s.name for f in found.findings for s in f.symptoms}


def test_a_diagnosis_blames_the_data_and_not_the_network() -> None:
    net = Network([Dense(8), ReLU(), Dense(1)], random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a finding, and no warning beside it
        found = net.diagnose(X, TARGETS["metres"], epochs=3, engine="reference")
    assert found.cause is not None and found.cause.name == "lost-resolution" and found.cause.of_data
    assert "float32 cannot tell the numbers of y apart" in found.cause.title


def test_nothing_is_said_of_numbers_that_float32_can_tell_apart() -> None:
    fine = [3 + X, 1e6 * X, np.full((300, 1), 1e9), (np.arange(300) % 3)[:, None], X.astype(np.float32) + np.float32(1e9)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for y in fine:
            assert lost_resolution(y) == []
            constant(0.0).fit(X, y.astype(float), epochs=1, optimizer="sgd", learning_rate=1e-30, **QUIET)
        double = Network([Dense(1)], random_state=0, dtype="float64")
        double.fit(X, TARGETS["large"], epochs=1, learning_rate=1e-3, verbose=0)
    assert lost_resolution(np.array([[1.0, np.inf], [2.0, np.nan]])) == []
    assert lost_resolution(np.array(["a"])) == [] and lost_resolution(np.zeros((0, 3))) == []
