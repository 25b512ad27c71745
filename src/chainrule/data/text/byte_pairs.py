"""Byte pairs as tokens."""

from __future__ import annotations

from typing import Any, Self

from ...constraints import Boolean, Interval
from ._library import LibraryTokenizer, library
from .base import SPECIAL
from .texts import as_texts

__all__ = ["BytePairTokenizer"]


class BytePairTokenizer(LibraryTokenizer):
    """Pieces of words are tokens, found by byte-pair encoding: beginning with bytes, the most frequent pair is made one
    token, again and again. No text is unknown, and decoding gives back what was encoded.

    Learned and used by the library ``tokenizers`` (the extra "text"); its description is kept in the model's JSON.

    Parameters  size : int >= 260 = 8000, the number of tokens at most ; lowercase : bool = False, read A as a ;
                max_length : int, None or "auto", the most tokens of a text that are read
    Raises      MissingDependencyError where ``tokenizers`` is not installed
    References  Sennrich, Haddow and Birch, Neural machine translation of rare words with subword units, ACL 2016

    Example
        >>> tokenizer = BytePairTokenizer(size=300).fit(["low lower lowest"] * 3)
        >>> tokenizer.decode(tokenizer.encode(["lowest, café"])[0])
        'lowest, café'
    """

    name = "byte_pairs"
    hyperparameters = {
        "size": Interval(int, 260, hint="The bytes are 256 tokens, and there are four special ones."),
        "lowercase": Boolean(),
    }

    def __init__(self, *, size: int = 8000, lowercase: bool = False, max_length: int | str | None = "auto") -> None:
        self.size, self.lowercase, self.max_length = size, lowercase, max_length

    def fit(self, texts: Any) -> Self:
        self.validate()
        tokenizers = library("BytePairTokenizer")
        made = tokenizers.Tokenizer(tokenizers.models.BPE())
        made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = tokenizers.decoders.ByteLevel()
        if self.lowercase:
            made.normalizer = tokenizers.normalizers.Lowercase()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=int(self.size),
            special_tokens=list(SPECIAL),
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        made.train_from_iterator(as_texts(texts, name="texts"), trainer)
        self._hold(made)
        return self

    def _hold(self, made: Any) -> None:
        made.encode_special_tokens = True  # "<end>" in a text is text
        super()._hold(made)
        if tuple(self.vocabulary_[: len(SPECIAL)]) != SPECIAL:
            raise ValueError("its first tokens are not the special ones")

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _decode(self, indices: list[int]) -> str:
        return str(self._tokenizer.decode(indices, skip_special_tokens=False))
