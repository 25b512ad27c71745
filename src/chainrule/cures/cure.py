"""``net.cure``: from a diagnosis to a changed network, with the evidence that the change was right."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import split_validation
from ..diagnosis import Change, Diagnosis, Finding
from ..diagnosis.data_facts import DataFacts
from ..errors import ChainruleError, DataError, DivergenceError, ParameterError, ShapeError
from ..network import Definition
from ..ops.value import FREE
from ..registry import finite_number
from ..training import FitSettings, Session
from ..training.intake import choose_losses, input_arrays, is_stream, target_arrays
from ..training.samples import Recorder, Samples, collect
from .apply import Context
from .paired import Comparison, PairedRuns, Run, Trial
from .scorer import Scorer, Scores
from .search import Rejected, Search, compatible, expand
from .setup import Setup, fit_arguments

__all__ = ["Cure", "cure"]

#: Samples that are kept in memory of a stream.
STREAM_SAMPLES = 5000
#: The shares of the time that a diagnosis, and the final training where it is not left to come on top, may take.
_DIAGNOSIS, _FINAL = 0.25, 0.34
#: Diagnoses that are made and cured one after the other, at most: what was hidden before may show after.
_ROUNDS = 3
#: The share of samples that are not finite which may be left out; where it is more, the gaps are to be filled.
_MOST_LEFT_OUT = 0.2
#: The score on samples seen in training less that on others from which on more samples are asked for.
_BY_HEART = 0.15
#: Epochs that a diagnosis sees at least; where they take too long, of a part of the samples.
_DIAGNOSED_EPOCHS = 4
#: What helps often, tried when a network cannot learn and nothing that the diagnosis calls for wins.
_GENERAL = (
    Change("learning_rate", {"range_test": True}),
    Change("scale_inputs", {"method": "standard"}),
    Change("optimizer", {"name": "adam"}),
    Change("normalise", {"by": "batch_norm"}),
    Change("initialise", {"law": "auto"}),
)


@dataclass
class Cure:
    """What was wrong, what was changed, and the proof.

    Attributes
        network : the changed network, trained on all the data unless refit is False; the given one when nothing won
        improved : whether a change won ; changes : those that are kept, in the order in which they are made
        diagnosis : that it began with, and ``diagnosis_after`` of the changed network, None without one
        before, after : Setups ; baseline, best : their Trials, with the score of every seed and the curves of every epoch
        evidence : the Comparison of the two ; adds : {change: Comparison}, what each adds to the others
        rejected : what else was looked at, and why it was not kept ; trials : all that were run
        correct : those of the changes that did not win: without them the network contradicts its loss, with them the score
            is no worse
        runs_of : what the runs were made of, such as "all 20 epochs" or "4 of 20 epochs on 1,200 of 6,000 samples"
        advice : what only the user can change ; score_name ; seconds : in all ; parts : {"diagnosis", "trials",
            "final training": seconds}
        samples : that the trials were made with ; of : how many there are, None where a stream does not tell
    """

    network: Any
    changes: tuple[Change, ...]
    before: Setup
    after: Setup
    baseline: Trial
    best: Trial
    evidence: Comparison
    score_name: str
    diagnosis: Diagnosis | None = None
    diagnosis_after: Diagnosis | None = None
    adds: dict[str, Comparison] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    correct: tuple[Change, ...] = ()
    runs_of: str = ""
    seconds: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    samples: int = 0
    of: int | None = None

    @property
    def no_change(self) -> str:
        """Why nothing was changed, where nothing was."""
        if self.diagnosis is not None and _of_data(self.diagnosis):
            return "Only other data can cure this, so no change was tried."
        return "No change was found that wins by more than the spread between seeds."

    @property
    def improved(self) -> bool:
        """Whether a change won."""
        return any(c not in self.correct for c in self.changes)

    @property
    def fit_arguments(self) -> dict[str, Any]:
        """The arguments of ``fit`` with which the changed network was trained."""
        return dict(self.after.fit)

    def patch(self) -> str:
        """The changes as a diff of the Python that defines and trains the network; "" when there is none."""
        return self.before.patch(self.after) if self.changes else ""

    def report(self, path: Any = None, *, title: str = "The cure of a network") -> Any:
        """The evidence as a page, a chainrule.report.DiagnosisReport, written to a file where a path is given."""
        from ..report import DiagnosisReport

        made = DiagnosisReport(self.diagnosis, cure=self, title=title)
        if path is not None:
            made.save(path)
        return made

    def _repr_html_(self) -> str:
        found: str = self.report()._repr_html_()
        return found

    def to_dict(self) -> dict[str, Any]:
        """Everything but the networks as plain data, ready for JSON."""

        def trial(t: Trial) -> dict[str, Any]:
            return {
                "changes": [str(c) for c in t.changes],
                "score": t.score if t.runs else None,
                "runs": [
                    {
                        "seed": r.seed,
                        "score": r.score,
                        "curve": list(r.curve),
                        "losses": list(r.losses),
                        "learning_rate": r.learning_rate,
                        "failed": r.failed,
                    }
                    for r in t.runs.values()
                ],
            }

        return {
            "improved": self.improved,
            "score": self.score_name,
            "changes": [{"kind": c.kind, "arguments": dict(c.arguments), "text": str(c)} for c in self.changes],
            "evidence": vars(self.evidence) | {"wins": self.evidence.wins},
            "patch": self.patch(),
            "baseline": trial(self.baseline),
            "best": trial(self.best),
            "trials": [trial(t) for t in self.trials],
            "rejected": [
                {"changes": [str(c) for c in r.changes], "reason": r.reason, "score": r.score} for r in self.rejected
            ],
            "advice": list(self.advice),
            "correct": [str(c) for c in self.correct],
            "runs of": self.runs_of,
            "diagnosis": None if self.diagnosis is None else self.diagnosis.to_dict(),
            "seconds": self.seconds,
            "parts": dict(self.parts),
            "samples": self.samples,
            "of": self.of,
        }

    def __str__(self) -> str:
        lines = []
        if self.diagnosis is not None:
            cause = self.diagnosis.cause
            lines.append(f"Diagnosis: {'healthy' if cause is None else f'{cause.code} {cause.title}'}")
        seeds = len(self.best.runs)
        if self.changes:
            lines.append(f"{'Cured' if self.improved else 'Corrected'} by {len(self.changes)} change(s):")
            for change in self.changes:
                adds = self.adds.get(repr(change))
                note = ", correct, not measurably better" if change in self.correct else ""
                lines.append(f"  {change}{'' if adds is None else f'  ({adds.difference:+.4f}{note})'}")
            lines.append(
                f"Held-out {self.score_name}, mean of {seeds} seeds, {self.runs_of}: {self.baseline.score:.4f} before, "
                f"{self.best.score:.4f} after ({self.evidence})."
            )
            lines += ["", self.patch(), ""]
        else:
            lines.append(f"{self.no_change} The network is as it was.")
            if self.baseline.runs:
                lines.append(f"Held-out {self.score_name}, {self.runs_of}: {self.baseline.score:.4f}.")
        if self.samples != self.of:
            there = "a stream" if self.of is None else f"{self.of:,}"
            lines.append(f"The trials were made with {self.samples:,} samples of {there}.")
        lines += [f"To do by hand: {text}" for text in self.advice]
        if self.rejected:
            lines.append(f"Looked at and not kept: {len(self.rejected)}")
            lines += [f"  {r}" for r in self.rejected[:8]]
            lines += [f"  and {len(self.rejected) - 8} more"] if len(self.rejected) > 8 else []
        if self.parts:
            lines.append(f"Took {self.seconds:.1f} s: {', '.join(f'{n} {v:.1f}' for n, v in self.parts.items())}.")
        return "\n".join(lines)

    def __repr__(self) -> str:
        if not self.changes:
            return f"Cure(no change, {self.score_name} {self.baseline.score:.4g})"
        return f"Cure({len(self.changes)} change(s), {self.score_name} {self.baseline.score:.4g} → {self.best.score:.4g})"


def cure(
    network: Any,
    X: Any,
    y: Any = None,
    *,
    time_budget: float = 60.0,
    seeds: int = 3,
    validation_data: tuple[Any, Any] | None = None,
    validation_split: float = 0.25,
    metric: Any = None,
    diagnosis: Diagnosis | None = None,
    changes: Iterable[Change] | None = None,
    start: str = "auto",
    in_place: bool = False,
    refit: bool = True,
    verbose: int = 1,
    engine: str = "auto",
    precision: str = "float32",
    **fit: Any,
) -> Cure:
    """See ``Network.cure``."""
    started = time.perf_counter()
    validation_split = validation_split or 0.25
    _check(time_budget, seeds, validation_split, start, verbose)
    # Of no concern to trials: what only watches a fit.
    watching = {name: fit.pop(name) for name in ("callbacks", "metrics", "resume") if name in fit}
    machine = {"engine": engine, "precision": precision, "threads": fit.pop("threads", None)}
    last = _last_fit(network)
    if fit.get("optimizer") is not None and fit.get("learning_rate") is None:
        last.pop("learning_rate", None)
    given = fit_arguments({**last, **{name: value for name, value in fit.items() if value is not None}})
    if given["early_stopping"] is not None and not given["validation_split"]:
        # What the last training stops by is held out of it, too.
        given["validation_split"] = validation_split
    left_out: Change | None = None
    if changes is None and len(broken := _broken(network, X, y)):
        if diagnosis is None:
            diagnosis = network.diagnose(X, y, loss=given["loss"])
        if len(broken) > _MOST_LEFT_OUT * len(X) or len(X) - len(broken) < 8:
            return _only_advice(network, Setup(Definition.of(network), given), diagnosis, len(X), started)
        left_out = Change("leave_out", {"rows": tuple(int(row) for row in broken)})
        X, y = np.delete(X, broken, axis=0), np.delete(y, broken, axis=0)
        if given["sample_weight"] is not None:
            given["sample_weight"] = np.delete(np.asarray(given["sample_weight"]), broken, axis=0)
    probe = copy.deepcopy(network)
    whole = _samples(probe, X, y, given)
    setup = Setup(Definition.of(probe), given, _kept_weights(probe, network.built, start))
    asked = expand(changes) if changes is not None else None
    targets = whole.dense_targets()
    classes = [_classes(asked, diagnosis, i) for i in range(len(targets))]
    scorer: Scorer | Scores
    if len(targets) > 1 and metric is None:
        scorer = Scores(targets, given["loss"], classes=classes)
    else:
        scorer = Scorer(targets[0], given["loss"], classes=classes[0], metric=metric)
    train, held = _split(whole, validation_data, validation_split, probe, scorer)
    setup = setup.changed(sample_weight=train.weight)
    runs = PairedRuns(
        type(network), _shapes(whole), train, held, scorer=scorer, epochs=given["epochs"], deadline=started + time_budget,
        fit=dict(machine),
    )  # fmt: skip
    status, clock = _Status(verbose), _Clock(started)
    seed = int(network.random_state) if isinstance(network.random_state, (int, np.integer)) else 0
    context = Context(probe, list(train.inputs), train.dense_targets())
    search = Search(runs, setup, context, [seed + i for i in range(seeds)], status.say)
    with status:
        search.measure()
        clock.done("trials")
        if refit:
            _reserve(search, whole, time_budget, status)
        found = diagnosis if left_out is None else None
        if found is None and asked is None:
            status.say("diagnosis")
            found = _diagnose(search, setup, seed, time_budget * _DIAGNOSIS)
            clock.done("diagnosis")
        groups = [asked] if asked is not None else _groups(found)
        tried = [c for g in groups for c in g if c.kind != "data"]
        # What is wrong with the data no change of the network or its training puts right: a better score would deceive.
        only_data = asked is None and found is not None and _of_data(found)
        if only_data:
            tried = []
        after = None
        search.plan(tried)
        if not tried and asked is None and diagnosis is None and not only_data:
            # Healthy from this seed: perhaps by luck.
            search.run_baseline()
            clock.done("trials")
            if (unlucky := search.unlucky()) is not None:
                status.say("diagnosis of another seed")
                found = _diagnose(search, setup, unlucky, runs.time_left * _DIAGNOSIS)
                clock.done("diagnosis")
                groups = _groups(found)
                tried = [c for g in groups for c in g if c.kind != "data"]
        if tried:
            improved = search.improve(groups, pairs=_hidden(found) if asked is None else ())
            if not improved and asked is None and not search.settled:
                # What is called for may be right and not enough: what else is wrong shows when it has been changed.
                first = _first_choices(groups)
                changed = search.trial(first)
                if changed is not None:
                    search.tune([changed])
                    clock.done("trials")
                    status.say("diagnosis of what is called for")
                    hidden = _groups(_diagnose(search, changed.setup, seed, runs.time_left * _DIAGNOSIS))
                    clock.done("diagnosis")
                    improved = search.improve(hidden, upon=first)
            # A network that learns, if worse than it could, is changed by what its findings call for only.
            wrong = found is not None and any(f.severity == "error" for f in found.findings)
            if not improved and asked is None and wrong and not search.settled:
                known = {repr(c) for c in tried}
                improved = search.improve([[c for c in _GENERAL if repr(c) not in known]])
            for _ in range(_ROUNDS - 1):
                if not improved or asked is not None or search.settled:
                    break
                clock.done("trials")
                status.say("diagnosis of what won")
                after = _diagnose(search, search.best.setup, seed, runs.time_left * _DIAGNOSIS)
                clock.done("diagnosis")
                again = _groups(after)
                improved = bool(again) and search.improve(again)
            if search.best.changes:
                search.prune()
            if found is not None:
                search.correct_what_is_wrong(_called_for(found))
            search.verify()
        else:
            search.run_baseline()
        clock.done("trials")
        best, before = search.best, search.baseline
        if left_out is not None:
            found, after, before, best = diagnosis, after or found, *_with_left_out(search, left_out)
            search.best = best
        made, final = network, setup
        if best.changes:
            status.say("training on all samples")
            if (metrics := watching.get("metrics")) is not None:
                machine["metrics"] = metrics
            if refit:
                made, final = _train(search, whole, X if is_stream(X, y) else None, machine, clock)
            else:
                final = best.setup.changed(sample_weight=whole.weight)
                made = runs.network(final, seed)
            clock.done("final training")
    result = Cure(
        network=made,
        changes=best.changes,
        before=setup,
        after=final,
        baseline=before,
        best=best,
        evidence=runs.compare(before, best),
        score_name=scorer.name,
        diagnosis=found,
        diagnosis_after=after,
        adds=search.wins,
        rejected=[r for r in search.rejected if r.changes != best.changes],
        trials=search.trials,
        advice=_advice(groups, search, asked),
        correct=tuple(c for c in search.correct if c in best.changes),
        runs_of=runs.describe(best.length),
        seconds=time.perf_counter() - started,
        parts=clock.parts,
        samples=len(whole),
        of=whole.total,
    )
    if in_place and best.changes:
        vars(network).clear()
        vars(network).update(vars(made))
        result.network = network
    return result


def _broken(network: Any, X: Any, y: Any) -> NDArray[np.int64]:
    """The samples with a value that is NaN or infinite, of one array of inputs and one of targets; none of other data."""
    plain = isinstance(X, np.ndarray) and isinstance(y, np.ndarray) and network.samples is None
    if not plain or X.dtype.kind not in "biuf" or y.dtype.kind not in "biuf" or len(X) != len(y):
        return np.zeros(0, np.int64)
    return DataFacts([X], [y]).broken


def _only_advice(network: Any, setup: Setup, diagnosis: Diagnosis, count: int, started: float) -> Cure:
    """The answer where too few samples are left for any trial."""
    nothing = Trial((), setup)
    return Cure(
        network, (), setup, setup, nothing, nothing, Comparison(0.0, math.inf, 0), "score", diagnosis,
        advice=[str(c) for f in diagnosis.findings for c in f.changes if c.kind == "data"],
        seconds=time.perf_counter() - started, samples=count, of=count,
    )  # fmt: skip


def _with_left_out(search: Search, change: Change) -> tuple[Trial, Trial]:
    """The setup as it was, which no fit takes, and the best one with the samples left out that are not finite."""
    best, worst = search.best, search.runs.scorer.worst
    refused = {seed: Run(seed, worst, (), (), failed=f"refused: {change}") for seed in best.runs}
    before = Trial((), search.base, refused, best.length)
    return before, Trial((change, *best.changes), replace(best.setup, finite=True), best.runs, best.length)


class _Clock:
    """How long each part took. Attributes  parts : {part: seconds}, one after the other since ``started``"""

    def __init__(self, started: float) -> None:
        self.last, self.parts = started, dict.fromkeys(("diagnosis", "trials", "final training"), 0.0)

    def done(self, part: str) -> None:
        now = time.perf_counter()
        self.parts[part] += now - self.last
        self.last = now


def _of_data(diagnosis: Diagnosis) -> bool:
    """Whether the first cause is a fault of the data, which nothing but other data cures."""
    cause = diagnosis.cause
    return cause is not None and cause.severity == "error" and cause.of_data


def _reserve(search: Search, whole: Samples, budget: float, status: _Status) -> None:
    """Keeps time for the final training, or says that it comes on top."""
    count = max(len(whole), whole.total or 0)
    needed = search.each * (1 if whole.nodes is not None else count / len(search.runs.train))
    if needed <= budget * _FINAL:
        search.reserved = needed
    else:
        status.announce(
            f"should a change win, the final training on all {count:,} samples takes about {needed:.0f} s more than "
            f"the {budget:g} s of its budget (in Python, refit=False leaves it out)"
        )


def _check(time_budget: Any, seeds: Any, validation_split: Any, start: Any, verbose: Any) -> None:
    if not finite_number(time_budget) or time_budget <= 0:
        raise ParameterError(f"cure: time_budget must be a positive number of seconds. Got {time_budget!r}.")
    if isinstance(seeds, bool) or not isinstance(seeds, (int, np.integer)) or seeds < 2:
        raise ParameterError(f"cure: seeds must be an int of at least 2, as their spread decides. Got {seeds!r}.")
    if not finite_number(validation_split) or not 0 < validation_split < 1:
        raise ParameterError(f"cure: validation_split must be between 0 and 1. Got {validation_split!r}.")
    if start not in ("auto", "fresh", "own"):
        raise ParameterError(f'cure: start must be "auto", "fresh" or "own". Got {start!r}.')
    if verbose not in (0, 1, 2):
        raise ParameterError(f"cure: verbose must be 0, 1 or 2. Got {verbose!r}.")


def _last_fit(network: Any) -> dict[str, Any]:
    """What the last fit of the network used, as far as it is known."""
    if not hasattr(network, "loss_"):
        return {}
    known = getattr(network, "fit_settings_", None)
    if known is not None:
        return dict(known.arguments("objective", "learning"))
    found = {"loss": network.loss_, "loss_weights": network.loss_weights_}
    if getattr(network, "optimizer_", None) is not None:
        found["optimizer"] = network.optimizer_
    epochs = len(network.history_.epochs) if hasattr(network, "history_") else 0
    return found | ({"epochs": epochs} if epochs else {})


def _kept_weights(probe: Any, was_built: bool, start: str) -> Any:
    """The weights that trials start with instead of new ones.

    Those of frozen layers always, as they came from somewhere. All, where the user has asked for it, or has set them by
    hand: a network that was never fitted and whose weights are not those that its seed draws.
    """
    own = start == "own"
    if start == "auto" and was_built and not probe._trained:
        own = True
        seed = probe.random_state
        if isinstance(seed, (int, np.integer)):
            drawn, names = Definition.of(probe).build(type(probe), random_state=seed)
            drawn.build(*probe.buildable_shapes)
            own = any(
                not np.array_equal(array, drawn.parameters[f"{names[full.rpartition('.')[0]]}.{full.rpartition('.')[2]}"])
                for full, array in probe.parameters.items()
            )
    return Definition.weights_of(probe, None if own else probe.frozen)


def _classes(changes: Sequence[Change] | None, diagnosis: Diagnosis | None, output: int) -> bool | None:
    """Whether a change to a loss of classes (or of numbers) says what the targets of an output are; None when none does."""
    proposed = list(changes or ()) + [c for f in (diagnosis.findings if diagnosis is not None else ()) for c in f.changes]
    for change in proposed:
        if change.kind == "output" and change["loss"] is not None and (change["output"] or 0) == output:
            return change["loss"] in (
                "softmax_cross_entropy", "binary_cross_entropy", "hinge", "multi_class_hinge", "kl_divergence",
            )  # fmt: skip
    return None


def _samples(probe: Any, X: Any, y: Any, given: dict[str, Any]) -> Samples:
    """All samples, checked, of a stream as many as are kept in memory; builds the network."""
    weight, graph, count = given["sample_weight"], probe.samples is not None, len(probe.output_ids)
    if not (stream := isinstance(X, Recorder) or is_stream(X, y)):
        if y is None:
            raise ParameterError("cure: y is missing. Pass cure(X, y), or an iterable of batches (x, y) as X.")
        xs, ys = input_arrays(probe, X), list[Any](target_arrays(y, count))
    else:
        if weight is not None:
            raise ParameterError("cure: sample_weight does not go with batches. Let them be (x, y, sample_weight).")
        found = collect(X, STREAM_SAMPLES, graph=graph)
        if found is None:
            raise DataError(
                "cure: the batches hold no samples (x, y) of one shape that could be kept. An iterator that was read before "
                "is empty: give a function that returns a new one, or X and y as arrays."
            )
        xs, ys, weight = input_arrays(probe, found.X), list[Any](target_arrays(found.y, count)), found.weight
    if any(len(a) != len(xs[0]) for a in (*xs, *ys)):
        raise ShapeError(f"cure: X and y must have one length. Got {', '.join(str(len(a)) for a in (*xs, *ys))}.")
    if weight is not None and np.asarray(weight).shape != (len(xs[0]),):
        raise ShapeError(
            f"cure: sample_weight must have one entry for each of {len(xs[0])} samples. Got {np.asarray(weight).shape}."
        )
    probe.build(*(tuple(None if s == FREE else s for s in x.shape[1:]) for x in xs))
    unlabelled = [loss.ignore_label for loss in choose_losses(given["loss"], ys, probe)] if graph else []
    made = Samples.of(xs, ys, weight, graph=graph, unlabelled=unlabelled)
    return replace(made, total=found.total) if stream and found is not None else made


def _shapes(samples: Samples) -> list[Any]:
    """Of one sample of each input, None for a length that is free."""
    return [tuple(None if s == FREE else s for s in x.shape[1:]) for x in samples.inputs]


def _split(
    whole: Samples, given: Any, share: float, probe: Any, scorer: Scorer | Scores
) -> tuple[Samples, Samples]:  # fmt: skip
    """Samples to train on, and those that are held out: of a graph nodes."""
    graph = whole.nodes is not None
    if given is not None:
        try:
            if is_stream(given, None) and not isinstance(given, (tuple, list)):
                found = collect(given, STREAM_SAMPLES)
                given = () if found is None else (found.X, found.y)
            if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
                raise ParameterError("cure: validation_data must be (X, y), (X, y, sample_weight) or batches.")
            xs, ys = input_arrays(probe, given[0]), list[Any](target_arrays(given[1], len(whole.targets)))
            weight = given[2] if len(given) > 2 else None
            return whole, Samples.of(xs, ys, weight if graph else None, graph=graph, unlabelled=whole.unlabelled)
        except ChainruleError as error:
            raise type(error)(f"validation_data: {error}") from error
    n, what = len(whole), "labelled node(s)" if graph else "sample(s)"
    if n < 8:
        raise DataError(f"cure: {n} {what} are too few to hold some out. Give at least 8, or validation_data=.")
    y = None if whole.by_step else whole.dense_targets()[0]
    labels = y.reshape(-1) if y is not None and scorer.kind == "labels" and y.size == n else None
    if labels is not None and np.unique(labels, return_counts=True)[1].max() < 2:
        labels = None
    train, held = split_validation(n, share, np.random.default_rng(0), labels)
    kept = whole.take(held)
    return whole.take(train), kept if graph else replace(kept, weight=None)


def _diagnose(search: Search, setup: Setup, seed: int, seconds: float) -> Diagnosis | None:
    """The diagnosis of one training of the setup, of so many samples that some epochs are done in the time."""
    runs, epochs = search.runs, setup.fit["epochs"]
    network = runs.network(setup, seed)
    # A part of the time goes to what is computed of the training, and perhaps to a second one on fewer samples.
    few = search.each / search.base.fit["epochs"] * min(epochs, _DIAGNOSED_EPOCHS)
    train = runs.train if runs.train.nodes is not None else runs.some(max(seconds / 2 / few, 200 / len(runs.train)))
    held = runs.held.first(runs.judged(1.0 if train is runs.train else 0.0))
    arguments = {k: v for k, v in setup.fit.items() if k not in ("early_stopping", "validation_split")}
    arguments |= {"sample_weight": train.weight, **_machine(runs)}
    train, held = runs.data(setup, train), runs.data(setup, held)
    found: Diagnosis = network.diagnose(train.X, train.y, validation_data=held.validation, seconds=seconds / 2, **arguments)
    return found


def _machine(runs: PairedRuns) -> dict[str, Any]:
    return {key: value for key, value in runs.fit.items() if value is not None}


def _hidden(diagnosis: Diagnosis | None) -> list[tuple[Change, Change]]:
    """The first choice of the first cause with that of each of its symptoms, since a symptom may be another cause, too."""
    cause = None if diagnosis is None else diagnosis.cause
    if cause is None or not cause.changes:
        return []
    first = expand(cause.changes)[0]
    others = (c for s in cause.symptoms for c in expand(s.changes[:1])[:1])
    return [(first, c) for c in others if "data" not in (first.kind, c.kind) and c.kind != first.kind][:2]


def _first_choices(groups: Sequence[Sequence[Change]]) -> list[Change]:
    """The first change of every finding, one of each kind."""
    return compatible([own[0] for group in groups if (own := [c for c in group if c.kind != "data"])])


def _called_for(diagnosis: Diagnosis) -> list[Change]:
    """Changes without which the network's output and its loss contradict each other, or some of its layers are none."""
    wrong = [f for f in diagnosis.findings if f.severity == "error" and f.changes]
    return [f.changes[0] for f in wrong if f.changes[0].kind in ("output", "insert_activation")]


