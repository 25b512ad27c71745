"""The training loop through Network.fit on the reference engine: learning, data of every kind, weights, determinism."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.errors import DataError, DtypeError, ParameterError, ShapeError, UnknownNameError
from chainrule.layers import Add, Concat, Dense, Dropout, Embedding, Flatten, Input, ReLU, Tanh
from chainrule.losses import BinaryCrossEntropy, Hinge, SoftmaxCrossEntropy, SquaredError
from chainrule.metrics import RocAuc
from chainrule.model import Network
from chainrule.optimizers import LBFGS, SGD, Adam, Cosine, ReduceOnPlateau
from chainrule.training import LambdaCallback, feeds

#: What nearly every fit here is given; ``each_engine`` fills in the engine.
QUIET: dict[str, Any] = {"verbose": 0, "engine": "reference"}


@pytest.fixture(autouse=True, params=["reference", "auto"])
def each_engine(request: pytest.FixtureRequest) -> str:
    """Every test runs on both engines (on the reference engine twice where the fast one cannot be used)."""
    QUIET["engine"] = request.param
    return str(request.param)


def xor(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points in the plane and whether they lie in the first or third quadrant: no line parts the two."""
    X = np.random.default_rng(seed).uniform(-1, 1, (n, 2)).astype(np.float32)
    return X, (X[:, 0] * X[:, 1] > 0).astype(np.int64)


def small(seed: int = 0, units: int = 2, **options: Any) -> Network:
    return Network([Dense(12), Tanh(), Dense(units)], random_state=seed, **options)


def weights(net: Network) -> np.ndarray:
    return net.parameters.flat.copy()


# ---------------------------------------------------------------- learning


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_learns_a_nonlinear_boundary(dtype: str) -> None:
    X, y = xor()
    net = small(dtype=dtype).fit(X, y, learning_rate=0.02, epochs=60, **QUIET)
    assert net.evaluate(X, y)["accuracy"] > 0.95
    assert net.history_["loss"][-1] < 0.2 < net.history_["loss"][0]
    assert isinstance(net.loss_, SoftmaxCrossEntropy)
    assert net.predict(X).dtype == dtype
    held = xor(200, seed=1)
    assert net.evaluate(*held)["accuracy"] > 0.9


def test_learns_a_curve() -> None:
    X = np.linspace(-2, 2, 200)[:, None]
    net = Network([Dense(32), Tanh(), Dense(1)], random_state=0)
    net.fit(X, np.sin(2 * X[:, 0]), learning_rate=0.02, epochs=120, **QUIET)
    assert isinstance(net.loss_, SquaredError)
    assert net.history_["loss"][-1] < 0.01
    assert "accuracy" not in net.history_


def test_lbfgs_minimises_the_whole_data() -> None:
    X, y = xor(100)
    net = small().fit(X, y, optimizer=LBFGS(l2=1e-3), epochs=60, validation_data=xor(50, 3), **QUIET)
    assert net.history_["loss"][-1] < 0.15
    losses = net.history_["loss"]
    assert all(b <= a + 1e-5 for a, b in pairwise(losses))
    assert len(net.history_["val_loss"]) == len(losses) <= 60
    with pytest.raises(ParameterError, match="whole data"):
        small().fit(lambda: iter([(X, y)]), optimizer="lbfgs", **QUIET)


def test_least_squares_solution_of_lbfgs() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    w = np.array([[1.0], [-2.0], [0.5]])
    net = Network([Dense(1)], random_state=0, dtype="float64").fit(X, X @ w + 0.3, optimizer="lbfgs", epochs=100, **QUIET)
    np.testing.assert_allclose(net.parameters["0.dense.weight"], w, atol=1e-3)
    np.testing.assert_allclose(net.parameters["0.dense.bias"], 0.3, atol=1e-3)


# ---------------------------------------------------------------- determinism


def test_equal_seeds_give_equal_bits() -> None:
    X, y = xor()
    nets = [
        Network([Dense(8), ReLU(), Dropout(0.3), Dense(2)], random_state=seed).fit(
            X, y, epochs=4, validation_split=0.2, **QUIET
        )
        for seed in (7, 7, 8)
    ]
    np.testing.assert_array_equal(weights(nets[0]), weights(nets[1]))
    assert nets[0].history_["loss"] == nets[1].history_["loss"]
    assert nets[0].history_["val_loss"] == nets[1].history_["val_loss"]
    assert (weights(nets[0]) != weights(nets[2])).any()


