"""Networks of 8 bits: close to what they were, small, the same after a file, and clear where it cannot be."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule import BatchNorm, Conv2D, Dense, Flatten, Input, MaxPool2D, Network, NeuralClassifier, ReLU
from chainrule.data import Sequences
from chainrule.data.batches import ArrayData
from chainrule.errors import DataError, ModelFileError, NotFittedError, ParameterError, UnknownNameError
from chainrule.layers import LSTM, Conv1D, DepthwiseConv2D, Embedding, GlobalAveragePool, Tanh
from chainrule.network import Int8, Masked
from chainrule.sparsity import Measure, prune, quantization
from chainrule.training import compressed_choice

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 12)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int)


@pytest.fixture
def _always_8_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels for 8 bits are used also where they are slower."""
    monkeypatch.setattr(compressed_choice, "share_of_dense_time", lambda *arguments: 0.1)
    monkeypatch.setattr(compressed_choice, "times_in_turn", lambda runs, **_: [[1.0], *[[0.1]] * (len(runs) - 1)])


def close(net: Network, X: Any, tolerance: float = 0.05) -> None:
    """The packed network of 8 bits is near the network, and uses 8 bits for all its products."""
    packed = net.quantize(X).pack()
    assert "int8" in packed.forms().values()
    wanted, found = net.predict(X), packed.predict(X)
    spread = float(np.std(wanted))
    assert np.abs(found - wanted).max() < tolerance * max(spread, float(np.abs(wanted).max()))
    if isinstance(X, np.ndarray):
        ops = [m.op for node in packed.plan(len(X)).nodes for m in node.attrs.get("nodes", [node])]
        assert any(op.startswith("int8_") for op in ops)


@pytest.mark.usefixtures("_always_8_bits")
@pytest.mark.parametrize("layers", [
    [Dense(40), ReLU(), Dense(3)],
    [Dense(40), Tanh(), Dense(3)],
    [Dense(7), ReLU(), Dense(1)],
])  # fmt: skip
def test_dense_networks(layers: list[Any]) -> None:
    close(Network(copy.deepcopy(layers), random_state=0).build((12,)), X)


@pytest.mark.usefixtures("_always_8_bits")
def test_networks_of_images_and_signals() -> None:
    x = RNG.normal(size=(40, 9, 9, 3)).astype(np.float32)
    layers: list[Any] = [
        Conv2D(8, 3, padding="same"), BatchNorm(), Tanh(), DepthwiseConv2D(3, padding="same"), ReLU(), MaxPool2D(2),
        Conv2D(10, 3, stride=2), ReLU(), Flatten(), Dense(4),
    ]  # fmt: skip
    close(Network(layers, random_state=0).build((9, 9, 3)), x, 0.1)
    signals = RNG.normal(size=(40, 20, 5)).astype(np.float32)
    close(Network([Conv1D(8, 3, padding=1), ReLU(), Flatten(), Dense(2)], random_state=0).build((20, 5)), signals, 0.1)


@pytest.mark.usefixtures("_always_8_bits")
def test_sequences_and_what_no_product_reads() -> None:
    words = Sequences([RNG.integers(1, 20, int(n)) for n in RNG.integers(1, 9, 60)])
    layers = [Input((None,), dtype="int"), Embedding(20, 8, padding=0), GlobalAveragePool(), Dense(16), ReLU(), Dense(2)]
    net = Network(layers, random_state=0).build((None,))
    close(net, words)
    assert net.quantize(words).representation("0.embedding.weight") is None
    recurrent = Network([LSTM(8), Dense(3)], random_state=0).build((6, 4))
    held = recurrent.quantize(RNG.normal(size=(30, 6, 4))).representations()
    assert isinstance(held["1.dense.weight"], Int8) and not any(name.endswith("recurrent_weight") for name in held)


@pytest.mark.usefixtures("_always_8_bits")
def test_the_same_after_a_file_a_copy_and_a_pickle(tmp_path: Path) -> None:
    net = Network([Dense(128), ReLU(), Dense(128), ReLU(), Dense(3)], random_state=0).build((12,))
    small = net.quantize(X)
    net.save(tmp_path / "dense.chainrule")
    small.save(tmp_path / "small.chainrule")
    assert os.path.getsize(tmp_path / "small.chainrule") < 0.33 * os.path.getsize(tmp_path / "dense.chainrule")
    wanted = small.pack().predict(X)
    for other in (chainrule.load(tmp_path / "small.chainrule"), copy.deepcopy(small), pickle.loads(pickle.dumps(small))):
        np.testing.assert_array_equal(other.predict(X), small.predict(X))
        np.testing.assert_array_equal(other.pack().predict(X), wanted)
    again = small.quantize
    with pytest.raises(ParameterError, match="no weights of 32 bits"):
        again(X)


