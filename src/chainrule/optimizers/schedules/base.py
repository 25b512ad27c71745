"""What a schedule is: the learning rate as a function of the step number.

schedule(t)                  rates in float64 for steps t = 1, 2, ... (any of them, in any order, as on a resumed run)
bind(steps_per_epoch)        called by the training loop before the first step; lengths may be given in epochs
reset(), epoch_end(metric)   called by the training loop before training and after every epoch
state_dict(), load_state()   what a schedule has learned from metrics, for an exact resume
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...constraints import OneOf
from ...errors import ParameterError
from ...registry import Configurable

__all__ = ["Floats", "Schedule"]

Floats = NDArray[np.float64]


class Schedule(Configurable):
    """Base of every schedule. Constructors only store what they are given; ``validate`` checks it.

    A subclass writes ``rate(s)``, with s = t − 1 steps done, in steps or epochs as ``unit`` says (fractions of an epoch
    included), and takes part in saving by its class name.
    """

    registry: ClassVar[dict[str, type[Schedule]]] = {}
    #: Whether ``epoch_end`` needs a metric: the rates of later steps are known only when the epoch is over.
    needs_metric: bool = False
    #: "steps" or "epochs": the unit of every length that the constructor takes.
    unit: str = "steps"
    _steps_per_epoch: int | None = None
    hyperparameters = {"unit": OneOf("steps", "epochs")}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__name__.startswith("_"):
            Schedule.registry[cls.__name__] = cls

    def __call__(self, t: Any) -> Floats:
        """The rates of the steps t = 1, 2, ... in float64, of t's shape."""
        s = (np.asarray(t, np.float64) - 1) / self.scale
        return np.broadcast_to(np.asarray(self.rate(s), np.float64), s.shape).copy()

    def rate(self, s: Floats) -> Floats:
        """The rates after s steps or epochs."""
        raise NotImplementedError

    def bind(self, steps_per_epoch: int) -> None:
        """Tells how many steps an epoch has."""
        if not isinstance(steps_per_epoch, (int, np.integer)) or steps_per_epoch < 1:
            raise ParameterError(
                f"{type(self).__name__}: steps_per_epoch must be an int of at least 1. Got {steps_per_epoch!r}."
            )
        self._steps_per_epoch = int(steps_per_epoch)

    @property
    def scale(self) -> int:
        """Steps in one unit. ParameterError when an epoch's length is needed and not known."""
        if self.unit == "steps":
            return 1
        if self._steps_per_epoch is None:
            raise ParameterError(
                f'{type(self).__name__}: unit="epochs" needs to know how many steps an epoch has. '
                "Training tells it; outside of training call bind(steps_per_epoch) first."
            )
        return self._steps_per_epoch

    def reset(self) -> None:
        """Forgets what ``epoch_end`` has learned."""

    def monitored(self, logs: Mapping[str, float]) -> float:
        """The number among an epoch's logs that ``epoch_end`` takes: the validation loss, else the loss."""
        return logs["val_loss"] if "val_loss" in logs else logs["loss"]

    def epoch_end(self, metric: float) -> None:
        """Takes the metric of the epoch that has ended, for schedules that follow it."""

    def state_dict(self) -> dict[str, Any]:
        """What ``epoch_end`` has learned, ready for JSON."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes on from a ``state_dict``."""
