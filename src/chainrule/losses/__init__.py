"""Losses: one file each."""

from .base import Loss, get_loss
from .softmax_cross_entropy import SoftmaxCrossEntropy
from .squared_error import SquaredError

__all__ = ["Loss", "SoftmaxCrossEntropy", "SquaredError", "get_loss"]
