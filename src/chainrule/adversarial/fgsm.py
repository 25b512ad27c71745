"""The fast gradient sign method."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Array, Attack


class FGSM(Attack):
    """Fast gradient sign method: one step ``x' = x + ε sign(∇ₓ J)``, cut to the range of good data.

    It is the largest rise of the loss, to first order, when no element may change by more than ε. With ``norm=2`` the change
    of a whole sample has length ε: ``x' = x + ε ∇ₓ J / ‖∇ₓ J‖₂``.

    Parameters
        epsilon : ε > 0, in the unit of X ; norm : "inf" or 2
        clip : (least, largest) of good data = (0, 1), None for no limits
        targeted : bool = False ; True goes down the loss of the given y, to make the network say y
        loss : that of the last fit by default ; batch_size : int >= 1 = None, samples at a time, None finds how many
    Shapes      X, x' (N, ...) ; y as in fit
    Raises      ParameterError for an argument out of its range ; DataError when X is outside of clip
    References  Goodfellow, Shlens and Szegedy, Explaining and harnessing adversarial examples, ICLR 2015

    Example
        >>> from chainrule import Dense, Network
        >>> net = Network([Dense(2)], random_state=0).build((3,))
        >>> x = np.full((1, 3), 0.5, np.float32)
        >>> bool(np.isclose(np.abs(FGSM(0.1)(net, x, [1]) - x).max(), 0.1))
        True
    """

    def __init__(
        self,
        epsilon: float,
        *,
        norm: Any = "inf",
        clip: tuple[float, float] | None = (0.0, 1.0),
        targeted: bool = False,
        loss: Any = None,
        batch_size: int | None = None,
    ):
        self.epsilon, self.norm, self.clip, self.targeted = epsilon, norm, clip, targeted
        self.loss, self.batch_size = loss, batch_size

    def _perturb(self, x: Array, gradient: Any, rng: np.random.Generator) -> Array:
        return self._within(x + x.dtype.type(self.epsilon) * self._steepest(gradient(x)), x)
