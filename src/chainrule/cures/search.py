"""The search for the changes that cure: they are tried alone and together in paired runs, the likeliest first."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Any

from ..diagnosis import Change
from ..training.parallel import map_all
from .apply import Context, NotApplicable, apply, in_order
from .change_sets import compatible, joined, ranked
from .paired import Comparison, PairedRuns, Run, Trial
from .setup import Setup

__all__ = ["Rejected", "Search"]

#: Networks with more parameters than this are trained one after the other, each on all threads; smaller ones side by side,
#: each on one thread.
_SMALL = 300_000
#: How many trials are run before it is decided again which one leads: fewer at first, since the likeliest come first.
_FIRST_WAVE, _WAVE = 2, 4
#: The most trials that are run from every seed, and the most combinations that are tried when no single change wins.
_MOST_CONFIRMED, _MOST_COMBINATIONS = 6, 10
#: The share of the time that the first run may take; this run shows how long the others may be.
_FIRST = 0.12
#: A run of fewer steps shows nothing.
_LEAST_STEPS = 150
#: The least that a second core adds to the speed of the first, while other programs use it as well.
_GAIN = 0.3
#: The share of the time that the search by short runs may take; the rest is for longer runs of the changes that won.
_SEARCHING = 0.6


@dataclass(frozen=True)
class Rejected:
    """Changes that were looked at and not kept.

    Parameters  changes ; reason : in words ; score : of their trial, None when it was not run
    """

    changes: tuple[Change, ...]
    reason: str
    score: float | None = None

    def __str__(self) -> str:
        return f"{'; '.join(map(str, self.changes))}: {self.reason}"


@dataclass
class Search:
    """The search for changes that win.

    Parameters
        runs : makes the paired runs ; base : the setup as it was ; context : what changes may look at
        seeds : of the runs; from the first seed every trial is run, from the others the best ones ; say : called with a text
            that says what is being done
    Attributes
        baseline, best : Trials, the best one is the baseline while nothing wins ; rejected ; trials : all that were run ;
        wins : {change: what it adds to all others that are kept} ; length : of the runs ; each : seconds of a whole run of
        the setup as it was ; reserved : seconds for the final training, once there is something to train
        correct : changes that are kept because the mathematics calls for them, not for a better score
    """

    runs: PairedRuns
    base: Setup
    context: Context
    seeds: Sequence[int]
    say: Callable[[str], None] = lambda text: None
    rejected: list[Rejected] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    wins: dict[Change, Comparison] = field(default_factory=dict)
    correct: tuple[Change, ...] = ()
    length: float = 1.0
    each: float = 1e-3
    reserved: float = 0.0

    def __post_init__(self) -> None:
        self.baseline = Trial((), self.base)
        self.best = self.baseline
        self.trials.append(self.baseline)
        self._known: dict[tuple[Change, ...], Trial] = {}
        small = self.context.network.parameters.count <= _SMALL
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.workers = min(2 if cores < 4 else cores, cores) if small else 1
        if small:
            self.runs.machine["threads"] = 1
        #: Seconds that a whole run of the setup as it was would take, as estimated from each run that was completed.
        self._paces: list[float] = []
        self.short = False
        #: Elapsed seconds divided by seconds of work: above 1 where runs side by side, or other programs, slow each other
        #: down.
        self._slow = 1.0

    # ------------------------------------------------------------ how long runs may be

    def measure(self) -> None:
        """Runs the setup as it was for the first part of the time, which shows how long a whole run takes."""
        self.say("the network as it is")
        first = self._probe(self.base)
        if first.complete:
            self.baseline.runs, self.baseline.length = {self.seeds[0]: first}, 1.0
        self._measured = not first.failed

    def _probe(self, setup: Setup) -> Run:
        run = self.runs.run(setup, self.seeds[0], seconds=_FIRST * max(0.0, self.runs.time_left), hopeless=True)
        self.each = max(self.each, run.whole)
        return run

    def plan(self, changes: Sequence[Change]) -> None:
        """Chooses the length of the runs by the time that is left and the number of changes to try."""
        if not self._measured:
            # A network that diverges at once does not show how long its runs take; with its first remedy it does.
            tried = (t for c in changes if (t := self.trial((c,))) is not None)
            if (first := next(tried, None)) is not None:
                self._probe(first.setup)
        count, seeds = len(changes), len(self.seeds)
        possible = self.runs.time_left * (1 + _GAIN * (self.workers - 1)) / self.each
        # Every seed is needed for the setup as it was and for the one that wins, and one or two runs for an alternative;
        # half of the other runs are ended early.
        needed = 2 * seeds + 2 + 0.5 * min(count, 8)
        self.length = 1.0
        self.short = possible < needed
        if self.short:
            steps = self.base.fit.epochs * self.runs.batches(self.runs.train, self.base)
            self.length = min(1.0, max(_SEARCHING * possible / needed, _LEAST_STEPS / steps))
            if possible / self.length < needed:
                self.seeds = self.seeds[:2]
                self.length = min(self.length, max(possible / 6, 1 / steps))
        self.say(f"runs of {self.runs.describe(self.length)}")

    def _cost(self, trial: Trial, length: float) -> float:
        """The seconds of work of one run of a trial: measured where it was run, else estimated by its epochs."""
        runs = [r.seconds / trial.length for r in trial.runs.values() if trial.length]
        if runs:
            return max(runs) * length
        usual = max(self.each, sorted(self._paces)[len(self._paces) // 2]) if self._paces else self.each
        return usual * self._epochs_ratio(trial) * length

    def _epochs_ratio(self, trial: Trial) -> float:
        return float(trial.setup.fit.epochs / self.base.fit.epochs)

    def _wall(self, trials: Iterable[Trial], seeds: Sequence[int], length: float) -> float:
        """The seconds that will pass until these trials have been run from these seeds."""
        jobs = [self._cost(t, length) for t in trials for s in seeds if t.length != length or s not in t.runs]
        return self._slow * max(sum(jobs) / self.workers, max(jobs, default=0.0))

    @property
    def settled(self) -> bool:
        """Whether no change can win any more: the time is over, or no higher score could be told from the best one."""
        best, n = self.best, self.runs.judged(self.length)
        full = bool(best.runs) and self.runs.scorer.most - best.score <= self.runs.scorer.resolution(best.score, n)
        return full or self.runs.time_left <= 0

    # ------------------------------------------------------------ running

    def _run(self, trials: Sequence[Trial], seeds: Sequence[int], length: float, leader: Sequence[float] = ()) -> None:
        """Runs the trials from the seeds, small networks side by side. Runs of this length are not repeated."""
        for trial in trials:
            if trial.length != length:
                trial.runs, trial.length, trial.behind = {}, length, ""
        self.tune(trials)
        # It is better to have two runs of every trial than all runs of some.
        jobs = [(t, s) for s in seeds for t in trials if s not in t.runs]

        def one(trial: Trial, seed: int) -> Run | None:
            if self.runs.time_left <= 0:
                return None
            # The best trial so far is run to its end, since all others are compared with it.
            return self.runs.run(trial.setup, seed, length, leader=() if trial is self.best else leader)

        started = time.perf_counter()
        found = self._all([partial(one, trial, seed) for trial, seed in jobs])
        taken, work = time.perf_counter() - started, 0.0
        for (trial, seed), run in zip(jobs, found, strict=True):
            if run is None:
                continue
            if run.complete:
                trial.runs[seed] = run
                work += run.seconds
                self._paces.append(run.seconds / length / self._epochs_ratio(trial))
            elif run.behind:
                trial.behind = run.behind
                self.reject(trial.changes, run.behind, run.score)
        if work and len(jobs) >= self.workers:
            self._slow = max(1.0, 0.5 * self._slow + 0.5 * taken * self.workers / work)

    def _all(self, jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        return map_all(jobs) if self.workers > 1 else [job() for job in jobs]

    def tune(self, trials: Iterable[Trial]) -> None:
        """Finds the learning rates of those trials that ask for a range test."""
        open_ones = [t for t in trials if t.setup.range_test and self.runs.time_left > 0]
        seeds, steps = (self.seeds[:1], 60) if self.short else (self.seeds[:2], 100)
        found = self._all([partial(self.runs.tuned, t.setup, seeds, steps) for t in open_ones])
        for trial, setup in zip(open_ones, found, strict=True):
            trial.setup = setup

    def trial(self, changes: Iterable[Change]) -> Trial | None:
        """The trial of these changes of the setup as it was; None, and a rejection, when they cannot be made."""
        ordered = tuple(in_order(changes))
        if ordered not in self._known:
            try:
                setup = apply(self.base, ordered, self.context)
            except NotApplicable as reason:
                self.reject(ordered, f"does not apply: {reason}")
                return None
            trial = Trial(ordered, setup)
            self._known[ordered] = trial
            self.trials.append(trial)
        return self._known[ordered]

    def reject(self, changes: tuple[Change, ...], reason: str, score: float | None = None) -> None:
        if all(r.changes != changes for r in self.rejected):
            self.rejected.append(Rejected(changes, reason, score))

    def run_baseline(self) -> None:
        """Runs the setup as it was from every seed, for when there is nothing to try."""
        self._run([self.baseline], self.seeds, self.length)

    def unlucky(self) -> int | None:
        """The seed from which the setup as it was learns less than half of what it learns from another; None without one."""
        scores, scorer = {seed: run.score for seed, run in self.baseline.runs.items()}, self.runs.scorer
        if len(scores) < 2 or scorer.chance is None:
            return None
        worst, best = min(scores, key=scores.__getitem__), max(scores.values())
        fall, margin = best - scores[worst], 4 * scorer.resolution(best, self.runs.judged(self.length))
        return worst if fall > max(0.5 * (best - scorer.chance), margin) else None

    # ------------------------------------------------------------ searching

    def improve(
        self,
        groups: Sequence[Sequence[Change]],
        *,
        upon: Iterable[Change] = (),
        pairs: Iterable[tuple[Change, Change]] = (),
    ) -> bool:
        """Tries changes in addition to those that are kept; returns whether one was added.

        Parameters
            groups : the changes that each finding calls for, the most promising first
            upon : changes that did not win alone, and that are made in every one of these trials
            pairs : changes that are tried together right after the first one
        """
        kept, before = self.best.changes, self.best
        for change in upon:
            kept = joined(kept, change)
        afforded = {c: self._affordable(c) for c in ranked(groups)}
        groups = [[a for c in group if (a := afforded[c]) is not None] for group in groups]
        singles = ranked(groups)
        sets = [joined(kept, c) for c in singles]
        sets[1:1] = [joined(joined(kept, a), b) for a, b in pairs if a in singles and b in singles]
        # Faults that hide each other are cured only together, so the first choices of all findings are tried at once, too.
        together = compatible([group[0] for group in groups if group])
        if len(together) > 1:
            everything = kept
            for c in together:
                everything = joined(everything, c)
            sets.insert(1, everything)
        self._try(sets)
        if self.best is before and len(singles) > 1 and not self.settled:
            pairs = [p for p in combinations(self._by_score(kept, singles), 2) if p[0].kind != p[1].kind]
            self._try([joined(joined(kept, a), b) for a, b in pairs[:_MOST_COMBINATIONS]])
        # A change that won alone may win more together with others, and more epochs may help more than once.
        while self.best is not before and not self.settled:
            last = self.best
            kinds = {c.kind for c in last.changes}
            more = [c for c in singles if c.kind not in kinds]
            more += [a for c in last.changes if c.kind == "epochs" and (a := self._affordable(c)) is not None]
            more += self._neighbours(last)
            wider = (c for c in last.changes if c.kind == "capacity" and float(c["factor"]) > 1)
            more += [Change("capacity", {**c.arguments, "factor": 2.0}) for c in wider]
            self._try([joined(last.changes, c) for c in more])
            if self.best is last:
                break
        return self.best is not before

    @staticmethod
    def _neighbours(trial: Trial) -> list[Change]:
        """Changes to a learning rate three times as large, and a third as large, as one that won."""
        rate = trial.setup.optimizer.learning_rate
        if not isinstance(rate, float) or all(c.kind != "learning_rate" for c in trial.changes):
            return []
        return [Change("learning_rate", {"value": float(f"{rate * factor:.2g}")}) for factor in (3.0, 1 / 3)]

    def _affordable(self, change: Change) -> Change | None:
        """The change, reduced where there is too little time to judge it in full; None when it cannot be judged."""
        if change.kind == "data":
            return None
        if change.kind != "epochs":
            return change
        epochs, factor = self.best.setup.fit.epochs, float(change["factor"])
        each = self.each * self.best.setup.fit.epochs / self.base.fit.epochs
        possible = self.runs.time_left * self.workers / (self._slow * len(self.seeds) * each)
        # Among short runs the longer one is always better, so only whole runs can show that more epochs help.
        if self.length >= 1 and possible >= min(factor, 1.5):
            return change if possible >= factor else Change("epochs", {"factor": float(f"{possible:.1f}")})
        reason = f"{round(factor * epochs)} epochs, about {_time(each * factor)} a run, are too long for the time left"
        self.reject((change,), reason)
        return None

    def _try(self, sets: Sequence[tuple[Change, ...]]) -> None:
        """Runs sets of changes, the likeliest first, and keeps the one that wins."""
        now = tuple(in_order(self.best.changes))
        new = [changes for key, changes in {tuple(in_order(s)): s for s in reversed(sets)}.items() if key != now]
        if new and not self.settled:
            self._keep_best(self._confirm(self._screen(new[::-1])))

    def _screen(self, sets: Sequence[tuple[Change, ...]]) -> list[Trial]:
        """Runs each set from one seed, in the given order, and ends runs that are clearly behind the best one so far."""
        first, length = self.seeds[:1], self.length
        left, found, leader = list(sets), list[Trial](), self.best
        while left and not self.settled:
            size, wave = _WAVE if found else _FIRST_WAVE, list[Trial]()
            # Time is kept to prove the leader: until it has run from several seeds, its lead may be chance.
            reserved = 1.2 * self._wall([self.best, leader], self.seeds[:2], length) if found else 0.0
            while left and len(wave) < size:
                trial = self.trial(left[0])
                if trial is not None and not (trial.behind and trial.length == length):
                    if found and self._wall([*wave, trial], first, length) + reserved > self.runs.time_left:
                        break
                    wave.append(trial)
                left = left[1:]
            if not wave:
                break
            self.say(f"{len(wave) + len(left)} changes, {self.runs.describe(length)}")
            curve = leader.runs[first[0]].curve if leader.length == length and first[0] in leader.runs else ()
            self._run([self.best, *wave], first, length, curve)
            found += [t for t in wave if t.runs]
            leader = max([leader, *found], key=lambda t: t.score)
        for changes in left:
            self.reject(tuple(in_order(changes)), "not run: the time was over")
        return found

    def _confirm(self, found: list[Trial]) -> list[Trial]:
        """Runs the best trials from every seed, as many of them as half of the time that is left allows."""
        ranked = sorted(found, key=lambda t: t.score, reverse=True)
        if self.short:
            # A trial that is not better from the first seed will hardly win from several, so the time goes to the others.
            bar = self.best.score if self.best.length == self.length else -math.inf
            bar += self.runs.scorer.resolution(bar, self.runs.judged(self.length)) if self.best.runs else 0.0
            ranked = [t for t in ranked if t.score > bar] or ranked[:0]
        chosen = ranked[:1]
        for trial in ranked[1:_MOST_CONFIRMED]:
            if self._wall([self.best, *chosen, trial], self.seeds, self.length) > self.runs.time_left / 2:
                break
            chosen.append(trial)
        self.say(f"{len(chosen)} changes from {len(self.seeds)} seeds")
        for seeds in (self.seeds[:2], self.seeds):
            self._run([self.best, *chosen], seeds, self.length)
            # Where time is short, a trial that wins clearly needs no further proof.
            if self.short and any(self.runs.compare(self.best, t).clear for t in chosen):
                break
        for trial in found:
            if trial not in chosen:
                self.reject(trial.changes, "others did better from the first seed", trial.score)
        return [t for t in found if t in chosen and len(t.runs) > 1]

    def _keep_best(self, trials: Sequence[Trial]) -> None:
        """Keeps, of the trials that win, the first one that is as good as the best: it names the likeliest cause."""
        before = self.best
        winners = [t for t in trials if self.runs.compare(before, t).wins]
        if winners:
            top = max(winners, key=lambda t: t.score)
            self.best = next(t for t in winners if self.runs.compare(t, top).alike)
            self.runs.deadline = min(self.runs.deadline, self.runs.end - self.reserved)
        for trial in trials:
            if trial is self.best:
                continue
            found = self.runs.compare(before, trial)
            failed = next((r.failed for r in trial.runs.values() if r.failed), "")
            against = "what was kept" if before.changes else "the network as it was"
            reason = failed.split(". ")[0] if failed and trial.score == self.runs.scorer.worst else f"{found} than {against}"
            if found.wins:
                reason += f"; {self.best.name} was kept"
            self.reject(trial.changes, _wording(reason), trial.score)

    def _by_score(self, kept: tuple[Change, ...], singles: Sequence[Change]) -> list[Change]:
        def score(change: Change) -> float:
            known = self._known.get(tuple(in_order(joined(kept, change))))
            return known.score if known is not None else -math.inf

        return sorted(singles, key=score, reverse=True)

    # ------------------------------------------------------------ what is kept in the end

    def prune(self) -> None:
        """Takes out the changes without which the score falls by no more than the spread; notes what each other one adds."""
        while len(self.best.changes) > 1:
            without = []
            for change in self.best.changes:
                rest = tuple(c for c in self.best.changes if c is not change)
                if (t := self.trial(rest)) is not None:
                    without.append((change, t))
            self.say("what each change adds")
            length = self.best.length
            self._run([t for _, t in without], list(self.best.runs), length)
            complete = [(c, t) for c, t in without if t.length == length and len(t.runs) == len(self.best.runs)]
            needless = [(c, t) for c, t in complete if not self.runs.compare(t, self.best).wins]
            if not needless:
                self.wins = {c: self.runs.compare(t, self.best) for c, t in complete}
                return
            change, self.best = max(needless, key=lambda item: item[1].score)
            self.reject((change,), "adds no more than the spread to the others")
        if self.best.changes:
            self.wins = {self.best.changes[0]: self.runs.compare(self.baseline, self.best)}

    def correct_what_is_wrong(self, changes: Iterable[Change]) -> None:
        """Adds changes without which the network contradicts its loss. They need not win, but must not lower the score."""
        for change in changes:
            if any(c.kind == change.kind for c in self.best.changes) or self.runs.time_left <= 0:
                continue
            before, length = self.best, self.best.length or self.length
            trial = self.trial(joined(before.changes, change))
            if trial is None:
                continue
            self.say(f"{change}")
            self._run([before, trial], self.seeds, length)
            found = self.runs.compare(before, trial)
            if found.seeds < 2 or found.harms:
                self.reject((change,), _wording(f"called for, but {found} than before"), trial.score)
                continue
            self.best, self.correct = trial, (*self.correct, change)
            self.wins[change] = found

    def verify(self) -> None:
        """Runs the winner of short runs for longer, as the time allows. Changes that win only in short runs are not kept."""
        won, before = self.best, self.baseline
        if won.length >= 1 or not won.changes:
            return
        whole = self._wall([before, won], self.seeds, 1.0)
        length = min(1.0, 0.9 * max(0.0, self.runs.time_left) / max(whole, 1e-9))
        if length < 1.5 * won.length:
            return
        self.say(f"what won, in runs of {self.runs.describe(length)}")
        longer = Trial((), before.setup), Trial(won.changes, won.setup)
        self._run(longer, self.seeds, length)
        if min(len(t.runs) for t in longer) < 2:
            return
        found = self.runs.compare(*longer)
        self.trials += longer
        self.baseline = longer[0]
        self.best = longer[1] if found.wins else longer[0]
        if not found.wins:
            self.reject(won.changes, _wording(f"won in runs of {self.runs.describe(won.length)} only: {found} than before"))


def _time(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"


def _wording(reason: str) -> str:
    return reason.replace(" seeds than ", " seeds, against ")
