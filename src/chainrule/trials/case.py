"""From a watched training to the Case that rules look at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ..diagnosis import Diagnosis, Rule
from ..diagnosis.case import Case
from ..diagnosis.examine import examine
from ..diagnosis.statistics import Statistics
from ..errors import ChainruleError, DataError, DivergenceError, DtypeError, ParameterError, ShapeError
from ..losses import Loss
from ..optimizers import Optimizer, get_optimizer
from ..training import FitSettings, History, Session
from ..training.samples import Samples
from .held_out import TRIAL_SECONDS, scores_held_out
from .known_samples import KnownSamples, samples_of, validation_of
from .outcome import outcomes
from .watch import Watch

__all__ = ["DATA_ERRORS", "Training", "case_of", "check_rules", "diagnose_training", "fault_of"]

#: Errors of the data, which a diagnosis reports as findings.
DATA_ERRORS = (DataError, ShapeError, DtypeError)
#: The most bytes of samples that a diagnosis keeps for pictures.
_SHOWN_BYTES = 1 << 23


@dataclass
class Training:
    """A training that was watched.

    Parameters
        session : of the network whose weights are judged ; X, y, settings : what it was trained with
        watch : sampled it ; history : of the network that is judged
        fault : {"error": text, "kind": "divergence" or "data", ...} where an error ended it
        complete : whether it was not cut short ; fresh : whether it began at start weights
        seconds : that a training on a part of the samples may take
    """

    session: Session
    X: Any
    y: Any
    settings: FitSettings
    watch: Watch
    history: History | None
    fault: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True
    fresh: bool = True
    seconds: float = TRIAL_SECONDS


def fault_of(error: ChainruleError, watch: Watch) -> dict[str, str]:
    """The fields of a case that tell of the error which ended a training."""
    if not isinstance(error, DivergenceError):
        return {"error": str(error), "kind": "data"}
    culprit = None if watch.fit is None else watch.fit.culprit
    found = {"error": str(error), "kind": "divergence"}
    if culprit is not None:
        found["place"] = culprit.place
        found["step"] = str(culprit.run.step + culprit.step)
        if culprit.last_loss is not None:
            found["last_loss"] = str(culprit.last_loss)
    return found


def check_rules(rules: Any) -> None:
    """ParameterError unless the rules are a list of instances of Rule."""
    several = isinstance(rules, (list, tuple))
    for rule in rules if several else [rules]:
        if not several or isinstance(rule, type) or not hasattr(rule, "check"):
            raise ParameterError(
                f"rules must be a list of instances of chainrule.diagnosis.Rule, such as rules=[MyRule()]. Got {rules!r}."
            )


def diagnose_training(training: Training, rules: Sequence[Rule]) -> Diagnosis:
    """The diagnosis of a training that is over."""
    case, watch = case_of(training), training.watch
    watch.look_inside()
    diagnosis = examine(case, rules=rules)
    error = watch.error or (watch.probe.error if watch.probe is not None else "")
    if error:
        diagnosis.errors["statistics"] = error
    if case.network.built and case.data.inputs:
        rows = max(1, _SHOWN_BYTES // max(1, sum(np.asarray(x[:1]).nbytes for x in case.data.inputs)))
        diagnosis.subject = case.network, [np.array(x[: min(rows, 512)]) for x in case.data.inputs]
    return diagnosis


def case_of(training: Training, known: KnownSamples | None = None) -> Case:
    """The Case of a training. Parameters  known : what an earlier case of it knew of the samples"""
    network, settings, watch = training.session.network, training.settings, training.watch
    fit = watch.fit
    losses: list[Loss] = [] if fit is None else list(fit.losses)
    samples: Samples | None = None
    if known is None:
        samples = samples_of(network, training.X, training.y, settings.sample_weight, losses)
        known = KnownSamples(network, samples, validation_of(network, settings.validation_data, losses), losses)
    data, statistics = known.data, watch.statistics or Statistics(network)
    data.width = statistics.narrowest()
    judged = network.built and data.samples and not data.non_finite and losses
    outputs = known.outputs(training.session) if judged else None
    optimizer: Optimizer = get_optimizer(settings.optimizer) if fit is None else fit.optimizer
    history = {} if training.history is None else {name: list(training.history[name]) for name in training.history}
    held: list[tuple[list[float], int]] = []

    def hold_out(number: int) -> tuple[float, int]:
        if not held:
            held.append(scores_held_out(network, samples, settings, losses, data.classes, training.seconds))
        scores, count = held[0]
        return (scores[number], count) if scores else (math.nan, 0)

    loss_weights = None if fit is None else fit.objective.loss_weights
    went = outcomes(
        training.session, known, losses, loss_weights, statistics, history, outputs, training.fault, training.complete
    )  # fmt: skip
    case = Case(
        network=network,
        losses=losses,
        optimizer=optimizer,
        data=data,
        statistics=statistics,
        history=history,
        batch_size=network.samples or settings.batch_size,
        epochs=settings.epochs,
        shuffle=settings.shuffle,
        steps=0 if fit is None else fit.step,
        outcome=went[0],
        outputs=None if outputs is None else outputs[0],
        fault=training.fault,
        fresh=training.fresh,
        hold_out=lambda: hold_out(0),
    )
    case.seen = known
    if len(went) > 1:
        case.by_output = [
            replace(
                case, losses=[losses[i]], data=data.of_output(i), statistics=statistics.of_output(i), outcome=went[i],
                outputs=None if outputs is None else outputs[i], hold_out=partial(hold_out, i),
            )
            for i in range(len(went))
        ]  # fmt: skip
    return case
