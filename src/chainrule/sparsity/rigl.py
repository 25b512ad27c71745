"""Training that is sparse from the start to the end."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval, OneOf
from ..network import Masked
from ..ops import Builder, Value
from .allocation import masks_of
from .gradual import StepSchedule
from .prune import scores
from .weights import check_sparsity, kept_mask, prunable

if TYPE_CHECKING:
    from ..network.representation import Held
    from ..training.state import FitState

__all__ = ["Growing", "RigL"]


class Growing(Masked):
    """A mask that can also keep the gradient of all elements, so that it is known which of the zeros would help most.

    Parameters  mask : as of Masked ; dense : the gradient of the last step that was kept, None for zeros
                keeps_gradient : whether steps keep it, for which they need it of the zeros, too = True
    """

    letters: ClassVar[dict[str, str]] = {"mask": "M", "dense": "G"}

    def __init__(self, mask: Any, dense: Any = None, keeps_gradient: bool = True) -> None:
        super().__init__(mask)
        self.keeps_gradient = keeps_gradient
        self.dense = np.zeros(self.mask.shape, np.float32) if dense is None else np.asarray(dense)

    def gradient(self, k: Builder, held: Held, dvalue: Value) -> Value:
        if not (held.training and self.keeps_gradient):
            return super().gradient(k, held, dvalue)
        k.assign(held["dense"], dvalue)
        return k.multiply(dvalue, held["mask"])


class RigL(StepSchedule):
    """Trains a network that is sparse from the first step to the last, and moves its weights to where they help.

    It begins with a random mask. Every so many steps the smallest weights of each parameter are dropped, a share
    ``fraction / 2 (1 + cos(π t / end))`` of those it has, and as many grow where the gradient is largest, from zero. After
    the end the mask stays. A network that is masked already begins with its own masks. Steps between two such moments need
    no gradient of the zeros, so those of a layer with few weights left skip the zeros altogether.

    Parameters
        sparsity : in [0, 1) ; scope : "erk" or "layer" = "erk", how it is shared out ; fraction : in (0, 1) = 0.3
        begin, end : in epochs = 0 and three quarters of the fit ; every : steps = 100, int >= 1
        layers, random_state : as of ``prune``
    Raises      ParameterError for arguments out of their range, a schedule longer than the fit, an optimizer without steps

    References  Evci, Gale, Menick, Castro, Elsen, Rigging the lottery: making all tickets winners, ICML 2020

    Example
        >>> from chainrule import Dense, Network
        >>> X = np.random.default_rng(0).normal(size=(200, 8))
        >>> net = Network([Dense(16), Dense(1)], random_state=0)
        >>> net = net.fit(X, X[:, :1], epochs=8, verbose=0, engine="reference", callbacks=[RigL(0.75, every=5)])
        >>> net.sparsity().sparsity >= 0.75
        True
    """

    hyperparameters = {"scope": OneOf("erk", "layer"), "fraction": Interval(float, 0, 1, closed="neither")}

    def __init__(
        self,
        sparsity: float,
        *,
        scope: str = "erk",
        fraction: float = 0.3,
        begin: float = 0.0,
        end: float | None = None,
        every: int = 100,
        layers: Iterable[str] | None = None,
        random_state: int = 0,
    ) -> None:
        super().__init__(begin, end, every)
        self.sparsity, self.scope, self.fraction, self.random_state = sparsity, scope, fraction, random_state
        self.layers = None if layers is None else list(layers)

    def on_fit_begin(self, state: FitState) -> None:
        super().on_fit_begin(state)
        share = check_sparsity(self.sparsity)
        network = state.network
        self._names = prunable(network, self.layers)
        kept = {name: kept_mask(network, name) for name in self._names}
        masks = kept
        if all(mask.all() for mask in kept.values()):
            masks = masks_of(scores(network, self._names, "random", self.random_state), kept, share, self.scope, None)
        #: Parameters of which so many weights are zero, all the time, that steps skip them.
        self._sparse = {name for name in self._names if Masked(masks[name]).is_sparse}
        kept = kept if state.step else masks  # of a fit that is resumed the checkpoint has the masks
        for name, mask in kept.items():
            self._hold(state, name, mask)

    def next_step(self, state: FitState) -> int | None:
        moves = super().next_step(state)
        # One step before, so that the step after it keeps the gradient.
        return moves - 1 if moves is not None and moves - 1 > state.step else moves

    def _hold(self, state: FitState, name: str, mask: NDArray[np.bool_]) -> None:
        """Holds a parameter under a mask; the gradient of its zeros is kept where it costs nothing, or is needed next."""
        keeps = name not in self._sparse or super().next_step(state) == state.step + 1
        state.network.represent(name, Growing(mask, keeps_gradient=keeps))

    def on_step(self, state: FitState) -> None:
        if super().next_step(state) == state.step + 1 and not self._moves_at(state.step):
            for name in self._names:
                self._hold(state, name, kept_mask(state.network, name))
            return
        through = min(1.0, (state.step - self.first) / max(1, self.last - self.first))
        share = self.fraction / 2 * (1 + math.cos(math.pi * through))
        for name in self._names:
            how, w = state.network.representation(name), state.network.parameters[name].reshape(-1)
            assert isinstance(how, Growing)
            kept, dense = how.mask.reshape(-1) != 0, np.abs(how.dense.reshape(-1))
            count = min(round(share * np.count_nonzero(kept)), int(np.count_nonzero(~kept)))
            if count:
                dropped = np.argsort(np.where(kept, np.abs(w), np.inf), kind="stable")[:count]
                kept[dropped] = False
                grown = np.argsort(np.where(kept, -1.0, dense), kind="stable")[::-1][:count]
                kept[grown] = True
                w[dropped], w[grown] = 0, 0
            self._hold(state, name, kept.reshape(how.mask.shape))

    def _moves_at(self, step: int) -> bool:
        """Whether weights move after this step."""
        return step == self.last or (step >= max(1, self.first) and (step - self.first) % self.every == 0)

    def on_fit_end(self, state: FitState) -> None:
        for name in self._names:
            how = state.network.representation(name)
            if isinstance(how, Growing):
                state.network.represent(name, Masked(how.mask != 0))
