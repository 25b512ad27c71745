"""Whether a network has learned, beside what simple models make of the same data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Outcome"]


@dataclass(frozen=True)
class Outcome:
    """The result of a training.

    Parameters
        score : on training samples, layers as in prediction: accuracy, or R² ; NaN where it is not known
        validation : the same on validation samples ; chance, reference : of the best constant and the best simple model ;
        error : of the score by chance ; spread : standard error of the reference ; judged : samples that it is of ;
        classes : whether it is an accuracy
        start, final, baseline : losses: of the first step, of the end, of the best constant output (NaN where not known)
        diverged : whether a number stopped being finite ; informative : whether the simple models find anything to learn
        hidden : whether nearly all samples are of one class, and nothing tells the others from it: no score shows what is
            learned
        complete : whether the planned training ran to its end, so that its result can be judged
    """

    score: float = math.nan
    validation: float = math.nan
    chance: float = math.nan
    reference: float = math.nan
    error: float = 0.0
    spread: float = 0.0
    start: float = math.nan
    final: float = math.nan
    baseline: float = math.nan
    diverged: bool = False
    informative: bool | None = None
    hidden: bool = False
    complete: bool = True
    classes: bool = False
    judged: int = 0
    losses: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @property
    def skill(self) -> float:
        """(score − chance) / (reference − chance): 0 for the best constant, 1 for the best simple model."""
        span = self.reference - self.chance
        return (self.score - self.chance) / span if span > 0 else math.nan

    @property
    def failed(self) -> bool:
        """Nothing was learned: no better than the best constant, beyond the error, where there is something to learn."""
        if self.diverged:
            return True
        if math.isfinite(self.score) and self.informative is not None:
            at_chance = self.score <= self.chance + 2 * self.error
            if self.informative:
                return at_chance or self.skill < 0.2
            return at_chance and not self.fell and not self.hidden
        return math.isfinite(self.final) and not self.fell

    @property
    def poor(self) -> bool:
        """Clearly less was learned than a simple model does, though samples are known here and not to that model.

        For accuracy three standard errors (and a fiftieth) are missing, for R² a tenth of the skill beyond two of them.
        """
        if self.failed or self.worse_than_constant:
            return True
        if self.complete and math.isfinite(self.score) and self.informative:
            if self.classes:
                spread = math.sqrt(max(self.reference * (1 - self.reference), 1e-4) / max(1, self.judged))
                return self.score < self.reference - 3 * spread - 0.02
            return self.skill < 0.9 and self.score < self.reference - 2 * max(self.error, self.spread)
        return False

    @property
    def worse_than_constant(self) -> bool:
        """Whether the loss ended above that of the best constant and above its start, by more than half."""
        return math.isfinite(self.baseline) and self.final > 1.5 * max(self.baseline, min(self.start, 1e300))

    @property
    def fell(self) -> bool:
        """Whether the loss fell by more than a tenth of the way from its start, or from the baseline."""
        if not (math.isfinite(self.start) and math.isfinite(self.final)):
            return True
        first = self.start
        if math.isfinite(self.baseline):
            first = min(first, self.baseline)
        return self.final < first - 0.1 * abs(first)
