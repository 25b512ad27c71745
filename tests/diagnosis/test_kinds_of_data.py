"""Diagnosis of every kind of data that fit takes: sequences, streams, graphs, several inputs and outputs."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from chainrule import Network, SparseMatrix
from chainrule.data import Sequences
from chainrule.diagnosis import Diagnosis, Rule
from chainrule.errors import ParameterError
from chainrule.images import ImageData
from chainrule.layers import (
    LSTM,
    Concat,
    Conv2D,
    Dense,
    Embedding,
    GlobalAveragePool,
    GraphConv,
    Input,
    ReLU,
)
from chainrule.training import Checkpoint, EarlyStopping, LambdaCallback, Session
from chainrule.training.samples import Recorder, Samples, collect, recorded
from chainrule.trials import DiagnosisWarning

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6)).astype(np.float32)
LABELS = (X[:, 0] + X[:, 1] > 0).astype(int)
NUMBERS = X[:, :1] - 2 * X[:, 1:2]
BATCHES = [(X[i : i + 30], LABELS[i : i + 30]) for i in range(0, 300, 30)]
LENGTHS = RNG.integers(3, 12, 200)
CLASSES = np.arange(200) % 2
SERIES = Sequences([RNG.normal(size=(n, 3)).astype(np.float32) + c for n, c in zip(LENGTHS, CLASSES, strict=True)])
TEXTS = Sequences([RNG.integers(0, 10, n) + 10 * c for n, c in zip(LENGTHS, CLASSES, strict=True)])


def mlp(outputs: int = 2) -> Network:
    return Network([Dense(16), ReLU(), Dense(outputs)], random_state=0)


def lstm(outputs: int = 2, *, steps: bool = False) -> Network:
    return Network([Input((None, 3)), LSTM(8, return_sequences=steps), Dense(outputs)], random_state=0)


def texts() -> Network:
    return Network([Input((None,), dtype="int"), Embedding(20, 8), GlobalAveragePool(), Dense(2)], random_state=0)


EDGES = RNG.integers(0, 200, (2, 1500))
GRAPH = SparseMatrix.from_edges(EDGES.T[(CLASSES[EDGES[0]] == CLASSES[EDGES[1]])], nodes=200)
NODES = RNG.normal(size=(200, 8)) + 0.5 * CLASSES[:, None]
SOME = np.where(np.arange(200) < 80, CLASSES, -1)


def gcn(outputs: int = 2) -> Network:
    return Network([GraphConv(16, GRAPH), ReLU(), GraphConv(outputs, GRAPH)], random_state=0)


def score(found: Diagnosis) -> float:
    return found.evidence["score on training samples"]


# ---------------------------------------------------------------- sequences


@pytest.mark.slow
@pytest.mark.parametrize(
    ("net", "x", "y"),
    [
        (lstm(), SERIES, CLASSES),
        (lstm(1, steps=True), SERIES, Sequences([s[:, :1] * 2 for s in SERIES])),
        (lstm(2, steps=True), SERIES, Sequences([(s[:, 0] > 0.5).astype(int) for s in SERIES])),
        (texts(), TEXTS, CLASSES),
    ],
    ids=["classes", "numbers of steps", "classes of steps", "texts"],
)
def test_sequences(net: Network, x: Any, y: Any) -> None:
    good = net.diagnose(x, y, epochs=30, learning_rate=0.02)
    assert good.healthy and score(good) > 0.9 and "score of the best simple model" in good.evidence
    slow = net.diagnose(x, y, epochs=10, learning_rate=1e-7)
    assert slow.cause is not None and slow.cause.name == "learning-rate-too-small"


def test_sequences_of_unscaled_numbers() -> None:
    far = Sequences([s * 1000 + 5000 for s in SERIES])
    assert "unscaled-inputs" in lstm().diagnose(far, CLASSES, epochs=10, learning_rate=0.01)


def test_sequences_of_one_class() -> None:
    assert lstm().diagnose(SERIES, np.zeros(200, int), epochs=3).cause.name == "constant-targets"


# ---------------------------------------------------------------- streams


class Loader:
    """A source that tells how many batches it has and can be read again."""

    def __len__(self) -> int:
        return len(BATCHES)

    def __iter__(self) -> Iterator[Any]:
        return iter(BATCHES)


@pytest.mark.parametrize("source", [BATCHES, lambda: iter(BATCHES), Loader()], ids=["list", "function", "loader"])
def test_streams_are_judged_by_what_they_yield(source: Any) -> None:
    good = mlp().diagnose(source, epochs=40, learning_rate=0.02)
    assert good.healthy and score(good) > 0.95
    assert mlp().diagnose(source, epochs=5, learning_rate=1e-7).cause.name == "learning-rate-too-small"


def test_data_rules_apply_to_streams() -> None:
    constant = [(x, np.zeros_like(y)) for x, y in BATCHES]
    assert mlp().diagnose(constant, epochs=3).cause.name == "constant-targets"
    far = [(x * 1000 + 5000, y) for x, y in BATCHES]
    assert "unscaled-inputs" in mlp().diagnose(lambda: iter(far), epochs=10)


def test_a_fit_of_an_iterator_reads_it_once() -> None:
    read: list[int] = []

    def batches() -> Iterator[Any]:
        for i, batch in enumerate(BATCHES):
            read.append(i)
            yield batch

    net = mlp()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosisWarning)
        net.fit(batches(), epochs=1, learning_rate=0.02, verbose=0, diagnose=True)
    assert read == list(range(10)) and score(net.diagnosis_) > 0.5
    other = mlp().fit(iter(BATCHES), epochs=1, learning_rate=0.02, verbose=0)
    np.testing.assert_array_equal(net.parameters.flat, other.parameters.flat)


def test_an_iterator_for_several_epochs_says_what_to_do() -> None:
    found = mlp().diagnose(iter(BATCHES), epochs=3)
    assert found.cause.name == "data-error" and "pass a function" in found.cause.cause


def test_a_stream_without_end() -> None:
    """The trial ends within an epoch that does not."""

    def forever() -> Iterator[Any]:
        return itertools.cycle(BATCHES)

    found = mlp().diagnose(forever, epochs=3, learning_rate=0.02, steps=50)
    assert score(found) > 0.8


def test_buffers_that_are_filled_again() -> None:
    """Samples are copied: a source may fill one array again and again."""

    def batches() -> Iterator[Any]:
        buffer, labels = np.zeros((30, 6), np.float32), np.zeros(30, int)
        for x, y in BATCHES:
            buffer[...], labels[...] = x, y
            yield buffer, labels

    samples = collect(batches, 300)
    assert samples is not None and len(samples) == 300
    np.testing.assert_array_equal(samples.X, X)


def test_what_is_kept_of_a_stream_is_bounded() -> None:
    recorder = recorded(lambda: itertools.cycle(BATCHES), 100)
    assert isinstance(recorder, Recorder)
    for _ in itertools.islice(iter(recorder), 50):
        pass
    found = collect(recorder, 100)
    assert found is not None and len(found) == 100 and found.total is None
    whole = collect(BATCHES, 1000)
    assert whole is not None and whole.total == len(whole) == 300


def test_pictures() -> None:
    pictures = RNG.normal(128, 30, size=(400, 8, 8, 1))
    pictures[200:, :4] += 60
    data = ImageData(pictures.clip(0, 255).astype(np.uint8), np.repeat([0, 1], 200)).standardised()
    net = Network([Conv2D(8, 3), ReLU(), GlobalAveragePool(), Dense(2)], random_state=0)
    found = net.diagnose(data, epochs=30, learning_rate=0.02)
    assert found.healthy and score(found) > 0.9
    part = collect(data, 100)  # both classes, though the first hundred are of one
    assert part is not None and len(part) == 100 and part.total == 400 and set(part.y.tolist()) == {0, 1}
    assert net.diagnose(data, epochs=3, learning_rate=1e-8).cause.name == "learning-rate-too-small"


# ---------------------------------------------------------------- graphs


def test_a_graph_is_judged_by_its_labelled_nodes() -> None:
    found = gcn().diagnose(NODES, SOME, epochs=60, learning_rate=0.01)
    assert found.healthy and score(found) > 0.9
    assert found.evidence["score of the best constant"] == 0.5  # no label is no class
    held = np.where(SOME < 0, CLASSES, -1)
    found = gcn().diagnose(NODES, SOME, epochs=60, learning_rate=0.01, validation_data=(NODES, held))
    assert found.healthy and found.evidence["score on validation samples"] > 0.8


@pytest.mark.parametrize("x", [NODES, SparseMatrix.of(NODES * (NODES > 1))], ids=["dense", "sparse"])
def test_a_graph_with_a_mask(x: Any) -> None:
    found = gcn().diagnose(x, CLASSES, epochs=60, learning_rate=0.02, sample_weight=(SOME >= 0) * 1.0)
    assert not found.errors and score(found) > 0.8


def test_some_nodes_are_taken_by_labels_and_by_weights() -> None:
    samples = Samples.of([NODES], [SOME], graph=True, unlabelled=[-1])
    assert len(samples) == 80
    part = samples.take(np.arange(10, 20))
    assert (part.y >= 0).sum() == 10 and part.weight is None and part.X is NODES
    numbers = Samples.of([NODES], [NODES[:, :1]], graph=True, unlabelled=[None]).take(np.arange(50))
    assert numbers.weight is not None and (numbers.weight > 0).sum() == 50 and numbers.weight.sum() == pytest.approx(200)
    assert len(numbers.dense_targets()[0]) == len(numbers.outputs(Session.of(gcn(1).build((8,))))[0]) == 50


# ---------------------------------------------------------------- several outputs


def two(last: Any = None) -> Network:
    a, b = Input((6,)), Input((6,))
    h = ReLU()(Dense(16)(Concat()(a, b)))
    second = Dense(1)(h)
    return Network(inputs=[a, b], outputs=[Dense(2)(h), second if last is None else last(second)], random_state=0)


def test_every_output_is_looked_at() -> None:
    xs = [X, X[:, ::-1].copy()]
    good = two().diagnose(xs, [LABELS, NUMBERS], epochs=60, learning_rate=0.02)
    assert good.healthy and good.evidence["score of output 1 on training samples"] > 0.9
    cut = two(ReLU()).diagnose(xs, [LABELS, NUMBERS], epochs=20, learning_rate=0.02)
    assert cut.cause is not None and cut.cause.output == 1 and "output 1" in cut.cause.title
    assert cut.cause.name in ("output-range", "output-activation")
    assert any(c.kind == "output" and c["output"] == 1 for c in cut.cause.changes)
    far = two().diagnose(xs, [LABELS, NUMBERS * 1e6], epochs=20, learning_rate=0.02)
    assert far.cause is not None and (far.cause.name, far.cause.output) == ("unscaled-targets", 1)


def test_what_every_output_shows_is_of_the_network() -> None:
    slow = two().diagnose([X, X], [LABELS, NUMBERS], epochs=5, learning_rate=1e-8)
    assert slow.cause is not None and slow.cause.name == "learning-rate-too-small"
    assert slow.cause.output is None and len([f for f in slow if f.name == "learning-rate-too-small"]) == 1


# ---------------------------------------------------------------- bad input


class Strange(Rule):
    """Gives whatever it is told to."""

    code, name = "X1", "strange"

    def __init__(self, given: Any) -> None:
        self.given = given

    def check(self, case: Any) -> Any:
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nonsense", "must yield findings"),
        (3, "must return findings, or yield them. Got 3"),
        ([None], "Got None"),
        (RuntimeError("boom"), "RuntimeError: boom"),
    ],
    ids=str,
)
def test_a_rule_that_gives_no_findings_is_reported(given: Any, message: str) -> None:
    found = mlp().diagnose(X, LABELS, epochs=30, learning_rate=0.02, rules=[Strange(given)])
    assert found.healthy and list(found.errors) == ["strange"] and message in found.errors["strange"]
    assert not mlp().diagnose(X, LABELS, epochs=3, rules=[Strange(None)]).errors


@pytest.mark.parametrize("rules", [Strange(None), [Strange], ["strange"]])
def test_rules_are_a_list_of_instances(rules: Any) -> None:
    with pytest.raises(ParameterError, match="rules must be a list of instances"):
        mlp().diagnose(X, LABELS, rules=rules)


def test_on_fault_needs_a_watched_fit() -> None:
    with pytest.raises(ParameterError, match="give diagnose=True"):
        mlp().fit(X, LABELS, on_fault="stop", verbose=0)


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 1000},
        {"optimizer": "lbfgs"},
        {"sample_weight": np.linspace(0, 2, 300)},
        {"class_weight": "balanced"},
        {"engine": "reference"},
        {"early_stopping": EarlyStopping("loss", patience=2)},
    ],
    ids=lambda o: next(iter(o)),
)
def test_arguments_of_fit(options: dict[str, Any]) -> None:
    found = mlp().diagnose(X, LABELS, epochs=10, **options)
    assert not found.errors and "score on training samples" in found.evidence
    if "early_stopping" in options:
        assert not hasattr(options["early_stopping"], "_monitor")  # the user's own has seen nothing


@pytest.mark.parametrize("x", [X[:0], X[:1], np.where(X > 2, np.nan, X), X.astype(str)], ids=["none", "one", "nan", "text"])
def test_data_that_cannot_be_learned_is_a_finding(x: Any) -> None:
    assert not mlp().diagnose(x, LABELS[: len(x)], epochs=2).healthy


def test_a_callback_that_raises_and_one_that_interrupts() -> None:
    def broken(*arguments: Any) -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        mlp().fit(X, LABELS, epochs=2, verbose=0, diagnose=True, callbacks=LambdaCallback(on_epoch_end=broken))

    def interrupt(trainer: Any, epoch: int, logs: Any) -> None:
        if epoch == 30:
            raise KeyboardInterrupt

    net = mlp()
    stop = LambdaCallback(on_epoch_end=interrupt)
    net.fit(X, LABELS, epochs=500, learning_rate=0.02, verbose=0, diagnose=True, callbacks=[stop])
    assert net.history_.interrupted and net.diagnosis_.healthy


def test_a_resumed_fit_is_watched(tmp_path: Any) -> None:
    place = tmp_path / "kept.checkpoint"
    mlp().fit(X, LABELS, epochs=5, learning_rate=0.02, verbose=0, callbacks=[Checkpoint(place)])
    net = mlp()
    net.fit(X, LABELS, epochs=40, learning_rate=0.02, verbose=0, resume=place, diagnose=True)
    assert len(net.history_.epochs) == 40 and net.diagnosis_.healthy
