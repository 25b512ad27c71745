"""CTC in NumPy, all samples at once; see ops/alignment.py for what the arrays are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...metrics.edit_distance import edit_distance
from ...ops.recurrent import given

Array = NDArray[Any]
Attrs = dict[str, Any]


def target_lengths(y: Array, blank: int) -> Array:
    """How many labels stand before the first blank of each row."""
    ends: Array = np.concatenate([y == blank, np.ones((len(y), 1), bool)], axis=1).argmax(axis=1)
    return ends


def _log_sum(*parts: Array) -> Array:
    """log Σ exp of arrays, −∞ where all are."""
    top = np.maximum.reduce(parts)
    safe = np.where(np.isneginf(top), 0.0, top)
    with np.errstate(divide="ignore"):
        return np.asarray(safe + np.log(sum(np.exp(part - safe) for part in parts)))


def _shift(a: Array, by: int) -> Array:
    """The states ``by`` places before each (after, where negative); −∞ where there are none."""
    out = np.full_like(a, -np.inf)
    if by > 0:
        out[:, by:] = a[:, :-by]
    else:
        out[:, :by] = a[:, -by:]
    return out


def ctc(attrs: Attrs, z: Array, y: Array, *more: Array) -> tuple[Array, Array]:
    blank, (n, steps, classes) = attrs["blank"], z.shape
    mask = given(more, attrs).get("mask", np.ones((n, steps))) > 0
    lengths = target_lengths(y, blank)
    top = z.max(axis=2, keepdims=True).astype(np.float64)
    log_p = z - top - np.log(np.exp(z - top).sum(axis=2, keepdims=True))
    # The labels with a blank before, between and after them; states behind the end of a target have no part.
    wide = 2 * y.shape[1] + 1
    states = np.full((n, wide), blank)
    states[:, 1::2] = y
    there = np.arange(wide) <= 2 * lengths[:, None]
    states = np.where(there, states, blank)
    bad = ((states < 0) | (states >= classes)).any(axis=1)
    states = np.clip(states, 0, classes - 1)
    skips = np.zeros((n, wide), bool)
    skips[:, 2:] = (states[:, 2:] != blank) & (states[:, 2:] != states[:, :-2])
    emitted = np.take_along_axis(log_p, np.repeat(states[:, None], steps, axis=1), axis=2)
    emitted = np.where(there[:, None], emitted, -np.inf)
    alphas = np.full((n, steps, wide), -np.inf)
    alpha = np.full((n, wide), -np.inf)
    alpha[:, 0] = 0.0  # before the first step, so that it can be in the first blank or in the first label
    for t in range(steps):
        two = np.where(skips, _shift(alpha, 2), -np.inf)
        new = _log_sum(alpha, _shift(alpha, 1), two) + emitted[:, t]
        alpha = np.where(mask[:, t, None], new, alpha)
        alphas[:, t] = alpha
    last = 2 * lengths[:, None]
    ends = [np.take_along_axis(alpha, last, axis=1)[:, 0]]
    ends.append(np.where(lengths > 0, np.take_along_axis(alpha, np.maximum(last - 1, 0), axis=1)[:, 0], -np.inf))
    log_total = _log_sum(*ends)
    beta = np.where(np.arange(wide) == last, 0.0, -np.inf)
    beta = np.where((np.arange(wide) == last - 1) & (lengths > 0)[:, None], 0.0, beta)
    possible = np.isfinite(log_total)
    dz = np.exp(log_p)
    for t in reversed(range(steps)):
        with np.errstate(invalid="ignore"):
            share = np.exp(alphas[:, t] + beta - log_total[:, None])
        share = np.where(possible[:, None] & there, share, 0.0)
        at: Any = (np.arange(n)[:, None], t, states)
        np.subtract.at(dz, at, share)
        ahead = beta + emitted[:, t]
        two = _shift(np.where(skips, ahead, -np.inf), -2)
        beta = np.where(mask[:, t, None], _log_sum(ahead, _shift(ahead, -1), two), beta)
    dz[~mask] = 0
    # A number in z that is none makes the loss of its sample none, too.
    lost = bad | np.isnan(np.where(mask[:, :, None], log_p, 0.0)).any(axis=(1, 2))
    dz[~possible & ~lost] = 0
    dz[lost] = np.nan
    loss = np.where(np.isneginf(log_total), 0.0 if attrs["zero_infinity"] else np.inf, -log_total)
    loss[lost] = np.nan
    return loss.astype(z.dtype), dz.astype(z.dtype)


def best_path(z: Array, blank: int, mask: Array | None = None) -> Array:
    """The labels of the most probable label of every step, without repeats and then without blanks. z : (T, K)"""
    path = z.argmax(axis=1) if mask is None else z[mask > 0].argmax(axis=1)
    kept = np.ones(len(path), bool)
    kept[1:] = path[1:] != path[:-1]
    labels: Array = path[kept & (path != blank)]
    return labels


def label_error_rate(attrs: Attrs, z: Array, y: Array, *more: Array) -> Array:
    blank, mask = attrs["blank"], given(more, attrs).get("mask")
    rates = []
    for i, length in enumerate(target_lengths(y, blank)):
        found = best_path(z[i], blank, None if mask is None else mask[i])
        rates.append(edit_distance(y[i, :length].tolist(), found.tolist()) / max(1, length))
    return np.array(rates, z.dtype)


KERNELS: dict[str, Callable[..., Any]] = {"ctc": ctc, "label_error_rate": label_error_rate}
