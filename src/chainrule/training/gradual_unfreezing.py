"""Layers of a trained body that begin to learn one group after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..constraints import Interval
from ..errors import ParameterError
from .callbacks import Callback

if TYPE_CHECKING:
    from ..layers import Layer
    from ..network import NetworkGraph
    from .state import FitState

__all__ = ["GradualUnfreezing"]


class GradualUnfreezing(Callback):
    """Freezes groups of layers when the fit begins, and lets them learn again one after the other.

    So the new head learns first, on features that stay as they are, and what lies deeper in the body begins to learn when
    its gradients have become meaningful. After the fit the groups whose turn has not come are still frozen.

    Parameters
        groups : each a layer, a network, a name, a prefix or a pattern, as ``Network.freeze`` takes them, or a list of
            these; in the order in which they begin to learn, so the one next to the head comes first
        every : int >= 1 = 1, the epochs between two groups; the first group begins to learn after so many epochs
    Raises      ParameterError where no group is given, or every is below 1 ; UnknownNameError for a name that no layer has
    References  Howard and Ruder, Universal language model fine-tuning for text classification, ACL 2018

    Example
        >>> import numpy as np
        >>> from chainrule import Dense, Network, Tanh
        >>> X = np.linspace(-1, 1, 64, dtype=np.float32).reshape(-1, 1)
        >>> layers = [Dense(4).named("body.0"), Tanh(), Dense(4).named("body.1"), Tanh(), Dense(1).named("head")]
        >>> net = Network(layers, random_state=0)
        >>> net = net.fit(X, X**2, epochs=2, verbose=0, callbacks=GradualUnfreezing("body.1", "body.0"))
        >>> sorted(net.frozen)
        ['body.0']
    """

    changes_weights = False

    def __init__(self, *groups: str | Layer | NetworkGraph | list[str | Layer | NetworkGraph], every: int = 1) -> None:
        if not groups:
            raise ParameterError(
                'GradualUnfreezing: give at least one group of layers, the one next to the head first, such as "block15".'
            )
        self.groups, self.every = groups, every

    def on_fit_begin(self, state: FitState) -> None:
        self.every = Interval(int, 1).check("GradualUnfreezing", "every", self.every)
        self._layers = [state.network.named(*(g if isinstance(g, (list, tuple)) else [g])) for g in self.groups]
        for layers in self._layers:
            state.network.freeze(*layers)

    def on_epoch_begin(self, state: FitState, epoch: int) -> None:
        turns = (epoch - 1) // self.every
        learning = [name for layers in self._layers[:turns] for name in layers if name in state.network.frozen]
        if learning:
            state.network.unfreeze(*learning)
