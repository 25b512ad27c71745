"""A rate that rises and falls in triangles."""

from __future__ import annotations

import numpy as np

from ...constraints import POSITIVE, Interval
from ...errors import ParameterError
from .base import Floats, Schedule


class Cyclic(Schedule):
    """Between low and high in triangles: ``η = low + (high − low) fⁱ (1 − |2 x − 1|)``, x the part of cycle i that is done.

    Cycles i = 0, 1, ... begin and end at low.

    Parameters  low : >= 0 ; high : > 0, at least low ; period : > 0, in units, the length of a cycle, up and down ;
                fade f : in (0, 1] = 1, of the height from cycle to cycle: 0.5 is the paper's "triangular2" ;
                unit : "steps" or "epochs"
    Raises      ParameterError from ``validate`` when a number is out of its range
    References  Smith, Cyclical learning rates for training neural networks, WACV 2017

    Example
        >>> Cyclic(0.1, high=0.5, period=4, fade=0.5)([1, 2, 3, 4, 5, 7]).round(6).tolist()
        [0.1, 0.3, 0.5, 0.3, 0.1, 0.3]
    """

    hyperparameters = {
        "low": Interval(float, 0),
        "high": POSITIVE,
        "period": POSITIVE,
        "fade": Interval(float, 0, 1, closed="right"),
    }

    def __init__(self, low: float, *, high: float, period: float, fade: float = 1.0, unit: str = "steps"):
        self.low, self.high, self.period, self.fade, self.unit = low, high, period, fade, unit

    def validate(self) -> None:
        super().validate()
        if self.high < self.low:
            raise ParameterError(f"Cyclic: high must be at least low, which is {self.low!r}. Got {self.high!r}.")

    def rate(self, s: Floats) -> Floats:
        into = s / self.period
        cycle = np.floor(into)
        triangle = 1 - np.abs(2 * (into - cycle) - 1)
        return np.asarray(self.low + (self.high - self.low) * self.fade**cycle * triangle, np.float64)
