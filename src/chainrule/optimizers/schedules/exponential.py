"""A rate that falls exponentially."""

from __future__ import annotations

import numpy as np

from ...constraints import POSITIVE, Interval
from .base import Floats, Schedule


class Exponential(Schedule):
    """Falls by a factor in every period, smoothly: ``η = initial · decay^(s / every)`` after s steps or epochs.

    Parameters  initial : > 0 ; decay : in (0, 1] ; every : > 0 = 1, in units ; unit : "steps" or "epochs"
    Raises      ParameterError from ``validate`` when a number is out of its range

    Example
        >>> Exponential(0.4, decay=0.5)([1, 2, 3]).tolist()
        [0.4, 0.2, 0.1]
    """

    hyperparameters = {
        "initial": POSITIVE,
        "decay": Interval(float, 0, 1, closed="right"),
        "every": POSITIVE,
    }

    def __init__(self, initial: float, *, decay: float, every: float = 1, unit: str = "steps"):
        self.initial, self.decay, self.every, self.unit = initial, decay, every, unit

    def rate(self, s: Floats) -> Floats:
        return np.asarray(self.initial * self.decay ** (s / self.every), np.float64)
