"""What an attack is: from samples and their labels to samples near them that raise the loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Boolean, EachOf, Interval, Maybe, OneOf
from ..data import as_features
from ..errors import DataError, ParameterError, ShapeError
from ..model import Network
from ..registry import Configurable

__all__ = ["Array", "Attack"]

Array = NDArray[Any]

_NORMS = '"inf" bounds the largest change of an element, 2 the length of the whole change.'
_LIMITS = "Give the least and the largest value of good data, or None for no limits."


class Attack(Configurable):
    """Base of the attacks. Calling one gives adversarial samples: ``attack(net, X, y)``.

    A subclass states ``_perturb(x, gradient) -> x'`` for a batch, with ``gradient(x)`` the direction in which to go.
    """

    epsilon: float
    norm: Any
    clip: tuple[float, float] | None
    targeted: bool
    loss: Any
    batch_size: int | None
    hyperparameters = {
        "epsilon": Interval(float, 0, closed="neither", hint="It is in the unit of X."),
        "norm": OneOf("inf", 2, math.inf, hint=_NORMS),
        "clip": Maybe(EachOf(Interval(float), count=2, rising=True, hint=_LIMITS)),
        "targeted": Boolean(),
        "batch_size": Maybe(Interval(int, 1)),
    }

    def __call__(self, net: Network, X: Any, y: Any) -> Array:
        """Samples (N, ...) within ``epsilon`` of X and within ``clip``.

        Parameters  net : with one input of numbers ; X : samples (N, ...) ; y : their targets as in ``Network.fit``, or with
                    ``targeted`` those that the network is to be misled to
        Raises      ShapeError, DtypeError, DataError when X or y does not fit, or X is outside of ``clip`` ;
                    ParameterError when net is no Network, has several inputs, or one without a gradient
        """
        self.validate()
        require_network(type(self).__name__, net)
        net.require_built(type(self).__name__)
        if len(net.input_ids) != 1:
            raise ParameterError(f"{type(self).__name__}: the network must have one input. It has {len(net.input_ids)}.")
        x = as_features(X, dtype=net.dtype)
        if len(y) != len(x):
            raise DataError(f"{type(self).__name__}: X has {len(x)} samples and y has {len(y)}.")
        if self.clip is not None and (x.min() < self.clip[0] or x.max() > self.clip[1]):
            raise DataError(
                f"{type(self).__name__}: X must lie within clip={self.clip}, the range of good data. It goes from "
                f"{x.min():g} to "
                f"{x.max():g}. Scale it, or give its own range (None for no limits)."
            )
        found = np.empty_like(x)
        targets = np.asarray(y)
        rng = self._generator()
        batch_size = net.samples or self.batch_size or net.samples_at_once([x.shape[1:]])
        for start in range(0, len(x), batch_size):
            rows = slice(start, start + batch_size)

            def gradient(at: Array, rows: slice = rows) -> Array:
                g = net.input_gradient(at, targets[rows], loss=self.loss, batch_size=batch_size)
                return -g if self.targeted else np.asarray(g)

            found[rows] = self._perturb(x[rows], gradient, rng)
        return found

    def _perturb(self, x: Array, gradient: Any, rng: np.random.Generator) -> Array:
        raise NotImplementedError

    def _generator(self) -> np.random.Generator:
        return np.random.default_rng()

    # ------------------------------------------------------------ for subclasses

    def _steepest(self, g: Array) -> Array:
        """The direction of length 1 in the norm that raises the loss most: sign(g), or g / ‖g‖₂ of each sample."""
        if self.norm != 2:
            return np.asarray(np.sign(g))
        return np.asarray(g / np.maximum(_length(g), np.finfo(g.dtype).tiny))

    def _within(self, x: Array, start: Array) -> Array:
        """The nearest samples in the ball around ``start`` and in the range of good data."""
        change = x - start
        if self.norm == 2:
            change = change * np.minimum(1, self.epsilon / np.maximum(_length(change), np.finfo(x.dtype).tiny))
        else:
            change = np.clip(change, -self.epsilon, self.epsilon)
        x = start + change
        if self.clip is not None:
            x = np.clip(x, *self.clip)  # brings each element nearer to start, so x stays in the ball
        return np.asarray(x, start.dtype)


def _length(g: Array) -> Array:
    """‖g‖₂ of each sample, with axes of size 1 for the rest. Scaled first: squares of small gradients would be 0."""
    axes = tuple(range(1, g.ndim))
    largest = np.abs(g).max(axis=axes, keepdims=True)
    scaled = g / np.maximum(largest, np.finfo(g.dtype).tiny)
    return np.asarray(largest * np.sqrt((scaled**2).sum(axis=axes, keepdims=True)))


def require_network(owner: str, net: Any) -> None:
    """ParameterError for what is no Network, such as an estimator."""
    if not isinstance(net, Network):
        raise ParameterError(
            f"{owner}: expected a Network, got {type(net).__name__}. Of an estimator that is its network_, with labels as "
            "class indices, such as np.searchsorted(model.classes_, y)."
        )


def check_shapes(x: Array, y: Array) -> None:
    """ShapeError unless there is one target for each sample."""
    if y.ndim == 0 or len(x) != len(y):
        raise ShapeError(f"X has {len(x)} samples, y has shape {y.shape}. Give one target for each sample.")
