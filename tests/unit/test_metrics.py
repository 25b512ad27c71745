"""chainrule.metrics: against scikit-learn, weights, forms, and inside plans."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import DataError, ParameterError, ShapeError, UnknownNameError
from chainrule.layers import Identity, Input
from chainrule.losses import BinaryCrossEntropy, Hinge, Loss, Poisson, SoftmaxCrossEntropy, SquaredError
from chainrule.metrics import (
    F1,
    PSNR,
    R2,
    SSIM,
    Accuracy,
    BinaryAccuracy,
    Dice,
    IoU,
    LabelErrorRate,
    LogLoss,
    MeanAbsoluteError,
    MeanSquaredError,
    Metric,
    Precision,
    Recall,
    RocAuc,
    RootMeanSquaredError,
    TopKAccuracy,
    get_metric,
)
from chainrule.metrics.base import ALIASES
from chainrule.network import NetworkGraph
from chainrule.plan import lower_training, optimise
from chainrule.registry import from_config, to_config

Array = NDArray[Any]
oracle = pytest.importorskip("sklearn.metrics")


class Data:
    """Classes, yes or no, several labels and numbers, with coarse scores so that many are equal."""

    def __init__(self, seed: int, n: int = 60) -> None:
        rng = np.random.default_rng(seed)
        self.classes = np.concatenate([np.arange(4), rng.integers(0, 4, n - 4)])
        scores = rng.integers(1, 5, (n, 4)) + 2.0 * np.eye(4)[self.classes] * (rng.uniform(size=(n, 1)) < 0.7)
        self.p = scores / scores.sum(axis=1, keepdims=True)
        self.yes = np.concatenate([[0, 1], rng.integers(0, 2, n - 2)])
        self.p_yes = np.round(np.clip(0.5 * self.yes + rng.uniform(0, 0.7, n), 0.01, 0.99), 1)
        self.p_yes = np.clip(self.p_yes, 0.05, 0.95)
        self.labels = np.vstack([np.zeros(3, int), np.ones(3, int), rng.integers(0, 2, (n - 2, 3))])
        self.p_labels = np.round(np.clip(0.4 * self.labels + rng.uniform(0, 0.6, (n, 3)), 0.05, 0.9), 1) + 0.01
        self.numbers = rng.normal(size=n)
        self.p_numbers = self.numbers + 0.5 * rng.normal(size=n)
        self.vectors = rng.normal(size=(n, 3)) * [1, 10, 0.1]
        self.p_vectors = self.vectors + rng.normal(size=(n, 3)) * [1, 5, 0.01]
        self.weight = rng.uniform(0, 2, n)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_against_scikit_learn(seed: int, weighted: bool) -> None:
    d = Data(seed)
    w = d.weight if weighted else None
    kw = {"sample_weight": w}
    best = d.p.argmax(axis=1)
    decided, many = (d.p_yes > 0.5).astype(int), (d.p_labels > 0.5).astype(int)
    macro: dict[str, Any] = {"average": "macro", "zero_division": 0, **kw}
    one_output = (d.yes, d.p_yes)
    cases: list[tuple[str, Metric, Any, Any, float]] = [
        ("classes", Accuracy(), d.classes, d.p, oracle.accuracy_score(d.classes, best, **kw)),
        ("one-hot", Accuracy(), np.eye(4)[d.classes], d.p, oracle.accuracy_score(d.classes, best, **kw)),
        ("labels", Accuracy(), d.classes, best, oracle.accuracy_score(d.classes, best, **kw)),
        ("text", Accuracy(), d.classes.astype(str), best.astype(str), oracle.accuracy_score(d.classes, best, **kw)),
        ("binary", Accuracy(), *one_output, oracle.accuracy_score(d.yes, decided, **kw)),
        ("binary column", Accuracy(), d.yes, d.p_yes[:, None], oracle.accuracy_score(d.yes, decided, **kw)),
        ("binary columns", Accuracy(), d.yes[:, None], d.p_yes[:, None], oracle.accuracy_score(d.yes, decided, **kw)),
        ("signs", Accuracy(threshold=0.0), 2 * d.yes - 1, d.p_yes - 0.5, oracle.accuracy_score(d.yes, decided, **kw)),
        ("multilabel", Accuracy(multilabel=True), d.labels, d.p_labels, oracle.accuracy_score(d.labels, many, **kw)),
        ("binary", BinaryAccuracy(), *one_output, oracle.accuracy_score(d.yes, decided, **kw)),
        *(
            ("top", TopKAccuracy(top=k), d.classes, d.p - 1e-9 * np.arange(4), oracle.top_k_accuracy_score(
                d.classes, d.p - 1e-9 * np.arange(4), k=k, **kw))
            for k in (1, 2, 3)
        ),
        ("classes", Precision(), d.classes, d.p, oracle.precision_score(d.classes, best, **macro)),
        ("classes", Recall(), d.classes, d.p, oracle.recall_score(d.classes, best, **macro)),
        ("classes", F1(), d.classes, d.p, oracle.f1_score(d.classes, best, **macro)),
        ("text", F1(), d.classes.astype(str), best.astype(str), oracle.f1_score(d.classes, best, **macro)),
        ("binary", Precision(), *one_output, oracle.precision_score(d.yes, decided, **kw)),
        ("binary", Recall(), *one_output, oracle.recall_score(d.yes, decided, **kw)),
        ("binary", F1(), *one_output, oracle.f1_score(d.yes, decided, **kw)),
        ("many", Precision(multilabel=True), d.labels, d.p_labels, oracle.precision_score(d.labels, many, **macro)),
        ("many", Recall(multilabel=True), d.labels, d.p_labels, oracle.recall_score(d.labels, many, **macro)),
        ("many", F1(multilabel=True), d.labels, d.p_labels, oracle.f1_score(d.labels, many, **macro)),
        ("classes", IoU(), d.classes, d.p, oracle.jaccard_score(d.classes, best, **macro)),
        ("binary", IoU(), *one_output, oracle.jaccard_score(d.yes, decided, **kw)),
        ("many", IoU(multilabel=True), d.labels, d.p_labels, oracle.jaccard_score(d.labels, many, **macro)),
        ("classes", Dice(), d.classes, d.p, oracle.f1_score(d.classes, best, **macro)),
        ("binary", Dice(), *one_output, oracle.f1_score(d.yes, decided, **kw)),
        ("binary", RocAuc(), *one_output, oracle.roc_auc_score(*one_output, **kw)),
        ("logits", RocAuc(), d.yes, 1e4 * (d.p_yes - 0.5), oracle.roc_auc_score(*one_output, **kw)),
        ("classes", RocAuc(), d.classes, d.p, oracle.roc_auc_score(d.classes, d.p, multi_class="ovr", **kw)),
        ("one-hot", RocAuc(), np.eye(4)[d.classes], d.p, oracle.roc_auc_score(d.classes, d.p, multi_class="ovr", **kw)),
        ("many", RocAuc(), d.labels, d.p_labels, oracle.roc_auc_score(d.labels, d.p_labels, average="macro", **kw)),
        ("classes", LogLoss(), d.classes, d.p, oracle.log_loss(d.classes, d.p, **kw)),
        ("one-hot", LogLoss(), np.eye(4)[d.classes], d.p, oracle.log_loss(d.classes, d.p, **kw)),
        ("binary", LogLoss(), *one_output, oracle.log_loss(*one_output, **kw)),
        ("signs", LogLoss(), 2 * d.yes - 1, d.p_yes[:, None], oracle.log_loss(*one_output, **kw)),
        ("many", LogLoss(multilabel=True), d.labels, d.p_labels, sum(
            oracle.log_loss(d.labels[:, i], d.p_labels[:, i], **kw) for i in range(3))),
    ]  # fmt: skip
    for y, p in ((d.numbers, d.p_numbers), (d.vectors, d.p_vectors)):
        cases += [
            ("numbers", MeanSquaredError(), y, p, oracle.mean_squared_error(y, p, **kw)),
            ("numbers", RootMeanSquaredError(), y, p, oracle.root_mean_squared_error(y, p, **kw)),
            ("numbers", MeanAbsoluteError(), y, p, oracle.mean_absolute_error(y, p, **kw)),
            ("numbers", R2(), y, p, oracle.r2_score(y, p, **kw)),
        ]
    for what, metric, y, p, wanted in cases:
        assert metric(y, p, w) == pytest.approx(wanted, rel=1e-12), (what, metric)
    own = {m for m in Metric.registry.values() if m.__module__.startswith("chainrule.metrics")}
    elsewhere = {LabelErrorRate, PSNR, SSIM}  # in test_losses_ctc.py and test_metrics_of_pictures.py
    assert own == {type(metric) for _, metric, *_ in cases} | elsewhere


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=12))
def test_auc_is_the_share_of_ordered_pairs(pairs: list[tuple[bool, int]]) -> None:
    up, down = [s for y, s in pairs if y], [s for y, s in pairs if not y]
    y, score = np.array([y for y, _ in pairs]), np.array([float(s) for _, s in pairs])
    if not up or not down:
        with pytest.raises(DataError, match=r"output 0 has no (positive|negative) sample"):
            RocAuc()(y, score)
        return
    wanted = np.mean([(a > b) + 0.5 * (a == b) for a in up for b in down])
    assert RocAuc()(y, score) == pytest.approx(wanted)


def test_equal_scores_are_no_free_hits() -> None:
    y, p = np.array([0, 1, 2, 3]), np.full((4, 4), 0.25)
    assert TopKAccuracy(top=1)(y, p) == Accuracy()(y, p) == 0.25
    assert TopKAccuracy(top=2)(y, p) == 0.5
    assert TopKAccuracy(top=9)(y, p) == 1
    assert TopKAccuracy(top=9)(y, np.full((4, 4), np.nan)) == 0


def test_sequences_count_every_step() -> None:
    p = np.random.default_rng(0).uniform(size=(3, 5, 4))
    y = p.argmax(axis=-1)
    y[0, :2] = (y[0, :2] + 1) % 4
    assert Accuracy()(y, p) == pytest.approx(13 / 15)
    assert Accuracy()(y, p, [0, 1, 1]) == 1
    assert LogLoss()(y, p / p.sum(-1, keepdims=True)) > 0
    assert Recall()(y, p) == pytest.approx(oracle.recall_score(y.ravel(), p.argmax(-1).ravel(), average="macro"))


def test_perfect_and_hopeless_probabilities_have_a_finite_log_loss() -> None:
    assert LogLoss()([0, 1], [[1.0, 0.0], [0.0, 1.0]]) == 0
    assert LogLoss()([0], [[0.0, 1.0]]) == pytest.approx(126 * np.log(2))
    assert LogLoss()([0.0], [1.0]) == pytest.approx(24 * np.log(2))


def test_r2_of_constant_targets() -> None:
    assert R2()([0.1] * 7, [0.1] * 7) == 1
    assert R2()([0.1] * 7, [0.2] * 7) == 0
    assert np.isnan(R2()([1.0], [1.0]))


@pytest.mark.parametrize(
    ("metric", "y", "p", "w", "error", "message"),
    [
        (Accuracy(), [0, 1], [[0.5, 0.5]], None, ShapeError, "as many samples"),
        (Accuracy(), [], [], None, DataError, "nothing to compare"),
        (Accuracy(), 1, 1, None, ShapeError, "as many samples"),
        (Accuracy(), [[1.0, 1], [0, 1]], [[0.5, 0.5], [0.5, 0.5]], None, DataError, "use multilabel=True"),
        (Accuracy(), [[1, 1, 0]], [[0.5, 0.5]], None, ShapeError, "need targets"),
        (Accuracy(multilabel=True), [0], [[0.5, 0.5]], None, ShapeError, "of one shape"),
        (MeanSquaredError(), [1.0, 2], [[1.0, 2], [3, 4]], None, ShapeError, "must have one shape"),
        (MeanSquaredError(), [1.0, 2], [1.0, 2], [1.0], ShapeError, r"sample_weight must be of shape \(2,\)"),
        (MeanSquaredError(), [1.0, 2], [1.0, 2], [[1.0, 2], [3, 4]], ShapeError, "sample_weight"),
        (MeanSquaredError(), [1.0, 2], [1.0, 2], [-1.0, 1], DataError, "not negative"),
        (MeanSquaredError(), [1.0, 2], [1.0, 2], [0.0, 0], DataError, "not be 0 everywhere"),
        (TopKAccuracy(), [9], [[0.5, 0.5]], None, DataError, "from 0 to 1. Got 9 to 9"),
        (TopKAccuracy(top=0), [0], [[0.5, 0.5]], None, ParameterError, "top must be an int"),
        (LogLoss(), [2], [[0.5, 0.5]], None, DataError, "from 0 to 1"),
        (LogLoss(), [[1], [2]], [[0.5, 0.5], [0.5, 0.5]], None, ShapeError, "need targets"),
        (RocAuc(), [0, 1], [[0.1, 0.2, 0.7], [0.2, 0.3, 0.5]], None, DataError, "output 2 has no positive sample"),
        (RocAuc(), [0, 1], [0.1, np.nan], None, DataError, "NaN"),
    ],
)
def test_bad_input(metric: Metric, y: Any, p: Any, w: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        metric(y, p, w)


def test_names_and_configurations() -> None:
    assert get_metric("acc") == Accuracy() and get_metric("auc") == RocAuc()
    metric = TopKAccuracy(top=3)
    assert get_metric(metric) is metric
    assert set(ALIASES.values()) <= set(Metric.registry)
    with pytest.raises(UnknownNameError, match="Did you mean 'accuracy'"):
        get_metric("acuracy")
    with pytest.raises(ParameterError, match="subclass of Metric"):
        get_metric(len)  # type: ignore[arg-type]
    for name, cls in Metric.registry.items():
        assert get_metric(name).better in ("higher", "lower")
        assert from_config(json.loads(json.dumps(to_config(cls()))), Metric.registry) == cls()
    assert from_config(to_config(metric), Metric.registry) == metric


# ------------------------------------------------------------ inside a plan


def in_plan(loss: Loss, metric: Metric, z: Array, y: Array) -> float:
    network = NetworkGraph([Input(z.shape[1:]), Identity()]).build()
    form = loss.target_form(y, z.shape)
    plan = lower_training(network, [loss], None, len(z), targets=[form], metrics=[metric], backward=False)
    executable = ReferenceEngine().compile(optimise(plan), {"parameters": np.zeros(0)})
    return float(executable.run({"x0": z, "y0": y})[f"metric.{metric.name}"]) / len(z)


def test_metrics_in_plans_are_those_of_the_predictions() -> None:
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(20, 4)), rng.integers(0, 4, 20)
    yes, many = rng.integers(0, 2, 20).astype(float), rng.integers(0, 2, (20, 4)).astype(float)
    sequence, at = rng.normal(size=(5, 3, 4)), rng.integers(0, 4, (5, 3))
    cases: list[tuple[Loss, Metric, Array, Array]] = [
        (SoftmaxCrossEntropy(), Accuracy(), z, y),
        (SoftmaxCrossEntropy(), Accuracy(), z, np.eye(4)[y]),
        (SoftmaxCrossEntropy(), Accuracy(), sequence, at),
        (BinaryCrossEntropy(), Accuracy(), z[:, :1], yes),
        (BinaryCrossEntropy(), Accuracy(), z[:, 0], yes),
        (BinaryCrossEntropy(), BinaryAccuracy(), z[:, :1], yes),
        (BinaryCrossEntropy(), BinaryAccuracy(), z, many),
        (BinaryCrossEntropy(), Accuracy(multilabel=True), z, many),
        (Hinge(), BinaryAccuracy(threshold=0.0), z, 2 * many - 1),
        (SquaredError(), MeanAbsoluteError(), z, many),
        (SquaredError(), MeanSquaredError(), z[:, :1], yes),
        (SquaredError(), MeanSquaredError(), z[:, 0], yes),
    ]
    for loss, metric, outputs, targets in cases:
        assert metric.in_plan and (metric.fits_plan(loss) or not loss.predicts_raw)
        wanted = metric(targets, loss.prediction(outputs))
        assert in_plan(loss, metric, outputs, targets) == pytest.approx(wanted, rel=1e-6), (loss, metric)


def test_errors_of_numbers_fit_only_plans_whose_output_is_the_prediction() -> None:
    for metric in (MeanAbsoluteError(), MeanSquaredError()):
        assert metric.fits_plan(SquaredError()) and metric.fits_plan(Poisson(log_input=False))
        assert not metric.fits_plan(Poisson()) and not metric.fits_plan(BinaryCrossEntropy())
        assert metric.fits_plan(BinaryCrossEntropy(from_probabilities=True))
    assert Accuracy().fits_plan(SoftmaxCrossEntropy()) and not RocAuc().fits_plan(SquaredError())


def test_other_metrics_say_that_they_are_no_means() -> None:
    assert not RocAuc().in_plan and not F1().in_plan
    with pytest.raises(NotImplementedError, match="compute it after the epoch"):
        in_plan(SquaredError(), R2(), np.zeros((2, 1)), np.zeros((2, 1)))
