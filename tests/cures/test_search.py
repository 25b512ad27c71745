"""Which changes are tried, for how long, and what is kept."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from chainrule import Dense, LeakyReLU, Network, ReLU
from chainrule.cures import range_test
from chainrule.cures.apply import Context
from chainrule.cures.change_sets import joined
from chainrule.cures.paired import Comparison, PairedRuns, Run, _Curve
from chainrule.cures.range_test import rates_of
from chainrule.cures.scorer import Scorer
from chainrule.cures.search import Search
from chainrule.cures.setup import Setup
from chainrule.diagnosis import Change, Diagnosis, Finding
from chainrule.errors import DataError, ParameterError
from chainrule.network import Definition
from chainrule.training import FitSettings
from chainrule.training.samples import Samples

rng = np.random.default_rng(0)
X = rng.normal(size=(400, 6)).astype(np.float32)
labels = (X[:, 0] * X[:, 1] > 0).astype(int)
numbers = (X[:, :1] - 2 * X[:, 1:2]).astype(np.float64)


def change(kind, **arguments):
    return Change(kind, arguments)


def mlp(out=2, **kw):
    return Network([Dense(32, **kw), ReLU(), Dense(out, **kw)], random_state=0)


def paired(epochs=10, n=4000, classes=4, seconds=math.inf):
    y = np.arange(n) % classes
    y[: n // 2] = 0
    samples = Samples([np.zeros((n, 3), np.float32)], [y])
    return PairedRuns(Network, [(3,)], samples, samples.first(n // 4), scorer=Scorer(y), epochs=epochs, deadline=seconds)


# ---------------------------------------------------------------- short runs


def test_short_runs_have_fewer_epochs_and_then_fewer_samples():
    runs = paired()
    assert runs.share(1.0) == (1.0, 1.0) and runs.describe(1.0) == "all 10 epochs"
    assert runs.share(0.5) == (0.5, 1.0) and runs.describe(0.5) == "5 of 10 epochs"
    assert runs.share(0.03) == (0.3, pytest.approx(0.1))
    assert runs.describe(0.03) == "3 of 10 epochs on 400 of 4,000 samples"
    some = runs.some(0.1)
    # Of every class in proportion, the same ones each time.
    counts, of = (np.bincount(s.targets[0]) for s in (some, runs.train))
    np.testing.assert_allclose(counts / counts.sum(), of / of.sum(), atol=0.01)
    np.testing.assert_array_equal(some.targets[0], runs.some(0.1).targets[0])
    # Not so few that a run shows nothing.
    assert len(runs.some(runs.share(1e-6)[1])) == 200
    assert runs.judged(1.0) == 1000 and runs.judged(0.03) == 512
    assert paired(epochs=1).share(0.25) == (1.0, 0.25)


def curve(values, leader, epochs, chance=0.1, margin=0.05):
    """After how many epochs a run with these scores is ended; None when it is not."""
    given = iter(values)
    watch = _Curve(lambda: next(given), epochs, leader, chance, margin)
    for i in range(len(values)):
        try:
            watch.on_epoch_end(None, i + 1, {})
        except KeyboardInterrupt:
            assert watch.behind.startswith("ended early")
            return i + 1
    return None


def test_runs_that_are_clearly_behind_are_ended():
    leader = [0.5, 0.7, 0.8, 0.85, 0.9, 0.9, 0.9, 0.9]
    assert curve([0.1] * 8, leader, 8) == 2  # at chance, where the leader was off after half the time
    assert curve(leader, leader, 8) is None  # as good
    assert curve([0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.95], leader, 8) is None  # slower, but on its way
    assert curve([0.1, 0.25, 0.3, 0.38, 0.4, 0.4, 0.4, 0.4], leader, 8) == 5  # too slow to come near
    assert curve([0.1] * 8, [], 8) is None  # nobody leads
    assert curve([0.1] * 8, [0.1] * 8, 8) is None  # the leader has learned nothing either
    assert curve([-0.3, -0.2, -0.2, -0.2], [-0.3, -0.25, -0.2, -0.1], 4, chance=0.0) is None  # nor has it here
    assert curve([0.0] * 4, [-3.0, -1.0, -0.1, -0.1], 4, chance=None, margin=0.0) is None  # a metric that is a loss


def test_a_dominated_run_is_no_result():
    net, setup = mlp(), Setup(Definition.of(mlp()), FitSettings.of({"epochs": 20, "learning_rate": 1e-9}))
    net.build(6)
    samples = Samples([X], [labels])
    runs = PairedRuns(Network, [(6,)], samples, samples, scorer=Scorer(labels), epochs=20, deadline=math.inf)
    run = runs.run(setup, 0, leader=[0.99] * 20)
    assert not run.complete and run.behind and len(run.curve) < 20
    assert runs.run(setup, 0).complete


# ---------------------------------------------------------------- which changes


def test_changes_of_one_kind_are_joined():
    more, rate = change("epochs", factor=5.0), change("learning_rate", factor=0.1)
    assert joined([more], more) == (change("epochs", factor=25.0),)
    assert joined([rate], change("learning_rate", value=0.01)) == (change("learning_rate", value=0.01),)
    assert joined([rate], rate) == (rate,)
    relu, tanh = change("activation", to="relu", layers=("a",)), change("activation", to="tanh", layers=("b",))
    assert joined([relu], tanh) == (relu, tanh)
    assert joined([], relu) == (relu,)


@pytest.mark.slow
def test_more_epochs_are_tried_again_while_they_help():
    net = Network([Dense(1)], random_state=0)
    y = (X @ np.arange(1, 7, dtype=np.float32)[:, None]).astype(np.float64)
    found = net.cure(X, y, optimizer="sgd", learning_rate=0.002, epochs=2, verbose=0, changes=[change("epochs", factor=5.0)])
    (kept,) = found.changes
    assert kept.kind == "epochs" and kept["factor"] >= 25 and found.best.score > 0.95
    assert found.after.fit["epochs"] == 2 * kept["factor"]


def test_a_symptom_may_be_a_second_cause():
    """Neither change helps alone, and the one finding names only one as its own."""
    symptom = Finding("CR2", "b", "b", changes=(change("learning_rate", value=0.02),))
    cause = Finding("CR1", "a", "a", changes=(change("initialise", law="auto"),), symptoms=(symptom,))
    net = mlp(out=1, weight_init="zeros")
    found = net.cure(X, numbers, learning_rate=1e-7, epochs=30, diagnosis=Diagnosis([cause]), verbose=0)
    assert {c.kind for c in found.changes} >= {"initialise", "learning_rate"} and found.best.score > 0.9


@pytest.mark.slow
def test_what_is_called_for_shows_what_it_hid():
    """The finding knows of one fault of two; the second shows when the first has been changed."""
    cause = Finding("CR1", "a", "a", changes=(change("initialise", law="auto"),))
    net = mlp(weight_init="zeros")
    found = net.cure(X, labels, optimizer="sgd", learning_rate=1e-7, epochs=40, diagnosis=Diagnosis([cause]), verbose=0)
    assert found.improved and found.best.score > 0.75
    assert {c.kind for c in found.changes} >= {"initialise", "learning_rate"}


def test_a_seed_from_which_nothing_is_learned_is_found():
    """From the first seed it learns, so its diagnosis is healthy; the seed from which it does not is diagnosed, too."""
    search = short_search([])
    search.baseline.runs = {0: Run(0, 0.95, (), ()), 1: Run(1, 0.55, (), ()), 2: Run(2, 0.96, (), ())}
    assert search.unlucky() == 1
    search.baseline.runs[1] = Run(1, 0.9, (), ())
    assert search.unlucky() is None
    search.baseline.runs = {0: Run(0, 0.95, (), ())}
    assert search.unlucky() is None


def test_the_first_choice_is_kept_among_equals():
    first, second = change("learning_rate", value=0.02), change("learning_rate", value=0.021)
    found = mlp().cure(X, labels, epochs=40, learning_rate=1e-7, changes=[first, second], verbose=0)
    assert found.improved and second not in found.changes


# ---------------------------------------------------------------- what is kept


def test_a_clear_win_needs_no_third_seed():
    assert Comparison(0.5, 0.05, 2).clear and not Comparison(0.1, 0.05, 2).clear and not Comparison(0.5, 0.05, 1).clear
    assert Comparison(0.01, 0.05, 3).alike and not Comparison(0.04, 0.05, 3).alike
    assert Comparison(-0.1, 0.05, 3).harms and not Comparison(-0.01, 0.05, 3).harms


def wrong_output(severity="error"):
    right = change("output", activation="identity", loss="softmax_cross_entropy")
    return right, Diagnosis(
        [Finding("CR202", "output-activation", "an activation before the loss", severity, changes=(right,))]
    )


def test_what_is_correct_is_kept_where_the_score_is_no_worse():
    net = Network([Dense(32), ReLU(), Dense(2), LeakyReLU()], random_state=0)
    right, diagnosis = wrong_output()
    found = net.cure(X, labels, epochs=40, learning_rate=0.01, diagnosis=diagnosis, verbose=0)
    assert found.changes == (right,)
    if not found.improved:
        assert found.correct == (right,) and not found.evidence.wins and not found.evidence.harms
        assert "Corrected by 1 change" in str(found) and "correct, not measurably better" in str(found)
    assert "-    LeakyReLU()," in found.patch() and found.network is not net
    assert "correct" in found.to_dict()
    assert "put right" in found.report().html() or found.improved
    # A mere warning has to win like anything else.
    found = net.cure(X, labels, epochs=40, learning_rate=0.01, diagnosis=wrong_output("warning")[1], verbose=0)
    assert not found.correct


def test_samples_that_are_not_finite_are_left_out():
    spoiled, weight = X.copy(), np.ones(400)
    spoiled[[3, 50], 1] = np.nan
    net = mlp()
    found = net.cure(spoiled, labels, epochs=40, learning_rate=0.02, sample_weight=weight, verbose=0)
    assert found.diagnosis.cause.name == "non-finite-data" and found.changes[0] == change("leave_out", rows=(3, 50))
    assert found.improved and found.best.score > 0.8 and found.network is not net
    assert all("leave out samples 3, 50" in run.failed for run in found.baseline.runs.values())
    assert "+    X[whole], y[whole]," in found.patch() and "np.isfinite(X)" in found.patch()
    assert found.network.evaluate(X, labels)["accuracy"] > 0.8
    json.dumps(found.to_dict())
    # A network that is healthy without them is changed in nothing else, and trained.
    assert len(found.before.definition.layers) == len(found.after.definition.layers)


def test_too_many_samples_that_are_not_finite_are_the_users_to_fill():
    spoiled = X.copy()
    spoiled[::2, 0] = np.inf
    net = mlp()
    found = net.cure(spoiled, labels, epochs=5, verbose=0)
    assert not found.changes and found.network is net and "samples 0, 2, 4, 6, 8 and 195 more" in found.advice[0]
    assert "fill the gaps" in str(found) and not found.improved
    json.dumps(found.to_dict())
    assert "fill the gaps" in found.report().html()
    with pytest.raises(DataError, match="X contains"):
        net.cure(spoiled, labels, epochs=5, changes=[change("clip", norm=1.0)], verbose=0)


def test_what_is_known_by_heart_calls_for_more_samples():
    few = rng.normal(size=(160, 40)).astype(np.float32)
    noise = rng.integers(0, 2, 160)
    found = mlp().cure(few, noise, epochs=60, learning_rate=0.02, diagnosis=Diagnosis(), verbose=0)
    assert not found.changes and any("give more samples" in text for text in found.advice)
    assert all(run.seen > 0.9 for run in found.baseline.runs.values())
    # A network that cannot even learn them by heart.
    found = Network([Dense(1), ReLU(), Dense(2)], random_state=0).cure(
        X, rng.integers(0, 2, 400), epochs=5, diagnosis=Diagnosis(), verbose=0
    )
    assert not found.changes and any("better than the best constant" in text for text in found.advice)


@pytest.mark.slow
def test_the_rate_that_was_proved_is_the_one_that_is_given():
    found = mlp().cure(X, labels, optimizer="sgd", learning_rate=1e-7, epochs=30, verbose=0,
                       changes=[change("learning_rate", range_test=True)])  # fmt: skip
    rate = found.network.optimizer_.learning_rate
    assert found.improved and {run.learning_rate for run in found.best.runs.values()} == {rate}
    assert f"SGD({rate:g})" in found.patch()


def test_parts_of_the_time():
    found = mlp().cure(X, labels, epochs=20, learning_rate=1e-6, changes=[change("learning_rate", value=0.02)], verbose=0)
    assert set(found.parts) == {"diagnosis", "trials", "final training"} and found.parts["diagnosis"] == 0
    assert sum(found.parts.values()) == pytest.approx(found.seconds, abs=0.2)
    assert found.runs_of == "all 20 epochs" and "all 20 epochs" in str(found)


def short_search(changes, epochs=50):
    """A search in which one run is too long for the time that is left."""
    net, setup = mlp(), Setup(Definition.of(mlp()), FitSettings.of({"epochs": epochs, "learning_rate": 1e-6}))
    net.build(6)
    samples = Samples([X], [labels])
    runs = PairedRuns(Network, [(6,)], samples, samples, scorer=Scorer(labels), epochs=epochs, deadline=math.inf)
    search = Search(runs, setup, Context(net, [X], [labels]), [0, 1, 2])
    runs.deadline = 1e12
    search.each, search._measured = 1e12, True
    search.plan(changes)
    return search


def test_where_time_is_short_runs_are_short_and_more_epochs_are_not_judged():
    more, faster = change("epochs", factor=5.0), change("learning_rate", value=0.03)
    search = short_search([more, faster])
    assert search.short and search.length < 1 and len(search.seeds) == 2
    assert search.improve([[more], [faster]])
    assert search.best.changes == (faster,)
    assert any(r.changes == (more,) and "too long" in r.reason for r in search.rejected)


def test_what_wins_in_short_runs_only_is_not_kept():
    faster = change("learning_rate", value=0.03)
    search = short_search([faster])
    assert search.improve([[faster]])
    before = search.length
    # In longer runs of a network that learns by itself the change has nothing to add.
    search.baseline.setup = search.best.setup
    search._slow = search.each = 1e-9
    search._paces.clear()
    search.runs.deadline = math.inf
    search.verify()
    assert search.best.length > before and search.best.changes == ()
    assert any("only" in r.reason for r in search.rejected)


def test_a_range_test_that_has_no_time_suggests_nothing():
    found = mlp()
    found.build(6)
    assert rates_of(found, Samples([X], [labels]), FitSettings(), seconds=0.0).suggested is None
    assert range_test(found, X, labels, optimizer="sgd").suggested


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), "1"])
def test_seconds_of_a_diagnosis(seconds):
    with pytest.raises(ParameterError, match="seconds"):
        mlp().diagnose(X, labels, seconds=seconds)


def test_chance():
    assert Scorer(np.arange(300) % 3, "softmax_cross_entropy").chance == pytest.approx(1 / 3)
    assert Scorer(np.r_[np.zeros(90, int), np.ones(10, int)]).chance == 0.5  # of the balanced accuracy
    assert Scorer(numbers).chance == 0 and Scorer(numbers, metric="mean_absolute_error").chance is None
    one_hot = Scorer(np.eye(4)[np.arange(40) % 4])
    np.testing.assert_array_equal(one_hot.strata(np.eye(4)[[2, 0]]), [2, 0])
    assert Scorer(numbers).strata(numbers) is None
