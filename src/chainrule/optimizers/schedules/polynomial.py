"""A rate that falls along a power of the steps that are left."""

from __future__ import annotations

import numpy as np

from ...constraints import POSITIVE, Interval
from .base import Floats, Schedule


class Polynomial(Schedule):
    """From initial to final along a power: ``η = final + (initial − final) (1 − s / total)^power``, then final.

    Parameters  initial : > 0 ; total : > 0, in units, the length of the fall ; power : > 0 = 1, a straight line ;
                final : >= 0 = 0 ; unit : "steps" or "epochs"
    Raises      ParameterError from ``validate`` when a number is out of its range
    References  Chen et al., DeepLab: semantic image segmentation with deep convolutional nets, PAMI 2018 (power 0.9)

    Example
        >>> Polynomial(0.4, total=2, power=2)([1, 2, 3, 4]).round(6).tolist()
        [0.4, 0.1, 0.0, 0.0]
    """

    hyperparameters = {
        "initial": POSITIVE,
        "total": POSITIVE,
        "power": POSITIVE,
        "final": Interval(float, 0),
    }

    def __init__(self, initial: float, *, total: float, power: float = 1.0, final: float = 0.0, unit: str = "steps"):
        self.initial, self.total, self.power, self.final, self.unit = initial, total, power, final, unit

    def rate(self, s: Floats) -> Floats:
        left = np.maximum(1 - s / self.total, 0.0)
        return np.asarray(self.final + (self.initial - self.final) * left**self.power, np.float64)
