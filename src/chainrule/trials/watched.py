"""``Network.fit(diagnose=True)``: a fit that is watched, and what is said at its end."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..diagnosis import Diagnosis, Rule
from ..errors import ChainruleError, DataError, DivergenceError, DtypeError, ShapeError
from ..training import FitSettings, Session
from ..training.interrupt import sigterm_at_end
from .case import Training, check_rules, diagnose_training, fault_of
from .recording import recording
from .unrecoverable import Unrecoverable
from .watch import Watch

__all__ = ["DiagnosisWarning", "Watched", "fit_watched", "watch"]


class DiagnosisWarning(UserWarning):
    """A watched fit is not healthy. The message names the cause; ``network.diagnosis_`` has all of the diagnosis."""


@dataclass(frozen=True)
class Watched:
    """A watched fit that is over.

    Parameters
        diagnosis : what was found ; X : the samples to look at, or to train on again
        error : the DivergenceError or error of the data that ended the fit, None without one
        stopped : whether the fit was ended because it could not succeed
    """

    diagnosis: Diagnosis
    X: Any
    error: ChainruleError | None = None
    stopped: bool = False

    def raise_error(self) -> None:
        """Raises the error that ended the fit, where one did; its message then names the cause as well."""
        error, cause = self.error, self.diagnosis.cause
        if error is None:
            return
        if cause is None or cause.name == "data-error":
            raise error
        raise type(error)(f"{error} Diagnosis: {cause.title}. {cause.cause}".rstrip()) from error


def watch(
    session: Session,
    X: Any,
    y: Any,
    settings: FitSettings,
    *,
    on_fault: str = "warn",
    every: int | None = None,
    rules: Sequence[Rule] = (),
) -> None:
    """Fits, watches the fit, and says at its end what is wrong with it; ``network.diagnosis_`` is the diagnosis.

    Parameters
        on_fault : "warn" gives a DiagnosisWarning at the end ; "stop" also ends a fit that cannot succeed
        every : take statistics every so many steps, None chooses ; rules : more rules to ask
    Raises      what the fit raises; the message then names the cause as well
    """
    found = fit_watched(session, X, y, settings, stop=on_fault == "stop", every=every, rules=rules)
    found.raise_error()
    diagnosis, cause = found.diagnosis, found.diagnosis.cause
    for name, text in diagnosis.errors.items():
        what = "no statistics could be taken" if name == "statistics" else f"the rule {name!r} failed"
        warnings.warn(f"{what}: {text}", DiagnosisWarning, stacklevel=3)
    if not diagnosis.healthy and cause is not None:
        stopped = " The fit was stopped." if found.stopped else ""
        warnings.warn(
            f"{cause.title}. {cause.cause}{stopped} See network.diagnosis_ for all of it.", DiagnosisWarning, stacklevel=3
        )


@sigterm_at_end()
def fit_watched(
    session: Session,
    X: Any,
    y: Any,
    settings: FitSettings,
    *,
    stop: bool = False,
    every: int | None = None,
    rules: Sequence[Rule] = (),
) -> Watched:
    """The fit, watched. An error that ends it is in what is returned, and not raised. Parameters  as of ``watch``"""
    check_rules(rules)
    network = session.network
    X = recording(X, y)
    watching = Watch(every)
    training = Training(session, X, y, settings, watching, None, fresh=not network._trained)
    unrecoverable = Unrecoverable(replace(training)) if stop else None
    watching.check = unrecoverable
    network.diagnosis_ = None
    try:
        session.fit(X, y, settings.replace(callbacks=[*settings.own_callbacks, watching]))
    except (DivergenceError, DataError, ShapeError, DtypeError) as error:
        training.fault = fault_of(error, watching)
        training.history = getattr(network, "history_", None) if watching.fit is None else watching.fit.history
        network.diagnosis_ = diagnose_training(training, rules)
        return Watched(network.diagnosis_, X, error)
    training.history = network.history_
    training.complete = not network.history_.interrupted and not watching.cut
    diagnosis = diagnose_training(training, rules)
    if unrecoverable is not None and watching.cut and diagnosis.healthy:
        diagnosis = unrecoverable.diagnosis or diagnosis
    network.diagnosis_ = diagnosis
    return Watched(diagnosis, X, stopped=watching.cut)
