"""Choosing the next token from a network's logits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError
from ...registry import finite_number

__all__ = ["check_sampling", "next_token_probabilities", "sample"]

Floats = NDArray[np.float64]


def next_token_probabilities(
    logits: Any, *, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Floats:
    """The probabilities that a token is drawn with: ``p = softmax(z / temperature)``, cut and made to sum to 1 again.

    Parameters
        logits : (..., V)
        temperature : number >= 0; below 1 the likely become likelier, at 0 the likeliest alone is left
        top_k : only the k likeliest tokens are left, None for all
        top_p : in (0, 1], only the likeliest that together have at least this probability are left, None for all ; it comes
            after top_k
    Raises      ParameterError for a value out of its range
    References  top-p: Holtzman et al., The curious case of neural text degeneration, ICLR 2020

    Example
        >>> next_token_probabilities(np.log([0.5, 0.3, 0.2]), top_p=0.6).round(3).tolist()
        [0.625, 0.375, 0.0]
        >>> next_token_probabilities([1.0, 3.0, 2.0], temperature=0).tolist()
        [0.0, 1.0, 0.0]
    """
    check_sampling(temperature, top_k, top_p)
    z = np.asarray(logits, np.float64)
    order = np.argsort(-z, axis=-1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(z.shape[-1]), z.shape), axis=-1)
    if temperature == 0:
        return np.asarray(ranks == 0, np.float64)
    z = z / temperature
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    if top_k is not None:
        p[ranks >= top_k] = 0.0
    p /= p.sum(axis=-1, keepdims=True)
    if top_p is not None:
        falling = np.take_along_axis(p, order, axis=-1)
        before = np.cumsum(falling, axis=-1) - falling
        p[np.take_along_axis(before, ranks, axis=-1) >= top_p] = 0.0
        p /= p.sum(axis=-1, keepdims=True)
    return np.asarray(p)


def sample(logits: Any, rng: np.random.Generator, **how: Any) -> NDArray[np.int64]:
    """A token for each row of logits (N, V), drawn by ``rng``; ``how`` as in ``next_token_probabilities``."""
    p = next_token_probabilities(logits, **how)
    edges = np.cumsum(p, axis=-1)
    drawn = (rng.random((len(p), 1)) * edges[:, -1:] >= edges).sum(axis=-1)
    # Rounding must not lead to a token behind the last one that has a probability.
    last = p.shape[-1] - 1 - np.argmax(p[:, ::-1] > 0, axis=-1)
    return np.asarray(np.minimum(drawn, last))


def check_sampling(temperature: Any, top_k: Any, top_p: Any) -> None:
    """ParameterError for a temperature, top_k or top_p out of its range."""
    if not finite_number(temperature) or temperature < 0:
        raise ParameterError(f"temperature must be a number of at least 0. Got {temperature!r}.")
    if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, (int, np.integer)) or top_k < 1):
        raise ParameterError(f"top_k must be an int of at least 1, or None. Got {top_k!r}.")
    if top_p is not None and (not finite_number(top_p) or not 0 < top_p <= 1):
        raise ParameterError(f"top_p must be a number above 0 and at most 1, or None. Got {top_p!r}.")
