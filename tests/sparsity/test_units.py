"""Units and channels that are removed: the smaller network computes what the large one does without them."""

import numpy as np
import pytest

import chainrule
from chainrule import Dense, Network
from chainrule.architectures import get_architecture
from chainrule.errors import ParameterError
from chainrule.layers import (
    LSTM,
    Add,
    AveragePool2D,
    BatchNorm,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePool,
    GroupNorm,
    Input,
    Layer,
    LayerNorm,
    MatMul,
    MaxPool2D,
    Multiply,
    Permute,
    PReLU,
    ReduceMax,
    ReLU,
    Reshape,
    Sigmoid,
    Softmax,
    TimeDistributed,
    UpSampling2D,
    ZeroPadding2D,
)
from chainrule.layers.base import Parameter
from chainrule.network import Masked, Residual
from chainrule.ops import Saved
from chainrule.sparsity import prune, remove_units
from chainrule.sparsity.units import _choose, _smaller, _trace

RNG = np.random.default_rng(0)
QUIET = {"verbose": 0, "epochs": 2, "batch_size": 16}


def settled(net, shape, n=24, indices=None):
    """Built, with running statistics and biases that are not those of the start, and samples for it."""
    x = RNG.normal(size=(n, *shape)).astype(np.float32)
    net.build(shape)
    for name, array in (*net.parameters.items(), *net.states.items()):
        sign = 1 if "var" in name else RNG.choice([-1, 1])
        array += sign * np.abs(0.3 * RNG.normal(size=array.shape))
    return net, x


def without(network, plan, gone):
    """The large network with zero in every weight that reads a unit that goes: what the smaller one computes."""
    import copy

    found = copy.deepcopy(network)
    for name, axes in plan.axes.items():
        if name in found.parameters and -2 in axes:
            dead = np.array([label in gone for label in axes[-2].tolist()])
            found.parameters[name][..., dead, :] = 0
    return found


def check(network, x, share=0.5, **options):
    """Removes units; the outputs are those of the large network whose other weights do not read them."""
    plan = _trace(network)
    groups = plan.labels.groups()
    assert groups
    gone = _choose(network, plan, groups, share, options.get("method", "magnitude"), options.get("scope", "layer"), 0)
    small = _smaller(network, plan, gone)
    wanted = without(network, plan, gone)
    for a, b in zip(_outputs(small.predict(x)), _outputs(wanted.predict(x)), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)
    assert small.parameters.count < network.parameters.count
    assert small.output_shapes == network.output_shapes and small.input_shapes == network.input_shapes
    return small


def _outputs(found):
    return found if isinstance(found, tuple) else (found,)


def test_a_perceptron_loses_its_smallest_units():
    net, x = settled(Network([Dense(40), ReLU(), Dropout(0.2), Dense(20), Sigmoid(), Dense(3)], random_state=0), (10,))
    small = check(net, x, 0.75)
    assert [small.layer(n).units for n in ("0.dense", "3.dense", "5.dense")] == [10, 5, 3]
    sizes = np.abs(net.parameters["0.dense.weight"]).mean(axis=0)
    kept = np.sort(np.argsort(sizes)[30:])
    np.testing.assert_array_equal(small.parameters["0.dense.weight"], net.parameters["0.dense.weight"][:, kept])
    np.testing.assert_array_equal(small.parameters["0.dense.bias"], net.parameters["0.dense.bias"][kept])
    small.fit(x, RNG.normal(size=(24, 3)), **QUIET)


def test_channels_through_batch_norm_pooling_and_flatten():
    net, x = settled(
        Network(
            [Conv2D(8, 3, padding="same"), BatchNorm(), PReLU(), MaxPool2D(2), ZeroPadding2D(1), Conv2D(12, 3),
             BatchNorm(), ReLU(), Flatten(), Dense(10), BatchNorm(), ReLU(), Dense(2)], random_state=0),
        (8, 8, 3))  # fmt: skip
    small = check(net, x)
    assert small.layer("0.conv2d").channels == 4 and small.layer("5.conv2d").channels == 6
    assert small.parameters["9.dense.weight"].shape == (16 * 6, 5) and small.states["1.batch_norm.running_mean"].shape == (
        4,
    )


