"""Fits by optimizers that drive themselves (L-BFGS): the loss of the whole data as a function of the flat weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DivergenceError, ParameterError
from .divergence import Run
from .executables import total
from .feeds import Feed

if TYPE_CHECKING:
    from .trainer import Trainer

Floats = NDArray[np.float64]
#: How many samples the loss is computed on at a time, so that memory does not grow with the data.
BATCH = 4096
_METRIC = "metric."


class FullBatch:
    """The loss and its gradient over all samples of a feed.

    Calling it with weights writes them into the network and returns (J, dJ/dw) in float64, penalties included. Layers that
    draw random numbers draw the same ones at every call, so that J is a function.
    """

    def __init__(self, trainer: Trainer, feed: Feed) -> None:
        if feed.n_samples is None:
            raise ParameterError(
                f"{type(trainer.optimizer).__name__} needs the whole data at every step; an iterator of batches cannot give "
                f"it. Pass arrays or memory maps, or use another optimizer such as Adam."
            )
        self.trainer, self.feed = trainer, feed
        #: The running statistics of the weights that were accepted last; those of weights that were only tried must not
        #: stay.
        self.states = trainer.network.states.packed()
        self._tried: dict[float, Any] = {}
        #: Metrics by the loss they came with, since the last call of ``forget``.
        self.metrics: dict[float, dict[str, float]] = {}

    def __call__(self, w: Floats) -> tuple[float, Floats]:
        trainer = self.trainer
        trainer.interrupts.check()
        trainer.network.parameters.unpack(w)
        trainer.network.states.unpack(self.states)
        gradient: Floats = np.zeros(w.shape)
        sums: dict[str, float] = {}
        samples = 0
        trainer.interrupts.busy = True
        try:
            for piece in self.feed.pieces(trainer.network.samples or BATCH, lambda batch, shapes: 1):
                run = trainer.executable(piece.batch, piece.shapes).executable.run_steps
                found = run(piece.data, piece.order, trainer.scalars(piece.steps), steps=1, step=0, seed=trainer.seed)
                terms = piece.terms or piece.batch
                slot = trainer.network.parameters.packed(trainer.arenas, "slot.gradient")
                gradient += slot.astype(np.float64) * terms
                for name, values in found.items():
                    sums[name] = sums.get(name, 0.0) + total(name, values, terms)
                samples += terms
        finally:
            trainer.interrupts.busy = False
        means = {name.removeprefix("metric."): value / samples for name, value in sums.items()}
        self.metrics[means["loss"]] = means
        self._tried[means["loss"]] = trainer.network.states.packed()
        return means["loss"], gradient / samples

    def recall(self, arrays: dict[str, Any]) -> None:
        """Restores the metrics that ``kept`` gave to a checkpoint."""
        logs = {name.removeprefix(_METRIC): float(a) for name, a in arrays.items() if name.startswith(_METRIC)}
        if logs:
            self.metrics = {logs["loss"]: logs}

    def kept(self, loss: float) -> dict[str, Any]:
        """The metrics of the weights that were accepted last, as arrays."""
        return {_METRIC + name: np.array(value) for name, value in self.metrics[loss].items()}

    def accept(self, loss: float) -> None:
        """Accepts the weights that gave this loss, with their metrics and running statistics."""
        self.metrics = {loss: self.metrics.get(loss, {"loss": loss})}
        self.states = self._tried.get(loss, self.states)
        self._tried.clear()
        self.trainer.network.states.unpack(self.states)


def fit_full_batch(
    trainer: Trainer, feed: Feed, finish_epoch: Callable[[dict[str, float], float], None], begin_epoch: Callable[[], None]
) -> None:
    """Runs ``optimizer.minimise``; each of its iterations counts as an epoch and a step.

    With ``trainer.search`` from a checkpoint it goes on where that one stood. While it runs, the state of the search and the
    metrics stand there.
    """
    optimizer: Any = trainer.optimizer
    function = FullBatch(trainer, feed)
    parameters = trainer.network.parameters
    start = parameters.packed()
    started = time.perf_counter()
    search = {name: a for name, a in trainer.search.items() if not name.startswith(_METRIC)}
    function.recall(trainer.search)

    def after_iteration(result: Any) -> bool:
        nonlocal started
        parameters.unpack(result.w)
        function.accept(result.loss)
        logs = function.metrics[result.loss]
        trainer.search = {**result.state, **function.kept(result.loss)}
        trainer.state.step += 1
        finish_epoch(dict(logs), started)
        started = time.perf_counter()
        if not trainer.state.stop and trainer.state.epoch < trainer.state.epochs:
            begin_epoch()
        return trainer.state.stop

    begin_epoch()
    best = start
    try:
        result = optimizer.minimise(
            function,
            start.astype(np.float64),
            max_iterations=trainer.state.epochs - trainer.state.epoch,
            callback=after_iteration,
            state=search or None,
        )
        best = result.w
        if not trainer.state.history.epochs:  # it was at the minimum from the start
            parameters.unpack(best)
            function.accept(result.loss)
            finish_epoch(dict(function.metrics[result.loss]), started)
    except DivergenceError as error:
        parameters.unpack(start)
        trainer.network.states.unpack(function.states)
        trainer.state.history.diverged = True
        raise DivergenceError(f"{error} {_where(trainer, feed)}".rstrip()) from error
    finally:
        trainer.search = {}  # of no use in another fit, and large
    parameters.unpack(best)


def _where(trainer: Trainer, feed: Feed) -> str:
    """A sentence that names the layer which the first number that is not finite comes from; "" when all are finite."""
    for piece in feed.pieces(trainer.network.samples or BATCH, lambda batch, shapes: 1):
        executable = trainer.executable(piece.batch, piece.shapes).executable
        run = Run(executable, piece, trainer.scalars(1), 0, trainer.seed, trainer.state.epoch + 1, 0)
        place = trainer.recorder.place(run, 0)
        if place is not None:
            return f"The first number that is not finite came from {place}. The weights were kept."
    return ""
