"""Characters as tokens."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Tokenizer

__all__ = ["CharacterTokenizer"]


class CharacterTokenizer(Tokenizer):
    """Every character is a token: the vocabulary is small, no word is unknown, and texts are long.

    Parameters  lowercase : bool = False, read A as a ; max_length : int, None or "auto", the most tokens of a text that
    are read

    Example
        >>> tokenizer = CharacterTokenizer().fit(["abba"])
        >>> tokenizer.encode(["bad"])[0].tolist()
        [5, 4, 1]
        >>> tokenizer.decode([5, 4, 5])
        'bab'
    """

    name = "characters"

    def __init__(self, *, lowercase: bool = False, max_length: int | str | None = "auto") -> None:
        self.lowercase, self.max_length = lowercase, max_length

    def split(self, text: str) -> list[str]:
        return list(text.lower() if self.lowercase else text)

    def join(self, tokens: Sequence[str]) -> str:
        return "".join("\N{REPLACEMENT CHARACTER}" if token == "<unknown>" else token for token in tokens)
