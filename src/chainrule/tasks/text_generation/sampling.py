"""Choosing the next token from a network's logits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...constraints import Interval, Maybe, check_all

__all__ = ["SAMPLING", "next_token_probabilities", "sample"]

Floats = NDArray[np.float64]

#: What the arguments may be by which a token is chosen.
SAMPLING = {
    "temperature": Interval(float, 0),
    "top_k": Maybe(Interval(int, 1)),
    "top_p": Maybe(Interval(float, 0, 1, closed="right")),
}


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
    check_all("", SAMPLING, {"temperature": temperature, "top_k": top_k, "top_p": top_p})
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
