"""Optimizers: one file each; schedules of the learning rate in ``schedules``."""

from .adadelta import Adadelta
from .adafactor import Adafactor
from .adagrad import Adagrad
from .adam import Adam
from .adamax import Adamax
from .adamw import AdamW
from .base import Optimizer, get_optimizer
from .lbfgs import LBFGS, LBFGSResult
from .lion import Lion
from .nadam import Nadam
from .radam import RAdam
from .rmsprop import RMSprop
from .schedules import (
    Cosine,
    CosineRestarts,
    Cyclic,
    Exponential,
    OneCycle,
    Piecewise,
    Polynomial,
    ReduceOnPlateau,
    Schedule,
    ScheduleSequence,
    Step,
    WarmUp,
)
from .sgd import SGD

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Cosine",
    "CosineRestarts",
    "Cyclic",
    "Exponential",
    "LBFGSResult",
    "Lion",
    "Nadam",
    "OneCycle",
    "Optimizer",
    "Piecewise",
    "Polynomial",
    "RAdam",
    "RMSprop",
    "ReduceOnPlateau",
    "Schedule",
    "ScheduleSequence",
    "Step",
    "WarmUp",
    "get_optimizer",
]
