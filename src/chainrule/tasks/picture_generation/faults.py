"""What goes wrong when a generator and a critic are trained, found in numbers that were taken after each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...training import Callback
from .sample_metrics import separation, variety

__all__ = ["GenerationFault", "Watched", "faults_of"]

#: Samples of less than this share of the variety of real ones have collapsed.
_COLLAPSED = 0.5
#: A critic that tells real from made samples apart so often wins, when it does so for so many epochs on end.
_WINS, _EPOCHS = 0.995, 3
#: Samples of equal noise go to and fro when they are nearer to those of two epochs before than this share of a step.
_TO_AND_FRO = 0.8
#: A step of less than this share of the variety of the samples is no oscillation.
_MOVES = 0.25


@dataclass(frozen=True)
class GenerationFault:
    """One fault. Parameters  name ; title : one line with numbers ; evidence : {what was measured: number} ; cure : words"""

    name: str
    title: str
    evidence: dict[str, float]
    cure: str

    def __str__(self) -> str:
        return f"{self.title} {self.cure}"


@dataclass
class Record:
    """The numbers that were measured after each epoch."""

    variety: list[float] = field(default_factory=list)
    separation: list[float] = field(default_factory=list)
    step: list[float] = field(default_factory=list)
    return_: list[float] = field(default_factory=list)


class Watched(Callback):
    """Takes the numbers after each epoch, from pictures made of the same noise each time.

    Parameters  make : () -> pictures (N, H, W, C) ; score : pictures -> scores ; real : pictures to compare with
    """

    def __init__(self, make: Any, score: Any, real: NDArray[Any]) -> None:
        self.make, self.score, self.real = make, score, real
        self.record, self._before = Record(), list[NDArray[Any]]()

    def on_epoch_end(self, state: Any, epoch: int, logs: Any) -> None:
        made = self.make()
        record = self.record
        record.variety.append(variety(made))
        record.separation.append(separation(self.score(self.real), self.score(made)))
        for kept, ago in ((record.step, 1), (record.return_, 2)):
            if len(self._before) >= ago:
                kept.append(float(np.sqrt(np.square(made - self._before[-ago]).mean())))
        self._before = [*self._before[-1:], made]


def faults_of(record: Record, real_variety: float) -> list[GenerationFault]:
    """The faults that the numbers show, none where all is well."""
    found = []
    if record.variety and record.variety[-1] < _COLLAPSED * real_variety:
        share = record.variety[-1] / max(real_variety, 1e-12)
        found.append(
            GenerationFault(
                "collapse",
                f"The samples have collapsed: two of them differ by {record.variety[-1]:.3g}, two real pictures by "
                f"{real_variety:.3g} ({100 * share:.0f} %).",
                {"variety": record.variety[-1], "variety of real pictures": real_variety},
                "Use spectral normalisation and the objective hinge, a smaller learning rate, or larger batches.",
            )
        )
    last: Sequence[float] = record.separation[-_EPOCHS:]
    if len(last) == _EPOCHS and min(last) > _WINS:
        found.append(
            GenerationFault(
                "winning critic",
                f"The critic wins: in the last {_EPOCHS} epochs it told real from made pictures apart in "
                f"{100 * min(last):.1f} % of all pairs or more, so the generator learns little from it.",
                {"separation": min(last)},
                "Use spectral normalisation, a smaller learning rate of the critic (critic_rate), or a wider generator.",
            )
        )
    steps, returns = record.step[-6:], record.return_[-6:]
    if len(returns) >= 4:
        step, back = float(np.mean(steps)), float(np.mean(returns))
        if step > _MOVES * max(record.variety[-1], 1e-12) and back < _TO_AND_FRO * step:
            found.append(
                GenerationFault(
                    "oscillation",
                    f"The samples go to and fro: those of equal noise differ by {step:.3g} from one epoch to the next, and "
                    f"by only {back:.3g} from those two epochs before.",
                    {"step": step, "distance to two epochs before": back},
                    "Use a smaller learning rate, momentum 0 (beta1=0), or the moving average of the weights.",
                )
            )
    return found
