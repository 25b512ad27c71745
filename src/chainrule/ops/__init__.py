"""The closed set of operations that layers, losses and optimizers are written in, and the Builder that emits them."""

from .builder import Builder, Saved
from .sparse import SparseMatrix
from .table import OPS, OpSpec
from .value import Node, Value, Where

__all__ = ["OPS", "Builder", "Node", "OpSpec", "Saved", "SparseMatrix", "Value", "Where"]
