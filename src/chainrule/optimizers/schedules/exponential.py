"""A rate that falls exponentially."""

from __future__ import annotations

import numpy as np

from .base import Floats, Schedule


class Exponential(Schedule):
    """Falls by a factor in every period, smoothly: ``η = initial · decay^(s / every)`` after s steps or epochs.

    Parameters  initial : > 0 ; decay : in (0, 1] ; every : > 0 = 1, in units ; unit : "steps" or "epochs"
    Raises      ParameterError from ``validate`` when a number is out of its range

    Example
        >>> Exponential(0.4, decay=0.5)([1, 2, 3]).tolist()
        [0.4, 0.2, 0.1]
    """

    def __init__(self, initial: float, *, decay: float, every: float = 1, unit: str = "steps"):
        self.initial, self.decay, self.every, self.unit = initial, decay, every, unit

    def validate(self) -> None:
        super().validate()
        self._require_positive("initial", "decay", "every")
        self._require("decay", self.decay <= 1, "at most 1")

    def rate(self, s: Floats) -> Floats:
        return np.asarray(self.initial * self.decay ** (s / self.every), np.float64)
