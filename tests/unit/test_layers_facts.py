"""What layers state about themselves, and that a user's own layers count like ours wherever such a fact is asked for."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

from chainrule import LSTM, BatchNorm, Dense, Dropout, Flatten, Network, ReLU, Sigmoid, Standardize, Tanh
from chainrule import layers as L
from chainrule.cures.apply import Context, apply
from chainrule.cures.setup import Setup
from chainrule.diagnosis import Change
from chainrule.engine.reference import ReferenceEngine
from chainrule.initializers import Normal
from chainrule.layers import CHANNEL_MAPS, ROLES, Activation, Curve, Layer
from chainrule.network import Definition
from chainrule.ops import Saved
from chainrule.plan import lower_prediction
from chainrule.training import FitSettings

rng = np.random.default_rng(0)
X = rng.normal(size=(240, 6)).astype(np.float32)
LABELS = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)


# ---------------------------------------------------------------- a user's own layers: nothing stated but the equations


class Bounded(Activation):
    """``a = 2 z / (1 + |z|)``, which saturates at −2 and 2."""

    def apply(self, k: Any, z: Any) -> Any:
        size = k.add(k.absolute(z), 1.0)
        return k.divide(k.multiply(z, 2.0), size), Saved(size=size)

    def derivative(self, k: Any, saved: Any) -> Any:
        return k.divide(2.0, k.square(saved.size))


class ShiftedRamp(Activation):
    """``a = 3 max(0, z)``: its law differs from He's by the factor 3 that nobody states."""

    def apply(self, k: Any, z: Any) -> Any:
        return k.multiply(k.relu(z), 3.0), Saved(z=z)

    def derivative(self, k: Any, saved: Any) -> Any:
        return k.multiply(k.greater(saved.z, 0.0), 3.0)


class Logistic(Layer):
    """A sigmoid by someone who does not know of ``Activation``: two equations and a role."""

    role = "activation"

    def forward(self, k: Any, x: Any) -> Any:
        a = k.sigmoid(x)
        return a, Saved(a=a)

    def backward(self, k: Any, saved: Any, dy: Any) -> Any:
        return k.multiply(dy, k.multiply(saved.a, k.subtract(1.0, saved.a)))


class Mean(Layer):
    """The mean over all places: (N, H, W, C) to (N, C)."""

    role, linear = "pooling", True

    def forward(self, k: Any, x: Any) -> Any:
        return k.mean(x, axis=(1, 2)), Saved(shape=x.shape)

    def backward(self, k: Any, saved: Any, dy: Any) -> Any:
        n, h, w, c = saved.shape
        grown = k.multiply(k.reshape(dy, (n, 1, 1, c)), 1 / (h * w))
        return k.concat([k.concat([grown] * w, axis=2)] * h, axis=1)


class Broken(Activation):
    """An activation whose equations fail where they are asked for a curve."""

    def apply(self, k: Any, z: Any) -> Any:
        raise RuntimeError("not for columns")


# ---------------------------------------------------------------- facts


def instances() -> list[Layer]:
    """One of every layer of the library, with what its constructor needs."""
    given = {"units": 3, "channels": 4, "kernel": 2, "rate": 0.2, "rows": 5, "width": 3, "shape": (2, 3), "heads": 1,
             "size": 2, "groups": 2, "length": 7, "padding": 1, "cropping": 1, "axes": (2, 1),
             "block": 2, "layer": Dense(2)}  # fmt: skip
    made = []
    for name in L.__all__:
        cls = getattr(L, name)
        if isinstance(cls, type) and issubclass(cls, Layer) and cls not in (Layer, Activation):
            required = [
                p.name
                for p in inspect.signature(cls).parameters.values()
                if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
            ]
            made.append(cls(**{n: given.get(n, 2) for n in required}))
    return made


@pytest.mark.parametrize("layer", instances(), ids=lambda layer: type(layer).__name__)
def test_every_layer_states_facts_of_the_vocabulary(layer: Layer) -> None:
    assert layer.role in ROLES
    assert isinstance(layer.linear, bool) and isinstance(layer.passes_scale, bool)
    assert layer.recurrence in (None, "simple", "gated", "cell")
    assert layer.probabilities in (None, "independent", "exclusive", "log")
    assert layer.measures in (None, "inputs", "targets")
    assert layer.channel_map in (None, *CHANNEL_MAPS)
    if layer.width_argument is not None:
        assert layer.width_argument in layer.argument_names()


