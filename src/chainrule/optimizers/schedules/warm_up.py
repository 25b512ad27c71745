"""Small rates at the start of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...constraints import POSITIVE, AnyOf, Instance
from .base import Floats, Schedule


class WarmUp(Schedule):
    """Rises from near 0 over the first steps: ``η = schedule(t) · min(1, t / steps)``.

    The schedule runs from the first step on, below the rise, so its lengths are those of the whole training.

    Parameters  schedule : a Schedule, or a number > 0 ; steps : > 0, in units, the length of the rise ;
                unit : "steps" or "epochs", of ``steps`` only
    Raises      ParameterError from ``validate`` when a number is out of its range
    References  Goyal et al., Accurate, large minibatch SGD, arXiv 1706.02677, 2017

    Example
        >>> WarmUp(0.4, steps=4)([1, 2, 3, 4, 5]).round(6).tolist()
        [0.1, 0.2, 0.3, 0.4, 0.4]
    """

    hyperparameters = {
        "schedule": AnyOf(POSITIVE, Instance(Schedule)),
        "steps": POSITIVE,
    }

    def __init__(self, schedule: Any, *, steps: float, unit: str = "steps"):
        self.schedule, self.steps, self.unit = schedule, steps, unit

    @property
    def _inner(self) -> Schedule | None:
        return self.schedule if isinstance(self.schedule, Schedule) else None

    @property
    def needs_metric(self) -> bool:  # type: ignore[override]
        return self._inner is not None and self._inner.needs_metric

    def bind(self, steps_per_epoch: int) -> None:
        super().bind(steps_per_epoch)
        if self._inner is not None:
            self._inner.bind(steps_per_epoch)

    def __call__(self, t: Any) -> Floats:
        t = np.asarray(t, np.float64)
        rates = self._inner(t) if self._inner is not None else float(self.schedule)
        return np.asarray(rates * np.minimum(1.0, t / (self.steps * self.scale)), np.float64)

    def reset(self) -> None:
        if self._inner is not None:
            self._inner.reset()

    def monitored(self, logs: Mapping[str, float]) -> float:
        return self._inner.monitored(logs) if self._inner is not None else super().monitored(logs)

    def epoch_end(self, metric: float) -> None:
        if self._inner is not None:
            self._inner.epoch_end(metric)

    def state_dict(self) -> dict[str, Any]:
        return self._inner.state_dict() if self._inner is not None else {}

    def load_state(self, state: dict[str, Any]) -> None:
        if self._inner is not None:
            self._inner.load_state(state)
