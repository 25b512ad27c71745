"""Schedules of the learning rate: one file each."""

from .base import Schedule
from .cosine import Cosine
from .cosine_restarts import CosineRestarts
from .cyclic import Cyclic
from .exponential import Exponential
from .one_cycle import OneCycle
from .piecewise import Piecewise
from .polynomial import Polynomial
from .reduce_on_plateau import ReduceOnPlateau
from .sequence import ScheduleSequence
from .step import Step
from .warm_up import WarmUp

__all__ = [
    "Cosine",
    "CosineRestarts",
    "Cyclic",
    "Exponential",
    "OneCycle",
    "Piecewise",
    "Polynomial",
    "ReduceOnPlateau",
    "Schedule",
    "ScheduleSequence",
    "Step",
    "WarmUp",
]