@pytest.mark.parametrize(
    "middle",
    [
        lambda: [AveragePool2D(2), UpSampling2D(2), Flatten()],
        lambda: [GlobalAveragePool()],
        lambda: [Permute((3, 1, 2)), Flatten()],
        lambda: [Reshape((-1,))],
        lambda: [Reshape((64, -1)), GlobalAveragePool()],
        lambda: [Reshape((8, -1)), GlobalAveragePool()],
        lambda: [DepthwiseConv2D(3, multiplier=2), BatchNorm(), ReLU(), Flatten()],
        lambda: [LayerNorm(), Flatten()],
    ],
    ids=["upsampled", "global", "permuted", "reshaped", "places", "rows", "depthwise", "layer norm"],
)
def test_what_moves_or_passes_channels(middle):
    net, x = settled(Network([Conv2D(8, 3, padding="same"), ReLU(), *middle(), Dense(2)], random_state=0), (8, 8, 3))
    plan_only = any(isinstance(layer, LayerNorm) for layer in net.layers.values())
    if plan_only:  # its mean is one over fewer channels, so the outputs differ; the shapes are right
        small = remove_units(net, 0.5)
        assert small.layer("0.conv2d").channels == 4 and small.predict(x).shape == (24, 2)
    else:
        assert check(net, x).layer("0.conv2d").channels == 4


def test_channels_that_meet_in_a_join_go_together():
    x = Input((8, 8, 3))
    h = ReLU()(Conv2D(8, 3, padding="same").named("a")(x))
    g = Conv2D(8, 3, padding="same").named("b")(h)
    y = GlobalAveragePool()(ReLU()(Add()(h, g)))
    net, data = settled(Network(inputs=x, outputs=Dense(2).named("out")(y), random_state=0), (8, 8, 3))
    small = check(net, data)
    assert small.layer("a").channels == small.layer("b").channels == 4
    plan = _trace(net)
    assert [plan.labels.root(u) for u in plan.outputs["a"].tolist()] == [
        plan.labels.root(u) for u in plan.outputs["b"].tolist()
    ]


