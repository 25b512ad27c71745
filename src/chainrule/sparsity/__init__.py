"""Networks with fewer weights: pruning, in one shot or while they train, and what it costs each layer."""

from .comparison import Candidate, Measure
from .frontier import Frontier, frontier
from .gradual import GradualPruning
from .lottery import lottery_ticket
from .prune import prune
from .quantization import Quantization, quantization
from .rigl import RigL
from .sensitivity import Sensitivity, sensitivity
from .table import SparsityTable, sparsity
from .units import remove_units

__all__ = [
    "Candidate",
    "Frontier",
    "GradualPruning",
    "Measure",
    "Quantization",
    "RigL",
    "Sensitivity",
    "SparsityTable",
    "frontier",
    "lottery_ticket",
    "prune",
    "quantization",
    "remove_units",
    "sensitivity",
    "sparsity",
]