def test_a_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    small = Network([Dense(4)], random_state=0).build((12,)).quantize(X)
    how, stored = small.representation("0.dense.weight"), small.parameters["0.dense.weight"]
    packed = how.pack(stored)
    for name, bad in (("values", packed["values"][:5]), ("values", packed["values"].astype(np.int16)),
                      ("scales", -packed["scales"]), ("scales", packed["scales"][:2])):  # fmt: skip
        with pytest.raises((ModelFileError, chainrule.errors.ChainruleError)):
            Int8.unpack(how.config(), packed | {name: bad}, stored.shape, np.float32)


def test_chosen_layers_and_what_is_masked() -> None:
    net = prune(Network([Dense(40), ReLU(), Dense(3)], random_state=0).build((12,)), 0.8)
    one = net.quantize(X, layers=["2.dense"])
    assert isinstance(one.representation("0.dense.weight"), Masked)
    assert isinstance(one.representation("2.dense.weight"), Int8)
    both = net.quantize(X)
    zero = net.parameters["0.dense.weight"] == 0
    assert (both.parameters["0.dense.weight"][zero] == 0).all()
    assert isinstance(net.representation("2.dense.weight"), Masked)  # the network itself stays as it is


def test_samples_of_every_kind_give_the_same_scales() -> None:
    net = Network([Dense(4)], random_state=0).build((12,))
    scales = [
        net.quantize(given).representation("0.dense.weight")
        for given in (X, X.astype(np.float64), X.tolist(), ArrayData((X,), (Y,)), np.asfortranarray(X))
    ]
    assert all(one == scales[0] for one in scales)
    assert net.quantize(np.zeros((5, 12))).representation("0.dense.weight") == Int8(1.0, 0)


def test_what_cannot_be() -> None:
    with pytest.raises(NotFittedError):
        Network([Dense(2)]).quantize(X)
    net = Network([Dense(2)], random_state=0).build((12,))
    with pytest.raises(UnknownNameError):
        net.quantize(X, layers=["conv"])
    with pytest.raises(DataError):
        net.quantize(np.full((3, 12), np.nan))
    for scale, zero in ((0.0, 0), (float("inf"), 0), (1.0, 128), (1.0, -1), ("x", 0)):
        with pytest.raises(ParameterError):
            net.represent("0.dense.weight", Int8(scale, zero))  # type: ignore[arg-type]
    with pytest.raises(ParameterError):
        net.represent("0.dense.bias", Int8(1.0))
    with pytest.raises(ParameterError, match="no weights of 32 bits"):
        Network([ReLU()], random_state=0).build((12,)).quantize(X)
    net.parameters["0.dense.weight"][0, 0] = np.inf
    with pytest.raises(DataError, match="not finite"):
        net.quantize(X)


def test_predictions_that_are_packed_in_place() -> None:
    net = Network([Dense(40), ReLU(), Dense(2)], random_state=0).fit(X, Y, epochs=3, verbose=0)
    before, score = net.predict(X), net.evaluate(X, Y)
    packed = net.pack(in_place=True)
    np.testing.assert_array_equal(net.predict(X), packed.predict(X))
    assert net.evaluate(X, Y) == pytest.approx(score)
    net.parameters["0.dense.weight"][...] = 0
    np.testing.assert_allclose(net.predict(X), before, rtol=1e-5, atol=1e-6)
    net.fit(X, Y, epochs=1, verbose=0)
    assert np.abs(net.predict(X) - before).max() > 0.01


def test_measured_beside_float32() -> None:
    net = Network([Dense(64), ReLU(), Dense(2)], random_state=0).fit(X, Y, epochs=10, learning_rate=0.01, verbose=0)
    found = quantization(net, X, Y, batches=(1, 32), tolerance=0.05)
    assert found.within and found.network is found.int8.network
    assert found.int8.memory_bytes < 0.4 * found.dense.memory_bytes
    assert "8 bits" in found.conclusion() and str(found).count("\n") >= 4
    worse = quantization(net, X, measure=Measure("m", True, lambda tried: float(tried is net)), batches=(1,))
    assert not worse.within and worse.network is net and "stays as it is" in worse.conclusion()
    with pytest.raises(ParameterError):
        quantization(net, X, Y, tolerance=-1)
    fitted = NeuralClassifier([32], epochs=20, random_state=0, tolerance=None).fit(X, Y)
    small = fitted.quantize(X)
    assert small.score(X, Y) > fitted.score(X, Y) - 0.05
    assert isinstance(small.network_.representation("0.dense.weight"), Int8)
    assert fitted.network_.representation("0.dense.weight") is None
