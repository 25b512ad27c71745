"""What may happen between the epochs of a fit: the base class, functions as callbacks, and early stopping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..constraints import Interval
from ..errors import ParameterError, UnknownNameError

if TYPE_CHECKING:
    from .state import FitState

Logs = Mapping[str, float]


class Callback:
    """Base of every callback. A subclass writes the methods it needs; all others do nothing.

    The first argument of every method is the FitState: what is trained, and how far the fit has come. A callback may read
    and
    change ``state.network``, and ends the fit after the current epoch by ``state.stop = True``. Raising KeyboardInterrupt
    ends the fit as Ctrl-C does. Epochs are counted from 1.

    Attributes  changes_weights : whether it may change weights between the epochs. One that never does says False, and
                features of frozen layers are then not checked against their weights before each epoch
                on_every_rank : whether it is called on all ranks of a distributed fit; one that prints or writes says False
    """

    changes_weights: ClassVar[bool] = True
    on_every_rank: ClassVar[bool] = True

    def on_fit_begin(self, state: FitState) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, state: FitState, epoch: int) -> None:
        """Before an epoch."""

    def on_batch_chunk_end(self, state: FitState, logs: Logs) -> None:
        """After some steps (0.15 s or so): "loss" of the epoch so far, "samples" seen in it, "seconds" since its start."""

    def next_step(self, state: FitState) -> int | None:
        """The number of completed steps, above ``state.step``, at which ``on_step`` is wanted next; None: it is not."""
        return None

    def on_step(self, state: FitState) -> None:
        """After the step that ``next_step`` named: always the same step, however fast the machine is."""

    def measure(self, state: FitState, epoch: int) -> Logs:
        """Numbers of its own that the callback adds to those of an epoch, before any ``on_epoch_end``: {name: value}.

        The history holds them, and progress shows them. The same names must come after every epoch.
        """
        return {}

    def on_epoch_end(self, state: FitState, epoch: int, logs: Logs) -> None:
        """After an epoch; ``logs`` has the names that History has."""

    def on_fit_end(self, state: FitState) -> None:
        """After the last epoch, also when the fit was stopped or interrupted; after an error ``on_fit_error`` is called."""

    def on_fit_error(self, state: FitState, error: BaseException) -> None:
        """After an error that ends the fit, which is raised afterwards. By default calls ``close()``, where there is one."""
        close = getattr(self, "close", None)
        if callable(close):
            close()

    def state(self) -> dict[str, Any]:
        """What a checkpoint must keep so that a resumed fit goes on exactly: plain values and NumPy arrays by name."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up the ``state`` of an earlier fit, after ``on_fit_begin``."""


class LambdaCallback(Callback):
    """Functions as a callback.

    Parameters  one function for each method of Callback, with its arguments; None does nothing

    Example
        >>> seen = []
        >>> callback = LambdaCallback(on_epoch_end=lambda state, epoch, logs: seen.append(epoch))
        >>> callback.on_epoch_end(None, 1, {})
        >>> seen
        [1]
    """

    def __init__(
        self,
        *,
        on_fit_begin: Callable[..., object] | None = None,
        on_epoch_begin: Callable[..., object] | None = None,
        on_batch_chunk_end: Callable[..., object] | None = None,
        on_epoch_end: Callable[..., object] | None = None,
        on_fit_end: Callable[..., object] | None = None,
    ) -> None:
        self._functions = {
            "on_fit_begin": on_fit_begin,
            "on_epoch_begin": on_epoch_begin,
            "on_batch_chunk_end": on_batch_chunk_end,
            "on_epoch_end": on_epoch_end,
            "on_fit_end": on_fit_end,
        }

    def _call(self, name: str, *arguments: object) -> None:
        function = self._functions[name]
        if function is not None:
            function(*arguments)

    def on_fit_begin(self, state: FitState) -> None:
        self._call("on_fit_begin", state)

    def on_epoch_begin(self, state: FitState, epoch: int) -> None:
        self._call("on_epoch_begin", state, epoch)

    def on_batch_chunk_end(self, state: FitState, logs: Logs) -> None:
        self._call("on_batch_chunk_end", state, logs)

    def on_epoch_end(self, state: FitState, epoch: int, logs: Logs) -> None:
        self._call("on_epoch_end", state, epoch, logs)

    def on_fit_end(self, state: FitState) -> None:
        self._call("on_fit_end", state)


