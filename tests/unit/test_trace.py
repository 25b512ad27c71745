"""net.trace: every value and gradient by its textbook name, right to the last digit of float64."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.errors import DataError, NotFittedError, ParameterError, ShapeError, UnknownNameError
from chainrule.layers import Add, Dense, Dropout, Embedding, Flatten, Identity, Input, ReLU
from chainrule.network import NetworkGraph
from chainrule.training.trace import trace

X = np.random.default_rng(0).normal(size=(6, 4))
Y = np.array([0, 1, 2, 0, 1, 2])


def mlp() -> NetworkGraph:
    return NetworkGraph([Dense(5), ReLU(), Dense(3)], random_state=0).build((4,))


def test_all_values_are_those_of_the_chain_rule() -> None:
    net = mlp()
    t = trace(net, X, Y, loss="softmax_cross_entropy")
    w1, w2 = (net.parameters[f"{n}.weight"].astype(float) for n in ("0.dense", "2.dense"))
    z1 = X @ w1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ w2
    p = np.exp(z2) / np.exp(z2).sum(1, keepdims=True)
    dz2 = (p - np.eye(3)[Y]) / 6
    da1 = dz2 @ w2.T
    dz1 = da1 * (z1 > 0)
    wanted = {
        "x": X, "dx": dz1 @ w1.T, "0.dense.z": z1, "0.dense.dz": dz1, "0.dense.dweight": X.T @ dz1, "1.relu.a": a1,
        "0.dense.dbias": dz1.sum(0), "1.relu.da": da1, "2.dense.z": z2, "2.dense.dz": dz2, "2.dense.dweight": a1.T @ dz2,
        "2.dense.dbias": dz2.sum(0), "0.dense.weight": w1, "2.dense.weight": w2,
    }  # fmt: skip
    for name, value in wanted.items():
        assert t[name].dtype == np.float64
        np.testing.assert_allclose(t[name], value, rtol=1e-12, atol=1e-15, err_msg=name)
    assert set(t) == {*wanted, "0.dense.bias", "2.dense.bias"}
    assert t.loss == pytest.approx(-np.log(p[np.arange(6), Y]).mean(), rel=1e-12)
    layer = t.layers["1.relu"]
    assert layer.output is t["1.relu.a"] and layer.d_output is t["1.relu.da"] and layer.inputs[0] is t["0.dense.z"]
    np.testing.assert_array_equal(layer.d_inputs[0], t["0.dense.dz"])
    np.testing.assert_array_equal(t.outputs[0], t["2.dense.z"])


def test_without_targets_there_are_no_gradients() -> None:
    t = trace(mlp(), X)
    assert t.loss is None and "0.dense.dz" not in t and "1.relu.a" in t
    assert t.layers["0.dense"].gradients == {} and t.layers["0.dense"].d_output is None and t.d_inputs == (None,)


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    t = trace(mlp(), X)
    with pytest.raises(UnknownNameError, match=r"Did you mean '1\.relu\.a'"):
        t["1.relu.aa"]
    with pytest.raises(UnknownNameError, match=r"Known: 0\.dense, 1\.relu, 2\.dense"):
        t.layers["3.dense"]
    assert t.get("nothing") is None and "nothing" not in t and len(list(t)) == len(t)


def test_joins_shared_layers_and_several_inputs_and_outputs() -> None:
    a, b = Input(3), Input(3)
    shared = Dense(3)
    h, g = shared(a), shared(b)
    s = Add()(h, g)
    net = NetworkGraph(inputs=[a, b], outputs=[s, Dense(1)(s)], random_state=0).build()
    xs = [X[:, :3], X[:, 1:]]
    t = trace(net, xs, [np.ones((6, 3)), np.ones(6)], loss=["squared_error", "binary_cross_entropy"])
    assert list(t.layers) == ["0.dense", "0.dense#2", "1.add", "2.dense"]
    np.testing.assert_allclose(t["0.dense.z"] + t["0.dense#2.z"], t["1.add.z"])
    both = xs[0].T @ t["0.dense.dz"] + xs[1].T @ t["0.dense#2.dz"]
    np.testing.assert_allclose(t["0.dense.dweight"], both)
    np.testing.assert_array_equal(t["0.dense#2.dweight"], t["0.dense.dweight"])
    np.testing.assert_allclose(t["dx1"], t["0.dense#2.dz"] @ t["0.dense.weight"].T)
    # dJ/ds: from its own loss and, through the last layer, from the other one.
    assert t.layers["2.dense"].d_inputs[0] is not None
    own = 2 * (t["1.add.z"] - 1) / 18
    np.testing.assert_allclose(t["1.add.dz"], own + t.layers["2.dense"].d_inputs[0])
    with pytest.raises(ShapeError, match="2 inputs"):
        trace(net, X)


def test_the_same_tensor_twice_passes_two_gradients_back() -> None:
    x = Input(4)
    h = Dense(2)(x)
    t = trace(NetworkGraph(inputs=x, outputs=Add()(h, h)).build(), X, np.zeros((6, 2)), loss="mse")
    np.testing.assert_allclose(t["0.dense.dz"], 2 * t["1.add.dz"])
    assert all(d is not None for d in t.layers["1.add"].d_inputs)


def test_frozen_layers_are_traced_too() -> None:
    net = mlp().freeze("0.dense")
    assert trace(net, X, Y, loss="softmax_cross_entropy")["0.dense.dweight"].any()


def test_nothing_of_the_network_changes() -> None:
    net = mlp()
    before = net.parameters.flat.copy(), net.rng.bit_generator.state
    t = trace(net, X, Y, loss="softmax_cross_entropy")
    t["0.dense.weight"][...] = 7
    np.testing.assert_array_equal(net.parameters.flat, before[0])
    assert net.rng.bit_generator.state == before[1]


def test_dropout_follows_training_and_seed() -> None:
    net = NetworkGraph([Dense(50, weight_init="ones"), Dropout(0.5)]).build((4,))
    one, same, other = (trace(net, np.ones((3, 4)), seed=s)["1.dropout.z"] for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert set(np.unique(one)) == {0.0, 8.0} and not np.array_equal(one, other)
    off = trace(net, np.ones((3, 4)), training=False)["1.dropout.z"]
    assert set(np.unique(off)) == {4.0}


def test_indices_have_no_gradient() -> None:
    net = NetworkGraph([Input((2,), dtype="int"), Embedding(5, 3), Flatten(), Dense(1)], random_state=0).build()
    t = trace(net, [[0, 1], [4, 4]], [[0.0], [1.0]], loss="squared_error")
    assert "dx" not in t and t["0.embedding.dweight"].shape == (5, 3) and not t["0.embedding.dweight"][2].any()
    assert t.layers["0.embedding"].d_inputs == (None,)
    with pytest.raises(DataError, match=r"indices must be in 0, \.\.\., 4"):
        trace(net, [[0, 5]])


def test_a_network_without_layers_of_its_own() -> None:
    t = trace(NetworkGraph([Identity()]).build((4,)), X)
    np.testing.assert_array_equal(t["0.identity.z"], X)


@pytest.mark.parametrize(
    ("args", "kwargs", "error", "words"),
    [
        ((X, Y), {}, ParameterError, "need a loss"),
        ((X, Y), {"loss": "softmax_crossentropy"}, UnknownNameError, "Did you mean"),
        ((X, Y), {"loss": ["mse", "mse"]}, ShapeError, "1 output"),
        ((X[:, :3],), {}, ShapeError, r"\(N, 4\).*Got \(6, 3\)"),
        ((X, Y[:5]), {"loss": "softmax_cross_entropy"}, (ShapeError, DataError), "5"),
        ((X, Y + 1), {"loss": "softmax_cross_entropy"}, DataError, "class indices"),
        ((X * np.nan,), {}, DataError, "NaN"),
        (([["a"] * 4],), {}, (DataError, TypeError), "X"),
    ],
)
def test_bad_input(args: tuple, kwargs: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        trace(mlp(), *args, **kwargs)


def test_before_the_network_is_built() -> None:
    with pytest.raises(NotFittedError, match="build"):
        trace(NetworkGraph([Dense(2)]), X)


def test_the_table_shows_every_array() -> None:
    t = trace(mlp(), X, Y, loss="softmax_cross_entropy")
    text = str(t)
    lines = text.splitlines()
    assert lines[0].split() == ["array", "shape", "mean", "std", "min", "max", "zero"]
    assert [line.split()[0] for line in lines[2:-1]] == list(t)
    assert lines[-1].startswith("loss J = ")
    relu = next(line for line in lines if line.startswith("1.relu.a"))
    share = 100 * np.mean(t["1.relu.a"] == 0)
    assert relu.endswith(f"{share:.3g}%") and t.statistics()["1.relu.a"]["zero"] == pytest.approx(share / 100)
    assert repr(t).startswith("<Trace of 3 layers, 16 arrays, loss=")


def test_overflow_is_shown_and_not_warned_of() -> None:
    net = NetworkGraph([Dense(3, weight_init="ones")]).build((2,))
    net.parameters["0.dense.weight"][...] = np.inf
    assert "inf" in str(trace(net, [[1.0, 2.0]])) and "nan" in str(trace(net, [[1.0, -2.0]]))