LINEAR = [
    (L.Dense(3), (5,)), (L.Conv2D(2, 3), (5, 5, 2)), (L.ConvTranspose2D(2, 2), (4, 4, 2)), (L.DepthwiseConv2D(2), (4, 4, 2)),
    (L.Flatten(), (2, 3)), (L.Reshape((3, 2)), (6,)), (L.Dropout(0.5), (4,)), (L.SpatialDropout(0.5), (3, 3, 2)),
    (L.BatchNorm(), (4,)), (L.AveragePool2D(), (4, 4, 2)), (L.GlobalAveragePool(), (4, 4, 2)), (L.Identity(), (4,)),
    (L.AdaptiveAveragePool2D(2), (4, 4, 2)), (L.UpSampling2D(2), (3, 3, 2)), (L.ZeroPadding2D(1), (3, 3, 2)),
    (L.Cropping2D(1), (4, 4, 2)), (L.SubtractLast(), (4, 2)), (L.Standardize(), (4,)), (Mean(), (3, 3, 2)),
    (L.TimeDistributed(L.Dense(2)), (3, 4)), (L.Scale(), (4,)), (L.Rescale(0.5, 1.0), (4,)), (L.ReduceSum(), (4, 3)),
    (L.ReduceMean(), (4, 3)), (L.Permute((2, 1)), (4, 3)), (L.Padding2D(1), (3, 3, 2)), (L.DepthToSpace(2), (2, 2, 4)),
]  # fmt: skip
BENT = [
    (L.ReLU(), (4,)), (L.MaxPool2D(), (4, 4, 2)), (L.GlobalMaxPool(), (4, 4, 2)), (L.LayerNorm(), (4,)), (L.Softmax(), (4,)),
    (L.RMSNorm(), (4,)), (L.ReduceMax(), (4, 3)), (L.LocalResponseNorm(), (4, 4, 4)), (L.ReLU6(), (4,)),
    (L.GroupNorm(2), (4, 4, 2)), (L.LSTM(3), (4, 2)), (L.GRU(3), (4, 2)), (Bounded(), (4,)), (L.HardSigmoid(), (4,)),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "shape"), [*LINEAR, *BENT], ids=lambda case: repr(case))
def test_linear_means_linear(layer: Layer, shape: tuple[int, ...]) -> None:
    """f(x) + f(y) = f(x + y) + f(0) for every linear layer, in prediction, and for no other."""
    net = Network([layer], random_state=1, dtype="float64").build(shape)
    for name in net.parameters:
        net.parameters[name][...] = np.random.default_rng(3).normal(size=net.parameters[name].shape)
    x, y = np.random.default_rng(4).normal(scale=3, size=(2, 8, *shape))
    fx, fy, both, none = (forward(net, at) for at in (x, y, x + y, 0 * x))
    holds = np.allclose(fx + fy, both + none, rtol=1e-9, atol=1e-9)
    assert holds == layer.linear


def forward(net: Any, x: Any) -> Any:
    plan = lower_prediction(net, len(x))
    arenas = {"parameters": net.parameters.flat, "states": net.states.flat}
    return ReferenceEngine("float64").compile(plan, arenas).run({"x0": x})["output0"]


CURVES = {
    "sigmoid": (0, 1, 0.25, True), "hard_sigmoid": (0, 1, 1 / 6, True), "tanh": (-1, 1, 1, True),
    "softsign": (-1, 1, 1, True), "sign": (-1, 1, 1, True),
    "relu": (0, math.inf, 1, False), "softplus": (0, math.inf, 1, False),
    "elu": (-1, math.inf, 1, False), "selu": (-1.758099, math.inf, 1.758099, False),
    "leaky_relu": (-math.inf, math.inf, 1, False), "prelu": (-math.inf, math.inf, 1, False),
    "rrelu": (-math.inf, math.inf, 1, False), "gelu": (-0.169971, math.inf, 1.128904, False),
    "silu": (-0.278465, math.inf, 1.099839, False), "mish": (-0.308843, math.inf, 1.088498, False),

    "sine": (-1, 1, 1, False), "cosine": (-1, 1, 1, False),
    "relu6": (0, 6, 1, False), "hard_swish": (-0.375, math.inf, 1.498333, False),
    "exponential": (0, math.inf, math.inf, False), "softmax": (0, 1, 0.25, True), "log_softmax": (-math.inf, 0, 1, False),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CURVES))
