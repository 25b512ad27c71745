"""net.cure: what is wrong is changed, what is proved is kept, and nothing else is touched."""

from __future__ import annotations

import json

import numpy as np
import pytest

from chainrule import Dense, Dropout, Input, Network, ReLU, Residual, Sigmoid, Standardize, load
from chainrule.cures import Comparison, Cure, Trial, range_test
from chainrule.cures.change_sets import expand
from chainrule.cures.paired import PairedRuns, Run
from chainrule.cures.scorer import Scorer
from chainrule.cures.search import Search
from chainrule.cures.setup import Setup
from chainrule.diagnosis import Change, Diagnosis, Finding
from chainrule.errors import DataError, ParameterError, ShapeError, UnknownNameError
from chainrule.network import Definition
from chainrule.training import FitSettings, Session
from chainrule.training.samples import Samples

rng = np.random.default_rng(0)
X = rng.normal(size=(400, 6)).astype(np.float32)
labels = (X[:, 0] * X[:, 1] > 0).astype(int)
numbers = (X[:, :1] - 2 * X[:, 1:2]).astype(np.float64)


def mlp(out=2, act=ReLU, **kw):
    return Network([Dense(32, **kw), act(), Dense(out, **kw)], random_state=0)


def change(kind, **arguments):
    return Change(kind, arguments)


def test_finds_and_proves_the_right_change():
    net = mlp(weight_init="zeros")
    wrong, right = change("clip", norm=1.0), change("initialise", law="auto")
    found = net.cure(X, labels, epochs=40, learning_rate=0.02, changes=[wrong, right], verbose=0)
    assert found.improved and found.changes == (right,)
    assert found.evidence.wins and found.evidence.difference > 0.2 and found.evidence.seeds == 3
    assert found.baseline.score < 0.65 < 0.85 < found.best.score
    assert any(r.changes == (wrong,) for r in found.rejected)
    assert all(len(run.curve) == 40 for run in found.best.runs.values())
    assert "weight_init='zeros'" in found.patch() and "+    Dense(32)," in found.patch()
    # Nothing was changed in place, and the new network works by itself.
    assert not net.built and found.network is not net
    assert found.network.evaluate(X, labels)["accuracy"] > 0.85
    text = json.loads(json.dumps(found.to_dict()))
    assert text["improved"] and text["changes"][0]["kind"] == "initialise"
    assert "Cured by 1 change" in str(found) and "Cure(1 change(s)" in repr(found)


def test_equal_seeds_give_equal_trials():
    def scores():
        found = mlp().cure(X, labels, epochs=3, changes=[change("epochs", factor=4.0)], verbose=0)
        return [(r.seed, r.score, r.losses) for r in found.best.runs.values()]

    assert scores() == scores()


def test_paired_runs_share_start_and_order():
    """A change that changes nothing of a run gives the same run."""
    found = mlp().cure(X, labels, epochs=3, changes=[change("clip", norm=1e9)], verbose=0)
    assert not found.improved
    trial = next(t for t in found.trials if t.changes)
    assert [r.curve for r in trial.runs.values()] == [r.curve for r in found.baseline.runs.values()]


def test_healthy_networks_are_left_alone():
    net = mlp()
    found = net.cure(X, labels, epochs=60, learning_rate=0.01, changes=[change("normalise", by="layer_norm")], verbose=0)
    if not found.improved:
        assert found.network is net and found.patch() == "" and "as it was" in str(found)
    healthy = mlp().cure(X, labels, epochs=40, learning_rate=0.01, diagnosis=Diagnosis(), verbose=0)
    assert not healthy.improved and healthy.changes == () and healthy.baseline.runs


def test_a_diverging_network_is_cured():
    net = mlp(out=1)
    found = net.cure(X, numbers, optimizer="sgd", learning_rate=1e6, epochs=20,
                     changes=[change("learning_rate", range_test=True)], verbose=0)  # fmt: skip
    assert found.baseline.score == -1.0 and found.best.score > 0.8
    assert all("diverged" in r.failed for r in found.baseline.runs.values())
    rate = found.network.optimizer_.learning_rate
    assert 1e-3 < rate < 1 and f"SGD({rate})" in found.patch()


