"""A rate that falls when a metric stops to improve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...constraints import POSITIVE, Instance, Interval, Maybe, OneOf
from ...errors import ModelFileError, UnknownNameError
from .base import Floats, Schedule


class ReduceOnPlateau(Schedule):
    """Times a factor when the metric has not improved for ``patience`` epochs: ``η ← max(η · factor, minimum)``.

    Driven by ``epoch_end(metric)``; until the next call the rate is constant. A metric improves when it is better than the
    best so far by more than threshold · |best|; NaN never is.

    Parameters  initial : > 0 ; factor : in (0, 1) = 0.1 ; patience : int >= 1 = 10, epochs ; minimum : >= 0 = 0 ;
                threshold : >= 0 = 1e-4 ; better : "lower" or "higher" = "lower" ; cooldown : int >= 0 = 0, epochs after a
                reduction in which none is counted ; monitor : name of the number to follow, such as "val_accuracy"; None
                takes "val_loss" where there is validation data, else "loss"
    Raises      ParameterError from ``validate`` when a number is out of its range ; UnknownNameError when monitor is no
                number that the training logs

    Example
        >>> schedule = ReduceOnPlateau(0.1, factor=0.5, patience=2)
        >>> for loss in (1.0, 0.5, 0.5, 0.5):
        ...     schedule.epoch_end(loss)
        >>> schedule([100]).tolist()
        [0.05]
    """

    needs_metric = True
    hyperparameters = {
        "initial": POSITIVE,
        "factor": Interval(float, 0, 1, closed="neither"),
        "patience": Interval(int, 1),
        "minimum": Interval(float, 0),
        "threshold": Interval(float, 0),
        "better": OneOf("lower", "higher"),
        "cooldown": Interval(int, 0),
        "monitor": Maybe(Instance(str, words="the name of a metric")),
    }

    def __init__(
        self,
        initial: float,
        *,
        factor: float = 0.1,
        patience: int = 10,
        minimum: float = 0.0,
        threshold: float = 1e-4,
        better: str = "lower",
        cooldown: int = 0,
        monitor: str | None = None,
    ):
        self.initial, self.factor, self.patience, self.minimum = initial, factor, patience, minimum
        self.threshold, self.better, self.cooldown, self.monitor = threshold, better, cooldown, monitor
        self.reset()

    def reset(self) -> None:
        self._rate, self._waited, self._cooling = self.initial, 0, 0
        self._best: float | None = None

    def rate(self, s: Floats) -> Floats:
        return np.full(s.shape, float(self._rate))

    def monitored(self, logs: Mapping[str, float]) -> float:
        if self.monitor is None:
            return super().monitored(logs)
        if self.monitor not in logs:
            raise UnknownNameError("monitored number", self.monitor, logs)
        return logs[self.monitor]

    def epoch_end(self, metric: float) -> None:
        value = float(metric)
        if self._improves(value):
            self._best, self._waited = value, 0
        else:
            self._waited += 1
        if self._cooling:
            self._cooling -= 1
            self._waited = 0
        elif self._waited >= self.patience:
            # A minimum above the rate does not raise it.
            self._rate = min(self._rate, max(self._rate * self.factor, self.minimum))
            self._waited, self._cooling = 0, self.cooldown

    def _improves(self, value: float) -> bool:
        if self._best is None:
            return bool(np.isfinite(value))
        gain = self._best - value if self.better == "lower" else value - self._best
        return gain > self.threshold * abs(self._best)

    def state_dict(self) -> dict[str, Any]:
        return {"rate": self._rate, "best": self._best, "waited": self._waited, "cooling": self._cooling}

    def load_state(self, state: dict[str, Any]) -> None:
        counts = all(isinstance(state.get(key), int) and state[key] >= 0 for key in ("waited", "cooling"))
        best = state.get("best")
        number = Interval(float)
        if not (counts and number.holds(state.get("rate")) and (best is None or number.holds(best))):
            raise ModelFileError(f"ReduceOnPlateau: expected the state that state_dict gives. Got {state!r:.200}.")
        self._rate, self._best = float(state["rate"]), best
        self._waited, self._cooling = state["waited"], state["cooling"]
