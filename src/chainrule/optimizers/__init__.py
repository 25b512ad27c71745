"""Optimizers: one file each; schedules of the learning rate in ``schedules``."""

from .adadelta import Adadelta
from .adagrad import Adagrad
from .adam import Adam
from .adamw import AdamW
from .base import Optimizer, get_optimizer
from .lbfgs import LBFGS, LBFGSResult
from .nadam import Nadam
from .rmsprop import RMSprop
from .schedules import Cosine, Exponential, OneCycle, Piecewise, ReduceOnPlateau, Schedule, Step, WarmUp
from .sgd import SGD

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Cosine",
    "Exponential",
    "LBFGSResult",
    "Nadam",
    "OneCycle",
    "Optimizer",
    "Piecewise",
    "RMSprop",
    "ReduceOnPlateau",
    "Schedule",
    "Step",
    "WarmUp",
    "get_optimizer",
]
