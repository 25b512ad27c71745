"""What callbacks see of a fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..losses import Loss
from ..network import NetworkGraph
from ..optimizers import Optimizer
from .history import History
from .objective import Objective

if TYPE_CHECKING:
    from .divergence import Culprit
    from .probe import Probe

__all__ = ["FitState"]


@dataclass(eq=False)
class FitState:
    """How far a fit has come, and what it works on. A callback gets it as the first argument of each of its methods.

    Attributes
        network : the network that is trained; a callback may change its weights between the epochs
        objective : the losses, and how targets and weights are read ; optimizer : the fit's own copy
        epoch, step : how many epochs and steps are done, counted over all fits that this one goes on from
        epochs : the epoch after which the fit ends ; stop : set it to True to end the fit after the current epoch
        history : the History of the epochs that are done
        samples_an_epoch : the number of samples in an epoch, 0 where it is not known
        steps_an_epoch : the number of steps in an epoch, None where it is not known
        probe : takes statistics at sampled steps (see ``training.probe``); a callback may set it when the fit begins
        culprit : the step in which the fit diverged, after a DivergenceError
    """

    network: NetworkGraph
    objective: Objective
    optimizer: Optimizer
    rate: Callable[[], float] = field(repr=False)
    history: History = field(default_factory=History)
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    stop: bool = False
    samples_an_epoch: int = 0
    steps_an_epoch: int | None = None
    probe: Probe | None = field(default=None, repr=False)
    culprit: Culprit | None = field(default=None, repr=False)

    @property
    def losses(self) -> Sequence[Loss]:
        """The losses, one for each output of the network."""
        return self.objective.losses

    @property
    def learning_rate(self) -> float:
        """The learning rate of the last completed step; before the first step, that of the first one."""
        return self.rate()
