"""Batches for adversarial training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..constraints import Boolean, Constrained, Instance, Interval
from ..data import as_features
from ..model import Network
from .base import Array, Attack, check_shapes, require_network

__all__ = ["AdversarialBatches"]


class AdversarialBatches(Constrained):
    """Batches of which a share is attacked, anew for the weights that the network has at that moment.

    ``net.fit(AdversarialBatches(net, X, y, attack), ...)`` is adversarial training: the weights go down the loss that the
    attack has gone up, ``min_w E max_‖δ‖≤ε ℓ(w, x + δ)``. Every batch costs as many forward and backward passes more as the
    attack has steps.

    Parameters
        net : that will be fitted; built here when it is not yet ; X : samples (N, ...) ; y : targets as in fit
        attack : an Attack, such as ``PGD(0.1, steps=7)`` ; share : in (0, 1] = 1, of each batch that is attacked. 1 as Madry
            et al., 0.5 as Goodfellow et al.; batch_size : int >= 1 = 32 ; shuffle : bool = True, a new order each epoch
    Raises      ParameterError for an argument out of its range ; ShapeError, DataError when X and y do not fit
    References  Goodfellow et al., ICLR 2015 ; Madry et al., ICLR 2018

    Example
        >>> from chainrule import Dense, Network
        >>> from chainrule.adversarial import FGSM
        >>> X, y = np.random.default_rng(0).random((64, 4)), np.arange(64) % 2
        >>> net = Network([Dense(2)], random_state=0)
        >>> net = net.fit(AdversarialBatches(net, X, y, FGSM(0.05)), epochs=2, verbose=0)
        >>> len(net.history_["loss"])
        2
    """

    net: Network
    attack: Attack
    share: float
    batch_size: int
    shuffle: bool
    hyperparameters = {
        "attack": Instance(Attack, hint="Give one as FGSM(0.1)."),
        "share": Interval(float, 0, 1, closed="right"),
        "batch_size": Interval(int, 1),
        "shuffle": Boolean(),
    }

    def __init__(
        self,
        net: Network,
        X: Any,
        y: Any,
        attack: Attack,
        *,
        share: float = 1.0,
        batch_size: int = 32,
        shuffle: bool = True,
    ) -> None:
        self.net, self.attack, self.share, self.batch_size, self.shuffle = net, attack, share, batch_size, shuffle
        self.validate()
        require_network("AdversarialBatches", net)
        self.X: Array = as_features(X, dtype=net.dtype)
        self.y: Array = np.asarray(y)
        check_shapes(self.X, self.y)
        net.build(self.X.shape[1:])
        self._rng: np.random.Generator = np.random.default_rng(net.rng.integers(2**53))

    def __len__(self) -> int:
        return -(-len(self.X) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        order = self._rng.permutation(len(self.X)) if self.shuffle else np.arange(len(self.X))
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            x, y = self.X[rows], self.y[rows]
            attacked = max(1, round(self.share * len(rows)))
            x[:attacked] = self.attack(self.net, x[:attacked], y[:attacked])
            yield x, y
