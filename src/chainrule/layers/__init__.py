"""Layers: one file each, forward and backward equations side by side."""

from .base import Activation, Input, Layer, Parameter, State, Tensor
from .dense import Dense
from .relu import ReLU

__all__ = ["Activation", "Dense", "Input", "Layer", "Parameter", "ReLU", "State", "Tensor"]
