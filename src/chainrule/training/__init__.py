"""The training loop and what belongs to it: history, callbacks, checkpoints, progress."""

from .callbacks import Callback, EarlyStopping, LambdaCallback
from .checkpoint import Checkpoint
from .csv_logger import CSVLogger
from .gradual_unfreezing import GradualUnfreezing
from .history import History
from .objective import Objective
from .session import Session
from .settings import FitSettings
from .state import FitState
from .tensorboard import TensorBoard
from .through_time import gradient_through_time
from .trainer import Trainer
from .turns import Turn, Turns
from .weight_averaging import WeightAveraging

__all__ = [
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "FitSettings",
    "FitState",
    "GradualUnfreezing",
    "History",
    "LambdaCallback",
    "Objective",
    "Session",
    "TensorBoard",
    "Trainer",
    "Turn",
    "Turns",
    "WeightAveraging",
    "gradient_through_time",
]
