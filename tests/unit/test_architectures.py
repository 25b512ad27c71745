"""The ready networks: their sizes against their papers, what they refuse, and that they learn."""

from __future__ import annotations

import doctest
import importlib
import math

import numpy as np
import pytest

from chainrule.architectures import (
    ARCHITECTURES,
    autoencoder,
    get_architecture,
    lenet5,
    mobilenet_small,
    resnet,
    unet,
    vgg_small,
)
from chainrule.errors import ParameterError, ShapeError, UnknownNameError

SHAPES = {
    "autoencoder": (8, 8, 1),
    "efficientnet_lite0": (32, 32, 3),
    "lenet5": (16, 16, 1),
    "mobilenet_small": (16, 16, 3),
    "resnet20": (8, 8, 3),
    "squeezenet": (64, 64, 3),
    "unet": (16, 16, 1),
    "vgg_small": (8, 8, 3),
}
OUTPUTS = {"autoencoder": (8, 8, 1), "unet": (16, 16, 1), "efficientnet_lite0": (1000,), "squeezenet": (1000,)}


@pytest.mark.parametrize(
    "name", ["autoencoder", "efficientnet_lite", "lenet5", "mobilenet_small", "registry", "resnet", "unet", "vgg_small"]
)
def test_examples_of_the_docstrings_run(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"chainrule.architectures.{name}"))
    assert found.attempted and not found.failed


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_each_is_made_by_name_and_predicts(name: str) -> None:
    net = get_architecture(name)(input_shape=SHAPES[name], random_state=0)
    x = np.random.default_rng(0).random((3, *SHAPES[name]), np.float32)
    z = net.predict(x)
    assert z.shape == (3, *OUTPUTS.get(name, (10,))) and np.isfinite(z).all() and z.std() > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_each_takes_its_number_of_outputs_first_and_its_shape_from_the_first_fit(name: str) -> None:
    net = get_architecture(name)(1, random_state=0)
    assert not net.built
    x = np.random.default_rng(0).random((4, *SHAPES[name]), np.float32)
    y = x if name == "autoencoder" else np.zeros((4, *net.build(SHAPES[name]).output_shapes[0]), np.float32)
    net.fit(x, y, loss="squared_error", epochs=1, batch_size=2, verbose=0)
    assert np.isfinite(net.history_["loss"]).all()


def test_lenet5_has_the_weights_of_its_paper() -> None:
    net = lenet5(input_shape=(28, 28, 1), random_state=0)
    sizes = [net.parameters[n].size for n in net.parameters]
    assert sizes == [150, 6, 2400, 16, 48_000, 120, 10_080, 84, 840, 10]
    assert abs(net.parameters["0.conv2d.weight"]).max() <= math.sqrt(3 / 25)


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (56, 0.85), (110, 1.7)])
def test_resnet_has_the_weights_of_its_paper(depth: int, millions: float) -> None:
    count = resnet(depth, input_shape=(32, 32, 3)).parameters.count
    assert count / 1e6 == pytest.approx(millions, rel=0.03)


def test_resnet_starts_by_hes_law() -> None:
    net = resnet(20, input_shape=(32, 32, 3), random_state=0)
    name = next(n for n in net.parameters if net.parameters[n].shape == (3, 3, 64, 64))
    assert net.parameters[name].std() == pytest.approx(math.sqrt(2 / (9 * 64)), rel=0.02)


def test_unet_starts_as_its_paper_says_and_keeps_the_size() -> None:
    net = unet(2, channels=(8, 16, 32), input_shape=(16, 24, 3), random_state=0)
    assert net.output_shapes == [(16, 24, 2)]
    name = next(n for n in net.parameters if net.parameters[n].shape == (3, 3, 32, 32))
    assert net.parameters[name].std() == pytest.approx(math.sqrt(2 / (9 * 32)), rel=0.05)


def test_unet_needs_sides_that_can_be_halved() -> None:
    with pytest.raises(ShapeError, match=r"multiples of 8.*\(30, 32, 1\).*32×32"):
        unet(input_shape=(30, 32, 1))
    with pytest.raises(ShapeError, match=r"Concat.*from '.*' and .*from '"):  # found when the network is built: both layers
        unet().build((30, 32, 1))


def test_vgg_takes_sides_that_are_odd_on_the_way() -> None:
    net = vgg_small(2, stages=((4,), (4,), (4,)), input_shape=(28, 30, 1), random_state=0)
    assert net.layers["12.flatten"] and net.predict(np.zeros((1, 28, 30, 1))).shape == (1, 2)


def test_a_built_network_may_be_built_again() -> None:
    net = resnet(8, 2, input_shape=(8, 8, 1), random_state=0)
    weights = {name: w.copy() for name, w in net.parameters.items()}
    assert net.build() is net and all((net.parameters[name] == w).all() for name, w in weights.items())


def test_mobilenet_is_scaled_by_its_width() -> None:
    half, whole = (mobilenet_small(width=w, input_shape=(16, 16, 3)).parameters.count for w in (0.5, 1.0))
    assert 3 < whole / half < 4


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: lenet5(0), ParameterError, "classes must be an int of at least 1"),
        (lambda: lenet5(pooling="median"), ParameterError, '"average" or "max"'),
        (lambda: lenet5(input_shape=(10, 10, 1)), ShapeError, "layer"),
        (lambda: resnet(21), ParameterError, "8, 14, 20"),
        (lambda: resnet("20"), ParameterError, "depth"),
        (lambda: resnet(20, channels=()), ParameterError, "channels"),
        (lambda: vgg_small(stages=((16, 0),)), ParameterError, r"stages\[0\]"),
        (lambda: vgg_small(input_shape=(7, 12, 3)), ShapeError, "at least 8"),
        (lambda: unet(channels=(16,)), ParameterError, "at least 2"),
        (lambda: autoencoder(input_shape=(30, 30, 1)), ShapeError, "multiples of 4"),
        (lambda: mobilenet_small(width=0), ParameterError, "width"),
        (lambda: get_architecture("resnet21")(10), ParameterError, "depth"),
        (lambda: get_architecture("lenet"), UnknownNameError, "Did you mean 'lenet5'"),
        (lambda: get_architecture(20), ParameterError, "name"),
    ],
)
def test_bad_arguments(make, error: type[Exception], message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=message):
        make()


def test_a_small_one_learns() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 64)
    x = rng.normal(0, 0.3, (64, 8, 8, 1)).astype(np.float32)
    x[y == 1, 2:6, 2:6] += 1.0
    net = resnet(8, 2, channels=(4, 8, 8), random_state=0)
    net.fit(x, y, epochs=6, batch_size=16, learning_rate=0.01, verbose=0)
    assert net.history_["accuracy"][-1] > 0.9
