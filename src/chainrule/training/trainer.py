"""The training loop: epochs, steps, validation, callbacks, and what happens when something goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.base import Engine
from ..errors import DivergenceError, ParameterError
from ..losses import Loss
from ..network import NetworkGraph
from ..ops import SparseMatrix
from ..ops.memory import aligned_zeros
from ..ops.value import Shape
from ..optimizers import Optimizer
from ..optimizers.schedules import Schedule
from ..plan import Plan, lower_training
from .callbacks import Callback
from .checkpoint import Checkpoint, CheckpointFile
from .divergence import Culprit, Recorder, Run
from .executables import Compiled, Executables, total
from .feeds import Feed
from .full_batch import fit_full_batch
from .history import History
from .interrupt import InterruptGuard
from .probe import Probe

Array = NDArray[Any]
Scalars = Mapping[str, NDArray[np.float64]]
#: Seconds of steps that run between two looks at the losses, at Ctrl-C and at the progress.
CHUNK_SECONDS = 0.15


class Trainer:
    """Trains one network: owns gradients, optimizer slots and step count, and goes on where it stopped.

    Parameters
        network : built ; losses : one for each output ; optimizer : its update
        engine : compiles the plans ; metrics : of the first output, with ``forward(k, z, y)``
        loss_weights : factors of the losses in J ; forms : of the targets, as in ``Loss.target`` ; weights : kind of weights
            of each output (None, "sample", "element"), as in ``lower_training``
        seed : of Dropout and the like ; rng : of the order of the samples
        constants : inputs, by number, that are constant sparse matrices
    Attributes
        step, epoch : steps and epochs done ; epochs : of the fit that runs ; stop : a callback sets it to end the fit
        history : of all fits of this trainer ; arenas : {name: flat array} ; samples_an_epoch : 0 when not known

    All epochs are made of chunks of steps that one call of the engine runs, so Python's share of the time is small. How long
    the chunks are depends on the machine's speed; the numbers that come out do not.
    """

    def __init__(
        self,
        network: NetworkGraph,
        losses: Sequence[Loss],
        optimizer: Optimizer,
        *,
        engine: Engine,
        metrics: Sequence[Any] = (),
        loss_weights: Sequence[float] | None = None,
        forms: Sequence[int] | None = None,
        weights: Sequence[str | None] | None = None,
        seed: int = 0,
        rng: np.random.Generator | None = None,
        constants: Mapping[int, SparseMatrix] | None = None,
    ) -> None:
        network.require_built("Trainer")
        optimizer.validate()
        for loss in losses:
            loss.validate()
        count = len(network.output_ids)
        self.network, self.losses, self.optimizer, self.engine = network, list(losses), optimizer, engine
        self.metrics, self.loss_weights = list(metrics), None if loss_weights is None else list(loss_weights)
        self.forms = [0] * count if forms is None else list(forms)
        self.weights: list[str | None] = [None] * count if weights is None else list(weights)
        self.seed, self.constants = seed, dict(constants or {})
        self.rng = np.random.default_rng(seed) if rng is None else rng
        flat = network.parameters.flat
        self.arenas: dict[str, Array] = {
            "parameters": flat,
            "states": network.states.flat,
            "gradients": aligned_zeros(flat.size, flat.dtype),
        }
        for name, start in optimizer.slot_start().items():
            self.arenas[f"slot.{name}"] = aligned_zeros(flat.size, flat.dtype)
            if start:
                self.arenas[f"slot.{name}"][...] = start
        self.executables = Executables(engine, self.arenas, limit=8)
        self.step = self.epoch = self.epochs = 0
        self.stop = False
        self.history = History()
        self.callbacks: list[Callback] = []
        #: What an optimizer that drives itself keeps between its steps, for checkpoints.
        self.search: dict[str, Array] = {}
        self.samples_an_epoch = 0
        self.seen = 0
        self.interrupts = InterruptGuard()
        self.recorder = Recorder(network, self.arenas)
        #: Takes statistics at some steps; a callback sets it when a fit begins.
        self.probe: Probe | None = None
        #: The step that diverged, after a DivergenceError.
        self.culprit: Culprit | None = None
        self._block: tuple[int, int, Scalars] = (0, 0, {})

    # ------------------------------------------------------------ plans and scalars

    def plan(self, batch: int, shapes: Sequence[Shape] | None = None) -> Plan:
        """The plan of a step on ``batch`` samples, as lowered; ``shapes`` of the inputs for a network with free sizes."""
        return lower_training(
            self.network,
            self.losses,
            self.optimizer,
            batch,
            shapes=shapes,
            targets=self.forms,
            weights=self.weights,
            loss_weights=self.loss_weights,
            metrics=self.metrics,
            constants=self.constants,
        )

    def executable(self, batch: int, shapes: Sequence[Shape] | None = None) -> Compiled:
        """The compiled plan of a step on ``batch`` samples, with inputs of these shapes."""
        of_inputs = tuple(self.network.concrete(None if self.constants else shapes))
        same = (*self.forms, *self.weights, *sorted(self.network.frozen), *(m.digest for m in self.constants.values()))
        compiled = self.executables.get((batch, of_inputs, *same), lambda: self.plan(batch, of_inputs))
        if not compiled.pace:
            plan = compiled.executable.plan
            compiled.pace = 1e-5 * len(plan.nodes) + plan.flops / 1e10  # a guess, until it is measured
        return compiled

    def _pace(self, batch: int, shapes: Sequence[Shape] | None = None) -> int:
        return max(1, int(CHUNK_SECONDS / self.executable(batch, shapes).pace))

    def scalars(self, steps: int) -> Scalars:
        """The step scalars of the next ``steps`` steps; computed for a whole epoch at a time."""
        start, stop, values = self._block
        if not (start <= self.step and self.step + steps <= stop):
            start, stop = self.step, self.step + max(steps, min(self._steps_ahead, 1 << 20))
            t = np.arange(start + 1, stop + 1, dtype=np.float64)
            rates = self.optimizer.rates(t)
            values = {n: np.asarray(v, np.float64) for n, v in self.optimizer.scalars(t, rates).items()}
            self._rates = rates
            self._block = (start, stop, values)
        at = self.step - start
        return {name: v[at : at + steps] for name, v in values.items()}

    def learning_rate(self) -> float:
        """That of the last step done."""
        start, stop, _ = self._block
        if start < self.step <= stop:
            return float(self._rates[self.step - 1 - start])
        return float(self.optimizer.rates(np.array([max(1.0, float(self.step))]))[0])

    _steps_ahead = 256
    _rates: NDArray[np.float64]

    # ------------------------------------------------------------ what checkpoints keep beside the arenas

    def schedule_state(self) -> dict[str, Any]:
        """What the learning-rate schedule has learned from metrics; empty for a number or a plain function."""
        schedule = self.optimizer.learning_rate
        return dict(schedule.state_dict()) if isinstance(schedule, Schedule) else {}

    def restore_schedule(self, state: Mapping[str, Any]) -> None:
        """Goes on from a ``schedule_state``."""
        schedule = self.optimizer.learning_rate
        if isinstance(schedule, Schedule):
            schedule.load_state(dict(state))

    def restore_rng(self, state: Mapping[str, Any]) -> None:
        if state.get("bit_generator") != self.rng.bit_generator.state["bit_generator"]:
            raise ParameterError(
                f"resume: the checkpoint's random numbers come from {state.get('bit_generator')}, the network's from "
                f"{self.rng.bit_generator.state['bit_generator']}. Give the network the same kind of random_state."
            )
        self.rng.bit_generator.state = state

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

        The first Ctrl-C (or KeyboardInterrupt of a callback) ends the fit after the step that runs: weights, history and
        step count stay, ``history.interrupted`` is True, and no error is raised. A second one is raised.
        """
        self.epochs, self.stop, self.callbacks = epochs, False, list(callbacks)
        self.history.interrupted = self.history.stopped = self.history.diverged = False
        schedule = self.optimizer.learning_rate
        steps = feed.steps(batch_size)
        if isinstance(schedule, Schedule) and steps is not None:
            schedule.bind(steps)
        self.steps_an_epoch = steps
        self._steps_ahead = steps or 256
        self.executables.limit = max(self.executables.limit, feed.plans)
        if feed.n_samples and self.network.states and not self.optimizer.full_batch and feed.n_samples % batch_size:
            # What cannot be done with a shorter last batch (BatchNorm on a single sample) is said before the first epoch.
            self.executable(feed.n_samples % batch_size, getattr(feed, "shapes", None))
        self.samples_an_epoch = feed.n_samples or 0
        self.probe = None
        self._block = (0, 0, {})
        self.recorder.forget()
        self.interrupts = InterruptGuard()
        begun: list[Callback] = []
        with self.interrupts:
            try:
                if resume is not None:
                    resume.apply(self)
                for callback in self.callbacks:
                    callback.on_fit_begin(self)
                    begun.append(callback)
                if resume is not None:
                    resume.apply_to_callbacks(self.callbacks)
                if self.optimizer.full_batch:
                    if self.epoch < epochs:
                        fit_full_batch(
                            self,
                            feed,
                            lambda logs, started: self._finish_epoch(logs, started, validation),
                            self._begin_epoch,
                        )
                else:
                    while self.epoch < epochs and not self.stop:
                        started = time.perf_counter()
                        self._begin_epoch()
                        self._finish_epoch(self._epoch(feed, batch_size, shuffle, started), started, validation)
                self.history.stopped = self.stop and self.epoch < epochs
            except KeyboardInterrupt:
                self.history.interrupted = True
            except BaseException:
                for callback in begun:
                    close = getattr(callback, "close", None)
                    if callable(close):
                        close()
                raise
            for callback in begun:
                callback.on_fit_end(self)
        return self.history

    def _begin_epoch(self) -> None:
        if self.callbacks:
            # A callback may change the weights.
            self.recorder.forget()
            for callback in self.callbacks:
                callback.on_epoch_begin(self, self.epoch + 1)

    def _epoch(self, feed: Feed, batch_size: int, shuffle: bool, started: float) -> dict[str, float]:
        """Runs all steps of an epoch; returns the means of its outputs over the samples."""
        sums: dict[str, float] = {}
        samples = within = terms = 0
        recorder, interrupts = self.recorder, self.interrupts
        probe = self.probe
        if probe is not None:
            probe.prepare(self, min(batch_size, feed.n_samples or batch_size))

        def pace(batch: int, shapes: Sequence[Shape] | None = None) -> int:
            steps = self._pace(batch, shapes)
            return steps if probe is None else min(steps, probe.until_next(self.step))

        for piece in feed.pieces(batch_size, pace, self.rng, shuffle=shuffle):
            compiled = self.executable(piece.batch, piece.shapes)
            executable = compiled.executable
            scalars = self.scalars(piece.steps)
            run = Run(executable, piece, scalars, self.step, self.seed, self.epoch + 1, within)
            recorder.before(run)
            if probe is not None and probe.due(self.step):
                probe.run(self, run)
            interrupts.busy = True
            begun = time.perf_counter()
            try:
                with np.errstate(all="ignore"):  # what is not finite is looked for below
                    found = executable.run_steps(
                        piece.data, piece.order, scalars, steps=piece.steps, step=self.step, seed=self.seed
                    )
            finally:
                interrupts.busy = False
            seconds = time.perf_counter() - begun
            compiled.pace = seconds / piece.steps
            self.step += piece.steps
            within += piece.steps
            samples += piece.batch * piece.steps
            terms += (piece.terms or piece.batch) * piece.steps
            for name, values in found.items():
                sums[name] = sums.get(name, 0.0) + total(name, values, piece.terms or piece.batch)
            if not np.isfinite(sums["loss"]):
                raise self._diverged()
            recorder.after(seconds, float(found["loss"][-1]))
            if interrupts.pending:
                if not recorder.finite():
                    raise self._diverged()
                interrupts.check()
            if self.callbacks:
                logs = {"loss": sums["loss"] / terms, "samples": samples, "seconds": time.perf_counter() - started}
                for callback in self.callbacks:
                    callback.on_batch_chunk_end(self, logs)
        if not recorder.finite():
            raise self._diverged()
        self.seen = samples
        return {name.removeprefix("metric."): value / terms for name, value in sums.items()}

    def _finish_epoch(
        self, logs: dict[str, float], started: float, validation: Callable[[], dict[str, float]] | None
    ) -> None:
        self.epoch += 1
        logs["learning_rate"] = self.learning_rate()
        if validation is not None:
            logs |= {f"val_{name}": value for name, value in validation().items()}
        schedule = self.optimizer.learning_rate
        if isinstance(schedule, Schedule):
            schedule.epoch_end(schedule.monitored(logs))
            self._block = (0, 0, {})
        logs["seconds"] = time.perf_counter() - started
        self.history.append(self.epoch, logs)
        for callback in self.callbacks:
            callback.on_epoch_end(self, self.epoch, logs)
        for callback in self.callbacks:
            if isinstance(callback, Checkpoint):
                callback.save(self)

    def _diverged(self) -> DivergenceError:
        """The error of a step that gave a number that is not finite, after going back to the weights before it."""
        self.history.diverged = True
        culprit = self.culprit = self.recorder.rewind()
        self.recorder.forget()
        rate = self.learning_rate()
        advice = (
            f"Try a smaller learning rate (it was {rate:g}), inputs scaled to mean 0 and variance 1"
            + ("" if self.optimizer.clip_norm is not None else ", or clip_norm=1.0 in the optimizer")
            + "."
        )
        if culprit is None:
            return DivergenceError(
                f"Training diverged in epoch {self.epoch + 1}: a loss or weight was not finite, and the same steps run "
                f"again were good. The weights of a moment before were kept. {advice}"
            )
        run, i = culprit.run, culprit.step
        self.step = culprit.kept
        last = "there was no finite loss before"
        if culprit.last_loss is not None:
            last = f"the last finite loss was {culprit.last_loss:.6g}"
        return DivergenceError(
            f"Training diverged in epoch {run.epoch}, step {run.within + i + 1} (step {run.step + i + 1} of the fit): the "
            f"first number that is not finite came from {culprit.place}; {last}. "
            f"The weights from before step {culprit.kept + 1} of the fit were kept. {advice}"
        )
