"""net.cure of every kind of data that fit takes."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from chainrule import Dense, GraphConv, Input, Network, ReLU, SparseMatrix, Standardize
from chainrule.cures import range_test
from chainrule.data import Sequences
from chainrule.diagnosis import Change
from chainrule.images import ImageData
from chainrule.layers import LSTM, Concat, Conv2D, GlobalAveragePool

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 6)).astype(np.float32)
labels = (X[:, 0] + X[:, 1] > 0).astype(int)
numbers = X[:, :1] - 2 * X[:, 1:2]
batches = [(X[i : i + 30], labels[i : i + 30]) for i in range(0, 300, 30)]
classes = np.arange(200) % 2
series = Sequences([rng.normal(size=(n, 3)).astype(np.float32) + i % 2 for i, n in enumerate(rng.integers(3, 12, 200))])
faster = [Change("learning_rate", {"value": 0.02})]
slow = {"learning_rate": 1e-6, "epochs": 20, "changes": faster, "verbose": 0}


def mlp():
    return Network([Dense(16), ReLU(), Dense(2)], random_state=0)


def lstm(outputs=2, steps=False):
    return Network([Input((None, 3)), LSTM(8, return_sequences=steps), Dense(outputs)], random_state=0)


@pytest.mark.slow
def test_sequences():
    found = lstm().cure(series, classes, **slow)
    assert found.changes == tuple(faster) and found.best.score > 0.9 and found.samples == found.of == 200
    assert found.network.evaluate(series, classes)["accuracy"] > 0.9
    steps = lstm(1, steps=True).cure(series, Sequences([s[:, :1] * 2 for s in series]), **slow)
    assert steps.improved and steps.score_name == "R²" and steps.best.score > 0.8


@pytest.mark.slow
def test_sequences_are_scaled_in_the_network():
    far = Sequences([s * 1000 + 5000 for s in series])
    scaled = [Change("scale_inputs", {"method": "standard"})]
    found = lstm().cure(far, classes, epochs=15, learning_rate=0.02, changes=scaled, verbose=0)
    assert found.improved and found.network.evaluate(far, classes)["accuracy"] > 0.9
    layer = next(name for name, one in found.network.layers.items() if isinstance(one, Standardize))
    np.testing.assert_allclose(found.network.states[f"{layer}.mean"], far.values.mean(axis=0), rtol=1e-4)


@pytest.mark.parametrize("source", ["list", "function", "iterator"])
def test_streams(source):
    given = {"list": batches, "function": lambda: iter(batches), "iterator": iter(batches)}[source]
    found = mlp().cure(given, **slow)
    assert found.improved and found.samples == found.of == 300
    assert found.network.evaluate(X, labels)["accuracy"] > 0.9


def test_the_trials_use_a_part_of_a_long_stream_and_say_so(monkeypatch):
    monkeypatch.setattr(sys.modules["chainrule.cures.samples"], "STREAM_SAMPLES", 120)
    found = mlp().cure(lambda: iter(batches), **slow)
    assert found.samples == 120 and found.of is None
    assert "made with 120 samples of a stream" in str(found)
    # The last training reads all of it: 10 batches an epoch.
    assert found.network.history_.epochs[-1] == 20 and found.network._runtime.trainer.state.step == 200


def test_a_stream_is_scaled_by_what_was_kept_of_it():
    far = [(x * 1000 + 5000, y) for x, y in batches]
    scaled = [Change("scale_inputs", {"method": "standard"})]
    found = mlp().cure(far, epochs=20, learning_rate=0.02, changes=scaled, verbose=0)
    assert found.improved and found.network.evaluate(X * 1000 + 5000, labels)["accuracy"] > 0.9


def test_pictures():
    pictures = rng.normal(128, 30, size=(400, 8, 8, 1))
    pictures[200:, :4] += 60
    data = ImageData(pictures.clip(0, 255).astype(np.uint8), np.repeat([0, 1], 200)).standardised()
    net = Network([Conv2D(8, 3), ReLU(), GlobalAveragePool(), Dense(2)], random_state=0)
    found = net.cure(data, **slow)
    assert found.improved and found.network.evaluate(data)["accuracy"] > 0.9


edges = rng.integers(0, 200, (2, 1500))
graph = SparseMatrix.from_edges(edges.T[classes[edges[0]] == classes[edges[1]]], nodes=200)
nodes = rng.normal(size=(200, 8)) + 0.5 * classes[:, None]
some = np.where(np.arange(200) < 80, classes, -1)


def gcn(outputs=2):
    return Network([GraphConv(16, graph), ReLU(), GraphConv(outputs, graph)], random_state=0)


@pytest.mark.parametrize("x", [nodes, SparseMatrix.of(nodes * (nodes > 1))], ids=["dense", "sparse"])
def test_a_graph_holds_out_labelled_nodes(x):
    found = gcn().cure(x, some, **slow)
    assert found.improved and found.samples == 80 and found.best.score > 0.9
    assert found.network.evaluate(x, np.where(some < 0, classes, -1))["accuracy"] > 0.85


def test_a_graph_with_a_mask_or_numbers():
    mask = (some >= 0) * 1.0
    found = gcn().cure(nodes, classes, sample_weight=mask, **slow)
    assert found.improved and found.samples == 80
    regression = gcn(1).cure(nodes, graph.to_dense() @ nodes[:, :1], **{**slow, "epochs": 60})
    assert regression.improved and regression.score_name == "R²"
    held = gcn().cure(nodes, some, validation_data=(nodes, np.where(some < 0, classes, -1)), **slow)
    assert held.improved and len(held.best.runs) == 3


def test_a_graph_with_too_few_labels():
    from chainrule.errors import DataError

    with pytest.raises(DataError, match=r"4 labelled node\(s\) are too few"):
        gcn().cure(nodes, np.where(np.arange(200) < 4, classes, -1), verbose=0)


def test_the_output_that_is_at_fault_is_changed():
    a, b = Input((6,)), Input((6,))
    h = ReLU()(Dense(16)(Concat()(a, b)))
    net = Network(inputs=[a, b], outputs=[Dense(2)(h), ReLU()(Dense(1)(h))], random_state=0)
    ended = [Change("output", {"activation": "identity", "loss": "squared_error", "output": 1})]
    found = net.cure([X, X], [labels, numbers], epochs=30, learning_rate=0.02, changes=ended, verbose=0)
    assert found.improved and found.score_name == "mean of accuracy, R²"
    assert [loss.name for loss in found.network.loss_] == ["softmax_cross_entropy", "squared_error"]
    assert found.network.predict([X, X])[1].min() < 0


@pytest.mark.slow
def test_range_test_of_sequences_and_graphs():
    assert 1e-4 < range_test(lstm(), series, classes).suggested < 1
    assert 1e-4 < range_test(gcn(), nodes, some).suggested <= 1


def test_no_samples():
    from chainrule.errors import ChainruleError

    with pytest.raises(ChainruleError, match=r"0 sample"):
        mlp().cure(X[:0], labels[:0], verbose=0)
