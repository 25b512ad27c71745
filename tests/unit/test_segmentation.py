"""Losses and metrics of pixels, and networks that give every pixel its class."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest

from chainrule import Conv2D, Network, load
from chainrule.architectures import unet
from chainrule.errors import DataError, ParameterError, ShapeError
from chainrule.losses import BinaryCrossEntropy, DiceLoss, SoftmaxCrossEntropy, SquaredError, SumLoss
from chainrule.metrics import F1, Dice, IoU


def discs(n: int = 24, side: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pictures of one bright disc each, and where it is."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[:side, :side]
    centre, radius = rng.uniform(4, side - 4, (n, 2, 1, 1)), rng.uniform(2, 5, (n, 1, 1))
    mask = (row - centre[:, 0]) ** 2 + (column - centre[:, 1]) ** 2 < radius**2
    pictures = 0.7 * mask + rng.normal(0, 0.2, mask.shape)
    return pictures[..., None].astype(np.float32), mask


@pytest.mark.parametrize("name", ["losses.dice_loss", "losses.sum_loss", "metrics.iou", "metrics.dice"])
def test_examples_of_the_docstrings_run(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"chainrule.{name}"))
    assert found.attempted and not found.failed


# ---------------------------------------------------------------- losses of pixels


@pytest.mark.parametrize("engine", ["onednn", "reference"])
def test_cross_entropies_are_means_over_pixels(engine: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 5, 4, 2)).astype(np.float32)
    one = Network([Conv2D(1, 1)], random_state=0).build((5, 4, 2))
    y = rng.integers(0, 2, (3, 5, 4))
    one.fit(x, y, epochs=1, learning_rate=1e-30, verbose=0, engine=engine, optimizer="sgd")
    assert one.loss_ == BinaryCrossEntropy()
    z = one.predict(x)[..., 0].astype(np.float64)
    wanted = (np.log1p(np.exp(z)) - y * z).mean()
    for masks in (y, y[..., None], y.astype(float), y.astype(bool)):
        assert one.evaluate(x, masks)["loss"] == pytest.approx(wanted, rel=1e-5)
    assert one.history_["loss"][0] == pytest.approx(wanted, rel=1e-5)
    assert one.evaluate(x, y)["accuracy"] == pytest.approx(((z > 0) == y).mean())

    many = Network([Conv2D(3, 1)], random_state=0).build((5, 4, 2))
    y = rng.integers(0, 3, (3, 5, 4))
    many.fit(x, y, epochs=1, learning_rate=1e-30, verbose=0, engine=engine, optimizer="sgd")
    assert many.loss_ == SoftmaxCrossEntropy()
    z = many.predict(x).astype(np.float64)
    z -= np.log(np.exp(z).sum(-1, keepdims=True))
    wanted = -np.take_along_axis(z, y[..., None], -1).mean()
    for masks in (y, y[..., None], np.eye(3)[y]):
        assert many.evaluate(x, masks)["loss"] == pytest.approx(wanted, rel=1e-5)


def test_dice_loss_at_its_limits() -> None:
    y = np.zeros((1, 4, 4))
    y[0, :2] = 1
    net = Network([Conv2D(1, 1, weight_init="ones")], random_state=0).build((4, 4, 1))
    sure = np.where(y == 1, 100.0, -100.0)[..., None].astype(np.float32)
    assert net.evaluate(sure, y, loss=DiceLoss())["loss"] == pytest.approx(0, abs=1e-6)
    assert net.evaluate(-sure, y, loss=DiceLoss(smooth=0))["loss"] == pytest.approx(1, abs=1e-6)
    nothing = np.full((1, 4, 4, 1), -100, np.float32)
    assert net.evaluate(nothing, 0 * y, loss=DiceLoss())["loss"] == pytest.approx(0, abs=1e-6)
    assert net.evaluate(nothing, 0 * y, loss=DiceLoss(smooth=0))["loss"] == pytest.approx(1)
    assert np.isfinite(net.input_gradient(nothing, 0 * y, loss=DiceLoss(smooth=0))).all()


def test_sum_of_losses_is_their_sum() -> None:
    x, y = discs(4)
    net = Network([Conv2D(1, 3, padding="same")], random_state=0).build((16, 16, 1))
    parts = [net.evaluate(x, y, loss=loss)["loss"] for loss in (BinaryCrossEntropy(), DiceLoss())]
    both = SumLoss([BinaryCrossEntropy(), DiceLoss()], weights=[2, 0.5])
    assert net.evaluate(x, y, loss=both)["loss"] == pytest.approx(2 * parts[0] + 0.5 * parts[1], rel=1e-5)
    weight = np.array([1.0, 0.0, 2.0, 0.0])
    each = [net.evaluate(x[i : i + 1], y[i : i + 1], loss=both)["loss"] for i in range(4)]
    found = net.evaluate(x, y, loss=both, sample_weight=weight)["loss"]
    assert found == pytest.approx((each[0] + 2 * each[2]) / 4, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda net, x, y: net.fit(x, y[:, :8], loss="dice", verbose=0), ShapeError, r"\(N, 16, 16, 1\).*\(4, 8, 16\)"),
        (lambda net, x, y: net.fit(x, y[:, :8], loss="bce", verbose=0), ShapeError, r"\(N, 16, 16, 1\).*\(4, 8, 16\)"),
        (lambda net, x, y: net.fit(x, y[:3], verbose=0), DataError, "4.*3"),
        (lambda net, x, y: net.fit(x, 255 * y, loss="dice", verbose=0), DataError, r"in \[0, 1\].*255"),
        (lambda net, x, y: net.fit(x, y, loss=DiceLoss(smooth=-1), verbose=0), ParameterError, "smooth"),
        (lambda net, x, y: net.fit(x, y, loss=SumLoss([]), verbose=0), ParameterError, "must be a list"),
        (lambda net, x, y: net.fit(x, y, loss=SumLoss(["dice"], weights=[1, 2]), verbose=0), ParameterError, "weights"),
        (lambda net, x, y: net.fit(x, y, loss=SumLoss(["multi_class_hinge", "mse"]), verbose=0), ShapeError, "in common"),
        (
            lambda net, x, y: net.fit(x, y, loss=SumLoss([SoftmaxCrossEntropy(ignore_label=0)]), verbose=0),
            ParameterError,
            "ignores labels",
        ),
        (lambda net, x, y: Network([Conv2D(4, 3, groups=2)]).build((8, 8, 3)), ShapeError, "groups=2 does not divide"),
        (lambda net, x, y: Network([Conv2D(3, 3, groups=2)]), ParameterError, "groups=2 does not divide channels=3"),
        (lambda net, x, y: Network([Conv2D(3, 9)]).build((8, 8, 3)), ShapeError, "layer '0.conv2d'.*larger|kernel"),
    ],
)
def test_bad_masks_and_arguments(make, error: type[Exception], message: str) -> None:  # type: ignore[no-untyped-def]
    x, y = discs(4)
    net = Network([Conv2D(1, 3, padding="same")], random_state=0).build((16, 16, 1))
    with pytest.raises(error, match=message):
        make(net, x, y)


# ---------------------------------------------------------------- metrics


def test_metrics_of_regions() -> None:
    rng = np.random.default_rng(0)
    y = rng.random((5, 6, 6)) < 0.3
    y[0] = False
    p = np.clip(y + rng.normal(0, 0.5, y.shape), 0, 1)[..., None]
    p[0] = 0
    decided = p[..., 0] > 0.5
    both, either = (y & decided).sum(), (y | decided).sum()
    assert IoU()(y, p) == pytest.approx(both / either)
    assert Dice()(y, p) == pytest.approx(2 * both / (y.sum() + decided.sum())) == F1()(y, p)
    each = [(y[i] & decided[i]).sum() / (y[i] | decided[i]).sum() for i in range(1, 5)]  # picture 0 has and claims nothing
    assert IoU(per_sample=True)(y, p) == pytest.approx(np.mean(each))
    assert Dice(per_sample=True)(np.zeros((2, 3)), np.zeros((2, 3, 1))) == 0.0


def test_metrics_of_classes_leave_out_what_weighs_nothing() -> None:
    y = np.array([[0, 1, 1, 2]])
    p = np.eye(3)[np.array([[0, 1, 2, 2]])]
    assert IoU()(y, p) == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert IoU()(y, p, np.array([[0.0, 1, 1, 1]])) == pytest.approx((0.5 + 0.5) / 2)
    assert IoU(per_sample=True)(np.repeat(y, 2, 0), np.repeat(p, 2, 0), np.array([1.0, 0])) == pytest.approx(2 / 3)


# ---------------------------------------------------------------- masks that do not fit


@pytest.mark.parametrize("cut", [lambda y: y[:, :8], lambda y: y.reshape(len(y), -1), lambda y: y[:, 0, 0]])
def test_masks_of_another_size_are_one_error_about_masks(cut) -> None:  # type: ignore[no-untyped-def]
    x, y = discs(8)
    net = Network([Conv2D(1, 3, padding="same")], random_state=0)
    with pytest.raises(
        ShapeError, match=r"y of shape .* does not fit .*\(N, 16, 16, 1\).*A mask has the size of its picture"
    ):
        net.fit(x, cut(y), epochs=1, verbose=0)


def test_masks_of_black_and_white_are_said_to_be_learned_as_numbers() -> None:
    x, y = discs(8)
    net = Network([Conv2D(1, 3, padding="same")], random_state=0)
    with pytest.warns(UserWarning, match=r"0 and 255 alone.*y > 0"):
        net.fit(x, y.astype(np.uint8) * 255, epochs=1, verbose=0)
    assert isinstance(net.loss_, SquaredError)
    net.fit(x, y.astype(np.uint8) * 255, loss="squared_error", epochs=1, verbose=0)  # said on purpose: no warning


# ---------------------------------------------------------------- a whole network


def test_a_small_unet_finds_discs(tmp_path) -> None:  # type: ignore[no-untyped-def]
    x, y = discs(48)
    net = unet(channels=(8, 16), input_shape=(16, 16, 1), random_state=0)
    loss = SumLoss([BinaryCrossEntropy(), DiceLoss()])
    options = {"epochs": 12, "batch_size": 8, "learning_rate": 0.01, "metrics": ["dice", "iou", "accuracy"], "verbose": 0}
    net.fit(x[:32], y[:32], loss=loss, validation_data=(x[32:], y[32:]), **options)
    found = net.evaluate(x[32:], y[32:])
    assert found["dice"] > 0.9 and found["iou"] == pytest.approx(found["dice"] / (2 - found["dice"]))
    assert net.history_["val_dice"][-1] == pytest.approx(found["dice"])
    probability = net.loss_.prediction(net.predict(x[32:]))
    assert Dice()(y[32:], probability) == pytest.approx(found["dice"])
    net.save(tmp_path / "discs.chainrule")
    again = load(tmp_path / "discs.chainrule")
    assert again.loss_ == loss and again.evaluate(x[32:], y[32:])["accuracy"] == pytest.approx(found["accuracy"])


def test_squared_error_of_pixels_is_as_before() -> None:
    assert SquaredError().entries((4, 3, 2)) == 6
    assert BinaryCrossEntropy().entries((4, 3, 2)) == 3 and BinaryCrossEntropy().entries((4, 2)) == 1
    assert BinaryCrossEntropy().entries((4,)) == 1
