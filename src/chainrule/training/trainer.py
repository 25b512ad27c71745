"""The training loop: epochs, steps, validation, callbacks, and what happens when something goes wrong."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.base import Engine
from ..errors import DivergenceError, ModelFileError, ParameterError
from ..network import NetworkGraph
from ..network.store import changes, touch
from ..ops.value import Shape
from ..optimizers import Optimizer
from ..optimizers.schedules import Schedule
from ..plan import Plan
from .callbacks import Callback
from .checkpoint import Checkpoint, CheckpointFile
from .distributed import Ranks
from .divergence import Recorder, Run
from .executables import Compiled, Executables, total
from .feeds import Feed
from .frozen_features import FrozenFeatures
from .full_batch import fit_full_batch
from .history import History
from .interrupt import InterruptGuard
from .objective import Objective
from .state import FitState

Array = NDArray[Any]
Scalars = Mapping[str, NDArray[np.float64]]
#: Seconds of steps that run between two looks at the losses, at Ctrl-C and at the progress.
CHUNK_SECONDS = 0.15
#: The seeds of two ranks differ by this number, far more than there are streams of random numbers in a network.
_RANK_SEEDS = 0x9E3779B1


class Trainer:
    """Trains one network: owns the gradients, the optimizer's slots and the state of the fit, and goes on where it stopped.

    Parameters
        network : built ; objective : what a step minimises ; optimizer : makes the update
        engine : compiles the plans
        seed : of Dropout and the like ; rng : draws the order of the samples
        ranks : processes that train the network together, None for this one alone
    Attributes
        state : the FitState that callbacks see ; arenas : {name: flat array}

    An epoch is run in chunks of steps. One call of the engine runs a chunk, so Python takes a small share of the time. The
    length of the chunks depends on the speed of the machine; the numbers that come out do not.
    """

    def __init__(
        self,
        network: NetworkGraph,
        objective: Objective,
        optimizer: Optimizer,
        *,
        engine: Engine,
        seed: int = 0,
        rng: np.random.Generator | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        network.require_built("Trainer")
        optimizer.validate()
        for loss in objective.losses:
            loss.validate()
        self.network, self.optimizer, self.engine, self.seed = network, optimizer, engine, seed
        self.ranks = ranks
        self.rng = np.random.default_rng(seed) if rng is None else rng
        self.state = FitState(network, objective, optimizer, self.learning_rate)
        self.arenas: dict[str, Array] = network.parameters.like("gradients")
        for name, start in optimizer.slot_start().items():
            self.arenas.update(network.parameters.like(f"slot.{name}", start))
        self.callbacks: list[Callback] = []
        #: What an optimizer that drives itself keeps between its steps, for checkpoints.
        self.search: dict[str, Array] = {}
        self.interrupts = InterruptGuard()
        self._block: tuple[int, int, Scalars] = (0, 0, {})
        self._steps_ahead = 256
        self._signature: tuple[int, ...] = (-1,)
        self.follow_network()

    def fits_network(self) -> bool:
        """Whether the parameters lie where, and are held as, this trainer knows them."""
        arenas = self.network.arenas()
        return self._signature == self.network.signature() and all(self.arenas.get(n) is a for n, a in arenas.items())

    def follow_network(self) -> None:
        """Works on the parameters where they lie and as they are held now; compiled plans of before are dropped."""
        if self.fits_network():
            return
        # Arrays of representations, named "parameter:array", go with them.
        self.arenas = {n: a for n, a in self.arenas.items() if ":" not in n} | self.network.arenas()
        self._signature = self.network.signature()
        self.executables = Executables(self.engine, self.arenas, limit=8)
        self.recorder = Recorder(self.network, self.arenas, ranks=self.ranks)

    # ------------------------------------------------------------ plans and scalars

    def plan(self, batch: int, shapes: Sequence[Shape] | None = None, share: float = 1.0) -> Plan:
        """The plan of a step on ``batch`` samples, as lowered; ``shapes`` of the inputs for a network with free sizes."""
        together = {} if self.ranks is None else {"ranks": self.ranks, "share": share}
        return self.state.objective.lower(self.network, self.optimizer, batch, shapes, **together)

    def executable(self, batch: int, shapes: Sequence[Shape] | None = None, share: float = 1.0) -> Compiled:
        """The compiled plan of a step on ``batch`` samples, with inputs of these shapes.

        Parameters  share : of these samples in the batch of all ranks
        """
        objective = self.state.objective
        of_inputs = tuple(shapes or ()) if objective.start else ()
        of_inputs = of_inputs or tuple(self.network.concrete(None if objective.constants else shapes))
        factors = (self.optimizer.learning_rate_factors or {}).items()
        key = (batch, share, of_inputs, *objective.key, *sorted(self.network.frozen), *factors)
        compiled = self.executables.get(key, lambda: self.plan(batch, of_inputs, share))
        if not compiled.pace:
            plan = compiled.executable.plan
            compiled.pace = 1e-5 * len(plan.nodes) + plan.flops / 1e10  # a guess, until it is measured
        return compiled

    def _pace(self, batch: int, shapes: Sequence[Shape] | None = None) -> int:
        share = 1.0
        if self.ranks is not None:
            start, stop, share = self.ranks.part(batch)
            batch = stop - start
        return max(1, int(CHUNK_SECONDS / self.executable(batch, shapes, share).pace))

    def scalars(self, steps: int) -> Scalars:
        """The step scalars of the next ``steps`` steps; computed for a whole epoch at a time."""
        start, stop, values = self._block
        step = self.state.step
        if not (start <= step and step + steps <= stop):
            start, stop = step, step + max(steps, min(self._steps_ahead, 1 << 20))
            t = np.arange(start + 1, stop + 1, dtype=np.float64)
            rates = self.optimizer.rates(t)
            values = self.optimizer.step_scalars(t, rates)
            self._rates = rates
            self._block = (start, stop, values)
        at = step - start
        return {name: v[at : at + steps] for name, v in values.items()}

    def change_rates(self, learning_rate: Any, factors: Mapping[str, float] | None) -> None:
        """Goes on with another learning rate, or other factors of it by layers; None keeps what there is."""
        if learning_rate is not None:
            self.optimizer.learning_rate = copy.deepcopy(learning_rate)
        if factors is not None:
            self.optimizer.learning_rate_factors = dict(factors)
            self._block = (0, 0, {})
        self.optimizer.validate()

    def learning_rate(self) -> float:
        """The learning rate of the last completed step; before the first step, that of the first one."""
        start, stop, _ = self._block
        if start < self.state.step <= stop:
            return float(self._rates[self.state.step - 1 - start])
        return float(self.optimizer.rates(np.array([max(1.0, float(self.state.step))]))[0])

    _rates: NDArray[np.float64]

    # ------------------------------------------------------------ what checkpoints keep beside the arenas

    def schedule_state(self) -> dict[str, Any]:
        """What the learning-rate schedule took from the metrics so far; empty for a number or a plain function."""
        schedule = self.optimizer.learning_rate
        return dict(schedule.state_dict()) if isinstance(schedule, Schedule) else {}

    def restore_schedule(self, state: Mapping[str, Any]) -> None:
        """Goes on from a ``schedule_state``."""
        schedule = self.optimizer.learning_rate
        if isinstance(schedule, Schedule):
            schedule.load_state(dict(state))

    def check_rng(self, state: Mapping[str, Any]) -> None:
        """ParameterError when the random numbers of a checkpoint are those of another kind of generator."""
        mine = self.rng.bit_generator.state["bit_generator"]
        if state.get("bit_generator") != mine:
            raise ParameterError(
                f"resume: the checkpoint's random numbers come from {state.get('bit_generator')!r:.60}, the network's from "
                f"{mine}. Give the network the same kind of random_state."
            )

    # ------------------------------------------------------------ the loop

    def fit(
        self,
        feed: Feed,
        *,
        epochs: int,
        batch_size: int,
        shuffle: bool = True,
        validation: Callable[[], dict[str, float]] | None = None,
        callbacks: Sequence[Callback] = (),
        resume: CheckpointFile | None = None,
    ) -> History:
        """Trains until ``epochs`` epochs are done in all.

        Parameters
            validation : called after every epoch; its numbers are logged as "val_..."
            resume : a checkpoint whose state is taken up first
        Raises      DivergenceError when a number stops being finite; the weights before that step are kept

        The first Ctrl-C or SIGTERM (or KeyboardInterrupt of a callback) ends the fit after the current step: the weights,
        the history and the step count stay, and ``history.interrupted`` is True. After Ctrl-C no error is raised; after
        SIGTERM ``Terminated`` is, once all is kept. A second Ctrl-C is raised; a second SIGTERM ends the process.
        """
        state, schedule = self.state, self.optimizer.learning_rate
        state.epochs, state.stop, self.callbacks = epochs, False, list(callbacks)
        state.history.interrupted = state.history.stopped = state.history.diverged = False
        state.steps_an_epoch = steps = feed.steps(batch_size)
        state.samples_an_epoch, state.probe = feed.n_samples or 0, None
        if isinstance(schedule, Schedule) and steps is not None:
            schedule.bind(steps)
        self._steps_ahead = steps or 256
        self._block = (0, 0, {})
        self.follow_network()
        self.network.project()
        self.executables.limit = max(self.executables.limit, feed.plans)
        if not isinstance(feed, FrozenFeatures) and self.ranks is None:
            self._check_last_batch(feed, batch_size)
        self.recorder.forget()
        self.interrupts = InterruptGuard()
        begun: list[Callback] = []
        with self.interrupts:
            try:
                if resume is not None:
                    resume.apply(self)
                for callback in self.callbacks:
                    callback.on_fit_begin(state)
                    begun.append(callback)
                if resume is not None:
                    try:
                        resume.apply_to_callbacks(self.callbacks)
                        resume.apply_representations(self)
                    except ModelFileError:
                        resume.undo(self)
                        raise
                    self.follow_network()
                # Among ranks a signal is only noted until all of them stop after the same step.
                self.interrupts.busy = self.ranks is not None
                if not self.optimizer.full_batch:
                    self._run_epochs(feed, batch_size, shuffle, validation)
                elif state.epoch < epochs:
                    fit_full_batch(
                        self, feed, lambda logs, started: self._finish_epoch(logs, started, validation), self._begin_epoch
                    )
                self.interrupts.busy = False
                self.interrupts.check()  # one that came after the last step
                state.history.stopped = state.stop and state.epoch < epochs
            except KeyboardInterrupt:
                self.interrupts.handled()
                state.history.interrupted = True
            except BaseException as error:
                for callback in begun:
                    try:
                        callback.on_fit_error(state, error)
                    except Exception as another:
                        error.add_note(f"{type(callback).__name__}.on_fit_error failed: {another!r}")
                raise
            for callback in begun:
                callback.on_fit_end(state)
        return state.history

    def _check_last_batch(self, feed: Feed, batch_size: int) -> None:
        """A shorter last batch may be impossible (BatchNorm on a single sample); that is said before the first epoch."""
        rest = 0 if getattr(feed, "whole", False) else (feed.n_samples or 0) % batch_size
        if rest and self.network.states and not self.optimizer.full_batch:
            self.executable(rest, getattr(feed, "shapes", None))

    def _run_epochs(
        self, feed: Feed, batch_size: int, shuffle: bool, validation: Callable[[], dict[str, float]] | None
    ) -> None:
        while self.state.epoch < self.state.epochs and not self.state.stop:
            started = time.perf_counter()
            self._begin_epoch()
            if isinstance(feed, FrozenFeatures):
                changing = any(callback.changes_weights for callback in self.callbacks)
                before = self.state.objective.start
                taken = feed.follow(self.state, weights_may_change=changing).objective
                self.state.objective = replace(self.state.objective, start=taken.start, before=taken.before)
                if taken.start != before or not self.state.step:
                    self._check_last_batch(feed, batch_size)
            self._finish_epoch(self._epoch(feed, batch_size, shuffle, started), started, validation)

    def _begin_epoch(self) -> None:
        if self.callbacks:
            before = set(self.network.frozen)
            for callback in self.callbacks:
                callback.on_epoch_begin(self.state, self.state.epoch + 1)
            if before != self.network.frozen or any(callback.changes_weights for callback in self.callbacks):
                self.recorder.forget()
            self.follow_network()

    def _epoch(self, feed: Feed, batch_size: int, shuffle: bool, started: float) -> dict[str, float]:
        """Runs all steps of an epoch; returns the means of its outputs over the samples."""
        sums: dict[str, float] = {}
        samples = within = terms = 0
        recorder, interrupts = self.recorder, self.interrupts
        state, probe, ranks = self.state, self.state.probe, self.ranks
        if probe is not None:
            probe.prepare(self, min(batch_size, feed.n_samples or batch_size))

        def pace(batch: int, shapes: Sequence[Shape] | None = None) -> int:
            steps = self._pace(batch, shapes)
            wanted = [n - state.step for c in self.callbacks if (n := c.next_step(state)) is not None and n > state.step]
            steps = min([steps, *wanted] if probe is None else [steps, *wanted, probe.until_next(state.step)])
            return steps if ranks is None else ranks.least(steps)

        for piece in feed.pieces(batch_size, pace, self.rng, shuffle=shuffle):
            mine, share = (piece, 1.0) if ranks is None else ranks.part_of(piece)
            compiled = self.executable(mine.batch, mine.shapes, share)
            executable = compiled.executable
            scalars = self.scalars(piece.steps)
            # Each rank draws its own random numbers, or their samples would lose the same units in Dropout.
            seed = self.seed if ranks is None else (self.seed + ranks.rank * _RANK_SEEDS) % 2**53
            run = Run(executable, mine, scalars, state.step, seed, state.epoch + 1, within, ranks, share)
            recorder.before(run)
            due = [(callback, callback.next_step(state)) for callback in self.callbacks]
            if probe is not None and probe.due(state.step):
                probe.run(self, run)
            interrupts.busy = True
            begun = time.perf_counter()
            try:
                with np.errstate(all="ignore"):  # what is not finite is looked for below
                    found = executable.run_steps(
                        mine.data, mine.order, scalars, steps=piece.steps, step=state.step, seed=seed
                    )
            finally:
                interrupts.busy = ranks is not None
                touch()
            seconds = time.perf_counter() - begun
            compiled.pace = seconds / piece.steps
            if ranks is not None:
                found = ranks.joined(found, share, share * piece.batch / mine.batch)
            state.step += piece.steps
            within += piece.steps
            samples += piece.batch * piece.steps
            terms += (piece.terms or piece.batch) * piece.steps
            for name, values in found.items():
                sums[name] = sums.get(name, 0.0) + total(name, values, piece.terms or piece.batch)
            if not np.isfinite(sums["loss"]):
                raise self._diverged()
            recorder.after(seconds, float(found["loss"][-1]))
            if interrupts.pending if ranks is None else ranks.any(bool(interrupts.pending)):
                if not recorder.finite():
                    raise self._diverged()
                if ranks is not None and ranks.any(interrupts.terminated):
                    interrupts.terminate()
                interrupts.check()
                raise KeyboardInterrupt  # of another rank
            if self.callbacks:
                logs = {"loss": sums["loss"] / terms, "samples": samples, "seconds": time.perf_counter() - started}
                before = changes()
                for callback in self.callbacks:
                    callback.on_batch_chunk_end(state, logs)
                for callback, step in due:
                    if step == state.step:
                        callback.on_step(state)
                if changes() != before:
                    self.follow_network()  # where a mask is part of the equations, another mask needs other plans
                    recorder = self.recorder
                    recorder.forget()  # a mask is another now, and weights under it are zero
        if not recorder.finite():
            raise self._diverged()
        return {name.removeprefix("metric."): value / terms for name, value in sums.items()}

    def _finish_epoch(
        self, logs: dict[str, float], started: float, validation: Callable[[], dict[str, float]] | None
    ) -> None:
        state = self.state
        state.epoch += 1
        logs["learning_rate"] = self.learning_rate()
        if self.ranks is not None:
            self.ranks.average_states(self.network.arenas())
        if validation is not None:
            logs |= {f"val_{name}": value for name, value in validation().items()}
        for callback in self.callbacks:
            logs |= callback.measure(state, state.epoch)
        if self.ranks is not None:
            logs = self.ranks.of_first(logs)  # so that what follows from the numbers is the same on all ranks
        schedule = self.optimizer.learning_rate
        if isinstance(schedule, Schedule):
            schedule.epoch_end(schedule.monitored(logs))
            self._block = (0, 0, {})
        logs["seconds"] = time.perf_counter() - started
        state.history.append(state.epoch, logs)
        for callback in self.callbacks:
            callback.on_epoch_end(state, state.epoch, logs)
        for callback in self.callbacks:
            if isinstance(callback, Checkpoint) and (self.ranks is None or self.ranks.rank == 0):
                callback.save(self)
        if self.ranks is not None:
            state.stop = self.ranks.any(state.stop)

    def _diverged(self) -> DivergenceError:
        """Goes back to the weights before the first step with a number that is not finite; the error that says so."""
        state = self.state
        state.history.diverged = True
        culprit = state.culprit = self.recorder.rewind()
        touch()
        self.recorder.forget()
        rate = self.learning_rate()
        advice = (
            f"Try a smaller learning rate (it was {rate:g}), inputs scaled to mean 0 and variance 1"
            + ("" if self.optimizer.clip_norm is not None else ", or clip_norm=1.0 in the optimizer")
            + "."
        )
        if culprit is None:
            return DivergenceError(
                f"Training diverged in epoch {state.epoch + 1}: a loss or weight was not finite, and the same steps run "
                f"again were good. The weights of a moment before were kept. {advice}"
            )
        run, i = culprit.run, culprit.step
        state.step = culprit.kept
        last = "there was no finite loss before"
        if culprit.last_loss is not None:
            last = f"the last finite loss was {culprit.last_loss:.6g}"
        return DivergenceError(
            f"Training diverged in epoch {run.epoch}, step {run.within + i + 1} (step {run.step + i + 1} of the fit): the "
            f"first number that is not finite came from {culprit.place}; {last}. "
            f"The weights from before step {culprit.kept + 1} of the fit were kept. {advice}"
        )
