"""Schedules of the learning rate: one file each."""

from .base import Schedule
from .cosine import Cosine
from .exponential import Exponential
from .one_cycle import OneCycle
from .piecewise import Piecewise
from .reduce_on_plateau import ReduceOnPlateau
from .step import Step
from .warm_up import WarmUp

__all__ = ["Cosine", "Exponential", "OneCycle", "Piecewise", "ReduceOnPlateau", "Schedule", "Step", "WarmUp"]
