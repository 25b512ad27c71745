"""The numbers of every epoch as events that TensorBoard shows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ..constraints import Interval
from ..errors import DataError, MissingDependencyError
from .callbacks import Callback, Logs

if TYPE_CHECKING:
    from .state import FitState

__all__ = ["TensorBoard"]


class TensorBoard(Callback):
    """Writes events after every epoch: ``tensorboard --logdir FOLDER`` shows them, also while the fit goes on.

    Training and validation numbers of one name ("loss" and "val_loss") are two curves of one picture, in the runs "training"
    and "validation" of the folder. Needs the package tensorboardX (pip install 'chainrule[tensorboard]').

    Parameters
        folder : of the events ; every : epochs between histograms of all parameters = 0, int >= 0; 0 writes none
    Raises      MissingDependencyError without tensorboardX ; DataError when the folder cannot be written
    """

    on_every_rank = False
    changes_weights = False

    def __init__(self, folder: str | os.PathLike[str], *, every: int = 0) -> None:
        self.folder, self.every = folder, every
        self._writers: dict[str, Any] = {}

    def on_fit_begin(self, state: FitState) -> None:
        self.every = Interval(int, 0).check("TensorBoard", "every", self.every)
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise MissingDependencyError("tensorboardX", "The callback TensorBoard", extra="tensorboard") from None
        try:
            for run in ("training", "validation"):
                self._writers[run] = SummaryWriter(os.path.join(os.fspath(self.folder), run), max_queue=1, flush_secs=10)
        except OSError as error:
            raise DataError(f"TensorBoard: {os.fspath(self.folder)!r} cannot be written: {error}.") from error

    def on_epoch_end(self, state: FitState, epoch: int, logs: Logs) -> None:
        for name, value in logs.items():
            run = "validation" if name.startswith("val_") else "training"
            self._writers[run].add_scalar(name.removeprefix("val_"), float(value), epoch)
        if self.every and epoch % self.every == 0:
            for name, array in state.network.parameters.items():
                if array.size and np.isfinite(array).all():
                    self._writers["training"].add_histogram(name, array, epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_fit_end(self, state: FitState) -> None:
        self.close()

    def close(self) -> None:
        """Closes the files; also called when a fit ends with an error."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
