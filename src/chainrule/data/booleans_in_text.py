"""True and false in their spellings: True, true, yes, 1 are one value."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["are_booleans", "truth_of"]

_TRUE = {"true": "word", "t": "t", "yes": "word", "y": "y", "on": "word", "1": "word", "1.0": "word"}
_FALSE = {"false": "word", "f": "t", "no": "word", "n": "y", "off": "word", "0": "word", "0.0": "word"}


def truth_of(text: str) -> bool | None:
    """What a text says; None when it is neither true nor false.

    Example
        >>> [truth_of(text) for text in ("Yes", "F", "1", "maybe")]
        [True, False, True, None]
    """
    lower = text.strip().lower()
    return True if lower in _TRUE else False if lower in _FALSE else None


def are_booleans(texts: Iterable[str]) -> bool:
    """Whether these texts are spellings of true and false, both of them; t/f and y/n do not go together."""
    lower = {text.strip().lower() for text in texts}
    truths = {truth_of(text) for text in lower}
    letters = {(_TRUE | _FALSE)[text] for text in lower if text in _TRUE or text in _FALSE}
    return truths == {True, False} and len(letters - {"word"}) <= 1