def test_length_of_chunks_does_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = xor()
    whole = small().fit(X, y, epochs=3, **QUIET)
    from chainrule.training import trainer

    monkeypatch.setattr(trainer, "CHUNK_SECONDS", 0.0)
    np.testing.assert_array_equal(weights(small().fit(X, y, epochs=3, **QUIET)), weights(whole))
    watched = small().fit(X, y, epochs=3, callbacks=LambdaCallback(), **QUIET)
    np.testing.assert_array_equal(weights(watched), weights(whole))


def test_gradient_step_is_the_mean_of_the_batch() -> None:
    X, y = np.array([[1.0], [2.0], [4.0]]), np.array([[1.0], [0.0], [2.0]])
    net = Network([Dense(1, weight_init="ones")], random_state=0, dtype="float64")
    net.fit(X, y, optimizer=SGD(0.1), batch_size=2, shuffle=False, epochs=1, **QUIET)
    w, b = 1.0, 0.0
    losses = []
    for rows in ([0, 1], [2]):  # the last batch is short; its gradient is the mean over its own samples
        d = w * X[rows, 0] + b - y[rows, 0]
        losses += list(d**2)
        w, b = w - 0.1 * np.mean(2 * d * X[rows, 0]), b - 0.1 * np.mean(2 * d)
    np.testing.assert_allclose(net.parameters["0.dense.weight"], [[w]])
    np.testing.assert_allclose(net.parameters["0.dense.bias"], [b])
    assert net.history_["loss"] == [pytest.approx(np.mean(losses))]


# ---------------------------------------------------------------- batches


@pytest.mark.parametrize("batch_size", [1, 7, 50, 51, 1000])
def test_every_batch_size_works(batch_size: int) -> None:
    X, y = xor(50)
    net = small().fit(X, y, epochs=2, batch_size=batch_size, **QUIET)
    assert net._runtime.trainer is not None
    assert net._runtime.trainer.state.step == 2 * -(-50 // min(batch_size, 50))
    assert np.isfinite(net.history_["loss"]).all()


@pytest.mark.parametrize("n", [1, 5, 1024, 2500])
def test_predicts_any_number_of_samples(n: int) -> None:
    net = small()
    net.build((2,))
    X = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
    whole = net.predict(X)
    assert whole.shape == (n, 2)
    np.testing.assert_allclose(whole, net.predict(X, batch_size=300), rtol=1e-5, atol=1e-6)


def test_cache_of_predictions_is_bounded() -> None:
    net = small()
    net.build((2,))
    for n in range(1, 60):
        net.predict(np.zeros((n, 2)))
    assert len(net._runtime.predictors(net)) <= net._runtime.predictors(net).limit


def test_fit_continues_and_partial_fit_keeps_the_optimizer() -> None:
    X, y = xor()
    net = small().fit(X, y, epochs=3, **QUIET)
    first = net.history_["loss"][-1]
    net.fit(X, y, epochs=1, learning_rate=1e-6, **QUIET)
    assert net.history_["loss"][0] < first * 1.1
    partial = small()
    for _ in range(3):
        partial.partial_fit(X, y, optimizer="adam", learning_rate=None, engine=QUIET["engine"])
    assert partial._runtime.trainer is not None
    assert partial._runtime.trainer.state.step == 30
    assert len(partial.history_.epochs) == 3
    np.testing.assert_array_equal(weights(partial), weights(small().fit(X, y, epochs=3, **QUIET)))
    partial.partial_fit(X, y, learning_rate=1e-9)
    assert partial._runtime.trainer.state.step == 40
    partial.partial_fit(X, y, optimizer=SGD(0.1))
    assert partial._runtime.trainer.state.step == 10


# ---------------------------------------------------------------- kinds of data


def test_memory_map_gives_what_the_array_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = xor(333)
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    on_disk: tuple[Any, Any] = np.load(tmp_path / "X.npy", mmap_mode="r"), np.load(tmp_path / "y.npy", mmap_mode="r")
    monkeypatch.setattr(feeds, "BLOCK_BYTES", 1000)  # so that an epoch takes several blocks
    cases: list[dict[str, Any]] = [{}, {"validation_split": 0.25}, {"shuffle": False}]
    for options in cases:
        inside = small().fit(X, y, epochs=2, **options, **QUIET)
        outside = small().fit(on_disk[0], on_disk[1], epochs=2, **options, **QUIET)
        np.testing.assert_array_equal(weights(inside), weights(outside))
        assert inside.history_["loss"] == outside.history_["loss"]
    assert inside.evaluate(*on_disk) == inside.evaluate(X, y)
    np.testing.assert_array_equal(inside.predict(on_disk[0]), inside.predict(X))


def test_memory_map_of_bytes_is_converted_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 255, (200, 4), dtype=np.uint8)
    y = (images[:, 0] > 127).astype(int)
    np.save(tmp_path / "X.npy", images)
    monkeypatch.setattr(feeds, "BLOCK_BYTES", 600)
    a = small().fit(np.load(tmp_path / "X.npy", mmap_mode="r"), y, epochs=1, **QUIET)
    b = small().fit(images, y, epochs=1, **QUIET)
    np.testing.assert_array_equal(weights(a), weights(b))


