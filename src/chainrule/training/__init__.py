"""The training loop and what belongs to it: history, callbacks, checkpoints, progress."""

from .callbacks import Callback, EarlyStopping, LambdaCallback
from .checkpoint import Checkpoint
from .history import History
from .through_time import gradient_through_time
from .trainer import Trainer

__all__ = ["Callback", "Checkpoint", "EarlyStopping", "History", "LambdaCallback", "Trainer", "gradient_through_time"]
