"""A rate that rises to a peak and falls far below its start."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...constraints import POSITIVE, Interval
from .base import Floats, Schedule


class OneCycle(Schedule):
    """Up to the peak and down again, each along half a cosine; the momentum stays as it is.

    From start · peak at the first step to the peak at the end of the part ``warm`` of the cycle, then to final · peak at
    its last step, where it stays.

    Parameters  peak : > 0 ; total : > 0, in units, the length of the cycle ; warm : in (0, 1) = 0.3 ;
                start : > 0 = 0.04, final : >= 0 = 4e-6, parts of the peak ; unit : "steps" or "epochs"
    Raises      ParameterError from ``validate`` when a number is out of its range
    References  Smith and Topin, Super-convergence, arXiv 1708.07120, 2017

    Example
        >>> OneCycle(1.0, total=10)([1, 3, 10]).round(3).tolist()
        [0.04, 1.0, 0.0]
    """

    hyperparameters = {
        "peak": POSITIVE,
        "total": POSITIVE,
        "warm": Interval(float, 0, 1, closed="neither"),
        "start": POSITIVE,
        "final": Interval(float, 0),
    }

    def __init__(
        self,
        peak: float,
        *,
        total: float,
        warm: float = 0.3,
        start: float = 0.04,
        final: float = 4e-6,
        unit: str = "steps",
    ):
        self.peak, self.total, self.warm, self.start, self.final, self.unit = peak, total, warm, start, final, unit

    def __call__(self, t: Any) -> Floats:
        # The ends are whole steps (the first and the last get the first and the last rate), so the unit here is the step.
        s = np.asarray(t, np.float64) - 1
        steps = self.total * self.scale
        top, end = max(self.warm * steps - 1, 0.0), max(steps - 1, 0.0)
        up = np.clip(s / top, 0, 1) if top > 0 else np.ones_like(s)
        down = np.clip((s - top) / (end - top), 0, 1) if end > top else np.zeros_like(s)
        low = np.where(s < top, self.start, self.final)
        part = np.where(s < top, 1 - up, down)
        return np.asarray(self.peak * (low + (1 - low) * 0.5 * (1 + np.cos(np.pi * part))), np.float64)
