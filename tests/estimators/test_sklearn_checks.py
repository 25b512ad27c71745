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

#: What the checks ask of estimators whose predict(X) gives one value for each row of X. A forecaster's gives one for each
#: horizon, after the end of a series; without the series beside its further columns there is nothing to forecast from.
_OF_THE_FUTURE = "predict forecasts what comes after a series; it needs the series y beside X, and has no value for each row"
FORECASTER_CANNOT = {
    name: _OF_THE_FUTURE
    for name in (
        "check_dict_unchanged",
        "check_dtype_object",
        "check_estimators_dtypes",
        "check_estimators_nan_inf",
        "check_estimators_pickle",
        "check_f_contiguous_array_estimator",
        "check_fit2d_predict1d",
        "check_fit_idempotent",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_n_features_in_after_fitting",
    )
} | {"check_fit1d": "a single further column may have the shape (T,)"}


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