def test_two_faults_that_hide_each_other():
    net = mlp(out=1, weight_init="zeros")
    findings = [
        Finding("CR1", "a", "a", changes=(change("initialise", law="auto"),)),
        Finding("CR2", "b", "b", changes=(change("learning_rate", value=0.02),)),
        Finding("CR3", "c", "c", changes=(change("clip", norm=1e9), change("data", advice="look at the data"))),
    ]
    found = net.cure(X, numbers, learning_rate=1e-7, epochs=30, diagnosis=Diagnosis(findings), verbose=0, time_budget=30)
    assert {"initialise", "learning_rate"} <= {c.kind for c in found.changes}
    assert found.best.score > 0.9 and found.advice == ["look at the data"]
    # What does not help is not kept along with what does.
    assert all(c.kind != "clip" for c in found.changes)


def test_raw_inputs_and_targets():
    big, far = X * np.float32(1e3) + np.float32(1e5), numbers * 1e4 + 1e6
    found = mlp(out=1).cure(
        big, far, epochs=40, learning_rate=0.01, verbose=0,
        changes=[change("scale_inputs", method="standard"), change("scale_targets", method="standard")],
    )  # fmt: skip
    assert {c.kind for c in found.changes} == {"scale_inputs", "scale_targets"}
    predicted = found.network.predict(big)
    assert 1 - ((predicted - far) ** 2).mean() / far.var() > 0.9
    assert "+    Standardize()," in found.patch()


def test_in_place(tmp_path):
    net = mlp(weight_init="zeros")
    found = net.cure(X, labels, epochs=30, learning_rate=0.02, changes=[change("initialise", law="auto")], in_place=True,
                     verbose=0)  # fmt: skip
    assert found.network is net and net.evaluate(X, labels)["accuracy"] > 0.8
    assert net.layer("0.dense").weight_init is None
    net.save(tmp_path / "cured.chainrule")
    np.testing.assert_array_equal(load(tmp_path / "cured.chainrule").predict(X), net.predict(X))
    net.fit(X, labels, epochs=1, verbose=0)


def test_frozen_weights_stay_and_set_weights_are_kept():
    net = Network([Dense(32), ReLU(), Dense(2)], random_state=0)
    net.build(6)
    net.parameters["0.dense.weight"][...] *= 3
    net.freeze("0.dense")
    kept = net.parameters["0.dense.weight"].copy()
    found = net.cure(X, labels, epochs=20, learning_rate=1e-6, changes=[change("learning_rate", value=0.02)], verbose=0)
    assert found.improved
    np.testing.assert_array_equal(found.network.parameters["0.dense.weight"], kept)
    # Weights that were set by hand are what is to be cured; those that the seed draws are drawn for every seed.
    spoiled = mlp()
    spoiled.build(6)
    spoiled.parameters["0.dense.weight"][...] = 0
    spoiled.parameters["2.dense.weight"][...] = 0
    found = spoiled.cure(X, labels, epochs=30, learning_rate=0.02, changes=[change("initialise", law="auto")], verbose=0)
    assert found.baseline.score < 0.65 and found.best.score > 0.8
    fresh = mlp()
    fresh.build(6)
    found = fresh.cure(X, labels, epochs=2, changes=[change("clip", norm=1.0)], verbose=0)
    assert len({r.losses for r in found.baseline.runs.values()}) == 3


def test_networks_of_a_graph():
    net = Network([Input((6,)), Dense(16), Residual([Dense(16), Sigmoid()]), Dense(2)], random_state=0)
    found = net.cure(X, labels, epochs=30, learning_rate=0.02, verbose=0,
                     changes=[change("activation", to="relu"), change("normalise", by="batch_norm")])  # fmt: skip
    assert isinstance(found, Cure) and found.best.score >= found.baseline.score
    if found.improved:
        assert "ReLU()(" in found.patch() or "BatchNorm()(" in found.patch()


