"""``Network.cure``: from a diagnosis to a changed network, with the evidence that the change was right.

A cure has these phases, one method of ``_Curing`` for each:

    prepare     read the samples, hold some out, and write down the setup as it was
    measure     run the setup as it was for a short time, which shows how long the trials may be
    diagnose    find out which changes are called for
    search      try them in paired runs, and diagnose again what won, since one fault may hide another
    confirm     leave out what is not needed, and run what is left for longer
    train       train the changed network on all samples
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import replace
from typing import Any

import numpy as np

from ..diagnosis import Change, Diagnosis
from ..network import Definition
from ..training import FitSettings, Session
from ..training.intake import is_stream
from ..training.samples import Samples
from ..training.trainable import Trainable
from ..trials import diagnose
from .advice import advice
from .apply import Context
from .change_sets import expand
from .final_training import reserve_time, train_best
from .findings import called_for, classes_named, first_choices, groups_of, hidden_pairs, is_of_data
from .options import CureOptions
from .paired import Comparison, PairedRuns, Run, Trial
from .result import Cure
from .samples import all_samples, not_finite, shapes_of, split
from .scorer import Scorer, Scores
from .search import Search
from .setup import Setup
from .start_weights import kept_weights
from .status import Clock, Status

__all__ = ["cure"]

#: The share of the time budget that a diagnosis may take.
_DIAGNOSIS = 0.25
#: How many diagnoses are made and cured one after the other, at most: a fault that was hidden before may show after.
_ROUNDS = 3
#: The largest share of samples with numbers that are not finite that may be left out. Beyond it, the gaps are to be filled.
_MOST_LEFT_OUT = 0.2
#: The fewest epochs that a diagnosis sees; where they take too long, they are of a part of the samples.
_DIAGNOSED_EPOCHS = 4
#: Changes that help often. They are tried when a network cannot learn and no change that the diagnosis calls for wins.
_GENERAL = (
    Change("learning_rate", {"range_test": True}),
    Change("scale_inputs", {"method": "standard"}),
    Change("optimizer", {"name": "adam"}),
    Change("normalise", {"by": "batch_norm"}),
    Change("initialise", {"law": "auto"}),
)


def cure(session: Session, X: Any, y: Any, settings: FitSettings, options: CureOptions) -> Cure:
    """See ``Network.cure``. Parameters  settings : of the fit that is to be cured; what only watches it is not used"""
    curing = _Curing(session, settings, options)
    if (unable := curing.prepare(X, y)) is not None:
        return unable
    with curing.status:
        curing.measure()
        curing.diagnose()
        curing.search_changes()
        curing.confirm()
        made, final = curing.train()
    found = curing.result(made, final)
    if options.in_place and found.changes:
        vars(session.network).clear()
        vars(session.network).update(vars(made))
        found.network = session.network
    return found


class _Curing:
    """One cure, phase by phase. Parameters  as of ``cure``"""

    search: Search
    setup: Setup
    whole: Samples
    #: The changes that the user asked for, None to take those that the diagnosis calls for.
    asked: list[Change] | None
    #: The diagnosis at the start, the one that the user gave, and the one of what won.
    found: Diagnosis | None
    found_before: Diagnosis | None
    after: Diagnosis | None
    #: Whether only other data can mend what is wrong.
    only_data: bool

    def __init__(self, session: Session, settings: FitSettings, options: CureOptions) -> None:
        self.started = time.perf_counter()
        self.session, self.network, self.options = session, session.network, options
        self.settings = settings
        self.status, self.clock = Status(options.verbose), Clock(self.started)
        state = self.network.random_state
        self.seed = int(state) if isinstance(state, (int, np.integer)) else 0
        self.found, self.after = options.diagnosis, None
        #: The change that leaves out samples which are not finite, where there are some.
        self.left_out: Change | None = None
        self.groups: list[list[Change]] = []
        self.stream: Any = None

    @property
    def runs(self) -> PairedRuns:
        return self.search.runs

    # ------------------------------------------------------------ prepare

    def prepare(self, X: Any, y: Any) -> Cure | None:
        """Reads the samples and makes the search; a Cure without a change where too few samples can be used."""
        options, network = self.options, self.network
        fit = self.settings.only("objective", "learning", "stopping").replace(sample_weight=self.settings.sample_weight)
        if fit.early_stopping is not None:
            # The samples that the last training stops by are held out of it, too.
            fit = fit.replace(validation_split=options.validation_split)
        self.asked = None if options.changes is None else expand(options.changes)
        if self.asked is None and len(broken := not_finite(network, X, y)):
            if self.found is None:
                self.found = diagnose(self.session, X, y, self.session.settings({"loss": fit.loss}))
            if len(broken) > _MOST_LEFT_OUT * len(X) or len(X) - len(broken) < 8:
                return self._only_advice(Setup(Definition.of(network), fit), self.found, len(X))
            self.left_out = Change("leave_out", {"rows": tuple(int(row) for row in broken)})
            X, y = np.delete(X, broken, axis=0), np.delete(y, broken, axis=0)
            if fit.sample_weight is not None:
                fit = fit.replace(sample_weight=np.delete(np.asarray(fit.sample_weight), broken, axis=0))
        self.stream = X if is_stream(X, y) else None
        probe = copy.deepcopy(network)
        self.whole = whole = all_samples(probe, X, y, fit)
        setup = Setup(Definition.of(probe), fit, kept_weights(probe, network.built, options.start))
        scorer = self._scorer(whole, fit)
        train, held = split(whole, options.validation_data, options.validation_split, probe, scorer)
        self.setup = setup = setup.changed(sample_weight=train.weight)
        runs = PairedRuns(
            type(network), shapes_of(whole), train, held, scorer=scorer, epochs=fit.epochs,
            deadline=self.started + options.time_budget, machine=self.settings.arguments("machine"),
        )  # fmt: skip
        context = Context(probe, list(train.inputs), train.dense_targets())
        self.search = Search(runs, setup, context, [self.seed + i for i in range(options.seeds)], self.status.say)
        return None

    def _scorer(self, whole: Samples, fit: FitSettings) -> Scorer | Scores:
        targets, metric = whole.dense_targets(), self.options.metric
        classes = [classes_named(self.asked, self.found, i) for i in range(len(targets))]
        if len(targets) > 1 and metric is None:
            return Scores(targets, fit.loss, classes=classes)
        return Scorer(targets[0], fit.loss, classes=classes[0], metric=metric)

    def _only_advice(self, setup: Setup, diagnosis: Diagnosis, count: int) -> Cure:
        """The answer where too few samples are left for any trial."""
        nothing = Trial((), setup)
        return Cure(
            self.network, (), setup, setup, nothing, nothing, Comparison(0.0, math.inf, 0), "score", diagnosis,
            advice=[str(c) for f in diagnosis.findings for c in f.changes if c.kind == "data"],
            seconds=time.perf_counter() - self.started, samples=count, of=count,
        )  # fmt: skip

    # ------------------------------------------------------------ measure and diagnose

    def measure(self) -> None:
        """Runs the setup as it was, and keeps time for the final training."""
        self.search.measure()
        self.clock.done("trials")
        if self.options.refit:
            reserve_time(self.search, self.whole, self.options.time_budget, self.status)

    def diagnose(self) -> None:
        """Finds the changes that are called for, and plans how long the trials may be."""
        # A diagnosis of the samples that are left out now is not one of those that are left.
        found = self.found if self.left_out is None else None
        if found is None and self.asked is None:
            found = self._diagnosis("diagnosis", self.setup, self.seed, self.options.time_budget * _DIAGNOSIS)
        self.found_before, self.found = self.found, found
        self.groups = [self.asked] if self.asked is not None else groups_of(found)
        # No change of the network or of its training mends the data: a better score would deceive.
        self.only_data = self.asked is None and found is not None and is_of_data(found)
        self.search.plan(self._tried)
        if not self._tried and self.asked is None and self.found_before is None and not self.only_data:
            # The network is healthy from this seed, perhaps by luck.
            self.search.run_baseline()
            self.clock.done("trials")
            if (unlucky := self.search.unlucky()) is not None:
                seconds = self.runs.time_left * _DIAGNOSIS
                self.found = self._diagnosis("diagnosis of another seed", self.setup, unlucky, seconds)
                self.groups = groups_of(self.found)

    @property
    def _tried(self) -> list[Change]:
        """The changes that are called for and can be carried out."""
        return [] if self.only_data else [c for group in self.groups for c in group if c.kind != "data"]

    def _diagnosis(self, what: str, setup: Setup, seed: int, seconds: float) -> Diagnosis:
        """The diagnosis of one training of a setup, on so many samples that some epochs are done in the time."""
        self.status.say(what)
        search, runs = self.search, self.runs
        session = Session.of(runs.network(setup, seed))
        # A part of the time goes to what is computed after the training, and perhaps to a second one on fewer samples.
        needed = search.each / search.base.fit.epochs * min(setup.fit.epochs, _DIAGNOSED_EPOCHS)
        train = runs.train
        if train.nodes is None:
            train = runs.some(max(seconds / 2 / needed, 200 / len(runs.train)))
        held = runs.held.first(runs.judged(1.0 if train is runs.train else 0.0))
        samples, held = runs.data(setup, train), runs.data(setup, held)
        settings = setup.fit.replace(
            **runs.machine, sample_weight=train.weight, early_stopping=None, validation_split=0.0,
            validation_data=held.validation,
        )  # fmt: skip
        found = diagnose(session, samples.X, samples.y, settings, seconds=seconds / 2)
        self.clock.done("diagnosis")
        return found

    # ------------------------------------------------------------ search

    def search_changes(self) -> None:
        """Tries the changes that are called for, and diagnoses again what won."""
        tried = self._tried
        if not tried:
            self.search.run_baseline()
            return
        search, by_diagnosis = self.search, self.asked is None
        improved = search.improve(self.groups, pairs=hidden_pairs(self.found) if by_diagnosis else ())
        if by_diagnosis and not improved and not search.settled:
            improved = self._improve_upon_what_is_called_for()
        # A network that learns, if worse than it could, is changed only by what its findings call for.
        wrong = self.found is not None and any(f.severity == "error" for f in self.found.findings)
        if by_diagnosis and not improved and wrong and not search.settled:
            known = set(tried)
            improved = search.improve([[c for c in _GENERAL if c not in known]])
        for _ in range(_ROUNDS - 1):
            if not (by_diagnosis and improved) or search.settled:
                break
            self.clock.done("trials")
            seconds = self.runs.time_left * _DIAGNOSIS
            self.after = self._diagnosis("diagnosis of what won", search.best.setup, self.seed, seconds)
            groups = groups_of(self.after)
            improved = bool(groups) and search.improve(groups)

    def _improve_upon_what_is_called_for(self) -> bool:
        """Whether changes win together with those that are called for.

        What is called for may be right and not enough: what else is wrong shows when it has been changed.
        """
        first = first_choices(self.groups)
        changed = self.search.trial(first)
        if changed is None:
            return False
        self.search.tune([changed])
        self.clock.done("trials")
        seconds = self.runs.time_left * _DIAGNOSIS
        hidden = groups_of(self._diagnosis("diagnosis of what is called for", changed.setup, self.seed, seconds))
        return self.search.improve(hidden, upon=first)

    # ------------------------------------------------------------ confirm and train

    def confirm(self) -> None:
        """Leaves out changes that add nothing, adds those that the mathematics calls for, and runs what won for longer."""
        search = self.search
        if self._tried:
            if search.best.changes:
                search.prune()
            if self.found is not None:
                search.correct_what_is_wrong(called_for(self.found))
            search.verify()
        self.clock.done("trials")
        self.before = search.baseline
        if self.left_out is not None:
            self.after = self.after or self.found
            self.found = self.found_before
            self._leave_out(self.left_out)

    def _leave_out(self, change: Change) -> None:
        """Makes the setup as it was one that no fit takes, and the best one that without the samples that are not finite."""
        search = self.search
        best, worst = search.best, search.runs.scorer.worst
        refused = {seed: Run(seed, worst, (), (), failed=f"refused: {change}") for seed in best.runs}
        self.before = Trial((), search.base, refused, best.length)
        search.best = Trial((change, *best.changes), replace(best.setup, finite=True), best.runs, best.length)

    def train(self) -> tuple[Trainable, Setup]:
        """The network that the cure returns and its setup: the changed one, trained, or the given one when nothing won."""
        best = self.search.best
        if not best.changes:
            return self.network, self.setup
        self.status.say("training on all samples")
        if self.options.refit:
            made, final = train_best(self.search, self.whole, self.stream, self.settings, self.clock)
        else:
            final = best.setup.changed(sample_weight=self.whole.weight)
            made = self.runs.network(final, self.seed)
        self.clock.done("final training")
        return made, final

    def result(self, made: Trainable, final: Setup) -> Cure:
        """The faults that were found, with their evidence."""
        search, best = self.search, self.search.best
        return Cure(
            network=made,
            changes=best.changes,
            before=self.setup,
            after=final,
            baseline=self.before,
            best=best,
            evidence=self.runs.compare(self.before, best),
            score_name=self.runs.scorer.name,
            diagnosis=self.found,
            diagnosis_after=self.after,
            adds=search.wins,
            rejected=[r for r in search.rejected if r.changes != best.changes],
            trials=search.trials,
            advice=advice(self.groups, search, self.asked),
            correct=tuple(c for c in search.correct if c in best.changes),
            runs_of=self.runs.describe(best.length),
            seconds=time.perf_counter() - self.started,
            parts=self.clock.parts,
            samples=len(self.whole),
            of=self.whole.total,
        )