def test_bad_memory_map_is_refused(tmp_path: Path) -> None:
    X = np.ones((20, 2))
    X[13, 1] = np.nan
    np.save(tmp_path / "X.npy", X)
    with pytest.raises(DataError, match="NaN"):
        small().fit(np.load(tmp_path / "X.npy", mmap_mode="r"), np.zeros(20, int), **QUIET)


def test_iterators_of_batches() -> None:
    X, y = xor(100)
    cuts = [slice(i, i + 32) for i in range(0, 100, 32)]
    reference = weights(small().fit(X, y, epochs=2, shuffle=False, **QUIET))
    batches = [(X[c], y[c]) for c in cuts]
    for source in (batches, lambda: iter(batches), lambda: ((X[c].tolist(), y[c].tolist()) for c in cuts)):
        net = small().fit(source, epochs=2, **QUIET)
        np.testing.assert_array_equal(weights(net), reference)
    one_shot = small().fit(iter(batches), epochs=1, **QUIET)
    assert len(one_shot.history_.epochs) == 1
    with pytest.raises(DataError, match="only once"):
        small().fit(iter(batches), epochs=2, **QUIET)
    assert net.evaluate(batches) == pytest.approx(net.evaluate(X, y), rel=1e-5)
    with_validation = small().fit(batches, epochs=1, validation_data=(X, y), **QUIET)
    assert "val_loss" in with_validation.history_


def test_iterator_may_reuse_its_buffer() -> None:
    X, y = xor(64)
    buffer = np.empty((32, 2), np.float32)

    def batches() -> Any:
        for start in (0, 32):
            buffer[...] = X[start : start + 32]
            yield buffer, y[start : start + 32]

    expected = weights(small().fit(X, y, shuffle=False, epochs=1, **QUIET))
    np.testing.assert_array_equal(weights(small().fit(batches, epochs=1, **QUIET)), expected)


def test_bad_batches_are_named() -> None:
    X, y = xor(20)
    with pytest.raises(ShapeError, match="Batch 1"):
        small().fit([(X, y), (X[:, :1], y)], epochs=1, **QUIET)
    with pytest.raises(DataError, match=r"Batch 1.*class indices"):
        small().fit([(X, y), (X, y + 5)], epochs=1, **QUIET)
    with pytest.raises(DataError, match="weights"):
        small().fit([(X, y), (X, y, np.ones(20))], epochs=1, **QUIET)
    small().fit([(X, y, np.ones(20)), (X, y)], epochs=1, **QUIET)
    with pytest.raises(ParameterError, match="validation_split"):
        small().fit([(X, y)], validation_split=0.1, **QUIET)
    with pytest.raises(ParameterError, match="balanced"):
        small().fit([(X, y)], class_weight="balanced", **QUIET)
    with pytest.raises(ParameterError, match="y is missing"):
        small().fit(X, **QUIET)


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: np.asfortranarray(X),
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: X.astype(np.float64),
        lambda X: X.tolist(),
    ],
)
def test_layout_and_dtype_of_X_do_not_matter(convert: Any) -> None:
    X, y = xor(64)
    expected = small().fit(X, y, epochs=1, **QUIET)
    net = small().fit(convert(X), y, epochs=1, **QUIET)
    np.testing.assert_array_equal(weights(net), weights(expected))
    np.testing.assert_array_equal(net.predict(convert(X)), expected.predict(X))