def test_several_inputs_and_outputs():
    a, b = Input((6,)), Input((6,))
    net = Network(inputs=[a, b], outputs=[Dense(2)(a), Dense(1)(b)], random_state=0)
    found = net.cure([X, X], [(X[:, 0] > 0).astype(int), numbers], learning_rate=1e-7, epochs=5, verbose=0,
                     changes=[change("learning_rate", value=0.05)])  # fmt: skip
    assert isinstance(found.network.predict([X, X]), tuple)


def test_arguments_of_the_last_fit_are_those_of_the_trials():
    net = mlp(out=1)
    net.fit(X, numbers, epochs=7, batch_size=50, optimizer="sgd", learning_rate=1e-6, verbose=0)
    found = net.cure(X, numbers, changes=[change("learning_rate", range_test=True)], verbose=0)
    assert found.before.fit["epochs"] == 7 and found.before.fit["batch_size"] == 50
    assert found.before.fit["optimizer"].learning_rate == 1e-6
    assert found.improved


def test_the_time_is_kept():
    import time

    net = Network([layer for _ in range(6) for layer in (Dense(256), ReLU())] + [Dense(2)], random_state=0)
    many = [change("learning_rate", value=v) for v in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)]
    started = time.perf_counter()
    found = net.cure(X, labels, epochs=100_000, learning_rate=1e-6, changes=many, time_budget=2.0, refit=False, verbose=0)
    assert time.perf_counter() - started < 30
    assert len(found.baseline.runs) >= 1 and found.baseline.length < 0.01


def test_early_stopping_is_measured_on_the_held_out_part():
    found = mlp().cure(X, labels, epochs=30, learning_rate=0.02, changes=[change("early_stopping", patience=2)], verbose=0)
    trial = next(t for t in found.trials if t.changes)
    assert all(not r.failed for r in trial.runs.values())


def test_sample_weights_are_split_like_the_samples():
    weight = np.where(labels == 1, 2.0, 1.0)
    found = mlp().cure(X, labels, epochs=20, learning_rate=1e-6, sample_weight=weight, verbose=0,
                       changes=[change("learning_rate", value=0.02)])  # fmt: skip
    assert found.improved and "sample_weight=array(400,)" in found.after.source()


# ---------------------------------------------------------------- what decides


def runs_of(scores):
    return {i: Run(i, s, (), ()) for i, s in enumerate(scores)}


def comparison(a, b, n=1000):
    made = object.__new__(PairedRuns)
    made.held = made.train = Samples([np.zeros((n, 1))], [np.arange(n) % 2])
    made.epochs, made.scorer = 1, Scorer(np.arange(n) % 2)
    setup = Setup(Definition.of(mlp()), FitSettings.of({}))
    return made.compare(Trial((), setup, runs_of(a), 1.0), Trial((), setup, runs_of(b), 1.0))


def test_a_win_exceeds_every_spread():
    assert comparison([0.5, 0.51, 0.5], [0.9, 0.91, 0.9]).wins
    assert not comparison([0.9, 0.91, 0.9], [0.5, 0.51, 0.5]).wins
    assert not comparison([0.90, 0.91, 0.89], [0.905, 0.92, 0.9]).wins  # within the spread between seeds
    assert not comparison([0.5, 0.5, 0.5], [0.5, 0.95, 0.5]).wins  # one lucky seed
    assert not comparison([0.97] * 3, [0.98] * 3, n=20).wins  # within the error of 20 held-out samples
    assert not comparison([0.5], [0.9]).wins  # one seed has no spread
    assert comparison([0.97] * 3, [0.999] * 3, n=10_000).wins
    assert comparison([], []) == Comparison(0.0, float("inf"), 0)


def test_noise_seldom_wins():
    noise = np.random.default_rng(0)
    wins = sum(comparison(*(noise.normal(0.9, 0.02, size=(2, 3)))).wins for _ in range(300))
    assert wins < 0.1 * 300


