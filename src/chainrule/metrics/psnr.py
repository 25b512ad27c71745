"""The peak signal-to-noise ratio of pictures."""

from __future__ import annotations

import numpy as np

from ..constraints import Interval
from .base import Array, Metric


class PSNR(Metric):
    """Peak signal-to-noise ratio in decibels: the mean over the samples of ``10 log₁₀(R² / MSE)``.

    R is the range that values can have. 20 dB is a mean error of a tenth of the range, 40 dB of a hundredth. A sample that
    is predicted exactly counts with the error of float32, about 150 dB.

    Parameters  data_range R : > 0 = 1.0, 255 for bytes
    Shapes      y, prediction (N, ...) of the same shape
    Raises      ParameterError when data_range is not above 0

    Example
        >>> PSNR()([[0.0, 1.0]], [[0.1, 0.9]])
        20.0
    """

    name = "psnr"
    of_numbers = True
    hyperparameters = {"data_range": Interval(float, 0, closed="neither")}

    def __init__(self, *, data_range: float = 1.0):
        self.data_range = data_range

    def measure(self, y: Array, p: Array, weight: Array | None) -> float:
        difference = (y.astype(np.float64).reshape(len(y), -1) - p.astype(np.float64).reshape(len(p), -1)) / self.data_range
        error = np.maximum((difference**2).mean(axis=1), 1e-15)
        return self.average(-10 * np.log10(error), weight)
