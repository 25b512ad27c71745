"""Pruning while a network trains."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..constraints import Constrained, Interval, Maybe
from ..errors import ParameterError
from ..training.callbacks import Callback
from .allocation import masks_of
from .prune import apply_masks, scores
from .weights import check_sparsity, kept_mask, prunable

if TYPE_CHECKING:
    from ..training.state import FitState

__all__ = ["GradualPruning", "StepSchedule"]


class StepSchedule(Callback, Constrained):
    """A callback that does something every so many steps between two moments of a fit, and at the last one.

    Parameters  begin, end : in epochs; end=None is three quarters of the fit ; every : int >= 1, steps
    """

    hyperparameters = {
        "begin": Interval(float, 0, hint="It is in epochs."),
        "end": Maybe(Interval(float, 0, hint="It is in epochs.")),
        "every": Interval(int, 1, hint="It is a number of steps."),
    }

    def __init__(self, begin: float, end: float | None, every: int) -> None:
        self.begin, self.end, self.every = begin, end, every

    def on_fit_begin(self, state: FitState) -> None:
        self.validate()
        name, end = type(self).__name__, 0.75 * state.epochs if self.end is None else self.end
        if self.begin > end:
            raise ParameterError(f"{name}: begin must be at most end, which is {end:g} epochs. Got {self.begin!r}.")
        if end > state.epochs:
            raise ParameterError(
                f"{name}: the schedule ends after {end:g} epochs, and the fit has {state.epochs}. Give an earlier end, or "
                f"more epochs."
            )
        if state.optimizer.full_batch:
            raise ParameterError(
                f"{name}: {type(state.optimizer).__name__} searches along lines and has no single steps. Prune in one shot "
                f"before the fit, or use another optimizer."
            )
        if state.steps_an_epoch is None:
            raise ParameterError(
                f"{name}: the number of steps in an epoch is not known for this data. Use arrays or a data set."
            )
        self.first, self.last = round(self.begin * state.steps_an_epoch), round(end * state.steps_an_epoch)

    def next_step(self, state: FitState) -> int | None:
        if state.step >= self.last:
            return None
        after = max(state.step + 1, self.first)
        return min(self.first + math.ceil((after - self.first) / self.every) * self.every, self.last)


class GradualPruning(StepSchedule):
    """Prunes a network while it trains: from ``initial`` to ``sparsity``, fast at first and slower as less is left.

    At step t from begin to end, ``s = sparsity + (initial − sparsity) (1 − (t − begin) / (end − begin))³``. After the end
    the rest of the fit is fine-tuning. Zeros that were set stay zero.

    Parameters
        sparsity : in [0, 1), at the end ; initial : in [0, sparsity] = 0, at the beginning
        begin, end : in epochs = 0 and three quarters of the fit ; every : steps between two prunings = 100, int >= 1
        method, scope, structure, layers, random_state : as of ``prune``, but for structure="units"
    Raises      ParameterError for arguments out of their range, a schedule longer than the fit, an optimizer without steps

    References  Zhu and Gupta, To prune, or not to prune, 2017

    Example
        >>> import numpy as np
        >>> from chainrule import Dense, Network
        >>> X = np.random.default_rng(0).normal(size=(200, 8))
        >>> net = Network([Dense(16), Dense(1)], random_state=0)
        >>> net = net.fit(X, X[:, :1], epochs=8, verbose=0, engine="reference", callbacks=[GradualPruning(0.75, every=5)])
        >>> net.sparsity().sparsity
        0.75
    """

    def __init__(
        self,
        sparsity: float,
        *,
        initial: float = 0.0,
        begin: float = 0.0,
        end: float | None = None,
        every: int = 100,
        method: str = "magnitude",
        scope: str = "global",
        structure: str | None = None,
        layers: Iterable[str] | None = None,
        random_state: int = 0,
    ) -> None:
        super().__init__(begin, end, every)
        self.sparsity, self.initial, self.method, self.scope = sparsity, initial, method, scope
        self.structure, self.random_state = structure, random_state
        self.layers = None if layers is None else list(layers)

    def on_fit_begin(self, state: FitState) -> None:
        super().on_fit_begin(state)
        final, initial = check_sparsity(self.sparsity), check_sparsity(self.initial, "initial")
        if initial > final:
            raise ParameterError(f"GradualPruning: initial={initial:g} is above sparsity={final:g}; zeros stay zeros.")
        if self.structure == "units":
            raise ParameterError('GradualPruning: structure="units" changes shapes; use prune(...) between two fits.')
        self._names = prunable(state.network, self.layers)
        self._prune(state, None)
        if state.step == self.first:  # a fit that is resumed takes its masks from the checkpoint
            self._prune(state, self._share(state.step))

    def _share(self, step: int) -> float:
        through = 1.0 if self.last == self.first else (step - self.first) / (self.last - self.first)
        return float(self.sparsity + (self.initial - self.sparsity) * (1 - through) ** 3)

    def _prune(self, state: FitState, share: float | None) -> None:
        kept = {name: kept_mask(state.network, name) for name in self._names}
        if share is not None:
            found = scores(state.network, self._names, self.method, self.random_state)
            kept = masks_of(found, kept, share, self.scope, self.structure)
        apply_masks(state.network, kept)

    def on_step(self, state: FitState) -> None:
        self._prune(state, self._share(state.step))