@pytest.mark.parametrize(
    ("y", "loss", "kind", "name"),
    [
        (labels, None, "labels", "accuracy"),
        (labels.astype(bool), None, "labels", "accuracy"),
        (labels[:, None].astype(float), "binary_cross_entropy", "labels", "accuracy"),
        (np.eye(3)[np.arange(30) % 3], None, "one-hot", "accuracy"),
        ((rng.random((30, 3)) > 0.5).astype(int), None, "yes-no", "accuracy of labels"),
        (numbers, None, "numbers", "R²"),
        (numbers[:, 0], "squared_error", "numbers", "R²"),
        (np.arange(300), "squared_error", "numbers", "R²"),
        (np.r_[np.zeros(90, int), np.ones(10, int)], None, "labels", "balanced accuracy"),
    ],
)
def test_what_is_scored(y, loss, kind, name):
    scorer = Scorer(y, loss)
    assert (scorer.kind, scorer.name) == (kind, name)


def test_losses_of_other_kinds_compare():
    """A network with one number for the classes and one with logits get comparable scores."""
    one = Network([Dense(32), ReLU(), Dense(1)], random_state=0)
    one.fit(X, labels[:, None].astype(float), loss="squared_error", epochs=60, learning_rate=0.02, verbose=0)
    two = mlp()
    two.fit(X, labels, epochs=60, learning_rate=0.02, verbose=0)
    scorer = Scorer(labels)
    held = Samples([X], [labels])
    assert scorer(Session.of(one), held) == pytest.approx(scorer(Session.of(two), held), abs=0.1)
    assert scorer(Session.of(two), held) == pytest.approx(two.evaluate(X, labels)["accuracy"])
    metric = Scorer(numbers, metric="mean_absolute_error")
    net = mlp(out=1)
    net.fit(X, numbers, epochs=2, verbose=0)
    assert metric(net, Samples([X], [numbers])) == pytest.approx(
        -net.evaluate(X, numbers, metrics=["mean_absolute_error"])[metric.name]
    )


def test_alternatives_of_a_change():
    both = change("learning_rate", factor=0.1, range_test=True)
    assert expand([both, both]) == [change("learning_rate", range_test=True), change("learning_rate", factor=0.1)]


def test_rejections_are_not_repeated():
    search = object.__new__(Search)
    search.rejected = []
    for _ in range(2):
        search.reject((change("clip", norm=1.0),), "no")
    assert len(search.rejected) == 1


# ---------------------------------------------------------------- the range test


def test_range_test_leaves_the_network_alone_and_finds_a_rate():
    net = mlp()
    net.build(6)
    before = net.parameters.flat.copy()
    found = range_test(net, X, labels, optimizer="sgd")
    np.testing.assert_array_equal(net.parameters.flat, before)
    assert found.suggested is not None and 1e-3 < found.suggested <= 1
    assert "suggested learning rate" in str(found)
    assert len(found.rates) == len(found.losses) <= 100


def test_range_test_of_what_cannot_learn_suggests_nothing():
    found = range_test(mlp(weight_init="zeros"), X, rng.integers(0, 2, 400), highest=1e-3)
    assert found.suggested is None and "never fell" in str(found)


@pytest.mark.parametrize(
    "arguments",
    [{"lowest": 0}, {"lowest": 1, "highest": 0.1}, {"steps": 3}, {"steps": 20.5}, {"highest": float("inf")},
     {"optimizer": "lbfgs"}],
)  # fmt: skip
def test_range_test_refuses(arguments):
    with pytest.raises(ParameterError):
        range_test(mlp(), X, labels, **arguments)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"time_budget": 0}, ParameterError, "time_budget"),
        ({"time_budget": float("nan")}, ParameterError, "time_budget"),
        ({"seeds": 1}, ParameterError, "seeds"),
        ({"validation_split": 1.5}, ParameterError, "validation_split"),
        ({"start": "anew"}, ParameterError, "start"),
        ({"verbose": 7}, ParameterError, "verbose"),
        ({"epoch": 3}, UnknownNameError, "Did you mean 'epochs'"),
        ({"epochs": 0}, ParameterError, "epochs"),
        ({"optimizer": "adm"}, UnknownNameError, "adm"),
        ({"metric": "acuracy"}, UnknownNameError, "acuracy"),
        ({"validation_data": (X,)}, ParameterError, "validation_data"),
        ({"validation_data": (X[:, :2], labels)}, ShapeError, "validation_data"),
        ({"sample_weight": np.ones(3)}, ShapeError, "sample_weight"),
    ],
)
def test_bad_arguments(arguments, error, text):
    with pytest.raises(error, match=text):
        mlp().cure(X, labels, **{"changes": [change("clip", norm=1.0)], "verbose": 0, **arguments})