def test_integers_are_features_too() -> None:
    X = np.random.default_rng(0).integers(0, 5, (40, 3))
    net = small().fit(X, X[:, 0] % 2, epochs=1, **QUIET)
    np.testing.assert_array_equal(net.predict(X), net.predict(X.astype(np.float32)))


def test_right_arrays_are_not_copied() -> None:
    X, y = xor(64)
    net = small()
    seen = []
    net.fit(X, y, epochs=1, callbacks=LambdaCallback(on_fit_begin=lambda t: None), **QUIET)
    from chainrule.training.intake import input_arrays, take_arrays, target_arrays

    intake = take_arrays(net, input_arrays(net, X), target_arrays(y, 1), None)
    seen.append(intake.feed.arrays["x0"])  # type: ignore[union-attr]
    assert np.shares_memory(seen[0], X)


# ---------------------------------------------------------------- losses and targets


def test_loss_follows_the_targets() -> None:
    X = np.random.default_rng(0).normal(size=(30, 2))
    ints, flags = np.arange(30) % 3, np.arange(30) % 2
    cases: list[tuple[int, Any, type]] = [
        (3, ints, SoftmaxCrossEntropy),
        (3, ints[:, None], SoftmaxCrossEntropy),
        (2, flags == 1, SoftmaxCrossEntropy),
        (1, flags, BinaryCrossEntropy),
        (1, flags[:, None] == 1, BinaryCrossEntropy),
        (3, np.eye(3, dtype=int)[ints], BinaryCrossEntropy),
        (1, ints, SquaredError),
        (1, flags.astype(float), SquaredError),
        (2, np.zeros((30, 2)), SquaredError),
        (3, np.eye(3, dtype=int)[ints] * 2, SquaredError),
    ]
    for units, y, expected in cases:
        net = Network([Dense(units)], random_state=0).fit(X, y, epochs=1, **QUIET)
        assert type(net.loss_) is expected, (units, y.shape, y.dtype)


def test_forms_of_targets_are_the_same_thing() -> None:
    X, y = xor(64)
    nets = [
        small().fit(X, t, loss="softmax_cross_entropy", epochs=2, **QUIET)
        for t in (y, y[:, None], y.astype(float), np.eye(2)[y], y.astype(np.uint8), y.tolist())
    ]
    for net in nets[1:]:
        np.testing.assert_allclose(weights(net), weights(nets[0]), rtol=1e-5, atol=1e-6)
    columns = [small(units=1).fit(X, t, loss="mse", epochs=1, **QUIET) for t in (y * 1.0, y[:, None] * 1.0)]
    np.testing.assert_array_equal(weights(columns[0]), weights(columns[1]))


def test_targets_that_do_not_fit() -> None:
    X, y = xor(20)
    with pytest.raises(ShapeError, match="y"):
        small(units=3).fit(X, np.zeros(20), loss="squared_error", **QUIET)
    with pytest.raises(DataError, match="class indices"):
        small().fit(X, y + 1, **QUIET)
    with pytest.raises(DataError, match="0 to 1"):
        small().fit(X, y - 1, **QUIET)
    with pytest.raises(DtypeError, match="NeuralClassifier"):
        small().fit(X, ["yes", "no"] * 10, **QUIET)
    with pytest.raises(DataError, match="NaN"):
        small(units=1).fit(X, np.full(20, np.nan), **QUIET)
    with pytest.raises(UnknownNameError, match="Did you mean 'huber'"):
        small(units=1).fit(X, y * 1.0, loss="hubr", **QUIET)
    with pytest.raises(UnknownNameError, match="Did you mean"):
        small().fit(X, y, optimizer="adan", **QUIET)
    with pytest.raises(UnknownNameError):
        small().fit(X, y, metrics="acuracy", **QUIET)


