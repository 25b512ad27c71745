"""The network of a fit as the average of the weights on its way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import AnyOf, Interval, Maybe
from ..network import Arena
from .callbacks import Callback, Logs

if TYPE_CHECKING:
    from .state import FitState

__all__ = ["WeightAveraging"]

_START = AnyOf(Interval(int, 1), Interval(float, 0, 1))


class WeightAveraging(Callback):
    """Averages the weights at the ends of epochs; the network has the average when the fit ends.

    Without ``decay`` all epochs from ``start`` on count alike, w̄ₙ = w̄ₙ₋₁ + (w − w̄ₙ₋₁) / n (stochastic weight averaging):
    with a learning rate that stays large, such weights lie around a minimum, and their mean lies nearer to it. With
    ``decay`` d later epochs count more, w̄ₙ = d w̄ₙ₋₁ + (1 − d) w, beginning with w̄₁ = w (exponential moving average).

    During the fit the network has its own weights, and so has the validation after each epoch. States, such as the running
    statistics of BatchNorm, are averaged like weights. The average is given to the network however the fit ends.
    EarlyStopping with ``restore_best`` gives other weights at the end: use one of the two.

    Parameters
        start : the first epoch that counts, an int >= 1, or the share of the epochs before it, in [0, 1) = 0.75
        decay : d in (0, 1), or None for the mean
    Attributes  count_ : how many epochs were averaged
    Raises      ParameterError for a start or a decay out of its range
    References  Izmailov et al., Averaging weights leads to wider optima and better generalization, UAI 2018; Polyak and
                Juditsky, Acceleration of stochastic approximation by averaging, 1992

    Example
        >>> from chainrule import Dense, Network
        >>> X = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
        >>> averaging = WeightAveraging(start=3)
        >>> net = Network([Dense(1)], random_state=0).fit(X, X[:, :1], epochs=5, callbacks=averaging, verbose=0)
        >>> averaging.count_
        3
    """

    def __init__(self, *, start: int | float = 0.75, decay: float | None = None) -> None:
        self.start, self.decay = start, decay
        self._averages: dict[str, NDArray[np.float64]] = {}
        self.count_ = 0

    def on_fit_begin(self, state: FitState) -> None:
        start = _START.check("WeightAveraging", "start", self.start)
        Maybe(Interval(float, 0, 1, closed="neither")).check("WeightAveraging", "decay", self.decay)
        self._first = start if isinstance(start, int) else int(start * state.epochs) + 1
        self._averages, self.count_ = {}, 0

    def on_epoch_end(self, state: FitState, epoch: int, logs: Logs) -> None:
        if epoch < self._first:
            return
        self.count_ += 1
        # The first epoch that counts is the average alone, whatever the decay.
        share = 1 / self.count_ if self.decay is None or self.count_ == 1 else 1 - self.decay
        for name, arena in self._arenas(state).items():
            now = arena.packed().astype(np.float64)
            if name not in self._averages:
                self._averages[name] = now
            else:
                self._averages[name] += share * (now - self._averages[name])

    def on_fit_end(self, state: FitState) -> None:
        self._give_average(state)

    def on_fit_error(self, state: FitState, error: BaseException) -> None:
        if self._give_average(state):
            error.add_note(f"WeightAveraging gave the network the average of {self.count_} epoch(s).")

    def _give_average(self, state: FitState) -> bool:
        """Gives the network the average; whether there is one."""
        for name, arena in self._arenas(state).items():
            if name in self._averages:
                arena.unpack(self._averages[name].astype(arena.dtype))
                for variable in arena.variables.values():
                    variable.changed()
        return bool(self._averages)

    @staticmethod
    def _arenas(state: FitState) -> dict[str, Arena]:
        return {"parameters": state.network.parameters, "states": state.network.states}

    def state(self) -> dict[str, Any]:
        return {"count": self.count_, **{f"average.{name}": array for name, array in self._averages.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.count_ = int(state["count"])
        self._averages = {
            name.removeprefix("average."): np.array(array, np.float64)
            for name, array in state.items()
            if name.startswith("average.")
        }
