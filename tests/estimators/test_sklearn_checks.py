"""scikit-learn's own checks of estimators, all of them."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_inplace_ensure_writeable,
    check_sample_weight_equivalence_on_dense_data,
    parametrize_with_checks,
)

from chainrule import NeuralClassifier, NeuralRegressor

ESTIMATORS = [NeuralClassifier, NeuralRegressor]

EXPECTED_FAILED: dict[str, str] = {}


@parametrize_with_checks([E() for E in ESTIMATORS], expected_failed_checks=lambda estimator: EXPECTED_FAILED)
def test_check(estimator: Any, check: Any) -> None:
    check(estimator)