def test_bad_X() -> None:
    X, y = xor(20)
    with pytest.raises(DataError, match=r"20 samples.*19|19.*20"):
        small().fit(X, y[:-1], **QUIET)
    with pytest.raises(DataError):
        small().fit(np.empty((0, 2)), np.empty(0, int), **QUIET)
    bad = X.copy()
    bad[3, 1] = np.inf
    with pytest.raises(DataError, match="row 3, column 1"):
        small().fit(bad, y, **QUIET)
    with pytest.raises(DtypeError):
        small().fit([["a", "b"]] * 20, y, **QUIET)
    net = small().fit(X, y, epochs=1, **QUIET)
    with pytest.raises(ShapeError, match="3 features, but the network is expecting 2 features"):
        net.predict(np.zeros((5, 3)))
    with pytest.raises(ShapeError, match="Reshape"):
        net.predict(np.zeros(2))
    with pytest.raises(DataError, match="row 3"):
        net.predict(bad)
    with pytest.raises(ShapeError):
        net.fit(np.zeros((5, 3)), np.zeros(5, int), **QUIET)


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 0},
        {"epochs": 1.5},
        {"batch_size": 0},
        {"batch_size": True},
        {"validation_split": 1.0},
        {"validation_split": -0.1},
        {"verbose": 3},
        {"learning_rate": -1.0},
        {"learning_rate": "fast"},
        {"loss_weights": [1.0, 2.0]},
        {"sample_weight": None, "class_weight": {5: 1.0}},
        {"class_weight": "fair"},
        {"class_weight": [1.0, 2.0, 3.0]},
        {"class_weight": {0: -1.0}},
        {"callbacks": [print]},
        {"early_stopping": "yes"},
        {"validation_split": 0.5, "validation_data": (np.zeros((2, 2)), [0, 1])},
        {"validation_data": 5},
        {"precision": "float16"},
        {"engine": "tpu"},
        {"metrics": ["accuracy", "accuracy"]},
    ],
)
def test_arguments_out_of_range(options: dict[str, Any]) -> None:
    X, y = xor(20)
    with pytest.raises(ParameterError):
        small().fit(X, y, **(QUIET | options))


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize("units", [1, 2])
def test_weight_two_is_the_sample_twice(units: int) -> None:
    X, y = xor(10)
    twice = np.concatenate([np.arange(10), np.arange(4)])
    weight = np.where(np.arange(10) < 4, 2.0, 1.0)
    start = {"random_state": 0, "dtype": "float64"}
    a, b = (Network([Dense(5), Tanh(), Dense(units)], **start) for _ in range(2))  # type: ignore[arg-type]
    # J is a mean over the samples that are there, 10 or 14 of them.
    a.fit(X, y, sample_weight=weight, optimizer=SGD(0.1), batch_size=10, epochs=1, **QUIET)
    b.fit(X[twice], y[twice], optimizer=SGD(0.14), batch_size=14, epochs=1, **QUIET)
    np.testing.assert_allclose(weights(a), weights(b), rtol=1e-6, atol=1e-9)


def test_class_weights_are_sample_weights() -> None:
    X, y = xor(60)
    y[:40] = 0
    counts = np.bincount(y)
    by_class = 60 / (2 * counts)
    expected = small().fit(X, y, sample_weight=by_class[y], epochs=2, **QUIET)
    for given in ("balanced", dict(enumerate(by_class)), by_class):
        net = small().fit(X, y, class_weight=given, epochs=2, **QUIET)
        np.testing.assert_array_equal(weights(net), weights(expected))
    one = small(units=1).fit(X, y, class_weight={1: 3.0}, epochs=2, **QUIET)
    other = small(units=1).fit(X, y, sample_weight=np.where(y == 1, 3.0, 1.0), epochs=2, **QUIET)
    np.testing.assert_array_equal(weights(one), weights(other))
    hinge = small(units=1).fit(X, 2 * y - 1, loss=Hinge(), class_weight={1: 3.0}, epochs=1, **QUIET)
    also = small(units=1).fit(X, 2 * y - 1, loss=Hinge(), sample_weight=np.where(y == 1, 3.0, 1.0), epochs=1, **QUIET)
    np.testing.assert_array_equal(weights(hinge), weights(also))


def test_weights_of_several_yes_or_no_outputs() -> None:
    X, _ = xor(40)
    Y = (np.stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 0] > X[:, 1]], axis=1)).astype(int)
    a = small(units=3).fit(X, Y, class_weight=[1.0, 1.0, 1.0], epochs=1, **QUIET)
    np.testing.assert_allclose(weights(a), weights(small(units=3).fit(X, Y, epochs=1, **QUIET)), rtol=1e-5, atol=1e-7)
    without = small(units=3).fit(X, Y, class_weight=[1.0, 0.0, 1.0], sample_weight=np.ones(40), epochs=3, **QUIET)
    start = small(units=3)
    start.build((2,))
    before = start.parameters["2.dense.weight"]
    np.testing.assert_array_equal(without.parameters["2.dense.weight"][:, 1], before[:, 1])
    assert (without.parameters["2.dense.weight"][:, 0] != before[:, 0]).all()
    assert "binary_accuracy" in a.history_


