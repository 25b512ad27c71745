"""The effective rank of layers and inputs."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from chainrule import BatchNorm, Conv2D, Dense, Flatten, Network, ReLU, Tanh
from chainrule.diagnosis.rank import participation

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 10)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)


@pytest.mark.parametrize("shape", [(50, 7), (7, 50), (9, 9)])
@pytest.mark.parametrize("centred", [True, False])
def test_the_participation_ratio_is_that_of_the_eigenvalues(shape: tuple[int, int], centred: bool) -> None:
    x = RNG.normal(size=shape) * np.geomspace(1, 9, shape[1]) + 3
    values = np.linalg.svd(x - x.mean(axis=0) if centred else x, compute_uv=False) ** 2
    assert participation(x, centred=centred) == pytest.approx(values.sum() ** 2 / (values**2).sum(), rel=1e-10)
    entropy = np.exp(-(p := values[values > 1e-12] / values.sum()) @ np.log(p))
    assert 1 <= participation(x, centred=centred) <= entropy + 1e-9  # Roy and Vetterli's is never smaller


def test_limits_of_the_participation_ratio() -> None:
    line = RNG.normal(size=(30, 1)) @ RNG.normal(size=(1, 8))
    assert participation(line) == pytest.approx(1) and participation(np.full((30, 8), 2.5, np.float32)) == 0
    assert participation(np.eye(6), centred=False) == pytest.approx(6)
    assert np.isnan(participation(np.array([[1.0, np.inf]]))) and np.isnan(participation(np.ones((0, 3))))
    assert participation(1e200 * line) == pytest.approx(1) and participation(1e-200 * line) == pytest.approx(1)
    assert np.isnan(participation(np.broadcast_to(0.0, (10**5, 10**4))))  # too dear


def test_ranks_of_the_start_and_the_end() -> None:
    net = Network([Dense(16), ReLU(), Dense(2)], random_state=0)
    found = net.diagnose(X, Y, epochs=5, learning_rate=0.01)
    assert not found.errors and found.statistics is not None
    ranks = found.statistics.ranks
    assert sorted(ranks) == [0, 65] and list(ranks[0]) == ["0.dense", "1.relu", "2.dense"]
    start = found.statistics.rank("0.dense", start=True)
    assert start is not None and start.units == 16 and 1 < start.outputs < 10 and 1 < start.weight <= 10
    fresh = Network([Dense(16), ReLU(), Dense(2)], random_state=0).build((10,))
    w = fresh.parameters["0.dense.weight"]
    assert start.weight == pytest.approx(participation(w, centred=False), rel=1e-5)
    assert "effective rank of the inputs" in found.evidence
    assert any("least effective rank of a hidden layer" in name for name in found.evidence)


def test_units_that_start_equal_have_rank_1() -> None:
    net = Network([Dense(16, weight_init=0.1), Tanh(), Dense(2, weight_init=0.1)], random_state=0)
    found = net.diagnose(X, Y, epochs=5)
    assert found.cause is not None and found.cause.name == "constant-initialisation"
    assert found.cause.evidence["effective rank of the outputs"] == pytest.approx(1, abs=1e-3)


def test_units_that_are_functions_of_one_number_are_collapsed() -> None:
    """Sixteen units, and one number that all of them see: no width makes up for it."""
    y = (X[:, 3] > 0).astype(int)
    net = Network([Dense(16), Dense(16), Dense(2)], random_state=0).build((10,))
    w = net.parameters["0.dense.weight"]
    w[...] = np.outer([1, *[0.0] * 9], w[0])  # of feature 0 alone
    net.freeze("0.dense")
    found = net.diagnose(X, y, epochs=5)
    names = {f.name for r in found.findings for f in (r, *r.symptoms)}
    assert "collapsed-units" in names
    (finding,) = [f for r in found.findings for f in (r, *r.symptoms) if f.name == "collapsed-units"]
    assert "say the same" in finding.title and finding.evidence["effective rank of the inputs"] > 8


def test_one_input_is_no_collapse() -> None:
    x = RNG.uniform(-3, 3, size=(300, 1)).astype(np.float32)
    net = Network([Dense(24), Tanh(), Dense(1)], random_state=0)
    found = net.diagnose(x, np.sin(2 * x), epochs=2, learning_rate=1e-6)
    assert "collapsed-units" not in found


def test_images_and_reports() -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    images = RNG.normal(size=(64, 8, 8, 2)).astype(np.float32)
    net = Network([Conv2D(4, 3), BatchNorm(), ReLU(), Flatten(), Dense(2)], random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net.fit(images, (images[:, 0, 0, 0] > 0).astype(int), epochs=2, diagnose=True, verbose=0)
    assert not net.diagnosis_.errors
    rank = net.diagnosis_.statistics.rank("0.conv2d")
    assert rank.units == 4 and rank.rows > 500
    assert "Effective rank by layer" in net.diagnosis_.report().html()


@pytest.mark.parametrize("value", [0.1, 0.07, -0.3, 0.0])
def test_a_constant_start_is_one_whatever_rounding_makes_of_its_variance(value: float) -> None:
    net = Network([Dense(32, weight_init=value), Tanh(), Dense(2)], random_state=0)
    found = net.diagnose(X[:, :6], Y, epochs=3)
    assert found.cause is not None and found.cause.name == "constant-initialisation"
