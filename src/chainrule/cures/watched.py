"""``Network.fit(diagnose=True)``: a fit that is watched, and with ``on_fault="cure"`` cured when it is not healthy."""

from __future__ import annotations

from typing import Any

from ..constraints import OneOf
from ..errors import DivergenceError
from ..training import FitSettings, Session
from ..trials import fit_watched, watch
from .cure import cure
from .options import CureOptions

__all__ = ["ON_FAULT", "watch_or_cure"]

#: What a watched fit does about a fault; see ``Network.fit``.
ON_FAULT = OneOf("warn", "stop", "cure")


def watch_or_cure(
    session: Session, X: Any, y: Any, settings: FitSettings, *, on_fault: str, every: int | None = None
) -> None:
    """Fits and watches the fit, and does about a fault what ``on_fault`` says. Parameters  as of ``Network.fit``"""
    if ON_FAULT.check("fit", "on_fault", on_fault) == "cure":
        _fit_or_cure(session, X, y, settings, every)
    else:
        watch(session, X, y, settings, on_fault=on_fault, every=every)


def _fit_or_cure(session: Session, X: Any, y: Any, settings: FitSettings, every: int | None) -> None:
    """Fits and watches the fit; where it is not healthy, changes the network in place and trains it.

    ``network.diagnosis_`` is the diagnosis of the fit, ``network.cure_`` the evidence for the changes.

    Parameters  every : take statistics every so many steps, None chooses
    Raises      what the fit raises of the data, which no change of the network cures
    """
    network = session.network
    found = fit_watched(session, X, y, settings, stop=True, every=every)
    if found.error is not None and not isinstance(found.error, DivergenceError):
        found.raise_error()
    if found.error is None and found.diagnosis.healthy:
        return
    options = CureOptions(
        diagnosis=found.diagnosis,
        validation_data=settings.validation_data,
        validation_split=settings.validation_split or CureOptions.validation_split,
        in_place=True,
        verbose=min(1, settings.verbose),
    )
    network.cure_ = cure(session, found.X, y, settings, options)
    network.diagnosis_ = found.diagnosis