@pytest.mark.parametrize("bad", [np.zeros(20), -np.ones(20), np.ones(19), np.full(20, np.nan), ["a"] * 20])
def test_bad_sample_weights(bad: Any) -> None:
    X, y = xor(20)
    with pytest.raises((DataError, ShapeError, DtypeError)):
        small().fit(X, y, sample_weight=bad, **QUIET)


# ---------------------------------------------------------------- metrics


def test_metrics_of_training_and_evaluation() -> None:
    X, y = xor(80)
    net = small(units=1).fit(X, y, metrics=["accuracy", "roc_auc", "f1"], validation_split=0.25, epochs=3, **QUIET)
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "val_roc_auc", "val_f1"} <= set(net.history_)
    assert "roc_auc" not in net.history_
    found = net.evaluate(X, y)
    assert list(found) == ["loss", "accuracy", "roc_auc", "f1"]
    z = net.predict(X)
    assert found["accuracy"] == pytest.approx(np.mean((z[:, 0] > 0) == y))
    assert found["roc_auc"] == pytest.approx(RocAuc()(y, z))
    assert net.evaluate(X, y, metrics=()).keys() == {"loss"}
    assert net.evaluate(X, y, batch_size=7) == pytest.approx(found, rel=1e-5)
    weight = np.where(np.arange(80) < 40, 1.0, 0.0)
    halved = net.evaluate(X, y, sample_weight=weight)
    assert halved["accuracy"] == pytest.approx(net.evaluate(X[:40], y[:40])["accuracy"])
    assert halved["loss"] == pytest.approx(net.evaluate(X[:40], y[:40])["loss"] / 2, rel=1e-5)
    assert small().fit(X, y, metrics=(), epochs=1, **QUIET).history_.to_dict().keys() == {
        "epoch", "loss", "learning_rate", "seconds"
    }  # fmt: skip


def test_loss_holds_penalties_in_training_only() -> None:
    X, y = xor(50)
    net = Network([Dense(2)], random_state=0)
    net.build((2,))
    w = net.parameters["0.dense.weight"].copy()
    plain = net.evaluate(X, y, loss="softmax_cross_entropy")["loss"]
    net.fit(X, y, optimizer=SGD(1e-12, l2=3.0), epochs=1, batch_size=50, **QUIET)
    assert net.history_["loss"][0] == pytest.approx(plain + 1.5 * (w**2).sum(), rel=1e-5)
    assert net.evaluate(X, y)["loss"] == pytest.approx(plain, rel=1e-5)


# ---------------------------------------------------------------- networks of other forms


def test_several_inputs_and_outputs() -> None:
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(60, 3)), rng.normal(size=(60, 2))
    kind, amount = (A[:, 0] > 0).astype(int), B.sum(axis=1)
    a, b = Input((3,)), Input((2,))
    h = Concat()(Dense(8)(a), Dense(8)(b))
    h = Tanh()(h)
    net = Network(inputs=[a, b], outputs=[Dense(2)(h), Dense(1)(h)], random_state=0)
    net.fit([A, B], [kind, amount], epochs=60, learning_rate=0.02, loss_weights=[1.0, 0.5], validation_split=0.2, **QUIET)
    assert isinstance(net.loss_, list)
    assert [type(one) for one in net.loss_] == [SoftmaxCrossEntropy, SquaredError]
    assert net.history_["loss"][-1] < 0.3 * net.history_["loss"][0]
    z, v = net.predict([A, B])
    assert z.shape == (60, 2)
    assert v.shape == (60, 1)
    found = net.evaluate([A, B], [kind, amount])
    logs = -np.log(np.exp(z)[np.arange(60), kind] / np.exp(z).sum(axis=1))
    assert found["loss"] == pytest.approx(logs.mean() + 0.5 * np.mean((v[:, 0] - amount) ** 2), rel=1e-4)
    dx = net.input_gradient([A, B], [kind, amount])
    assert [d.shape for d in dx] == [(60, 3), (60, 2)]
    weighted = net.fit([A, B], [kind, amount], class_weight=["balanced", None], epochs=1, **QUIET)
    assert np.isfinite(weighted.history_["loss"]).all()
    with pytest.raises(ShapeError, match="2 inputs"):
        net.predict(A)
    with pytest.raises(ShapeError, match="2 outputs"):
        net.fit([A, B], kind, **QUIET)
    streamed = net.fit([((A, B), (kind, amount))], epochs=1, **QUIET)
    assert np.isfinite(streamed.history_["loss"]).all()


