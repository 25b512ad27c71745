"""From the outputs of a network with CTC to sequences of labels: the best path, and prefix beam search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..constraints import Interval
from ..errors import DataError, ParameterError, ShapeError
from ._types import Array
from .sequences import Sequences

__all__ = ["beam_search_decode", "best_path_decode"]

#: Labels that are less probable than this at a step do not lengthen a prefix there.
_LEAST = 1e-5


def best_path_decode(outputs: Any, *, lengths: Any = None, blank: int = 0) -> list[list[int]]:
    """Greedy decoding: the most probable label of every step, repeats taken together, blanks left out.

    It is the best path, not always the best sequence of labels, since many paths make the same labels: see
    ``beam_search_decode``.

    Parameters
        outputs : (N, T, K) logits or probabilities, or Sequences of (T, K)
        lengths : (N,) how many steps of each sample count; None for all
        blank : the label that stands for none
    Returns     a list of labels for each sample
    Raises      ShapeError, ParameterError, DataError for outputs, lengths or a blank that cannot be
    References  Graves et al., Connectionist temporal classification, ICML 2006

    Example
        >>> best_path_decode(np.eye(3)[[[0, 1, 1, 0, 1, 2]]])
        [[1, 1, 2]]
    """
    found = []
    for z in _samples(outputs, lengths, blank):
        path = z.argmax(axis=1)
        kept = path != blank
        kept[1:] &= path[1:] != path[:-1]
        found.append([int(label) for label in path[kept]])
    return found


def beam_search_decode(
    outputs: Any, *, beams: int = 10, lengths: Any = None, blank: int = 0, logits: bool = True
) -> list[list[tuple[list[int], float]]]:
    """Prefix beam search: the most probable sequences of labels, over all paths that make each of them.

    At every step the ``beams`` most probable prefixes are kept. The probability of a prefix is that of the paths that end in
    a blank and of those that do not; a label that repeats the last one makes a longer prefix only after a blank. With enough
    beams the search is exact.

    Parameters
        outputs : (N, T, K), or Sequences of (T, K) ; logits : whether they are logits, or else probabilities
        beams : prefixes that are kept ; lengths, blank : as in ``best_path_decode``
    Returns     for each sample at most ``beams`` pairs of labels and their log probability, the most probable first
    Raises      as ``best_path_decode``
    References  Hannun et al., First-pass large vocabulary continuous speech recognition using bi-directional recurrent DNNs,
                2014

    Example
        >>> p = np.array([[[0.6, 0.4], [0.6, 0.4]]])  # the best path is empty, yet one label has 0.64 in all
        >>> [(labels, round(float(np.exp(score)), 2)) for labels, score in beam_search_decode(p, logits=False)[0]]
        [([1], 0.64), ([], 0.36)]
    """
    Interval(int, 1).check("beam_search_decode", "beams", beams)
    found = []
    for z in _samples(outputs, lengths, blank):
        z = z.astype(np.float64)
        if logits:
            shifted = z - z.max(axis=1, keepdims=True)
            log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        else:
            if (z < 0).any() or (np.abs(z.sum(axis=1) - 1) > 1e-3).any():
                raise DataError("beam_search_decode: with logits=False every step must be a distribution over the labels.")
            log_p = np.log(np.maximum(z, 1e-300))
        found.append(_search(log_p, int(beams), blank))
    return found


def _search(log_p: Array, beams: int, blank: int) -> list[tuple[list[int], float]]:
    """The best prefixes of one sample. log_p : (T, K)"""
    nothing = -np.inf
    # Of each prefix the log probability of the paths that end in a blank, and of those that do not.
    kept: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, nothing)}
    for step in log_p:
        likely = [int(label) for label in np.flatnonzero(step > max(np.log(_LEAST), step.max() - 20)) if label != blank]
        of_blank, new = float(step[blank]), dict[tuple[int, ...], tuple[float, float]]()
        for prefix, (ended, open_) in kept.items():
            whole = np.logaddexp(ended, open_)
            _add(new, prefix, 0, whole + of_blank)
            if prefix:
                _add(new, prefix, 1, open_ + float(step[prefix[-1]]))
            for label in likely:
                before = ended if prefix and label == prefix[-1] else whole
                if before > nothing:
                    _add(new, (*prefix, label), 1, before + float(step[label]))
        best = sorted(new.items(), key=lambda item: -np.logaddexp(*item[1]))
        kept = dict(best[:beams])
    return [(list(prefix), float(np.logaddexp(*scores))) for prefix, scores in kept.items()]


def _add(found: dict[tuple[int, ...], tuple[float, float]], prefix: tuple[int, ...], which: int, score: float) -> None:
    ended, open_ = found.get(prefix, (-np.inf, -np.inf))
    found[prefix] = (ended, float(np.logaddexp(open_, score))) if which else (float(np.logaddexp(ended, score)), open_)


def _samples(outputs: Any, lengths: Any, blank: int) -> Iterator[Array]:
    """The steps that count of each sample, (T, K)."""
    of_one_length = not isinstance(outputs, Sequences)
    array: Any = np.asarray(outputs) if of_one_length else outputs
    shape = array.shape
    if len(shape) != 3 or array.dtype.kind not in "fiub":
        raise ShapeError(f"outputs must be numbers (N, T, K), or Sequences of (T, K). Got {shape} of {array.dtype}.")
    if not Interval(int, 0, shape[2]).holds(blank):
        raise ParameterError(f"blank must be one of the {shape[2]} labels, from 0 to {shape[2] - 1}. Got {blank!r}.")
    values = array if of_one_length else array.values
    if not np.isfinite(values).all():
        raise DataError("outputs hold a number that is not finite, so no label is the most probable one.")
    if lengths is None:
        return iter(array)
    steps = np.asarray(lengths)
    longest = np.full(shape[0], shape[1]) if of_one_length else array.lengths
    if steps.shape != (shape[0],) or steps.dtype.kind not in "iu" or (steps < 0).any() or (steps > longest).any():
        raise ShapeError(f"lengths must be one whole number a sample, from 0 to its steps. Got {lengths!r:.80}.")
    return (z[:t] for z, t in zip(array, steps, strict=True))
