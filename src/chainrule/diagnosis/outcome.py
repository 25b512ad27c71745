"""Whether a network has learned, compared with simple models of the same data."""

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
        score : accuracy or R² on training samples, with layers as in prediction; NaN where it is not known
        validation : the same on validation samples
        chance, reference : the scores of the best constant output and of the best simple model
        error : how much the score of a constant output varies by chance ; spread : the standard error of the reference
        judged : how many samples the score is measured on ; classes : whether the score is an accuracy
        start, final, baseline : the losses of the first step, of the end, and of the best constant output (NaN where a loss
            is not known)
        diverged : whether a number stopped being finite
        informative : whether the simple models find anything to learn
        hidden : whether nearly all samples belong to one class, and nothing tells the others apart from it, so that no score
            shows what was learned
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
        """Whether nothing was learned: the network is no better than the best constant output, beyond the error of the
        score, though there is something to learn."""
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
        """Whether the network learned clearly less than a simple model, although the network is judged on samples that it
        was trained on, and the simple model on samples that it has not seen.

        Clearly means: an accuracy that is lower by more than three standard errors and a fiftieth, or an R² with less than
        nine tenths of the skill that is also lower by more than two standard errors.
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
        """Whether the loss ended more than half above both that of the best constant output and its own start."""
        return math.isfinite(self.baseline) and self.final > 1.5 * max(self.baseline, min(self.start, 1e300))

    @property
    def fell(self) -> bool:
        """Whether the loss ended more than a tenth below its start, and below the loss of the best constant output where
        that is known and lower."""
        if not (math.isfinite(self.start) and math.isfinite(self.final)):
            return True
        first = self.start
        if math.isfinite(self.baseline):
            first = min(first, self.baseline)
        return self.final < first - 0.1 * abs(first)
