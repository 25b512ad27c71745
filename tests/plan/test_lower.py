"""Lowering: the plan of a network computes the loss, the gradients and the update that the equations say.

Small networks, with what they must give written out in NumPy.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import NotFittedError, ShapeError
from chainrule.layers import (
    L2,
    LSTM,
    Add,
    BatchNorm,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GraphConv,
    Input,
    Layer,
    Masking,
    Parameter,
    Standardize,
    State,
    UnitNorm,
)
from chainrule.losses import SoftmaxCrossEntropy, SquaredError
from chainrule.metrics import MeanSquaredError
from chainrule.network import Masked, NetworkGraph, Representation
from chainrule.ops import Saved, SparseMatrix, node_flops
from chainrule.optimizers import SGD, Adam
from chainrule.plan import Plan, lower_prediction, lower_trace, lower_training
from chainrule.plan.frozen import Frozen, FrozenWeight
from chainrule.plan.lower import _Lowering, fixed_tensors, lower_features
from chainrule.plan.passes import eliminate_dead_code

N, I, O = 4, 3, 2


class ScaledLayer(Layer):
    """``y = w ⊙ x`` with a weight for each feature; its backward pass returns what the test wants."""

    def __init__(self, passes="dx"):
        self.passes = passes

    def parameters(self, shape):
        return {"weight": Parameter(shape[1:], "ones")}

    def forward(self, k, x):
        w = k.param("weight")
        return k.multiply(x, w), Saved(x=x, w=w)

    def backward(self, k, saved, dy):
        dx = k.multiply(dy, saved.w)
        k.grad("weight", k.sum(k.multiply(dy, saved.x), 0))
        return {"dx": dx, "none": None, "two": (dx, dx), "wrong": k.sum(dx, 0), "tuple": (dx,)}[self.passes]


class Same(Layer):
    """``y = x``, with parameters whose gradients lie where they cannot be written."""

    def __init__(self, gradient="view"):
        self.gradient = gradient

    def parameters(self, shape):
        if self.gradient == "input":
            return {"weight": Parameter((N, *shape[1:]), "zeros")}
        return {"weight": Parameter((N * shape[1],), "zeros"), "other": Parameter((N * shape[1],), "zeros")}

    def forward(self, k, x):
        k.param("weight")
        return k.multiply(x, 1.0), Saved(x=x)

    def backward(self, k, saved, dy):
        if self.gradient == "input":
            k.grad("weight", saved.x)
            return dy
        flat = k.reshape(k.multiply(dy, 2.0), (N * saved.x.shape[1],))
        if self.gradient == "shared":
            flat = k.multiply(flat, 3.0)
        k.grad("weight", flat)
        k.grad("other", flat if self.gradient == "shared" else k.multiply(flat, 5.0))
        return dy


def built(layers, shape=(I,), frozen=()) -> NetworkGraph:
    network = NetworkGraph(layers, random_state=0).build(shape)
    network.frozen.update(frozen)
    return network


def data(plan: Plan, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    found = {}
    for name, v in plan.inputs.items():
        found[name] = rng.integers(0, 2, v.shape) if v.dtype == "int" else rng.normal(size=v.shape)
    return found


def run(plan: Plan, network: NetworkGraph, given=None, lr: float = 0.1) -> tuple[dict, dict]:
    """Outputs, and the arenas afterwards, in float64."""
    known = {**network.parameters.arenas("parameters"), **network.states.arenas("states")}
    for name, variable in network.parameters.variables.items():
        if variable.representation is not None:
            known |= {f"{name}:{n}": a.reshape(-1) for n, a in variable.representation.arrays().items()}
    arenas = {n: np.array(known[n], np.float64) if n in known else np.zeros(v.size) for n, v in plan.arenas.items()}
    scalars = dict.fromkeys(plan.scalars, lr)
    return ReferenceEngine("float64").compile(plan, arenas).run(given or data(plan), scalars), arenas


def array(network: NetworkGraph, arenas: dict, name: str, kind: str = "parameters") -> np.ndarray:
    e = (network.states if kind == "states" else network.parameters).entries[name]
    return arenas[kind][e.offset : e.offset + e.size].reshape(e.shape)


def weights(network: NetworkGraph) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.array(network.parameters[f"0.dense.{n}"], np.float64) for n in ("weight", "bias"))


def ops(plan: Plan) -> set[str]:
    return {n.op for n in plan.nodes}


# ------------------------------------------------------------ loss


@pytest.mark.parametrize("kind", [None, "sample", "element"])
@pytest.mark.parametrize("factor", [None, 3.0])
def test_the_loss_is_the_weighted_mean(kind: str | None, factor: float | None) -> None:
    network = built([Dense(O)])
    plan = lower_training(
        network, [SquaredError()], None, N, weights=[kind], loss_weights=None if factor is None else [factor], outputs=True
    )
    given = data(plan)
    assert ("w0" in given) == (kind is not None)
    assert kind is None or given["w0"].shape == ((N,) if kind == "sample" else (N, O))
    found, arenas = run(plan, network, given)
    w, b = weights(network)
    z = given["x0"] @ w + b
    c = (factor or 1.0) / (N * O) * (given["w0"][:, None] if kind == "sample" else given.get("w0", 1.0))
    np.testing.assert_allclose(found["output0"], z)
    np.testing.assert_allclose(found["loss"], (c * (z - given["y0"]) ** 2).sum())
    dz = 2 * c * (z - given["y0"])
    np.testing.assert_allclose(array(network, arenas, "0.dense.weight", "parameters"), w)
    gradients = {"parameters": arenas["gradients"]}
    np.testing.assert_allclose(array(network, gradients, "0.dense.weight"), given["x0"].T @ dz)
    np.testing.assert_allclose(array(network, gradients, "0.dense.bias"), dz.sum(0))


def test_weights_of_samples_of_a_loss_of_one_number_a_sample() -> None:
    network = built([Dense(O)])
    plan = lower_training(network, [SoftmaxCrossEntropy()], None, N, weights=["sample"], targets=[0])
    given = data(plan)
    (shape, dtype) = SoftmaxCrossEntropy().target((N, O))[0]
    assert (plan.inputs["y0"].shape, plan.inputs["y0"].dtype) == (shape, dtype)
    found, _ = run(plan, network, given)
    w, b = weights(network)
    z = given["x0"] @ w + b
    losses = np.log(np.exp(z).sum(1)) - z[np.arange(N), given["y0"]]
    np.testing.assert_allclose(found["loss"], (given["w0"] * losses).sum() / N)


def test_the_form_of_the_target_is_the_one_asked_for() -> None:
    network = built([Dense(1)])
    assert lower_training(network, [SquaredError()], None, N).inputs["y0"].shape == (N, 1)
    assert lower_training(network, [SquaredError()], None, N, targets=[1]).inputs["y0"].shape == (N,)
    assert lower_trace(network, [SquaredError()], N, targets=[1]).inputs["y0"].shape == (N,)
    assert "w0" in lower_trace(network, [SquaredError()], N, weights=["sample"]).inputs
    assert "w0" not in lower_trace(network, [SquaredError()], N).inputs


def two_outputs(shared: bool) -> NetworkGraph:
    x = Input((I,))
    a = Dense(O)(x)
    outputs = [a, a] if shared else [a, Dense(O)(a)]
    return NetworkGraph(inputs=x, outputs=outputs, random_state=0).build()


@pytest.mark.parametrize("shared", [False, True])
def test_losses_of_several_outputs_are_added(shared: bool) -> None:
    network = two_outputs(shared)
    plan = lower_training(network, [SquaredError(), SquaredError()], None, N, loss_weights=[1.0, 2.0], outputs=True)
    given = data(plan)
    found, arenas = run(plan, network, given)
    errors = [found[f"output{i}"] - given[f"y{i}"] for i in range(2)]
    np.testing.assert_allclose(found["loss"], (errors[0] ** 2).mean() + 2 * (errors[1] ** 2).mean())
    dz = [2 * f / (N * O) * e for f, e in zip((1.0, 2.0), errors, strict=True)]
    back = dz[1] if shared else dz[1] @ np.array(network.parameters["1.dense.weight"], float).T
    gradients = {"parameters": arenas["gradients"]}
    np.testing.assert_allclose(array(network, gradients, "0.dense.weight"), given["x0"].T @ (dz[0] + back), rtol=1e-6)


def test_the_number_of_losses_must_be_that_of_the_outputs() -> None:
    with pytest.raises(ShapeError, match=r"1 output\(s\), got 2 loss"):
        lower_training(built([Dense(O)]), [SquaredError(), SquaredError()], None, N)
    with pytest.raises(NotFittedError):
        lower_training(NetworkGraph([Dense(O)]), [SquaredError()], None, N)


# ------------------------------------------------------------ forward and backward


def test_a_layer_that_refuses_a_shape_is_named() -> None:
    class Refuses(Layer):
        def output_shape(self, shape):
            return shape

        def forward(self, k, x):
            return k.matmul(x, x), Saved()

    with pytest.raises(ShapeError, match=r"layer '0.refuses': .*matmul"):
        NetworkGraph([Refuses()], random_state=0).build((I,))


@pytest.mark.parametrize(
    ("passes", "message"), [("two", r"backward returned 2 gradient\(s\) for 1 input"), ("wrong", r"dx of shape \(3,\)")]
)
def test_a_backward_pass_that_returns_something_else_is_named(passes: str, message: str) -> None:
    with pytest.raises(ShapeError, match=f"layer '0.scaled_layer': .*{message}"):
        lower_training(built([ScaledLayer(passes)]), [SquaredError()], None, N)


def test_a_backward_pass_may_return_a_tuple() -> None:
    for passes in ("dx", "tuple"):
        plan = lower_training(built([Dense(I), ScaledLayer(passes)]), [SquaredError()], None, N, input_gradients=True)
        assert set(plan.outputs) == {"loss", "dx0"}


def test_where_no_gradient_comes_nothing_is_computed_backward() -> None:
    network = built([Dense(I), ScaledLayer("none"), Dense(O)])
    plan = lower_training(network, [SquaredError()], None, N, input_gradients=True)
    assert set(plan.outputs) == {"loss"}
    assert not any(n.where.layer == "0.dense" for n in plan.nodes if n.where.phase == "backward")
    assert set(lower_trace(network, [SquaredError()], N).outputs) == {
        "y.0", "y.1", "y.2", "loss", "dy.1", "dy.2", "dx.2.0", "d.1.scaled_layer.weight", "d.2.dense.weight",
        "d.2.dense.bias",
    }  # fmt: skip


def test_gradients_of_a_tensor_that_is_used_twice_are_added() -> None:
    x = Input((I,))
    a = Dense(I)(x)
    network = NetworkGraph(inputs=x, outputs=Add()(ScaledLayer()(a), a), random_state=0).build()
    plan = lower_training(network, [SquaredError()], None, N, input_gradients=True, outputs=True)
    given = data(plan)
    found, _ = run(plan, network, given)
    dz = 2 / (N * I) * (found["output0"] - given["y0"])
    np.testing.assert_allclose(found["dx0"], 2 * dz @ np.array(network.parameters["0.dense.weight"], float).T, rtol=1e-6)


def test_a_layer_of_several_outputs_is_given_all_their_gradients() -> None:
    x = Input((5, I))
    h, _, cell = LSTM(O, return_sequences=True, return_state=True)(x)
    network = NetworkGraph(inputs=x, outputs=[h, cell], random_state=0).build()
    plan = lower_trace(network, [SquaredError(), SquaredError()], N)
    assert {"y.0", "y.0.1", "y.0.2", "dy.0", "dx0", "loss"} <= set(plan.outputs)
    assert any(name.startswith("inside.0.") for name in plan.outputs)


@pytest.mark.parametrize(("frozen", "training", "draws", "counts"), [
    ((), True, True, True), ((), False, False, False), (("0.batch_norm",), True, True, False),
    (("1.dropout",), True, True, True),
])  # fmt: skip
def test_a_frozen_layer_keeps_its_statistics(frozen, training: bool, draws: bool, counts: bool) -> None:
    network = built([BatchNorm(), Dropout(0.5), Dense(O)], frozen=frozen)
    plan = lower_training(network, [SquaredError()], None, N, training=training)
    assert ("random_uniform" in ops(plan)) == draws
    assert ("channel_moments" in ops(plan)) == counts
    assert "channel_moments" not in ops(lower_prediction(network, N))


# ------------------------------------------------------------ where gradients lie


@pytest.mark.parametrize("kind", ["view", "shared", "input"])
def test_a_gradient_that_has_a_place_already_is_copied(kind: str) -> None:
    network = built([Same(kind)])
    plan = lower_training(network, [SquaredError()], None, N, outputs=True)
    given = data(plan)
    found, arenas = run(plan, network, given)
    dz = 2 / (N * I) * (found["output0"] - given["y0"])
    gradients = {"parameters": arenas["gradients"]}
    if kind == "input":
        np.testing.assert_allclose(array(network, gradients, "0.same.weight"), given["x0"])
        assert plan.inputs["x0"].base is None
    else:
        factor = 6 if kind == "shared" else 2
        np.testing.assert_allclose(array(network, gradients, "0.same.weight"), factor * dz.ravel())
        np.testing.assert_allclose(
            array(network, gradients, "0.same.other"), (factor if kind == "shared" else 10) * dz.ravel()
        )
    assert sum(n.op == "copy" for n in plan.nodes) == 1


def test_the_gradient_of_a_frozen_layer_is_not_stored() -> None:
    network = built([Dense(I), Dense(O)], frozen=["0.dense"])
    plan = lower_training(network, [SquaredError()], SGD(0.1), N)
    stored = {v.name for n in plan.nodes for v in n.outputs if v.base is not None and v.base.name == "gradients"}
    assert stored == {"1.dense.weight", "1.dense.bias"}
    before = np.array(network.parameters["0.dense.weight"])
    _, arenas = run(plan, network)
    np.testing.assert_array_equal(array(network, arenas, "0.dense.weight"), before)
    assert (array(network, arenas, "1.dense.weight") != network.parameters["1.dense.weight"]).all()


# ------------------------------------------------------------ update


@pytest.mark.parametrize("l1", [0.0, 0.3])
@pytest.mark.parametrize("l2", [0.0, 0.7])
@pytest.mark.parametrize("decay", [0.0, 0.5])
@pytest.mark.parametrize(
    "clip", [{}, {"clip_norm": 0.2}, {"clip_norm": 1e6}, {"clip_value": 0.05}, {"clip_norm": 0.3, "clip_value": 0.1}]
)
def test_one_step_is_penalties_then_clipping_then_decay(l1: float, l2: float, decay: float, clip: dict) -> None:
    network = built([Dense(O)])
    w, b = weights(network)
    optimizer = SGD(0.1, l1=l1, l2=l2, weight_decay=decay, **clip)
    plan = lower_training(network, [SquaredError()], optimizer, N)
    given = data(plan)
    found, arenas = run(plan, network, given)
    e = given["x0"] @ w + b - given["y0"]
    loss = (e**2).mean() + l1 * np.abs(w).sum() + 0.5 * l2 * (w**2).sum()
    gw, gb = given["x0"].T @ (2 * e / e.size) + l2 * w + l1 * np.sign(w), (2 * e / e.size).sum(0)
    if "clip_norm" in clip:
        factor = min(1.0, clip["clip_norm"] / np.sqrt((gw**2).sum() + (gb**2).sum()))
        gw, gb = gw * factor, gb * factor
    if "clip_value" in clip:
        gw, gb = (np.clip(g, -clip["clip_value"], clip["clip_value"]) for g in (gw, gb))
    np.testing.assert_allclose(found["loss"], loss)
    np.testing.assert_allclose(array(network, arenas, "0.dense.weight"), w - 0.1 * decay * w - 0.1 * gw)
    np.testing.assert_allclose(array(network, arenas, "0.dense.bias"), b - 0.1 * gb)


def test_without_penalties_one_update_covers_everything() -> None:
    network = built([Dense(O), Dense(O), Dense(O)])

    def stored(optimizer, frozen=()) -> list[tuple[int, int]]:
        network.frozen.clear()
        network.frozen.update(frozen)
        nodes = lower_training(network, [SquaredError()], optimizer, N).nodes
        found = [v for n in nodes for v in n.outputs if v.base is not None and v.base.name == "parameters"]
        return sorted((v.offset, v.offset + v.size) for v in found)

    def stretches(by_decay: bool, frozen=()) -> list[tuple[int, int]]:
        """Neighbouring elements that are treated alike, from a list of all elements."""
        entries = sorted(network.parameters.entries.values(), key=lambda e: e.offset)
        ends = [*(e.offset for e in entries[1:]), network.parameters.flat.size]
        alike: list[object] = []
        for e, end in zip(entries, ends, strict=True):
            learns = e.name.rpartition(".")[0] not in frozen
            alike += [(e.decay and by_decay) if learns else None] * (end - e.offset)
        cuts = [0, *(i for i in range(1, len(alike)) if alike[i] != alike[i - 1]), len(alike)]
        return [(a, b) for a, b in pairwise(cuts) if alike[a] is not None]

    assert stored(SGD(0.1)) == stretches(False) == [(0, network.parameters.flat.size)]
    for penalty in ("l1", "l2", "weight_decay"):
        assert stored(SGD(0.1, **{penalty: 0.1})) == stretches(True)
        assert stored(SGD(0.1, **{penalty: 0.1}), ["1.dense"]) == stretches(True, ["1.dense"])
    assert stored(SGD(0.1), ["1.dense"]) == stretches(False, ["1.dense"])
    assert len(stretches(True)) < len(stretches(True, ["1.dense"]))


@pytest.mark.parametrize("optimizer", [SGD(0.1, clip_norm=1.0), SGD(0.1, clip_value=1.0), Adam(clip_norm=1.0, l2=0.1)])
def test_a_network_without_anything_to_learn_has_no_update(optimizer) -> None:
    network = built([Dense(O)], frozen=["0.dense"])
    plan = lower_training(network, [SquaredError()], optimizer, N)
    assert not any(n.where.phase == "update" for n in plan.nodes)


def test_a_place_of_an_arena_is_one_value_of_one_arena() -> None:
    """By the identity of arenas passes see what is overwritten, by that of values what is read twice."""
    x, shared = Input((I,)), Dense(I)
    network = NetworkGraph(inputs=x, outputs=shared(BatchNorm()(shared(x))), random_state=0).build()
    for plan in (lower_training(network, [SquaredError()], Adam(), N), lower_prediction(network, N)):
        used = [v for n in plan.nodes for v in (*n.inputs, *n.outputs) if v.base is not None]
        assert used and all(v.base is plan.arenas[v.base.name] for v in used)
        named = [v for v in used if v.role in ("parameter", "state") and v.producer is None]
        assert len({id(v) for v in named}) == len({(v.base.name, v.offset) for v in named})
        assert {v.name for v in named} >= {"0.dense.weight", "0.dense.bias"}


def test_every_slot_has_an_arena() -> None:
    plan = lower_training(built([Dense(O)]), [SquaredError()], Adam(), N)
    assert set(plan.arenas) == {"parameters", "gradients", "slot.m", "slot.v"}
    assert {v.base.name for n in plan.nodes for v in n.outputs if v.base is not None} == set(plan.arenas)


@pytest.mark.parametrize(
    ("optimizer", "by_rows"),
    [
        (SGD(0.1), True), (Adam(), True), (SGD(0.1, clip_norm=1.0), True), (SGD(0.1, l1=0.1), False),
        (SGD(0.1, l2=0.1), False), (SGD(0.1, weight_decay=0.1), False), (None, False),
    ],
)  # fmt: skip
def test_a_sparse_embedding_is_updated_by_rows_where_only_these_change(optimizer, by_rows: bool) -> None:
    network = built([Embedding(9, 2, sparse=True), Flatten(), Dense(O)], (3,))
    plan = lower_training(network, [SquaredError()], optimizer, N)
    assert ("put_rows" in ops(plan)) == by_rows
    given = data(plan)
    before = np.array(network.parameters["0.embedding.weight"], np.float64)
    _, arenas = run(plan, network, given)
    after = array(network, arenas, "0.embedding.weight")
    used = np.unique(given["x0"])
    if by_rows:
        others = np.setdiff1d(np.arange(9), used)
        np.testing.assert_array_equal(after[others], before[others])
        assert (after[used] != before[used]).any()
        assert (array(network, {"parameters": arenas["gradients"]}, "0.embedding.weight") == 0).all()
    network.frozen.add("0.embedding")
    assert "put_rows" not in ops(lower_training(network, [SquaredError()], optimizer, N))


# ------------------------------------------------------------ parameters that are held in another way


class Doubled(Representation):
    """The layer computes with twice what is stored."""

    def value(self, k, held):
        return k.multiply(held.stored, 2.0)

    def gradient(self, k, held, dvalue):
        return k.multiply(dvalue, 2.0)


class OfAnotherShape(Representation):
    def value(self, k, held):
        return k.sum(held.stored, 0)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_a_layer_computes_with_the_value_and_an_update_changes_what_is_stored(decay: float) -> None:
    network = built([Dense(O)])
    w, b = weights(network)
    network.represent("0.dense.weight", Doubled())
    plan = lower_training(network, [SquaredError()], SGD(0.1, weight_decay=decay), N, outputs=True)
    given = data(plan)
    found, arenas = run(plan, network, given)
    z = given["x0"] @ (2 * w) + b
    np.testing.assert_allclose(found["output0"], z)
    dz = 2 / (N * O) * (z - given["y0"])
    np.testing.assert_allclose(
        array(network, arenas, "0.dense.weight"), w - 0.1 * decay * w - 0.1 * 2 * given["x0"].T @ dz, rtol=1e-6
    )
    np.testing.assert_allclose(array(network, arenas, "0.dense.bias"), b - 0.1 * dz.sum(0), rtol=1e-6)
    predicted, _ = run(lower_prediction(network, N), network, {"x0": given["x0"]})
    np.testing.assert_allclose(predicted["output0"], z)


@pytest.mark.parametrize("optimizer", [SGD(0.1, weight_decay=0.1), SGD(0.1, momentum=0.9), Adam(l1=0.1)])
def test_what_a_mask_takes_away_stays_away(optimizer) -> None:
    network = built([Dense(O), Dense(O)])
    mask = np.array([[1, 0], [0, 1], [1, 1]])
    network.represent("0.dense.weight", Masked(mask))
    plan = lower_training(network, [SquaredError()], optimizer, N)
    _, arenas = run(plan, network)
    after = array(network, arenas, "0.dense.weight")
    assert (after[mask == 0] == 0).all() and (after[mask == 1] != network.parameters["0.dense.weight"][mask == 1]).all()
    gradients = {"parameters": arenas["gradients"]}
    assert ((array(network, gradients, "0.dense.weight") != 0) == (mask == 1)).all()
    assert (array(network, gradients, "1.dense.weight") != 0).all()


class Capped(Representation):
    """What is stored is at most 0.01 after every update."""

    def constrain(self, k, held, w):
        return k.minimum(w, 0.01)


@pytest.mark.parametrize("optimizer", [SGD(0.1), SGD(0.1, weight_decay=0.1), Adam()])
def test_an_update_is_held_to_what_may_be_stored(optimizer) -> None:
    network = built([Dense(O), Dense(O)])
    network.represent("0.dense.weight", Capped())
    _, arenas = run(lower_training(network, [SquaredError()], optimizer, N), network)
    assert not np.isin(array(network, arenas, "1.dense.weight"), 0.01).any()
    assert array(network, arenas, "0.dense.weight").max() == 0.01


@pytest.mark.parametrize("optimizer", [SGD(0.1), SGD(0.1, weight_decay=0.1), Adam()])
def test_an_update_is_held_to_the_constraint_of_the_layer_and_then_to_what_may_be_stored(optimizer) -> None:
    unit = dict(weight_constraint=UnitNorm())
    network = built([Dense(O, **unit), Dense(O, **unit)])
    network.represent("0.dense.weight", Capped())
    _, arenas = run(lower_training(network, [SquaredError()], optimizer, N), network)
    capped, free = (array(network, arenas, f"{i}.dense.weight") for i in (0, 1))
    assert capped.max() == 0.01  # to the norm of 1 afterwards, it would be another number
    np.testing.assert_allclose(np.linalg.norm(free, axis=0), 1)


def test_a_mask_that_is_read_several_times_is_one_value() -> None:
    network = built([Dense(O)])
    network.represent("0.dense.weight", Masked(np.array([[1, 0], [0, 1], [1, 1]])))
    plan = lower_training(network, [SquaredError()], SGD(0.1, weight_decay=0.1), N)
    read = [v for n in plan.nodes for v in n.inputs if v.base is not None and v.base.name == "0.dense.weight:mask"]
    assert len(read) > 1 and len({id(v) for v in read}) == 1


def test_what_a_representation_makes_of_a_gradient_is_read_by_the_update_itself() -> None:
    network = built([Dense(O), Dense(O)])
    network.represent("0.dense.weight", Doubled())
    plan = lower_training(network, [SquaredError()], SGD(0.1), N)
    steps = [v for n in plan.nodes if n.where.phase == "update" for v in n.inputs if v.base is not None]
    gradients = [v for v in steps if v.base.name == "gradients"]
    # That of the first weight is a result of a node, which a fusion can take in; the others are read from the arena.
    made = [v for v in gradients if v.producer is not None]
    assert [v.name for v in made] == ["0.dense.weight"] and len(gradients) > 1


def test_a_layer_may_compute_with_numbers_that_are_fixed() -> None:
    network = built([Dense(O), BatchNorm()])
    known = {**network.parameters, **network.states}
    fixed = {name: np.array(known[name], np.float32) + 1 for name in known}
    weights_of = {name: FrozenWeight(fixed[name], lambda *_: False) for name in network.parameters}
    frozen = Frozen(weights_of, {name: fixed[name] for name in network.states})
    plan = lower_prediction(network, N, frozen=frozen)
    assert set(plan.arenas) == set(frozen.names)
    given = data(plan)
    arenas = {name: np.asarray(frozen.arena(name), np.float64) for name in plan.arenas}
    found = ReferenceEngine("float64").compile(plan, arenas).run(given)
    z = given["x0"] @ fixed["0.dense.weight"] + fixed["0.dense.bias"]
    mean, variance, gamma, beta = (fixed[f"1.batch_norm.{n}"] for n in ("running_mean", "running_var", "gamma", "beta"))
    np.testing.assert_allclose(found["output0"], gamma * (z - mean) / np.sqrt(variance + 1e-5) + beta, rtol=1e-5)


def test_a_value_that_is_read_twice_is_made_once() -> None:
    x, shared = Input((I,)), Dense(I)
    network = NetworkGraph(inputs=x, outputs=shared(shared(x)), random_state=0).build()
    network.represent("0.dense.weight", Doubled())
    plan = lower_prediction(network, N)
    assert sorted(n.op for n in plan.nodes) == ["add", "add", "matmul", "matmul", "multiply"]


def test_a_value_of_another_shape_is_refused() -> None:
    network = built([Dense(O)])
    network.represent("0.dense.weight", OfAnotherShape())
    with pytest.raises(ShapeError, match=r"OfAnotherShape.value gave shape \(2,\) for '0.dense.weight'"):
        lower_prediction(network, N)


# ------------------------------------------------------------ what is asked for


def test_parts_of_a_step() -> None:
    network = built([Dense(O)])
    whole = lower_training(network, [SquaredError()], SGD(0.1), N)
    assert {n.where.phase for n in whole.nodes} == {"forward", "loss", "backward", "update"}
    assert list(whole.outputs) == ["loss"] and list(whole.inputs) == ["x0", "y0"] and whole.batch == N
    only = eliminate_dead_code(lower_training(network, [SquaredError()], SGD(0.1), N, backward=False))
    assert {n.where.phase for n in only.nodes} == {"forward", "loss"}
    inputs = lower_training(network, [SquaredError()], SGD(0.1), N, input_gradients=True, parameter_gradients=False)
    assert set(inputs.arenas) == {"parameters"} and set(inputs.outputs) == {"loss", "dx0"}
    assert not any(n.where.phase == "update" for n in inputs.nodes)
    gradients = lower_training(network, [SquaredError()], None, N)
    assert set(gradients.arenas) == {"parameters", "gradients"}
    assert set(lower_training(network, [SquaredError()], None, N, outputs=True).outputs) == {"loss", "output0"}


def test_predictions_give_every_layer_that_is_asked_for() -> None:
    network = built([Dense(O), ScaledLayer()])
    assert set(lower_prediction(network, N).outputs) == {"output0"}
    assert set(lower_prediction(network, N, every_layer=True).outputs) == {
        "output0",
        "layer.0.dense",
        "layer.1.scaled_layer",
    }
    plan = lower_prediction(network, N)
    assert [node_flops(n) for n in plan.nodes] == [2 * N * I * O, N * O, N * O]


def test_a_trace_without_losses_is_the_forward_pass() -> None:
    plan = lower_trace(built([Dense(O), ScaledLayer()]), None, N, training=False)
    assert set(plan.outputs) == {"y.0", "y.1"} and {n.where.phase for n in plan.nodes} == {"forward"}


@pytest.mark.parametrize("ignore", [None, -1])
@pytest.mark.parametrize("kind", [None, "sample"])
def test_a_metric_leaves_out_what_has_no_label(ignore: int | None, kind: str | None) -> None:
    class Ones(MeanSquaredError):
        def forward(self, k, z, y):
            return k.add(k.multiply(k.sum(z, axis=1), 0.0), 1.0)

    loss = SoftmaxCrossEntropy()
    loss.ignore_label = ignore
    network = built([Dense(O)])
    plan = lower_training(network, [loss], None, N, metrics=[Ones()], weights=[kind])
    given = data(plan)
    found, _ = run(plan, network, given)
    weighed = ignore is not None and kind == "sample"
    np.testing.assert_allclose(found["metric.mean_squared_error"], given["w0"].sum() if weighed else N)


def test_a_constant_sparse_input_is_part_of_the_plan() -> None:
    edges = SparseMatrix.from_edges([(0, 1), (1, 2)], nodes=N)
    features = SparseMatrix.of(np.eye(N, I))
    network = NetworkGraph([GraphConv(O, edges)], random_state=0).build((I,))
    plan = lower_training(network, [SquaredError()], None, N, constants={0: features}, outputs=True)
    assert list(plan.inputs) == ["y0"]
    found, _ = run(plan, network)
    dense = lower_prediction(network, N)
    assert list(dense.inputs) == ["x0"]
    wanted, _ = run(dense, network, {"x0": features.to_dense()})
    np.testing.assert_allclose(found["output0"], wanted["output0"])
    assert list(lower_prediction(network, N, constants={0: features}).inputs) == []


def test_shapes_are_those_given_for_sizes_that_are_free() -> None:
    network = NetworkGraph([LSTM(O)], random_state=0).build((None, I))
    for steps in (2, 5):
        assert lower_prediction(network, N, shapes=[(steps, I)]).inputs["x0"].shape == (N, steps, I)
        assert lower_training(network, [SquaredError()], None, N, shapes=[(steps, I)]).inputs["x0"].shape == (N, steps, I)


# ------------------------------------------------------------ steps that begin behind what is frozen


def two_ways(frozen=()) -> NetworkGraph:
    """y = f(a(x)) + b(x), of which a, b and f are dense layers."""
    x = Input((I,))
    a, b = Dense(O).named("a"), Dense(O).named("b")
    network = NetworkGraph(inputs=x, outputs=Add()(Dense(O).named("f")(a(x)), b(x)), random_state=0).build()
    network.frozen.update(frozen)
    return network


@pytest.mark.parametrize("kept", [("a", "b"), ("a", None), ("a", "f", "b")])
def test_a_step_begins_at_the_tensors_that_are_given(kept) -> None:
    """The loss and the update are those of the whole step; what lies before is left out, and what is not needed as well."""
    network = two_ways(frozen=("a", "b"))
    whole = lower_training(network, [SquaredError()], SGD(0.1), N, outputs=True)
    given = data(whole)
    wanted, arenas = run(whole, network, given)
    tensors = [network.input_ids[0] if n is None else next(c.output for c in network.calls if c.name == n) for n in kept]
    features = lower_features(network, N, tensors, shapes=[(I,)])
    made, _ = run(features, network, {"x0": given["x0"]})
    shapes = [(I,) if n is None else (O,) for n in kept]
    plan = lower_training(network, [SquaredError()], SGD(0.1), N, outputs=True, start=tensors, shapes=shapes)
    assert {n.where.layer for n in plan.nodes if n.where.phase == "forward"}.isdisjoint(n for n in kept if n)
    found, after = run(plan, network, {**made, "y0": given["y0"]})
    np.testing.assert_allclose(found["loss"], wanted["loss"])
    np.testing.assert_allclose(found["output0"], wanted["output0"])
    if "f" not in kept:
        np.testing.assert_allclose(after["parameters"], arenas["parameters"])
    evaluated = lower_training(network, [SquaredError()], None, N, training=False, start=tensors, shapes=shapes)
    assert plan.rows_alike and evaluated.rows_alike


def test_indices_that_are_given_stay_indices() -> None:
    network = built([Embedding(5, 2), Flatten(), Dense(1)], shape=(3,))
    plan = lower_training(network, [SquaredError()], None, N, start=network.input_ids, shapes=[(3,)])
    assert plan.inputs["x0"].dtype == "int" and plan.inputs["x0"].shape == (N, 3)


def test_penalties_of_what_is_left_out_are_left_out() -> None:
    """Shapes of the layers before the start are not known there, and their penalties do not change."""
    network = built([Dense(O, weight_regularizer=L2(0.5)), Dense(O, weight_regularizer=L2(0.5))], frozen=("0.dense",))
    low = _Lowering(network, N, True, [(O,)], start=[network.calls[0].output])
    low.forward()
    assert low.rules().keys() == {"1.dense.weight"}


class Watches(Layer):
    """``y = x``, with a state that it changes at every training step."""

    def states(self, shape):
        return {"seen": State((1,))}

    def forward(self, k, x):
        if k.training:
            k.set_state("seen", k.add(k.state("seen"), 1.0))
        return k.multiply(x, 1.0), Saved()

    def backward(self, k, saved, dy):
        return dy


def names_of(network: NetworkGraph, tensors: set[int]) -> set[str]:
    return {c.name for c in network.calls if c.output in tensors}


def test_what_no_step_changes_ends_where_a_layer_learns_draws_or_counts() -> None:
    def found(layers, frozen, **options):
        network = built(layers, frozen=frozen)
        fixed, plain = fixed_tensors(network, **options)
        assert plain == fixed and fixed.issuperset(network.input_ids)
        return names_of(network, fixed)

    assert found([Dense(O), Flatten(), Dense(O), Flatten()], ("0.dense",)) == {"0.dense", "1.flatten"}
    assert found([Dense(O), Dense(O)], ("1.dense",)) == set()
    for changing in (Dropout(0.5), Watches()):
        name = f"1.{type(changing).__name__.lower()}"
        layers = [Dense(O), changing, Flatten(), Dense(O)]
        assert found(layers, ("0.dense",)) == {"0.dense"}
        assert found(layers, ("0.dense",), repeatable=False) == {"0.dense", name, "2.flatten"}
    # A frozen layer keeps its statistics, so it makes the same of a sample at every step.
    assert found([BatchNorm(), Dense(O)], ("0.batch_norm",)) == {"0.batch_norm"}
    assert found([BatchNorm(), Dense(O)], ()) == set()


def test_plain_tensors_are_numbers_without_a_mask() -> None:
    x, lengths = Input((3, I)), Input((), dtype="int")
    network = NetworkGraph(inputs=[x, lengths], outputs=LSTM(2)(Masking()(x, lengths)), random_state=0).build()
    fixed, plain = fixed_tensors(network)
    masking = next(c.output for c in network.calls if c.name == "0.masking")
    assert masking in fixed and masking not in plain and plain == set(network.input_ids)
    indices = Input((3,), dtype="int")
    network = NetworkGraph(inputs=indices, outputs=Embedding(5, 2)(Flatten()(indices)), random_state=0).build()
    network.frozen.update(["0.flatten"])
    fixed, plain = fixed_tensors(network)
    assert names_of(network, fixed) == {"0.flatten"} and plain == set(network.input_ids)


def test_what_is_fixed_is_asked_of_a_graph_for_all_its_nodes() -> None:
    """A layer of a graph takes no other number of samples than the graph has nodes."""
    graph = SparseMatrix.from_edges([(0, 1), (1, 2), (2, 3), (3, 4)])
    fixed, _ = fixed_tensors(built([GraphConv(O, graph), Dense(O)], frozen=("0.graph_conv",)))
    assert len(fixed) == 2


@pytest.mark.parametrize(
    ("frozen", "alike"),
    [((), False), (("0.dense",), True), (("1.dense",), False), (("0.dense", "1.dense"), True)],
)
def test_rows_are_alike_where_a_step_begins_with_frozen_weights(frozen, alike: bool) -> None:
    network = built([Dense(O), Dense(O), Dense(O)], frozen=frozen)
    assert lower_training(network, [SquaredError()], SGD(0.1), N).rows_alike is alike
    assert lower_training(network, [SquaredError()], None, N, training=False).rows_alike is False


def test_a_layer_without_weights_does_not_begin_a_step_frozen() -> None:
    network = built([Flatten(), Dense(O)])
    assert lower_training(network, [SquaredError()], SGD(0.1), N).rows_alike is False


def test_frozen_weights_behind_noise_do_not_begin_a_step() -> None:
    network = built([Dropout(0.5), Dense(O), Dense(O)], frozen=("1.dense",))
    assert lower_training(network, [SquaredError()], SGD(0.1), N).rows_alike is False


# ------------------------------------------------------------ rates of layers, turns, ranks, offsets


def test_updates_are_cut_where_the_factor_of_the_rate_changes() -> None:
    network = built([Dense(O), Dense(O), Dense(O), Dense(O)])
    optimizer = SGD(0.1, learning_rate_factors={"1.dense": 0.5, "2.dense": 0.5})
    low = _Lowering(network, N, True)
    low.forward()
    runs = low.runs(optimizer)
    assert [r.factor for r in runs] == [1.0, 0.5, 1.0, 0.5, 1.0] and all(r.stop == s.start for r, s in pairwise(runs))
    plan = lower_training(network, [SquaredError()], optimizer, N)
    assert len(plan.scalars) == 1 + len(lower_training(network, [SquaredError()], SGD(0.1), N).scalars)


@pytest.mark.parametrize("decay", [{}, {"l1": 0.1}, {"l2": 0.1}, {"weight_decay": 0.1}])
def test_what_decays_is_updated_by_itself(decay) -> None:
    network = built([Dense(O), Dense(O)])
    low = _Lowering(network, N, True)
    low.forward()
    runs = low.runs(SGD(0.1, **decay))
    assert [r.decay for r in runs] == ([True, False] if decay else [False])


def test_targets_and_weights_may_be_values_of_the_step_itself() -> None:
    """As turns of several objectives have them: nothing of them is an input of the plan."""
    network = built([Dense(O)])
    low = _Lowering(network, N, True)
    z = low.forward()[0]
    target, weight = low.k.multiply(z, 0.5), low.k.constant(2.0)
    total, first, ys = low.loss([z], [SquaredError()], [1.0], [target], [low.k.reshape(weight, ())])
    plan = low.plan({"loss": total, "z": z, "dz": first[network.output_ids[0]]})
    assert set(plan.inputs) == {"x0"} and ys == [target]
    found, _ = run(plan, network)
    np.testing.assert_allclose(found["loss"], 2 * ((0.5 * found["z"]) ** 2).mean())
    np.testing.assert_allclose(found["dz"], 2 * 2 * 0.5 * found["z"] / (N * O))


class TwoRanks:
    """Stands for two processes with the same samples."""

    def sum_in_place(self, array):
        array *= 2


@pytest.mark.parametrize("optimizer", [None, SGD(0.1), SGD(0.1, clip_norm=0.01)])
def test_gradients_are_added_up_over_all_ranks_before_the_update(optimizer) -> None:
    network = built([Dense(O)])
    network.represent("0.dense.weight", Masked(np.arange(I * O).reshape(I, O) % 2 == 0))
    plain = lower_training(network, [SquaredError()], optimizer, N)
    summed = lower_training(network, [SquaredError()], optimizer, N, ranks=TwoRanks(), share=0.5)
    assert [n.op for n in summed.nodes].count("all_reduce") == 1 and "all_reduce" not in ops(plain)
    given = data(plain)
    (_, alone), (_, together) = run(plain, network, given), run(summed, network, given)
    np.testing.assert_allclose(together["parameters"], alone["parameters"])
    np.testing.assert_allclose(together["gradients"], alone["gradients"])
    tripled = lower_training(network, [SquaredError()], SGD(0.1), N, ranks=TwoRanks(), share=1.5)
    _, together = run(tripled, network, given)
    _, alone = run(lower_training(network, [SquaredError()], SGD(0.1), N), network, given)
    before = np.concatenate([np.ravel(a) for a in network.parameters.arenas("parameters").values()])
    np.testing.assert_allclose(together["parameters"] - before, 3 * (alone["parameters"] - before), atol=1e-12)


def test_ranks_add_up_whole_gradients_not_rows() -> None:
    network = built([Embedding(5, 2, sparse=True), Flatten(), Dense(1)], shape=(3,))
    assert "put_rows" in ops(lower_training(network, [SquaredError()], SGD(0.1), N))
    assert "put_rows" not in ops(lower_training(network, [SquaredError()], SGD(0.1), N, ranks=TwoRanks(), share=0.5))


def test_a_state_that_is_taken_out_is_zero() -> None:
    network = built([Standardize(), Dense(O)])
    network.states["0.standardize.mean"][...] = 3.0
    whole, without = (lower_prediction(network, N, taken_out=out) for out in ((), ("0.standardize.mean",)))
    given = data(whole)
    wanted, found = run(whole, network, given)[0], run(without, network, {"x0": given["x0"] - 3.0})[0]
    np.testing.assert_allclose(found["output0"], wanted["output0"])
    features = lower_features(network, N, network.output_ids, shapes=[(I,)], taken_out=("0.standardize.mean",))
    np.testing.assert_allclose(run(features, network, {"x0": given["x0"] - 3.0})[0]["x0"], wanted["output0"])
