"""Projected gradient descent on the input."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..constraints import POSITIVE, Boolean, Interval, Maybe
from .base import Array, Attack


class PGD(Attack):
    """Projected gradient descent: steps up the loss, each brought back into the ball of radius ε around x and into the range
    of good data: ``x ← P(x + α sign(∇ₓ J))``, or ``x ← P(x + α ∇ₓ J / ‖∇ₓ J‖₂)`` with ``norm=2``.

    Starting at random in the ball keeps it from stopping where the gradient at x itself is 0 or says little. It is the
    strongest attack that knows the first derivative only, as far as is known.

    Parameters
        epsilon : ε > 0, in the unit of X ; steps : int >= 1 = 10 ; step : α > 0, None takes 2.5 ε / steps
        norm : "inf" or 2 ; clip : (least, largest) of good data = (0, 1), None for no limits
        random_start : bool = True, uniform in the ball ; random_state : int, Generator or None
        targeted : bool = False ; True goes down the loss of the given y, to make the network say y
        loss : that of the last fit by default ; batch_size : int >= 1 = None, samples at a time, None finds how many
    Shapes      X, x' (N, ...) ; y as in fit
    Raises      ParameterError for an argument out of its range ; DataError when X is outside of clip
    References  Madry et al., Towards deep learning models resistant to adversarial attacks, ICLR 2018

    Example
        >>> from chainrule import Dense, Network
        >>> net = Network([Dense(2)], random_state=0).build((3,))
        >>> x = np.full((1, 3), 0.5, np.float32)
        >>> bool(np.isclose(np.abs(PGD(0.1, random_state=0)(net, x, [1]) - x).max(), 0.1))
        True
    """

    hyperparameters = {
        "steps": Interval(int, 1),
        "step": Maybe(POSITIVE),
        "random_start": Boolean(),
    }

    def __init__(
        self,
        epsilon: float,
        *,
        steps: int = 10,
        step: float | None = None,
        norm: Any = "inf",
        clip: tuple[float, float] | None = (0.0, 1.0),
        random_start: bool = True,
        random_state: Any = None,
        targeted: bool = False,
        loss: Any = None,
        batch_size: int | None = None,
    ):
        self.epsilon, self.steps, self.step, self.norm, self.clip = epsilon, steps, step, norm, clip
        self.random_start, self.random_state, self.targeted = random_start, random_state, targeted
        self.loss, self.batch_size = loss, batch_size

    def _generator(self) -> np.random.Generator:
        return np.random.default_rng(self.random_state)

    def _perturb(self, x: Array, gradient: Any, rng: np.random.Generator) -> Array:
        alpha = x.dtype.type(2.5 * self.epsilon / self.steps if self.step is None else self.step)
        moved = self._within(x + self._somewhere(x, rng), x) if self.random_start else x
        for _ in range(self.steps):
            moved = self._within(moved + alpha * self._steepest(gradient(moved)), x)
        return moved

    def _somewhere(self, x: Array, rng: np.random.Generator) -> Array:
        """A change drawn uniformly from the ball."""
        if self.norm != 2:
            return rng.uniform(-self.epsilon, self.epsilon, x.shape).astype(x.dtype)
        direction = rng.standard_normal(x.shape).reshape(len(x), -1)
        size = direction.shape[1]
        radius = self.epsilon * rng.random((len(x), 1)) ** (1 / size)
        change = radius * direction / np.linalg.norm(direction, axis=1, keepdims=True)
        return np.asarray(change.reshape(x.shape), x.dtype)
