"""A rate that is given for each stretch of the training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...constraints import POSITIVE, EachOf, Interval
from ...errors import ParameterError
from .base import Floats, Schedule


class Piecewise(Schedule):
    """Constant between boundaries: ``η = rates[i]`` from boundaries[i − 1] to boundaries[i] steps or epochs.

    Parameters  boundaries : rising numbers > 0, in units ; rates : numbers >= 0, one more than boundaries ;
                unit : "steps" or "epochs"
    Raises      ParameterError from ``validate`` when lengths do not fit or a number is out of its range

    Example
        >>> Piecewise([2, 3], rates=[0.1, 0.01, 0.001])([1, 2, 3, 4, 5]).tolist()
        [0.1, 0.1, 0.01, 0.001, 0.001]
    """

    hyperparameters = {
        "boundaries": EachOf(POSITIVE, rising=True),
        "rates": EachOf(Interval(float, 0), fewest=1),
    }

    def __init__(self, boundaries: Sequence[float], *, rates: Sequence[float], unit: str = "steps"):
        self.boundaries, self.rates, self.unit = boundaries, rates, unit

    def validate(self) -> None:
        super().validate()
        if len(self.rates) != len(self.boundaries) + 1:
            raise ParameterError(
                f"Piecewise: {len(self.boundaries)} boundaries part {len(self.boundaries) + 1} rates. "
                f"Got {len(self.rates)} rates: {self.rates!r}."
            )

    def __call__(self, t: Any) -> Floats:
        s = np.asarray(t, np.float64) - 1
        bounds = np.asarray(self.boundaries, np.float64) * self.scale
        return np.asarray(self.rates, np.float64)[np.searchsorted(bounds, s, side="right")]
