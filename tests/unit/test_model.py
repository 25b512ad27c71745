"""Network as users see it: keeping, showing, predicting from threads."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.errors import DataError, ModelFileError, NotFittedError, ParameterError, ShapeError
from chainrule.layers import Add, Dense, Dropout, Input, ReLU, Sigmoid, Softmax, Tanh
from chainrule.losses import SoftmaxCrossEntropy
from chainrule.model import Network, load
from chainrule.optimizers import SGD, Adam, Cosine

QUIET: dict[str, Any] = {"verbose": 0, "engine": "reference"}


def data(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    return X, (X.sum(axis=1) > 0).astype(int)


def fitted(**options: Any) -> Network:
    X, y = data()
    return Network([Dense(5), ReLU(), Dropout(0.1), Dense(2)], random_state=0).fit(X, y, epochs=2, **(QUIET | options))


def test_not_built() -> None:
    net = Network([Dense(2)])
    for use in (net.predict, lambda X: net.evaluate(X, X), net.trace, lambda X: net.summary(), lambda X: net.plan()):
        with pytest.raises(NotFittedError, match="fit"):
            use(np.zeros((1, 2)))
    with pytest.raises(NotFittedError):
        net.save("never.written")
    assert repr(net) == "Network([Dense(2)], not built)"
    assert net.fit_config_ == {}


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_are_whole_and_their_own(clone: Any) -> None:
    X, y = data()
    net = fitted()
    other = clone(net)
    np.testing.assert_array_equal(other.predict(X), net.predict(X))
    assert other.evaluate(X, y) == net.evaluate(X, y)
    assert other.history_["loss"] == net.history_["loss"]
    assert other.parameters.flat.ctypes.data % 64 == 0
    # Both go on with the same random numbers, each with its own weights.
    net.fit(X, y, epochs=1, **QUIET)
    other.fit(X, y, epochs=1, **QUIET)
    np.testing.assert_array_equal(other.parameters.flat, net.parameters.flat)
    other.parameters["0.dense.bias"][...] = 7
    assert (net.parameters["0.dense.bias"] != 7).all()


def test_copy_of_a_graph_with_shared_layers() -> None:
    x = Input((3,))
    shared = Dense(3)
    net = Network(inputs=x, outputs=Dense(1)(Add()(x, shared(Tanh()(shared(x))))), random_state=0)
    untrained = pickle.loads(pickle.dumps(net))
    net.build()
    untrained.build()
    other = copy.deepcopy(net)
    X, _ = data()
    np.testing.assert_array_equal(other.predict(X), net.predict(X))
    np.testing.assert_array_equal(untrained.predict(X), net.predict(X))
    outer = Network([other, ReLU()]).build((3,))
    assert outer.output_shapes == [(1,)]


def test_deep_networks_can_be_pickled() -> None:
    net = Network([layer for _ in range(400) for layer in (Dense(2), ReLU())], random_state=0).build((2,))
    assert len(pickle.loads(pickle.dumps(net)).calls) == 800


def test_saved_and_loaded(tmp_path: Path) -> None:
    X, y = data()
    # With the engine that a loaded network has, so that the numbers are the same to the bit.
    net = fitted(optimizer=Adam(Cosine(0.01, total=5)), loss=SoftmaxCrossEntropy(label_smoothing=0.1), engine="auto")
    net.save(tmp_path / "net")
    again = load(tmp_path / "net")
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    assert again.evaluate(X, y) == pytest.approx(net.evaluate(X, y))
    assert again.fit_config_["loss"] == [SoftmaxCrossEntropy(label_smoothing=0.1)]
    assert again.fit_config_["optimizer"] == Adam(Cosine(0.01, total=5))
    again.fit(X, y, epochs=1, **QUIET)
    with pytest.raises(ModelFileError):
        load(tmp_path / "nothing")
    fitted(learning_rate=lambda t: 0.01 / t).save(tmp_path / "net")
    assert isinstance(load(tmp_path / "net").fit_config_["optimizer"], Adam)
    built = Network([Dense(2)], random_state=0).build((3,))
    assert isinstance(built, Network)
    built.save(tmp_path / "built")
    assert load(tmp_path / "built").fit_config_ == {}


def test_predictions_from_threads() -> None:
    net = fitted()
    X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    expected = {n: net.predict(X[:n]) for n in (1, 7, 50)}

    def ask(i: int) -> bool:
        n = (1, 7, 50)[i % 3]
        return bool(np.array_equal(net.predict(X[:n]), expected[n]))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(120)))


def test_predictions_are_the_callers_own() -> None:
    net = fitted()
    X, _ = data()
    first = net.predict(X)
    kept = first.copy()
    net.predict(X * 2)
    np.testing.assert_array_equal(first, kept)
    first[...] = 0
    np.testing.assert_array_equal(net.predict(X), kept)


def test_predict_sees_changed_weights() -> None:
    net = fitted()
    X, _ = data()
    before = net.predict(X)
    net.parameters["3.dense.bias"][...] += 1
    np.testing.assert_allclose(net.predict(X), before + 1, rtol=1e-5, atol=1e-6)


def test_summary_and_plan() -> None:
    net = fitted()
    net.freeze("0.dense")
    text = net.summary()
    for part in ("0.dense", "Dense(5)", "20 (frozen)", "32 parameters", "12 of them learn", "FLOPs"):
        assert part in text
    assert "matmul" in net.plan(8).show()
    assert net.plan(8).batch == 8
    assert "slot.m" in net.plan().arenas
    assert net.plan(training=False).arenas.keys() == {"parameters"}
    assert net.plan(optimizer=SGD(), loss="squared_error").flops > 0
    with pytest.raises(ParameterError, match="batch"):
        net.plan(0)
    assert repr(net).startswith("Network([Dense(5), ReLU(), Dropout(0.1), Dense(2)], 32 parameters")
    many = Network([Dense(2) for _ in range(30)])
    assert repr(many) == "Network(30 layers, 1 input(s), 1 output(s), not built)"


def test_trace_and_equations_know_the_fit(tmp_path: Path) -> None:
    X, y = data()
    net = fitted()
    assert net.trace(X, y).loss == pytest.approx(net.trace(X, y, loss="softmax_cross_entropy").loss)
    assert net.trace(X).loss is None
    built = Network([Dense(2)], random_state=0).build((3,))
    assert isinstance(built, Network)
    assert built.trace(X, y).loss is not None
    assert "backward" not in str(built.equations())
    assert "backward" in str(built.equations(loss="squared_error"))
    text = str(net.equations())
    for part in ("forward", "loss", "backward", "update  Adam()", "dW² = "):
        assert part in text
    net.save(tmp_path / "net")
    assert str(load(tmp_path / "net").equations()) == text
    # Class indices and distributions are not the same equation.
    soft = Network([Dense(2)], random_state=0).fit(X, np.eye(2)[y], loss="softmax_cross_entropy", epochs=1, **QUIET)
    assert "y (N, 2)" in str(soft.equations())
    assert "y (N,)" in text


def test_evaluate_before_any_fit_picks_the_loss() -> None:
    X, y = data()
    net = Network([Dense(2)], random_state=0).build((3,))
    assert isinstance(net, Network)
    assert set(net.evaluate(X, y)) == {"loss", "accuracy"}
    with pytest.raises(ParameterError, match="y is missing"):
        net.evaluate(X)


def test_evaluation_needs_data_that_fits() -> None:
    X, y = data()
    net = fitted()
    with pytest.raises(DataError):
        net.evaluate(X, y[:-1])
    with pytest.raises(ShapeError):
        net.evaluate(X[:, :2], y)
    with pytest.raises(DataError, match="validation_data"):
        net.fit(X, y, validation_data=(X, y + 2), **QUIET)
    with pytest.raises(ParameterError, match="batch_size"):
        net.predict(X, batch_size=0)


@pytest.mark.parametrize("engine", ["reference", "auto"])
def test_engines_learn_the_same(engine: str) -> None:
    X, y = data()
    net = fitted(engine=engine)
    np.testing.assert_allclose(net.parameters.flat, fitted().parameters.flat, rtol=1e-3, atol=1e-4)
    assert net.evaluate(X, y)["loss"] == pytest.approx(fitted().evaluate(X, y)["loss"], rel=1e-3)


@pytest.mark.parametrize("engine", ["reference", "auto"])
def test_numbers_of_numpy_are_numbers(engine: str) -> None:
    X, y = data()
    net = Network([Input((np.int64(3),)), Dense(np.int64(4)), Dropout(np.float32(0.1)), Dense(np.int32(2))], random_state=0)
    net.fit(X, y, epochs=np.int64(1), batch_size=np.int32(7), learning_rate=np.float32(0.01), engine=engine, verbose=0)
    assert net.predict(X, batch_size=np.int16(9)).shape == (60, 2)
    assert net.evaluate(X, y, batch_size=np.uint8(11))["loss"] > 0
    assert Network([Dense(2)]).build(np.int64(3)).input_shapes == [(3,)]


@pytest.mark.parametrize("shape", ["3", 0, -3, 3.0, True, (3, 0)])
def test_build_refuses_what_is_no_shape(shape: Any) -> None:
    with pytest.raises(ShapeError, match="build: a shape must be the positive sizes"):
        Network([Dense(2)]).build(shape)


@pytest.mark.parametrize("seed", ["abc", -1, 1.5])
def test_random_state_that_is_none(seed: Any) -> None:
    with pytest.raises(ParameterError, match="random_state must be an int of at least 0"):
        Network([Dense(2)], random_state=seed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"callbacks": print}, "callbacks must be instances"),
        ({"loss_weights": "a"}, "loss_weights must be one finite number"),
        ({"loss_weights": 2.0}, "loss_weights must be one finite number"),
        ({"class_weight": {"a": 1}}, "names the class 'a'"),
        ({"class_weight": {0.5: 1}}, "names the class 0.5"),
        ({"class_weight": {0: "x"}}, "finite numbers of at least 0"),
        ({"class_weight": ["a", "b"]}, "finite numbers of at least 0"),
        ({"loss": SoftmaxCrossEntropy(label_smoothing="a")}, "label_smoothing"),  # type: ignore[arg-type]
    ],
)
def test_arguments_of_a_wrong_kind(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        fitted(**options)


def test_numbers_that_float32_cannot_hold() -> None:
    X, _ = data()
    y = np.zeros((60, 2))
    y[4, 1] = -1e300
    with pytest.raises(DataError, match=r"y contains values too large for float32: y\[4, 1\] is -1e\+300"):
        Network([Dense(2)]).fit(X, y, **QUIET)
    with pytest.raises(DataError, match="sample_weight contains values too large"):
        Network([Dense(2)]).fit(X, np.zeros((60, 2)), sample_weight=np.full(60, 1e300), **QUIET)
    Network([Dense(2)], dtype="float64").fit(X, np.zeros((60, 2)), sample_weight=np.full(60, 1e39), **QUIET)


@pytest.mark.parametrize("loss", [None, "softmax_cross_entropy", "categorical_crossentropy"])
def test_softmax_is_not_applied_twice(loss: str | None) -> None:
    X, y = data()
    logits = Network([Dense(2)], random_state=0).fit(X, y, loss=loss, epochs=3, **QUIET)
    probabilities = Network([Dense(2), Softmax()], random_state=0).fit(X, y, loss=loss, epochs=3, **QUIET)
    np.testing.assert_allclose(probabilities.parameters.flat, logits.parameters.flat, rtol=1e-4, atol=1e-6)
    assert probabilities.loss_ == SoftmaxCrossEntropy(from_probabilities=True)
    np.testing.assert_allclose(probabilities.loss_.prediction(probabilities.predict(X)).sum(axis=1), 1, rtol=1e-6)
    # A loss given as an object is taken at its word.
    assert Network([Dense(2), Softmax()]).fit(X, y, loss=SoftmaxCrossEntropy(), **QUIET).loss_ == SoftmaxCrossEntropy()


@pytest.mark.parametrize("loss", [None, "bce"])
def test_sigmoid_is_not_applied_twice(loss: str | None) -> None:
    X, y = data()
    logits = Network([Dense(1)], random_state=0).fit(X, y, loss=loss, epochs=3, **QUIET)
    probabilities = Network([Dense(1), Sigmoid()], random_state=0).fit(X, y, loss=loss, epochs=3, **QUIET)
    np.testing.assert_allclose(probabilities.parameters.flat, logits.parameters.flat, rtol=1e-4, atol=1e-6)
    assert probabilities.evaluate(X, y)["accuracy"] == logits.evaluate(X, y)["accuracy"]


def test_predicting_the_same_shape_again_still_looks_at_the_data():
    """The short way of repeated predictions: new weights, NaN, another dtype or order are all noticed."""
    net = Network([Dense(3), ReLU(), Dense(2)], random_state=0).build(4)
    x = np.ones((2, 4), np.float32)
    first = net.predict(x)
    np.testing.assert_array_equal(net.predict(x), first)
    net.parameters["0.dense.weight"][...] *= 2
    assert not np.array_equal(net.predict(x), first)
    bad = x.copy()
    bad[1, 2] = np.nan
    with pytest.raises(DataError, match="NaN"):
        net.predict(bad)
    with pytest.raises(ShapeError):
        net.predict(np.ones((2, 5), np.float32))
    wide = np.arange(16, dtype=np.float32).reshape(2, 8)
    np.testing.assert_allclose(net.predict(wide[:, ::2]), net.predict(np.ascontiguousarray(wide[:, ::2])), rtol=1e-6)
    np.testing.assert_allclose(net.predict(x.astype(np.float64)), net.predict(x), rtol=1e-6)
    with pytest.raises(ParameterError):
        net.predict(x, batch_size=0)
    copy = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(copy.predict(x), net.predict(x))


@pytest.mark.parametrize(("end", "name"), [(Softmax(), "softmax_cross_entropy"), (Sigmoid(), "bce")])
def test_a_loss_by_name_is_read_the_same_everywhere(end: Softmax | Sigmoid, name: str) -> None:
    X, y = data()
    net = Network([Dense(2 if isinstance(end, Softmax) else 1), end], random_state=0)
    net.build(X.shape[1:])
    before = net.trace(X, y, loss=name)
    plan, equations = net.plan(loss=name).show(), str(net.equations(loss=name, optimizer="sgd"))
    net.fit(X, y, loss=name, epochs=1, learning_rate=1e-30, **QUIET)
    assert before.loss == pytest.approx(net.evaluate(X, y)["loss"], rel=1e-5)
    kind = type(net.loss_)
    assert net.loss_ == kind(from_probabilities=True)
    assert before.loss == net.trace(X, y, loss=net.loss_).loss
    assert before.loss != net.trace(X, y, loss=kind()).loss  # an object is taken at its word
    assert plan == net.plan(loss=kind(from_probabilities=True), optimizer="adam").show()
    assert plan != net.plan(loss=kind(), optimizer="adam").show()
    assert equations == str(net.equations(loss=kind(from_probabilities=True), optimizer="sgd"))


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_a_share_of_samples_is_exact(engine: str) -> None:
    """Metrics that count samples are ratios of whole numbers, also over batches of several sizes."""
    net = Network([Dense(3)], random_state=0).build(4)
    x = np.random.default_rng(0).normal(size=(1000, 4)).astype(np.float32)
    y = np.argmax(net.predict(x), axis=1)
    y[:18] = (y[:18] + 1) % 3
    net.fit(x, y, learning_rate=1e-12, epochs=1, batch_size=77, verbose=0, engine=engine)
    assert net.history_["accuracy"][-1] == 0.982
    assert net.evaluate(x, y, batch_size=300)["accuracy"] == 0.982


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda: Dense(3, activation="relu"), "Unknown argument of Dense 'activation'. Activations are layers"),
        (lambda: Dense(3, use_bias=False), "Here it is called 'bias'"),
        (lambda: Dense(3, unit=4), "Did you mean 'units'"),
        (lambda: Dense(3, name="first"), r"\.named\('first'\)"),
        (lambda: Network([Dense(1)]).compile(), "fit takes the loss and the optimizer"),
        (lambda: Network([Dense(1)]).predict_proba, "end the network with Softmax"),
        (lambda: Network([Dense(1)]).evalute, "Did you mean 'evaluate'"),
        (lambda: Network([Input((4,)), Dense(2**62)]).build(), r"Dense\(4611686018427387904\).*Make that layer smaller"),
        (lambda: Network([Dense(2**38)]).fit(np.ones((4, 4)), np.ones((4, 1)), epochs=1, verbose=0), r"5,120\.0 GiB"),
    ],
)
def test_names_of_other_libraries_and_impossible_sizes_are_answered(use, words):
    with pytest.raises((ParameterError, AttributeError), match=words):
        use()
    assert not hasattr(Network([Dense(1)]), "history_") and not hasattr(Network([Dense(1)]), "__array__")
