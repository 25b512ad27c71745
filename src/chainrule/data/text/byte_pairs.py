"""Byte pairs as tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from ...constraints import Boolean, Interval
from ...errors import MissingDependencyError
from .base import SPECIAL, Tokenizer
from .texts import as_texts

__all__ = ["BytePairTokenizer"]


class BytePairTokenizer(Tokenizer):
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
        tokenizers = _library()
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
        self._hold_tokenizer(made)
        return self

    def _hold_tokenizer(self, made: Any) -> None:
        made.encode_special_tokens = True  # "<end>" in a text is text
        self._tokenizer = made
        self.vocabulary_ = [made.id_to_token(i) for i in range(made.get_vocab_size())]
        if tuple(self.vocabulary_[: len(SPECIAL)]) != SPECIAL:
            raise ValueError("its first tokens are not the special ones")

    def split(self, text: str) -> list[str]:
        self._require_fitted()
        return list(self._tokenizer.encode(text, add_special_tokens=False).tokens)

    def join(self, tokens: Sequence[str]) -> str:
        index = {token: i for i, token in enumerate(self.vocabulary_)}
        return self._decode([index[token] for token in tokens])

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _decode(self, indices: list[int]) -> str:
        return str(self._tokenizer.decode(indices, skip_special_tokens=False))

    def _learned(self) -> dict[str, Any]:
        return {"tokenizer": self._tokenizer.to_str()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._hold_tokenizer(_library().Tokenizer.from_str(state["tokenizer"]))

    # The library's object is one of Rust; copies and pickles of a model take its description instead.

    def __getstate__(self) -> dict[str, Any]:
        state = dict(vars(self))
        if "_tokenizer" in state:
            state["_tokenizer"] = self._tokenizer.to_str()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if "_tokenizer" in state:
            self._hold_tokenizer(_library().Tokenizer.from_str(state["_tokenizer"]))


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise MissingDependencyError("tokenizers", "BytePairTokenizer", "text") from error
    return tokenizers
