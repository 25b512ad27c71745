"""Unequal classes are no sign of independent targets: a table like customer churn, over many seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import NeuralClassifier
from chainrule.diagnosis.reference import reference_scores

Array = np.ndarray[Any, Any]


def churn(seed: int, n: int = 7043) -> tuple[Array, Array]:
    """Customers of a telephone firm, about a quarter of whom leave. The area under the curve of the truth is about 0.85."""
    rng = np.random.default_rng(seed)
    months = rng.gamma(1.2, 27, n).clip(0, 72)
    contract = rng.choice(3, n, p=[0.55, 0.21, 0.24])
    internet = rng.choice(3, n, p=[0.34, 0.44, 0.22])
    payment = rng.choice(4, n, p=[0.34, 0.23, 0.22, 0.21])
    charge = 20 + 30 * (internet == 0) + 55 * (internet == 1) + rng.normal(0, 8, n)
    services = rng.random((n, 8)) < np.array([0.5, 0.48, 0.3, 0.9, 0.42, 0.35, 0.35, 0.6])
    z = -0.9 - 0.045 * months + np.array([1.1, -0.2, -1.2])[contract] + np.array([0.1, 1.0, -1.0])[internet]
    z += 0.55 * (payment == 0) + services @ np.array([0, -0.1, -0.1, 0, 0.05, -0.4, -0.4, 0.35])
    leaves = rng.random(n) < 1 / (1 + np.exp(-1.15 * z))
    kinds = [np.eye(k)[column] for column, k in ((contract, 3), (internet, 3), (payment, 4))]
    X = np.hstack([np.column_stack([months, charge, months * charge]), *kinds, services])
    return (X - X.mean(axis=0)) / X.std(axis=0), leaves.astype(int)


@pytest.mark.parametrize("seed", range(12))
def test_simple_models_see_what_accuracy_hides(seed: int) -> None:
    X, y = churn(seed)
    found = reference_scores(X, y, classes=True)
    assert found.predictable and found.skill > 0.15
    shuffled = reference_scores(X, np.random.default_rng(seed).permutation(y), classes=True)
    assert not shuffled.predictable


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.15, 0.26, 0.5])
@pytest.mark.parametrize("n", [100, 400, 2000])
def test_chance_alone_is_not_taken_for_skill(share: float, n: int) -> None:
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(n, 12)), (rng.random(n) < share).astype(int)
        alarms += reference_scores(x, y, classes=True).predictable
    assert alarms <= 1


def test_the_diagnosis_of_an_unequal_table() -> None:
    X, y = churn(0)
    model = NeuralClassifier(epochs=15, random_state=0)
    names = {finding.name for finding in model.diagnose(X, y).findings}
    assert "uninformative-labels" not in names
    shuffled = model.diagnose(X, np.random.default_rng(1).permutation(y))
    assert "uninformative-labels" in {finding.name for finding in shuffled.findings}
