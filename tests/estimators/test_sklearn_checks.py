"""scikit-learn's own checks of estimators, all of them."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_inplace_ensure_writeable,
    parametrize_with_checks,
)

from chainrule import NeuralClassifier, NeuralForecaster, NeuralRegressor

ESTIMATORS = [NeuralClassifier, NeuralRegressor]

#: Where a forecaster differs from a function of the rows: predict(X) forecasts the next steps one after the other, and each
#: of them depends on those before it.
_STEPS_IN_ORDER = "the rows of X are successive steps, and each forecast builds on those before it"
FORECASTER_CANNOT = {
    "check_methods_sample_order_invariance": _STEPS_IN_ORDER,
    "check_methods_subset_invariance": _STEPS_IN_ORDER,
    "check_fit1d": "a single further column may have the shape (T,), as a pandas Series has it",
}


#: This check has no regard for the tag ``positive_only``.
COUNTS_ONLY = {"check_regressor_multioutput": "its targets are negative, and a Poisson loss takes counts"}


@parametrize_with_checks([E() for E in ESTIMATORS])
def test_check(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("estimator_class", ESTIMATORS)
@pytest.mark.parametrize("check", [check_dataframe_column_names_consistency, check_inplace_ensure_writeable])
def test_checks_of_sklearns_own_estimators(estimator_class: Any, check: Any) -> None:
    check(estimator_class.__name__, estimator_class(epochs=5))


@pytest.mark.slow
@parametrize_with_checks(
    [
        NeuralClassifier(loss="hinge"),
        NeuralRegressor(loss="huber", scale_targets=False, early_stopping=True, epochs=300),
        NeuralRegressor(loss="poisson"),
        NeuralClassifier(scale_inputs=True, epochs=100),
    ],
    expected_failed_checks=lambda estimator: COUNTS_ONLY if estimator.loss == "poisson" else {},
)
def test_check_other_parameters(estimator: Any, check: Any) -> None:
    check(estimator)


@parametrize_with_checks(
    [NeuralForecaster(window=2, epochs=3, hidden=(4,))], expected_failed_checks=lambda estimator: FORECASTER_CANNOT
)
def test_check_forecaster(estimator: Any, check: Any) -> None:
    check(estimator)
