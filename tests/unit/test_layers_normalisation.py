"""The normalising layers and residual blocks: what comes out, running statistics, and how states are kept everywhere."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule import Network, Residual
from chainrule.engine import get_engine
from chainrule.errors import DivergenceError, EngineError, ParameterError, ShapeError
from chainrule.layers import (
    Add,
    BatchNorm,
    Concat,
    Dense,
    Dropout,
    Flatten,
    GroupNorm,
    Input,
    InstanceNorm,
    LayerNorm,
    ReLU,
    Sigmoid,
    Tanh,
)
from chainrule.losses import SquaredError
from chainrule.network import NetworkGraph
from chainrule.ops.memory import aligned_zeros
from chainrule.optimizers import LBFGS, SGD, Adam
from chainrule.plan import lower_prediction, lower_training, optimise
from chainrule.testing import check_layer
from chainrule.training import Checkpoint, EarlyStopping

RNG = np.random.default_rng(0)


def trained_output(layer: Any, x: np.ndarray) -> np.ndarray:
    """What the layer puts out in training, in float64."""
    return Network([layer]).build(x.shape[1:]).trace(x).outputs[0]


def fitted(net: Network, x: np.ndarray, y: np.ndarray, **kwargs: Any) -> Network:
    return net.fit(x, y, **{"loss": "squared_error", "epochs": 1, "verbose": 0, "shuffle": False, **kwargs})


# ---------------------------------------------------------------- what comes out


@pytest.mark.parametrize(
    ("layer", "shape", "split", "axes"),
    [
        (BatchNorm(), (40, 3), (40, 3), (0,)),
        (BatchNorm(), (6, 7, 3), (6, 7, 3), (0, 1)),
        (BatchNorm(), (6, 4, 5, 3), (6, 4, 5, 3), (0, 1, 2)),
        (LayerNorm(), (6, 30), (6, 30), (1,)),
        (LayerNorm(), (4, 5, 30), (4, 5, 30), (2,)),
        (LayerNorm(2), (4, 5, 30), (4, 5, 30), (1, 2)),
        (GroupNorm(2), (6, 30), (6, 2, 15), (2,)),
        (GroupNorm(2), (3, 4, 5, 6), (3, 4, 5, 2, 3), (1, 2, 4)),
        (GroupNorm(1), (3, 9, 6), (3, 9, 6), (1, 2)),
        (InstanceNorm(), (3, 9, 2), (3, 9, 2), (1,)),
        (InstanceNorm(), (3, 4, 5, 6), (3, 4, 5, 6), (1, 2)),
    ],
    ids=repr,
)
def test_mean_zero_and_variance_one(layer: Any, shape: tuple[int, ...], split: tuple[int, ...], axes: Any) -> None:
    x = RNG.normal(3, 5, shape) * RNG.uniform(0.5, 2, shape[-1:]) + np.arange(shape[-1])
    y = trained_output(layer, x).reshape(split)
    np.testing.assert_allclose(y.mean(axis=axes), 0, atol=1e-9)
    np.testing.assert_allclose(y.var(axis=axes), 1, rtol=1e-4)


def test_scale_and_shift_are_by_channel() -> None:
    x = RNG.normal(size=(5, 4, 6))
    for layer in (BatchNorm(), LayerNorm(), GroupNorm(3), InstanceNorm()):
        net = Network([layer]).build((4, 6))
        plain = net.trace(x).outputs[0]
        for name in net.parameters:
            net.parameters[name][...] = np.arange(6.0) + (2.0 if name.endswith("gamma") else 7.0)
        np.testing.assert_allclose(net.trace(x).outputs[0], plain * (np.arange(6.0) + 2) + np.arange(6.0) + 7, rtol=1e-9)


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_a_mean_far_from_zero_costs_no_digits_of_the_variance(engine: str) -> None:
    x = (1000 + RNG.normal(size=(64, 16, 4))).astype(np.float32)
    net = fitted(Network([BatchNorm(momentum=0)]), x, np.zeros_like(x), optimizer=SGD(1e-30), batch_size=64, engine=engine)
    np.testing.assert_allclose(net.states["0.batch_norm.running_mean"], x.mean((0, 1), dtype=float), rtol=3e-7)
    variance = x.astype(float).reshape(-1, 4).var(0, ddof=1)
    np.testing.assert_allclose(net.states["0.batch_norm.running_var"], variance, rtol=2e-5)


def test_a_constant_channel_gives_the_shift() -> None:
    x = np.concatenate([np.full((8, 1), 5.0), RNG.normal(size=(8, 1))], axis=1)
    assert not Network([BatchNorm()]).build(2).trace(x).outputs[0][:, 0].any()


# ---------------------------------------------------------------- running statistics


@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.parametrize("shape", [(11, 3), (11, 4, 3), (11, 2, 3, 3)])
def test_running_statistics_are_those_of_numpy(shape: tuple[int, ...], engine: str) -> None:
    """Batches of 4, 4 and 3: the shorter one counts as one step, with its own number of values."""
    x = RNG.normal(2, 3, shape).astype(np.float32)
    net = fitted(Network([BatchNorm(momentum=0.8)]), x, np.zeros(shape), epochs=2, batch_size=4, engine=engine)
    mean, variance = np.zeros(3), np.ones(3)
    for start in [0, 4, 8] * 2:
        values = x[start : start + 4].astype(float).reshape(-1, 3)
        mean = 0.8 * mean + 0.2 * values.mean(0)
        variance = 0.8 * variance + 0.2 * values.var(0, ddof=1)
    np.testing.assert_allclose(net.states["0.batch_norm.running_mean"], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(net.states["0.batch_norm.running_var"], variance, rtol=1e-5)


def test_prediction_uses_running_statistics_and_leaves_them() -> None:
    x, y = RNG.normal(2, 3, (60, 3)).astype(np.float32), RNG.normal(size=(60, 1))
    net = fitted(Network([Dense(4), BatchNorm(), Tanh(), Dense(1)], random_state=0), x, y, batch_size=12, epochs=3)
    before = net.states.flat.copy()
    assert before.any()
    whole = net.predict(x)
    np.testing.assert_allclose(net.predict(x[7:8]), whole[7:8], rtol=1e-4, atol=1e-6)  # a single sample, too
    np.testing.assert_allclose(net.predict(x, batch_size=7), whole, rtol=1e-4, atol=1e-6)
    loss = net.evaluate(x, y)["loss"]
    assert loss == pytest.approx(np.mean((whole - y) ** 2), rel=1e-5)
    net.input_gradient(x, y)
    net.trace(x, y)
    net.equations()
    np.testing.assert_array_equal(net.states.flat, before)
    w, b = net.parameters["0.dense.weight"], net.parameters["0.dense.bias"]
    s = {name.rpartition(".")[2]: a for name, a in net.states.items()}
    z = (x @ w + b - s["running_mean"]) / np.sqrt(s["running_var"] + 1e-5)
    z = z * net.parameters["1.batch_norm.gamma"] + net.parameters["1.batch_norm.beta"]
    np.testing.assert_allclose(net.trace(x, training=False)["1.batch_norm.z"], z, rtol=1e-3, atol=1e-5)


def test_one_value_a_channel_cannot_be_trained_on_and_is_said_before_the_first_epoch() -> None:
    x, y = RNG.normal(size=(9, 3)), RNG.normal(size=(9, 1))
    net = Network([BatchNorm(), Dense(1)], random_state=0).build(3)
    before = net.parameters.flat.copy()
    with pytest.raises(ShapeError, match=r"layer '0.batch_norm': BatchNorm: training needs more than one value.*batch_size"):
        fitted(net, x, y, batch_size=4)
    np.testing.assert_array_equal(net.parameters.flat, before)
    assert not net.states["0.batch_norm.running_mean"].any()
    fitted(net, x, y, batch_size=3)
    with pytest.raises(ShapeError, match="more than one value"):
        net.trace(x[:1])
    net.trace(x[:1], training=False)
    pictures = RNG.normal(size=(5, 2, 2, 3))  # four values a channel in the last batch
    fitted(Network([BatchNorm(), Flatten(), Dense(1)]), pictures, y[:5], batch_size=4)


def test_a_shared_layer_takes_a_step_for_each_use() -> None:
    a, b = Input(3), Input(3)
    x, y = RNG.normal(1, 2, (8, 3)), RNG.normal(-4, 1, (8, 3))
    for engine in ("auto", "reference"):
        layer = BatchNorm(momentum=0.5)
        net = Network(inputs=[a, b], outputs=Add()(layer(a), layer(b)))
        net.fit([x, y], np.zeros((8, 3)), loss="squared_error", epochs=1, batch_size=8, verbose=0, engine=engine)
        mean = 0.5 * (0.5 * x.mean(0)) + 0.5 * y.mean(0)
        np.testing.assert_allclose(net.states["0.batch_norm.running_mean"], mean, rtol=1e-5)
        variance = 0.5 * (0.5 + 0.5 * x.var(0, ddof=1)) + 0.5 * y.var(0, ddof=1)
        np.testing.assert_allclose(net.states["0.batch_norm.running_var"], variance, rtol=1e-5)


def test_a_frozen_layer_acts_as_in_prediction() -> None:
    x, y = RNG.normal(2, 3, (40, 3)), RNG.normal(size=(40, 1))
    net = fitted(Network([BatchNorm(), Dense(4), Tanh(), Dense(1)], random_state=0), x, y, epochs=2, batch_size=10)
    states, gamma = net.states.flat.copy(), net.parameters["0.batch_norm.gamma"].copy()
    net.freeze("0.batch_norm")
    kept = net.trace(x, training=False)["0.batch_norm.z"]
    np.testing.assert_array_equal(net.trace(x)["0.batch_norm.z"], kept)
    fitted(net, x, y, epochs=2, batch_size=13)  # also with a last batch of one
    np.testing.assert_array_equal(net.states.flat, states)
    np.testing.assert_array_equal(net.parameters["0.batch_norm.gamma"], gamma)
    net.unfreeze()
    fitted(net, x, y, epochs=2, batch_size=10)
    assert (net.states.flat != states).any()


# ---------------------------------------------------------------- states, wherever parameters are kept


def small() -> Network:
    return Network([Dense(6, bias=False), BatchNorm(), Tanh(), Dense(1)], random_state=3)


DATA = RNG.normal(2, 3, (48, 4)).astype(np.float32), RNG.normal(size=(48, 1)).astype(np.float32)


def test_saved_copied_and_pickled_networks_have_the_states(tmp_path: Path) -> None:
    net = fitted(small(), *DATA, epochs=3, batch_size=8)
    net.save(tmp_path / "model")
    wanted = net.predict(DATA[0])
    for again in (chainrule.load(tmp_path / "model"), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(again.states.flat, net.states.flat)
        np.testing.assert_array_equal(again.predict(DATA[0]), wanted)
        assert again.states.flat is not net.states.flat
        fitted(again, *DATA, epochs=1, batch_size=8)
    np.testing.assert_array_equal(net.predict(DATA[0]), wanted)


def test_resuming_from_a_checkpoint_goes_on_with_the_states(tmp_path: Path) -> None:
    through = small().fit(*DATA, loss="squared_error", epochs=4, batch_size=8, verbose=0)
    place = tmp_path / "checkpoint"
    small().fit(*DATA, loss="squared_error", epochs=2, batch_size=8, verbose=0, callbacks=[Checkpoint(place)])
    resumed = small().fit(*DATA, loss="squared_error", epochs=4, batch_size=8, verbose=0, resume=place)
    np.testing.assert_array_equal(resumed.states.flat, through.states.flat)
    np.testing.assert_array_equal(resumed.parameters.flat, through.parameters.flat)


def test_early_stopping_restores_the_states_of_the_best_epoch() -> None:
    x, y = DATA
    stopping = EarlyStopping("val_loss", patience=3)
    net = small().fit(
        x[:32], y[:32], loss="squared_error", optimizer=Adam(0.05), epochs=60, batch_size=8, verbose=0,
        validation_data=(x[32:], y[32:]), early_stopping=stopping,
    )  # fmt: skip
    assert stopping.best_epoch_ < len(net.history_.epochs)
    assert net.evaluate(x[32:], y[32:])["loss"] == pytest.approx(stopping.best_, rel=1e-6)


def test_divergence_goes_back_to_finite_states() -> None:
    x, y = DATA[0].copy(), DATA[1]
    x[40:] *= 3e38 / np.abs(x[40:]).max()  # finite as data, infinite as z
    net = Network([Dense(6, weight_init="ones"), BatchNorm(), Dense(1)], random_state=0)
    with pytest.raises(DivergenceError):
        fitted(net, x, y, batch_size=8)
    assert np.isfinite(net.states.flat).all()
    assert np.isfinite(net.parameters.flat).all()
    assert net.states["1.batch_norm.running_mean"].any()


def test_weights_tried_by_a_line_search_leave_no_trace_in_the_states() -> None:
    x, y = RNG.normal(3, 1, (30, 2)), RNG.normal(size=(30, 1))
    net = Network([BatchNorm(), Dense(3), Tanh(), Dense(1)], random_state=0, dtype="float64")
    fitted(net, x, y, optimizer=LBFGS(), epochs=5)
    steps = len(net.history_.epochs)
    assert steps == 5
    np.testing.assert_allclose(net.states["0.batch_norm.running_mean"], (1 - 0.9**steps) * x.mean(0), rtol=1e-9)


def test_gamma_and_beta_do_not_decay() -> None:
    for layer in (BatchNorm(), LayerNorm(), GroupNorm(2), InstanceNorm()):
        net = Network([layer]).build((3, 4))
        assert [e.decay for e in net.parameters.entries.values()] == [False, False]
    net = Network([LayerNorm(affine=False), BatchNorm(affine=False)]).build((3, 4))
    assert not net.parameters and len(net.states) == 2


@pytest.mark.parametrize("layer", [BatchNorm(), LayerNorm(), GroupNorm(2), InstanceNorm()], ids=repr)
def test_the_activation_after_it_chooses_the_start_weights(layer: Any) -> None:
    net = Network([Dense(400), layer, ReLU()], random_state=0).build((2, 400))
    assert abs(net.parameters["0.dense.weight"].std() / np.sqrt(2 / 400) - 1) < 0.02


# ---------------------------------------------------------------- bad shapes


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (BatchNorm(), (), "at least one channel"),
        (LayerNorm(2), (4,), "at least 2 axes"),
        (LayerNorm(), (3, 1), "single elements"),
        (GroupNorm(3), (4,), "3 groups do not divide the 4 channels"),
        (GroupNorm(8), (4,), "do not divide"),
        (GroupNorm(4), (4,), "single elements"),
        (InstanceNorm(), (4,), "use LayerNorm"),
        (InstanceNorm(), (1, 1, 4), "single elements"),
    ],
    ids=repr,
)
def test_bad_shapes(layer: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Network([layer]).build(shape)


# ---------------------------------------------------------------- residual blocks


def test_residual_adds_what_it_was_given() -> None:
    x = RNG.normal(size=(5, 4))
    net = Network([Residual([Dense(4), Tanh()])], random_state=0, dtype="float64").build(4)
    w, b = net.parameters["0.dense.weight"], net.parameters["0.dense.bias"]
    np.testing.assert_allclose(net.predict(x), np.tanh(x @ w + b) + x, rtol=1e-12)
    for shortcut in (Dense(3, bias=False), [Dense(3, bias=False)], Network([Dense(3, bias=False)])):
        net = Network([Residual([Dense(3)], shortcut)], random_state=0, dtype="float64").build(4)
        p = list(net.parameters.values())
        np.testing.assert_allclose(net.predict(x), x @ p[0] + p[1] + x @ p[2], rtol=1e-12)


def test_residual_blocks_nest_stack_and_stand_in_the_functional_form() -> None:
    def block(units: int) -> NetworkGraph:
        return Residual([LayerNorm(), Dense(units), ReLU(), Residual([Dense(units, bias=False), BatchNorm()])])

    for batch in (4, 7):
        report = check_layer(Network([block(4), block(4), Dense(2)]), 4, batches=(batch,), max_skipped=0.3)
        assert report.largest_error < 1e-7
    x = Input(4)
    h = Dense(6)(x)
    h = block(6)(h)
    net = Network(inputs=x, outputs=Dense(1)(Concat()(h, x)), random_state=0)
    y = RNG.normal(size=(48, 1))
    fitted(net, DATA[0], y, epochs=3, batch_size=12)
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.predict(DATA[0]), net.predict(DATA[0]))


def test_a_residual_block_used_twice_shares_its_parameters(tmp_path: Path) -> None:
    block = Residual([Dense(4), Tanh()])
    net = Network([block, block], random_state=0).build(4)
    assert len(net.parameters) == 2
    net.save(tmp_path / "model")
    x = RNG.normal(size=(3, 4)).astype(np.float32)
    np.testing.assert_array_equal(chainrule.load(tmp_path / "model").predict(x), net.predict(x))


def test_outputs_that_do_not_fit_are_named_with_their_layers() -> None:
    with pytest.raises(ShapeError, match=r"layer '3.add'.*\(16,\) from '2.dense' and \(8,\) from '0.dense'"):
        Network([Dense(8), Residual([ReLU(), Dense(16)])]).build(4)
    with pytest.raises(ShapeError, match=r"\(16,\) from '0.dense' and \(4,\) from input 0"):
        Network([Residual([Dense(16)])]).build(4)
    with pytest.raises(ShapeError, match=r"\(1,\) from '0.dense' and \(4,\) from input 0"):
        Network([Residual([Dense(1)])]).build(4)  # one output is not repeated four times


@pytest.mark.parametrize("arguments", [([],), (Dense(3),), ("relu",), ([Dense(3), "relu"],), ([Dense(3)], "relu")])
def test_a_residual_block_is_made_of_layers(arguments: Any) -> None:
    with pytest.raises(ParameterError, match="Residual: "):
        Residual(*arguments)


# ---------------------------------------------------------------- engines, equations, learning


EVERYTHING = [
    ([BatchNorm(), Dense(3)], (5,)),
    ([BatchNorm(), LayerNorm(), Dense(3)], (4, 5)),
    ([BatchNorm(affine=False), LayerNorm(3), Flatten(), Dense(3)], (4, 3, 2)),
    ([GroupNorm(2), InstanceNorm(), GroupNorm(1), Flatten(), Dense(3)], (4, 3, 6)),
    ([LayerNorm(), Residual([GroupNorm(5), Dense(10), BatchNorm(), ReLU(), Dropout(0.5)]), Dense(3)], (10,)),
]


@pytest.mark.parametrize(("layers", "shape"), EVERYTHING, ids=lambda v: repr(v)[:60])
def test_everything_runs_on_kernels_of_the_fast_engine(layers: Any, shape: tuple[int, ...]) -> None:
    try:
        engine = get_engine("onednn")
    except EngineError as error:
        pytest.skip(str(error))
    net = NetworkGraph(layers).build(shape)
    for batch in (2, 33):
        training = lower_training(net, [SquaredError()], Adam(), batch, input_gradients=True)
        frozen = lower_training(net, [SquaredError()], Adam(), batch, input_gradients=True, training=False)
        for plan in (training, frozen, lower_prediction(net, batch)):
            plan = optimise(plan)
            executable = engine.compile(plan, {n: aligned_zeros(v.size, np.float32) for n, v in plan.arenas.items()})
            fallbacks = [t.node.op for s in executable.segments for g in s.groups for t in g.tasks if t.fallback]
            assert not fallbacks


def test_equations_show_the_running_statistics_as_assignments() -> None:
    net = Network([Dense(8, bias=False), BatchNorm()]).build(4)
    text = " ".join(str(net.equations(loss="squared_error", optimizer="sgd")).split())
    for line in (
        "μ² = 1/N Σₙ z¹",
        "v² = 1/N Σₙ (z¹ − μ²)²",
        "running_mean² ← 0.9 running_mean² + 0.1 μ²",
        "running_var² ← 0.9 running_var² + 1/(10 (N − 1)) Σₙ (z¹ − μ²)²",
        "r² = 1 / √(v² + 1e-5)",
        "z² = (z¹ − μ²) ⊙ γ² ⊙ r² + β²",
        "dβ² = Σₙ dz²",
        "dγ² = (Σₙ dz² ⊙ (z¹ − μ²)) ⊙ r²",
        "dz¹ = (dz² − 1/N dβ² − 1/N (z¹ − μ²) ⊙ dγ² ⊙ r²) ⊙ γ² ⊙ r²",
    ):
        assert line in text
    prediction = " ".join(str(net.equations()).split())
    assert "z² = (z¹ − running_mean²) ⊙ γ² ⊙ r² + β²" in prediction and "←" not in prediction
    pictures = str(Network([BatchNorm()]).build((4, 4, 3)).equations(loss="squared_error"))
    assert "1/(10 (16N − 1)) Σₙᵢⱼ (x − μ¹)²" in pictures
    assert r"\mathrm{running\_mean}^{2} &\leftarrow" in net.equations(loss="squared_error").latex()


def test_twenty_layers_of_sigmoids_learn_with_batch_norm_only() -> None:
    """Without it the gradient has all but vanished at the first layer; with it, it is a third of that of the last."""
    x = RNG.normal(size=(600, 8)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(int) + 2 * (x[:, 2] > 0)

    def deep(normalised: bool) -> Network:
        layers: list[Any] = []
        for _ in range(20):
            layers += [Dense(24, bias=False), BatchNorm(), Sigmoid()] if normalised else [Dense(24), Sigmoid()]
        return Network([*layers, Dense(4)], random_state=0)

    accuracy, vanished = {}, {}
    for normalised in (False, True):
        net = deep(normalised).build(8)
        steps = net.trace(x, y, loss="softmax_cross_entropy")
        sizes = [np.abs(steps[name]).mean() for name in steps if name.endswith(".dweight")]
        assert len(sizes) == 21
        vanished[normalised] = sizes[0] / sizes[-1]
        net.fit(x, y, optimizer=Adam(0.005), epochs=20, batch_size=50, verbose=0)
        accuracy[normalised] = net.evaluate(x, y)["accuracy"]
    assert vanished[False] < 1e-10
    assert vanished[True] > 1e-2
    assert accuracy[False] < 0.4
    assert accuracy[True] > 0.65


# ---------------------------------------------------------------- PyTorch


@pytest.mark.peer
@pytest.mark.parametrize("shape", [(12, 5), (6, 7, 5), (4, 3, 2, 5)])
def test_batch_norm_same_as_torch(shape: tuple[int, ...]) -> None:
    """Several steps of training, a short last batch, then prediction. PyTorch's momentum is 1 − ours."""
    torch = pytest.importorskip("torch")
    x, y = RNG.normal(2, 3, shape), RNG.normal(size=shape)
    net = Network([BatchNorm(momentum=0.7, epsilon=1e-3)], dtype="float64")
    fitted(net, x, y, optimizer=SGD(0.5), epochs=3, batch_size=5 if len(shape) == 2 else 3)
    peer = torch.nn.BatchNorm1d(5, eps=1e-3, momentum=0.3).double()
    update = torch.optim.SGD(peer.parameters(), 0.5)
    size = 5 if len(shape) == 2 else 3
    for _ in range(3):
        for at in range(0, len(x), size):
            update.zero_grad()
            flat, wanted = torch.tensor(x[at : at + size].reshape(-1, 5)), torch.tensor(y[at : at + size].reshape(-1, 5))
            ((peer(flat) - wanted) ** 2).mean().backward()
            update.step()
    for ours, theirs in (("gamma", peer.weight), ("beta", peer.bias)):
        np.testing.assert_allclose(net.parameters[f"0.batch_norm.{ours}"], theirs.detach().numpy(), rtol=1e-9)
    for name in ("running_mean", "running_var"):
        np.testing.assert_allclose(net.states[f"0.batch_norm.{name}"], getattr(peer, name).numpy(), rtol=1e-9)
    expected = peer.eval()(torch.tensor(x.reshape(-1, 5))).detach().numpy().reshape(shape)
    np.testing.assert_allclose(net.predict(x), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.peer
@pytest.mark.parametrize("name", ["layer", "layer2", "group", "group_flat", "instance"])
def test_other_norms_same_as_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    layer, shape, peer = {
        "layer": (LayerNorm(), (4, 5, 6), nn.LayerNorm(6)),
        "layer2": (LayerNorm(2), (4, 5, 6), nn.LayerNorm((5, 6))),
        "group": (GroupNorm(3), (4, 5, 6), nn.GroupNorm(3, 6)),
        "group_flat": (GroupNorm(2), (4, 6), nn.GroupNorm(2, 6)),
        "instance": (InstanceNorm(), (4, 5, 6), nn.InstanceNorm1d(6, affine=True)),
    }[name]
    net = Network([layer], dtype="float64").build(shape[1:])
    gamma, beta = net.parameters
    for place in (gamma, beta):
        net.parameters[place][...] = RNG.normal(size=net.parameters[place].shape)
    peer = peer.double()
    peer.load_state_dict({"weight": torch.tensor(net.parameters[gamma]), "bias": torch.tensor(net.parameters[beta])})
    x, y = RNG.normal(1, 2, shape), RNG.normal(size=shape)
    channels_first = name in ("group", "instance")

    def turned(t: Any) -> Any:
        return t.transpose(1, 2) if channels_first else t

    t = torch.tensor(x, requires_grad=True)
    out = turned(peer(turned(t)))
    ((out - torch.tensor(y)) ** 2).mean().backward()
    found = net.trace(x, y, loss="squared_error")
    np.testing.assert_allclose(found.outputs[0], out.detach().numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["dx"], t.grad.numpy(), rtol=1e-8, atol=1e-12)
    prefix = gamma.rpartition(".")[0]
    np.testing.assert_allclose(found[f"{prefix}.dgamma"], peer.weight.grad.numpy(), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(found[f"{prefix}.dbeta"], peer.bias.grad.numpy(), rtol=1e-8, atol=1e-12)