def test_the_curve_of_every_activation(name: str) -> None:
    curve, (low, high, steepest, saturates) = L.get_activation(name).curve(), CURVES[name]
    assert (curve.low, curve.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high))
    assert curve.steepest == pytest.approx(steepest, abs=1e-4) and curve.saturates is saturates


def test_every_activation_has_a_known_curve() -> None:
    assert {name for name in Activation.by_name if name != "identity" and getattr(L, Activation.by_name[name].__name__, 0)
            } == set(CURVES)  # fmt: skip


def test_the_gain_is_that_of_a_large_sample() -> None:
    z = np.random.default_rng(0).normal(size=1_000_000)
    for layer, f in ((ReLU(), np.maximum(z, 0)), (Tanh(), np.tanh(z)), (ShiftedRamp(), 3 * np.maximum(z, 0))):
        assert layer.curve().gain == pytest.approx(1 / np.mean(f**2), rel=5e-3)


def test_the_curve_follows_hyperparameters_and_start_values() -> None:
    assert L.ELU(0.5).curve().low == -0.5 and L.ELU(0.0).curve().low == 0.0
    assert L.LeakyReLU(0.2).curve().gain == pytest.approx(2 / 1.04)
    assert L.PReLU(init=0.5).curve().gain == pytest.approx(2 / 1.25)


def test_functions_that_are_not_defined_everywhere_have_a_curve() -> None:
    assert (L.Logarithm().curve().low, L.Logarithm().curve().high) == (-math.inf, math.inf)
    assert L.SquareRoot().curve().low == 0 and not L.SquareRoot().curve().saturates
    assert L.Reciprocal().curve().low == -math.inf and L.Absolute().curve().gain == pytest.approx(1)


def test_a_rectifier_with_a_ceiling_is_one() -> None:
    """A unit of ReLU6 that is always below 0 is dead and not saturated, and its weights start by He's law."""
    assert L.ReLU6().curve().start_variance == 2.0 and L.ReLU6().curve().live == pytest.approx((0, 6), abs=0.01)


def test_a_step_neither_saturates_nor_lives() -> None:
    class Step(Activation):
        def apply(self, k: Any, z: Any) -> Any:
            return k.greater(z, 0.0), Saved(z=z)

        def derivative(self, k: Any, saved: Any) -> Any:
            return k.multiply(saved.z, 0.0)

    assert not Step().curve().saturates and Step().curve().steepest == 0


def test_an_activation_that_cannot_be_evaluated_counts_as_linear() -> None:
    assert Broken().curve() == Curve()
    assert Network([Dense(4), Tanh()], random_state=0).build(3).parameters.count == 16


# ---------------------------------------------------------------- start weights


def spread(*layers: Layer, shape: Any = (400,)) -> float:
    """fan_in Var(w) of the start weights of the first layer."""
    net = Network(list(layers), random_state=0).build(shape)
    w = next(net.parameters[n] for n in net.parameters if n.endswith("weight"))
    return float(w.var() * np.prod(w.shape[:-1]))


def test_start_weights_follow_an_activation_of_ones_own() -> None:
    """He's for a ramp, divided by the square of its factor; Glorot's, of the same fans 1, for one that saturates."""
    assert spread(Dense(400), ReLU(), Dense(2)) == pytest.approx(2, rel=0.02)
    assert spread(Dense(400), ShiftedRamp(), Dense(2)) == pytest.approx(2 / 9, rel=0.02)
    for own in (Bounded(), Logistic()):
        assert spread(Dense(400), own, Dense(2)) == pytest.approx(1, rel=0.02)


