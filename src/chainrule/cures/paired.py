"""Short paired runs: different setups trained on the same samples, in the same order, from the same seeds."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..diagnosis import Change
from ..errors import ChainruleError, DivergenceError
from ..training import Callback
from ..training.samples import Samples
from .range_test import rates_of
from .scorer import Scorer, Scores
from .setup import Setup

__all__ = ["Comparison", "PairedRuns", "Run", "Trial"]

Array = NDArray[Any]
#: Held-out samples that a curve is measured on, at most.
_CURVE_SAMPLES = 512


@dataclass(frozen=True)
class Run:
    """One training of one setup.

    Attributes
        seed ; score : on the held-out data at the end, the worst one when it diverged ; curve : the score after each epoch
        losses : by epoch, as minimised ; learning_rate : of the optimizer when it is a number
        failed : "" or why it gave no network: a divergence, or an error of fit
        complete : False when the time was over before its last epoch ; seconds : it took
    """

    seed: int
    score: float
    curve: tuple[float, ...]
    losses: tuple[float, ...]
    learning_rate: float | None = None
    failed: str = ""
    complete: bool = True
    seconds: float = 0.0


@dataclass
class Trial:
    """A setup that is tried, and its runs by seed at the last length at which it was tried.

    Attributes  changes : that made it, () for the setup as it was ; setup ; runs : {seed: Run} ; length : of the epochs
    """

    changes: tuple[Change, ...]
    setup: Setup
    runs: dict[int, Run] = field(default_factory=dict)
    length: float = 0.0
    note: str = ""

    @property
    def score(self) -> float:
        """The mean over its seeds."""
        return float(np.mean([run.score for run in self.runs.values()])) if self.runs else float("-inf")

    @property
    def name(self) -> str:
        return "; ".join(map(str, self.changes)) or "as it was"

    def __str__(self) -> str:
        return f"{self.name}: {self.score:.4f}" if self.runs else f"{self.name}: not run"


@dataclass(frozen=True)
class Comparison:
    """Two trials compared seed by seed.

    Attributes
        difference : mean over the seeds of the second's score minus the first's ; spread : what it has to exceed, the
        largest of: the standard deviations over the seeds of both scores and of the differences, and the standard
        error that comes from the number of held-out samples ; seeds : how many
    """

    difference: float
    spread: float
    seeds: int

    @property
    def wins(self) -> bool:
        return self.difference > self.spread

    def __str__(self) -> str:
        verdict = "more" if self.wins else "not more"
        return f"{self.difference:+.4f}, {verdict} than the spread of {self.spread:.4f} between {self.seeds} seeds"


class _TimeIsOver(Callback):
    """Ends a fit when the time for all runs is over."""

    def __init__(self, deadline: float) -> None:
        self.deadline, self.over = deadline, False

    def on_batch_chunk_end(self, trainer: Any, logs: Any) -> None:
        if time.perf_counter() > self.deadline:
            self.over = True
            raise KeyboardInterrupt


class _Curve(Callback):
    """Scores the network after every epoch."""

    def __init__(self, score: Any) -> None:
        self.score, self.values = score, list[float]()

    def on_epoch_end(self, trainer: Any, epoch: int, logs: Any) -> None:
        self.values.append(self.score())


class PairedRuns:
    """Runs setups on one split of the data.

    Parameters
        kind : the class of the networks ; shapes : of one sample of each input ; train, held : Samples to train on and to
        score ; scorer ; deadline : of time.perf_counter ; fit : arguments of fit that are no
        part of a setup (engine, threads, precision)
    """

    def __init__(
        self,
        kind: Any,
        shapes: Sequence[Any],
        train: Samples,
        held: Samples,
        *,
        scorer: Scorer | Scores,
        deadline: float,
        fit: dict[str, Any] | None = None,
    ) -> None:
        self.kind, self.shapes, self.scorer, self.deadline = kind, list(shapes), scorer, deadline
        self.train, self.held = train, held
        self.fit = dict(fit or {})

    @property
    def time_left(self) -> float:
        return self.deadline - time.perf_counter()

    def network(self, setup: Setup, seed: int) -> tuple[Any, Setup]:
        """The network of a setup with its start weights, and the setup with its learning rate found where it is to be."""
        network, names = setup.definition.build(self.kind, random_state=seed)
        network.build(*self.shapes)
        setup.definition.put_weights(network, names, setup.weights)
        if setup.range_test:
            found = rates_of(network, self.data(setup, self.train), seed=seed, **_of_range_test(setup), **self.fit)
            if found.suggested is not None:
                setup = setup.with_optimizer(learning_rate=found.suggested)
        return network, setup

    def run(self, setup: Setup, seed: int, length: float = 1.0, *, seconds: float = float("inf")) -> Run:
        """Trains from this seed for a share of the setup's epochs, at most so many seconds; a fit that fails is a result."""
        started = time.perf_counter()
        watch, curve = _TimeIsOver(min(self.deadline, started + seconds)), list[float]()
        network: Any = None
        try:
            network, setup = self.network(setup, seed)
            train, held = self.data(setup, self.train), self.data(setup, self.held)
            few = held.first(_CURVE_SAMPLES)
            scores = _Curve(lambda: self._score(network, few))
            curve = scores.values
            # A callback keeps what it saw, and runs may be side by side.
            arguments = {**setup.fit, "early_stopping": copy.deepcopy(setup.fit["early_stopping"])}
            arguments["epochs"] = max(1, round(arguments["epochs"] * length))
            if arguments.pop("validation_split") or arguments["early_stopping"] is not None:
                arguments["validation_data"] = held.validation
            network.fit(train.X, train.y, **arguments, **self.fit, callbacks=[scores, watch], verbose=0)
            if network.history_.interrupted and not watch.over:
                raise KeyboardInterrupt
            score, failed = self._score(network, held), ""
        except DivergenceError as error:
            score, failed = self.scorer.worst, f"diverged: {error}"
        except (ChainruleError, MemoryError) as error:
            score, failed = self.scorer.worst, f"{type(error).__name__}: {error}"
        history = getattr(network, "history_", None)
        losses = tuple(history["loss"]) if history is not None and "loss" in history else ()
        rate = setup.fit["optimizer"].learning_rate
        return Run(
            seed,
            score,
            tuple(curve),
            losses,
            float(rate) if isinstance(rate, (int, float)) else None,
            failed,
            not watch.over,
            time.perf_counter() - started,
        )

    def _score(self, network: Any, held: Samples) -> float:
        try:
            return self.scorer(network, held)
        except (ChainruleError, FloatingPointError):
            return self.scorer.worst

    def data(self, setup: Setup, samples: Samples) -> Samples:
        """The samples as the setup takes them."""
        if not setup.integer_targets:
            return samples
        return replace(samples, targets=[v.astype(np.int64) if v.dtype.kind == "f" else v for v in samples.targets])

    def compare(self, first: Trial, second: Trial) -> Comparison:
        """Both trials on the seeds that they share."""
        seeds = sorted(first.runs.keys() & second.runs.keys())
        a = np.asarray([first.runs[s].score for s in seeds])
        b = np.asarray([second.runs[s].score for s in seeds])
        if not len(seeds):
            return Comparison(0.0, float("inf"), 0)
        d = b - a
        several = len(seeds) > 1
        # A run that failed has no spread of its own, and neither have runs that all got stuck at the same score.
        spreads = [float(np.std(v, ddof=1)) for v in (a, b, d)] if several else [0.0]
        n = len(self.held)
        spreads.append(max(self.scorer.resolution(float(v.mean()), n) for v in (a, b)))
        return Comparison(float(d.mean()), max(spreads), len(seeds))


def _of_range_test(setup: Setup) -> dict[str, Any]:
    return {key: setup.fit[key] for key in ("loss", "optimizer", "batch_size", "loss_weights", "class_weight")}
