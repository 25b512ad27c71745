"""Offsets that float32 has no digits for: Standardize takes them out of float64 data before they are narrowed."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule import Add, Dense, Input, Network, Standardize, Tanh
from chainrule.data import Sequences
from chainrule.layers import LSTM
from chainrule.losses import get_loss
from chainrule.network.origins import Origins
from chainrule.training import Callback, Checkpoint

RNG = np.random.default_rng(0)
SMALL = RNG.normal(size=(240, 2))
ANSWER = np.tanh(SMALL @ [[1.0], [-0.5]])
#: Metres of a grid, seconds since 1970, and a large level: their spread is near the spacing of float32 numbers there.
OFFSETS = {"metres": (5_300_000, 0.05), "seconds": (1.7e9, 30.0), "level": (1e12, 0.25)}
FIT: dict[str, Any] = {"epochs": 20, "learning_rate": 0.02, "verbose": 0, "batch_size": 32}


@pytest.fixture(params=["reference", "auto"])
def fit(request: pytest.FixtureRequest) -> dict[str, Any]:
    return FIT | {"engine": request.param}


def network(*, targets: bool = True, **options: Any) -> Network:
    layers = [Standardize(), Dense(8), Tanh(), Dense(1), *([Standardize(inverse=True)] if targets else [])]
    return Network(layers, random_state=0, **options)


@pytest.fixture(params=OFFSETS)
def data(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, float]:
    """Inputs and targets with an offset, and the spread of the targets."""
    offset, spread = OFFSETS[request.param]
    return offset + spread * SMALL, offset + spread * ANSWER, spread


def skill(y: np.ndarray, p: np.ndarray) -> float:
    return float(1 - ((p - y) ** 2).mean() / y.var())


def test_inputs_and_targets_with_an_offset_are_learned_as_without(
    data: tuple[np.ndarray, np.ndarray, float], fit: dict[str, Any]
) -> None:
    X, y, spread = data
    net, plain = network(), network(dtype="float64")
    net.fit(X, y, loss_weights=[spread**-2], **fit)
    plain.fit(X, y, loss_weights=[spread**-2], **fit)
    p = net.predict(X)
    assert p.dtype == np.float64 and p.shape == y.shape
    assert skill(y, p) > 0.98
    assert np.abs(p - plain.predict(X)).max() < 0.05 * spread
    assert net.history_["loss"][-1] == pytest.approx(plain.history_["loss"][-1], rel=0.05)


def test_evaluation_and_validation_see_the_users_numbers(data: tuple[np.ndarray, np.ndarray, float]) -> None:
    X, y, spread = data
    net = network()
    metrics = ["r2", "mean_absolute_error", "root_mean_squared_error"]
    net.fit(X, y, loss_weights=[spread**-2], validation_data=(X[:50], y[:50]), metrics=metrics, **FIT, engine="reference")
    p = net.predict(X)
    found = net.evaluate(X, y, metrics=metrics)
    assert found["r2"] == pytest.approx(skill(y, p)) and found["r2"] > 0.98
    assert found["mean_absolute_error"] == pytest.approx(np.abs(p - y).mean())
    part = p[:50] - y[:50]
    assert net.history_["val_r2"][-1] == pytest.approx(skill(y[:50], p[:50]))
    assert net.history_["val_loss"][-1] == pytest.approx((part**2).mean() / spread**2)
    assert net.history_["mean_absolute_error"][-1] == pytest.approx(np.abs(p - y).mean(), rel=0.5)


def test_a_fit_on_such_data_needs_no_warning(data: tuple[np.ndarray, np.ndarray, float]) -> None:
    X, y, spread = data
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network().fit(X, y, loss_weights=[spread**-2], **FIT, engine="reference")
    found = network().diagnose(X, y, loss_weights=[spread**-2], epochs=4, engine="reference", learning_rate=0.02)
    assert "lost-resolution" not in {f.name for f in found.findings} | {s.name for f in found.findings for s in f.symptoms}


def test_numbers_of_float32_are_learned_as_before(fit: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    X = (5_300_000 + 40 * SMALL).astype(np.float32)
    y = ANSWER.astype(np.float32)
    nets = [network(targets=False) for _ in range(2)]
    nets[0].fit(X, y, **fit)
    assert Origins.of(nets[0])
    p = nets[0].predict(X)
    monkeypatch.setattr(Standardize, "origin", lambda self, states: None)
    nets[1].fit(X, y, **fit)
    assert p.dtype == np.float32 and np.abs(nets[1].predict(X) - p).max() < 0.02


def test_whatever_the_data_come_in(tmp_path: Path, data: tuple[np.ndarray, np.ndarray, float]) -> None:
    pd = pytest.importorskip("pandas")
    X, y, spread = data
    net = network()
    net.fit(X, y, loss_weights=[spread**-2], **FIT, engine="reference")
    p = net.predict(X)
    np.save(tmp_path / "x.npy", X)
    on_disk = np.load(tmp_path / "x.npy", mmap_mode="r")
    for other in (X.tolist(), pd.DataFrame(X), np.asfortranarray(X), X[::-1][::-1], on_disk, iter([(X, y)])):
        if hasattr(other, "__next__"):
            assert net.evaluate(other)["loss"] == pytest.approx(net.evaluate(X, y)["loss"], rel=1e-3)
        else:
            assert np.abs(net.predict(other) - p).max() < 1e-5 * spread
    for batch_size in (1, 7, 1000):
        assert np.abs(net.predict(X, batch_size=batch_size) - p).max() < 1e-4 * spread
    assert np.abs(net.predict(X[:1]) - p[:1]).max() < 1e-4 * spread

    def batches() -> Any:
        return iter([(X[i : i + 60], y[i : i + 60]) for i in range(0, 240, 60)])

    before = net.evaluate(X, y)["loss"]
    net.fit(batches, loss_weights=[spread**-2], **FIT, engine="reference")
    assert net.evaluate(X, y)["loss"] < before
    other = network()
    other.fit(on_disk, y, loss_weights=[spread**-2], **FIT, engine="reference")
    assert skill(y, other.predict(on_disk)) > 0.98


def test_sequences() -> None:
    offset, spread = OFFSETS["metres"]
    x = [offset + spread * RNG.normal(size=(length, 1)) for length in RNG.integers(3, 9, 120)]
    y = np.array([[one.mean() - offset] for one in x]) / spread
    net = Network([Input((None, 1)), Standardize(), LSTM(8), Dense(1)], random_state=0)
    net.fit(Sequences(x), y, epochs=40, learning_rate=0.02, verbose=0, engine="reference")
    assert skill(y, net.predict(Sequences(x))) > 0.9


def test_files_checkpoints_and_single_passes(tmp_path: Path, data: tuple[np.ndarray, np.ndarray, float]) -> None:
    X, y, spread = data
    settings = FIT | {"engine": "reference", "loss_weights": [spread**-2], "loss": "squared_error"}
    whole, half, rest = network(), network(), network()
    whole.fit(X, y, **settings)
    half.fit(X, y, **(settings | {"epochs": 10, "callbacks": [Checkpoint(tmp_path / "c")]}))
    rest.fit(X, y, **settings, resume=tmp_path / "c")
    assert np.array_equal(rest.parameters.flat, whole.parameters.flat)
    whole.save(tmp_path / "m")
    assert np.abs(chainrule.load(tmp_path / "m").predict(X) - whole.predict(X)).max() < 1e-3 * spread
    passes = network()
    for _ in range(20):
        passes.partial_fit(X, y, loss="squared_error", loss_weights=[spread**-2], learning_rate=0.02, batch_size=32)
    assert skill(y, passes.predict(X)) > 0.9


def test_a_checkpoint_of_other_data_is_read_by_its_own_statistics(tmp_path: Path) -> None:
    """The network has measured one origin, the checkpoint another: the samples are centred by that of the checkpoint."""
    offset, spread = OFFSETS["metres"]
    X, y = offset + spread * SMALL, ANSWER
    settings = FIT | {"engine": "reference", "loss": "squared_error"}
    one, other = network(targets=False), network(targets=False)
    one.fit(X, y, **(settings | {"epochs": 10, "callbacks": [Checkpoint(tmp_path / "c")]}))
    other.fit(X + 1e6, y, **settings)
    other.fit(X, y, **settings, resume=tmp_path / "c")
    whole = network(targets=False)
    whole.fit(X, y, **settings)
    assert np.array_equal(whole.parameters.flat, other.parameters.flat)


def test_exports_and_equations_read_the_numbers_as_they_are(tmp_path: Path) -> None:
    X = 100_000 + 100 * SMALL
    net = network(targets=False)
    net.fit(X, ANSWER, **FIT, engine="reference")
    assert Origins.of(net)
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    net.to_onnx(tmp_path / "m.onnx")
    session = runtime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: X.astype(np.float32)})
    assert np.abs(found - net.predict(X)).max() < 1e-3


def test_where_an_offset_may_not_be_taken_out() -> None:
    """An input that something else reads, too, an output of a loss of ratios, and a layer that is used twice."""
    offset, spread = OFFSETS["metres"]
    X, y = offset + spread * SMALL, offset + spread * ANSWER
    a = Input((2,))
    both = Network(inputs=[a], outputs=[Add()(Dense(1)(Standardize()(a)), Dense(1)(a))], random_state=0)
    shared = Standardize()
    b, c = Input((2,)), Input((2,))
    twice = Network(inputs=[b, c], outputs=[Add()(shared(b), shared(c))], random_state=0)
    for net, x, t in ((both, X, ANSWER), (twice, [X, X], SMALL)):
        with pytest.warns(UserWarning, match="cannot tell"):
            net.fit(x, t, epochs=1, engine="reference", verbose=0)
        assert not Origins.of(net)
    net = network()
    net.fit(X, y, loss_weights=[spread**-2], epochs=1, engine="reference", verbose=0)
    assert set(Origins.of(net, [get_loss("squared_error")]).arrays) == {"x0", "y0"}
    assert set(Origins.of(net, [get_loss("poisson")]).arrays) == {"x0"}


def test_several_inputs_and_outputs_each_have_their_own() -> None:
    (m, s), (t, u) = OFFSETS["metres"], OFFSETS["seconds"]
    a, b = Input((2,)), Input((2,))
    h = Tanh()(Dense(12)(Add()(Dense(6)(Standardize()(a)), Dense(6)(Standardize()(b)))))
    outputs = [Standardize(inverse=True)(Dense(1)(h)), Dense(1)(h), Standardize(inverse=True)(Dense(2)(h))]
    net = Network(inputs=[a, b], outputs=outputs, random_state=0)
    X = [m + s * SMALL, t + u * SMALL[:, ::-1]]
    y = [t + u * ANSWER, ANSWER, m + s * SMALL]
    net.fit(X, y, loss="squared_error", loss_weights=[u**-2, 1, s**-2], **(FIT | {"epochs": 60}), engine="reference")
    p = net.predict(X)
    assert [one.dtype for one in p] == [np.float64, np.float32, np.float64]
    for one, other in zip(y, p, strict=True):
        assert skill(one, other) > 0.95
    found = net.evaluate(X, y)
    errors = [((q - z) ** 2).mean() * w for q, z, w in zip(p, y, [u**-2, 1, s**-2], strict=True)]
    assert found["loss"] == pytest.approx(sum(errors), rel=1e-3)


def test_gradients_of_inputs_and_probes_are_those_of_the_same_network() -> None:
    offset, spread = OFFSETS["metres"]
    X, y = offset + spread * SMALL, ANSWER
    net = network(targets=False)
    net.fit(X, y, **FIT, engine="reference")
    watched = network(targets=False)
    watched.fit(X, y, **FIT, engine="reference", callbacks=[Callback()])
    assert watched.history_["loss"] == net.history_["loss"]
    exact = network(targets=False, dtype="float64").build((2,))
    for name, array in net.parameters.items():
        exact.parameters[name][...] = array
    for name, array in net.states.items():
        exact.states[name][...] = array
    exact.states["0.standardize.mean"][...] += net.states["0.standardize.remainder"]
    one, other = net.input_gradient(X, y, loss="squared_error"), exact.input_gradient(X, y, loss="squared_error")
    assert np.abs(one - other).max() < 1e-4 * np.abs(other).max()


def test_packed_networks(data: tuple[np.ndarray, np.ndarray, float]) -> None:
    X, y, spread = data
    net = network()
    net.fit(X, y, loss_weights=[spread**-2], **FIT, engine="reference")
    packed = net.pack()
    for one in (packed, pickle.loads(pickle.dumps(packed))):
        p = one.predict(X)
        assert p.dtype == np.float64 and np.abs(p - net.predict(X)).max() < 1e-3 * spread
        assert np.abs(one.predict(X, batch_size=7) - p).max() < 1e-3 * spread
