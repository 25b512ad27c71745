"""Optimizers: one file each."""

from .adam import Adam
from .base import Optimizer, get_optimizer
from .sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer", "get_optimizer"]
