"""What makes a class an estimator: scikit-learn's own base classes where they are installed, else those of ``_standalone``.

Everything that differs between the two is in this file, so that the estimators themselves are written once.
"""

from __future__ import annotations

from typing import Any

from ..errors import NotFittedError

__all__ = [
    "HAS_SKLEARN",
    "BaseEstimator",
    "ClassNamePrefixFeaturesOutMixin",
    "ClassifierMixin",
    "ConvergenceWarning",
    "DataConversionWarning",
    "EstimatorNotFittedError",
    "RegressorMixin",
    "TransformerMixin",
    "check_feature_names",
]

BaseEstimator: Any
ClassifierMixin: Any
RegressorMixin: Any
TransformerMixin: Any
ClassNamePrefixFeaturesOutMixin: Any
DataConversionWarning: Any
ConvergenceWarning: Any
EstimatorNotFittedError: type[NotFittedError]

try:
    from sklearn import base, exceptions
    from sklearn.utils.validation import validate_data
except ImportError:  # not installed, or older than 1.6
    from . import _standalone

    HAS_SKLEARN = False
    BaseEstimator = _standalone.BaseEstimator
    ClassifierMixin = _standalone.ClassifierMixin
    RegressorMixin = _standalone.RegressorMixin
    TransformerMixin = _standalone.TransformerMixin
    ClassNamePrefixFeaturesOutMixin = _standalone.ClassNamePrefixFeaturesOutMixin
    DataConversionWarning = _standalone.DataConversionWarning
    ConvergenceWarning = _standalone.ConvergenceWarning
    EstimatorNotFittedError = NotFittedError
else:
    HAS_SKLEARN = True
    BaseEstimator = base.BaseEstimator
    ClassifierMixin = base.ClassifierMixin
    RegressorMixin = base.RegressorMixin
    TransformerMixin = base.TransformerMixin
    ClassNamePrefixFeaturesOutMixin = base.ClassNamePrefixFeaturesOutMixin
    DataConversionWarning = exceptions.DataConversionWarning
    ConvergenceWarning = exceptions.ConvergenceWarning

    class _NotFittedError(NotFittedError, exceptions.NotFittedError):  # type: ignore[misc, unused-ignore]
        """Caught as chainrule's error and as scikit-learn's."""

    EstimatorNotFittedError = _NotFittedError


def check_feature_names(estimator: Any, X: Any, *, reset: bool) -> None:
    """Remembers the column names of a DataFrame (reset), or compares them with those remembered."""
    if HAS_SKLEARN:
        # Only the names: the values are checked by chainrule.data, in the same way with and without scikit-learn.
        validate_data(estimator, X=X, reset=reset, skip_check_array=True, ensure_2d=False)
    else:
        _standalone.check_feature_names(estimator, X, reset=reset)
