"""Probes: at some steps of a training the statistics of all it computes, without changing it by a bit.

A probe runs a plan of its own (``plan.statistics``) on the samples that the next step will see, with the same seed and step
number, before that step. Parameters, states and slots are read and never written, so a probed training gives the same
numbers as one that is not probed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..ops.memory import aligned_zeros
from ..plan import Plan
from ..plan.statistics import lower_statistics
from .divergence import Run
from .executables import Executables

if TYPE_CHECKING:
    from .trainer import Trainer

#: Share of a training's time that probes may take once the first steps are over.
SHARE = 0.03
#: Probes that are taken in any case: at steps 0, 1, 2, 4, 8, ... and at the start of an epoch.
FREE = 40
#: Seconds a probe costs beside its step: coming back to Python, reading the outputs; and for each of those.
_CALL_SECONDS, _OUTPUT_SECONDS = 400e-6, 4e-6
#: What the fast engine reaches at best: more than it does, so that the time of a step is not overestimated.
_FLOPS_PER_SECOND, _BYTES_PER_SECOND, _STEP_SECONDS = 300e9, 60e9, 3e-6

Found = Mapping[str, NDArray[Any]]


class Probe:
    """Takes statistics at sampled steps of a training.

    Parameters
        take : called with (run, found, sizes, learning rate) for every probe; sizes is {output: number of elements it is of}
        every : sample every so many steps; None finds a number that keeps the cost below 3 % of the training's time,
            from the plan alone, so that the same steps are sampled each time
    """

    def __init__(self, take: Callable[[Run, Found, dict[str, int], float], None], every: int | None = None) -> None:
        self._take, self.wanted = take, every
        self.every = 0
        self.taken = 0
        self._batch = 0
        #: What made a probe fail, in words.
        self.error = ""
        self._executables: Executables | None = None
        self._arenas: dict[str, NDArray[Any]] = {}
        self._sizes: dict[Any, dict[str, int]] = {}

    def prepare(self, trainer: Trainer, batch: int) -> None:
        """Before an epoch: ``batch`` is that of its full steps."""
        if self._executables is not None:
            return
        flat = trainer.network.parameters.flat
        own = {name: aligned_zeros(flat.size, flat.dtype) for name in ("gradients", "update")}
        self._arenas = {**trainer.arenas, **own}
        self._executables = Executables(trainer.engine, self._arenas, limit=2)
        self._batch = batch
        self.every = self.wanted or self._interval(trainer.plan(batch, trainer.network.concrete()), trainer)

    def _interval(self, step: Plan, trainer: Trainer) -> int:
        seconds = _STEP_SECONDS + step.flops / _FLOPS_PER_SECOND + step.bytes / _BYTES_PER_SECOND
        outputs = 4 * len(trainer.network.calls) + 3 * len(trainer.network.parameters)
        return max(1, math.ceil((_CALL_SECONDS + _OUTPUT_SECONDS * outputs + 3 * seconds) / (SHARE * seconds)))

    def due(self, step: int, within: int) -> bool:
        """Whether the step of this number, the ``within``-th of its epoch, is sampled."""
        if self.wanted or step % self.every == 0:
            return step % self.every == 0
        early = step & (step - 1) == 0 and step < self.every
        return self.taken < FREE and (early or within == 0)

    def until_next(self, step: int, within: int) -> int:
        """How many steps from ``step`` on may run before the next one that is sampled."""
        ahead = self.every - step % self.every
        if not self.wanted and self.taken < FREE and 0 < step < self.every:
            ahead = min(ahead, (1 << step.bit_length()) - step)
        return 1 if step == 0 else ahead

    def run(self, trainer: Trainer, run: Run) -> None:
        """Takes the statistics of the first step of a piece. A probe that fails ends the sampling, not the training."""
        if self.error:
            return
        try:
            self._run(trainer, run)
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"

    def _run(self, trainer: Trainer, run: Run) -> None:
        if run.piece.batch != self._batch and self.taken:
            return  # the short last batch
        assert self._executables is not None
        batch = run.piece.batch
        optimizer = None if trainer.optimizer.full_batch else trainer.optimizer
        key = (batch, run.piece.shapes, *trainer.forms, *trainer.weights, *sorted(trainer.network.frozen))
        compiled = self._executables.get(key, lambda: self._lower(trainer, batch, run.piece.shapes, optimizer))
        executable = compiled.executable
        scalars = {name: float(values[0]) for name, values in run.scalars.items() if name in executable.plan.scalars}
        inputs = {name: a for name, a in run.inputs(0).items() if name in executable.plan.inputs}
        with np.errstate(all="ignore"):
            found = executable.run(inputs, scalars, step=run.step, seed=run.seed)
        self.taken += 1
        rate = float(run.scalars["lr"][0]) if "lr" in run.scalars else trainer.learning_rate()
        if key not in self._sizes:
            self._sizes[key] = {
                name: value.producer.inputs[0].size
                for name, value in executable.plan.outputs.items()
                if value.producer is not None and value.producer.op == "moments"
            }
        self._take(run, found, self._sizes[key], rate)

    def _lower(self, trainer: Trainer, batch: int, shapes: Any, optimizer: Any) -> Plan:
        return lower_statistics(
            trainer.network,
            trainer.losses,
            optimizer,
            batch,
            shapes=trainer.network.concrete(None if trainer.constants else shapes),
            constants=trainer.constants,
            targets=trainer.forms,
            weights=trainer.weights,
            loss_weights=trainer.loss_weights,
        )
