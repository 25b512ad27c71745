"""The frontier of pruning: measured steps, what is recommended, and what cannot be."""

import numpy as np
import pytest

from chainrule import Dense, Network, NeuralClassifier, NeuralRegressor
from chainrule.data import Sequences
from chainrule.data.batches import ArrayData
from chainrule.errors import DataError, NotFittedError, ParameterError, UnknownNameError
from chainrule.layers import BatchNorm, Conv2D, Embedding, Flatten, GlobalAveragePool, Input, ReLU
from chainrule.sparsity import Candidate, Frontier, Measure, frontier
from chainrule.training import timing
from chainrule.training.timing import best_times

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 10)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int)
QUICK = {"epochs": 2, "batches": (1, 8)}


def trained(X=X, y=Y, outputs=2, **fit) -> Network:
    net = Network([Dense(48), ReLU(), Dense(32), ReLU(), Dense(outputs)], random_state=0)
    return net.fit(X, y, **{"epochs": 15, "learning_rate": 0.01, "verbose": 0, **fit})


@pytest.fixture(scope="module")
def net() -> Network:
    return trained()


@pytest.mark.parametrize("structure", [None, "none", "blocks", "blocks16", "units"])
def test_each_step_is_as_sparse_as_asked_and_the_network_stays(net, structure):
    before = {name: array.copy() for name, array in net.parameters.items()}
    found = frontier(net, X, Y, sparsities=(0.5, 0.75), structure=structure, **QUICK)
    assert found.dense.sparsity == 0
    for array, name in zip(net.parameters.values(), before, strict=True):
        np.testing.assert_array_equal(array, before[name])
    for share, step in zip((0.5, 0.75), found.steps[1:], strict=True):
        if structure == "units":
            units = [w.shape[1] for n, w in step.network.parameters.items() if n.endswith("weight")]
            assert units == [round(48 * (1 - share)), round(32 * (1 - share)), 2]
            assert step.sparsity > share  # a unit goes with the weights that it reads, and those that read it
        else:
            assert step.sparsity == pytest.approx(share, abs=0.02)
            assert step.network.sparsity().sparsity == pytest.approx(step.sparsity)
        assert step.file_bytes < found.dense.file_bytes
        assert set(step.seconds) == {1, 8} and all(0 < s < 60 for s in step.seconds.values())
    assert "accuracy" in str(found) and found.recommended.name in found.conclusion() + "dense"


def test_what_is_measured_is_held_out_and_the_rest_is_trained_on(net):
    seen = []

    class Spy(ArrayData):
        def batches(self, batch_size, rng=None, *, shuffle=True):
            for batch in super().batches(batch_size, rng, shuffle=shuffle):
                if rng is not None:
                    seen.append(batch.inputs[0].copy())
                yield batch

        def split(self, share, rng):
            order = rng.permutation(self.n_samples)
            n = int(share * self.n_samples)
            held, kept = order[:n], order[n:]
            return Spy((X[kept],), (Y[kept],)), ArrayData((X[held],), (Y[held],))

    found = frontier(net, Spy((X,), (Y,)), sparsities=(0.5,), held_out=0.5, **QUICK)
    assert len(np.unique(np.concatenate(seen), axis=0)) == 200
    assert found.measure.name == "accuracy"


def test_data_of_the_users_own_to_measure_with(net):
    found = frontier(net, X[:300], Y[:300], validation_data=(X[300:], Y[300:]), sparsities=(0.5,), **QUICK)
    right = float((net.predict(X[300:]).argmax(1) == Y[300:]).mean())
    assert found.dense.score == pytest.approx(right)


@pytest.mark.parametrize("outputs", [1, 3])
def test_numbers_are_measured_by_r2(outputs):
    y = np.stack([X[:, 0] * X[:, 1], X[:, 2], X[:, 0] - X[:, 3]], axis=1)[:, :outputs]
    found = frontier(trained(X, y, outputs), X, y, sparsities=(0.3,), **QUICK)
    assert found.measure.name == "R²" and found.dense.score > 0.5


def test_a_metric_by_name_and_one_of_which_less_is_better(net):
    assert frontier(net, X, Y, sparsities=(0.3,), metric="f1", **QUICK).measure.name == "f1"
    y = X[:, :1] * 2
    found = frontier(trained(X, y, 1), X, y, sparsities=(0.99,), metric="mae", tolerance=0.0, **QUICK)
    assert not found.measure.higher and found.recommended is found.dense


def step(sparsity, score):
    return Candidate(f"{sparsity}", None, sparsity, score, {1: 1.0 - sparsity / 2}, int(100 - sparsity * 90), 10)


@pytest.mark.parametrize(("scores", "tolerance", "best"), [
    ((0.9, 0.91, 0.896, 0.80), 0.005, 2),
    ((0.9, 0.80, 0.899, 0.80), 0.005, 2),  # a step that was worse does not hide a sparser one that is good
    ((0.9, 0.80, 0.70, 0.60), 0.005, 0),
    ((0.9, 0.80, 0.70, 0.60), 0.5, 3),
])  # fmt: skip
def test_the_sparsest_within_the_tolerance_is_recommended(scores, tolerance, best):
    steps = [step(s, score) for s, score in zip((0, 0.5, 0.8, 0.9), scores, strict=True)]
    found = Frontier(Measure("accuracy", True, lambda net: 0.0), tolerance, None, steps, 3)
    assert found.recommended is steps[best]
    assert ("dense network stays" in found.conclusion()) == (best == 0)
    losses = [step(s, 1 - score) for s, score in zip((0, 0.5, 0.8, 0.9), scores, strict=True)]
    relative = Frontier(Measure("loss", False, lambda net: 0.0), tolerance / 0.1, None, losses, 3)
    assert relative.recommended is losses[best]


