"""Words as tokens."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Self

from ...constraints import Boolean, Interval
from .base import Tokenizer

__all__ = ["WordTokenizer"]

#: How tokenizers of version 1 cut: at combining marks, so that only some scripts had words. Models trained so keep it.
_VERSION_1 = re.compile(r"\d+(?:[.,:]\d+)*|\w+(?:['’-]\w+)*|[^\w\s]")
_VERSION = 2
_NO_SPACE_BEFORE, _NO_SPACE_AFTER = set(".,;:!?)]}%’'。，、！？；：」』）"), set("([{「『（")


class WordTokenizer(Tokenizer):
    """Words, numbers and signs are tokens; those that are rare in the training texts are unknown.

    Words are those of Unicode's standard on text segmentation, after composing accents (NFC): it's, l'été, हिन्दी and
    العَرَبِيَّة are one each. Scripts that put no spaces between words (Chinese, Japanese, Thai, ...) are cut into
    characters.

    Parameters
        max_words : int >= 1 = 20000, the most words that are told apart ; min_count : int >= 1 = 2, a word that occurs less
            often in the training texts is unknown ; lowercase : bool = True, read The as the ;
        max_length : int, None or "auto", the most tokens of a text that are read
    References  Unicode Standard Annex 29, Unicode text segmentation

    Example
        >>> tokenizer = WordTokenizer(min_count=1).fit(["Good film!", "A good plot, a bad film."])
        >>> tokenizer.vocabulary_[4:]
        ['a', 'film', 'good', '!', ',', '.', 'bad', 'plot']
        >>> tokenizer.decode(tokenizer.encode(["A bad, boring film!"])[0])
        'a bad, <unknown> film!'
    """

    name = "words"
    hyperparameters = {
        "max_words": Interval(int, 1),
        "min_count": Interval(int, 1),
        "lowercase": Boolean(),
    }

    def __init__(
        self, *, max_words: int = 20000, min_count: int = 2, lowercase: bool = True, max_length: int | str | None = "auto"
    ) -> None:
        self.max_words, self.min_count, self.lowercase, self.max_length = max_words, min_count, lowercase, max_length

    def fit(self, texts: Any) -> Self:
        vars(self).pop("version_", None)
        super().fit(texts)
        self.version_ = _VERSION
        return self

    def split(self, text: str) -> list[str]:
        version = getattr(self, "version_", 1 if hasattr(self, "vocabulary_") else _VERSION)
        if version == 1:
            return _VERSION_1.findall(text.lower() if self.lowercase else text)
        if self.lowercase:
            # The lower case of the Turkish İ is an i with a combining point, which nobody writes.
            text = text.lower().replace("i\u0307", "i")
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        return [part for part in _boundaries().split(text) if part and not part.isspace()]

    def join(self, tokens: Sequence[str]) -> str:
        text = ""
        for token in tokens:
            glued = not text or token in _NO_SPACE_BEFORE or text[-1] in _NO_SPACE_AFTER
            glued = glued or (not (text[-1] + token[:1]).isascii() and _without_spaces().fullmatch(text[-1] + token[:1]))
            text += token if glued else " " + token
        return text

    def _chosen(self, counts: Counter[str]) -> list[str]:
        frequent = Counter({token: count for token, count in counts.items() if count >= self.min_count})
        return super()._chosen(frequent)[: self.max_words]

    def _learned(self) -> dict[str, Any]:
        return {**super()._learned(), "version": getattr(self, "version_", 1)}

    def _restore(self, state: Mapping[str, Any]) -> None:
        version = state.get("version", 1)
        if version not in (1, _VERSION):
            raise ValueError(f"it cuts words in the way of version {version!r}; a newer chainrule may be needed")
        super()._restore(state)
        self.version_ = version


@functools.cache
def _boundaries() -> Any:
    """Where words begin and end by Unicode's rules."""
    import regex

    return regex.compile(r"(?V1w)\b")


@functools.cache
def _without_spaces() -> Any:
    """Signs of scripts that put no spaces between words."""
    import regex

    scripts = "".join(
        rf"\p{{Script_Extensions={name}}}" for name in ("Han", "Hira", "Kana", "Thai", "Laoo", "Khmr", "Mymr", "Tibt")
    )
    return regex.compile(rf"(?:[{scripts}]\p{{M}}*)+")
