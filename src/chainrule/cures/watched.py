"""``Network.fit(diagnose=True, on_fault="cure")``: a fit that is watched, and cured when it is not healthy."""

from __future__ import annotations

from typing import Any

from ..errors import DivergenceError
from ..training import FitSettings, Session
from ..trials import fit_watched
from .cure import cure
from .options import CureOptions

__all__ = ["fit_or_cure"]


def fit_or_cure(session: Session, X: Any, y: Any, settings: FitSettings, *, every: int | None = None) -> None:
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
