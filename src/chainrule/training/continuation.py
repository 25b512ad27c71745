"""What single passes go on with after a copy or a pickle: the optimizer's state and the number of steps that are done."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray

from ..optimizers import Optimizer
from .history import History
from .objective import Objective

if TYPE_CHECKING:
    from ..engine.base import Engine
    from ..network import NetworkGraph
    from .trainer import Trainer

__all__ = ["Continuation"]

Array = NDArray[Any]
_SLOT = "slot."


@dataclass(eq=False)
class Continuation:
    """The state of a trainer apart from the network, which has the weights, the states and the random numbers itself.

    Parameters
        objective, optimizer, seed : of the trainer ; epoch, step : how many are done ; history : of the epochs that are done
        slots : {name: flat array}, what the optimizer keeps for each parameter ; search : what an optimizer that drives
            itself keeps between its steps
    """

    objective: Objective
    optimizer: Optimizer
    seed: int
    epoch: int
    step: int
    history: History
    slots: dict[str, Array]
    search: dict[str, Array]

    @classmethod
    def of(cls, trainer: Trainer) -> Self | None:
        """The state of this trainer now; None when the network has other parameters than the trainer knows."""
        if not trainer.fits_network():
            return None
        arena, state = trainer.network.parameters, trainer.state
        names = [f"{_SLOT}{name}" for name in trainer.optimizer.slot_start()]
        return cls(
            state.objective,
            trainer.optimizer,
            trainer.seed,
            state.epoch,
            state.step,
            state.history,
            {name: arena.packed(trainer.arenas, name) for name in names},
            dict(trainer.search),
        )

    def trainer(self, network: NetworkGraph, engine: Engine) -> Trainer | None:
        """A trainer of a copy of the network that goes on from here; None when the parameters are others by now."""
        from .trainer import Trainer

        made = Trainer(network, self.objective, self.optimizer, engine=engine, seed=self.seed, rng=network.rng)
        arena = network.parameters
        for name, array in self.slots.items():
            if arena.packed(made.arenas, name).shape != array.shape:
                return None
            arena.unpack(array, made.arenas, name)
        made.search = copy.deepcopy(self.search)
        made.state.epoch, made.state.step, made.state.history = self.epoch, self.step, self.history
        return made
