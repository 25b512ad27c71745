"""How far apart two sequences are in insertions, deletions and substitutions, and the error rates that are made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError, DtypeError, ShapeError

__all__ = ["character_error_rate", "edit_distance", "error_rate", "word_error_rate"]


def edit_distance(first: Any, second: Any) -> int:
    """The Levenshtein distance: the least number of insertions, deletions and substitutions that make one of the other.

    ``d(i, j) = min(d(i−1, j) + 1, d(i, j−1) + 1, d(i−1, j−1) + [aᵢ ≠ bⱼ])``, with d(i, 0) = i and d(0, j) = j.

    Parameters  first, second : texts, or sequences or arrays of labels that can be compared
    References  Levenshtein, Binary codes capable of correcting deletions, insertions, and reversals, 1966

    Example
        >>> edit_distance("kitten", "sitting"), edit_distance([1, 2], []), edit_distance("same", "same")
        (3, 2, 0)
    """
    a, b = (first, second) if len(first) >= len(second) else (second, first)
    if not len(b):
        return len(a)
    numbers = {label: i for i, label in enumerate({*_listed(a), *_listed(b)})}
    codes = np.array([numbers[label] for label in _listed(b)])
    places = np.arange(len(b) + 1)
    row = places.copy()
    for label in _listed(a):
        best = np.minimum(row[1:] + 1, row[:-1] + (codes != numbers[label]))
        # Insertions along the row: d(j) = min over i <= j of best(i) + j − i.
        row = np.minimum.accumulate(np.concatenate([[row[0] + 1], best]) - places) + places
    return int(row[-1])


def _listed(sequence: Any) -> Sequence[Any]:
    found: Sequence[Any] = sequence.tolist() if isinstance(sequence, np.ndarray) else sequence
    return found


def error_rate(truth: Sequence[Sequence[Any]], found: Sequence[Sequence[Any]]) -> float:
    """All edits that make the true sequences of those that were found, divided by the length of all true ones together.

    Parameters  truth, found : as many sequences of labels each
    Raises      DtypeError for a text in place of a list of texts ; ShapeError for lists of different lengths ;
                DataError when the true sequences have no label at all

    Example
        >>> error_rate([[1, 2, 3], [4]], [[1, 3], [4]])
        0.25
    """
    for name, given in (("truth", truth), ("found", found)):
        if isinstance(given, str) or not hasattr(given, "__len__"):
            raise DtypeError(f"error_rate: {name} must be a list of sequences. Got {type(given).__name__}.")
    if len(truth) != len(found):
        raise ShapeError(f"error_rate: truth has {len(truth)} sequences but found has {len(found)}.")
    total = sum(map(len, truth))
    if not total:
        raise DataError("error_rate: the true sequences have no label, so there is nothing to divide by.")
    return sum(edit_distance(a, b) for a, b in zip(truth, found, strict=True)) / total


def character_error_rate(truth: Sequence[str], found: Sequence[str]) -> float:
    """CER: wrong, missing and superfluous characters per character of the true texts. It can be above 1.

    Parameters and errors  as of ``error_rate``

    Example
        >>> character_error_rate(["total 12.30"], ["total 12,3"])
        0.18181818181818182
    """
    return error_rate(truth, found)


def word_error_rate(truth: Sequence[str], found: Sequence[str]) -> float:
    """WER: wrong, missing and superfluous words, parted by white space, per word of the true texts.

    Parameters and errors  as of ``error_rate``

    Example
        >>> word_error_rate(["one two three"], ["one tu three"])
        0.3333333333333333
    """
    if isinstance(truth, str) or isinstance(found, str):
        raise DtypeError("word_error_rate: give lists of texts, such as [text].")
    return error_rate([text.split() for text in truth], [text.split() for text in found])
