"""chainrule.losses: values, derivatives, extremes, weights, targets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import DataError, ModelFileError, ParameterError, ShapeError, UnknownNameError
from chainrule.layers import Identity, Input
from chainrule.losses import (
    CTC,
    AbsoluteError,
    BinaryCrossEntropy,
    BinaryFocal,
    BoxGIoU,
    DiceLoss,
    DifferentiableBinarization,
    HeatMapFocal,
    Hinge,
    Huber,
    KLDivergence,
    Loss,
    MultiClassHinge,
    OutputLoss,
    Poisson,
    SoftmaxCrossEntropy,
    SoftmaxFocal,
    SquaredError,
    SumLoss,
    TverskyLoss,
    get_loss,
)
from chainrule.losses.base import ALIASES
from chainrule.network import NetworkGraph
from chainrule.plan import lower_training, optimise
from chainrule.registry import from_config, to_config
from chainrule.testing import check_loss

Array = NDArray[Any]
TINY, NEAR_ONE = 2.0**-126, 1 - 2.0**-24


def run(
    loss: Loss, z: Any, y: Any, weight: Any = None, dtype: str = "float32", kind: str | None = None
) -> tuple[float, Array]:
    """J and dJ/dz on the reference engine."""
    z, y = np.asarray(z, dtype), np.asarray(y)
    network = NetworkGraph([Input(z.shape[1:]), Identity()], dtype=dtype).build()
    form = loss.target_form(y, z.shape)
    kind = kind or (None if weight is None else "sample")
    plan = lower_training(
        network, [loss], None, len(z), targets=[form], weights=[kind], input_gradients=True, training=False
    )
    executable = ReferenceEngine(dtype).compile(optimise(plan), {"parameters": np.zeros(0), "gradients": np.zeros(0)})
    inputs = {"x0": z, "y0": y} | ({} if weight is None else {"w0": np.asarray(weight)})
    found = executable.run(inputs)
    return float(found["loss"]), found["dx0"]


# ------------------------------------------------------------ formulas, written another way than in the losses


def log_softmax(z: Array) -> Array:
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)


def bce(z: Array, y: Array, s: float = 0.0) -> Array:
    y = y.reshape(z.shape) * (1 - s) + s / 2
    return y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)


def bce_p(p: Array, y: Array) -> Array:
    y, p = y.reshape(p.shape), np.clip(p, TINY, NEAR_ONE)
    return -y * np.log(p) - (1 - y) * np.log(1 - p)


def as_distribution(y: Array, classes: int, s: float = 0.0) -> Array:
    t = np.eye(classes)[y.astype(int)] if y.dtype.kind in "iu" else y
    return t * (1 - s) + s / classes


def multi_class_hinge(z: Array, y: Array) -> Array:
    found = np.empty(y.shape)
    for at in np.ndindex(y.shape):
        others = np.delete(z[at], y[at])
        found[at] = max(0.0, 1 + others.max() - z[at][y[at]])
    return found


def huber(z: Array, y: Array, delta: float) -> Array:
    d = np.abs(z - y.reshape(z.shape))
    return np.where(d <= delta, 0.5 * d**2, delta * (d - 0.5 * delta))


def kl(z: Array, t: Array) -> Array:
    return np.where(t > 0, t * (np.log(np.where(t > 0, t, 1)) - log_softmax(z)), 0).sum(axis=-1)


Draw = Callable[[np.random.Generator, tuple[int, ...], str], Array]


def uniform(low: float, high: float) -> Draw:
    return lambda rng, shape, dtype: rng.uniform(low, high, shape)


def bits(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    return rng.integers(0, 2, shape).astype(float)


def signs(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    return 2 * bits(rng, shape, dtype) - 1


def counts(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    return rng.poisson(2.0, shape).astype(float)


def sparse_distribution(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    t = rng.uniform(0, 1, shape) * rng.integers(0, 2, shape)
    t[..., 0] += 0.1
    return t / t.sum(axis=-1, keepdims=True)


def dice(z: Array, y: Array, smooth: float = 1.0) -> Array:
    if z.shape[-1] == 1:
        p, t = 1 / (1 + np.exp(-z)), y.reshape(z.shape)
    else:
        p, t = np.exp(log_softmax(z)), as_distribution(y, z.shape[-1])
    axes = tuple(range(1, z.ndim - 1))
    top = 2 * (p * t).sum(axis=axes) + smooth
    return (1 - top / (p.sum(axis=axes) + t.sum(axis=axes) + smooth)).mean(axis=-1)


def tversky(z: Array, y: Array, alpha: float, beta: float, smooth: float) -> Array:
    if z.shape[-1] == 1:
        p, t = 1 / (1 + np.exp(-z)), y.reshape(z.shape)
    else:
        p, t = np.exp(log_softmax(z)), as_distribution(y, z.shape[-1])
    axes = tuple(range(1, z.ndim - 1))
    both = (p * t).sum(axis=axes)
    wrong, missed = (p * (1 - t)).sum(axis=axes), ((1 - p) * t).sum(axis=axes)
    return (1 - (both + smooth) / (both + alpha * wrong + beta * missed + smooth)).mean(axis=-1)


def focal(z: Array, y: Array, gamma: float, alpha: float | None = None) -> Array:
    y, h = y.reshape(z.shape), 1 / (1 + np.exp(-z))
    yes, no = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    return -yes * y * (1 - h) ** gamma * np.log(h) - no * (1 - y) * h**gamma * np.log(1 - h)


def softmax_focal(z: Array, y: Array, gamma: float) -> Array:
    t, log_p = as_distribution(y, z.shape[-1]), log_softmax(z)
    return -(t * (1 - np.exp(log_p)) ** gamma * log_p).sum(axis=-1)


def weighted_bce(z: Array, y: Array, weights: Any) -> Array:
    y = y.reshape(z.shape)
    return np.asarray(weights) * y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)


def positive_distribution(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    p = rng.uniform(0.1, 1, shape)
    return p / p.sum(axis=-1, keepdims=True)


# loss, shape of an output, formula, draw z, draw y
CASES: dict[str, tuple[Loss, tuple[int, ...], Callable[..., Array], Draw | None, Draw | None]] = {
    "squared": (SquaredError(), (3,), lambda z, y: (z - y) ** 2, None, None),
    "squared, one output": (SquaredError(), (1,), lambda z, y: (z - y.reshape(z.shape)) ** 2, None, None),
    "squared, no axis": (SquaredError(), (), lambda z, y: (z - y) ** 2, None, None),
    "absolute": (AbsoluteError(), (2, 3), lambda z, y: abs(z - y), None, None),
    "huber": (Huber(), (3,), lambda z, y: huber(z, y, 1.0), None, None),
    "huber, delta": (Huber(delta=0.3), (1,), lambda z, y: huber(z, y, 0.3), None, None),
    "bce": (BinaryCrossEntropy(), (3,), bce, None, bits),
    "bce, one output": (BinaryCrossEntropy(), (1,), bce, None, bits),
    "bce, soft": (BinaryCrossEntropy(), (2, 3), bce, None, uniform(0, 1)),
    "bce, smoothed": (BinaryCrossEntropy(label_smoothing=0.2), (3,), lambda z, y: bce(z, y, 0.2), None, bits),
    "bce, probabilities": (
        BinaryCrossEntropy(from_probabilities=True),
        (3,),
        bce_p,
        uniform(0.05, 0.95),
        bits,
    ),
    "bce, weighted": (BinaryCrossEntropy(pos_weight=3.0), (3,), lambda z, y: weighted_bce(z, y, 3.0), None, uniform(0, 1)),
    "bce, weights": (
        BinaryCrossEntropy(pos_weight=[0.5, 2.0, 9.0]),
        (2, 3),
        lambda z, y: weighted_bce(z, y, [0.5, 2.0, 9.0]),
        None,
        bits,
    ),
    "bce, weighted probabilities": (
        BinaryCrossEntropy(from_probabilities=True, pos_weight=4.0),
        (3,),
        lambda p, y: -4 * y * np.log(p) - (1 - y) * np.log(1 - p),
        uniform(0.05, 0.95),
        bits,
    ),
    "focal": (BinaryFocal(), (3,), lambda z, y: focal(z, y, 2.0), None, bits),
    "focal, one output": (BinaryFocal(1.5, alpha=0.25), (2, 1), lambda z, y: focal(z, y, 1.5, 0.25), None, uniform(0, 1)),
    "focal, no fading": (BinaryFocal(0.0), (3,), lambda z, y: focal(z, y, 0.0), None, bits),
    "softmax focal": (SoftmaxFocal(), (4,), lambda z, y: softmax_focal(z, y, 2.0), None, None),
    "softmax focal, steps": (SoftmaxFocal(0.5), (2, 3), lambda z, y: softmax_focal(z, y, 0.5), None, None),
    "softmax focal, no fading": (SoftmaxFocal(0.0), (3,), lambda z, y: softmax_focal(z, y, 0.0), None, None),
    "tversky": (TverskyLoss(), (3, 2, 1), lambda z, y: tversky(z, y, 0.3, 0.7, 1.0), None, bits),
    "tversky, soft": (
        TverskyLoss(1.0, beta=1.0, smooth=0.5),
        (4, 1),
        lambda z, y: tversky(z, y, 1, 1, 0.5),
        None,
        uniform(0, 1),
    ),
    "tversky, classes": (TverskyLoss(0.2, beta=0.8), (5, 3), lambda z, y: tversky(z, y, 0.2, 0.8, 1.0), None, None),
    "cross-entropy": (
        SoftmaxCrossEntropy(),
        (4,),
        lambda z, y: -(as_distribution(y, 4) * log_softmax(z)).sum(axis=-1),
        None,
        None,
    ),
    "cross-entropy, steps": (
        SoftmaxCrossEntropy(label_smoothing=0.1),
        (3, 4),
        lambda z, y: -(as_distribution(y, 4, 0.1) * log_softmax(z)).sum(axis=-1),
        None,
        None,
    ),
    "cross-entropy, probabilities": (
        SoftmaxCrossEntropy(from_probabilities=True, label_smoothing=0.1),
        (4,),
        lambda p, y: -(as_distribution(y, 4, 0.1) * np.log(p)).sum(axis=-1),
        positive_distribution,
        None,
    ),
    "hinge": (Hinge(), (3,), lambda z, y: np.maximum(0, 1 - y * z), None, signs),
    "hinge, one output": (Hinge(), (1,), lambda z, y: np.maximum(0, 1 - y.reshape(z.shape) * z), None, signs),
    "multi-class hinge": (MultiClassHinge(), (4,), multi_class_hinge, None, None),
    "multi-class hinge, steps": (MultiClassHinge(), (2, 3), multi_class_hinge, None, None),
    "poisson": (Poisson(), (3,), lambda z, y: np.exp(z) - y * z, None, counts),
    "poisson, rate": (
        Poisson(log_input=False),
        (1,),
        lambda r, y: r - y.reshape(r.shape) * np.log(r),
        uniform(0.2, 4),
        counts,
    ),
    "dice": (DiceLoss(), (3, 2, 1), dice, None, bits),
    "dice, soft": (DiceLoss(smooth=0.3), (4, 1), lambda z, y: dice(z, y, 0.3), None, uniform(0, 1)),
    "dice, classes": (DiceLoss(), (5, 3), dice, None, None),
    "sum": (
        SumLoss([BinaryCrossEntropy(), DiceLoss()], weights=[2.0, 0.5]),
        (3, 2, 1),
        lambda z, y: 2 * bce(z, y.reshape(z.shape)).mean(axis=(1, 2, 3)) + 0.5 * dice(z, y),
        None,
        bits,
    ),
    "sum, classes": (
        SumLoss(["cross_entropy", "dice"]),
        (5, 3),
        lambda z, y: -(as_distribution(y, 3) * log_softmax(z)).sum(axis=-1).mean(axis=1) + dice(z, y),
        None,
        None,
    ),
    "bce, pixels": (BinaryCrossEntropy(), (3, 2, 1), lambda z, y: bce(z, y.reshape(z.shape)), None, bits),
    "hinge, steps": (Hinge(), (3, 2), lambda z, y: np.maximum(0, 1 - y * z), None, signs),
    "output": (OutputLoss(), (3,), lambda z, y: z, None, None),
    "output, pictures": (OutputLoss(), (2, 3, 1), lambda z, y: z, None, None),
    "kl": (KLDivergence(), (4,), kl, None, sparse_distribution),
    "kl, steps": (KLDivergence(), (2, 3), kl, None, sparse_distribution),
}


@pytest.mark.parametrize("case", CASES)
def test_values_derivatives_weights_and_engines(case: str) -> None:
    loss, shape, formula, draw_z, draw_y = CASES[case]
    check_loss(loss, shape, reference=formula, draw_output=draw_z, draw_target=draw_y, batches=(1, 3))


def test_every_loss_is_checked() -> None:
    own = {loss for loss in Loss.registry.values() if loss.__module__.startswith("chainrule.losses")}
    elsewhere = {CTC, BoxGIoU, DifferentiableBinarization, HeatMapFocal}  # in test_losses_ctc.py, test_losses_of_boxes.py
    assert own <= {type(case[0]) for case in CASES.values()} | elsewhere


# ------------------------------------------------------------ extremes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("loss", "z", "y", "wanted", "gradient"),
    [
        (BinaryCrossEntropy(), [[1e4], [-1e4], [1e4], [-1e4]], [[1.0], [0], [0], [1]], 2e4 / 4, [0, 0, 0.25, -0.25]),
        (SoftmaxCrossEntropy(), [[1e4, -1e4], [1e4, -1e4]], [0, 1], 1e4, [0, 0, 0.5, -0.5]),
        (KLDivergence(), [[1e4, -1e4], [1e4, -1e4]], [[1.0, 0], [0, 1]], 1e4, [0, 0, 0.5, -0.5]),
        (Hinge(), [[1e4], [-1e4]], [[1.0], [1]], 10001 / 2, [0, -0.5]),
        (MultiClassHinge(), [[1e4, -1e4], [1e4, -1e4]], [0, 1], 20001 / 2, [0, 0, 0.5, -0.5]),
        (Huber(), [[1e30], [-1e30]], [[0.0], [0]], 1e30, [0.5, -0.5]),
        (Poisson(), [[-1e4]], [[0.0]], 0, [0]),
        (Poisson(), [[-1e4]], [[2.0]], 2e4, [-2]),
    ],
)
def test_extreme_outputs_are_exact(loss: Loss, z: Any, y: Any, wanted: float, gradient: Any, dtype: str) -> None:
    j, dz = run(loss, z, y, dtype=dtype)
    assert j == pytest.approx(wanted, rel=1e-6)
    np.testing.assert_allclose(dz.ravel(), gradient, rtol=1e-6, atol=1e-30)


def test_poisson_overflows_only_where_its_rate_does() -> None:
    assert np.isinf(run(Poisson(), [[89.0]], [[1.0]])[0])
    assert np.isfinite(run(Poisson(), [[88.0]], [[1.0]])[0])


@pytest.mark.parametrize("z", [5.0, 12.0, 20.0, 80.0])
def test_the_loss_of_sure_and_right_outputs_keeps_its_digits(z: float) -> None:
    wanted = np.log1p(np.exp(-z))
    assert run(BinaryCrossEntropy(), [[z]], [[1.0]])[0] == pytest.approx(wanted, rel=1e-6)
    assert run(BinaryCrossEntropy(), [[-z]], [[0.0]])[0] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_probabilities_are_cut_where_the_docstring_says(dtype: str) -> None:
    loss = BinaryCrossEntropy(from_probabilities=True)
    j, dh = run(loss, [[0.0], [1.0], [0.0], [1.0]], [[1.0], [0], [0], [1]], dtype=dtype)
    assert j == pytest.approx((126 * np.log(2) + 24 * np.log(2)) / 4, rel=1e-6)
    assert not dh.any()
    for edge, y in ((TINY, 1.0), (NEAR_ONE, 0.0)):
        _, dh = run(loss, [[edge]], [[y]], dtype=dtype)
        assert np.isfinite(dh).all() and abs(dh[0, 0]) == pytest.approx(1 / min(edge, 1 - edge), rel=1e-6)
    softmax = SoftmaxCrossEntropy(from_probabilities=True)
    j, dp = run(softmax, [[0.0, 1.0]], [0], dtype=dtype)
    assert j == pytest.approx(126 * np.log(2), rel=1e-6) and not dp.any()
    j, dp = run(softmax, [[TINY, 1.0]], [0], dtype=dtype)
    assert np.isfinite(dp).all() and dp[0, 0] == pytest.approx(-1 / TINY)
    j, dr = run(Poisson(log_input=False), [[0.0], [-3.0]], [[0.0], [1.0]], dtype=dtype)
    assert j == pytest.approx(126 * np.log(2) / 2, rel=1e-6) and not dr.any()


@settings(max_examples=30, deadline=None)
@given(st.floats(-15, 15), st.floats(0, 1))
def test_logits_and_probabilities_agree(z: float, y: float) -> None:
    p = 1 / (1 + np.exp(-z))
    from_logits, _ = run(BinaryCrossEntropy(), [[z]], [[y]], dtype="float64")
    from_p, _ = run(BinaryCrossEntropy(from_probabilities=True), [[p]], [[y]], dtype="float64")
    assert from_p == pytest.approx(from_logits, rel=1e-8, abs=1e-9)


def test_kl_of_equal_distributions_is_zero() -> None:
    t = np.array([[0.5, 0.25, 0.25, 0.0]])
    z = np.array([[np.log(0.5), np.log(0.25), np.log(0.25), -2e4]])
    j, dz = run(KLDivergence(), z, t, dtype="float64")
    assert abs(j) < 1e-12 and abs(dz).max() < 1e-12


# ------------------------------------------------------------ J


def test_sums_over_classes_and_means_over_numbers() -> None:
    z, y = np.array([[0.5, -1.0], [2.0, 3.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    assert run(BinaryCrossEntropy(), z, y, dtype="float64")[0] == pytest.approx(bce(z, y).sum() / 2)
    assert run(SquaredError(), z, y, dtype="float64")[0] == pytest.approx(((z - y) ** 2).mean())
    assert run(Hinge(), z, 2 * y - 1, dtype="float64")[0] == pytest.approx(np.maximum(0, 1 - (2 * y - 1) * z).sum() / 2)


@pytest.mark.parametrize("case", CASES)
def test_a_weight_of_two_is_a_sample_twice(case: str) -> None:
    loss, shape, _, draw_z, draw_y = CASES[case]
    rng = np.random.default_rng(3)
    z = (draw_z or (lambda r, s, d: r.normal(size=s)))(rng, (4, *shape), "float")
    target, dtype = loss.target((4, *shape))[0]
    y = rng.integers(0, shape[-1], target) if dtype == "int" else (draw_y or bits)(rng, target, dtype)
    weighted, dz = run(loss, z, y, [2.0, 1, 0, 1], "float64")
    order = [0, 0, 1, 3]
    plain, dz_twice = run(loss, z[order], y[order], None, "float64")
    assert weighted == pytest.approx(plain)
    np.testing.assert_allclose(dz[0], 2 * dz_twice[0], rtol=1e-9, atol=1e-12)
    assert not dz[2].any()


# ------------------------------------------------------------ targets


def test_one_output_takes_targets_without_its_axis() -> None:
    z, y = [[0.5], [-1.0]], np.array([1.0, 0.0])
    for loss in (BinaryCrossEntropy(), SquaredError(), Huber(), Poisson(), AbsoluteError()):
        assert run(loss, z, y)[0] == run(loss, z, y[:, None])[0]


def test_target_form_chooses_by_shape_then_dtype() -> None:
    loss = SoftmaxCrossEntropy()
    assert loss.target_form(np.zeros(5, int), (1, 3)) == 0
    assert loss.target_form(np.zeros((5, 3)), (1, 3)) == 1
    with pytest.raises(ShapeError, match=r"needs targets of shape \(N\) int or \(N, 3\) float. Got y of shape \(5, 2\)"):
        loss.target_form(np.zeros((5, 2)), (1, 3))


@pytest.mark.parametrize(
    ("loss", "y", "shape", "message"),
    [
        (SoftmaxCrossEntropy(), [0, 3, 1], (3, 3), r"indices from 0 to 2, for 3 outputs. Got y\[1\] = 3 \(1 of 3"),
        (SoftmaxCrossEntropy(), [1, 2, -1], (3, 3), r"Got y\[2\] = -1"),
        (SoftmaxCrossEntropy(), [1.0, 0.5], (2, 3), r"Got y\[1\] = 0.5"),
        (SoftmaxCrossEntropy(), [10, 20, 30], (3, 3), r"Labels that came: 10, 20, 30"),
        (SoftmaxCrossEntropy(), [[0.5, 0.5], [1.0, 1.0]], (2, 2), r"sum 1. Got y\[1\] with sum 2"),
        (SoftmaxCrossEntropy(), [[1.5, -0.5]], (1, 2), r"nothing below 0. Got y\[0, 1\] = -0.5"),
        (SoftmaxCrossEntropy(), [[np.nan, 1.0]], (1, 2), r"y\[0, 0\] = nan"),
        (SoftmaxCrossEntropy(), [0.0, np.nan], (2, 2), r"y\[1\] = nan"),
        (MultiClassHinge(), [0, 5], (2, 3), r"y\[1\] = 5"),
        (BinaryCrossEntropy(), [[0.0], [2.0]], (2, 1), r"between 0 and 1. Got y\[1, 0\] = 2.0"),
        (BinaryCrossEntropy(), [0.0, -1.0], (2, 1), r"y\[1\] = -1.0.*Encode no and yes as 0 and 1"),
        (BinaryCrossEntropy(), [[np.nan]], (1, 1), "nan"),
        (Hinge(), [[1.0], [0.0]], (2, 1), r"-1 or \+1. Got y\[1, 0\] = 0.0.*2 \* y - 1"),
        (Poisson(), [[1.0], [-2.0]], (2, 1), r"at least 0. Got y\[1, 0\] = -2.0"),
        (Poisson(), [[np.inf]], (1, 1), "finite"),
        (KLDivergence(), [[0.7, 0.7]], (1, 2), "sum 1.4"),
        (SquaredError(), [[np.nan]], (1, 1), "finite numbers"),
    ],
)
def test_wrong_targets_are_named(loss: Loss, y: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        loss.validate_targets(np.asarray(y), shape)


def test_right_targets_pass() -> None:
    SoftmaxCrossEntropy().validate_targets(np.array([0, 2, 1]), (3, 3))
    SoftmaxCrossEntropy().validate_targets(np.array([0.0, 2.0]), (2, 3))
    SoftmaxCrossEntropy().validate_targets(np.array([True, False]), (2, 3))
    SoftmaxCrossEntropy().validate_targets(np.array([0, 255], np.uint8), (2, 256))
    SoftmaxCrossEntropy().validate_targets(np.full((2, 3), 1 / 3, np.float32), (2, 3))
    BinaryCrossEntropy().validate_targets(np.array([True, False]), (2, 1))
    Hinge().validate_targets(np.array([1, -1]), (2, 1))


# ------------------------------------------------------------ predictions


def test_predictions_are_the_inverse_link() -> None:
    z = np.array([[-1e4, 0.0, 1e4]], np.float32)
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(BinaryCrossEntropy().prediction(z), [[0, 0.5, 1]])
        np.testing.assert_allclose(SoftmaxCrossEntropy().prediction(z), [[0, 0, 1]])
        np.testing.assert_allclose(KLDivergence().prediction(z), [[0, 0, 1]])
        np.testing.assert_allclose(Poisson().prediction(z), [[0, 1, np.inf]])
    assert BinaryCrossEntropy().prediction(z).dtype == np.float32
    for loss in (
        SquaredError(),
        Hinge(),
        MultiClassHinge(),
        Poisson(log_input=False),
        BinaryCrossEntropy(from_probabilities=True),
        SoftmaxCrossEntropy(from_probabilities=True),
    ):
        assert loss.prediction(z) is z and loss.predicts_raw
    assert not any(loss.predicts_raw for loss in (BinaryCrossEntropy(), SoftmaxCrossEntropy(), Poisson(), KLDivergence()))


def test_thresholds_are_those_of_the_raw_output() -> None:
    assert BinaryCrossEntropy().threshold == 0 and Hinge().threshold == 0
    assert BinaryCrossEntropy(from_probabilities=True).threshold == 0.5
    assert SquaredError().threshold is None and SoftmaxCrossEntropy().threshold is None


# ------------------------------------------------------------ names, arguments, configurations


def test_names_and_other_names() -> None:
    assert get_loss("mse") == SquaredError()
    assert get_loss("cross_entropy") == SoftmaxCrossEntropy()
    assert get_loss("bce") == BinaryCrossEntropy()
    loss = Huber(delta=3.0)
    assert get_loss(loss) is loss
    assert set(ALIASES.values()) <= set(Loss.registry)
    with pytest.raises(UnknownNameError, match="Did you mean 'huber'"):
        get_loss("hubber")
    with pytest.raises(ParameterError, match="name or a Loss"):
        get_loss(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (Huber(delta=0.0), "delta must be a finite number above 0. Got 0.0"),
        (Huber(delta=float("nan")), "Got nan"),
        (BinaryCrossEntropy(label_smoothing=1.0), "label_smoothing must be a number from 0 to below 1"),
        (SoftmaxCrossEntropy(label_smoothing=-0.1), "label_smoothing must be a number from 0 to below 1"),
        (BinaryCrossEntropy(pos_weight=0.0), "pos_weight must be a finite number above 0 or a list of them. Got 0.0"),
        (BinaryCrossEntropy(pos_weight=[1.0, -2.0]), r"pos_weight\[1\] must be a finite number above 0. Got -2.0"),
        (BinaryCrossEntropy(pos_weight="much"), "pos_weight must be"),  # type: ignore[arg-type]
        (BinaryFocal(-1.0), "gamma must be a finite number of at least 0"),
        (BinaryFocal(alpha=1.5), "alpha must be None or a number from 0 to 1"),
        (SoftmaxFocal(float("nan")), "gamma must be a finite number of at least 0"),
        (TverskyLoss(beta=-0.1), "beta must be a finite number of at least 0"),
    ],
)
def test_bad_arguments(loss: Loss, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        loss.validate()
    with pytest.raises(ParameterError, match=message):
        check_loss(loss, (2,), draw_target=bits)


def test_weights_of_yes_have_to_fit_the_outputs() -> None:
    with pytest.raises(ShapeError, match="2 weights of pos_weight do not fit outputs"):
        run(BinaryCrossEntropy(pos_weight=[1.0, 2.0]), [[1.0, 2.0, 3.0]], [[0.0, 1.0, 0.0]])


@pytest.mark.parametrize("loss", [BinaryFocal(2.0), BinaryFocal(0.5, alpha=0.3), BinaryCrossEntropy(pos_weight=5.0)])
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_binary_losses_stay_finite_for_any_logit(loss: Loss, y: float) -> None:
    for size in (1e-30, 50.0, 1e4, 1e30):
        for z in (size, -size):
            j, dz = run(loss, [[z]], [[y]])
            assert np.isfinite(j) and np.isfinite(dz).all() and j >= 0
            assert (dz[0, 0] <= 0) == (y == 1) or dz[0, 0] == 0


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_the_softmax_focal_loss_stays_finite_for_any_logits(gamma: float) -> None:
    for z in ([1e4, 0.0, -1e4], [0.0, 0.0, 0.0], [1e30, -1e30, 0.0], [40.0, 0.0, 0.0]):
        for label in range(3):
            j, dz = run(SoftmaxFocal(gamma), [z], [label])
            assert np.isfinite(j) and np.isfinite(dz).all() and j >= 0


def test_special_cases_of_the_new_losses_are_the_old_ones() -> None:
    rng = np.random.default_rng(1)
    z, y = rng.normal(size=(5, 4)), rng.integers(0, 4, 5)
    for a, b in zip(
        run(SoftmaxFocal(0.0), z, y, dtype="float64"), run(SoftmaxCrossEntropy(), z, y, dtype="float64"), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)
    t = rng.integers(0, 2, (5, 4)).astype(float)
    for a, b in zip(
        run(BinaryFocal(0.0), z, t, dtype="float64"), run(BinaryCrossEntropy(), z, t, dtype="float64"), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)
    mask = rng.integers(0, 2, (5, 4, 1)).astype(float)
    for a, b in zip(
        run(TverskyLoss(0.5, beta=0.5, smooth=0.5), z[..., None], mask, dtype="float64"),
        run(DiceLoss(), z[..., None], mask, dtype="float64"),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


def test_bad_output_shapes() -> None:
    with pytest.raises(ShapeError, match="at least 2 classes"):
        run(MultiClassHinge(), [[1.0]], [0])


@pytest.mark.parametrize("name", sorted(Loss.registry))
def test_configurations_survive_json(name: str) -> None:
    loss = get_loss(name)
    assert from_config(json.loads(json.dumps(to_config(loss))), Loss.registry) == loss
    assert eval(repr(loss), {type(loss).__name__: type(loss)}) == loss
    assert hash(loss) == hash(get_loss(name))


def test_equality_is_by_class_and_arguments() -> None:
    assert Huber(delta=2.0) == Huber(delta=2.0) != Huber(delta=3.0)
    assert SquaredError() != AbsoluteError()
    assert SquaredError() != "squared_error"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"class": "os.system", "args": {}}, "Unknown class 'os.system'"),
        ({"class": "Hubert", "args": {}}, "Did you mean 'Huber'"),
        ({"class": "Huber", "args": {"detla": 1}}, "refuses the arguments"),
        ({"class": "Huber", "args": {"delta": -1}}, "delta must be a finite number above 0"),
        ({"class": "Huber"}, "Expected an object"),
        ({"class": "Huber", "args": []}, "Expected an object"),
        ("Huber", "Expected an object"),
    ],
)
def test_foreign_configurations_are_refused(config: Any, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        from_config(config, Loss.registry)


def test_what_is_no_data_cannot_be_saved() -> None:
    with pytest.raises(ParameterError, match=r"Huber\.delta cannot be saved"):
        to_config(Huber(delta=lambda: 1))  # type: ignore[arg-type]


# ------------------------------------------------------------ PyTorch


@pytest.mark.peer
def test_against_pytorch() -> None:
    torch = pytest.importorskip("torch")
    f = torch.nn.functional
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(6, 4)) * 3, rng.normal(size=(6, 4))
    labels, t = rng.integers(0, 4, 6), sparse_distribution(rng, (6, 4), "float")
    b, c = bits(rng, (6, 4), "float"), counts(rng, (6, 4), "float")
    cases: list[tuple[Loss, Any, Callable[..., Any]]] = [
        (SquaredError(), y, f.mse_loss),
        (AbsoluteError(), y, f.l1_loss),
        (Huber(delta=0.7), y, lambda a, b: f.huber_loss(a, b, delta=0.7)),
        (BinaryCrossEntropy(), b, lambda a, b: f.binary_cross_entropy_with_logits(a, b, reduction="sum") / 6),
        (
            BinaryCrossEntropy(pos_weight=[0.5, 1.0, 2.0, 7.0]),
            b,
            lambda a, b: (
                f.binary_cross_entropy_with_logits(a, b, pos_weight=torch.tensor([0.5, 1.0, 2.0, 7.0]), reduction="sum") / 6
            ),
        ),
        (SoftmaxCrossEntropy(label_smoothing=0.1), labels, lambda a, b: f.cross_entropy(a, b, label_smoothing=0.1)),
        (SoftmaxCrossEntropy(), t, f.cross_entropy),
        (Poisson(), c, lambda a, b: f.poisson_nll_loss(a, b)),
        (KLDivergence(), t, lambda a, b: f.kl_div(f.log_softmax(a, -1), b, reduction="batchmean")),
    ]
    for loss, target, peer in cases:
        x = torch.tensor(z, requires_grad=True)
        value = peer(x, torch.tensor(target))
        value.backward()
        j, dz = run(loss, z, target, dtype="float64")
        assert j == pytest.approx(value.item(), rel=1e-9), loss
        np.testing.assert_allclose(dz, x.grad.numpy(), rtol=1e-8, atol=1e-12, err_msg=str(loss))
