"""What layers compute: known values, limits, randomness, joins and sharing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.engine import get_engine
from chainrule.errors import DataError, DtypeError, EngineError, ShapeError
from chainrule.layers import (
    Activation,
    Add,
    Concat,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    Layer,
    Multiply,
    PReLU,
    ReLU,
    Reshape,
    RReLU,
    check_indices,
    get_activation,
)
from chainrule.network import NetworkGraph
from chainrule.ops import OPS
from chainrule.plan import lower_prediction, lower_training, optimise
from chainrule.testing import _Linear

#: All but those over rows and the layer that does nothing.
CURVES = sorted(set(Activation.by_name) - {"softmax", "log_softmax", "identity"})


def run(
    layer: Layer | NetworkGraph,
    *xs: Any,
    dy: Any = None,
    training: bool = False,
    dtype: str = "float32",
    step: int = 0,
    seed: int = 0,
    parameters: dict[str, Any] | None = None,
    engine: str = "reference",
) -> dict[str, np.ndarray]:
    """output0, dx0, ... and the gradients of a layer for given arrays, the batch on axis 0."""
    arrays = [np.asarray(x) for x in xs]
    if isinstance(layer, NetworkGraph):
        network = layer
    else:
        tensors = [Input(x.shape[1:], dtype="int" if x.dtype.kind in "iu" else "float") for x in arrays]
        network = NetworkGraph(inputs=tensors, outputs=layer(*tensors), random_state=0, dtype=dtype).build()
    network.parameters.assign(parameters or {})
    batch, loss = len(arrays[0]), _Linear()
    # J is a mean over samples and places; with this weight dy is what the layer is given.
    weight = batch * loss.entries((batch, *network.output_shapes[0]))
    plan = optimise(
        lower_training(
            network, [loss], None, batch, loss_weights=[weight], training=training, input_gradients=True, outputs=True
        )
    )
    arenas = {n: np.zeros(v.size, dtype) for n, v in plan.arenas.items()}
    if "parameters" in arenas:
        arenas["parameters"][...] = network.parameters.flat
    data: dict[str, Any] = {f"x{i}": x for i, x in enumerate(arrays)}
    data["y0"] = np.ones(plan.inputs["y0"].shape) if dy is None else np.broadcast_to(dy, plan.inputs["y0"].shape)
    found = get_engine(engine, dtype=dtype).compile(plan, arenas).run(data, step=step, seed=seed)
    if "gradients" in arenas:
        found |= {n: network.parameters.view(arenas["gradients"], n) for n in network.parameters}
    return found


# ---------------------------------------------------------------- activations

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
#: name: (limit of a for z → −∞, slope there), (a − (offset + slope z) → 0 for z → ∞ with this offset and slope)
LIMITS = {
    "sigmoid": ((0, 0), (1, 0)),
    "tanh": ((-1, 0), (1, 0)),
    "relu": ((0, 0), (0, 1)),
    "leaky_relu": ((0, 0.01), (0, 1)),
    "prelu": ((0, 0.25), (0, 1)),
    "rrelu": ((0, 11 / 48), (0, 1)),
    "softplus": ((0, 0), (0, 1)),
    "elu": ((-1, 0), (0, 1)),
    "selu": ((-SELU_SCALE * SELU_ALPHA, 0), (0, SELU_SCALE)),
    "gelu": ((0, 0), (0, 1)),
    "silu": ((0, 0), (0, 1)),
    "softsign": ((-1e4 / 10001, 1 / 10001**2), (1e4 / 10001, 1 / 10001**2)),
    "hard_sigmoid": ((0, 0), (1, 0)),
    "hard_swish": ((0, 0), (0, 1)),
    "mish": ((0, 0), (0, 1)),
    "relu6": ((0, 0), (6, 0)),
    "exponential": ((0, 0), (np.inf, np.inf)),
    "sign": ((-1, 0), (1, 0)),
    "sine": ((-np.sin(1e4), np.cos(1e4)), (np.sin(1e4), np.cos(1e4))),
    "cosine": ((np.cos(1e4), np.sin(1e4)), (np.cos(1e4), -np.sin(1e4))),
}


@pytest.fixture(params=["reference", "onednn"])
def engine(request: pytest.FixtureRequest) -> str:
    """Every engine that works here."""
    try:
        get_engine(request.param)
    except EngineError as error:
        pytest.skip(str(error))
    return str(request.param)


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_limits_at_ten_thousand(name: str, dtype: str, engine: str) -> None:
    if dtype == "float64" and engine != "reference":
        pytest.skip("float64 is of the reference engine")
    found = run(get_activation(name), [[-1e4, 1e4]], dtype=dtype, engine=engine)
    (low, low_slope), (high, high_slope) = LIMITS[name]
    wanted = [low, high] if name in ("softsign", "sine", "cosine") else [low - 1e4 * low_slope, high + 1e4 * high_slope]
    tolerance = 3e-7 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(found["output0"][0], wanted, rtol=tolerance, atol=0)
    np.testing.assert_allclose(found["dx0"][0], [low_slope, high_slope], rtol=tolerance, atol=0)


@pytest.mark.parametrize("name", CURVES)
def test_largest_numbers_of_float32_stay_numbers(name: str, engine: str) -> None:
    found = run(get_activation(name), [[-3e38, 3e38, -1e20, 1e20]], engine=engine)
    if name == "exponential":  # e^89 is beyond float32
        np.testing.assert_array_equal(found["output0"], [[0, np.inf, 0, np.inf]])
        return
    if name != "selu":  # λ · 3e38 is beyond float32
        assert np.isfinite(found["output0"]).all()
    assert np.isfinite(found["dx0"]).all()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", sorted(Activation.by_name))
def test_nan_goes_through(name: str, training: bool, engine: str) -> None:
    found = run(get_activation(name), [[np.nan, 1.0]], training=training, engine=engine)
    assert np.isnan(found["output0"][0, 0])
    if name not in ("softmax", "log_softmax"):
        assert np.isfinite(found["output0"][0, 1])


@pytest.mark.parametrize("name", CURVES)
def test_zero_of_either_sign(name: str) -> None:
    found = run(get_activation(name), [[0.0, -0.0]], dtype="float64")
    at_zero = {
        "sigmoid": 0.5,
        "softplus": np.log(2),
        "hard_sigmoid": 0.5,
        "exponential": 1.0,
        "sign": 1.0,
        "cosine": 1.0,
    }.get(name, 0.0)
    np.testing.assert_allclose(found["output0"][0], [at_zero] * 2, rtol=1e-15)
    slopes = {"sigmoid": 0.25, "softplus": 0.5, "hard_sigmoid": 1 / 6, "gelu": 0.5, "silu": 0.5, "tanh": 1, "softsign": 1}
    slopes |= {"elu": 1, "selu": SELU_SCALE * SELU_ALPHA, "relu": 0, "leaky_relu": 0.01, "prelu": 0.25, "rrelu": 11 / 48}
    slopes |= {"exponential": 1, "hard_swish": 0.5, "mish": 0.6, "relu6": 0, "sign": 1, "sine": 1, "cosine": 0}
    np.testing.assert_allclose(found["dx0"][0], [slopes[name]] * 2, rtol=1e-15)


KNOWN = {  # at -2, -0.5, 1, 2.5; from the formulas with 40 digits
    "sigmoid": [0.11920292202211755, 0.3775406687981454, 0.7310585786300049, 0.9241418199787566],
    "tanh": [-0.9640275800758169, -0.46211715726000973, 0.7615941559557649, 0.9866142981514303],
    "relu": [0, 0, 1, 2.5],
    "leaky_relu": [-0.02, -0.005, 1, 2.5],
    "prelu": [-0.5, -0.125, 1, 2.5],
    "rrelu": [-22 / 48, -5.5 / 48, 1, 2.5],
    "softplus": [0.1269280110429726, 0.47407698418010669, 1.3132616875182228, 2.5788897342925496],
    "elu": [-0.8646647167633873, -0.3934693402873666, 1, 2.5],
    "selu": [-1.5201664685956950, -0.6917581878028713, 1.0507009873554805, 2.6267524683887013],
    "gelu": [-0.045500263896358417, -0.15426876936299347, 0.8413447460685429, 2.4844758366855597],
    "silu": [-0.2384058440442351, -0.1887703343990727, 0.7310585786300049, 2.3103545499468914],
    "softsign": [-2 / 3, -1 / 3, 1 / 2, 2.5 / 3.5],
    "hard_sigmoid": [1 / 6, 5 / 12, 2 / 3, 11 / 12],
    "hard_swish": [-1 / 3, -5 / 24, 2 / 3, 27.5 / 12],
    "mish": [-0.25250148269570886, -0.22074377465173, 0.86509838826731035, 2.4713923045578811],
    "relu6": [0, 0, 1, 2.5],
    "exponential": [0.1353352832366127, 0.6065306597126334, 2.718281828459045, 12.182493960703473],
    "sign": [-1, -1, 1, 1],
    "sine": [-0.9092974268256817, -0.4794255386042030, 0.8414709848078965, 0.5984721441039565],
    "cosine": [-0.4161468365471424, 0.8775825618903728, 0.5403023058681398, -0.8011436155469337],
}


@pytest.mark.parametrize("name", CURVES)
def test_known_values(name: str) -> None:
    found = run(get_activation(name), [[-2, -0.5, 1, 2.5]], dtype="float64")
    np.testing.assert_allclose(found["output0"][0], KNOWN[name], rtol=1e-14)


def test_softmax_at_ten_thousand(engine: str) -> None:
    found = run(get_activation("softmax"), [[1e4, -1e4, 1e4], [0, 1e4, -1e4]], dy=[[1.0, 0.0, 0.0]], engine=engine)
    np.testing.assert_array_equal(found["output0"], [[0.5, 0, 0.5], [0, 1, 0]])
    np.testing.assert_array_equal(found["dx0"], [[0.25, 0, -0.25], [0, 0, 0]])
    found = run(get_activation("log_softmax"), [[1e4, -1e4], [0, 0]], dy=[[1.0, 0.0]], engine=engine)
    np.testing.assert_allclose(found["output0"], [[0, -2e4], [-np.log(2)] * 2], rtol=1e-6)
    np.testing.assert_allclose(found["dx0"], [[0, 0], [0.5, -0.5]], rtol=1e-6)


def test_tails_keep_their_digits_in_float32(engine: str) -> None:
    z = np.float32([[-30, -20, -10]])
    softplus = run(get_activation("softplus"), z, engine=engine)
    np.testing.assert_allclose(softplus["dx0"], 1 / (1 + np.exp(-z.astype(np.float64))), rtol=1e-6)
    softsign = run(get_activation("softsign"), np.float32([[-3e6, 3e6]]), engine=engine)
    np.testing.assert_allclose(softsign["dx0"], 1 / (1 + 3e6) ** 2, rtol=1e-6)


@pytest.mark.parametrize("name", CURVES)
def test_activations_are_elementwise_ops_only(name: str) -> None:
    network = NetworkGraph([get_activation(name)]).build((3,))
    nodes = lower_prediction(network, 2).nodes
    assert {OPS[n.op].kind for n in nodes} == {"elementwise"}


def test_softmax_needs_classes() -> None:
    for name in ("softmax", "log_softmax", "prelu"):
        with pytest.raises(ShapeError, match=r"got \(2,\)"):
            NetworkGraph([get_activation(name)]).build(())


def test_prelu_learns_one_slope_for_each_feature_or_one_for_all() -> None:
    z, dy = np.array([[-1.0, 2, -3], [-4, -5, 6]]), np.array([[1.0, 2, 3], [4, 5, 6]])
    found = run(PReLU(), z, dy=dy, dtype="float64")
    np.testing.assert_array_equal(found["0.prelu.slope"], [-1 - 16, -25, -9])
    found = run(PReLU(shared=True), z, dy=dy, dtype="float64")
    np.testing.assert_array_equal(found["0.prelu.slope"], [-51])
    network = NetworkGraph([PReLU()]).build((3,))
    assert not network.parameters.entries["0.prelu.slope"].decay
    np.testing.assert_array_equal(network.parameters["0.prelu.slope"], [0.25] * 3)


# ---------------------------------------------------------------- randomness


def test_dropout_statistics() -> None:
    x = np.ones((200, 500))
    for rate in (0.1, 0.5, 0.9):
        y = run(Dropout(rate), x, training=True)["output0"]
        dropped = (y == 0).mean()
        assert abs(dropped - rate) < 5 * np.sqrt(rate * (1 - rate) / x.size)
        np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-6)
        assert abs(y.mean() - 1) < 5 * np.sqrt(rate / (1 - rate) / x.size)
        # Neither rows nor columns are favoured.
        assert abs((y == 0).mean(axis=0) - rate).max() < 6 * np.sqrt(rate * (1 - rate) / 200)
        assert abs((y == 0).mean(axis=1) - rate).max() < 6 * np.sqrt(rate * (1 - rate) / 500)


def test_dropout_has_the_same_mask_in_both_directions() -> None:
    x = np.random.default_rng(0).standard_normal((20, 30)) + 5
    found = run(Dropout(0.5), x, training=True)
    np.testing.assert_array_equal(found["output0"] == 0, found["dx0"] == 0)


def test_dropout_depends_on_seed_and_step_only() -> None:
    x = np.ones((4, 50))

    def mask(step: int, seed: int) -> Any:
        return run(Dropout(0.5), x, training=True, step=step, seed=seed)["output0"] != 0

    np.testing.assert_array_equal(mask(3, 7), mask(3, 7))
    assert (mask(3, 7) != mask(4, 7)).mean() > 0.3
    assert (mask(3, 7) != mask(3, 8)).mean() > 0.3


def test_two_uses_of_dropout_draw_different_masks() -> None:
    x, drop = Input((100,)), Dropout(0.5)
    net = NetworkGraph(inputs=x, outputs=Concat()(drop(x), drop(x))).build()
    y = run(net, np.ones((3, 100)), training=True)["output0"]
    assert ((y[:, :100] == 0) != (y[:, 100:] == 0)).mean() > 0.3


@pytest.mark.parametrize("layer", [Dropout(0.5), Dropout(0.0)])
def test_dropout_is_the_identity_in_prediction(layer: Dropout) -> None:
    network = NetworkGraph([layer]).build((3,))
    assert lower_prediction(network, 4).nodes == []
    x = np.array([[1.0, -2, 3]])
    found = run(layer, x)
    np.testing.assert_array_equal(found["output0"], x)
    np.testing.assert_array_equal(found["dx0"], np.ones((1, 3)))


def test_rrelu_draws_slopes_in_training_and_takes_their_mean_in_prediction() -> None:
    z = -np.ones((200, 100))
    slopes = -run(RReLU(0.1, high=0.5), z, training=True)["output0"]
    assert slopes.min() >= np.float32(0.1) and slopes.max() <= np.float32(0.5)
    assert abs(slopes.mean() - 0.3) < 5 * 0.4 / np.sqrt(12 * z.size)
    assert abs(slopes.std() - 0.4 / np.sqrt(12)) < 2e-3
    np.testing.assert_allclose(run(RReLU(0.1, high=0.5), z)["output0"], -0.3, rtol=1e-6)
    positive = run(RReLU(), [[2.0, 3.0]], training=True)
    np.testing.assert_array_equal(positive["output0"], [[2, 3]])
    np.testing.assert_array_equal(positive["dx0"], [[1, 1]])


# ---------------------------------------------------------------- shapes

sizes = st.lists(st.integers(1, 4), min_size=0, max_size=4).map(tuple)


@settings(max_examples=30, deadline=None)
@given(batch=st.integers(1, 4), shape=sizes)
def test_flatten_any_shape(batch: int, shape: tuple[int, ...]) -> None:
    x = np.arange(batch * int(np.prod(shape)), dtype=np.float64).reshape(batch, *shape)
    found = run(Flatten(), x, dtype="float64")
    np.testing.assert_array_equal(found["output0"], x.reshape(batch, -1))
    assert found["dx0"].shape == x.shape


@settings(max_examples=30, deadline=None)
@given(data=st.data(), batch=st.integers(1, 4), shape=sizes)
def test_reshape_any_shape(data: st.DataObject, batch: int, shape: tuple[int, ...]) -> None:
    target = list(data.draw(st.permutations(shape)))
    if target and data.draw(st.booleans()):
        target[data.draw(st.integers(0, len(target) - 1))] = -1
    x = np.arange(batch * int(np.prod(shape)), dtype=np.float64).reshape(batch, *shape)
    found = run(Reshape(tuple(target)), x, dtype="float64")
    np.testing.assert_array_equal(found["output0"], x.reshape(batch, *target))
    assert found["dx0"].shape == x.shape


@settings(max_examples=30, deadline=None)
@given(data=st.data(), batch=st.integers(1, 3), shape=st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_concat_any_shapes(data: st.DataObject, batch: int, shape: list[int]) -> None:
    axis = data.draw(st.integers(1, len(shape)))
    rng = np.random.default_rng(0)
    xs = []
    for size in data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=4)):
        xs.append(rng.standard_normal((batch, *shape[: axis - 1], size, *shape[axis:])))
    wanted = np.concatenate(xs, axis=axis)
    dy = rng.standard_normal(wanted.shape)
    signed = data.draw(st.sampled_from([axis, axis - len(shape) - 1]))
    found = run(Concat(signed), *xs, dy=dy, dtype="float64")
    np.testing.assert_array_equal(found["output0"], wanted)
    parts = np.split(dy, np.cumsum([x.shape[axis] for x in xs])[:-1], axis=axis)
    for i, part in enumerate(parts):
        np.testing.assert_array_equal(found[f"dx{i}"], part)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Reshape((4, 2)), (7,), r"shape \(7,\) has 7 elements, which do not fill the shape \(4, 2\)"),
        (Reshape((4, -1)), (7,), r"do not fill the shape \(4, -1\)"),
        (Dense(3), (), r"expected input \(N, I\), got \(2,\)"),
    ],
)
def test_a_shape_that_does_not_fit_names_the_layer(layer: Layer, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=f"layer '0.{layer.kind()}'.*{message}"):
        NetworkGraph([layer]).build(shape)


# ---------------------------------------------------------------- joins


@pytest.mark.parametrize("layer", [Add(), Multiply(), Concat()], ids=repr)
def test_joins_name_the_shapes_that_do_not_fit(layer: Layer) -> None:
    def join(*shapes: tuple[int, ...]) -> None:
        tensors = [Input(s) for s in shapes]
        NetworkGraph(inputs=tensors, outputs=layer(*tensors)).build()

    with pytest.raises(ShapeError, match=r"\(2, 3, 4\) and \(2, 5, 4\) differ on axis 1"):
        join((3, 4), (5, 4))
    with pytest.raises(ShapeError, match=r"\(2, 3\) and \(2, 3, 3\) have different numbers of axes"):
        join((3,), (3, 3))
    with pytest.raises(ShapeError, match="joins two inputs or more"):
        join((3,))


@pytest.mark.parametrize(
    ("axis", "message"), [(0, "the batch axis"), (-3, "the batch axis"), (3, "not there"), (-4, "not there")]
)
def test_concat_along_an_axis_that_is_none(axis: int, message: str) -> None:
    a, b = Input((2, 3)), Input((2, 3))
    with pytest.raises(ShapeError, match=message):
        NetworkGraph(inputs=[a, b], outputs=Concat(axis)(a, b)).build()


def test_concat_does_not_mix_indices_and_numbers() -> None:
    a, b = Input((2,)), Input((3,), dtype="int")
    with pytest.raises(DtypeError, match="Embed the indices first"):
        NetworkGraph(inputs=[a, b], outputs=Concat()(a, b)).build()


def test_a_tensor_joined_with_itself() -> None:
    x = Input((2,))
    net = NetworkGraph(inputs=x, outputs=Multiply()(x, x, x), dtype="float64").build()
    found = run(net, [[2.0, -3.0]], dtype="float64")
    np.testing.assert_array_equal(found["output0"], [[8, -27]])
    np.testing.assert_array_equal(found["dx0"], [[12, 27]])


def test_multiply_is_exact_at_zeros() -> None:
    found = run(Multiply(), [[0.0, 0.0]], [[0.0, 3.0]], [[5.0, 4.0]], dtype="float64")
    np.testing.assert_array_equal(found["dx0"], [[0, 12]])
    np.testing.assert_array_equal(found["dx1"], [[0, 0]])
    np.testing.assert_array_equal(found["dx2"], [[0, 0]])


# ---------------------------------------------------------------- sharing


def test_gradients_of_a_shared_layer_add_up() -> None:
    rng = np.random.default_rng(0)
    a, b, shared = Input((3,)), Input((3,)), Dense(2)
    both = NetworkGraph(inputs=[a, b], outputs=Add()(shared(a), shared(b)), dtype="float64").build()
    assert list(both.parameters) == ["0.dense.weight", "0.dense.bias"]
    xa, xb, dy = rng.standard_normal((4, 3)), rng.standard_normal((4, 3)), rng.standard_normal((4, 2))
    found = run(both, xa, xb, dy=dy, dtype="float64")
    np.testing.assert_allclose(found["0.dense.weight"], (xa + xb).T @ dy, rtol=1e-13)
    np.testing.assert_allclose(found["0.dense.bias"], 2 * dy.sum(axis=0), rtol=1e-13)


def test_shared_embedding_and_prelu_add_up() -> None:
    a, b, table, bend = Input((2,), dtype="int"), Input((2,), dtype="int"), Embedding(4, 1), PReLU(shared=True)
    net = NetworkGraph(inputs=[a, b], outputs=Concat()(bend(table(a)), bend(table(b))), dtype="float64").build()
    weights = {"0.embedding.weight": [[1.0], [-2], [3], [-4]]}
    found = run(net, np.array([[0, 1]]), np.array([[1, 1]]), parameters=weights, dtype="float64")
    np.testing.assert_array_equal(found["0.embedding.weight"], [[1], [0.75], [0], [0]])
    np.testing.assert_array_equal(found["1.prelu.slope"], [-6])


# ---------------------------------------------------------------- embedding


def test_embedding_looks_up_and_adds_up() -> None:
    weight = np.arange(8.0).reshape(4, 2)
    index = np.array([[3, 0], [3, 3]])
    dy = np.arange(8.0).reshape(2, 2, 2)
    found = run(Embedding(4, 2), index, dy=dy, parameters={"0.embedding.weight": weight}, dtype="float64")
    np.testing.assert_array_equal(found["output0"], weight[index])
    np.testing.assert_array_equal(found["0.embedding.weight"], [[2, 3], [0, 0], [0, 0], [0 + 4 + 6, 1 + 5 + 7]])
    assert "dx0" not in found


def test_embedding_wants_indices() -> None:
    with pytest.raises(DtypeError, match='dtype="int"'):
        NetworkGraph([Input((4,)), Embedding(3, 2)]).build()
    assert NetworkGraph([Embedding(3, 2)]).build((4,)).input_dtypes == ["int"]  # a list that begins with one takes indices


def test_index_limits_reach_the_inputs() -> None:
    a, b, c = Input((4,), dtype="int"), Input((2, 2), dtype="int"), Input((3,))
    small = Embedding(5, 2)(Flatten()(b))
    large = Embedding(9, 2)(Concat()(a, Reshape(4)(b)))
    net = NetworkGraph(inputs=[a, b, c], outputs=[Flatten()(small), Flatten()(large), ReLU()(c)]).build()
    assert net.index_limits() == [9, 5, None]


def test_check_indices_says_where() -> None:
    check_indices(np.array([[0, 2]]), 3)
    check_indices(np.zeros((0, 2), int), 3)
    for bad in (3, -1):
        with pytest.raises(DataError, match=rf"ids\[1, 0\] is {bad}; indices must be in 0, ..., 2"):
            check_indices(np.array([[0, 2], [bad, 1]]), 3, name="ids")


# ---------------------------------------------------------------- parity with PyTorch


@pytest.mark.peer
@pytest.mark.parametrize("name", CURVES)
def test_same_as_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    peer = {
        "prelu": lambda z: F.prelu(z, torch.tensor([0.25], dtype=z.dtype)),
        "leaky_relu": lambda z: F.leaky_relu(z, 0.01),
        "hard_sigmoid": F.hardsigmoid,
        "hard_swish": F.hardswish,
        "exponential": torch.exp,
        "sign": lambda z: torch.where(z >= 0, 1.0, -1.0) + F.hardtanh(z) - F.hardtanh(z).detach(),
    }.get(name) or getattr(F, name)
    z = np.concatenate([np.linspace(-12, 12, 97), [-1e4, 1e4 if name != "exponential" else 600]])[None]
    found = run(get_activation(name), z, dtype="float64")
    t = torch.tensor(z, requires_grad=True)
    y = peer(t)
    y.sum().backward()
    np.testing.assert_allclose(found["output0"], y.detach().numpy(), rtol=1e-12, atol=1e-12)
    corners = (0, 1, 3, 6)
    smooth = np.all([np.abs(np.abs(z) - c) > 1e-9 for c in corners], axis=0)  # at corners any subgradient is right
    rtol = 1e-7 if name.startswith("hard_") else 1e-10  # PyTorch rounds 1/6 to float32, whatever the precision
    np.testing.assert_allclose(found["dx0"][smooth], t.grad.numpy()[smooth], rtol=rtol, atol=1e-12)


@pytest.mark.peer
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_rows_same_as_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    z, dy = rng.standard_normal((2, 3, 4, 5)) * 4
    found = run(get_activation(name), z, dy=dy, dtype="float64")
    t = torch.tensor(z, requires_grad=True)
    y = getattr(torch, name)(t, -1)
    y.backward(torch.tensor(dy))
    np.testing.assert_allclose(found["output0"], y.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(found["dx0"], t.grad.numpy(), rtol=1e-10, atol=1e-14)
