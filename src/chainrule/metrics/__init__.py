"""Metrics: one file each."""

from .accuracy import Accuracy
from .base import Metric, get_metric
from .binary_accuracy import BinaryAccuracy
from .dice import Dice
from .edit_distance import character_error_rate, edit_distance, error_rate, word_error_rate
from .f1 import F1
from .iou import IoU
from .label_error_rate import LabelErrorRate
from .log_loss import LogLoss
from .mean_absolute_error import MeanAbsoluteError
from .mean_squared_error import MeanSquaredError
from .precision import Precision
from .psnr import PSNR
from .r2 import R2
from .recall import Recall
from .roc_auc import RocAuc
from .root_mean_squared_error import RootMeanSquaredError
from .ssim import SSIM
from .top_k_accuracy import TopKAccuracy

__all__ = [
    "F1",
    "PSNR",
    "R2",
    "SSIM",
    "Accuracy",
    "BinaryAccuracy",
    "Dice",
    "IoU",
    "LabelErrorRate",
    "LogLoss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "Precision",
    "Recall",
    "RocAuc",
    "RootMeanSquaredError",
    "TopKAccuracy",
    "character_error_rate",
    "edit_distance",
    "error_rate",
    "get_metric",
    "word_error_rate",
]
