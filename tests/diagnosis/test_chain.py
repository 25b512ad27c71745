"""The gains of the gradient along the chain rule against products of explicit Jacobians."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from chainrule import Network, Residual
from chainrule.diagnosis import Chain
from chainrule.errors import ParameterError
from chainrule.layers import (
    Add,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Input,
    LayerNorm,
    MaxPool2D,
    ReLU,
    Sigmoid,
    Tanh,
)

RNG = np.random.default_rng(0)


def chain_of(layers: list[Any], shape: tuple[int, ...], n: int = 6, seed: int = 0) -> tuple[Network, Chain, Any]:
    """A float64 network, the chain of its first step, and the trace of the same samples."""
    X = RNG.normal(size=(n, *shape))
    net = Network(layers, random_state=seed, dtype="float64")
    net.build(shape)
    y = RNG.normal(size=(n, *net.output_shapes[0]))
    diagnosis = net.diagnose(X, y, loss="squared_error", epochs=1, batch_size=n, shuffle=False, every=1)
    assert not diagnosis.errors
    return net, diagnosis.chain(0), (X, y)


def norm(a: Any) -> float:
    return float(np.sqrt((np.asarray(a) ** 2).sum()))


def test_dense_gains_are_products_of_jacobians() -> None:
    """dz¹ = σ'(z¹) ⊙ (W² (σ'(z²) ⊙ (W³ dz³))), one explicit matrix a sample and layer."""
    net, chain, (X, y) = chain_of([Dense(7), Sigmoid(), Dense(5), Tanh(), Dense(3)], (4,))
    t = net.trace(X, y, loss="squared_error")
    weights = [net.parameters[f"{n}.dense.weight"] for n in (2, 4)]
    slopes = [t["1.sigmoid.a"] * (1 - t["1.sigmoid.a"]), 1 - t["3.tanh.a"] ** 2]
    dz3 = t["4.dense.dz"]
    da2 = np.stack([weights[1] @ row for row in dz3])
    dz2 = np.stack([np.diag(s) @ row for s, row in zip(slopes[1], da2, strict=True)])
    da1 = np.stack([weights[0] @ row for row in dz2])
    dz1 = np.stack([np.diag(s) @ row for s, row in zip(slopes[0], da1, strict=True)])
    assert [g.key for g in chain] == ["4.dense", "3.tanh", "2.dense", "1.sigmoid", "0.dense"]
    wanted = [norm(da2) / norm(dz3), norm(dz2) / norm(da2), norm(da1) / norm(dz2), norm(dz1) / norm(da1)]
    np.testing.assert_allclose([g.gain for g in chain.gains[:-1]], wanted, rtol=1e-10)
    assert chain.input_norm == pytest.approx(norm(dz1), rel=1e-10)
    assert chain.ratio == pytest.approx(norm(dz1) / norm(dz3), rel=1e-10)
    first, second = chain.blocks
    assert (first.upper, first.lower, second.lower) == ("4.dense", "2.dense", "0.dense")
    assert first.factor("weight") == pytest.approx(norm(da2) / norm(dz3), rel=1e-10)
    assert first.factor("activation") == pytest.approx(norm(dz2) / norm(da2), rel=1e-10)
    assert first.gain * second.gain == pytest.approx(chain.ratio, rel=1e-10)


def numeric_jacobian(f: Any, x: np.ndarray) -> np.ndarray:
    """(outputs, inputs) by central differences."""
    columns = []
    for i in range(x.size):
        h = np.zeros(x.size)
        h[i] = 1e-6
        h = h.reshape(x.shape)
        columns.append((f(x + h) - f(x - h)).ravel() / 2e-6)
    return np.stack(columns, axis=1)


@pytest.mark.parametrize(
    "middle",
    [
        [Conv2D(3, 2), Sigmoid()],
        [MaxPool2D(2)],
        [AveragePool2D(2)],
        [LayerNorm(), Tanh()],
        [Conv2D(2, 3, padding="same", stride=2)],
    ],
    ids=["conv", "max_pool", "average_pool", "layer_norm", "strided"],
)
def test_gains_of_other_layers_are_those_of_their_jacobians(middle: list[Any]) -> None:
    """The Jacobian of the layers in the middle, one column for each input, from predictions alone."""
    net, chain, (X, y) = chain_of([Conv2D(2, 1), *middle, Flatten(), Dense(2)], (4, 4, 1), n=2)
    t = net.trace(X, y, loss="squared_error")
    names = list(t.layers)
    inner = [n for n in names[1 : 1 + len(middle)]]
    top = t.layers[inner[-1]]
    shape = t.layers[names[0]].output.shape[1:]
    alone = Network(middle, dtype="float64").build(shape)
    for name in alone.parameters:
        number, rest = name.split(".", 1)
        alone.parameters[name][...] = net.parameters[f"{int(number) + 1}.{rest}"]
    passed = []
    for x, dy in zip(t.layers[names[0]].output, top.d_output, strict=True):
        J = numeric_jacobian(lambda v: alone.predict(v[None])[0], x)
        passed.append(J.T @ dy.ravel())
    keys = [g.key for g in chain]
    product = math.prod(g.gain for g in chain.gains[keys.index(inner[-1]) : keys.index(inner[0]) + 1])
    assert product == pytest.approx(norm(np.stack(passed)) / norm(top.d_output), rel=1e-5)


def test_batch_norm_gain_has_the_jacobian_over_the_batch() -> None:
    """Normalisation mixes the samples of a batch, so its Jacobian is one over all of them."""
    net, chain, (X, y) = chain_of([Dense(3), BatchNorm(), Dense(2)], (4,), n=5)
    t = net.trace(X, y, loss="squared_error")
    gamma = net.parameters["1.batch_norm.gamma"]

    def normalised(z: np.ndarray) -> np.ndarray:
        z = z.reshape(5, 3)
        return (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5) * gamma

    J = numeric_jacobian(normalised, t["0.dense.z"])
    dy = t.layers["1.batch_norm"].d_output
    gain = next(g for g in chain if g.key == "1.batch_norm")
    assert gain.role == "normalisation"
    assert gain.gain == pytest.approx(norm(J.T @ dy.ravel()) / norm(dy), rel=1e-5)


@pytest.mark.parametrize("depth", [1, 2, 5, 9])
@pytest.mark.parametrize("activation", [Sigmoid, Tanh, ReLU])
def test_logarithms_add_up(depth: int, activation: Any) -> None:
    stack = [layer for _ in range(depth) for layer in (Dense(9), activation(), Dropout(0.1))]
    _, chain, _ = chain_of([*stack, Dense(2)], (5,), n=8)
    assert len(chain.blocks) == depth
    assert sum(chain.factors().values()) == pytest.approx(chain.log10, rel=1e-9, abs=1e-12)
    assert sum(chain.shares().values()) == pytest.approx(1.0)
    assert set(chain.factors()) == {"weight", "activation", "regularisation"}
    assert chain.sentence() in str(chain)


def test_residual_joins_have_a_gain_of_their_own() -> None:
    net, chain, (X, y) = chain_of(
        [Dense(6), Residual([Dense(6), Tanh()]), Residual([Dense(6), Tanh()]), Dense(1)], (3,), n=7
    )
    t = net.trace(X, y, loss="squared_error")
    assert [g.role for g in chain].count("join") >= 2
    assert sum(chain.factors().values()) == pytest.approx(chain.log10, rel=1e-9)
    assert chain.input_norm == pytest.approx(norm(t["0.dense.dz"]), rel=1e-10)


def test_an_output_used_twice() -> None:
    x = Input((4,))
    h = Dense(5)(x)
    net = Network(inputs=x, outputs=Dense(1)(Add()(Tanh()(h), Sigmoid()(h))), random_state=0, dtype="float64")
    net.build((4,))
    X, y = RNG.normal(size=(6, 4)), RNG.normal(size=(6, 1))
    chain = net.diagnose(X, y, loss="squared_error", epochs=1, every=1, batch_size=6, shuffle=False).chain(0)
    t = net.trace(X, y, loss="squared_error")
    names = list(t.layers)
    assert chain.input_norm == pytest.approx(norm(t.layers[names[0]].d_output), rel=1e-10)
    assert sum(chain.factors().values()) == pytest.approx(chain.log10, rel=1e-9)


def test_global_pooling_and_one_layer() -> None:
    _, chain, _ = chain_of([Conv2D(3, 3), ReLU(), GlobalAveragePool(), Dense(2)], (6, 6, 1))
    assert [g.role for g in chain] == ["weight", "pooling", "activation", "weight"]
    _, chain, _ = chain_of([Dense(2)], (3,))
    assert not chain.blocks and math.isnan(chain.gains[0].gain) and "fewer than two" in chain.sentence()


def test_nothing_sampled() -> None:
    from chainrule.diagnosis import Diagnosis

    with pytest.raises(ParameterError, match="no step was sampled"):
        Diagnosis().chain()
