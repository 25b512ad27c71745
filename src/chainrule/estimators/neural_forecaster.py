"""The forecaster."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..data.series import MISSING, as_series, windows
from ..errors import DataError, DivergenceError, ParameterError, ShapeError, UnknownNameError
from ..layers import Add, Concat, Dense, Dropout, Flatten, Input, SubtractLast, get_activation
from ..losses import Loss, get_loss
from ..network import NetworkGraph
from . import _standalone
from .base import Array, Floats, NeuralEstimator, is_integer, units_of

if TYPE_CHECKING:
    from ..diagnosis import Diagnosis

__all__ = ["Forecast", "NeuralForecaster"]

#: Share of the windows, the latest ones, on which baselines are compared and intervals are measured.
_HELD_OUT = 0.2
#: What the series may be turned into, and the way back.
_TRANSFORMS: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "log": (np.log, np.exp),
    "sqrt": (np.sqrt, lambda values: np.maximum(values, 0.0) ** 2),
}


@dataclass(frozen=True, eq=False)
class Forecast:
    """A forecast for each horizon, with the interval that the value lies in with probability ``level``.

    Parameters  horizons, mean, lower, upper : (H,) ; level : in (0, 1)
                naive, seasonal_naive : (H,) the baselines' forecasts ; None without a season
    """

    horizons: Array
    mean: Floats
    lower: Floats
    upper: Floats
    level: float
    naive: Floats
    seasonal_naive: Floats | None


class NeuralForecaster(NeuralEstimator):
    """A neural network that forecasts a time series, beside the forecasts that need no network.

    For horizon h, from the last ``window`` steps x up to t (and further columns, where there are any):
    ``ŷ_{t+h} = b_{t+h} + s_h f_h(x)``, with the baseline b the value one season before (or the last value, without a season)
    and s_h the spread of y − b in training. So f learns what the baseline misses. f is a linear map of the window plus a
    network of the hidden layers. With ``transform="log"`` all this is done on log y: for series whose swings grow with their
    level.

    The latest fifth of the windows is held out first: on it a network trained on the earlier ones is compared with the
    baselines (``scores_``), and its errors give the prediction intervals: the half-width for h is the quantile of |y − ŷ|
    over the held-out windows with the rank ⌈(n + 1) level⌉ (split conformal prediction). No distribution of the errors is
    assumed and no other loss is needed; where errors are exchangeable, the interval covers with at least that probability.
    Then the network is trained anew on all windows.

    Parameters
        window : int >= 1 = 24, steps that the network sees
        horizon : int >= 1, forecasts of the next 1, ..., horizon steps ; or the horizons themselves, such as [1, 7, 28] = 1
        season : int or None, steps after which the series repeats (12 for months of a year) ; None for none
        transform : "log", "sqrt" (for counts, which may be 0) or None
        missing : "error", "interpolate" or "forward", what to do with NaN
        hidden : units of the hidden layers = (32,) ; () leaves the linear map alone
        layers : f in place of hidden: a list of layers from (window, 1 + F) to one output for each horizon, the window's y
            as distances from its last value ; or a Network that takes y (window, 1) and, where there is X, X (window, F)
        early_stopping : bool = True ; the number of epochs is that after which the held-out windows were forecast best
        others : see NeuralClassifier
    Attributes  (after fit)
        scores_ : {"network", "naive", "seasonal_naive"}, each {"mae", "rmse"} on the held-out windows, in the unit of y
        network_ ; history_ ; horizons_ ; residuals_ : (n, H) sorted |y − ŷ| of the held-out windows, in the transformed unit
    Shapes      y (T,) ; X (T, F), further columns known up to t ; forecasts (H,)
    Raises      as ``fit`` says
    References  Vovk, Gammerman and Shafer, Algorithmic learning in a random world, 2005 (conformal prediction)

    Example
        >>> t = np.arange(240)
        >>> y = 10 + np.sin(2 * np.pi * t / 12) + 0.02 * t
        >>> model = NeuralForecaster(window=12, horizon=3, season=12, epochs=30, random_state=0).fit(y)
        >>> model.predict().shape, model.scores_["network"]["mae"] < model.scores_["seasonal_naive"]["mae"]
        ((3,), True)
    """

    _target_attributes = ("horizons_", "scale_", "input_scale_", "residuals_", "scores_", "_tail", "_n_columns")

    def __init__(
        self,
        window: int = 24,
        horizon: Any = 1,
        *,
        season: int | None = None,
        transform: str | None = None,
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
        warm_start: bool = False,
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
            warm_start=warm_start,
            callbacks=callbacks,
            verbose=verbose,
            random_state=random_state,
            engine=engine,
            threads=threads,
            precision=precision,
        )
        self.window, self.horizon, self.season = window, horizon, season
        self.transform, self.missing = transform, missing

    # ------------------------------------------------------------ fitting

    def fit(self, y: Any, X: Any = None) -> Self:
        """Trains on the series.

        Parameters  y : (T,) in the order of time ; X : (T, F) further columns at the same steps, None for none
        Raises
            DataError : gaps (see ``missing``), values that the transform does not take, too few steps
            ShapeError, DtypeError : y or X does not fit ; ParameterError : a parameter is out of its range
            DivergenceError : a number stopped being finite
        """
        series, rows, early, held = self._windows_of(y, X)
        n, need = len(rows), self._first()
        self._fit_on(series, rows[:early], rows[n - held :], quiet=True)
        found = self._forecasts(series, rows[n - held :])
        truth, _ = self._targets(series, rows[n - held :])
        self.residuals_ = np.sort(np.abs(truth - found), axis=0)
        self.scores_ = self._scores(series, rows[n - held :], found)
        epochs = self.n_iter_ if not self.early_stopping else max(1, self._best)
        self._fit_on(series, rows, None, quiet=False, epochs=epochs)
        self._tail = series[-max(need, 1) :].copy()
        if self.verbose:
            print(self.report())
        return self

    def _windows_of(self, y: Any, X: Any) -> tuple[Floats, Array, int, int]:
        """The series, the numbers of its windows, how many of the first are learned from before the last are held out, and
        how many these are."""
        self._check_parameters()
        self.horizons_ = self._horizons()
        series = self._read(y, X)
        _standalone.check_feature_names(self, X, reset=True)
        reach, need = int(self.horizons_[-1]), self._first()
        n = len(series) - need - reach + 1
        if n < 2:
            raise DataError(
                f"y has {len(series)} steps; a window of {self.window} (with a season of {self.season}) and forecasts "
                f"{reach} steps ahead need at least {need + reach + 1}. Give more steps, or a smaller window or horizon."
            )
        self._n_columns = series.shape[1]
        held = min(max(1, math.ceil(n * float(self.validation_fraction))), n - 1)
        # No value to be forecast for a held-out window may be among those that were learned from.
        return series, np.arange(n), max(1, n - held - (reach - 1)), held

    def diagnose(self, y: Any, X: Any = None, **options: Any) -> Diagnosis:  # type: ignore[override]
        """What keeps this forecaster from learning the series, if anything. See Network.diagnose.

        Before a fit a training such as fit's is looked at, after it the fit itself. Nothing is changed or learned.

        Parameters  y, X : as in fit ; options : of Network.diagnose, such as ``rules``
        Raises      as ``fit``
        """
        subject = self._blank()
        series, rows, early, held = subject._windows_of(y, X)
        if self._is_fitted():
            subject = self
            self._checked(y, X)
            network = self.network_
        else:
            network = subject._begin(series, rows[:early])
        inputs, targets = subject._learned(series, rows[:early])
        arguments = {**subject._fit_arguments(early), **options}
        arguments.setdefault("validation_data", subject._learned(series, rows[len(rows) - held :]))
        found: Diagnosis = network.diagnose(inputs, targets, **arguments)
        return found

    def cure(self, y: Any, X: Any = None, *, time_budget: float = 60.0, **options: Any) -> Self:  # type: ignore[override]
        """A new forecaster that learns, fitted on the series, with the evidence in its attribute ``cure_``.

        The trials are scored on the last windows, as those of fit are. See NeuralClassifier.cure and Network.cure.

        Parameters  y, X : as in fit ; time_budget : seconds for the search ; options : of Network.cure
        Raises      as ``fit``
        """
        subject = self._blank()
        series, rows, early, held = subject._windows_of(y, X)
        network = subject._begin(series, rows[:early])
        arguments = {**subject._fit_arguments(early), "verbose": int(bool(self.verbose)), **options, "refit": False}
        found = network.cure(
            *subject._learned(series, rows[:early]),
            validation_data=subject._learned(series, rows[len(rows) - held :]),
            time_budget=time_budget,
            **arguments,
        )
        better = type(self)(**{**self._copied_params(callbacks=True), **self._cured_params(found)}).fit(y, X)
        better.cure_ = found
        return better

    def _begin(self, series: Floats, rows: Array) -> Any:
        """Learns the scales of windows, and makes a new network for them."""
        truth, base = self._targets(series, rows)
        spread = (truth - base).std(axis=0)
        level = series[: self._first() + int(rows[-1]) + 1].std(axis=0)
        rounding = 1e-12 * np.abs(truth).max(axis=0)  # what the baseline forecasts exactly differs by that
        self.scale_, self.input_scale_ = np.where(spread > rounding, spread, 1.0), np.where(level > 0, level, 1.0)
        return self._make_network()

    def _learned(self, series: Floats, rows: Array) -> tuple[Any, Floats]:
        """The windows with these numbers and what is forecast from them, as the network learns it."""
        truth, base = self._targets(series, rows)
        return self._inputs(series, rows), ((truth - base) / self.scale_).astype(self._dtype())

    def _fit_arguments(self, n: int) -> dict[str, Any]:
        """Of ``Network.fit`` for n windows."""
        return {
            "loss": self._get_loss(),
            "optimizer": self._make_optimizer(),
            "epochs": int(self.epochs),
            "batch_size": self._batch_size(n),
            "shuffle": bool(self.shuffle),
            "early_stopping": self._make_early_stopping(),
            "engine": self.engine,
            "threads": self.threads,
            "precision": "bfloat16" if self.precision == "bfloat16" else "float32",
        }

    def _fit_on(self, series: Floats, rows: Array, held: Array | None, *, quiet: bool, epochs: int | None = None) -> None:
        """Trains a new network on the windows with these numbers."""
        network = self._begin(series, rows)
        arguments = self._fit_arguments(len(rows))
        if held is None and self.early_stopping:
            arguments["early_stopping"] = None
        if epochs is not None:
            arguments["epochs"] = epochs
        stopping = arguments["early_stopping"]
        try:
            network.fit(
                *self._learned(series, rows),
                **arguments,
                validation_data=None if held is None or not self.early_stopping else self._learned(series, held),
                callbacks=[] if quiet else self._own_callbacks(),
                verbose=0 if quiet else int(self.verbose),
            )
        except DivergenceError:
            self._keep(network)
            raise
        self._best = int(getattr(stopping, "best_epoch_", 0) or 0)
        self._keep(network)

    def _read(self, y: Any, X: Any) -> Floats:
        """(T, 1 + F): the series, transformed, and the further columns."""
        series = as_series(y, missing=self.missing)
        if self.transform is not None:
            if series.min() < 0 or (self.transform == "log" and series.min() == 0):
                wanted = "above" if self.transform == "log" else "of at least"
                raise DataError(
                    f'transform="{self.transform}" needs values {wanted} 0. Got '
                    f"{series.min():g} at step {int(series.argmin())}. Use transform=None, or add a constant to y first."
                )
            series = _TRANSFORMS[self.transform][0](series)
        columns = [series[:, None]]
        if X is not None:
            further = as_series(X, name="X", missing=self.missing, ndim=2)
            if len(further) != len(series):
                raise DataError(f"X has {len(further)} steps but y has {len(series)}. Every step needs one row of X.")
            columns.append(further)
        return np.concatenate(columns, axis=1)

    def _horizons(self) -> Array:
        given = range(1, int(self.horizon) + 1) if is_integer(self.horizon) else self.horizon
        return np.array(list(given), np.int64)

    def _first(self) -> int:
        """Steps that must have passed before the first forecast."""
        return max(int(self.window), int(self.season or 0))

    def _last_seen(self, rows: Array) -> Array:
        """The last step that the windows with these numbers see."""
        return rows + self._first() - 1

    def _inputs(self, series: Floats, rows: Array) -> Any:
        """(n, window, 1) of y and, where there are further columns, (n, window, F) of them, in units of their spread.

        They are views of one scaled copy of the series, whatever the number of windows.
        """
        scaled = (series / self.input_scale_).astype(self._dtype())
        first = self._last_seen(rows[:1])[0] - int(self.window) + 1
        every = windows(scaled, int(self.window))[first : first + len(rows)]
        return every if self._n_columns == 1 else [every[:, :, :1], every[:, :, 1:]]

    def _bases(self, y: Floats, last: Array) -> tuple[Floats, Floats | None]:
        """(n, H): the last value, and the value one season before, as forecasts after the steps ``last``."""
        naive = np.repeat(y[last][:, None], len(self.horizons_), axis=1)
        if self.season is None:
            return naive, None
        back = self.horizons_ - self.season * np.ceil(self.horizons_ / self.season).astype(np.int64)
        return naive, y[last[:, None] + back]

    def _targets(self, series: Floats, rows: Array) -> tuple[Floats, Floats]:
        """(n, H) the values to be forecast, and the baseline's forecasts of them."""
        last = self._last_seen(rows)
        naive, seasonal = self._bases(series[:, 0], last)
        return series[:, 0][last[:, None] + self.horizons_], naive if seasonal is None else seasonal

    def _forecasts(self, series: Floats, rows: Array) -> Floats:
        """(n, H) in the transformed unit."""
        naive, seasonal = self._bases(series[:, 0], self._last_seen(rows))
        z = np.asarray(self.network_.predict(self._inputs(series, rows)), np.float64)
        return (naive if seasonal is None else seasonal) + self.scale_ * z.reshape(naive.shape)

    def _scores(self, series: Floats, rows: Array, found: Floats) -> dict[str, dict[str, float]]:
        truth = self._back(self._targets(series, rows)[0])
        naive, seasonal = self._bases(series[:, 0], self._last_seen(rows))
        errors = {"network": found, "naive": naive} | ({} if seasonal is None else {"seasonal_naive": seasonal})
        distances = {name: self._back(forecast) - truth for name, forecast in errors.items()}
        return {
            name: {"mae": float(np.abs(e).mean()), "rmse": float(np.sqrt((e**2).mean()))} for name, e in distances.items()
        }

    def _back(self, values: Floats) -> Floats:
        return values if self.transform is None else _TRANSFORMS[self.transform][1](values)

    # ------------------------------------------------------------ using

    def predict(self, y: Any = None, X: Any = None) -> Floats:
        """The forecasts (H,) for the horizons after the end of a series.

        Parameters  y, X : the series so far, at least a window (and a season) long; None takes the end of the one fitted on
        Raises      NotFittedError ; DataError when y is shorter than a window or has gaps ; ShapeError when X does not fit
        """
        series = self._so_far(y, X, "predict")
        return np.asarray(self._back(self._forecasts(series, np.array([len(series) - self._first()])))[0])

    def predict_interval(self, y: Any = None, X: Any = None, *, level: float = 0.9) -> Forecast:
        """Forecasts with the interval that the value lies in with probability ``level``, and the baselines beside them.

        With fewer than 1 / (1 − level) held-out windows the largest error is the half-width, and covers less.

        Raises      as ``predict`` ; ParameterError for a level outside (0, 1)
        """
        if not isinstance(level, (int, float)) or isinstance(level, bool) or not 0 < level < 1:
            raise ParameterError(f"predict_interval: level must be a number between 0 and 1. Got {level!r}.")
        series = self._so_far(y, X, "predict_interval")
        rows = np.array([len(series) - self._first()])
        center = self._forecasts(series, rows)[0]
        n = len(self.residuals_)
        half = self.residuals_[min(n, math.ceil((n + 1) * level)) - 1]
        naive, seasonal = self._bases(series[:, 0], self._last_seen(rows))
        return Forecast(
            self.horizons_,
            self._back(center),
            self._back(center - half),
            self._back(center + half),
            float(level),
            self._back(naive)[0],
            None if seasonal is None else self._back(seasonal)[0],
        )

    def backtest(self, y: Any, X: Any = None, *, start: int) -> dict[str, Any]:
        """Forecasts of a series' later part as they would have been made step by step, the weights staying as they are.

        Parameters  y, X : the whole series ; start : the first step that is forecast
        Returns     "truth", "network", "naive", "seasonal_naive" : (n, H), one row for each step forecast from ;
                    "scores" : as ``scores_``
        Raises      as ``predict``
        """
        self._require_fitted("backtest")
        series = self._checked(y, X)
        rows = np.arange(max(0, start - self._first()), len(series) - self._first() - int(self.horizons_[-1]) + 1)
        if not len(rows) or start < self._first():
            raise DataError(
                f"backtest: from step {start} there must be {self._first()} steps before and {int(self.horizons_[-1])} to "
                f"forecast; y has {len(series)}."
            )
        found = self._forecasts(series, rows)
        naive, seasonal = self._bases(series[:, 0], self._last_seen(rows))
        every = {"truth": self._targets(series, rows)[0], "network": found, "naive": naive, "seasonal_naive": seasonal}
        made: dict[str, Any] = {name: self._back(a) for name, a in every.items() if a is not None}
        return {**made, "scores": self._scores(series, rows, found)}

    def report(self) -> str:
        """The errors on the held-out windows as text: the network's beside the baselines'."""
        self._require_fitted("report")
        names = {"network": "network", "naive": "last value", "seasonal_naive": f"one season ({self.season}) before"}
        width = max(len(names[name]) for name in self.scores_)
        lines = [f"{'held-out windows':<{width}}  {'MAE':>10}  {'RMSE':>10}"]
        for name, score in self.scores_.items():
            lines.append(f"{names[name]:<{width}}  {score['mae']:>10.4g}  {score['rmse']:>10.4g}")
        return "\n".join(lines)

    def _so_far(self, y: Any, X: Any, what: str) -> Floats:
        self._require_fitted(what)
        if y is None:
            if X is not None:
                raise ParameterError(f"{what}: X comes with y, the series so far. Give both, or none.")
            return np.asarray(self._tail)
        series = self._checked(y, X)
        if len(series) < self._first():
            raise DataError(
                f"y has {len(series)} steps, fewer than the {self._first()} that a forecast needs (the window and the "
                "season). Give more of the series."
            )
        return series

    def _checked(self, y: Any, X: Any) -> Floats:
        series = self._read(y, X)
        if series.shape[1] != self._n_columns:
            raise ShapeError(
                f"X has {series.shape[1] - 1} column(s), but the forecaster was fitted with {self._n_columns - 1}. Pass the "
                "same columns, in the same order."
            )
        _standalone.check_feature_names(self, X, reset=False)
        return series

    # ------------------------------------------------------------ from parameters to objects

    def _make_network(self) -> Any:
        from ..model import Network

        shapes = [(int(self.window), 1), *([(int(self.window), self._n_columns - 1)] if self._n_columns > 1 else [])]
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
        for units in units_of(type(self).__name__, self.hidden):
            h = copy.deepcopy(get_activation(self.activation))(Dense(units, weight_init=self._weight_init())(h))
            if self.dropout:
                h = Dropout(self.dropout)(h)
        return y if h is flat else Add()(y, Dense(len(self.horizons_), weight_init="zeros")(h))

    def _get_loss(self) -> Loss:
        return get_loss("squared_error" if self.loss is None else self.loss)

    def _choose_loss(self, outputs: int | None) -> tuple[Loss, int]:
        return self._get_loss(), len(self.horizons_)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not is_integer(self.window) or self.window < 1:
            raise ParameterError(f"NeuralForecaster: window must be an int of at least 1. Got {self.window!r}.")
        given = [self.horizon] if is_integer(self.horizon) else self.horizon
        steps = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else []
        if not steps or any(not is_integer(h) or h < 1 for h in steps) or sorted(set(steps)) != steps:
            raise ParameterError(
                "NeuralForecaster: horizon must be an int of at least 1, or ascending steps ahead such as [1, 7, 28]. Got "
                f"{self.horizon!r}."
            )
        if self.season is not None and (not is_integer(self.season) or self.season < 1):
            raise ParameterError(f"NeuralForecaster: season must be an int of at least 1, or None. Got {self.season!r}.")
        if self.transform is not None and self.transform not in _TRANSFORMS:
            raise UnknownNameError("transform", self.transform, _TRANSFORMS)
        if self.missing not in MISSING:
            raise UnknownNameError("missing", self.missing, MISSING)

    def _check_loaded(self, network: Any) -> None:
        columns = [1, *([int(self._n_columns) - 1] if self._n_columns > 1 else [])]
        if network.input_shapes != [(int(self.window), n) for n in columns]:
            raise DataError("its window is not that of its network.")

    def _keep(self, network: Any) -> None:
        super()._keep(network)
        self.n_features_in_ = int(self.window) * int(self._n_columns)
