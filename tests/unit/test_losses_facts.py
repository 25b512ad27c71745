"""What losses state about themselves, measured: the kind of targets, the own activation, the degree, the best constant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Dense, Network
from chainrule.cures.findings import classes_named
from chainrule.cures.scorer import Scorer
from chainrule.diagnosis import Change
from chainrule.layers import get_activation
from chainrule.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    BinaryFocal,
    ElementwiseLoss,
    Huber,
    Loss,
    Poisson,
    SoftmaxCrossEntropy,
    SquaredError,
    SumLoss,
)
from chainrule.ops import Builder, Saved, Value

OURS = [cls for cls in Loss.registry.values() if cls.__module__.startswith("chainrule.")]
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 41)
YES = (RNG.random((41, 2)) < (0.3, 0.7)).astype(float)
SHARES = RNG.dirichlet(np.ones(3), 41)
NUMBERS = RNG.normal(size=(41, 2)) * (1, 20)


@pytest.mark.parametrize("cls", OURS, ids=lambda cls: cls.name)
def test_the_own_activation_is_what_turns_raw_outputs_into_predictions(cls: type[Loss]) -> None:
    loss = cls()
    for outputs in (1, 4):
        name = loss.own_activation(outputs)
        if cls.name in ("ctc", "differentiable_binarization") or (cls.name == "box_giou" and outputs != 4):
            continue  # two predict sequences and pairs of maps, the other has four outputs
        z = RNG.normal(size=(5, outputs))
        expected = z if name is None else np.exp(z) if name == "exp" else _values(name, z)
        if outputs > 1 or name != "softmax":
            np.testing.assert_allclose(loss.prediction(z), expected, rtol=1e-6)
        assert loss.reads_logits or name is None


def _values(activation: str, z: Any) -> Any:
    return Network([get_activation(activation)], dtype="float64").build(z.shape[1:]).predict(z)


def test_of_probabilities_nothing_is_applied() -> None:
    for loss in (SoftmaxCrossEntropy(label_smoothing=0.1, ignore_label=-1), BinaryCrossEntropy(pos_weight=2.0)):
        other = loss.of_probabilities()
        assert other.config() == loss.config() | {"from_probabilities": True} and type(other) is type(loss)
        assert other.own_activation(2) is None and other.reads_probabilities and not other.reads_logits
        assert loss.reads_logits and not loss.reads_probabilities
    assert SquaredError().of_probabilities() is None and not Poisson(log_input=False).reads_logits


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (SoftmaxCrossEntropy(), LABELS),
        (SoftmaxCrossEntropy(), SHARES),
        (SoftmaxCrossEntropy(label_smoothing=0.2), LABELS),
        (SoftmaxCrossEntropy(label_smoothing=0.2), SHARES),
        (BinaryCrossEntropy(), YES),
        (BinaryCrossEntropy(label_smoothing=0.3), YES),
        (BinaryCrossEntropy(pos_weight=3.0), YES),
        (BinaryCrossEntropy(pos_weight=[0.5, 4.0]), YES),
        (SquaredError(), NUMBERS),
    ],
    ids=repr,
)
def test_no_constant_is_better_than_the_best(loss: Loss, y: Any) -> None:
    outputs = 3 if isinstance(loss, SoftmaxCrossEntropy) else 2
    net = Network([Dense(outputs)], random_state=0, dtype="float64")  # of inputs that are all 0 it puts out its bias
    net.fit(np.zeros((41, 1)), y, loss=loss, optimizer="lbfgs", epochs=100, verbose=0, engine="reference")
    assert loss.of_best_constant(y, outputs) == pytest.approx(net.evaluate(np.zeros((41, 1)), y)["loss"], rel=1e-6)


def test_the_median_is_the_best_constant_of_the_absolute_error() -> None:
    def j(z: Any) -> float:
        return float(np.abs(NUMBERS - z).mean())

    best = np.median(NUMBERS, axis=0)
    assert AbsoluteError().of_best_constant(NUMBERS, 2) == pytest.approx(j(best))
    assert all(j(best) < j(best + step) for step in RNG.normal(size=(20, 2)))


def test_of_one_class_nothing_is_left_to_say() -> None:
    assert SoftmaxCrossEntropy().of_best_constant(np.zeros(5, int), 3) == 0
    assert BinaryCrossEntropy().of_best_constant(np.ones((5, 1)), 1) == pytest.approx(0, abs=1e-9)
    assert np.isnan(BinaryFocal().of_best_constant(YES, 2))


@pytest.mark.parametrize("loss", [SquaredError(), AbsoluteError(), Huber(delta=0.1)], ids=repr)
def test_the_degree_says_how_the_loss_grows_with_outputs_and_targets(loss: Loss) -> None:
    net = Network([Dense(2)], random_state=0, dtype="float64")
    X = RNG.normal(size=(41, 3))
    net.fit(X, NUMBERS, loss=loss, epochs=1, verbose=0, engine="reference")
    before = net.evaluate(X, NUMBERS)["loss"]
    for array in net.parameters.values():
        array *= 100
    assert loss.degree is not None
    assert net.evaluate(X, 100 * NUMBERS)["loss"] / before == pytest.approx(100**loss.degree, rel=0.05)


class Cubed(ElementwiseLoss):
    """|z − y|³, of a user, who states nothing."""

    def apply(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        d = k.absolute(k.subtract(z, y))
        return k.multiply(d, k.square(d)), Saved(d=k.subtract(z, y))

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.multiply(k.multiply(saved.d, k.absolute(saved.d)), 3.0)


class Margin(Cubed):
    """One that says "yes" above a threshold."""

    @property
    def threshold(self) -> float:
        return 0.5


def test_the_kind_of_a_loss_that_does_not_state_it() -> None:
    assert Cubed().kind == "numbers" and Margin().kind == "independent"
    assert SumLoss([Cubed(), "squared_error"]).kind == "numbers" and SumLoss().kind == "independent"
    kinds = {cls.name: cls().kind for cls in OURS}
    assert kinds["poisson"] == "counts" and kinds["ctc"] == "sequences" and kinds["box_giou"] == "numbers"
    assert {name for name, kind in kinds.items() if kind == "exclusive"} == {
        "softmax_cross_entropy", "softmax_focal", "kl_divergence", "multi_class_hinge", "dice", "tversky",
    }  # fmt: skip


def test_a_loss_of_ones_own_says_what_a_cure_scores() -> None:
    y = np.arange(200) % 150  # too many different numbers to take for classes
    assert Scorer(y, Cubed()).kind == "numbers" and Scorer(y, Margin()).kind == "labels"
    assert Scorer(y, "softmax_focal").kind == "labels" and Scorer(y, "poisson").kind == "numbers"


def test_a_proposed_loss_says_whether_targets_are_classes() -> None:
    for loss, classes in (("softmax_focal", True), ("hinge", True), ("huber", False), ("poisson", False)):
        assert classes_named([Change("output", {"loss": loss})], None, 0) is classes
