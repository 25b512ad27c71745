"""Training that is sparse from the start to the end."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

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
    """A mask that also keeps the gradient of all elements, so that it is known which of the zeros would help most.

    Parameters  mask : as of Masked ; dense : the gradient of the last step, None for zeros
    """

    letters: ClassVar[dict[str, str]] = {"mask": "M", "dense": "G"}

    def __init__(self, mask: Any, dense: Any = None) -> None:
        super().__init__(mask)
        self.dense = np.zeros(self.mask.shape, np.float32) if dense is None else np.asarray(dense)

    def gradient(self, k: Builder, held: Held, dvalue: Value) -> Value:
        if held.training:
            k.assign(held["dense"], dvalue)
        return super().gradient(k, held, dvalue)


class RigL(StepSchedule):
    """Trains a network that is sparse from the first step to the last, and moves its weights to where they help.

    It begins with a random mask. Every so many steps the smallest weights of each parameter are dropped, a share
    ``fraction / 2 (1 + cos(π t / end))`` of those it has, and as many grow where the gradient is largest, from zero. After
    the end the mask stays. A network that is masked already begins with its own masks.

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
        if all(mask.all() for mask in kept.values()) and not state.step:  # else the checkpoint has the masks
            kept = masks_of(scores(network, self._names, "random", self.random_state), kept, share, self.scope, None)
        for name, mask in kept.items():
            network.represent(name, Growing(mask))

    def on_step(self, state: FitState) -> None:
        through = min(1.0, (state.step - self.first) / max(1, self.last - self.first))
        share = self.fraction / 2 * (1 + math.cos(math.pi * through))
        for name in self._names:
            how, w = state.network.representation(name), state.network.parameters[name].reshape(-1)
            assert isinstance(how, Growing)
            kept, dense = how.mask.reshape(-1) != 0, np.abs(how.dense.reshape(-1))
            count = min(round(share * np.count_nonzero(kept)), int(np.count_nonzero(~kept)))
            if not count:
                continue
            dropped = np.argsort(np.where(kept, np.abs(w), np.inf), kind="stable")[:count]
            kept[dropped] = False
            grown = np.argsort(np.where(kept, -1.0, dense), kind="stable")[::-1][:count]
            kept[grown] = True
            w[dropped], w[grown] = 0, 0
            state.network.represent(name, Growing(kept.reshape(how.mask.shape)))

    def on_fit_end(self, state: FitState) -> None:
        for name in self._names:
            how = state.network.representation(name)
            if isinstance(how, Growing):
                state.network.represent(name, Masked(how.mask != 0))
