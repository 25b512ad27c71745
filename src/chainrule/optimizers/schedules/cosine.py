"""A rate that falls along half a cosine."""

from __future__ import annotations

import numpy as np

from ...constraints import POSITIVE, Interval
from .base import Floats, Schedule


class Cosine(Schedule):
    """From initial to final along half a cosine: ``η = final + (initial − final) ½ (1 + cos(π s / total))``, then final.

    Parameters  initial : > 0 ; total : > 0, in units, the length of the fall ; final : >= 0 = 0 ;
                unit : "steps" or "epochs"
    Raises      ParameterError from ``validate`` when a number is out of its range
    References  Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017

    Example
        >>> Cosine(0.2, total=2)([1, 2, 3, 4]).round(6).tolist()
        [0.2, 0.1, 0.0, 0.0]
    """

    hyperparameters = {
        "initial": POSITIVE,
        "total": POSITIVE,
        "final": Interval(float, 0),
    }

    def __init__(self, initial: float, *, total: float, final: float = 0.0, unit: str = "steps"):
        self.initial, self.total, self.final, self.unit = initial, total, final, unit

    def rate(self, s: Floats) -> Floats:
        part = np.minimum(s / self.total, 1.0)
        return np.asarray(self.final + (self.initial - self.final) * 0.5 * (1 + np.cos(np.pi * part)), np.float64)
