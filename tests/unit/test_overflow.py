"""No finite number is made from one that has overflowed: a square too large for float32 is met by scaling, or said."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest

from chainrule import Dense, Network, NeuralClassifier
from chainrule import layers as L
from chainrule.engine import get_engine
from chainrule.errors import DataError, DivergenceError
from chainrule.losses import AbsoluteError
from chainrule.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, Nadam, RMSprop
from chainrule.plan import lower_prediction, lower_training

ENGINES = ("reference", "onednn")


def one_step(engine: str, optimizer: Any, x: list[float]) -> np.ndarray:
    """The change of w (I,) in one step on J = |x w|, whose gradient is x sign(x w), from w of one sign with x."""
    start = np.sign(np.float32(x)) * np.float32(0.25)
    net = Network([Dense(1, bias=False)], random_state=0).build((len(x),))
    net.parameters["0.dense.weight"][...] = start[:, None]
    plan = lower_training(net, [AbsoluteError()], optimizer, 1)
    arenas = {"parameters": net.parameters.flat, "gradients": np.zeros_like(net.parameters.flat)}
    arenas |= {f"slot.{slot}": np.zeros_like(net.parameters.flat) for slot in optimizer.slots}
    rates = optimizer.scalars(np.array([1.0]), np.array([float(optimizer.learning_rate)]))
    inputs = {"x0": np.asarray([x], np.float32), "y0": np.zeros((1, 1), np.float32)}
    get_engine(engine).compile(plan, arenas).run(inputs, {name: float(v[0]) for name, v in rates.items()})
    return np.array(net.parameters["0.dense.weight"][:, 0] - start, np.float64)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("norm", [1e-30, 1e-3, 1.0, 5.0, 1e6])
@pytest.mark.parametrize("size", [1.0, 1e-20, 1e5, 1.4e20, 3e30])
def test_clipping_measures_every_gradient(engine: str, norm: float, size: float) -> None:
    """The step is the gradient, cut to the norm, also where its squares overflow or underflow."""
    if size / norm > 1e30:
        pytest.skip("larger than can be measured")
    x = [3 * size, -4 * size]
    wanted = -np.array([3, 4]) * size * min(1.0, norm / (5 * size)) * np.sign([1, -1])
    found = one_step(engine, SGD(1e3 / norm if norm < 1 else 1.0, clip_norm=norm), x) / (1e3 / norm if norm < 1 else 1.0)
    kept = np.abs(wanted) > 1e-7  # what is smaller is lost beside the weights of 0.25
    np.testing.assert_allclose(found[kept], wanted[kept], rtol=2e-3 if norm < 1 else 1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_gradient_too_large_to_be_measured_is_not_taken_for_none(engine: str) -> None:
    assert np.isnan(one_step(engine, SGD(0.1, clip_norm=1.0), [1e37, 1.0])).any()


@pytest.mark.parametrize("engine", ENGINES)
def test_clipping_changes_nothing_below_the_norm(engine: str) -> None:
    x = np.random.default_rng(0).normal(size=40)
    np.testing.assert_array_equal(one_step(engine, SGD(0.1, clip_norm=100.0), x), one_step(engine, SGD(0.1), x))


LAYERS = [
    (L.LayerNorm(), (3,)), (L.GroupNorm(1), (3,)), (L.InstanceNorm(), (3, 2)), (L.RMSNorm(), (3,)), (L.BatchNorm(), (3,)),
    (L.LocalResponseNorm(3), (3,)),
]  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda value: repr(value))
@pytest.mark.parametrize("size", [1e18, 1e20, 1e38])
def test_a_normalisation_gives_its_numbers_or_none(engine: str, layer: L.Layer, shape: tuple[int, ...], size: float) -> None:
    """Never zeros: the right numbers where squares fit into float32, else numbers that are not finite."""
    x = np.random.default_rng(0).normal(size=(8, *shape)).clip(-3, 3) * size

    def run(name: str, dtype: str, x: Any) -> np.ndarray:
        net = Network([copy.deepcopy(layer)], random_state=0, dtype=dtype).build(shape)
        plan = lower_training(net, [AbsoluteError()], None, 8, backward=False, outputs=True)
        arenas = {"parameters": net.parameters.flat, "states": net.states.flat}
        return get_engine(name, dtype=dtype).compile(plan, arenas).run({"x0": x, "y0": 0 * x})["output0"]

    wanted = run("reference", "float64", x)
    found = run(engine, "float32", x.astype(np.float32))
    told = np.isfinite(found)
    np.testing.assert_allclose(found[told], wanted[told], rtol=1e-4, atol=1e-5)
    assert told.all() == (size == 1e18)


@pytest.mark.parametrize(
    "layer", [L.LayerNorm(), L.BatchNorm(), L.GroupNorm(1), L.RMSNorm()], ids=lambda layer: type(layer).__name__
)
def test_training_names_the_normalisation_that_overflowed(layer: L.Layer) -> None:
    X = np.random.default_rng(0).normal(size=(64, 6)).astype(np.float32) * np.float32(1e25)
    net = Network([copy.deepcopy(layer), Dense(2)], random_state=0)
    with pytest.raises(DivergenceError, match=layer.kind()):
        net.fit(X, np.arange(64) % 2, epochs=1, verbose=0)


OPTIMIZERS = [Adam(), AdamW(), RMSprop(), RMSprop(centered=True), Adagrad(), Nadam(), Adadelta()]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_weight_is_not_frozen_without_a_word(optimizer: Any) -> None:
    """One gradient of 1e21 makes the mean square of its weight infinite, and every later step of it 0."""
    X = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    X[40, 1] = 1e21
    y = np.zeros((64, 1), np.float32)
    net = Network([Dense(1)], random_state=0)
    with pytest.raises(DivergenceError, match=r"update of layer '0.dense' \(parameter '0.dense.weight'"):
        net.fit(X, y, loss="absolute_error", optimizer=optimizer, epochs=2, batch_size=8, verbose=0)
    assert all(np.isfinite(net.parameters[name]).all() for name in net.parameters)


@pytest.mark.parametrize("optimizer", [type(o)(clip_norm=1.0) for o in OPTIMIZERS if not getattr(o, "centered", False)])
def test_clipping_keeps_the_mean_squares_finite(optimizer: Any) -> None:
    X = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    X[40, 1] = 1e21
    net = Network([Dense(1)], random_state=0)
    net.fit(X, np.zeros((64, 1), np.float32), loss="absolute_error", optimizer=optimizer, epochs=2, batch_size=8, verbose=0)
    assert all(np.isfinite(net.parameters[name]).all() for name in net.parameters)


@pytest.mark.parametrize("engine", ENGINES)
def test_gelu_keeps_its_tail(engine: str) -> None:
    """Forward and backward against the complementary error function in float64, down to the end of float32."""
    z = np.linspace(-12.9, 8, 3001).astype(np.float32)[:, None]
    net = Network([L.GELU()], random_state=0).build(1)
    plan = lower_prediction(net, len(z))
    arenas = {"parameters": net.parameters.flat, "states": net.states.flat}
    a = get_engine(engine).compile(plan, arenas).run({"x0": z})["output0"].astype(np.float64)
    x = z.astype(np.float64)
    cumulative = np.vectorize(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)))(x)
    np.testing.assert_allclose(a, x * cumulative, rtol=2e-5, atol=1e-37)
    # |a − y| with y far below a has the derivative 1.
    training = lower_training(net, [AbsoluteError()], None, len(z), training=False, input_gradients=True)
    made = get_engine(engine).compile(training, {**arenas, "gradients": net.parameters.flat.copy()})
    dx = made.run({"x0": z, "y0": z * 0 - 100})["dx0"].astype(np.float64) * len(z)
    density = np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)
    wanted = cumulative + x * density
    near_zero = np.abs(wanted) < 1e-2 * density  # where the two terms cancel, at z = −0.75
    np.testing.assert_allclose(dx[~near_zero], wanted[~near_zero], rtol=3e-5, atol=1e-37)


NORMALISATIONS = [L.LayerNorm, lambda: L.GroupNorm(2), L.RMSNorm]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("make", NORMALISATIONS)
def test_predictions_that_are_no_numbers_name_the_layer_and_the_sample(make: Any, engine: str) -> None:
    X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    net = Network([make(), Dense(2)], random_state=0).fit(X, np.arange(20) % 2, epochs=1, verbose=0, engine=engine)
    right = net.predict(X)
    X[7] *= 1e20
    name = make().kind()
    for data in (X, X[7:8], [row.tolist() for row in X]):
        with pytest.raises(DataError, match=rf"NaN.*X\[{7 if len(data) > 1 else 0}\].*layer '0.{name}'.*float32"):
            net.predict(data)
    with pytest.raises(DataError, match=r"NaN.*X\[7\]"):
        net.pack().predict(X)
    X[7] = 0
    np.testing.assert_array_equal(np.delete(net.predict(X), 7, 0), np.delete(right, 7, 0))


def test_an_estimator_names_the_layer_in_every_kind_of_prediction() -> None:
    X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    model = NeuralClassifier(layers=[L.LayerNorm(), Dense(1)], epochs=1, random_state=0).fit(X, np.arange(40) % 2)
    X[3] *= 1e20
    for what in ("predict", "predict_proba", "decision_function"):
        if hasattr(model, what):
            with pytest.raises(DataError, match=rf"{what}: .*1 of 40 samples, first for X\[3\].*'0.layer_norm'"):
                getattr(model, what)(X)


def test_infinite_outputs_are_let_through_and_a_weight_that_is_none_is_named() -> None:
    X = np.full((3, 2), 3e38, np.float32)
    net = Network([Dense(1, weight_init=2.0)], random_state=0).build((2,))
    assert np.isinf(net.predict(X)).all()
    net.parameters["0.dense.weight"][...] = np.nan
    with pytest.raises(DataError, match=r"The parameter '0.dense.weight' of the network itself is not finite"):
        net.predict(X[:, :] * 0)
