"""Short paired runs: different setups trained on the same samples, in the same order, from the same seeds."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import split_validation
from ..diagnosis import Change
from ..errors import ChainruleError, DivergenceError
from ..training import Callback, FitState, Session
from ..training.samples import Samples
from ..training.trainable import Trainable
from .range_test import rates_of
from .scorer import Scorer, Scores
from .setup import Setup

__all__ = ["Comparison", "PairedRuns", "Run", "Trial"]

Array = NDArray[Any]
#: The most held-out samples that a curve is measured on.
_CURVE_SAMPLES = 512
#: Short runs have fewer epochs, but at least so many; runs that are shorter still have fewer samples, but at least so many.
_LEAST_EPOCHS, _LEAST_SAMPLES = 3, 200


@dataclass(frozen=True)
class Run:
    """One training of one setup.

    Attributes
        seed ; score : on the held-out data at the end, the worst one when it diverged ; curve : the score after each epoch
        losses : by epoch, as minimised ; learning_rate : of the optimizer when it is a number
        failed : why there is no trained network (a divergence, or an error of fit), "" where there is one
        complete : whether it came to its last epoch ; behind : why it was ended early, "" where it was not
        seconds : that it took ; whole : seconds to its last epoch, estimated where it was ended before
        seen : the score on samples that it was trained on
    """

    seed: int
    score: float
    curve: tuple[float, ...]
    losses: tuple[float, ...]
    learning_rate: float | None = None
    failed: str = ""
    complete: bool = True
    behind: str = ""
    seconds: float = 0.0
    whole: float = 0.0
    seen: float = float("nan")


@dataclass
class Trial:
    """A setup that is tried, and its runs by seed at the last length at which it was tried.

    Attributes
        changes : that made it, () for the setup as it was ; setup ; runs : {seed: Run}, those that came to their end
        length : of the runs, 1 for all epochs on all samples ; behind : why its first run was ended early, "" where it was
        not
    """

    changes: tuple[Change, ...]
    setup: Setup
    runs: dict[int, Run] = field(default_factory=dict)
    length: float = 0.0
    behind: str = ""

    @property
    def score(self) -> float:
        """The mean score over the seeds."""
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
        # With one seed there is no spread, so nothing can be proved.
        return self.difference > self.spread and self.seeds > 1

    @property
    def clear(self) -> bool:
        """Whether the second wins by so much that one more seed would hardly change the result."""
        return self.wins and self.difference > 3 * self.spread

    @property
    def alike(self) -> bool:
        """Whether the second is better by no more than a small part of the spread."""
        return self.difference <= self.spread / 4

    @property
    def harms(self) -> bool:
        return self.difference < -self.spread

    def __str__(self) -> str:
        verdict = "more" if self.wins else "not more"
        return f"{self.difference:+.4f}, {verdict} than the spread of {self.spread:.4f} between {self.seeds} seeds"


class _TimeIsOver(Callback):
    """Ends a fit when its time is over, and estimates how long the whole fit would take.

    Parameters  hopeless : also ends it as soon as it is plain that the time will not do
    Attributes  over : whether it was ended ; share : of the planned steps that are done ; whole : seconds for all of them
    """

    def __init__(self, deadline: float, epochs: int, batches: int, hopeless: bool) -> None:
        self.deadline, self.steps, self.hopeless = deadline, epochs * batches, hopeless
        self.over, self.share, self.whole = False, 0.0, 0.0
        self._first: tuple[int, float] | None = None

    def on_fit_begin(self, state: FitState) -> None:
        self._start, self._begun = state.step, time.perf_counter()

    def on_batch_chunk_end(self, state: FitState, logs: Any) -> None:
        now, done = time.perf_counter(), state.step - self._start
        if self._first is None:
            self._first = done, now
        # The first chunk contains work that is done only once, such as compiling.
        steps, since = (done - self._first[0], now - self._first[1]) if done > self._first[0] else (done, now - self._begun)
        self.share, self.whole = done / max(1, self.steps), since / max(1, steps) * self.steps
        # After a few chunks it is plain when the rest would take half as long again as there is time.
        plain = self.hopeless and done > 3 * self._first[0] and self.whole * (1 - self.share) > 1.5 * (self.deadline - now)
        if now > self.deadline or plain:
            self.over = True
            raise KeyboardInterrupt


class _Curve(Callback):
    """Scores the network after every epoch, and ends a fit that is clearly behind another one.

    A run that has done the share t of its epochs is behind when it has gained less than t times what the other had gained
    (above ``chance``) in half that share, by more than ``margin``: it had twice the time.
    """

    def __init__(self, score: Any, epochs: int, leader: Sequence[float], chance: float | None, margin: float) -> None:
        self.score, self.epochs, self.leader = score, epochs, leader
        self.chance, self.margin = chance, margin
        self.values, self.behind = list[float](), ""

    def on_epoch_end(self, state: FitState, epoch: int, logs: Any) -> None:
        self.values.append(self.score())
        done = len(self.values)
        share = done / self.epochs
        then = int(len(self.leader) * share / 2)
        if share < 0.25 or share >= 1 or not then:
            return
        best, other = max(self.values), max(self.leader[:then])
        chance = min(self.values[0], self.leader[0]) if self.chance is None else self.chance
        # A run that has not learned anything itself is no leader that others could be behind.
        if other > chance + self.margin and best - chance < share * (other - chance) - self.margin:
            self.behind = f"ended early: {best:.3g} after {done} of {self.epochs} epochs, where another had {other:.3g}"
            raise KeyboardInterrupt


class PairedRuns:
    """Runs setups on one split of the data.

    Parameters
        kind : the class of the networks ; shapes : of one sample of each input ; train, held : Samples to train on and to
        score ; scorer ; epochs : of the setup as it was ; deadline : of time.perf_counter, which may be brought forward from
        the ``end`` ; machine : the arguments of fit that say what computes

    The length of a run is a share of its work. Short runs have fewer epochs; where that would leave less than three, they
    have fewer samples, of every class in proportion, the same ones for all setups.
    """

    def __init__(
        self,
        kind: type[Trainable],
        shapes: Sequence[Any],
        train: Samples,
        held: Samples,
        *,
        scorer: Scorer | Scores,
        epochs: int,
        deadline: float,
        machine: dict[str, Any] | None = None,
    ) -> None:
        self.kind, self.shapes, self.scorer, self.deadline = kind, list(shapes), scorer, deadline
        self.train, self.held = train, held
        self.epochs, self.machine, self.end = epochs, dict(machine or {}), deadline

    @property
    def time_left(self) -> float:
        return self.deadline - time.perf_counter()

    # ------------------------------------------------------------ short runs

    def share(self, length: float) -> tuple[float, float]:
        """The share of the epochs and the share of the samples that runs of this length have."""
        least = min(_LEAST_EPOCHS, self.epochs) / self.epochs
        # Every step on a graph takes all nodes, whatever the number of those that count.
        if length >= least or self.train.nodes is not None:
            return length, 1.0
        return least, min(1.0, max(length / least, _LEAST_SAMPLES / len(self.train)))

    def some(self, share: float) -> Samples:
        """This share of the training samples, with each class in proportion."""
        n = len(self.train)
        if share >= 1 or round(share * n) >= n or n < 8:
            return self.train
        strata = None if self.train.by_step else self.scorer.strata(self.train.dense_targets()[0])
        return self.train.take(split_validation(n, 1 - share, np.random.default_rng(0), strata)[0])

    def judged(self, length: float) -> int:
        """The number of held-out samples that runs of this length are scored on."""
        n, share = len(self.held), self.share(length)[1]
        return n if share >= 1 else min(n, max(_CURVE_SAMPLES, round(share * n)))

    def batches(self, samples: Samples, setup: Setup) -> int:
        """The number of steps in an epoch."""
        return 1 if samples.nodes is not None else -(-len(samples) // setup.fit.batch_size)

    def describe(self, length: float) -> str:
        """The epochs and samples of a run of this length, in words."""
        epochs, samples = self.share(length)
        n, some = len(self.train), len(self.some(samples))
        of_epochs = f"{max(1, round(self.epochs * epochs))} of {self.epochs} epochs"
        shown = f"all {self.epochs} epochs" if epochs >= 1 else of_epochs
        return shown + ("" if some == n else f" on {some:,} of {n:,} samples")

    # ------------------------------------------------------------ running

    def network(self, setup: Setup, seed: int) -> Trainable:
        """The network of a setup, with the start weights of this seed."""
        network, names = setup.definition.build(self.kind, random_state=seed)
        network.build(*self.shapes)
        setup.definition.put_weights(network, names, setup.weights)
        return network

    def tuned(self, setup: Setup, seeds: Sequence[int], steps: int = 100) -> Setup:
        """The setup with the learning rate that range tests find: the least of the rates found from the seeds.

        All runs of a setup, and the network that is made of it, have one rate. One that is too small by a factor learns
        later, one that is too large not at all.
        """
        if not setup.range_test:
            return setup
        found: list[float] = []
        samples = self.data(setup, self.train)
        for seed in seeds:
            seconds = max(0.5, self.time_left / 6)
            settings = setup.fit.replace(**self.machine)
            with suppress(ChainruleError):
                tested = rates_of(self.network(setup, seed), samples, settings, seed=seed, steps=steps, seconds=seconds)
                found += [] if tested.suggested is None else [tested.suggested]
        setup = replace(setup, range_test=False)
        return setup.with_optimizer(learning_rate=min(found)) if found else setup

    def run(
        self,
        setup: Setup,
        seed: int,
        length: float = 1.0,
        *,
        seconds: float = float("inf"),
        hopeless: bool = False,
        leader: Sequence[float] = (),
    ) -> Run:
        """Trains from this seed for a share of the setup's work. A fit that fails is a result, too.

        Parameters
            seconds : the most that the run may take ; hopeless : whether to end it as soon as it is plain that they will
            not do
            leader : the curve of another run; this run is ended when it is clearly behind that one
        """
        started = time.perf_counter()
        share, part = self.share(length)
        samples, judged = self.some(part), self.judged(length)
        epochs = max(1, round(setup.fit.epochs * share))
        # To score the network after every epoch should not take as long as to train it.
        few = min(judged, _CURVE_SAMPLES, max(_CURVE_SAMPLES // 4, len(samples) // 8))
        margin = 2 * self.scorer.resolution(0.5, few)
        watch = _TimeIsOver(min(self.deadline, started + seconds), epochs, self.batches(samples, setup), hopeless)
        scores = _Curve(None, epochs, leader, self.scorer.chance, margin)
        # A callback keeps what it saw, and runs may be side by side.
        stopping = copy.deepcopy(setup.fit.early_stopping)
        settings = setup.fit.replace(
            **self.machine, sample_weight=samples.weight, early_stopping=stopping, epochs=epochs, callbacks=[scores, watch],
            validation_split=0.0, verbose=0,
        )  # fmt: skip
        on_seen, history = float("nan"), None
        try:
            session = Session.of(self.network(setup, seed))
            train, held = self.data(setup, samples), self.data(setup, self.held.first(judged))
            seen = held.first(few)
            scores.score = lambda: self.score(session, seen)
            if setup.fit.validation_split or stopping is not None:
                settings = settings.replace(validation_data=held.validation)
            try:
                session.fit(train.X, train.y, settings)
            finally:
                history = getattr(session.network, "history_", None)
            ended = watch.over or bool(scores.behind)
            if history is not None and history.interrupted and not ended:
                raise KeyboardInterrupt
            score, failed = max(scores.values) if scores.behind else self.score(session, held), ""
            if not ended:
                on_seen = self.score(session, train.first(few))
        except DivergenceError as error:
            score, failed = self.scorer.worst, f"diverged: {error}"
        except (ChainruleError, MemoryError) as error:
            score, failed = self.scorer.worst, f"{type(error).__name__}: {error}"
        losses = tuple(history["loss"]) if history is not None and "loss" in history else ()
        rate = setup.optimizer.learning_rate
        taken = time.perf_counter() - started
        complete = not watch.over and not scores.behind
        return Run(
            seed,
            score,
            tuple(scores.values),
            losses,
            float(rate) if isinstance(rate, (int, float)) else None,
            failed,
            complete,
            scores.behind,
            taken,
            taken if complete and not failed else max(taken, watch.whole),
            on_seen,
        )

    def score(self, session: Session, held: Samples) -> float:
        """The score of a network on these samples, the worst one where there is none."""
        try:
            return self.scorer(session, held)
        except (ChainruleError, FloatingPointError):
            return self.scorer.worst

    def data(self, setup: Setup, samples: Samples) -> Samples:
        """The samples with targets as the setup takes them."""
        if not setup.integer_targets:
            return samples
        return replace(samples, targets=[v.astype(np.int64) if v.dtype.kind == "f" else v for v in samples.targets])

    def compare(self, first: Trial, second: Trial) -> Comparison:
        """Compares two trials on the seeds that both were run from."""
        seeds = sorted(first.runs.keys() & second.runs.keys())
        a = np.asarray([first.runs[s].score for s in seeds])
        b = np.asarray([second.runs[s].score for s in seeds])
        if not len(seeds):
            return Comparison(0.0, float("inf"), 0)
        d = b - a
        several = len(seeds) > 1
        # Runs that failed, or that all got stuck at the same score, have no spread of their own; the resolution of the score
        # is added for them.
        spreads = [float(np.std(v, ddof=1)) for v in (a, b, d)] if several else [0.0]
        n = self.judged(min(first.length, second.length))
        spreads.append(max(self.scorer.resolution(float(v.mean()), n) for v in (a, b)))
        return Comparison(float(d.mean()), max(spreads), len(seeds))
