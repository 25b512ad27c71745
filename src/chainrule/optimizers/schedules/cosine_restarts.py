"""A rate that falls along half a cosine again and again."""

from __future__ import annotations

import numpy as np

from ...constraints import POSITIVE, Interval
from .base import Floats, Schedule


class CosineRestarts(Schedule):
    """Cosine with warm restarts: ``η = final + (initial − final) fⁱ ½ (1 + cos(π sᵢ / Tᵢ))``, sᵢ steps into cycle i.

    Cycle i = 0, 1, ... is ``Tᵢ = period growthⁱ`` long and begins at fⁱ of the first height. A restart lets weights leave
    the valley that they have settled in.

    Parameters  initial : > 0 ; period : > 0, in units, the length of the first cycle ; growth : >= 1 = 1, of the length from
                cycle to cycle ; fade f : in (0, 1] = 1, of the height from cycle to cycle ; final : >= 0 = 0 ;
                unit : "steps" or "epochs"
    Raises      ParameterError from ``validate`` when a number is out of its range
    References  Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017

    Example
        >>> CosineRestarts(0.2, period=2, growth=2)([1, 2, 3, 4, 5, 6, 7]).round(6).tolist()
        [0.2, 0.1, 0.2, 0.170711, 0.1, 0.029289, 0.2]
    """

    hyperparameters = {
        "initial": POSITIVE,
        "period": POSITIVE,
        "growth": Interval(float, 1),
        "fade": Interval(float, 0, 1, closed="right"),
        "final": Interval(float, 0),
    }

    def __init__(
        self,
        initial: float,
        *,
        period: float,
        growth: float = 1.0,
        fade: float = 1.0,
        final: float = 0.0,
        unit: str = "steps",
    ):
        self.initial, self.period, self.growth, self.fade, self.final, self.unit = initial, period, growth, fade, final, unit

    def rate(self, s: Floats) -> Floats:
        into = s / self.period
        if self.growth == 1:
            cycle = np.floor(into)
            part = into - cycle
        else:
            # Cycle i begins at (growthⁱ − 1) / (growth − 1) periods; rounding may put a restart into the cycle before it.
            cycle = np.floor(np.log1p(into * (self.growth - 1)) / np.log(self.growth) + 1e-12)
            begin = (self.growth**cycle - 1) / (self.growth - 1)
            part = np.clip((into - begin) / self.growth**cycle, 0.0, 1.0)
        height = (self.initial - self.final) * self.fade**cycle
        return np.asarray(self.final + height * 0.5 * (1 + np.cos(np.pi * part)), np.float64)
