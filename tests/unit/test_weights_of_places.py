"""Class weights and sample weights for outputs of any rank: pixels, steps, and steps of sequences of different lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Conv2D, Dense, Input, Network
from chainrule.data import Sequences
from chainrule.errors import DataError, ParameterError, ShapeError
from chainrule.layers import LSTM

RNG = np.random.default_rng(0)
QUIET: dict[str, Any] = {"verbose": 0, "engine": "reference"}
IMAGES = RNG.normal(size=(6, 5, 5, 2)).astype(np.float32)
STEPS = RNG.normal(size=(6, 7, 3)).astype(np.float32)


def pixels(classes: int) -> Network:
    return Network([Conv2D(classes, 3, padding="same")], random_state=0)


def steps(classes: int) -> Network:
    return Network([LSTM(4, return_sequences=True), Dense(classes)], random_state=0)


def learned(net: Network, X: Any, y: Any, **options: Any) -> np.ndarray:
    return net.fit(X, y, epochs=2, batch_size=4, **(QUIET | options)).parameters.flat


CASES = {
    "classes of pixels": (pixels, IMAGES, RNG.integers(0, 3, (6, 5, 5)), 3),
    "a mask": (pixels, IMAGES, RNG.random((6, 5, 5, 1)) < 0.2, 1),
    "classes of steps": (steps, STEPS, RNG.integers(0, 3, (6, 7)), 3),
    "yes or no of steps": (steps, STEPS, RNG.random((6, 7)) < 0.3, 1),
    "yes or no of steps, with an axis": (steps, STEPS, RNG.random((6, 7, 1)) < 0.3, 1),
}


def by_hand(y: np.ndarray, weight: Any, classes: int) -> np.ndarray:
    """The weights of all places as the documentation says they are."""
    labels, count = y.astype(int), max(classes, 2)
    if isinstance(weight, str):
        counts = np.bincount(labels.reshape(-1), minlength=count)
        table = labels.size / (np.count_nonzero(counts) * np.maximum(counts, 1))
    else:
        table = np.array([weight.get(c, 1.0) for c in range(count)]) if isinstance(weight, dict) else np.asarray(weight)
    return table[labels]


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("weight", [{0: 0.5, 1: 3.0}, "balanced", "array"])
def test_class_weights_are_the_weights_of_their_places(kind: str, weight: Any) -> None:
    make, X, y, units = CASES[kind]
    weight = RNG.uniform(0.5, 2, max(units, 2)) if isinstance(weight, str) and weight == "array" else weight
    explicit = by_hand(y, weight, units)
    one = learned(make(units), X, y, class_weight=weight, loss=None if units > 1 else "binary_cross_entropy")
    two = learned(make(units), X, y, sample_weight=explicit, loss=None if units > 1 else "binary_cross_entropy")
    np.testing.assert_array_equal(one, two)
    plain = learned(make(units), X, y, loss=None if units > 1 else "binary_cross_entropy")
    assert not np.array_equal(one, plain)


@pytest.mark.parametrize("kind", CASES)
def test_a_weighted_loss_is_the_weighted_mean_of_the_places(kind: str) -> None:
    make, X, y, units = CASES[kind]
    loss = "softmax_cross_entropy" if units > 1 else "binary_cross_entropy"
    net = make(units).build(X.shape[1:])
    w = RNG.uniform(0, 2, y.shape)
    z = net.predict(X).astype(np.float64)
    if units > 1:
        shifted = z - z.max(axis=-1, keepdims=True)
        p = np.take_along_axis(shifted, y[..., None], -1)[..., 0] - np.log(np.exp(shifted).sum(axis=-1))
        expected = -(w * p).mean()
    else:
        z = z.reshape(y.shape)
        expected = (w * (np.logaddexp(0, z) - y * z)).mean()
    found = net.evaluate(X, y, loss=loss, sample_weight=w, metrics=["accuracy"])
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    said = z.argmax(axis=-1) if units > 1 else z > 0
    assert found["accuracy"] == pytest.approx((w * (said == y)).sum() / w.sum(), rel=1e-6)


def test_weights_of_samples_and_of_classes_are_multiplied() -> None:
    make, X, y, units = CASES["classes of pixels"]
    samples = RNG.uniform(0.5, 2, 6)
    explicit = by_hand(y, {1: 3.0}, units) * samples[:, None, None]
    one = learned(make(units), X, y, class_weight={1: 3.0}, sample_weight=samples)
    np.testing.assert_allclose(one, learned(make(units), X, y, sample_weight=explicit), rtol=1e-6)
    same = learned(make(units), X, y, sample_weight=np.broadcast_to(samples[:, None, None], y.shape))
    np.testing.assert_allclose(same, learned(make(units), X, y, sample_weight=samples), rtol=1e-6)


def test_several_yes_or_no_outputs_are_balanced_over_all_places() -> None:
    y = RNG.random((6, 5, 5, 2)) < np.array([0.1, 0.6])
    counts = y.reshape(-1, 2).sum(axis=0)
    table = np.where(y, y[..., 0].size / (2 * counts), y[..., 0].size / (2 * (y[..., 0].size - counts)))
    one = learned(pixels(2), IMAGES, y, class_weight="balanced", loss="binary_cross_entropy")
    np.testing.assert_array_equal(one, learned(pixels(2), IMAGES, y, sample_weight=table, loss="binary_cross_entropy"))


def test_pixels_without_a_label_have_no_class_to_count() -> None:
    from chainrule.losses import SoftmaxCrossEntropy

    y = CASES["classes of pixels"][2].copy()
    y[:, :2] = 255
    there = y != 255
    counts = np.bincount(y[there], minlength=3)
    weight = np.where(there, (there.sum() / (3 * counts))[np.where(there, y, 0)], 0.0)
    loss = SoftmaxCrossEntropy(ignore_label=255)
    one = learned(pixels(3), IMAGES, y, class_weight="balanced", loss=loss)
    two = learned(pixels(3), IMAGES, np.where(there, y, 0), sample_weight=weight * there.size / there.sum())
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-7)


LENGTHS = [3, 5, 4, 6, 3, 5, 4, 6]
TEXTS = Sequences([RNG.normal(size=(n, 2)).astype(np.float32) for n in LENGTHS])


def tagger(units: int) -> Network:
    return Network([Input((None, 2)), LSTM(4, return_sequences=True), Dense(units)], random_state=0)


@pytest.mark.parametrize("weight", [{0: 0.5, 1: 3.0}, "balanced"])
def test_steps_of_sequences(weight: Any) -> None:
    tags = Sequences([RNG.integers(0, 3, n) for n in LENGTHS])
    table = by_hand(tags.values, weight, 3)
    explicit = Sequences.from_flat(table, tags.offsets)
    one = learned(tagger(3), TEXTS, tags, class_weight=weight)
    np.testing.assert_allclose(one, learned(tagger(3), TEXTS, tags, sample_weight=explicit), rtol=1e-6)
    assert not np.array_equal(one, learned(tagger(3), TEXTS, tags))
    samples = RNG.uniform(0.5, 2, len(LENGTHS))
    both = Sequences.from_flat(table * np.repeat(samples, LENGTHS), tags.offsets)
    one = learned(tagger(3), TEXTS, tags, class_weight=weight, sample_weight=samples)
    np.testing.assert_allclose(one, learned(tagger(3), TEXTS, tags, sample_weight=both), rtol=1e-5, atol=1e-7)


def test_each_output_may_have_weights_of_its_own() -> None:
    from chainrule import Flatten

    y = [CASES["classes of pixels"][2], RNG.normal(size=6)]
    w = [RNG.uniform(0, 2, (6, 5, 5)), RNG.uniform(0, 2, 6)]

    def net() -> Network:
        x = Input((5, 5, 2))
        h = Conv2D(3, 3, padding="same")(x)
        return Network(inputs=x, outputs=[h, Dense(1)(Flatten()(h))], random_state=0)

    one = learned(net(), IMAGES, y, sample_weight=w)
    zero = learned(net(), IMAGES, y, sample_weight=[w[0], np.ones(6)])
    assert not np.array_equal(one, zero)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sample_weight": np.ones((6, 4, 5))}, ShapeError, r"sample_weight: the weights have shape \(6, 4, 5\)"),
        ({"sample_weight": np.ones((5, 5, 5))}, ShapeError, "one weight a sample"),
        ({"sample_weight": -np.ones((6, 5, 5))}, DataError, r"negative. Got -1.0 at sample_weight\[0, 0, 0\]"),
        ({"sample_weight": np.zeros((6, 5, 5))}, DataError, "0 for every sample"),
        ({"sample_weight": np.full((6, 5, 5), np.nan)}, DataError, "NaN"),
        ({"class_weight": {7: 1.0}}, ParameterError, "names the class 7"),
        ({"class_weight": [1.0, 2.0]}, ParameterError, "one weight for each of 3 classes"),
        ({"class_weight": {0: 0.0, 1: 0.0, 2: 0.0}}, DataError, "0 for every sample"),
        ({"loss": "dice", "class_weight": "balanced"}, (ParameterError, ShapeError), "class"),
    ],
)
def test_weights_that_do_not_fit(options: dict[str, Any], error: Any, message: str) -> None:
    make, X, y, units = CASES["classes of pixels"]
    with pytest.raises(error, match=message):
        make(units).fit(X, y, **QUIET, **options)


def test_weights_of_steps_that_do_not_fit() -> None:
    tags = Sequences([RNG.integers(0, 3, n) for n in LENGTHS])
    with pytest.raises(ShapeError, match="as long as those of y"):
        learned(tagger(3), TEXTS, tags, sample_weight=Sequences([np.ones(4) for _ in LENGTHS]))
    with pytest.raises(ShapeError, match="Sequences of the same lengths"):
        learned(tagger(3), TEXTS, tags, sample_weight=np.ones((len(LENGTHS), 6)))
    with pytest.raises(DataError, match="at least 0"):
        learned(tagger(3), TEXTS, tags, sample_weight=Sequences([-np.ones(n) for n in LENGTHS]))