def _groups(diagnosis: Diagnosis | None) -> list[list[Change]]:
    """The changes that each finding calls for; those of its symptoms after its own."""
    if diagnosis is None:
        return []

    def of(finding: Finding) -> list[Change]:
        return [*finding.changes, *(c for s in finding.symptoms for c in s.changes[:1])]

    return [g for f in diagnosis.findings if (g := expand(of(f)))]


def _advice(groups: Sequence[Sequence[Change]], search: Search, asked: Sequence[Change] | None) -> list[str]:
    found = [str(c) for g in groups for c in g if c.kind == "data"]
    if groups and groups[0] and groups[0][0].kind == "epochs" and not search.best.changes:
        # More epochs are what the first cause calls for; why they are not among the changes is in the reasons.
        first = groups[0][0]
        reasons = [r.reason for r in search.rejected if r.changes == (first,) and r.score is None]
        found += [f"{first}, with a larger time_budget or by hand: {reason}" for reason in reasons]
    best = search.best
    if found or asked is not None:
        return list(dict.fromkeys(found))
    # What is known of the samples themselves and of no others is known by heart.
    seen = [run.seen for run in best.runs.values() if run.seen == run.seen]
    if seen and not search.runs.scorer.metric and best.length >= 1:
        gap = float(np.mean(seen)) - best.score
        if gap > max(_BY_HEART, 3 * search.runs.scorer.resolution(best.score, len(search.runs.held))):
            found.append(
                f"give more samples, if there are any: the network scores {np.mean(seen):.2f} on those it is trained on and "
                f"{best.score:.2f} on others; and check that row i of X and row i of y belong together"
            )
    scorer, held = search.runs.scorer, len(search.runs.held)
    learned = scorer.chance is None or best.score > scorer.chance + 2 * scorer.resolution(scorer.chance, held)
    if not learned and not found and not best.changes and best.runs and best.length >= 1:
        found.append(
            "check that row i of X and row i of y belong together: nothing predicts better than the best constant "
            f"({scorer.name} {scorer.chance:.2f} on samples held out)"
        )
    return list(dict.fromkeys(found))


