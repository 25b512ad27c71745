"""A rate that is given for each stretch of the training."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ...errors import ParameterError
from .base import Floats, Schedule, finite_number


class Piecewise(Schedule):
    """Constant between boundaries: ``η = rates[i]`` from boundaries[i − 1] to boundaries[i] steps or epochs.

    Parameters  boundaries : rising numbers > 0, in units ; rates : numbers >= 0, one more than boundaries ;
                unit : "steps" or "epochs"
    Raises      ParameterError from ``validate`` when lengths do not fit or a number is out of its range

    Example
        >>> Piecewise([2, 3], rates=[0.1, 0.01, 0.001])([1, 2, 3, 4, 5]).tolist()
        [0.1, 0.1, 0.01, 0.001, 0.001]
    """

    def __init__(self, boundaries: Sequence[float], *, rates: Sequence[float], unit: str = "steps"):
        self.boundaries, self.rates, self.unit = boundaries, rates, unit

    def validate(self) -> None:
        super().validate()
        bounds, rates = list(self.boundaries), list(self.rates)
        rising = all(finite_number(b) and b > 0 for b in bounds) and all(a < b for a, b in pairwise(bounds))
        self._require("boundaries", rising, "rising positive numbers")
        self._require("rates", all(finite_number(r) and r >= 0 for r in rates), "finite numbers of at least 0")
        if len(rates) != len(bounds) + 1:
            raise ParameterError(
                f"Piecewise: {len(bounds)} boundaries part {len(bounds) + 1} rates. Got {len(rates)} rates: {self.rates!r}."
            )

    def __call__(self, t: Any) -> Floats:
        s = np.asarray(t, np.float64) - 1
        bounds = np.asarray(self.boundaries, np.float64) * self.scale
        return np.asarray(self.rates, np.float64)[np.searchsorted(bounds, s, side="right")]
