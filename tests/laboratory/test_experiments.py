"""The experiments: what they measure is what the theory says, and their conclusions follow the data."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from chainrule.errors import MissingDependencyError, ParameterError, UnknownNameError
from chainrule.laboratory import EXPERIMENTS, experiment, run
from chainrule.laboratory.population import Digits, gain_chain, map_all, train
from chainrule.layers import Dense, Sigmoid
from chainrule.model import Network

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def outcomes():
    return {name: run(name, quick=True) for name in EXPERIMENTS}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_outcome_is_complete(outcomes, name, tmp_path):
    outcome = outcomes[name]
    assert outcome.claims and outcome.tables and outcome.seconds > 0
    assert all(len(row) == len(t.columns) for t in outcome.tables for row in t.rows)
    assert not any("nan" in cell for t in outcome.tables for row in t.rows for cell in row)
    again = json.loads(json.dumps(outcome.to_dict(), allow_nan=False))
    assert again["data"].keys() == outcome.data.keys()
    # From the data alone the same conclusions follow.
    assert outcome.experiment.claims(again["data"]) == outcome.claims
    assert outcome.experiment.title in str(outcome)
    pytest.importorskip("matplotlib")
    picture = outcome.save_picture(tmp_path / "picture.png")
    assert picture.stat().st_size > 10_000


@pytest.mark.slow
def test_equal_seeds_give_equal_measurements(outcomes):
    again = run("vanishing", quick=True)
    assert again.data == outcomes["vanishing"].data
    assert run("vanishing", quick=True, seed=1).data != again.data


@pytest.mark.slow
def test_vanishing_is_measured_and_concluded_from_the_data(outcomes):
    outcome = outcomes["vanishing"]
    assert all(c.holds for c in outcome.claims[:3])
    data = copy.deepcopy(outcome.data)
    for group in data["groups"]:
        group["dz"] = group["dz"][::-1]
        group["activation"] = [0.9 for _ in group["activation"]]
        group["accuracy"] = [0.9, 0.91]
    assert not any(c.holds for c in outcome.experiment.claims(data))


def test_gain_chain_is_the_product_of_the_jacobians():
    rng = np.random.default_rng(0)
    net = Network([Dense(4), Sigmoid(), Dense(5), Sigmoid(), Dense(3)], random_state=0, dtype="float64")
    net.build((6,))
    x, y = rng.normal(size=(1, 6)), np.array([1])
    chain = gain_chain(net, x, y)
    p = {n: np.asarray(a) for n, a in net.parameters.items()}
    a1 = 1 / (1 + np.exp(-(x @ p["0.dense.weight"])))
    a2 = 1 / (1 + np.exp(-(a1 @ p["2.dense.weight"])))
    z3 = a2 @ p["4.dense.weight"]
    dz3 = np.exp(z3) / np.exp(z3).sum() - np.eye(3)[y]
    j2 = p["4.dense.weight"] @ dz3[0]
    dz2 = a2 * (1 - a2) * j2
    dz1 = a1 * (1 - a1) * (dz2 @ p["2.dense.weight"].T)
    np.testing.assert_allclose(chain["dz"], [np.linalg.norm(v) for v in (dz1, dz2, dz3)], rtol=1e-10)
    np.testing.assert_allclose(chain["weights"][1], np.linalg.norm(j2) / np.linalg.norm(dz3), rtol=1e-10)
    gains = np.prod(chain["weights"]) * np.prod(chain["activation"])
    np.testing.assert_allclose(gains, chain["dz"][0] / chain["dz"][-1], rtol=1e-10)


@pytest.mark.slow
def test_exploding(outcomes):
    outcome = outcomes["exploding"]
    assert all(c.holds for c in outcome.claims[:4])
    held = next(a for a in outcome.data["arms"] if "z = 0" in a["arm"])
    np.testing.assert_allclose(held["activation"], 0.25, rtol=1e-2)
    data = copy.deepcopy(outcome.data)
    for t in data["training"]:
        t["accuracy"] = [0.5 for _ in t["accuracy"]]
    assert not outcome.experiment.claims(data)[-1].holds


@pytest.mark.slow
def test_relu_costs_and_zeros(outcomes):
    outcome = outcomes["relu"]
    rows = {a["activation"]: a for a in outcome.data["activations"]}
    assert rows["relu"]["zero"] > 0.2 and rows["sigmoid"]["zero"] == 0 and rows["leaky_relu"]["dead"] == 0
    data = copy.deepcopy(outcome.data)
    for a in data["activations"]:
        a["zero"], a["dead"], a["reached"], a["microseconds"] = 0.0, 0.0, [3, 3], 5.0
    assert not any(c.holds for c in outcome.experiment.claims(data))


def test_initialisation_by_law(outcomes):
    outcome = outcomes["initialisation"]
    accuracy = {law["law"]: np.median(law["accuracy"]) for law in outcome.data["laws"]}
    assert accuracy["all 0"] < 0.2 < accuracy["He"]
    data = copy.deepcopy(outcome.data)
    for law in data["laws"]:
        law["accuracy"] = [0.1, 0.9, 0.95, 0.2]
    assert not any(c.holds for c in outcome.experiment.claims(data)[1:])


def test_stability_is_exact_where_it_says_so(outcomes):
    functions = outcomes["stability"].data["functions"]
    assert functions["softplus, chainrule"]["float32"]["wrong"] == 0
    assert functions["softplus, log(1 + eᶻ)"]["float32"]["not_finite"] > 0.3
    assert all(c.holds for c in outcomes["stability"].claims)


def test_deep_sigmoid_networks_do_not_learn(outcomes):
    outcome = outcomes["depth"]
    assert outcome.claims[0].holds
    data = copy.deepcopy(outcome.data)
    for n in data["networks"]:
        n["accuracy"], n["dW"] = [0.9], [1e-9, 1.0]
    assert not any(c.holds for c in outcome.experiment.claims(data))


def test_optimizers_share_start_and_order(outcomes):
    outcome = outcomes["optimizers"]
    assert {o["optimizer"] for o in outcome.data["optimizers"]} >= {"SGD", "Adam", "RMSprop"}
    assert all(len(o["by_rate"]) == len(outcome.data["rates"]) for o in outcome.data["optimizers"])


def test_many_at_once_are_as_one_after_the_other():
    digits = Digits.split(0)

    def one(seed):
        network = Network([Dense(8), Sigmoid(), Dense(10)], random_state=seed)
        return train(network, digits, epochs=2).losses

    seen = []
    together = map_all([lambda s=s: one(s) for s in range(6)], lambda done, of: seen.append((done, of)))
    assert together == [one(s) for s in range(6)]
    assert seen[-1] == (6, 6)


def test_a_failing_job_is_raised_and_a_diverging_fit_is_a_result():
    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        map_all([fail, lambda: 1], lambda done, of: None)
    run_ = train(Network([Dense(10)], random_state=0), Digits.split(0), epochs=3, optimizer="sgd", learning_rate=1e38)
    assert run_.diverged and run_.accuracy == 0.0 and run_.epochs_to(0.5) is None


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("vanish", {}, UnknownNameError),
        ("vanishing", {"depth": 3}, UnknownNameError),
        ("vanishing", {"depths": ()}, ParameterError),
        ("vanishing", {"depths": (0, 1)}, ParameterError),
        ("vanishing", {"epochs": 0}, ParameterError),
        ("vanishing", {"epochs": 2.5}, ParameterError),
        ("vanishing", {"seed": -1}, ParameterError),
        ("relu", {"activations": ("relo",)}, UnknownNameError),
        ("initialisation", {"activation": "relo"}, UnknownNameError),
        ("initialisation", {"starts": 0}, ParameterError),
    ],
)
def test_bad_arguments(name, arguments, error):
    with pytest.raises(error):
        run(name, **arguments)


def test_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(UnknownNameError, match="Did you mean 'vanishing'"):
        experiment("vanishin")


def test_without_the_digits(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None)
    with pytest.raises(MissingDependencyError, match="scikit-learn"):
        run("vanishing", quick=True)


def test_sparsity_is_concluded_from_the_data(outcomes):
    outcome = outcomes["sparsity"]
    rows = {(r["kind"], r["share"]): r for r in outcome.data["rows"]}
    assert all(r["stay"] == 1.0 for (kind, _), r in rows.items() if kind == "pruned")
    assert abs(rows["dropout", 0.5]["stay"] - 0.5) < 0.1
    assert abs(rows["pruned at random", 0.9]["weights"] - 0.9) < 0.02
    assert all(r["weights"] < 0.01 for (kind, _), r in rows.items() if kind in ("plain", "dropout"))
    data = copy.deepcopy(outcome.data)
    for row in data["rows"]:
        row["accuracy"], row["microseconds"] = [0.9, 0.9], 10.0
        row["stay"] = None if row["stay"] is None else 0.99 if row["kind"] == "dropout" else 0.5
        row["activations"] = [0.1, 0.1]
    assert not any(c.holds for c in outcome.experiment.claims(data))
    better = copy.deepcopy(data)
    for row in better["rows"]:
        if row["kind"] in ("dropout", "pruned"):
            row["accuracy"] = [0.95, 0.95]
        if row["kind"] == "pruned":
            row["microseconds"] = 5.0
    assert [c.holds for c in outcome.experiment.claims(better)] == [False, True, True, True, True, True, False]
    with pytest.raises(ParameterError, match="shares"):
        run("sparsity", shares=(1.5,))