def test_picture_and_plain_data(net, tmp_path):
    found = frontier(net, X, Y, sparsities=(0.5,), **QUICK)
    assert found.save_picture(tmp_path / "f.png").stat().st_size > 10_000
    data = found.to_dict()
    assert [one["name"] for one in data["steps"]] == ["dense", "50 % of weights zero"]
    assert data["recommended"] in ("dense", "50 % of weights zero")


def test_images_and_sequences_and_several_inputs():
    images = RNG.normal(size=(64, 8, 8, 1)).astype(np.float32)
    y = (images.mean((1, 2, 3)) > 0).astype(int)
    cnn = Network([Conv2D(8, 3), BatchNorm(), ReLU(), Flatten(), Dense(2)], random_state=0).fit(
        images, y, epochs=2, verbose=0
    )
    assert frontier(cnn, images, y, sparsities=(0.5,), structure="units", **QUICK).steps[1].sparsity > 0.4
    words = Sequences([RNG.integers(1, 20, RNG.integers(1, 6)) for _ in range(60)])
    labels = np.array([int(w[0] > 9) for w in words])
    layers = [Input((None,), dtype="int"), Embedding(20, 8, padding=0), GlobalAveragePool(), Dense(16), ReLU(), Dense(2)]
    texts = Network(layers, random_state=0).fit(words, labels, epochs=2, verbose=0)
    found = frontier(texts, words, labels, sparsities=(0.5,), **QUICK)
    assert found.steps[1].sparsity < 0.5  # the embedding is not pruned, and counts


def test_estimators_give_a_smaller_estimator():
    fitted = NeuralClassifier([32], epochs=10, random_state=0, tolerance=None).fit(X, Y)
    small = fitted.prune(X, Y, sparsities=(0.5, 0.8), tolerance=1.0, **QUICK)
    assert small.network_.sparsity().sparsity == pytest.approx(0.8, abs=0.01)
    assert fitted.network_.sparsity().sparsity == 0
    assert len(small.frontier_.steps) == 3 and set(small.predict(X)) <= {0, 1}
    numbers = NeuralRegressor([32], epochs=10, random_state=0, tolerance=None).fit(X, X[:, 0])
    assert numbers.prune(X, X[:, 0], sparsities=(0.5,), tolerance=1.0, **QUICK).frontier_.measure.name == "R²"
    with pytest.raises(NotFittedError):
        NeuralClassifier([4]).prune(X, Y)


def test_it_continues_from_a_pruned_network(net):
    once = frontier(net, X, Y, sparsities=(0.6,), **QUICK).steps[1].network
    twice = frontier(once, X, Y, sparsities=(0.8,), **QUICK)
    assert twice.dense.sparsity == pytest.approx(0.6, abs=0.01)
    assert twice.steps[1].sparsity == pytest.approx(0.8, abs=0.01)
    assert ((once.parameters["0.dense.weight"] != 0) >= (twice.steps[1].network.parameters["0.dense.weight"] != 0)).all()


@pytest.mark.parametrize(("given", "match"), [
    ({"sparsities": (0.5, 1.0)}, "from 0 to below 1"),
    ({"sparsities": (-0.1,)}, "from 0 to below 1"),
    ({"sparsities": (float("nan"),)}, "from 0 to below 1"),
    ({"sparsities": (0.9, 0.5)}, "rising"),
    ({"sparsities": ()}, "rising"),
    ({"sparsities": (0.0, 0.5)}, "rising"),
    ({"structure": "rows"}, "structure"),
    ({"tolerance": -1}, "tolerance"),
    ({"tolerance": float("nan")}, "tolerance"),
    ({"held_out": 1.0}, "held_out"),
    ({"batches": (0,)}, "batches"),
    ({"batches": ()}, "batches"),
    ({"epochs": 0}, "epochs"),
    ({"method": "luck"}, "method"),
])  # fmt: skip
def test_what_cannot_be(net, given, match):
    with pytest.raises(ParameterError, match=match):
        frontier(net, X, Y, **{"sparsities": (0.5,), **QUICK, **given})


def test_what_cannot_be_pruned_or_measured(net):
    with pytest.raises(NotFittedError):
        frontier(Network([Dense(2)]), X, Y)
    with pytest.raises(UnknownNameError):
        frontier(net, X, Y, epoch=3)
    with pytest.raises(ParameterError, match="validation_data"):
        frontier(net, [(X[:32], Y[:32])], sparsities=(0.5,), **QUICK)
    bad = trained(epochs=1)
    bad.parameters["0.dense.weight"][0, 0] = np.nan
    with pytest.raises(DataError, match="not finite"):
        frontier(bad, X, Y, **QUICK)


def test_runs_take_turns():
    order = []
    times = best_times([lambda: order.append("a"), lambda: order.append("b")], fewest=3, most=3)
    assert order == ["a", "b"] + ["a", "a", "b", "b"] * 3
    assert len(times) == 2 and all(t >= 0 for t in times)


def test_runs_end_early_where_one_is_clearly_the_fastest(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def taking(seconds):
        def run():
            now[0] += seconds

        return run

    assert best_times([taking(1.0), taking(2.0)], fewest=5, seconds=100, clear=1.5) == [1.0, 2.0]
    assert now[0] == 3.0 + 2 * 6.0
    now[0] = 0.0
    best_times([taking(1.0), taking(1.2)], fewest=5, seconds=100, clear=1.5)
    assert now[0] > 5 * 4.4