def test_start_weights_are_chosen_through_a_pooling_of_ones_own() -> None:
    net = L.Conv2D(200, 3), Mean(), ReLU(), Dense(2)
    assert spread(*net, shape=(3, 3, 30)) == pytest.approx(2, rel=0.03)


def test_a_signal_keeps_its_size_through_many_layers_of_ones_own() -> None:
    layers = [one for _ in range(30) for one in (Dense(200), ShiftedRamp())]
    z = Network(layers, random_state=0).build((200,)).predict(np.random.default_rng(0).normal(size=(50, 200)))
    assert 0.1 < np.sqrt(np.mean(z**2)) < 10


# ---------------------------------------------------------------- diagnosis


def test_dead_units_of_an_activation_of_ones_own_are_found() -> None:
    net = Network([Dense(32, bias_init=-30.0), ShiftedRamp(), Dense(2)], random_state=0)
    names = [f.name for f in net.diagnose(X, LABELS, epochs=3).findings]
    assert names[0] == "dead-units"


@pytest.mark.parametrize("own", [Bounded, Logistic])
def test_saturated_units_of_an_activation_of_ones_own_are_found(own: type[Layer]) -> None:
    net = Network([Dense(32, weight_init=Normal(60.0)), own(), Dense(2)], random_state=0)
    found = net.diagnose(X, LABELS, epochs=3)
    every = [g for f in found.findings for g in (f, *f.symptoms)]
    assert "saturated-units" in [f.name for f in every] and "dead-units" not in [f.name for f in every]


@pytest.mark.parametrize("own", [Bounded(), Logistic()], ids=repr)
def test_an_output_out_of_reach_is_found_with_an_activation_of_ones_own(own: Layer) -> None:
    y = 5 + X[:, :1]
    found = Network([Dense(8), ReLU(), Dense(1), own], random_state=0).diagnose(X, y, epochs=3)
    finding = next(f for f in found.findings if f.name == "output-range")
    assert finding.evidence["upper bound"] == own.curve().high
    assert finding.where.endswith(own.kind())


def test_a_loss_reads_the_probabilities_of_a_sigmoid_of_ones_own() -> None:
    class Rescaled(Activation):
        def apply(self, k: Any, z: Any) -> Any:
            a = k.multiply(k.add(k.tanh(k.multiply(z, 0.5)), 1.0), 0.5)
            return a, Saved(a=a)

        def derivative(self, k: Any, saved: Any) -> Any:
            return k.multiply(saved.a, k.subtract(1.0, saved.a))

    ours, own = (
        Network([Dense(1), last], random_state=0).fit(X, LABELS[:, None], loss="binary_cross_entropy", epochs=2, verbose=0)
        for last in (Sigmoid(), Rescaled())
    )
    np.testing.assert_allclose(own.predict(X), ours.predict(X), rtol=1e-4, atol=1e-6)


def test_layers_with_a_mean_of_ones_own_between_are_one_linear_map() -> None:
    images = np.random.default_rng(0).normal(size=(80, 4, 4, 2)).astype(np.float32)
    y = (images.mean(axis=(1, 2))[:, 0] > 0).astype(int)
    found = Network([L.Conv2D(8, 3), Mean(), Dense(2)], random_state=0).diagnose(images, y, epochs=2)
    assert "missing-nonlinearity" in [f.name for f in found.findings]
    roles = [c.role for c in found.statistics.calls.values()]
    assert roles == ["weight", "pooling", "weight"]


def test_standardised_inputs_do_not_hide_a_missing_activation() -> None:
    y = X[:, 0] * X[:, 1]
    found = Network([Standardize(), Dense(8), Dense(1)], random_state=0).diagnose(X, y[:, None], epochs=2)
    assert "no activation in the whole network" in [f.title for f in found.findings]


# ---------------------------------------------------------------- cures


def changed(layers: list[Layer], shape: Any, change: Change) -> list[str]:
    network = Network(layers, random_state=0).build(shape)
    setup = Setup(Definition.of(network), FitSettings.of({}))
    x = np.zeros((4, *shape), np.float32)
    made = apply(setup, [change], Context(network, [x], [np.zeros(4, int)]))
    return [repr(made.definition.layers[use.layer]) for use in made.definition.uses]