def _train(search: Search, whole: Samples, stream: Any, machine: dict[str, Any], clock: _Clock) -> tuple[Any, Setup]:
    """The best setup's network trained on all samples, and that setup.

    Of a stream it is trained on all that it yields, if it can be read again and no part of it has to be held out. A training
    can end badly by chance, such as in a spike of the loss. One that scores less on samples that it has seen than the runs
    did on theirs is done again from the next seed, as long as the time lasts; the best one is taken.
    """
    runs, best = search.runs, search.best
    held = runs.held.first(runs.judged(best.length))
    expected = float(np.mean([max(run.score, run.seen) for run in best.runs.values()]))
    expected -= 2 * runs.scorer.resolution(expected, len(held))
    setup, found = best.setup.changed(sample_weight=whole.weight), list[tuple[float, Any]]()
    for seed in search.seeds:
        started = time.perf_counter()
        network = runs.network(setup, seed)
        try:
            _fit(network, setup, runs.data(setup, whole), stream, machine)
        except DivergenceError:
            if not found and seed == search.seeds[-1]:
                raise
            continue
        found.append((runs.score(network, runs.data(setup, held)), network))
        clock.done("final training")
        if found[-1][0] >= expected or clock.last + (clock.last - started) > runs.end:
            break
    return max(found, key=lambda item: item[0])[1], setup


