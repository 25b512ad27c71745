"""What the cross-entropies have in common: they read logits or probabilities, and targets can be smoothed."""

from __future__ import annotations

from typing import Self

from ..constraints import Boolean, Interval
from .base import Loss


class _CrossEntropy(Loss):
    """Base of the losses ``ℓ = −Σ t log p`` of logits, or of probabilities p that the network has made."""

    probabilities = True
    hyperparameters = {"label_smoothing": Interval(float, 0, 1), "from_probabilities": Boolean()}
    label_smoothing: float
    from_probabilities: bool

    @property
    def reads_logits(self) -> bool:  # type: ignore[override]  # a class may state it, and instances compute it
        return not self.from_probabilities

    @property
    def predicts_raw(self) -> bool:
        return self.from_probabilities

    def of_probabilities(self) -> Self:
        return type(self)(**{**self.config(), "from_probabilities": True})
