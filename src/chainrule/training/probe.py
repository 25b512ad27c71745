"""Probes take the statistics of everything that a training computes at some of its steps, and change none of its bits.

A probe runs a plan of its own (``plan.statistics``) on the samples that the next step will see, with the same seed and step
number, before that step. Parameters, states and slots are read and never written, so a probed training gives the same
numbers as one that is not probed.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..plan import Plan
from ..plan.statistics import lower_statistics
from .divergence import Run
from .executables import Executables

if TYPE_CHECKING:
    from .trainer import Trainer

#: The share of a training's time that probes may take. Compiling their plan, and refilling the caches after them, comes on
#: top.
SHARE = 0.025
#: The number of probes that are taken however short the training is: as many as take about FREE_SECONDS, but at least
#: FEWEST, over which the rules want a fault to persist, and at most MOST, which is enough for every rule.
FREE_SECONDS, FEWEST, MOST = 0.1, 8, 40
#: A probe costs about twice as much as its step (the step itself and the statistics), and in addition the seconds for the
#: call from Python and for reading each output.
_CALL_SECONDS, _OUTPUT_SECONDS = 200e-6, 4e-6
#: The speed of the fast engine at its best, which it does not reach, so that the time of a step is not overestimated.
_FLOPS_PER_SECOND, _BYTES_PER_SECOND, _STEP_SECONDS = 300e9, 60e9, 3e-6

Found = Mapping[str, NDArray[Any]]


class Probe:
    """Takes statistics at sampled steps of a training.

    Parameters
        take : called with (run, found, sizes, learning rate) for every probe; sizes is {output: number of elements it is of}
        every : sample every so many steps; None finds steps that cost at most 3 % of the training's time, but for the
            first few; from the plan and the number of steps alone, so that the same ones are sampled each time
    """

    def __init__(self, take: Callable[[Run, Found, dict[str, int], float], None], every: int | None = None) -> None:
        self._report, self.wanted = take, every
        self.every = self.spacing = every or 0
        self.free = 0
        self.early: list[int] = []
        self.taken = 0
        #: The seconds that the probes have taken so far, including those for compiling their plan.
        self.seconds = 0.0
        self._batch = 0
        #: Why a probe failed, in words; "" while none did.
        self.error = ""
        self._executables: Executables | None = None
        self._arenas: dict[str, NDArray[Any]] = {}
        self._sizes: dict[Any, dict[str, int]] = {}

    def prepare(self, trainer: Trainer, batch: int) -> None:
        """To be called before an epoch. Parameters  batch : the number of samples in its full steps"""
        if self._executables is not None:
            return
        parameters = trainer.network.parameters
        self._arenas = {**trainer.arenas, **parameters.like("gradients"), **parameters.like("update")}
        self._executables = Executables(trainer.engine, self._arenas, limit=2)
        self._batch = batch
        self.first = trainer.state.step
        if not self.wanted:
            self._plan_samples(trainer.plan(batch, trainer.network.concrete()), trainer)

    def _plan_samples(self, step: Plan, trainer: Trainer) -> None:
        """Chooses the steps to sample: some at the start at growing distances, some at even distances whatever they cost,
        and as
        many more as fit into the share of the time that probes may take."""
        seconds = _STEP_SECONDS + step.flops / _FLOPS_PER_SECOND + step.bytes / _BYTES_PER_SECOND
        outputs = 4 * len(trainer.network.calls) + 3 * len(trainer.network.parameters)
        sample = _CALL_SECONDS + _OUTPUT_SECONDS * outputs + 2 * seconds
        self.free = min(max(int(FREE_SECONDS / sample), FEWEST), MOST)
        an_epoch = trainer.state.steps_an_epoch
        steps = None if an_epoch is None else max(1, an_epoch * trainer.state.epochs - self.first)
        self.every = math.ceil(sample / (SHARE * seconds))
        self.spacing = an_epoch or self.every
        if steps is not None:
            # The number of probes that fit into the share of the time, less those that are taken in any case.
            left = SHARE * steps * seconds / sample - self.free
            self.every = math.ceil(steps / left) if left >= 1 else steps
            self.spacing = max(1, min(self.spacing, math.ceil(steps / (self.free - self.free // 2))))
        count = self.free // 2
        self.early = sorted({int(self.spacing ** (i / count)) for i in range(count)} | {0})

    def _next(self, step: int) -> int:
        """The first step from this one on that is sampled; both are counted from the start of this training."""
        ahead = -step % self.every
        if self.taken < self.free:
            ahead = min(ahead, -step % self.spacing)
            place = bisect_left(self.early, step)
            if place < len(self.early):
                ahead = min(ahead, self.early[place] - step)
        return step + ahead

    def due(self, step: int) -> bool:
        """Whether the step of this number is sampled."""
        return self._next(step - self.first) == step - self.first

    def until_next(self, step: int) -> int:
        """How many steps from ``step`` on may run before the next one that is sampled."""
        return self._next(step - self.first + 1) - (step - self.first)

    def run(self, trainer: Trainer, run: Run) -> None:
        """Takes the statistics of the first step of a piece. A probe that fails ends the sampling, not the training."""
        if self.error:
            return
        started = time.perf_counter()
        try:
            self._run(trainer, run)
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
        self.seconds += time.perf_counter() - started

    def _run(self, trainer: Trainer, run: Run) -> None:
        if run.piece.batch != self._batch and self.taken:
            return  # the short last batch
        assert self._executables is not None
        batch = run.piece.batch
        optimizer = None if trainer.optimizer.full_batch else trainer.optimizer
        objective = trainer.state.objective
        key = (
            batch,
            run.piece.shapes,
            *objective.forms,
            *objective.weights,
            objective.sparse,
            *sorted(trainer.network.frozen),
        )
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
        self._report(run, found, self._sizes[key], rate)

    def _lower(self, trainer: Trainer, batch: int, shapes: Any, optimizer: Any) -> Plan:
        objective = trainer.state.objective
        return lower_statistics(
            trainer.network,
            objective.losses,
            optimizer,
            batch,
            shapes=trainer.network.concrete(None if objective.constants else shapes),
            constants=objective.constants,
            taken_out=objective.taken_out,
            sparse=objective.sparse,
            targets=objective.forms,
            weights=objective.weights,
            loss_weights=objective.loss_weights,
        )
