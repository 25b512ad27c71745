"""scikit-learn's own checks of estimators, all of them."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_estimator_sparse_array,
    check_inplace_ensure_writeable,
    check_sample_weight_equivalence_on_dense_data,
    parametrize_with_checks,
)

from chainrule import NeuralClassifier, NeuralRegressor

ESTIMATORS = [NeuralClassifier, NeuralRegressor]

#: The check asks that a sample of weight 3 be the same as the sample three times, to seven digits. With mini-batches it
#: cannot be: the batches of one data set hold other samples than those of the other. Where all samples are in one batch it
#: is the same in exact arithmetic; ``test_sample_weight_equivalence`` below runs this very check in that case, in float64.
EXPECTED_FAILED = {
    "check_sample_weight_equivalence_on_dense_data": "weighted and repeated samples go into other mini-batches",
}


@parametrize_with_checks([E() for E in ESTIMATORS], expected_failed_checks=lambda estimator: EXPECTED_FAILED)
def test_check(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("estimator_class", ESTIMATORS)
def test_sample_weight_equivalence(estimator_class: Any) -> None:
    estimator = estimator_class(precision="float64", batch_size=100, epochs=50)
    check_sample_weight_equivalence_on_dense_data(estimator_class.__name__, estimator)


@pytest.mark.parametrize("estimator_class", ESTIMATORS)
@pytest.mark.parametrize(
    "check", [check_dataframe_column_names_consistency, check_inplace_ensure_writeable, check_estimator_sparse_array]
)
def test_checks_of_sklearns_own_estimators(estimator_class: Any, check: Any) -> None:
    check(estimator_class.__name__, estimator_class(epochs=5))


@parametrize_with_checks(
    [
        NeuralClassifier(loss="hinge"),
        NeuralRegressor(loss="huber", scale_targets=False, early_stopping=True, epochs=300),
    ],
    expected_failed_checks=lambda estimator: EXPECTED_FAILED,
)
def test_check_other_parameters(estimator: Any, check: Any) -> None:
    check(estimator)
