"""Which changes cure: tried alone and together in paired runs, by successive halving, under a time budget."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

from ..diagnosis import Change
from ..training.parallel import map_all
from .apply import Context, NotApplicable, apply, in_order
from .paired import Comparison, PairedRuns, Run, Trial
from .setup import Setup

__all__ = ["Rejected", "Search", "expand"]

#: Networks with more parameters than this use all threads one after the other instead of one thread each side by side.
_SMALL = 300_000
#: Trials that go on to the next rung, at least; combinations tried when no single change wins.
_FEWEST, _MOST_COMBINATIONS = 3, 10
#: The share of the time that the screening of single changes may take.
_SCREENING = 0.5
#: The share that the first run may take, which shows how long the others may be.
_FIRST = 0.15


@dataclass(frozen=True)
class Rejected:
    """Changes that were looked at and not kept. Parameters  changes ; reason : in words ; score : or None when not run"""

    changes: tuple[Change, ...]
    reason: str
    score: float | None = None

    def __str__(self) -> str:
        return f"{'; '.join(map(str, self.changes))}: {self.reason}"


def expand(changes: Iterable[Change]) -> list[Change]:
    """The changes, each one that leaves a choice (a rate by a factor, or by a range test) as its alternatives."""
    found: list[Change] = []
    for change in changes:
        if change.kind == "learning_rate" and change["range_test"] and change["factor"] is not None:
            found += [Change("learning_rate", {"range_test": True}), Change("learning_rate", {"factor": change["factor"]})]
        else:
            found.append(change)
    return list({repr(c): c for c in found}.values())


@dataclass
class Search:
    """The search for changes that win.

    Parameters
        runs : paired runs ; base : the setup as it was ; context : for changes ; seeds : the first one screens ;
        say : called with what is being done
    Attributes
        baseline, best : Trials, the best one is the baseline while nothing wins ; rejected ; trials : all that were run ;
        wins : {change: what it adds to all others that are kept}
    """

    runs: PairedRuns
    base: Setup
    context: Context
    seeds: Sequence[int]
    say: Callable[[str], None] = lambda text: None
    rejected: list[Rejected] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    wins: dict[str, Comparison] = field(default_factory=dict)
    length: float = 1.0

    def __post_init__(self) -> None:
        self.baseline = Trial((), self.base)
        self.best = self.baseline
        self._known: dict[str, Trial] = {}
        small = self.context.network.parameters.count <= _SMALL
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.workers = min(2 if cores < 4 else cores, cores) if small else 1
        if small:
            self.runs.fit["threads"] = 1

    # ------------------------------------------------------------ running

    def start(self, budget: float, expected: int) -> None:
        """Runs the setup as it was, and from the time that takes chooses how long the trials may be.

        Parameters  budget : seconds for all ; expected : how many changes there are to try
        """
        self.say("the network as it is")
        first = self.runs.run(self.base, self.seeds[0], seconds=_FIRST * self.runs.time_left)
        self.baseline.runs, self.baseline.length = {self.seeds[0]: first}, 1.0
        self.trials.append(self.baseline)
        each = max(first.seconds, 1e-3)
        if not first.complete:
            each *= self.base.fit["epochs"] / max(1, len(first.curve))
        # Of all trials half are dropped twice; those left run from every seed, as do combinations and what is taken out.
        total = max(4, expected) * (1 + 0.5 * len(self.seeds)) + 8 * len(self.seeds)
        self.length = min(1.0, max(0.0, self.runs.time_left * self.workers / (each * total)))
        self.length = max(self.length, 1 / self.base.fit["epochs"])
        # A run of its own length for every trial: one that was cut off by the clock says nothing.
        self.halving = each * self.length * expected * len(self.seeds) > _SCREENING * budget * self.workers
        self._run([self.baseline], self.length, self.seeds)

    def _run(self, trials: Sequence[Trial], length: float, seeds: Sequence[int]) -> None:
        """Runs the trials from the seeds, side by side where the networks are small; runs of this length are kept."""
        jobs: list[tuple[Trial, int]] = []
        for trial in trials:
            if trial.length != length:
                trial.runs, trial.length = {}, length
            jobs += [(trial, s) for s in seeds if s not in trial.runs]

        def one(trial: Trial, seed: int) -> Run | None:
            return self.runs.run(trial.setup, seed, length) if self.runs.time_left > 0 else None

        makers = [partial(one, trial, seed) for trial, seed in jobs]
        found = map_all(makers) if self.workers > 1 else [make() for make in makers]
        for (trial, seed), run in zip(jobs, found, strict=True):
            if run is not None and run.complete:
                trial.runs[seed] = run

    def trial(self, changes: Iterable[Change]) -> Trial | None:
        """The trial of these changes on the setup as it was; None, and a rejection, when they cannot be made."""
        ordered = tuple(in_order(changes))
        key = repr(ordered)
        if key not in self._known:
            try:
                setup = apply(self.base, ordered, self.context)
            except NotApplicable as reason:
                self.reject(ordered, f"does not apply: {reason}")
                return None
            trial = Trial(ordered, setup)
            self._known[key] = trial
            self.trials.append(trial)
        return self._known[key]

    def reject(self, changes: tuple[Change, ...], reason: str, score: float | None = None) -> None:
        if all(r.changes != changes for r in self.rejected):
            self.rejected.append(Rejected(changes, reason, score))

    # ------------------------------------------------------------ searching

    def improve(self, groups: Sequence[Sequence[Change]]) -> bool:
        """Tries changes on top of those that are kept; whether one was added.

        Parameters  groups : the changes that each finding calls for, the most promising first
        """
        kept = self.best.changes
        singles = list({repr(c): c for group in groups for c in group if c not in kept}.values())
        trials = [t for c in singles if (t := self.trial((*kept, c))) is not None]
        # Faults that hide each other are cured only together: also the first choice of each finding at once.
        together = [c for g in groups for c in [c for c in g if c.kind != "data"][:1] if c not in kept]
        if len(together) > 1 and (t := self.trial((*kept, *_compatible(together)))) is not None:
            trials.append(t)
        before = self.best
        self._take_best(self._halve(trials))
        if self.best is before and len(singles) > 1 and self.runs.time_left > 0:
            pairs = [p for p in combinations(self._by_score(kept, singles), 2) if p[0].kind != p[1].kind]
            made = [t for p in pairs[:_MOST_COMBINATIONS] if (t := self.trial((*kept, *p))) is not None]
            self._take_best(self._halve(made))
        # What won alone may win more together with others.
        while self.best is not before and self.runs.time_left > 0:
            last = self.best
            kinds = {c.kind for c in last.changes}
            more = [c for c in singles if c not in last.changes and c.kind not in kinds]
            self._take_best(self._halve([t for c in more if (t := self.trial((*last.changes, c))) is not None]))
            if self.best is last:
                break
        return self.best is not before

    def _by_score(self, kept: tuple[Change, ...], singles: Sequence[Change]) -> list[Change]:
        def score(change: Change) -> float:
            known = self._known.get(repr(tuple(in_order((*kept, change)))))
            return known.score if known is not None else -math.inf

        return sorted((c for c in singles if c.kind != "data"), key=score, reverse=True)

    def _halve(self, trials: list[Trial]) -> list[Trial]:
        """Successive halving: all at half the length from one seed, the better half longer, the best from every seed."""
        trials = [t for t in trials if t is not self.best]
        if self.halving and len(trials) > _FEWEST:
            for length in (self.length / 2, self.length):
                if len(trials) <= _FEWEST:
                    break
                self.say(f"{len(trials)} changes, {max(1, round(length * self.base.fit['epochs']))} epochs each")
                self._run([self.best] if length == self.length else [], length, self.seeds[:1])
                self._run(trials, length, self.seeds[:1])
                trials.sort(key=lambda t: t.score, reverse=True)
                keep = max(_FEWEST, math.ceil(len(trials) / 2))
                for t in trials[keep:]:
                    score = None if not t.runs else t.score
                    self.reject(t.changes, "dropped early: others did better in a short run", score)
                trials = trials[:keep]
        self.say(f"{len(trials)} changes from {len(self.seeds)} seeds")
        self._run([self.best, *trials], self.length, self.seeds)
        return [t for t in trials if t.runs]

    def _take_best(self, trials: list[Trial]) -> None:
        for trial in sorted(trials, key=lambda t: t.score, reverse=True):
            found = self.runs.compare(self.best, trial)
            if found.wins:
                self.best = trial
                continue
            failed = next((r.failed for r in trial.runs.values() if r.failed), "")
            against = "what was kept" if self.best.changes else "the network as it was"
            reason = failed.split(". ")[0] if failed and trial.score == self.runs.scorer.worst else f"{found} than {against}"
            self.reject(trial.changes, _wording(reason), trial.score)

    def prune(self) -> None:
        """Takes out every change without which the score is no worse than the spread; notes what each other one adds."""
        while len(self.best.changes) > 1:
            without = []
            for change in self.best.changes:
                rest = tuple(c for c in self.best.changes if c is not change)
                if (t := self.trial(rest)) is not None:
                    without.append((change, t))
            self.say("what each change adds")
            self._run([t for _, t in without], self.length, self.seeds)
            complete = [(c, t) for c, t in without if len(t.runs) == len(self.best.runs)]
            needless = [(c, t) for c, t in complete if not self.runs.compare(t, self.best).wins]
            if not needless:
                self.wins = {repr(c): self.runs.compare(t, self.best) for c, t in complete}
                return
            change, self.best = max(needless, key=lambda item: item[1].score)
            self.reject((change,), "adds no more than the spread to the others")
        if self.best.changes:
            self.wins = {repr(self.best.changes[0]): self.runs.compare(self.baseline, self.best)}


def _compatible(changes: Sequence[Change]) -> list[Change]:
    """One change of each kind, the first."""
    return list({c.kind: c for c in reversed(changes)}.values())[::-1]


def _wording(reason: str) -> str:
    return reason.replace(" seeds than ", " seeds, against ")