def test_bad_data():
    one = [change("clip", norm=1.0)]
    with pytest.raises(DataError):
        mlp().cure(np.where(X > 2, np.nan, X), labels, changes=one, verbose=0)
    with pytest.raises(ShapeError, match="one length"):
        mlp().cure(X, labels[:-1], changes=one, verbose=0)
    with pytest.raises(DataError, match="too few"):
        mlp().cure(X[:1], labels[:1], changes=one, verbose=0)
    with pytest.raises(DataError, match="read before is empty"):
        mlp().cure(iter([]), changes=one, verbose=0)
    with pytest.raises(ParameterError, match=r"\(x, y, sample_weight\)"):
        mlp().cure([(X, labels)], changes=one, sample_weight=np.ones(400), verbose=0)
    with pytest.raises(ParameterError, match="y is missing"):
        mlp().cure(X, changes=one, verbose=0)


def test_what_no_change_can_cure_ends_well():
    constant = mlp().cure(X, np.zeros(400, int), epochs=2, changes=[change("clip", norm=1.0)], verbose=0)
    assert not constant.improved
    without = Network([ReLU(), Dropout(0.5)], random_state=0)
    found = without.cure(X, numbers @ np.ones((1, 6)), epochs=2, changes=[change("activation", to="tanh")], verbose=0)
    assert isinstance(found, Cure)
    # A change that no network can be made of is a rejection with its reason, not an error.
    useless = [change("output", units=1, loss="softmax_cross_entropy"), change("data", advice="more")]
    found = mlp().cure(X, labels, epochs=2, verbose=0, changes=useless)
    assert not found.improved and found.advice == ["more"]
    assert any("Error" in r.reason or "does not apply" in r.reason for r in found.rejected)


def test_diagnosis_and_cure_together():
    net = Network([Standardize(), Dense(16), ReLU(), Dense(1)], random_state=0)
    found = net.cure(X, numbers, epochs=10, learning_rate=1e-7, time_budget=20, verbose=0)
    assert found.diagnosis is not None and not found.diagnosis.healthy
    assert found.improved and found.best.score > 0.8


@pytest.mark.slow
def test_a_watched_fit_cures_itself():
    net = Network([Dense(16), ReLU(), Dense(1)], random_state=0)
    net.fit(X, numbers, epochs=10, optimizer="sgd", learning_rate=1e8, diagnose=True, on_fault="cure", verbose=0)
    assert 1 - ((net.predict(X) - numbers) ** 2).mean() / numbers.var() > 0.8
    assert net.optimizer_.learning_rate < 1 or net.optimizer_.name != "sgd"


@pytest.mark.parametrize("targets", ["constant", "shuffled"])
def test_a_fault_of_the_data_is_not_cured_by_chance(targets: str) -> None:
    """More epochs come nearer to a constant, and a smaller rate to the mean of noise: neither is a cure."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5)).astype(np.float32)
    y = np.full((300, 1), 3.0, np.float32) if targets == "constant" else rng.normal(size=(300, 1)).astype(np.float32)
    found = Network([Dense(16), ReLU(), Dense(1)], random_state=0).cure(X, y, time_budget=8, epochs=10, verbose=0)
    assert not found.changes and found.advice
    assert "only other data" in str(found).lower()
