"""The losses of detection: heat maps of objects, and boxes by their overlap."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest
from numpy.typing import NDArray

from chainrule.errors import DataError, ParameterError, ShapeError
from chainrule.losses import BoxGIoU, DifferentiableBinarization, HeatMapFocal
from chainrule.testing import check_loss

Array = NDArray[np.float64]


def heat_maps(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Values below 1, and some peaks; in the last sample there is none."""
    y = rng.uniform(0, 0.99, shape)
    y[rng.random(shape) < 0.1] = 1.0
    y[-1] = np.minimum(y[-1], 0.9)
    return y


def sides_and_weights(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    y = rng.uniform(0.1, 4, shape)
    y[..., 4] *= rng.random(shape[:-1]) < 0.5
    y[-1, ..., 4] = 0
    return y


def heat_map_focal(z: Array, y: Array, gamma: float, beta: float) -> Array:
    h = 1 / (1 + np.exp(-z))
    cost = np.where(y == 1, -((1 - h) ** gamma) * np.log(h), -((1 - y) ** beta) * h**gamma * np.log1p(-h))
    places = tuple(range(1, z.ndim))
    return cost.sum(axis=places) / np.maximum(1, (y == 1).sum(axis=places))


def giou(z: Array, y: Array) -> Array:
    """From corners, as the paper states it."""
    p, t, w = np.exp(z), y[..., :4], y[..., 4]
    a, b = (np.concatenate([-s[..., :2], s[..., 2:]], axis=-1) for s in (p, t))

    def area(low: Array, high: Array) -> Array:
        return np.prod(np.maximum(high - low, 0), axis=-1)

    both = area(np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:]))
    union = area(a[..., :2], a[..., 2:]) + area(b[..., :2], b[..., 2:]) - both
    around = area(np.minimum(a[..., :2], b[..., :2]), np.maximum(a[..., 2:], b[..., 2:]))
    places = tuple(range(1, w.ndim))
    return (w * (1 - both / union + (around - union) / around)).sum(axis=places) / np.maximum(1, w.sum(axis=places))


@pytest.mark.parametrize(("gamma", "beta"), [(2.0, 4.0), (0.0, 0.0), (1.5, 1.0)])
def test_heat_map_focal(gamma: float, beta: float) -> None:
    check_loss(
        HeatMapFocal(gamma, beta=beta), (3, 2, 2), draw_target=heat_maps,
        reference=lambda z, y: heat_map_focal(z, y, gamma, beta),
    )  # fmt: skip


def test_box_giou() -> None:
    check_loss(
        BoxGIoU(), (3, 2, 4), draw_target=sides_and_weights, reference=giou,
        draw_output=lambda rng, shape, dtype: rng.normal(0, 0.7, shape),
    )  # fmt: skip


def maps_of_text(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Text, places that count, thresholds, and where these count; the last sample has no text and no thresholds."""
    y = rng.random(shape)
    for i, share in ((0, 0.3), (1, 0.9), (3, 0.5)):
        y[..., i] = y[..., i] < share
    y[-1, ..., 0] = y[-1, ..., 3] = 0
    return y


def differentiable_binarization(z: Array, y: Array, k: float, alpha: float, beta: float) -> Array:
    p, t = (1 / (1 + np.exp(-z[..., i])) for i in range(2))
    b = 1 / (1 + np.exp(-k * (p - t)))
    text, m, tau, u = (y[..., i] for i in range(4))
    places = tuple(range(1, text.ndim))
    yes, no = (m * text).sum(axis=places), (m * (1 - text)).sum(axis=places)
    share = np.minimum(1, 3 * np.maximum(yes, 1) / np.maximum(no, 1)).reshape(-1, *(1,) * len(places))
    w = m * (text + (1 - text) * share)
    entropy = -(text * np.log(p) + (1 - text) * np.log1p(-p))
    balanced = (w * entropy).sum(axis=places) / np.maximum(1, w.sum(axis=places))
    dice = 1 - (2 * (m * b * text).sum(axis=places) + 1) / ((m * b).sum(axis=places) + yes + 1)
    edges = (u * np.abs(t - tau)).sum(axis=places) / np.maximum(1, u.sum(axis=places))
    return balanced + alpha * dice + beta * edges


@pytest.mark.parametrize(("k", "alpha", "beta"), [(50.0, 1.0, 10.0), (5.0, 0.0, 2.0)])
def test_differentiable_binarization(k: float, alpha: float, beta: float) -> None:
    check_loss(
        DifferentiableBinarization(steepness=k, binary=alpha, thresholds=beta), (3, 4, 2), draw_target=maps_of_text,
        reference=lambda z, y: differentiable_binarization(z, y, k, alpha, beta),
    )  # fmt: skip


def test_losses_at_their_limits() -> None:
    from chainrule import Input, Network
    from chainrule.layers import Identity

    net = Network([Input((2, 2, 1)), Identity()], random_state=0).build()
    y = np.zeros((1, 2, 2, 1))
    y[0, 0, 0] = 1
    for size in (1e4, -1e4):
        z = np.full((1, 2, 2, 1), size, np.float32)
        assert np.isfinite(net.evaluate(z, y, loss=HeatMapFocal())["loss"])
        assert np.isfinite(net.input_gradient(z, y, loss=HeatMapFocal())).all()
    sides = Network([Input((1, 4)), Identity()], random_state=0).build()
    for size in (1e4, -1e4):
        z, y = np.full((1, 1, 4), size, np.float32), np.ones((1, 1, 5))
        assert 0 <= sides.evaluate(z, y, loss=BoxGIoU())["loss"] <= 2
        assert np.isfinite(sides.input_gradient(z, y, loss=BoxGIoU())).all()
    maps = Network([Input((2, 2, 2)), Identity()], random_state=0).build()
    for z in (np.full((1, 2, 2, 2), size, np.float32) for size in (1e4, -1e4)):
        for y in (np.ones((1, 2, 2, 4)), np.zeros((1, 2, 2, 4))):
            assert np.isfinite(maps.evaluate(z, y, loss=DifferentiableBinarization())["loss"])
            assert np.isfinite(maps.input_gradient(z, y, loss=DifferentiableBinarization())).all()
    equal = np.log(np.full((1, 1, 4), 3, np.float32))
    assert sides.evaluate(equal, np.array([[[3, 3, 3, 3, 1.0]]]), loss=BoxGIoU())["loss"] == pytest.approx(0, abs=1e-6)


def test_wrong_arguments_and_targets() -> None:
    with pytest.raises(ParameterError, match="gamma must be a finite number"):
        HeatMapFocal(-1).validate()
    with pytest.raises(DataError, match="between 0 and 1"):
        HeatMapFocal().validate_targets(np.full((1, 2, 2, 1), 1.5), (1, 2, 2, 1))
    with pytest.raises(ShapeError, match="text and of thresholds"):
        DifferentiableBinarization().target((1, 2, 2, 3))
    with pytest.raises(DataError, match="between 0 and 1"):
        DifferentiableBinarization().validate_targets(np.full((1, 2, 4), 2.0), (1, 2, 2))
    with pytest.raises(ShapeError, match="four sides"):
        BoxGIoU().target((1, 2, 2, 3))
    with pytest.raises(DataError, match="at least 0"):
        BoxGIoU().validate_targets(np.full((1, 2, 5), -1.0), (1, 2, 4))


@pytest.mark.parametrize("name", ["heat_map_focal", "box_giou", "differentiable_binarization"])
def test_examples_of_the_docstrings_run(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"chainrule.losses.{name}"))
    assert found.attempted and not found.failed
