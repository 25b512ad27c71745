"""``Network.diagnose``: a copy of the network is trained for a while and watched."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from ..constraints import Interval, Maybe
from ..data.batches import Batches
from ..diagnosis import Diagnosis, Rule
from ..errors import DataError, DivergenceError, DtypeError, ShapeError
from ..training import FitSettings, Session
from ..training.intake import is_stream
from .case import Training, check_rules, diagnose_training, fault_of
from .held_out import TRIAL_SECONDS, TRIAL_STEPS, restarted
from .recording import recording
from .watch import Watch

__all__ = ["diagnose"]

#: The most steps of a copy that goes on from trained weights.
_STEPS_ON = 200


def diagnose(
    session: Session,
    X: Any,
    y: Any,
    settings: FitSettings,
    *,
    rules: Sequence[Rule] = (),
    every: int | None = None,
    steps: int | None = None,
    seconds: float | None = None,
) -> Diagnosis:
    """What keeps the network from learning these samples. See ``Network.diagnose``.

    Parameters
        settings : of the training that is asked about; their ``given`` are the arguments that the user named
        rules, every, steps, seconds : as of ``Network.diagnose``
    """
    seconds = Maybe(Interval(float, 0, closed="neither")).check("diagnose", "seconds", seconds)
    steps = Maybe(Interval(int, 1)).check("diagnose", "steps", steps)
    check_rules(rules)
    network = session.network
    history = getattr(network, "history_", None)
    diverged = network._trained and history is not None and history.diverged
    trained = network._trained and not diverged and not _asks_for_another_fit(session, settings)
    # After a fit its training is run again, from start weights drawn anew. So is a fit that diverged: its weights are only
    # what was left of it.
    replayed = hasattr(network, "fit_settings_") and (trained or diverged)
    twin = Session.of(restarted(network) if replayed else copy.deepcopy(network))
    most_seconds = TRIAL_SECONDS if seconds is None else min(TRIAL_SECONDS, seconds)
    most_steps = TRIAL_STEPS if steps is None else steps
    if trained and not replayed and steps is None:
        most_steps = min(most_steps, _STEPS_ON)
    epochs, n = settings.epochs, _count(X, y)
    if n:
        epochs = max(1, min(epochs, most_steps // max(1, -(-n // settings.batch_size))))
    watch = Watch(every, seconds=most_seconds, steps=None if n else most_steps)
    X = recording(X, y)
    trial = settings.replace(
        epochs=epochs,
        verbose=0,
        callbacks=[watch],
        early_stopping=copy.deepcopy(settings.early_stopping),  # the user's own object keeps what it saw
    )
    fault: dict[str, str] = {}
    try:
        twin.fit(X, y, trial)
    except (DivergenceError, DataError, ShapeError, DtypeError) as error:
        fault = fault_of(error, watch)
    twin_history = getattr(twin.network, "history_", None)
    cut = watch.cut or (twin_history is not None and twin_history.interrupted)
    training = Training(
        session if trained else twin,
        X,
        y,
        settings,
        watch,
        history if trained else twin_history,
        fault,
        complete=not fault and not cut and (trained or epochs >= settings.epochs),
        fresh=replayed or not network._trained,
        seconds=most_seconds,
    )
    return diagnose_training(training, rules)


def _asks_for_another_fit(session: Session, settings: FitSettings) -> bool:
    """Whether the user named arguments of learning that the last fit did not have.

    Such a diagnosis is about a fit that is still to come, which goes on from the weights that are there.
    """
    known, last = hasattr(session.network, "fit_settings_"), session.last_settings()
    asked = settings.given.intersection(FitSettings.names("learning"))
    return any(last[name] != settings[name] or not (known or name == "optimizer") for name in asked)


def _count(X: Any, y: Any) -> int:
    """The number of samples, 0 where it is not known."""
    if isinstance(X, Batches):
        return X.n_samples or 0
    if is_stream(X, y):
        return 0
    try:
        return len(X[0] if isinstance(X, (list, tuple)) and X and hasattr(X[0], "__array__") else X)
    except TypeError:
        return 0
