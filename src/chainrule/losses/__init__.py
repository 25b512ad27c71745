"""Losses: one file each."""

from .absolute_error import AbsoluteError
from .base import ElementwiseLoss, Loss, get_loss
from .binary_cross_entropy import BinaryCrossEntropy
from .binary_focal import BinaryFocal
from .box_giou import BoxGIoU
from .ctc import CTC
from .dice_loss import DiceLoss
from .differentiable_binarization import DifferentiableBinarization
from .heat_map_focal import HeatMapFocal
from .hinge import Hinge
from .huber import Huber
from .kl_divergence import KLDivergence
from .multi_class_hinge import MultiClassHinge
from .output import OutputLoss
from .poisson import Poisson
from .softmax_cross_entropy import SoftmaxCrossEntropy
from .softmax_focal import SoftmaxFocal
from .squared_error import SquaredError
from .sum_loss import SumLoss
from .tversky_loss import TverskyLoss

__all__ = [
    "CTC",
    "AbsoluteError",
    "BinaryCrossEntropy",
    "BinaryFocal",
    "BoxGIoU",
    "DiceLoss",
    "DifferentiableBinarization",
    "ElementwiseLoss",
    "HeatMapFocal",
    "Hinge",
    "Huber",
    "KLDivergence",
    "Loss",
    "MultiClassHinge",
    "OutputLoss",
    "Poisson",
    "SoftmaxCrossEntropy",
    "SoftmaxFocal",
    "SquaredError",
    "SumLoss",
    "TverskyLoss",
    "get_loss",
]
