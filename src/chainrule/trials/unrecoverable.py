"""Whether a fit that is watched can still succeed."""

from __future__ import annotations

import math

from ..diagnosis import Diagnosis
from ..diagnosis.examine import examine
from .case import Training, case_of
from .known_samples import KnownSamples
from .watch import Watch

__all__ = ["Unrecoverable"]

#: Epochs with a fault that the fit cannot recover from, before it is ended.
_PATIENCE = 3


class Unrecoverable:
    """Asks after epochs 1, 2, 3, 4, 6, 9, 13, ... whether faults persist that the fit cannot recover from.

    Parameters  training : the one that is watched
    Attributes  diagnosis : the last one that was made
    """

    #: Faults that more epochs do not mend.
    NAMES = (
        "non-finite-data", "constant-targets", "softmax-one-unit", "output-activation", "output-range", "wrong-loss",
        "constant-initialisation", "gradient-cut-off", "no-parameters", "dead-units", "vanishing-gradients",
        "exploding-gradients", "learning-rate-too-large", "saturated-units", "initialisation-too-large",
        "missing-nonlinearity",
    )  # fmt: skip

    def __init__(self, training: Training) -> None:
        self.training = training
        self.diagnosis: Diagnosis | None = None
        self._next_epoch, self._times_seen = 1, 0
        self._known: KnownSamples | None = None

    def __call__(self, watch: Watch, epoch: int) -> bool:
        """Whether the fit is to be ended after this epoch."""
        if epoch < self._next_epoch or watch.fit is None:
            return False
        self._next_epoch = max(epoch + 1, math.ceil(1.4 * epoch))
        self.training.history = watch.fit.history
        case = case_of(self.training, self._known)
        self._known = case.seen
        self.diagnosis = examine(case, only=self.NAMES)
        wrong = any(finding.severity == "error" for finding in self.diagnosis.findings)
        self._times_seen = self._times_seen + 1 if wrong and case.outcome.failed else 0
        return self._times_seen >= _PATIENCE
