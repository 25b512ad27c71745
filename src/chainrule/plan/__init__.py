"""A plan is the flat list of everything a step computes: forward, loss, backward, update."""

from .lower import lower_prediction, lower_trace, lower_training
from .passes import optimise
from .plan import Plan
from .statistics import lower_statistics

__all__ = ["Plan", "lower_prediction", "lower_statistics", "lower_trace", "lower_training", "optimise"]
