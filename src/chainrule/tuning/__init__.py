"""Searches for good hyperparameters: Optuna proposes and stops, joblib runs the trials, and a study can go on later.

    Tuner(train, space)      the search ; train(parameters, trial) -> score
    NetworkTrials, EstimatorTrials, TaskTrials      what ``train`` may be: trainings of Networks, estimators and tasks

Names load when they are first used, since Optuna is installed by an extra: ``chainrule[tune]``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "EstimatorTrials": "trainings",
    "NetworkTrials": "trainings",
    "SearchResults": "results",
    "TaskTrials": "trainings",
    "Tuner": "tuner",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from .results import SearchResults as SearchResults
    from .trainings import EstimatorTrials as EstimatorTrials
    from .trainings import NetworkTrials as NetworkTrials
    from .trainings import TaskTrials as TaskTrials
    from .tuner import Tuner as Tuner


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'chainrule.tuning' has no attribute {name!r}")
