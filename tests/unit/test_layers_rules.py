"""Penalties and constraints of single parameters, and clipping of each variable by itself."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from chainrule import Conv2D, Dense, Embedding, Network, ReLU, load
from chainrule import layers as L
from chainrule.errors import ParameterError, ShapeError
from chainrule.layers import L1, L1L2, L2, Layer, MaxNorm, NonNegative, Parameter, UnitNorm
from chainrule.network.representation import Masked
from chainrule.ops import Saved
from chainrule.optimizers import LBFGS, SGD, Adam, AdamW

rng = np.random.default_rng(0)
X = rng.normal(size=(64, 5)).astype(np.float32)
Y = rng.normal(size=(64, 2)).astype(np.float32)


def fitted(layers: list[Any], optimizer: Any, epochs: int = 1, X: Any = X, y: Any = Y, **fit: Any) -> Network:
    net = Network(layers, random_state=0)
    return net.fit(X, y, optimizer=optimizer, epochs=epochs, batch_size=64, shuffle=False, verbose=0, **fit)


def start(layers: list[Any], shape: Any = 5) -> dict[str, np.ndarray]:
    net = Network(layers, random_state=0).build(shape)
    return {name: net.parameters[name].copy() for name in net.parameters}


# ---------------------------------------------------------------- penalties


PENALTIES = [
    (L1(0.3), lambda w: 0.3 * np.abs(w).sum(), lambda w: 0.3 * np.sign(w)),
    (L2(0.4), lambda w: 0.2 * (w**2).sum(), lambda w: 0.4 * w),
    (L1L2(l1=0.1, l2=0.2), lambda w: 0.1 * np.abs(w).sum() + 0.1 * (w**2).sum(), lambda w: 0.1 * np.sign(w) + 0.2 * w),
]


@pytest.mark.parametrize(("rule", "penalty", "gradient"), PENALTIES, ids=lambda value: repr(value)[:20])
def test_a_penalty_is_in_the_loss_and_the_gradient_of_its_layer_alone(rule: Any, penalty: Any, gradient: Any) -> None:
    plain = fitted([Dense(3), Dense(2)], SGD(0.1))
    own = fitted([Dense(3, weight_regularizer=rule), Dense(2)], SGD(0.1))
    w = start([Dense(3), Dense(2)])["0.dense.weight"].astype(np.float64)
    assert own.history_["loss"][0] - plain.history_["loss"][0] == pytest.approx(penalty(w), rel=1e-4)
    for name in plain.parameters:
        wanted = plain.parameters[name] - (0.1 * gradient(w) if name == "0.dense.weight" else 0)
        np.testing.assert_allclose(own.parameters[name], wanted, rtol=1e-5, atol=1e-6)


def test_a_penalty_of_every_layer_is_that_of_the_optimizer() -> None:
    each = fitted([Dense(3, weight_regularizer=L2(0.1)), ReLU(), Dense(2, weight_regularizer=L2(0.1))], SGD(0.1), 3)
    whole = fitted([Dense(3), ReLU(), Dense(2)], SGD(0.1, l2=0.1), 3)
    np.testing.assert_allclose(each.parameters.packed(), whole.parameters.packed(), rtol=1e-5, atol=1e-6)
    assert each.history_["loss"] == pytest.approx(whole.history_["loss"], rel=1e-5)


def test_a_penalty_of_a_layer_comes_on_top_of_that_of_the_optimizer() -> None:
    both = fitted([Dense(2, weight_regularizer=L2(0.1))], SGD(0.1, l2=0.2), 2)
    whole = fitted([Dense(2)], SGD(0.1, l2=0.3), 2)
    np.testing.assert_allclose(both.parameters.packed(), whole.parameters.packed(), rtol=1e-5, atol=1e-6)


def test_frozen_layers_have_no_penalty() -> None:
    net = Network([Dense(3, weight_regularizer=L1(5.0)), Dense(2)], random_state=0).build(5)
    before = net.parameters["0.dense.weight"].copy()
    net.freeze("0.dense").fit(X, Y, epochs=1, verbose=0)
    np.testing.assert_array_equal(net.parameters["0.dense.weight"], before)


def test_lbfgs_minimises_with_the_penalty() -> None:
    own = fitted([Dense(2, weight_regularizer=L2(0.5))], LBFGS(), 30)
    whole = fitted([Dense(2)], LBFGS(l2=0.5), 30)
    np.testing.assert_allclose(own.parameters.packed(), whole.parameters.packed(), rtol=1e-3, atol=1e-4)


def test_all_layers_with_weights_take_rules() -> None:
    for layer, shape in (
        (Conv2D(3, 2, weight_regularizer=L2(1.0), weight_constraint=MaxNorm(0.1)), (4, 4, 2)),
        (L.ConvTranspose2D(3, 2, weight_regularizer=L2(1.0), weight_constraint=MaxNorm(0.1)), (4, 4, 2)),
        (L.DepthwiseConv2D(2, weight_regularizer=L2(1.0), weight_constraint=MaxNorm(0.1)), (4, 4, 2)),
    ):
        net = Network([layer, L.Flatten(), Dense(1)], random_state=0)
        images = np.random.default_rng(0).normal(size=(8, *shape)).astype(np.float32)
        net.fit(images, images[:, 0, 0, :1], epochs=1, verbose=0)
        w = net.parameters[f"0.{layer.kind()}.weight"]
        assert np.sqrt((w**2).sum(axis=(0, 1, 2))).max() <= 0.1 * (1 + 1e-6)


@pytest.mark.parametrize("sparse", [False, True])
def test_an_embedding_with_a_penalty_changes_every_row(sparse: bool) -> None:
    """Also where updates otherwise touch the rows of the batch alone."""
    index = np.zeros((16, 1), np.int32)
    net = Network([Embedding(4, 3, sparse=sparse, weight_regularizer=L2(1.0)), L.Flatten(), Dense(1)], random_state=0)
    net.build((1,))
    before = net.parameters["0.embedding.weight"].copy()
    net.fit(index, np.zeros((16, 1), np.float32), epochs=1, optimizer=SGD(0.1), batch_size=16, verbose=0)
    np.testing.assert_allclose(net.parameters["0.embedding.weight"][1:], before[1:] * 0.9, rtol=1e-5)


# ---------------------------------------------------------------- constraints


@pytest.mark.parametrize("optimizer", [SGD(0.5), Adam(0.1), AdamW(0.1, weight_decay=0.1), SGD(0.5, momentum=0.9)], ids=repr)
@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        (MaxNorm(0.3), lambda w: np.sqrt((w**2).sum(axis=0)).max() <= 0.3 * (1 + 1e-6)),
        (MaxNorm(0.3, axes=1), lambda w: np.sqrt((w**2).sum(axis=1)).max() <= 0.3 * (1 + 1e-6)),
        (UnitNorm(), lambda w: np.allclose(np.sqrt((w**2).sum(axis=0)), 1, rtol=1e-6)),
        (NonNegative(), lambda w: (w >= 0).all() and (w > 0).any()),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_weights_keep_their_constraint(rule: Any, holds: Any, optimizer: Any) -> None:
    net = fitted([Dense(6, weight_constraint=rule), ReLU(), Dense(2)], optimizer, 3)
    assert holds(net.parameters["0.dense.weight"].astype(np.float64))
    assert not holds(start([Dense(6), ReLU(), Dense(2)])["0.dense.weight"].astype(np.float64))


def test_a_constrained_step_is_the_free_step_projected() -> None:
    free = fitted([Dense(2)], SGD(0.3)).parameters["0.dense.weight"]
    held = fitted([Dense(2, weight_constraint=MaxNorm(0.4))], SGD(0.3)).parameters["0.dense.weight"]
    norms = np.sqrt((free**2).sum(axis=0))
    assert (norms > 0.4).any()
    np.testing.assert_allclose(held, free * np.minimum(1, 0.4 / norms), rtol=1e-5)


def test_weights_of_zero_stay_zero() -> None:
    net = Network([Dense(2, weight_init="zeros", weight_constraint=UnitNorm())], random_state=0)
    net.fit(np.zeros((8, 3), np.float32), np.zeros((8, 2), np.float32), epochs=2, verbose=0)
    np.testing.assert_array_equal(net.parameters["0.dense.weight"], 0)


def test_a_mask_and_a_constraint_hold_together() -> None:
    net = Network([Dense(4, weight_constraint=NonNegative()), Dense(2)], random_state=0).build(5)
    mask = (np.arange(20).reshape(5, 4) % 2).astype(np.float32)
    net.represent("0.dense.weight", Masked(mask))
    net.fit(X, Y, epochs=3, optimizer=Adam(0.1), verbose=0)
    w = net.parameters["0.dense.weight"]
    assert (w >= 0).all() and (w[mask == 0] == 0).all() and (w > 0).any()


def test_lbfgs_refuses_a_constraint() -> None:
    with pytest.raises(ParameterError, match=r"LBFGS .* cannot keep the constraint NonNegative\(\) of '0.dense.weight'"):
        fitted([Dense(2, weight_constraint=NonNegative())], LBFGS(), 2)


def test_a_layer_of_ones_own_states_rules_for_its_parameters() -> None:
    class Factor(Layer):
        def parameters(self, *shapes: Any) -> Any:
            return {"weight": Parameter(shapes[0][-1:], "ones", regularizer=L1(0.1), constraint=NonNegative())}

        def forward(self, k: Any, x: Any) -> Any:
            w = k.param("weight")
            return k.multiply(x, w), Saved(x=x, w=w)

        def backward(self, k: Any, saved: Any, dy: Any) -> Any:
            k.grad("weight", k.sum_to(k.multiply(dy, saved.x), saved.w.shape))
            return k.multiply(dy, saved.w)

    net = fitted([Factor()], SGD(0.1), 40, X=X, y=-X)
    np.testing.assert_array_equal(net.parameters["0.factor.weight"], 0)


# ---------------------------------------------------------------- keeping and printing


def test_rules_survive_files_copies_and_pickles(tmp_path: Any) -> None:
    layer = Dense(3, weight_regularizer=L1L2(l1=0.1, l2=0.2), weight_constraint=MaxNorm(0.5, axes=0))
    net = Network([layer, Dense(2)], random_state=0).build(5)
    net.save(tmp_path / "m.chainrule")
    for again in (load(tmp_path / "m.chainrule"), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        made = again.layer("0.dense")
        assert made.weight_regularizer == layer.weight_regularizer and made.weight_constraint == layer.weight_constraint
        assert repr(made) == repr(layer)


def test_rules_are_in_the_equations() -> None:
    net = Network([Dense(3, weight_regularizer=L2(0.1), weight_constraint=NonNegative())], random_state=0).build(5)
    text = str(net.equations(loss="squared_error", optimizer=SGD(0.1)))
    assert "0.05 Σ" in text and "max(" in text.partition("update")[2]


# ---------------------------------------------------------------- clipping each variable


@pytest.mark.parametrize("limit", [0.05, 0.5, 1e6])
def test_each_variable_is_clipped_by_itself(limit: float) -> None:
    layers = [Dense(3), ReLU(), Dense(2)]
    before, plain = start(copy.deepcopy(layers)), fitted(copy.deepcopy(layers), SGD(0.1))
    clipped = fitted(copy.deepcopy(layers), SGD(0.1, clip_variable_norm=limit))
    for name, w in before.items():
        g = (w - plain.parameters[name]) / 0.1
        wanted = w - 0.1 * g * min(1.0, limit / np.linalg.norm(g))
        np.testing.assert_allclose(clipped.parameters[name], wanted, rtol=1e-4, atol=1e-6)


def test_variables_are_clipped_before_the_whole() -> None:
    layers = [Dense(3), ReLU(), Dense(2)]
    before = start(copy.deepcopy(layers))
    both = fitted(copy.deepcopy(layers), SGD(1.0, clip_variable_norm=0.5, clip_norm=0.1))
    moved = np.sqrt(sum(((w - both.parameters[n]) ** 2).sum() for n, w in before.items()))
    assert moved == pytest.approx(0.1, rel=1e-4)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Dense(2, weight_regularizer=0.1),
            r"weight_regularizer must be None or a Regularizer. Got 0.1. Give one as L2\(1e-4\)",
        ),
        (lambda: Dense(2, weight_constraint="max_norm"), "weight_constraint must be None or a WeightConstraint"),
        (lambda: Dense(2, weight_regularizer=L2(-1.0)), "strength must be a finite number of at least 0. Got -1.0"),
        (lambda: Conv2D(2, 3, weight_regularizer=L1(float("nan"))), "strength must be a finite number of at least 0"),
        (lambda: Dense(2, weight_constraint=MaxNorm(0.0)), "limit must be a finite number above 0"),
        (lambda: Dense(2, weight_constraint=UnitNorm(axes="all")), "axes must be None, an int or a list of them"),
        (lambda: Embedding(3, 2, weight_regularizer=3), "weight_regularizer must be None or a Regularizer"),
    ],
)
def test_wrong_rules_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Network([make()])


def test_axes_that_are_not_there() -> None:
    with pytest.raises(ShapeError, match="no norms over the axes"):
        fitted([Dense(2, weight_constraint=MaxNorm(1.0, axes=5))], SGD(0.1))


def test_clip_variable_norm_is_checked() -> None:
    with pytest.raises(ParameterError, match="clip_variable_norm must be None or a finite number above 0"):
        SGD(0.1, clip_variable_norm=0.0).validate()
