"""What a metric is: one number that says how good predictions are, computed in NumPy.

    metric(y_true, prediction, sample_weight=None)   the number, in float64
    metric.forward(k, z, y)                          the same per sample inside a plan, where that is possible

``prediction`` is what ``Loss.prediction`` makes of the raw output: probabilities, rates, or numbers. ``forward`` works on
the raw output z itself; its mean over a batch is the metric of the batch without weights.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ParameterError, ShapeError
from ..ops import Builder, Value
from ..registry import Configurable, named, register

__all__ = ["ALIASES", "Array", "Builder", "Metric", "Value", "get_metric"]

Array = NDArray[Any]

#: Other names under which users know a metric.
ALIASES = {
    "acc": "accuracy",
    "auc": "roc_auc",
    "cross_entropy": "log_loss",
    "ler": "label_error_rate",
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
    "rmse": "root_mean_squared_error",
    "top_k": "top_k_accuracy",
}


class Metric(Configurable):
    """Base of every metric. Constructors only store what they are given."""

    registry: ClassVar[dict[str, type[Metric]]] = {}
    #: Name by which users ask for the metric, and under which histories hold it.
    name: ClassVar[str] = ""
    #: "higher" or "lower".
    better: ClassVar[str] = "higher"
    #: Whether the sizes of predictions count, not only decisions and their order.
    of_numbers: ClassVar[bool] = False

    #: Whether it depends on the differences of predictions and targets alone.
    of_differences: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        register(Metric.registry, cls)

    def __call__(self, y_true: Any, prediction: Any, sample_weight: Any = None) -> float:
        """The metric.

        Parameters  y_true : targets (N, ...) ; prediction : (N, ...) ; sample_weight : (N,), or one for each entry of a
                    sample's error, or None
        Raises      ParameterError when an argument of the constructor is out of its range ; ShapeError when shapes do not
                    fit ; DataError when nothing is left to average
        """
        self.validate()
        y, p = np.asarray(y_true), np.asarray(prediction)
        if y.ndim == 0 or p.ndim == 0 or len(y) != len(p):
            raise ShapeError(f"{self.name}: y_true {y.shape} and prediction {p.shape} must have as many samples.")
        if not y.size or not p.size:
            raise DataError(f"{self.name}: there is nothing to compare. Got y_true {y.shape} and prediction {p.shape}.")
        weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)
        if weight is not None and (weight.ndim == 0 or len(weight) != len(y)):
            raise ShapeError(f"{self.name}: sample_weight must be of shape ({len(y)},). Got {weight.shape}.")
        if weight is not None and not (np.isfinite(weight) & (weight >= 0)).all():
            raise DataError(f"{self.name}: sample_weight must be finite and not negative. Its least is {weight.min()}.")
        if weight is not None and not weight.sum() > 0:
            raise DataError(f"{self.name}: sample_weight must not be 0 everywhere.")
        return float(self.measure(y, p, weight))

    def measure(self, y: Array, p: Array, weight: Array | None) -> float:
        """The metric of checked arrays."""
        raise NotImplementedError

    @property
    def in_plan(self) -> bool:
        """Whether the metric is a mean over samples that a plan can compute as it trains."""
        return type(self).forward is not Metric.forward

    def fits_plan(self, loss: Any) -> bool:
        """Whether ``forward`` on the raw output is this metric of the loss's predictions.

        A decision is the same on both sides of a rising link (given its threshold), a difference of numbers is not.

        Parameters  loss : has ``predicts_raw``
        """
        return self.in_plan and (not self.of_numbers or bool(loss.predicts_raw))

    def forward(self, k: Builder, z: Value, y: Value) -> Value:
        """Emits the metric of every sample (N,) from the raw output z and the target y."""
        raise NotImplementedError(f"{self.name} is no mean over samples; compute it after the epoch.")

    # ------------------------------------------------------------ for subclasses

    def entry_weights(self, weight: Array | None, shape: tuple[int, ...]) -> Array:
        """Weights of every entry of ``shape`` in float64: all 1 for None, a sample's own for each of its entries."""
        if weight is None:
            return np.ones(shape)
        if weight.shape == shape:
            return weight
        if weight.ndim > 1 and weight.size == len(weight):
            weight = weight.ravel()
        if weight.ndim != 1:
            raise ShapeError(f"{self.name}: sample_weight must be of shape ({shape[0]},) or {shape}. Got {weight.shape}.")
        return np.broadcast_to(weight.reshape(-1, *(1,) * (len(shape) - 1)), shape)

    def average(self, values: Array, weight: Array | None) -> float:
        """The weighted mean over every entry of ``values``, in float64."""
        return float(np.average(np.asarray(values, np.float64), weights=self.entry_weights(weight, values.shape)))


def per_sample(k: Builder, values: Value) -> Value:
    """Emits the mean over everything but the samples: (N, ...) -> (N,)."""
    return values if values.ndim == 1 else k.mean(values, axis=tuple(range(1, values.ndim)))


def get_metric(metric: str | Metric) -> Metric:
    """The metric of this name (or another name of it, such as "mse"), or the metric itself.

    Raises  UnknownNameError, with the names ; ParameterError for what is neither a name nor a Metric

    Example
        >>> get_metric("rmse")
        RootMeanSquaredError()
    """
    if isinstance(metric, Metric):
        return metric
    if not isinstance(metric, str):
        raise ParameterError(
            f"A metric must be a name or a Metric, such as Accuracy(). Got {metric!r}. For one of your own write a "
            "subclass of Metric with the method measure(y, p, weight)."
        )
    return named("metric", metric, Metric.registry, ALIASES)()
