"""Schedules one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...constraints import POSITIVE, AnyOf, EachOf, Instance
from ...errors import ParameterError
from .base import Floats, Schedule


class ScheduleSequence(Schedule):
    """One schedule after the other: schedules[i] from boundaries[i − 1] to boundaries[i] steps or epochs.

    Every schedule begins with its own first step, so ``Cosine(0.1, total=90)`` in the second place falls over 90 units from
    the boundary on. A schedule that follows a metric follows it from the first epoch of the training on.

    Parameters  schedules : at least one, each a Schedule or a number > 0 for a constant rate ; boundaries : rising numbers
                > 0, in units, one fewer than schedules ; unit : "steps" or "epochs", of ``boundaries`` only
    Raises      ParameterError from ``validate`` when lengths do not fit, a number is out of its range, or a schedule that
                follows a metric (ReduceOnPlateau) is not the only one of its kind

    Example
        >>> from chainrule.optimizers import Polynomial
        >>> ScheduleSequence([0.1, Polynomial(0.4, total=2)], boundaries=[2])([1, 2, 3, 4, 5]).round(6).tolist()
        [0.1, 0.1, 0.4, 0.2, 0.0]
    """

    hyperparameters = {
        "schedules": EachOf(AnyOf(POSITIVE, Instance(Schedule)), fewest=1),
        "boundaries": EachOf(POSITIVE, rising=True),
    }

    def __init__(self, schedules: Sequence[Any], *, boundaries: Sequence[float], unit: str = "steps"):
        self.schedules, self.boundaries, self.unit = schedules, boundaries, unit

    @property
    def _parts(self) -> list[Schedule]:
        return [part for part in self.schedules if isinstance(part, Schedule)]

    @property
    def _following(self) -> Schedule | None:
        """The schedule that follows a metric, where there is one."""
        return next((part for part in self._parts if part.needs_metric), None)

    @property
    def needs_metric(self) -> bool:  # type: ignore[override]
        return self._following is not None

    def validate(self) -> None:
        super().validate()
        if len(self.schedules) != len(self.boundaries) + 1:
            raise ParameterError(
                f"ScheduleSequence: {len(self.boundaries)} boundaries part {len(self.boundaries) + 1} schedules. "
                f"Got {len(self.schedules)} schedules."
            )
        if sum(part.needs_metric for part in self._parts) > 1:
            raise ParameterError("ScheduleSequence: only one of the schedules may follow a metric, such as ReduceOnPlateau.")

    def bind(self, steps_per_epoch: int) -> None:
        super().bind(steps_per_epoch)
        for part in self._parts:
            part.bind(steps_per_epoch)

    def __call__(self, t: Any) -> Floats:
        t = np.asarray(t, np.float64)
        # A schedule takes over at the first whole step at or after its boundary.
        starts = np.concatenate([[0.0], np.ceil(np.asarray(self.boundaries, np.float64) * self.scale - 1e-9)])
        place = np.searchsorted(starts[1:], t - 1, side="right")
        rates = np.empty(t.shape, np.float64)
        for i, part in enumerate(self.schedules):
            here = place == i
            rates[here] = part(t[here] - starts[i]) if isinstance(part, Schedule) else float(part)
        return rates

    def reset(self) -> None:
        for part in self._parts:
            part.reset()

    def monitored(self, logs: Mapping[str, float]) -> float:
        return super().monitored(logs) if self._following is None else self._following.monitored(logs)

    def epoch_end(self, metric: float) -> None:
        for part in self._parts:
            part.epoch_end(metric)

    def state_dict(self) -> dict[str, Any]:
        return {} if self._following is None else self._following.state_dict()

    def load_state(self, state: dict[str, Any]) -> None:
        if self._following is not None:
            self._following.load_state(state)