def test_concat_gates_several_outputs_and_shared_layers():
    x, z = Input((6,)), Input((6,))
    shared = Dense(12).named("shared")
    a, b = ReLU()(shared(x)), ReLU()(shared(z))
    gate = Sigmoid()(Dense(12).named("gate")(a))
    c = Concat()(Multiply()(a, gate), b)
    d = ReLU()(Dense(10).named("d")(c))
    net = Network(inputs=[x, z], outputs=[Dense(2).named("p")(d), Dense(1).named("q")(c)], random_state=0).build()
    data = [RNG.normal(size=(9, 6)).astype(np.float32) for _ in range(2)]
    for array in net.parameters.values():
        array += 0.2
    small = check(net, data)
    assert small.layer("shared").units == small.layer("gate").units == 6 and small.layer("d").units == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, shape", [("resnet20", (16, 16, 3)), ("mobilenet_small", (32, 32, 3)), ("vgg_small", (32, 32, 3))]
)
def test_architectures(name, shape):
    net, x = settled(get_architecture(name)(4, input_shape=shape, random_state=0), shape, n=4)
    small = check(net, x, 0.5)
    assert small.parameters.count < 0.45 * net.parameters.count
    small.fit(x, [0, 1, 2, 3], **QUIET)


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("method", ["magnitude", "random"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_every_layer_keeps_a_unit(scope, method, share):
    net, x = settled(Network([Dense(10), ReLU(), Dense(5), ReLU(), Dense(2)], random_state=0), (4,))
    small = remove_units(net, share, scope=scope, method=method)
    assert small.predict(x).shape == (24, 2)
    if share == 0.999:
        assert small.layer("0.dense").units == small.layer("2.dense").units == 1
    if share == 0.0:
        np.testing.assert_allclose(small.predict(x), net.predict(x), rtol=1e-5, atol=1e-6)
    if scope == "global" and share == 0.3:
        assert small.layer("0.dense").units + small.layer("2.dense").units == 15 - round(0.3 * 15)


def test_units_that_another_layer_mixes_stay():
    net, x = settled(Network([Dense(8), ReLU(), Reshape((2, 4)), LSTM(6), Dense(5), ReLU(), Dense(2)], random_state=0), (4,))
    small = check(net, x)
    assert (small.layer("0.dense").units, small.layer("3.lstm").units, small.layer("4.dense").units) == (8, 6, 3)
    grouped, x = settled(
        Network([Conv2D(8, 3), GroupNorm(2), Conv2D(8, 3, groups=2), ReLU(), GlobalAveragePool(), Dense(2)], random_state=0),
        (8, 8, 3))  # fmt: skip
    with pytest.raises(ParameterError, match="no unit that can go"):
        remove_units(grouped, 0.5)
    for sizes in ((64, 8), (-1, 8)):  # made for 8 channels
        fixed = Network(
            [Conv2D(8, 3, padding="same"), ReLU(), Reshape(sizes), GlobalAveragePool(), Dense(2)], random_state=0
        )
        with pytest.raises(ParameterError, match="no unit that can go"):
            remove_units(fixed.build((8, 8, 3)), 0.5)
    with pytest.raises(ParameterError, match="no unit that can go"):
        remove_units(Network([Dense(3), Softmax()], random_state=0).build((4,)), 0.5)


def test_layers_that_mix_channels_in_their_own_way_are_left_whole():
    """A product of two inputs is no join of their channels, and a maximum over the channels leaves none of them."""

    def network(joined):
        x = Input((6, 5))
        a, b = Dense(6)(x), Dense(6)(x)
        return Network(inputs=x, outputs=Dense(2)(ReLU()(Dense(8)(joined(a, b)))), random_state=0)

    mixing = [
        lambda a, b: MatMul(transpose_b=True)(a, b),
        lambda a, b: Add()(ReduceMax(-1)(a), ReduceMax(2)(b)),
        lambda a, b: Add()(TimeDistributed(ReduceMax(-1))(a), TimeDistributed(ReduceMax(1))(b)),
    ]
    for joined in mixing:
        net, x = settled(network(joined), (6, 5))
        small = check(net, x)
        assert [layer.units for layer in small.layers.values() if isinstance(layer, Dense)] == [6, 6, 4, 2]
    for joined in (lambda a, b: ReduceMax(1)(Add()(a, b)), lambda a, b: ReduceMax(-2)(Multiply()(a, b))):
        net, x = settled(network(joined), (6, 5))
        assert [layer.units for layer in check(net, x).layers.values() if isinstance(layer, Dense)] == [3, 3, 4, 2]


class Maxout(Layer):
    """Two products, of which each unit takes the larger, ``y = max(x W, x V)``."""

    width_argument = "units"
    channel_map = "dense"

    def __init__(self, units):
        self.units = units

    def parameters(self, shape):
        weight = Parameter((shape[1], self.units), fan_in=shape[1], fan_out=self.units)
        return {"first": weight, "second": weight}

    def forward(self, k, x):
        return k.maximum(k.matmul(x, k.param("first")), k.matmul(x, k.param("second"))), Saved()


class Scaled(Layer):
    """The first input times the sum of the second, ``y = a Σ b``; it does not say how it treats their channels."""

    arity = 2

    def forward(self, k, a, b):
        return k.multiply(a, k.sum(b, axis=-1, keepdims=True)), Saved()


def test_layers_of_ones_own_say_how_they_treat_channels():
    net, x = settled(Network([Maxout(10), ReLU(), Dense(2)], random_state=0), (4,))
    assert check(net, x).layer("0.maxout").units == 5
    a = Input((6,))
    scaled = Network(inputs=a, outputs=Dense(2)(Scaled()(Dense(6)(a), Dense(6)(a))), random_state=0).build((6,))
    with pytest.raises(ParameterError, match="no unit that can go"):
        remove_units(scaled, 0.5)


def test_frozen_layers_and_chosen_layers():
    net, x = settled(Network([Dense(10), ReLU(), Dense(8), ReLU(), Dense(6), ReLU(), Dense(2)], random_state=0), (4,))
    small = remove_units(net, 0.5, layers=["2.dense"])
    assert [small.layer(f"{i}.dense").units for i in (0, 2, 4)] == [10, 4, 6]
    net.freeze("2.dense")
    small = check(net, x)
    assert [small.layer(f"{i}.dense").units for i in (0, 2, 4)] == [10, 8, 3] and small.frozen == {"2.dense"}
    np.testing.assert_array_equal(small.parameters["2.dense.weight"], net.parameters["2.dense.weight"])


def test_masks_go_along_and_what_was_fitted_is_known(tmp_path):
    X = RNG.normal(size=(100, 12)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    net = prune(Network([Dense(20), ReLU(), Dense(2)], random_state=0).fit(X, y, **QUIET), 0.5)
    small = prune(net, 0.5, structure="units")
    assert isinstance(small.representation("0.dense.weight"), Masked) and small.layer("0.dense").units == 10
    assert (small.parameters["0.dense.weight"] == 0).mean() > 0.3
    assert set(small.evaluate(X, y)) == {"loss", "accuracy"} and type(small) is Network
    small.fit(X, y, **QUIET)
    small.save(tmp_path / "small")
    np.testing.assert_array_equal(chainrule.load(tmp_path / "small").predict(X), small.predict(X))


def test_a_unit_that_does_nothing_is_not_missed():
    """Fewer units and the same function."""
    net, x = settled(Network([Dense(12), ReLU(), Dense(2)], random_state=0), (5,))
    net.parameters["0.dense.weight"][:, ::2] = 0
    net.parameters["0.dense.bias"][::2] = 0
    small = remove_units(net, 0.5)
    assert small.layer("0.dense").units == 6
    np.testing.assert_allclose(small.predict(x), net.predict(x), rtol=1e-4, atol=1e-5)


def test_residual_blocks_and_training_after_it():
    net = Network(
        [Conv2D(8, 3, padding="same"), Residual([BatchNorm(), ReLU(), Conv2D(8, 3, padding="same")]), GlobalAveragePool(),
         Dense(2)], random_state=0)  # fmt: skip
    net, x = settled(net, (8, 8, 3))
    small = check(net, x)
    small.fit(x, np.arange(24) % 2, **QUIET)