def _fit(network: Any, setup: Setup, whole: Samples, stream: Any, machine: dict[str, Any]) -> None:
    held_out = setup.fit["early_stopping"] is not None or setup.fit["validation_split"]
    if stream is None or isinstance(getattr(stream, "source", stream), Iterator) or held_out:
        network.fit(whole.X, whole.y, **setup.fit, **machine, verbose=0)
        return
    first = FitSettings(loss=setup.fit["loss"], batch_size=setup.fit["batch_size"])
    Session.of(network).start_from(whole.X, whole.y, first)
    arguments = {name: value for name, value in setup.fit.items() if name != "sample_weight"}
    network.fit(stream, **arguments, **machine, verbose=0)


class _Status:
    """What is being done, on a terminal."""

    def __init__(self, verbose: int) -> None:
        from rich.console import Console

        self.console = Console(stderr=True) if verbose else None
        terminal = self.console is not None and self.console.is_terminal
        self.status = self.console.status("") if self.console is not None and terminal else None

    def announce(self, text: str) -> None:
        """A line that stays, on a terminal or not."""
        if self.console is not None:
            self.console.print(f"cure: {text}.", highlight=False)

    def say(self, text: str) -> None:
        if self.status is not None:
            self.status.update(f"cure: {text}")

    def __enter__(self) -> _Status:
        if self.status is not None:
            self.status.start()
        return self

    def __exit__(self, *details: object) -> None:
        if self.status is not None:
            self.status.stop()
