"""What a trial trains: a Network, an estimator, or the task of the command; each gives a score after every epoch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Protocol

from ..errors import ParameterError
from ..model import Network
from ..tasks.task import Prepared, Task
from ..training import Callback

__all__ = ["EstimatorTrials", "NetworkTrials", "Report", "TaskTrials", "Watch"]

#: Tells of the score after an epoch; raises what ends a trial that is too weak.
Report = Callable[[int, float], None]


class Trainings(Protocol):
    """What a Tuner asks for."""

    def __call__(self, parameters: Mapping[str, Any], report: Report) -> float:
        """The score of a training with these parameters."""


class Watch(Callback):
    """Tells of a number of each epoch, and remembers the best."""

    changes_weights = False

    def __init__(self, metric: str, higher: bool, report: Report) -> None:
        self.metric, self.higher, self.report = metric, higher, report
        self.best: float | None = None

    def on_epoch_end(self, state: Any, epoch: int, logs: Mapping[str, float]) -> None:
        if self.metric not in logs:
            raise ParameterError(
                f"The metric {self.metric!r} of the search is no number of an epoch. There are: {', '.join(logs)}. A name "
                "that begins with val_ needs validation data."
            )
        value = float(logs[self.metric])
        better = self.best is None or (value > self.best if self.higher else value < self.best)
        self.best = value if better else self.best
        self.report(epoch, value)

    def score(self) -> float:
        """The best number of an epoch. Raises  ParameterError for no epoch"""
        if self.best is None:
            raise ParameterError("The training of a trial ended before its first epoch.")
        return self.best


def _require_whole(history: Any) -> None:
    """KeyboardInterrupt where a fit was interrupted, which it does not raise itself: the search ends with it."""
    if history.interrupted:
        raise KeyboardInterrupt


class NetworkTrials:
    """Trainings of Networks.

    The arguments of ``Network.fit`` that the space names are given to the fit, all others to ``make``. Each trial computes
    with one thread, so that as many trials can run at a time as there are processors.

    Parameters
        make : function of the parameters that gives a new Network
        X, y : as in ``fit`` ; settings : further arguments of ``fit``, such as validation_split=0.2, epochs=20
        metric : the number of an epoch that is the score, such as "val_loss" ; higher : whether more of it is better

    Example
        >>> import numpy as np
        >>> from chainrule import Dense, ReLU
        >>> X = np.linspace(-1, 1, 60, dtype=np.float32).reshape(-1, 1)
        >>> def make(units):
        ...     return Network([Dense(units), ReLU(), Dense(1)], random_state=0)
        >>> train = NetworkTrials(make, X, X**2, epochs=2, validation_split=0.2)
        >>> train({"units": 4, "learning_rate": 0.1}, lambda epoch, score: None) > 0
        True
    """

    def __init__(
        self,
        make: Callable[..., Network],
        X: Any,
        y: Any = None,
        *,
        metric: str = "val_loss",
        higher: bool = False,
        **settings: Any,
    ) -> None:
        self.make, self.X, self.y, self.metric, self.higher = make, X, y, metric, higher
        self.settings = {"verbose": 0, "threads": 1, **settings}

    def train(self, parameters: Mapping[str, Any], callbacks: list[Callback]) -> Network:
        """A network with these parameters, trained."""
        from ..training.settings import FitSettings

        known = set(FitSettings.__dataclass_fields__)
        given = copy.deepcopy({**self.settings, **{n: v for n, v in parameters.items() if n in known}})
        network = self.make(**{n: v for n, v in parameters.items() if n not in known})
        own = given.pop("callbacks", ())
        own = [own] if isinstance(own, Callback) else list(own)
        network.fit(self.X, self.y, **given, callbacks=[*own, *callbacks])
        _require_whole(network.history_)
        return network

    def __call__(self, parameters: Mapping[str, Any], report: Report) -> float:
        watch = Watch(self.metric, self.higher, report)
        self.train(parameters, [watch])
        return watch.score()


class EstimatorTrials:
    """Trainings of a NeuralClassifier or NeuralRegressor, whose parameters the space names.

    Parameters  estimator : is not changed ; X, y : as in its ``fit`` ; X_val, y_val : the score is the loss on them ;
                without them a part of X is held out (early_stopping=True does that in the estimator)
                metric, higher : as of NetworkTrials
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        X_val: Any = None,
        y_val: Any = None,
        metric: str = "val_loss",
        higher: bool = False,
    ) -> None:
        self.estimator, self.X, self.y, self.metric, self.higher = estimator, X, y, metric, higher
        self.held_out = {} if X_val is None else {"X_val": X_val, "y_val": y_val}

    def train(self, parameters: Mapping[str, Any], callbacks: list[Callback]) -> Any:
        """An estimator with these parameters, fitted."""
        made = copy.deepcopy(self.estimator)
        made.set_params(**parameters)
        if not self.held_out:
            made.set_params(early_stopping=True)
        made.set_params(threads=1 if made.threads is None else made.threads)
        own = made.callbacks
        made.callbacks = [*([own] if isinstance(own, Callback) else own), *callbacks]
        made.fit(self.X, self.y, **self.held_out)
        made.callbacks = own
        _require_whole(made.history_)
        return made

    def __call__(self, parameters: Mapping[str, Any], report: Report) -> float:
        watch = Watch(self.metric, self.higher, report)
        self.train(parameters, [watch])
        return watch.score()


class TaskTrials:
    """Trainings of ``chainrule train``: the space names settings of the task.

    Parameters  task ; settings : of all trainings ; metric, higher : as of NetworkTrials
    """

    def __init__(self, task: Task, settings: Any, *, metric: str = "val_loss", higher: bool = False) -> None:
        self.task, self.settings, self.metric, self.higher = task, settings, metric, higher

    @cached_property
    def _data(self) -> Any:
        return self.task.read(self.settings)

    def __getstate__(self) -> dict[str, Any]:
        # Each worker reads the data itself: that is faster than sending them to it.
        return {name: value for name, value in vars(self).items() if name != "_data"}

    def prepared(self, parameters: Mapping[str, Any], threads: int | None = 1) -> Prepared:
        """The training with these parameters."""
        from dataclasses import replace

        given = {"threads": threads} if self.settings.threads is None else {}
        return self.task.prepare(self._data, replace(self.settings, **given, **parameters))

    def __call__(self, parameters: Mapping[str, Any], report: Report) -> float:
        watch = Watch(self.metric, self.higher, report)
        _require_whole(self.prepared(parameters).train([watch]).history)
        return watch.score()
