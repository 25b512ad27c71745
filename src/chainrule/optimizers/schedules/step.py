"""A rate that falls in steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...constraints import POSITIVE
from .base import Floats, Schedule


class Step(Schedule):
    """Times a factor at regular times: ``η = initial · factor^⌊s / every⌋`` after s steps or epochs.

    Parameters  initial : > 0 ; every : > 0, in units ; factor : > 0 = 0.1 ; unit : "steps" or "epochs"
    Raises      ParameterError from ``validate`` when a number is out of its range

    Example
        >>> Step(0.1, every=2, factor=0.5)([1, 2, 3, 4, 5]).tolist()
        [0.1, 0.1, 0.05, 0.05, 0.025]
    """

    hyperparameters = {
        "initial": POSITIVE,
        "every": POSITIVE,
        "factor": POSITIVE,
    }

    def __init__(self, initial: float, *, every: float, factor: float = 0.1, unit: str = "steps"):
        self.initial, self.every, self.factor, self.unit = initial, every, factor, unit

    def __call__(self, t: Any) -> Floats:
        # One division of exact numbers: the time of a fall is never a rounding error early or late.
        falls = np.floor((np.asarray(t, np.float64) - 1) / (self.every * self.scale))
        return np.asarray(self.initial * self.factor**falls, np.float64)
