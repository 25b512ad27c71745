"""Binarised layers, and networks packed for predictions: smaller, and to the bit what they were."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from chainrule import (
    BatchNorm,
    BinaryConv2D,
    BinaryDense,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    GlobalAveragePool,
    Input,
    MaxPool2D,
    Network,
    ReLU,
    Sign,
    load,
)
from chainrule.data import Sequences
from chainrule.data.batches import ArrayData
from chainrule.engine import get_engine
from chainrule.engine.base import Engine
from chainrule.engine.kernels.library import sign_kernel
from chainrule.errors import DataError, NotFittedError, ParameterError, ShapeError
from chainrule.losses import get_loss
from chainrule.network import Masked
from chainrule.plan import lower_training, optimise
from chainrule.plan.passes import signs as passes_of_signs
from chainrule.training import compressed_choice

RNG = np.random.default_rng(0)


def binary_mlp(width: int = 200) -> Network:
    layers: list[Any] = []
    for _ in range(3):
        layers += [BinaryDense(width), BatchNorm(), Sign()]
    return Network([*layers, BinaryDense(10), BatchNorm()], random_state=0)


def binary_cnn() -> Network:
    return Network(
        [
            Conv2D(16, 3, padding="same"), BatchNorm(), Sign(), BinaryConv2D(70, 3, padding="same"), MaxPool2D(2),
            BatchNorm(), Sign(), BinaryConv2D(24, 3, stride=2, bias=True), BatchNorm(), Sign(), MaxPool2D(2),
            Flatten(), BinaryDense(10),
        ],
        random_state=0,
    )  # fmt: skip


def classes(n: int) -> np.ndarray:
    return np.arange(n) % 10


def pruned(net: Network, sparsity: float, block: int = 1) -> Network:
    """Masks drawn by chance on every matrix and kernel."""
    for name, array in net.parameters.items():
        if array.ndim > 1:
            kept = RNG.random((*array.shape[:-1], -(-array.shape[-1] // block))) >= sparsity
            net.represent(name, Masked(np.repeat(kept, block, axis=-1)[..., : array.shape[-1]]))
    return net


# ---------------------------------------------------------------- layers


def test_sign_and_its_gradient() -> None:
    net = Network([Dense(1, bias=False, weight_init=1.0), Sign(clip=0.5)], random_state=0).build((1,))
    z = np.array([[-2.0], [-0.5], [-0.1], [0.0], [0.4], [0.6]], np.float32)
    np.testing.assert_array_equal(net.predict(z), [[-1], [-1], [-1], [1], [1], [1]])
    dx = net.input_gradient(z, np.zeros((6, 1)), loss="squared_error")
    assert (dx[:, 0] != 0).tolist() == [False, True, True, True, True, False]


def test_a_stochastic_sign_is_drawn_in_training_and_not_in_prediction() -> None:
    from chainrule.ops import Builder, Value
    from chainrule.plan import Plan

    z = np.full((4000, 1), 0.5, np.float32)
    k = Builder(training=True)
    x = Value(z.shape, "float", "input", "x")
    a, _ = Sign(stochastic=True).apply(k, x)
    from chainrule.engine.reference import ReferenceEngine

    found = (
        ReferenceEngine().compile(Plan(k.nodes, {"x": x}, {"a": a}, {}, k.scalars, 1), {}).run({"x": z}, step=1, seed=3)["a"]
    )
    assert set(np.unique(found)) == {-1.0, 1.0} and abs((found > 0).mean() - 0.75) < 0.03
    net = Network([Sign(stochastic=True)]).build((1,))
    assert (net.predict(z) == 1).all()


@pytest.mark.parametrize("layer", [lambda: BinaryDense(3, clip=0), lambda: Sign(clip=0), lambda: Sign(clip=float("nan"))])
def test_bad_arguments(layer: Any) -> None:
    with pytest.raises(ParameterError):
        Network([layer()])


def test_a_binary_layer_computes_with_signs_and_keeps_its_weights_within_the_clip() -> None:
    X = RNG.normal(size=(200, 8)).astype(np.float32)
    y = X[:, :1] - X[:, 1:2]
    net = Network([BinaryDense(4, bias=True), ReLU(), BinaryDense(1)], random_state=0)
    net.fit(X, y, epochs=20, learning_rate=0.5, verbose=0)
    w = net.parameters["0.binary_dense.weight"]
    assert np.abs(w).max() <= 1 and len(np.unique(np.abs(w))) > 3
    hidden = np.maximum(X @ np.where(w >= 0, 1, -1) + net.parameters["0.binary_dense.bias"], 0)
    wanted = hidden @ np.where(net.parameters["2.binary_dense.weight"] >= 0, 1, -1)
    np.testing.assert_allclose(net.predict(X), wanted, rtol=1e-4, atol=1e-4)
    assert "sign" in str(net.equations()).lower()


def test_a_binary_network_learns() -> None:
    X = np.sign(RNG.normal(size=(600, 20))).astype(np.float32)
    y = (X[:, :5].sum(axis=1) > 0).astype(int)
    net = Network([BinaryDense(128), BatchNorm(), Sign(), BinaryDense(2), BatchNorm()], random_state=0)
    net.fit(X, y, epochs=30, verbose=0)
    assert net.evaluate(X, y)["accuracy"] > 0.9


@pytest.mark.parametrize("scaled", [False, True])
def test_training_of_convolutions_multiplies_bits(monkeypatch: pytest.MonkeyPatch, scaled: bool) -> None:
    X = RNG.normal(size=(24, 9, 8, 3)).astype(np.float32)
    layers = [
        BinaryConv2D(20, 3, padding="same"), BatchNorm(), Sign(), BinaryConv2D(70, 3, padding="same", scaled=scaled),
        MaxPool2D(2), BatchNorm(), Sign(), BinaryConv2D(9, 2, stride=2), BatchNorm(), Flatten(), Dense(10),
    ]  # fmt: skip
    net = Network(layers, random_state=0).build((9, 8, 3))
    twin = copy.deepcopy(net)
    net.fit(X, classes(24), epochs=2, batch_size=10, verbose=0)
    plan = net._runtime.trainer.executable(10).executable.plan
    ops = [m.op for node in plan.nodes for m in node.attrs.get("nodes", [node])]
    assert ops.count("binary_conv") == 2 and ops.count("conv") == 1  # the first layer reads floats
    monkeypatch.setattr(passes_of_signs, "product_with_signs", lambda *_: False)
    twin.fit(X, classes(24), epochs=2, batch_size=10, verbose=0)
    plan = twin._runtime.trainer.executable(10).executable.plan
    assert not any(m.op == "binary_conv" for node in plan.nodes for m in node.attrs.get("nodes", [node]))
    for name, w in net.parameters.items():
        np.testing.assert_allclose(w, twin.parameters[name], rtol=1e-5, atol=1e-6, err_msg=name)


# ---------------------------------------------------------------- packed


@pytest.mark.parametrize("make,shape", [(binary_mlp, (50,)), (binary_cnn, (14, 14, 3))])
def test_a_binarised_network_packed_is_itself_to_the_bit(make: Any, shape: tuple[int, ...]) -> None:
    X = RNG.normal(size=(70, *shape)).astype(np.float32)
    net = make().fit(X, classes(70), epochs=2, verbose=0)
    packed = net.pack()
    for n in (1, 2, 3, 64, 70):
        np.testing.assert_array_equal(packed.predict(X[:n]), net.predict(X[:n]))
    np.testing.assert_array_equal(packed.predict(X, batch_size=16), net.predict(X, batch_size=16))
    ops = {m.op for node in packed.plan(4).nodes for m in node.attrs.get("nodes", [node])}
    assert ops & {"binary_matmul", "binary_conv"}
    assert set(packed.forms().values()) == {"dense", "signs"}


@pytest.mark.parametrize("make,shape", [(binary_mlp, (50,)), (binary_cnn, (14, 14, 3))])
def test_normalisation_and_sign_become_limits(make: Any, shape: tuple[int, ...]) -> None:
    X = RNG.normal(size=(40, *shape)).astype(np.float32)
    net = make().fit(X, classes(40), epochs=2, verbose=0)
    for name, gamma in net.parameters.items():
        if name.endswith("gamma"):  # signs that fall, and channels whose sign is always the same
            gamma[:4] = [-1, 0, -0.5, 0]
        if name.endswith("beta"):
            gamma[:4] = [0.1, 0.1, -3, -0.1]
    packed = net.pack()
    np.testing.assert_array_equal(packed.predict(X), net.predict(X))
    np.testing.assert_array_equal(packed.predict(X[:1]), net.predict(X[:1]))
    if packed.engine.name == "onednn":
        members = [m for node in packed.plan(40).nodes for m in node.attrs.get("nodes", [node])]
        packs = [m for m in members if m.op in ("pack_signs", "binary_matmul_signs")]
        # A maximum of signs, and the rows of an image, have no limits of their own.
        assert sum(m.attrs["limits"] is not None for m in packs) >= 2
        assert not any(m.op == "sign" for m in members) or make is binary_cnn


@pytest.mark.parametrize("make,shape", [(binary_mlp, (50,)), (binary_cnn, (14, 14, 3))])
def test_scales_of_xnor_net(make: Any, shape: tuple[int, ...], tmp_path: Any) -> None:
    X = RNG.normal(size=(40, *shape)).astype(np.float32)
    net = make()
    for layer in net.layers.values():
        if isinstance(layer, (BinaryDense, BinaryConv2D)):
            layer.scaled = True
    net.fit(X, classes(40), epochs=2, verbose=0)
    name = next(n for n in net.parameters if "binary" in n and n.endswith("weight"))
    packed, path = net.pack(), tmp_path / "bits.chainrule"
    w = np.asarray(net.parameters[name])
    frozen = packed._frozen.weights[name]
    np.testing.assert_allclose(frozen.scales, np.abs(w).reshape(-1, w.shape[-1]).mean(axis=0), rtol=1e-3)
    assert packed.forms()[name] == "signs"
    net.save(path, for_prediction=True)
    loaded = load(path)
    for n in (1, 3, 40):
        wanted = net.predict(X[:n])
        np.testing.assert_array_equal(packed.predict(X[:n]), wanted)
        np.testing.assert_array_equal(loaded.predict(X[:n]), wanted)
        np.testing.assert_array_equal(loaded.pack().predict(X[:n]), wanted)
    assert "alpha" in str(net.equations()) or "α" in str(net.equations())


def test_which_kernel_multiplies_signs_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sign_kernel({"avx512f": True, "avx512vpopcntdq": True}) == "AVX-512 VPOPCNTDQ"
    assert sign_kernel({"avx512f": True, "avx2": True}).startswith("AVX-512, carry-save")
    assert sign_kernel({"avx2": True}).startswith("AVX2")
    assert sign_kernel({"avx2": False}).startswith("portable")
    net = binary_mlp(64).build((50,))
    packed = net.pack()
    if packed.engine.name == "onednn":
        assert packed.kernels() == [f"signs: {packed.engine.describe()['products of signs']}"]
    packed._engine = get_engine("reference")  # a processor without any of the kernels
    assert "reference engine" in packed.kernels()[0]
    X = RNG.normal(size=(5, 50)).astype(np.float32)
    np.testing.assert_allclose(packed.predict(X), net.predict(X), rtol=1e-4, atol=1e-4)


def test_training_multiplies_bits_forwards() -> None:
    net = binary_mlp(64).build((50,))
    plan = optimise(lower_training(net, [get_loss("softmax_cross_entropy")], None, 16))
    ops = [m.op for node in plan.nodes for m in node.attrs.get("nodes", [node])]
    assert ops.count("binary_matmul") == 3 and ops.count("signed_matmul") == 1


def test_a_binarised_network_is_small() -> None:
    net = binary_mlp(1024).build((1024,))
    packed = net.pack()
    assert packed.nbytes < net.pack().dense_nbytes / 25
    assert len(pickle.dumps(packed)) < packed.dense_nbytes / 20
    assert "4 signs" in repr(packed)


@pytest.mark.parametrize("block", [1, 4])
def test_a_pruned_network_packed_by_either_kernel(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    X = RNG.normal(size=(40, 12, 12, 8)).astype(np.float32)
    layers = [
        Conv2D(32, 3, padding="same"),
        ReLU(),
        Conv2D(32, 3, stride=2),
        BatchNorm(),
        Flatten(),
        Dense(64),
        ReLU(),
        Dense(10),
    ]
    net = pruned(Network(layers, random_state=0).build((12, 12, 8)), 0.9, block)
    net.fit(X, classes(40), epochs=1, verbose=0)
    wanted = net.predict(X)
    for sparse in (True, False):
        share = 0.1 if sparse else 2.0
        monkeypatch.setattr(compressed_choice, "share_of_dense_time", lambda *_, share=share: share)
        monkeypatch.setattr(compressed_choice, "times_in_turn", lambda runs, **_: [[1.0], *[[0.1]] * (len(runs) - 1)])
        packed = net.pack()
        assert list(packed.forms().values()).count("sparse") == 3
        ops = {m.op for node in packed.plan(40).nodes for m in node.attrs.get("nodes", [node])}
        assert ("sparse_weight_conv" in ops) == sparse == ("sparse_weight_matmul" in ops)
        for n in (1, 7, 40):
            np.testing.assert_allclose(packed.predict(X[:n]), wanted[:n], rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("sparsity", [0.4, 0.5, 0.65, 0.7, 0.9])
def test_a_packed_network_is_not_larger_than_a_dense_one(sparsity: float) -> None:
    net = pruned(Network([Dense(64, bias=False)], random_state=0).build((64,)), sparsity)
    packed = net.pack()
    assert packed.forms() == {"0.dense.weight": "sparse"} and packed.nbytes <= packed.dense_nbytes
    X = RNG.normal(size=(16, 64)).astype(np.float32)
    np.testing.assert_allclose(packed.predict(X), net.predict(X), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(packed)).predict(X[:1]).shape, (1, 64))


def test_the_kernel_is_chosen_by_measurement() -> None:
    net = pruned(Network([Dense(512, bias=False)], random_state=0).build((512,)), 0.99)
    packed = net.pack()
    X = RNG.normal(size=(64, 512)).astype(np.float32)
    np.testing.assert_allclose(packed.predict(X), net.predict(X), rtol=1e-3, atol=1e-4)
    if packed.engine.name == "onednn":
        assert len(packed._choice._shares) == 1


@pytest.mark.parametrize(
    ("times", "used"),
    [
        ([[1.0], [0.5], [0.8]], 2),
        ([[1.0], [0.9], [0.6]], 1),
        ([[1.0], [1.2], [0.99]], 0),
        ([[1.0, 1.0, 1.0], [1.2, 0.8, 1.2], [2.0, 2.0, 2.0]], 0),  # one turn of luck
    ],
)
def test_whole_predictions_decide(monkeypatch: pytest.MonkeyPatch, times: list[list[float]], used: int) -> None:
    """One layer gains a little by itself, the other much; what whole predictions take is what counts."""
    layers = [Dense(256, bias=False), Dense(256, bias=False)]
    net = pruned(Network(layers, random_state=0).build((128,)), 0.9)
    shares = {128: 0.9, 256: 0.3}
    monkeypatch.setattr(compressed_choice, "share_of_dense_time", lambda engine, x, *_: shares[x[1]])
    monkeypatch.setattr(compressed_choice, "times_in_turn", lambda runs, **_: times)
    packed = net.pack()
    X = RNG.normal(size=(16, 128)).astype(np.float32)
    np.testing.assert_allclose(packed.predict(X), net.predict(X), rtol=1e-3, atol=1e-4)
    if packed.engine.name == "onednn":
        ops = [m.op for node in packed.plan(16).nodes for m in node.attrs.get("nodes", [node])]
        assert ops.count("sparse_weight_matmul") == used


def test_later_fits_change_nothing_and_copies_are_whole() -> None:
    X = RNG.normal(size=(30, 20)).astype(np.float32)
    net = binary_mlp(64).fit(X, classes(30), epochs=1, verbose=0)
    packed = net.pack()
    before = packed.predict(X)
    net.fit(X, classes(30), epochs=2, verbose=0)
    for same in (packed, copy.deepcopy(packed), pickle.loads(pickle.dumps(packed))):
        np.testing.assert_array_equal(same.predict(X), before)
    assert not np.array_equal(net.predict(X), before)


def test_several_inputs_and_outputs() -> None:
    a, b = Input((6,)), Input((4,))
    h = BinaryDense(16)(a)
    net = Network(inputs=[a, b], outputs=[Dense(2)(h), Dense(3)(b)], random_state=0).build((6,), (4,))
    X = [RNG.normal(size=(5, 6)).astype(np.float32), RNG.normal(size=(5, 4)).astype(np.float32)]
    for found, wanted in zip(net.pack().predict(X), net.predict(X), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


def test_float64_stays_float64() -> None:
    net = Network([BinaryDense(8), Sign(), Dense(2)], random_state=0, dtype="float64").build((5,))
    X = RNG.normal(size=(4, 5))
    np.testing.assert_array_equal(net.pack().predict(X), net.predict(X))


def test_sequences_and_data_sets_are_predicted() -> None:
    words = Sequences([RNG.integers(1, 20, int(n)) for n in RNG.integers(1, 30, 50)])
    for last in ([GlobalAveragePool(), Dense(3)], [Dense(3)]):
        net = Network([Input((None,), dtype="int"), Embedding(20, 8, padding=0), *last], random_state=0).build((None,))
        packed = pruned(net, 0.8).pack()
        for batch_size in (None, 7):
            found, wanted = (one.predict(words, batch_size=batch_size) for one in (packed, net))
            assert type(found) is type(wanted)
            for a, b in zip(found, wanted, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    x = RNG.normal(size=(40, 6)).astype(np.float32)
    two = Network([Dense(3)], random_state=0).build((6,))
    for batch_size in (None, 7):
        found = two.pack().predict(ArrayData((x,), (np.zeros(40, int),)), batch_size=batch_size)
        assert isinstance(found, np.ndarray) and found.shape == (40, 3)
        np.testing.assert_allclose(found, two.predict(x), rtol=1e-5, atol=1e-6)


def test_what_cannot_be_packed_or_predicted() -> None:
    with pytest.raises(NotFittedError):
        Network([Dense(2)]).pack()
    net = Network([Dense(2)], random_state=0).build((3,))
    packed = net.pack()
    with pytest.raises(ShapeError):
        packed.predict(np.ones((2, 4)))
    with pytest.raises(ParameterError, match="batch_size"):
        packed.predict(np.ones((2, 3)), batch_size=0)
    net.parameters["0.dense.weight"][0, 0] = np.nan
    with pytest.raises(DataError, match="not finite"):
        net.pack()
    assert isinstance(packed.engine, Engine)


@pytest.mark.parametrize("widths", [(128, 256, 384, 128), (1, 1, 1), (300, 17, 700, 5), (16, 16, 15), (784, 33, 10)])
@pytest.mark.parametrize("threads", [1, 2])
def test_matrices_are_laid_out_once_and_rows_do_not_depend_on_each_other(widths: tuple[int, ...], threads: int) -> None:
    layers = [layer for width in widths[1:] for layer in (Dense(width), ReLU())][:-1]
    net = Network(layers, random_state=0).build((widths[0],))
    with threadpool_limits(threads):
        packed = net.pack()
        X = RNG.normal(size=(200, widths[0])).astype(np.float32)
        whole = packed.predict(X)
        for n in (1, 2, 5, 6, 7, 13, 49, 64, 200):
            for _ in range(2):
                found = packed.predict(X[:n])
                np.testing.assert_allclose(found, net.predict(X[:n]), rtol=1e-5, atol=1e-5)
                if n > 5:
                    np.testing.assert_array_equal(found, whole[:n])


def test_weights_of_convolutions_are_laid_out_once() -> None:
    net = Network([Conv2D(16, 3, padding="same"), ReLU(), Conv2D(32, 3)], random_state=0).build((9, 9, 3))
    packed = net.pack()
    for n in (1, 2, 5):
        X = RNG.normal(size=(n, 9, 9, 3)).astype(np.float32)
        for _ in range(2):
            np.testing.assert_array_equal(packed.predict(X), net.predict(X))
    with pytest.raises(DataError):
        packed.predict(np.full((1, 9, 9, 3), np.nan, np.float32))
