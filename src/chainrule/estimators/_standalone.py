"""The part of scikit-learn's estimator contract that the estimators need, for where scikit-learn is not installed."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import as_targets, check_lengths, feature_names
from ..errors import DataError, UnknownNameError

__all__ = [
    "BaseEstimator",
    "ClassNamePrefixFeaturesOutMixin",
    "ClassifierMixin",
    "ConvergenceWarning",
    "DataConversionWarning",
    "RegressorMixin",
    "TransformerMixin",
    "check_feature_names",
]


class DataConversionWarning(UserWarning):
    """The data was brought into another form than it had."""


class ConvergenceWarning(UserWarning):
    """A fit ended before the loss stopped falling."""


class BaseEstimator:
    """Parameters by name: the constructor's arguments, which it stores under the same names."""

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return sorted(name for name in inspect.signature(cls.__init__).parameters if name != "self")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; with ``deep`` also those of parameters that are estimators, as ``name__parameter``."""
        found = {name: getattr(self, name) for name in self._parameter_names()}
        if deep:
            for name, value in list(found.items()):
                if hasattr(value, "get_params") and not isinstance(value, type):
                    found |= {f"{name}__{key}": inner for key, inner in value.get_params().items()}
        return found

    def set_params(self, **params: Any) -> Any:
        """Changes parameters, those of a parameter that is an estimator by ``name__parameter``. Returns self.

        Raises      UnknownNameError for a name that is not a parameter
        """
        nested: dict[str, dict[str, Any]] = {}
        for key, value in params.items():
            name, _, inner = key.partition("__")
            if name not in self._parameter_names():
                raise UnknownNameError(f"parameter of {type(self).__name__}", name, self._parameter_names())
            if inner:
                nested.setdefault(name, {})[inner] = value
            else:
                setattr(self, name, value)
        for name, inside in nested.items():
            getattr(self, name).set_params(**inside)
        return self

    def __repr__(self) -> str:
        defaults = {name: p.default for name, p in inspect.signature(type(self).__init__).parameters.items()}
        shown = [f"{n}={v!r}" for n, v in self.get_params(deep=False).items() if repr(v) != repr(defaults[n])]
        return f"{type(self).__name__}({', '.join(shown)})"


class ClassifierMixin:
    """A score for classifiers."""

    _estimator_type = "classifier"

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of samples (weighted, where weights are given) whose label, or all of whose labels, are right."""
        predicted = np.asarray(self.predict(X))  # type: ignore[attr-defined]
        y = as_targets(y)
        y = y[:, 0] if y.ndim == 2 and predicted.ndim == 1 else y
        check_lengths(X=predicted, y=y, sample_weight=sample_weight)
        right = predicted == y
        return float(np.average(right.all(axis=1) if right.ndim == 2 else right, weights=sample_weight))


class TransformerMixin:
    """``fit_transform`` for transformers."""

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """``fit(X, y).transform(X)``"""
        return self.fit(X, y, **fit_params).transform(X)  # type: ignore[attr-defined]


class ClassNamePrefixFeaturesOutMixin:
    """Names of the features that a transformer makes."""

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """The name of the class in small letters, and the number of the feature."""
        count = self._n_features_out  # type: ignore[attr-defined]
        return np.array([f"{type(self).__name__.lower()}{i}" for i in range(count)], dtype=object)


class RegressorMixin:
    """A score for regressors."""

    _estimator_type = "regressor"

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R² = 1 − Σ (y − ŷ)² / Σ (y − ȳ)², the mean over the outputs. For a constant y: 1 when ŷ = y, else 0."""
        predicted = np.asarray(self.predict(X))  # type: ignore[attr-defined]
        y = as_targets(y, dtype=np.float64)
        check_lengths(X=predicted, y=y, sample_weight=sample_weight)
        predicted, y = predicted.reshape(len(predicted), -1), y.reshape(len(y), -1)
        w = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        error: NDArray[np.float64] = w @ (y - predicted) ** 2
        total: NDArray[np.float64] = w @ (y - np.average(y, axis=0, weights=w)) ** 2
        constant = total == 0
        scores = np.where(constant, (error == 0).astype(np.float64), 1 - error / np.where(constant, 1.0, total))
        return float(scores.mean())


def check_feature_names(estimator: Any, X: Any, *, reset: bool) -> None:
    """Remembers the column names of a DataFrame (reset), or compares them with those remembered."""
    names = feature_names(X)
    if reset:
        if names is not None:
            estimator.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
        return
    known = getattr(estimator, "feature_names_in_", None)
    if names is None or known is None or names == known.tolist():
        return
    missing = [name for name in known.tolist() if name not in names]
    extra = [name for name in names if name not in known.tolist()]
    what = "in another order" if not (missing or extra) else f"missing: {missing[:5]}, not seen in fit: {extra[:5]}"
    raise DataError(
        f"The feature names should match those that were passed during fit ({what}). "
        f"Pass the columns {known.tolist()[:10]} in this order."
    )