def test_changes_know_an_activation_of_ones_own() -> None:
    layers = [Dense(8), Bounded(), Dense(8), Logistic(), Dense(3)]
    replaced = changed(layers, (6,), Change("activation", {"to": "relu"}))
    assert replaced == ["Dense(8)", "ReLU()", "Dense(8)", "ReLU()", "Dense(3)"]
    dropped = changed(layers, (6,), Change("dropout", {"rate": 0.3}))
    assert dropped == ["Dense(8)", "Bounded()", "Dropout(0.3)", "Dense(8)", "Logistic()", "Dropout(0.3)", "Dense(3)"]
    ended = changed([*layers, Bounded()], (6,), Change("output", {"activation": "identity"}))
    assert ended == [repr(one) for one in layers]


def test_changes_know_a_pooling_and_a_layer_with_weights_of_ones_own() -> None:
    class Scaled(Layer):
        """``y = x ⊙ w``: weights of its own, without an argument for their start."""

        def parameters(self, *shapes: Any) -> Any:
            return {"weight": L.Parameter(shapes[0][-1:], "ones")}

        def forward(self, k: Any, x: Any) -> Any:
            w = k.param("weight")
            return k.multiply(x, w), Saved(x=x, w=w)

        def backward(self, k: Any, saved: Any, dy: Any) -> Any:
            k.grad("weight", k.sum_to(k.multiply(dy, saved.x), saved.w.shape))
            return k.multiply(dy, saved.w)

    layers = [L.Conv2D(4, 3), Mean(), ReLU(), Scaled(), ReLU(), Dense(2)]
    found = changed(layers, (5, 5, 2), Change("normalise", {"by": "batch_norm"}))
    assert found == [
        "Conv2D(4, kernel=3)", "BatchNorm()", "Mean()", "ReLU()", "Scaled()", "BatchNorm()", "ReLU()", "Dense(2)",
    ]  # fmt: skip
    wider = changed(layers, (5, 5, 2), Change("capacity", {"factor": 2.0}))
    assert wider[0] == "Conv2D(8, kernel=3)" and wider[3] == "Scaled()"


def test_a_normalisation_of_ones_own_counts_as_one() -> None:
    class Halved(Layer):
        role = "normalisation"

        def forward(self, k: Any, x: Any) -> Any:
            return k.multiply(x, 0.5), Saved()

        def backward(self, k: Any, saved: Any, dy: Any) -> Any:
            return k.multiply(dy, 0.5)

    found = changed(
        [Dense(8), Halved(), ReLU(), Dense(8), ReLU(), Dense(2)], (6,), Change("normalise", {"by": "layer_norm"})
    )
    assert found == ["Dense(8)", "Halved()", "ReLU()", "Dense(8)", "LayerNorm()", "ReLU()", "Dense(2)"]


def test_a_layer_of_ones_own_that_measures_the_data() -> None:
    class Unit(Layer):
        """``y = x / s`` with the largest |x| of the training data as s."""

        measures = "inputs"

        def states(self, *shapes: Any) -> Any:
            return {"scale": L.State(shapes[0][-1:], 1.0)}

        def measure(self, data: Any) -> Any:
            return {"scale": np.abs(data).max(axis=0)}

        def forward(self, k: Any, x: Any) -> Any:
            s = k.state("scale")
            return k.divide(x, s), Saved(s=s)

        def backward(self, k: Any, saved: Any, dy: Any) -> Any:
            return k.divide(dy, saved.s)

    net = Network([Unit(), Dense(2)], random_state=0).fit(X, LABELS, epochs=1, verbose=0)
    np.testing.assert_allclose(net.states["0.unit.scale"], np.abs(X).max(axis=0))


def test_facts_of_wrapped_layers() -> None:
    assert L.TimeDistributed(Dropout(0.2)).role == "regularisation" and L.TimeDistributed(Flatten()).passes_scale
    assert L.TimeDistributed(ReLU()).role == "other" and BatchNorm().uses_batch_statistics and LSTM(2).recurrence == "cell"
