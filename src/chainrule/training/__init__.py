"""The training loop and what belongs to it: history, callbacks, checkpoints, progress."""

from .callbacks import Callback, EarlyStopping, LambdaCallback
from .checkpoint import Checkpoint
from .history import History
from .objective import Objective
from .session import Session
from .settings import FitSettings
from .state import FitState
from .through_time import gradient_through_time
from .trainer import Trainer

__all__ = [
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "FitSettings",
    "FitState",
    "History",
    "LambdaCallback",
    "Objective",
    "Session",
    "Trainer",
    "gradient_through_time",
]