class Monitor:
    """Follows one number of the logs and knows which epoch was the best.

    Parameters
        name : in the logs, such as "val_loss" ; largest : whether larger is better, None guesses it from the metric
        min_delta : an improvement is more than this
    """

    def __init__(self, name: str, *, largest: bool | None = None, min_delta: float = 0.0) -> None:
        self.name, self.min_delta = name, min_delta
        self.largest = larger_is_better(name) if largest is None else largest
        self.best: float | None = None
        self.best_epoch = 0

    def improved(self, epoch: int, logs: Logs) -> bool:
        """Whether this epoch is the best so far. UnknownNameError when the logs lack the name."""
        if self.name not in logs:
            hint = " Give fit validation_data= or validation_split=." if self.name.startswith("val_") else ""
            raise ParameterError(f"{UnknownNameError('monitored number', self.name, logs)}{hint}")
        value = float(logs[self.name])
        if np.isnan(value):
            return False
        sign = 1 if self.largest else -1
        if self.best is None or sign * (value - self.best) > self.min_delta:
            self.best, self.best_epoch = value, epoch
            return True
        return False


def larger_is_better(name: str) -> bool:
    """Whether a larger value of a logged number is better: not for losses and errors, for other metrics as they say."""
    name = name.removeprefix("val_")
    if name == "loss":
        return False
    from ..metrics import get_metric

    try:
        metric = get_metric(name)
    except UnknownNameError:
        return not any(word in name for word in ("loss", "error", "deviance", "entropy"))
    return metric.better == "higher"


class EarlyStopping(Callback):
    """Ends the fit when a number has not improved for some epochs.

    Parameters
        monitor : a name in the logs = "val_loss" ; patience : epochs without improvement that are waited for = 10, int >= 0
        min_delta : an improvement is more than this = 0
        restore_best : give the network the weights of the best epoch when the fit ends = True, however it ends: also by an
            error, such as a DivergenceError, once an epoch was finished
        largest : whether larger is better; None takes it from the metric
    Attributes  best_ : the best value ; best_epoch_ : its epoch ; stopped_epoch_ : the epoch after which it stopped, or None
    Raises      ParameterError when patience or min_delta is negative, or the logs lack the number
    """

    changes_weights = False  # it does so only after the last epoch

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        patience: int = 10,
        min_delta: float = 0.0,
        restore_best: bool = True,
        largest: bool | None = None,
    ) -> None:
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta
        self.restore_best, self.largest = restore_best, largest

    def __repr__(self) -> str:
        rest = "" if self.restore_best else ", restore_best=False"
        return f"EarlyStopping({self.monitor!r}, patience={self.patience!r}, min_delta={self.min_delta!r}{rest})"

    def on_fit_begin(self, state: FitState) -> None:
        self.patience = Interval(int, 0).check("EarlyStopping", "patience", self.patience)
        self.min_delta = Interval(float, 0).check("EarlyStopping", "min_delta", self.min_delta)
        self._monitor = Monitor(self.monitor, largest=self.largest, min_delta=self.min_delta)
        self._weights: dict[str, Any] = {}
        self.stopped_epoch_: int | None = None

    @property
    def best_(self) -> float | None:
        return self._monitor.best

    @property
    def best_epoch_(self) -> int:
        return self._monitor.best_epoch

    def on_epoch_end(self, state: FitState, epoch: int, logs: Logs) -> None:
        if self._monitor.improved(epoch, logs):
            if self.restore_best:
                held = {f"held.{name}": array.copy() for name, array in state.network.held_arrays().items()}
                self._weights = {name: arena.packed() for name, arena in self._arenas(state).items()} | held
        elif epoch - self._monitor.best_epoch >= max(1, self.patience):
            self.stopped_epoch_ = epoch
            state.stop = True

    def on_fit_end(self, state: FitState) -> None:
        self._restore_weights(state)

    def on_fit_error(self, state: FitState, error: BaseException) -> None:
        if self._restore_weights(state):
            error.add_note(f"EarlyStopping gave the network the weights of epoch {self.best_epoch_}, the best one.")

    def _restore_weights(self, state: FitState) -> bool:
        """Gives the network the weights of the best epoch; whether there are any."""
        if self.restore_best and self._weights:
            arenas, held = self._arenas(state), state.network.held_arrays()
            # Masks first, as weights under a mask are zero.
            for name, array in self._weights.items():
                if (target := held.get(name.removeprefix("held."))) is not None:
                    np.copyto(target, array)
            for name, arena in arenas.items():
                arena.unpack(self._weights[name])
            for variable in state.network.parameters.variables.values():
                variable.changed()
        return self.restore_best and bool(self._weights)

    @staticmethod
    def _arenas(state: FitState) -> dict[str, Any]:
        return {"parameters": state.network.parameters, "states": state.network.states}

    def state(self) -> dict[str, Any]:
        found = {"best": self._monitor.best, "best_epoch": self._monitor.best_epoch}
        return found | {f"best.{name}": np.array(array) for name, array in self._weights.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._monitor.best, self._monitor.best_epoch = state["best"], int(state["best_epoch"])
        self._weights = {n.removeprefix("best."): np.array(a) for n, a in state.items() if n.startswith("best.")}
