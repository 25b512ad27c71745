"""Tokenizers that the library ``tokenizers`` learns and runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import MissingDependencyError
from .base import Tokenizer

__all__ = ["LibraryTokenizer", "library"]


class LibraryTokenizer(Tokenizer):
    """Base of the tokenizers that hold an object of the library, whose description as text is kept in copies and models.

    A subclass says by ``_hold`` what the object must be like.
    """

    _tokenizer: Any

    def _hold(self, made: Any) -> None:
        self._tokenizer = made
        self.vocabulary_ = [made.id_to_token(i) for i in range(made.get_vocab_size())]

    def split(self, text: str) -> list[str]:
        self._require_fitted()
        return list(self._tokenizer.encode(text, add_special_tokens=False).tokens)

    def join(self, tokens: Sequence[str]) -> str:
        index = {token: i for i, token in enumerate(self.vocabulary_)}
        return self._decode([index[token] for token in tokens])

    def _learned(self) -> dict[str, Any]:
        return {"tokenizer": self._tokenizer.to_str()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._hold(library(type(self).__name__).Tokenizer.from_str(state["tokenizer"]))

    # The library's object is one of Rust; copies and pickles of a model take its description instead.

    def __getstate__(self) -> dict[str, Any]:
        state = dict(vars(self))
        if "_tokenizer" in state:
            state["_tokenizer"] = self._tokenizer.to_str()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if "_tokenizer" in state:
            self._hold(library(type(self).__name__).Tokenizer.from_str(state["_tokenizer"]))


def library(owner: str) -> Any:
    """The module ``tokenizers``. Raises  MissingDependencyError"""
    try:
        import tokenizers
    except ImportError as error:
        raise MissingDependencyError("tokenizers", owner, "text") from error
    return tokenizers