def test_shared_layers_learn_together() -> None:
    x = Input((4,))
    shared = Dense(4)
    net = Network(inputs=x, outputs=Dense(1)(Add()(x, Tanh()(shared(Tanh()(shared(x)))))), random_state=0)
    X = np.random.default_rng(0).normal(size=(80, 4))
    net.fit(X, np.sin(X[:, 0]) + X[:, 1], epochs=30, learning_rate=0.01, **QUIET)
    assert len(net.parameters) == 4
    assert net.history_["loss"][-1] < 0.5 * net.history_["loss"][0]


def test_frozen_layers_stay() -> None:
    X, y = xor(50)
    net = small()
    net.build((2,))
    net.freeze("0.dense")
    before = {name: a.copy() for name, a in net.parameters.items()}
    net.fit(X, y, epochs=2, optimizer=Adam(0.01, weight_decay=0.1, l2=0.1), **QUIET)
    for name, a in net.parameters.items():
        assert np.array_equal(a, before[name]) == name.startswith("0.dense"), name
    net.unfreeze()
    net.fit(X, y, epochs=1, **QUIET)
    assert not np.array_equal(net.parameters["0.dense.weight"], before["0.dense.weight"])


def test_indices_are_checked_and_learned_from() -> None:
    words = np.random.default_rng(0).integers(0, 6, (80, 3))
    y = (words == 2).any(axis=1).astype(int)
    net = Network([Input((3,), dtype="int"), Embedding(6, 4), Flatten(), Dense(2)], random_state=0)
    net.fit(words, y, epochs=40, learning_rate=0.05, **QUIET)
    assert net.evaluate(words, y)["accuracy"] > 0.95
    with pytest.raises(DataError, match="6"):
        net.predict(words + 1)
    with pytest.raises(ParameterError, match="indices"):
        net.input_gradient(words, y)


def test_lsuv_scales_by_the_data() -> None:
    rng = np.random.default_rng(0)
    X = 50 * rng.normal(size=(400, 10)).astype(np.float32)
    layers = [Dense(20, weight_init="lsuv"), Tanh(), Dense(5, weight_init="lsuv"), Dense(2)]
    net = Network(layers, random_state=0)
    net.fit(X, (X[:, 0] > 0).astype(int), learning_rate=1e-12, epochs=1, **QUIET)
    found = net.trace(X)
    for name in ("0.dense.z", "2.dense.z"):
        assert found[name].var() == pytest.approx(1.0, abs=0.2)
    before = weights(net)
    net.fit(10 * X, (X[:, 0] > 0).astype(int), learning_rate=1e-12, epochs=1, **QUIET)
    np.testing.assert_allclose(weights(net), before, rtol=1e-5, atol=1e-9)


# ---------------------------------------------------------------- learning rates


def test_schedules_are_followed_and_told() -> None:
    X, y = xor(64)
    net = small().fit(X, y, learning_rate=Cosine(0.1, total=3, unit="epochs"), epochs=3, **QUIET)
    rates = net.history_["learning_rate"]
    np.testing.assert_allclose(rates, Cosine(0.1, total=6)([2, 4, 6]))
    schedule = ReduceOnPlateau(1e-12, factor=0.5, patience=1)
    net = small().fit(X, y, learning_rate=schedule, epochs=5, shuffle=False, **QUIET)
    assert net.history_["learning_rate"][-1] < 1e-12
    assert schedule([1])[0] == 1e-12  # the user's own is not changed
    net.fit(X, y, learning_rate=lambda t: 0.1 / t, epochs=2, **QUIET)
    np.testing.assert_allclose(net.history_["learning_rate"], [0.05, 0.025])


def test_input_gradient_is_that_of_the_mean_loss() -> None:
    X, y = xor(6)
    net = small(dtype="float64").fit(X, y, epochs=1, **QUIET)
    found = net.input_gradient(X, y)
    x = X.astype(np.float64)
    for i, j in ((0, 0), (5, 1)):
        up, down = x.copy(), x.copy()
        up[i, j] += 1e-6
        down[i, j] -= 1e-6
        numeric = (net.evaluate(up, y)["loss"] - net.evaluate(down, y)["loss"]) / 2e-6
        assert found[i, j] == pytest.approx(numeric, rel=1e-5)
