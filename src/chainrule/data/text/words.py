"""Words as tokens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from .base import Tokenizer, check_integer

__all__ = ["WordTokenizer"]

#: A word with its apostrophes and hyphens, a number with its points, or one sign.
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|\w+(?:['’-]\w+)*|[^\w\s]")
_NO_SPACE_BEFORE, _NO_SPACE_AFTER = set(".,;:!?)]}%’'"), set("([{")


class WordTokenizer(Tokenizer):
    """Words, numbers and signs are tokens; those that are rare in the training texts are unknown.

    Parameters
        max_words : int >= 1 = 20000, the most words that are told apart ; min_count : int >= 1 = 2, a word that occurs less
            often in the training texts is unknown ; lowercase : bool = True, read The as the

    Example
        >>> tokenizer = WordTokenizer(min_count=1).fit(["Good film!", "A good plot, a bad film."])
        >>> tokenizer.vocabulary_[4:]
        ['a', 'film', 'good', '!', ',', '.', 'bad', 'plot']
        >>> tokenizer.decode(tokenizer.encode(["A bad, boring film!"])[0])
        'a bad, <unknown> film!'
    """

    name = "words"

    def __init__(self, *, max_words: int = 20000, min_count: int = 2, lowercase: bool = True) -> None:
        self.max_words, self.min_count, self.lowercase = max_words, min_count, lowercase

    def validate(self) -> None:
        check_integer(self, "max_words")
        check_integer(self, "min_count")

    def split(self, text: str) -> list[str]:
        return _TOKEN.findall(text.lower() if self.lowercase else text)

    def join(self, tokens: Sequence[str]) -> str:
        text = ""
        for token in tokens:
            glued = not text or token in _NO_SPACE_BEFORE or text[-1] in _NO_SPACE_AFTER
            text += token if glued else " " + token
        return text

    def _chosen(self, counts: Counter[str]) -> list[str]:
        frequent = Counter({token: count for token, count in counts.items() if count >= self.min_count})
        return super()._chosen(frequent)[: self.max_words]
