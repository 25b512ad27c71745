"""The forecaster."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ..constraints import Accepted, Constraint, Interval, Maybe, OneOf
from ..data.series import MISSING, follows, read_series, windows
from ..errors import DataError, DivergenceError, ParameterError, ShapeError
from ..layers import Add, Concat, Dense, Dropout, Flatten, Input, SubtractLast, get_activation
from ..losses import Loss, get_loss
from ..network import NetworkGraph
from ..training.interrupt import sigterm_at_end
from ..training.sklearn_callbacks import SklearnCallbacks, with_callbacks
from . import _standalone
from .base import Array, Floats, NeuralEstimator
from .parameters import is_integer, units_of
from .training import chosen_arguments

if TYPE_CHECKING:
    from ..diagnosis import Diagnosis

__all__ = ["Forecast", "NeuralForecaster"]

#: Share of the windows, the latest ones, on which baselines are compared and intervals are measured.
_HELD_OUT = 0.2
#: Of the errors of held-out windows so many, or the means of so many groups, stand for their distribution.
_MOST_ERRORS = 1000
#: Means over that distribution are computed for so many forecasts at a time.
_ROWS_AT_ONCE = 1024
#: What the series may be turned into, and the way back.
_TRANSFORMATIONS: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "log": (np.log, np.exp),
    "sqrt": (np.sqrt, lambda values: np.maximum(values, 0.0) ** 2),
}


def _horizons(horizon: Any) -> Array:
    """(H,) the steps ahead that are forecast."""
    given = range(1, int(horizon) + 1) if is_integer(horizon) else horizon
    steps = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else []
    if not steps or any(not is_integer(h) or h < 1 for h in steps) or sorted(set(steps)) != steps:
        raise ParameterError(
            "NeuralForecaster: horizon must be an int of at least 1, or ascending steps ahead such as [1, 7, 28]. Got "
            f"{horizon!r}."
        )
    return np.array(steps, np.int64)


@dataclass(frozen=True, eq=False)
class Forecast:
    """A forecast for each horizon, with the interval that the value lies in with probability ``level``.

    Parameters  horizons, mean, median, lower, upper : (H,) ; level : in (0, 1)
                naive, seasonal_naive : (H,) the forecasts of the baselines ; None without a season
    """

    horizons: Array
    mean: Floats
    median: Floats
    lower: Floats
    upper: Floats
    level: float
    naive: Floats
    seasonal_naive: Floats | None


class NeuralForecaster(NeuralEstimator):
    """A neural network that forecasts a time series, beside the forecasts that need no network.

    For horizon h, from the last ``window`` steps x up to t (and further columns, where there are any):
    ``ŷ_{t+h} = b_{t+h} + m_h + s_h f_h(x)``, with the baseline b the value one season before (or the last value, without a
    season) and m_h, s_h the mean and the spread of y − b in training. So f learns what the baseline misses. f is a linear
    map of the window plus a network of the hidden layers. The network sees y and every further column with mean 0 and
    spread 1, so that forecasts do not depend on units: degrees Celsius, Fahrenheit and kelvin give the same.

    With ``transformation="log"`` all this is done on log y: for series whose swings grow with their level. A forecast is
    the mean of y all the same: with z the forecast of log y and e the errors of the held-out windows it is
    ``(1/n) Σᵢ exp(z + eᵢ)`` (Duan's smearing estimator). The median exp(z) is smaller where errors are skewed.

    The latest fifth of the windows is held out first: on it a network trained on the earlier ones is compared with the
    baselines (``scores_``), and its errors give the prediction intervals: the half-width for h is the quantile of |y − ŷ|
    over the held-out windows with the rank ⌈(n + 1) level⌉ (split conformal prediction). No distribution of the errors is
    assumed and no other loss is needed; where errors are exchangeable, the interval covers with at least that probability.
    Then the network is trained anew on all windows.

    All methods take (X, y) in scikit-learn's order: y is the series, X holds further columns. A series without further
    columns may stand alone: ``fit(y)`` is ``fit(None, y)``. The order of time is that of the index, where y or X is a pandas
    object with an index of dates (see ``chainrule.data.read_series``), else that of the rows.

    Parameters
        window : int >= 1 = 24, steps that the network sees
        horizon : int >= 1, forecasts of the next 1, ..., horizon steps ; or the horizons themselves, such as [1, 7, 28] = 1
        season : int or None, steps after which the series repeats (12 for months of a year) ; None for none
        transformation : "log", "sqrt" (for counts, which may be 0) or None
        missing : "error", "interpolate" or "forward", what to do with missing values and with missing dates
        hidden : units of the hidden layers = (32,) ; () leaves the linear map alone
        layers : f in place of hidden: a list of layers from (window, 1 + F) to one output for each horizon, the window's y
            as distances from its last value ; or a Network that takes y (window, 1) and, where there is X, X (window, F)
        early_stopping : bool = True ; the number of epochs is that after which the held-out windows were forecast best
        others : see NeuralClassifier
    Attributes  (after fit)
        scores_ : {"network", "naive", "seasonal_naive"}, each {"mae", "rmse"} on the held-out windows, in the unit of y
        network_ ; history_ ; horizons_ ; n_features_in_ : F, where there are further columns
        residuals_ : (n, H) sorted |y − ŷ| of the held-out windows, in the transformed unit ; errors_ : (m, H) sorted y − ŷ
            likewise, in m = min(n, 1000) groups of equally many
    Shapes      y (T,) ; X (T, F), further columns known up to t ; forecasts (H,)
    Raises      as ``fit`` says
    References  Vovk, Gammerman and Shafer, Algorithmic learning in a random world, 2005 (conformal prediction)
                Duan, Smearing estimate: a nonparametric retransformation method, JASA 78, 1983

    Example
        >>> t = np.arange(240)
        >>> y = 10 + np.sin(2 * np.pi * t / 12) + 0.02 * t
        >>> model = NeuralForecaster(window=12, horizon=3, season=12, epochs=30, random_state=0).fit(y)
        >>> model.predict().shape, model.scores_["network"]["mae"] < model.scores_["seasonal_naive"]["mae"]
        ((3,), True)
    """

    _state = (
        "n_features_in_",
        "feature_names_in_",
        "horizons_",
        "series_mean_",
        "series_scale_",
        "target_mean_",
        "target_scale_",
        "residuals_",
        "errors_",
        "scores_",
        "_tail",
        "_tail_dates",
    )

    _constraints: ClassVar[dict[str, Constraint]] = {
        **NeuralEstimator._constraints,
        "window": Interval(int, 1),
        "horizon": Accepted(_horizons, "an int of at least 1, or ascending steps ahead such as [1, 7, 28]"),
        "season": Maybe(Interval(int, 1)),
        "transformation": OneOf(None, *_TRANSFORMATIONS),
        "missing": OneOf(*MISSING),
    }

    def __init__(
        self,
        window: int = 24,
        horizon: Any = 1,
        *,
        season: int | None = None,
        transformation: str | None = None,
        missing: str = "error",
        hidden: Any = (32,),
        layers: Any = None,
        activation: Any = "relu",
        dropout: float = 0.0,
        weight_init: Any = None,
        loss: Any = None,
        optimizer: Any = "adam",
        learning_rate: Any = None,
        l2: float = 1e-3,
        epochs: int = 200,
        batch_size: int | str = "auto",
        shuffle: bool = True,
        early_stopping: bool = True,
        validation_fraction: float = _HELD_OUT,
        patience: int = 20,
        tolerance: float | None = None,
        metrics: Any = None,
        callbacks: Any = (),
        verbose: int = 0,
        random_state: Any = None,
        engine: str = "auto",
        threads: int | None = None,
        precision: str = "float32",
    ) -> None:
        super().__init__(
            hidden,
            layers=layers,
            activation=activation,
            dropout=dropout,
            weight_init=weight_init,
            loss=loss,
            optimizer=optimizer,
            learning_rate=learning_rate,
            l2=l2,
            epochs=epochs,
            batch_size=batch_size,
            shuffle=shuffle,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            tolerance=tolerance,
            metrics=metrics,
            callbacks=callbacks,
            verbose=verbose,
            random_state=random_state,
            engine=engine,
            threads=threads,
            precision=precision,
        )
        self.window, self.horizon, self.season = window, horizon, season
        self.transformation, self.missing = transformation, missing

    # ------------------------------------------------------------ fitting

    @with_callbacks  # type: ignore[untyped-decorator]
    @sigterm_at_end()
    def fit(self, X: Any = None, y: Any = None) -> Self:
        """Trains on the series.

        Parameters
            X : (T, F) or (T,) further columns at the steps of y, None for none. Without y, X is the series itself
            y : (T,) the series
        Raises
            DataError : gaps and dates that ``missing`` refuses, values that the transformation does not take, too few steps
            ShapeError, DtypeError : y or X does not fit ; ParameterError : a parameter is out of its range
            DivergenceError : a number stopped being finite
        Warns       ConvergenceWarning when the epochs ran out while the loss of the held-out windows was still falling
        """
        series, rows, early, held = self._windows_of(X, y)
        values, n, need = series.values, len(rows), self._first()
        self._fit_on(values, rows[:early], rows[n - held :])
        self._warn_if_still_falling()
        found = self._forecasts(values, rows[n - held :])
        truth, _ = self._targets(values, rows[n - held :])
        errors = np.sort(truth - found, axis=0)
        self.residuals_ = np.sort(np.abs(errors), axis=0)
        self.errors_ = np.stack([group.mean(axis=0) for group in np.array_split(errors, min(held, _MOST_ERRORS))])
        self.scores_ = self._scores(values, rows[n - held :], found)
        epochs = self.n_iter_ if not self.early_stopping else max(1, self._best)
        bridge = SklearnCallbacks(self, X, y, reconstruct=lambda: self._fitted_attributes(self.network_))
        self._fit_on(values, rows, None, epochs=epochs, callbacks=[*self._own_callbacks(), bridge])
        self._tail = values[-need:].copy()
        self._tail_dates = None if series.dates is None else np.datetime_as_string(series.dates[-3:]).tolist()
        if self.verbose:
            print(self.report())
        return self

    def _windows_of(self, X: Any, y: Any) -> tuple[_Series, Array, int, int]:
        """(the series, the numbers of its windows, how many of the first windows are trained on while the last are held out,
        how many are held out)."""
        self._check_parameters()
        self.horizons_ = _horizons(self.horizon)
        y, X = _series_and_columns("fit", X, y)
        series = self._series(y, X)
        _standalone.check_feature_names(self, X, reset=True)
        if X is None:
            self.__dict__.pop("n_features_in_", None)
        else:
            self.n_features_in_ = series.values.shape[1] - 1
        reach, need = int(self.horizons_[-1]), self._first()
        n = len(series.values) - need - reach + 1
        if n < 2:
            raise DataError(
                f"y has {len(series.values)} steps (n_samples = {len(series.values)}); a window of {self.window} (with a "
                f"season of {self.season}) and forecasts {reach} steps ahead need at least {need + reach + 1}. Give more "
                "steps, or a smaller window or horizon."
            )
        held = min(max(1, math.ceil(n * float(self.validation_fraction))), n - 1)
        # A value that is forecast for a held-out window must not be one that was trained on.
        return series, np.arange(n), max(1, n - held - (reach - 1)), held

    def diagnose(self, X: Any = None, y: Any = None, **options: Any) -> Diagnosis:  # type: ignore[override]
        """What keeps this forecaster from learning the series, if anything. See Network.diagnose.

        Before a fit, it looks at a trial of the training that fit would do; after a fit, at that fit. Nothing is changed.

        Parameters  X, y : as in fit ; options : of Network.diagnose, such as ``rules``
        Raises      as ``fit``
        """
        subject = self._blank()
        series, rows, early, held = subject._windows_of(X, y)
        values = series.values
        if self._is_fitted():
            subject = self
            self._checked("diagnose", X, y)
            network = self.network_
        else:
            network = subject._begin(values, rows[:early])
        inputs, targets = subject._learned(values, rows[:early])
        arguments = {**chosen_arguments(subject._settings(subject._get_loss(), early)), **options}
        arguments.setdefault("validation_data", subject._learned(values, rows[len(rows) - held :]))
        found: Diagnosis = network.diagnose(inputs, targets, **arguments)
        return found

    def cure(  # type: ignore[override]
        self, X: Any = None, y: Any = None, *, time_budget: float = 60.0, **options: Any
    ) -> Self:
        """A new forecaster that learns, fitted on the series, with the evidence in its attribute ``cure_``.

        The trials are scored on the last windows, as those of fit are. See NeuralClassifier.cure and Network.cure.

        Parameters  X, y : as in fit ; time_budget : seconds for the search ; options : of Network.cure
        Raises      as ``fit``
        """
        subject = self._blank()
        series, rows, early, held = subject._windows_of(X, y)
        network = subject._begin(series.values, rows[:early])
        arguments = {
            **chosen_arguments(subject._settings(subject._get_loss(), early)),
            "verbose": int(bool(self.verbose)),
            **options,
            "refit": False,
        }
        found = network.cure(
            *subject._learned(series.values, rows[:early]),
            validation_data=subject._learned(series.values, rows[len(rows) - held :]),
            time_budget=time_budget,
            **arguments,
        )
        better = type(self)(**{**self._copied_params(callbacks=True), **self._cured_params(found)})
        better.fit(X, y)
        better.cure_ = found
        return better

    def _begin(self, values: Floats, rows: Array) -> Any:
        """Learns means and scales of the windows, and makes a new network for them."""
        truth, base = self._targets(values, rows)
        self.target_mean_, self.target_scale_ = _mean_and_scale(truth - base, np.abs(truth).max(axis=0))
        seen = values[: self._first() + int(rows[-1]) + 1]
        self.series_mean_, self.series_scale_ = _mean_and_scale(seen, np.abs(seen).max(axis=0))
        return self._make_network()

    def _learned(self, values: Floats, rows: Array) -> tuple[Any, Floats]:
        """The windows with these numbers and what is forecast from them, as the network learns it."""
        truth, base = self._targets(values, rows)
        return self._inputs(values, rows), ((truth - base - self.target_mean_) / self.target_scale_).astype(self._dtype())

    def _fit_on(
        self, values: Floats, rows: Array, held: Array | None, *, epochs: int | None = None, callbacks: Any = None
    ) -> None:
        """Trains a new network on the windows with these numbers. Parameters  callbacks : None for a fit that shows
        nothing
        """
        network = self._begin(values, rows)
        settings = self._settings(self._get_loss(), len(rows))
        if held is None and self.early_stopping:
            settings = settings.replace(early_stopping=None)
        elif held is not None and self.early_stopping:
            settings = settings.replace(validation_data=self._learned(values, held))
        if epochs is not None:
            settings = settings.replace(epochs=epochs)
        shown = {"callbacks": callbacks or [], "verbose": 0 if callbacks is None else int(self.verbose)}
        stopping = settings.early_stopping
        try:
            network.fit(*self._learned(values, rows), **chosen_arguments(settings), **shown)
        except DivergenceError:
            self._keep(network)
            raise
        self._best = int(getattr(stopping, "best_epoch_", 0) or 0)
        self._keep(network)

    def _series(self, y: Any, X: Any) -> _Series:
        read = read_series(y, X, missing=self.missing)
        series = read.y
        if self.transformation is not None:
            if series.min() < 0 or (self.transformation == "log" and series.min() == 0):
                wanted = "above" if self.transformation == "log" else "of at least"
                raise DataError(
                    f'transformation="{self.transformation}" needs values {wanted} 0. Got '
                    f"{series.min():g} at step {int(series.argmin())}. Use transformation=None, or add a constant to y."
                )
            series = _TRANSFORMATIONS[self.transformation][0](series)
        columns = series[:, None] if read.X is None else np.concatenate([series[:, None], read.X], axis=1)
        return _Series(columns, read.dates)

    def _first(self) -> int:
        """Steps that must have passed before the first forecast."""
        return max(int(self.window), int(self.season or 0))

    def _last_seen(self, rows: Array) -> Array:
        """The last step that the windows with these numbers see."""
        return rows + self._first() - 1

    def _inputs(self, values: Floats, rows: Array) -> Any:
        """(n, window, 1) of y and, where there are further columns, (n, window, F) of them, with mean 0 and spread 1.

        They are views of one scaled copy of the series, whatever the number of windows.
        """
        scaled = ((values - self.series_mean_) / self.series_scale_).astype(self._dtype())
        first = self._last_seen(rows[:1])[0] - int(self.window) + 1
        every = windows(scaled, int(self.window))[first : first + len(rows)]
        return every if values.shape[1] == 1 else [every[:, :, :1], every[:, :, 1:]]

    def _bases(self, y: Floats, last: Array) -> tuple[Floats, Floats | None]:
        """(n, H): the last value, and the value one season before, as forecasts after the steps ``last``."""
        naive = np.repeat(y[last][:, None], len(self.horizons_), axis=1)
        if self.season is None:
            return naive, None
        back = self.horizons_ - self.season * np.ceil(self.horizons_ / self.season).astype(np.int64)
        return naive, y[last[:, None] + back]

    def _targets(self, values: Floats, rows: Array) -> tuple[Floats, Floats]:
        """(n, H) the values to be forecast, and the baseline's forecasts of them."""
        last = self._last_seen(rows)
        naive, seasonal = self._bases(values[:, 0], last)
        return values[:, 0][last[:, None] + self.horizons_], naive if seasonal is None else seasonal

    def _forecasts(self, values: Floats, rows: Array) -> Floats:
        """(n, H) in the transformed unit."""
        naive, seasonal = self._bases(values[:, 0], self._last_seen(rows))
        z = np.asarray(self.network_.predict(self._inputs(values, rows)), np.float64).reshape(naive.shape)
        return (naive if seasonal is None else seasonal) + self.target_mean_ + self.target_scale_ * z

    def _scores(self, values: Floats, rows: Array, found: Floats) -> dict[str, dict[str, float]]:
        truth = self._back(self._targets(values, rows)[0])
        naive, seasonal = self._bases(values[:, 0], self._last_seen(rows))
        baselines = {"naive": naive} | ({} if seasonal is None else {"seasonal_naive": seasonal})
        forecasts = {"network": self._means(found)} | {name: self._back(base) for name, base in baselines.items()}
        distances = {name: forecast - truth for name, forecast in forecasts.items()}
        return {
            name: {"mae": float(np.abs(e).mean()), "rmse": float(np.sqrt((e**2).mean()))} for name, e in distances.items()
        }

    def _back(self, values: Floats) -> Floats:
        return values if self.transformation is None else _TRANSFORMATIONS[self.transformation][1](values)

    def _means(self, centers: Floats) -> Floats:
        """(n, H) the means of y, in its own unit, where the network's forecasts in the transformed unit are ``centers``."""
        if self.transformation is None:
            return centers
        found = np.empty_like(centers)
        for h, errors in enumerate(self.errors_.T):
            for first in range(0, len(centers), _ROWS_AT_ONCE):
                part = centers[first : first + _ROWS_AT_ONCE, h, None]
                found[first : first + len(part), h] = self._back(part + errors).mean(axis=1)
        return found

    # ------------------------------------------------------------ using

    def predict(self, X: Any = None, y: Any = None) -> Floats:
        """The forecasts, means, after the end of a series.

        ``predict()`` gives (H,), one for each horizon after the end of the series that was fitted on, and ``predict(X, y)``
        after the end of this one. ``predict(X)`` of a forecaster with further columns gives (n,), one for each row of X: the
        rows are the next n steps, whose further columns are known, as in scikit-learn's searches and scorers with a
        ``TimeSeriesSplit``. Steps beyond the horizons are forecast from the forecasts before them.

        Parameters  X, y : the series so far, as in fit, at least a window (and a season) long; X alone: as above
        Raises      NotFittedError ; DataError when y is shorter than a window or has gaps, or the dates of X alone do not
                    follow the fitted series ; ShapeError when X does not fit ; ParameterError for X alone without horizon 1
        """
        if y is None and X is not None:
            self._require_fitted("predict")
            if self._n_further():
                return self._next_steps(X)
        values = self._so_far("predict", X, y)
        return np.asarray(self._means(self._forecasts(values, np.array([len(values) - self._first()])))[0])

    def _next_steps(self, X: Any) -> Floats:
        """(n,) forecasts of the steps after the fitted series whose further columns are the rows of X."""
        wanted = self._n_further()
        if np.ndim(X) == 1 and wanted > 1:
            raise ShapeError(
                f"predict: X has one axis, and must have the shape (n, {wanted}): this forecaster was fitted with {wanted} "
                "further columns. Reshape your data: X.reshape(1, -1) for one step. The series itself stands beside them: "
                "predict(X, y)."
            )
        _standalone.check_feature_names(self, X, reset=False)
        # In place of the series stand the numbers of the rows, which then tell how dates have sorted them.
        rows = len(X) if hasattr(X, "__len__") else np.shape(X)[0]
        read = read_series(np.arange(float(rows)), X, missing=self.missing)
        assert read.X is not None
        self._check_further(read.X.shape[1])
        if len(read.X) != rows:
            raise DataError(
                f"predict: the dates of X have gaps: {rows} rows over {len(read.X)} steps. Give a row for every step after "
                "the fitted series."
            )
        tail, dates = self._tail_dates, read.dates
        if tail is not None and dates is not None and not follows(np.array(tail, "datetime64[ns]"), dates):
            raise DataError(
                f"predict: the rows of X alone must be the steps after the fitted series, which ends at {tail[-1]}; they "
                f"begin at {dates[0]}. Give the series up to there as well: predict(X, y)."
            )
        direct = int((self.horizons_ == np.arange(1, len(self.horizons_) + 1)).sum())
        if not direct:
            raise ParameterError(
                f"predict: X alone asks for the next {rows} steps, and the horizons {self.horizons_.tolist()} leave the "
                "first out. Fit with horizons that begin with 1, or use predict(X, y) for one forecast at each horizon."
            )
        values, found = np.asarray(self._tail), []
        for start in range(0, rows, direct):
            centers = self._forecasts(values, np.array([len(values) - self._first()]))
            further = read.X[start : start + direct]
            found.append(self._means(centers)[0, : len(further)])
            seen = np.concatenate([centers[0, : len(further), None], further], axis=1)
            values = np.concatenate([values, seen])[-self._first() :]
        forecasts = np.empty(rows)
        forecasts[read.y.astype(np.int64)] = np.concatenate(found)
        return forecasts

    def predict_interval(self, X: Any = None, y: Any = None, *, level: float = 0.9) -> Forecast:
        """Forecasts with the interval that the value lies in with probability ``level``, and the baselines beside them.

        With fewer than 1 / (1 − level) held-out windows the largest error is the half-width, and covers less. Where errors
        are very skewed, the mean may lie outside the interval; the median does not.

        Raises      as ``predict`` ; ParameterError for a level outside (0, 1)
        """
        Interval(float, 0, 1, closed="neither").check("predict_interval", "level", level)
        values = self._so_far("predict_interval", X, y)
        rows = np.array([len(values) - self._first()])
        center = self._forecasts(values, rows)
        n = len(self.residuals_)
        half = self.residuals_[min(n, math.ceil((n + 1) * level)) - 1]
        naive, seasonal = self._bases(values[:, 0], self._last_seen(rows))
        return Forecast(
            self.horizons_,
            self._means(center)[0],
            self._back(center[0]),
            self._back(center[0] - half),
            self._back(center[0] + half),
            float(level),
            self._back(naive)[0],
            None if seasonal is None else self._back(seasonal)[0],
        )

    def backtest(self, X: Any = None, y: Any = None, *, start: int) -> dict[str, Any]:
        """Forecasts of a series' later part as they would have been made step by step, the weights staying as they are.

        Parameters  X, y : the whole series, as in fit ; start : the first step that is forecast
        Returns     "truth", "network", "naive", "seasonal_naive" : (n, H), one row for each step forecast from ;
                    "scores" : as ``scores_``
        Raises      as ``predict``
        """
        self._require_fitted("backtest")
        values = self._checked("backtest", X, y).values
        rows = np.arange(max(0, start - self._first()), len(values) - self._first() - int(self.horizons_[-1]) + 1)
        if not len(rows) or start < self._first():
            raise DataError(
                f"backtest: from step {start} there must be {self._first()} steps before and {int(self.horizons_[-1])} to "
                f"forecast; y has {len(values)}."
            )
        found = self._forecasts(values, rows)
        naive, seasonal = self._bases(values[:, 0], self._last_seen(rows))
        every = {"truth": self._targets(values, rows)[0], "naive": naive, "seasonal_naive": seasonal}
        made: dict[str, Any] = {name: self._back(a) for name, a in every.items() if a is not None}
        return {**made, "network": self._means(found), "scores": self._scores(values, rows, found)}

    def score(self, X: Any = None, y: Any = None) -> float:
        """R² = 1 − Σ (y − ŷ)² / Σ (y − ȳ)² of the forecasts that would have been made step by step, over all horizons.

        The steps are taken to follow the series that was fitted on, as a time split (``TimeSeriesSplit``) makes them: the
        first forecasts are made from its end. Where dates say that they do not follow, or where they end as the fitted
        series ends (so that they are that series itself), they stand alone: the first window of them is not forecast.

        Parameters  X, y : as in fit
        Returns     at most 1 ; for values that are all alike: 1 when the forecasts are exact, else 0
        Raises      as ``predict`` ; DataError for fewer than two values to compare
        """
        self._require_fitted("score")
        series = self._checked("score", X, y)
        values, tail = series.values, np.asarray(self._tail)
        if self._goes_on(series):
            values = np.concatenate([tail, values])
        rows = np.arange(len(values) - self._first() - int(self.horizons_[0]) + 1)
        ahead = self._last_seen(rows)[:, None] + self.horizons_
        known = ahead < len(values)
        if known.sum() < 2:
            raise DataError(
                f"score: y has {len(series.values)} steps; with a window of {self.window} (and a season of {self.season}) "
                "too few forecasts can be compared with them. Give more steps."
            )
        found = self._means(self._forecasts(values, rows))[known]
        truth = self._back(values[:, 0])[ahead[known]]
        error, total = float(((truth - found) ** 2).sum()), float(((truth - truth.mean()) ** 2).sum())
        return 1 - error / total if total > 0 else float(error == 0)

    def _goes_on(self, series: _Series) -> bool:
        """Whether these steps follow the series that was fitted on."""
        if self._tail_dates is not None and series.dates is not None:
            return follows(np.array(self._tail_dates, "datetime64[ns]"), series.dates)
        tail = np.asarray(self._tail)
        return not (len(series.values) >= len(tail) and np.array_equal(series.values[-len(tail) :], tail))

    def report(self) -> str:
        """The errors on the held-out windows as text: the network's beside the baselines'."""
        self._require_fitted("report")
        names = {"network": "network", "naive": "last value", "seasonal_naive": f"one season ({self.season}) before"}
        width = max(len(names[name]) for name in self.scores_)
        lines = [f"{'held-out windows':<{width}}  {'MAE':>10}  {'RMSE':>10}"]
        for name, score in self.scores_.items():
            lines.append(f"{names[name]:<{width}}  {score['mae']:>10.4g}  {score['rmse']:>10.4g}")
        return "\n".join(lines)

    def _so_far(self, what: str, X: Any, y: Any) -> Floats:
        self._require_fitted(what)
        if y is None and X is None:
            return np.asarray(self._tail)
        values = self._checked(what, X, y).values
        if len(values) < self._first():
            raise DataError(
                f"y has {len(values)} steps, fewer than the {self._first()} that a forecast needs (the window and the "
                "season). Give more of the series."
            )
        return values

    def _checked(self, what: str, X: Any, y: Any) -> _Series:
        if y is None and self._n_further():
            raise DataError(
                f"{what}: this forecaster was fitted with {self._n_further()} further column(s), so it needs the series y "
                f"beside X: {what}(X, y)."
            )
        y, X = _series_and_columns(what, X, y)
        series = self._series(y, X)
        self._check_further(series.values.shape[1] - 1)
        _standalone.check_feature_names(self, X, reset=False)
        return series

    def _check_further(self, columns: int) -> None:
        if columns != self._n_further():
            raise ShapeError(
                f"X has {columns} features, but {type(self).__name__} is expecting {self._n_further()} features as input: "
                "the further columns that it was fitted with, in the same order."
            )

    def _n_further(self) -> int:
        """The number of further columns that were fitted on."""
        return len(self.series_mean_) - 1

    # ------------------------------------------------------------ from parameters to objects

    def _make_network(self) -> Any:
        from ..model import Network

        shapes = self._input_shapes()
        if isinstance(self.layers, NetworkGraph):
            network: Any = copy.deepcopy(self.layers)
            network.rng = self._generator()
        else:
            inputs = [Input(shape) for shape in shapes]
            x = SubtractLast()(inputs[0])
            if len(inputs) > 1:
                x = Concat()(x, inputs[1])
            if self.layers is None:
                x = self._default_layers(x)
            else:
                for layer in copy.deepcopy(list(self.layers)):
                    x = layer(x)
            network = Network(inputs=inputs, outputs=x, random_state=self._generator(), dtype=self._dtype())
        network.build(*shapes)
        if network.output_shapes != [(len(self.horizons_),)]:
            raise ShapeError(
                f"NeuralForecaster: layers must end with one output for each of {len(self.horizons_)} horizon(s), such as "
                f"Dense({len(self.horizons_)}). Got outputs of shape {network.output_shapes}."
            )
        return network

    def _default_layers(self, x: Any) -> Any:
        """A linear map of the window, and a network of the hidden layers added to it; both begin at 0, at the baseline."""
        flat = Flatten()(x)
        y = Dense(len(self.horizons_), weight_init="zeros")(flat)
        h = flat
        for units in units_of(self.hidden):
            h = copy.deepcopy(get_activation(self.activation))(Dense(units, weight_init=self._weight_init())(h))
            if self.dropout:
                h = Dropout(self.dropout)(h)
        return y if h is flat else Add()(y, Dense(len(self.horizons_), weight_init="zeros")(h))

    def _get_loss(self) -> Loss:
        return get_loss("squared_error" if self.loss is None else self.loss)

    def _choose_loss(self, outputs: int | None) -> tuple[Loss, int]:
        return self._get_loss(), len(self.horizons_)

    def _input_shapes(self) -> list[tuple[int, ...]]:
        window, further = int(self.window), self._n_further()
        return [(window, 1), (window, further)] if further else [(window, 1)]

    def _check_loaded(self, network: Any) -> None:
        if network.input_shapes != self._input_shapes():
            raise DataError("its window is not that of its network.")


@dataclass(frozen=True, eq=False)
class _Series:
    """values (T, 1 + F) : the series, transformed, and the further columns ; dates (T,) or None."""

    values: Floats
    dates: Array | None


def _series_and_columns(what: str, X: Any, y: Any) -> tuple[Any, Any]:
    """(y, X) from the arguments of a method, where a series without further columns may be given as X."""
    if y is None:
        if np.ndim(X) > 1 and np.shape(X)[1] != 1:
            raise ShapeError(
                f"{what}: X has shape {np.shape(X)} and y is missing. Pass the series as y beside its further columns, "
                f"{what}(X, y); alone, a series has one column."
            )
        return X, None
    if np.ndim(X) == 1 and np.ndim(y) > 1:
        raise ShapeError(
            f"{what}: the order of the arguments is (X, y), as in scikit-learn: further columns first, then the series. "
            f"Got X of shape {np.shape(X)} and y of shape {np.shape(y)}."
        )
    return y, X


def _mean_and_scale(values: Floats, size: Floats) -> tuple[Floats, Floats]:
    """(columns,) mean and spread; a spread within the rounding of numbers as large as ``size`` counts as none, and is 1."""
    mean, spread = values.mean(axis=0), values.std(axis=0)
    return mean, np.where(spread > 1e-12 * size, spread, 1.0)
