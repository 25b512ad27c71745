"""Pieces of words as tokens, as BERT and its relatives read them."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any, Self

from ...constraints import AnyOf, Boolean, Interval, OneOf
from ...errors import DataError, ModelFileError
from ._library import LibraryTokenizer, library
from .texts import as_texts

__all__ = ["WordPieceTokenizer"]

#: The tokens that stand for padding, what is unknown, the start and the end, in the order of their indices in a vocabulary
#: that is learned here; in that of a file they have other indices.
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
#: Letters inside of words that become tokens, at most, as many as the library takes of all letters.
_LETTERS = 1000


class WordPieceTokenizer(LibraryTokenizer):
    """Pieces of words are tokens: the longest ones of the vocabulary that a word begins with, one after the other. Every
    text begins with the token [CLS] and ends with [SEP].

    Sentence encoders such as MiniLM come with a vocabulary of this kind (``WordPieceTokenizer.from_file``). Learned and used
    by the library ``tokenizers`` (the extra "text").

    Parameters  size : int >= 200 = 8000, the number of tokens at most, of a vocabulary that is learned ; lowercase : bool =
                True, read A as a and é as e ; max_length : int >= 3, None or "auto", the most tokens of a text that are read
    Raises      MissingDependencyError where ``tokenizers`` is not installed
    References  Wu et al., Google's neural machine translation system, 2016 ; Devlin et al., BERT, NAACL 2019

    Example
        >>> tokenizer = WordPieceTokenizer(size=300).fit(["low lower lowest"] * 3)
        >>> tokenizer.decode(tokenizer.encode(["Lowest, lower"])[0])
        'lowest, lower'
    """

    name = "word_pieces"
    hyperparameters = {
        "size": Interval(int, 200),
        "lowercase": Boolean(),
        "max_length": AnyOf(Interval(int, 3, hint="A text begins with [CLS] and ends with [SEP]."), OneOf("auto", None)),
    }

    def __init__(self, *, size: int = 8000, lowercase: bool = True, max_length: int | str | None = "auto") -> None:
        self.size, self.lowercase, self.max_length = size, lowercase, max_length

    def fit(self, texts: Any) -> Self:
        """Learns the vocabulary of the texts: the same one of the same texts, in every process."""
        self.validate()
        tokenizers = library("WordPieceTokenizer")
        texts = as_texts(texts, name="texts")
        made = self._empty({})
        # The library meets words in an order that differs from process to process. Letters inside of words, which it would
        # number in that order, are numbered here; ties between pairs are then decided alike every time.
        inside = _letters_inside_words(made, texts, min(_LETTERS, int(self.size) // 2))
        trainer = tokenizers.trainers.WordPieceTrainer(
            vocab_size=int(self.size), special_tokens=[*_SPECIAL, *inside], show_progress=False
        )
        made.train_from_iterator(texts, trainer)
        made = self._empty(made.get_vocab())  # without the letters as special tokens
        made.add_special_tokens(list(_SPECIAL))
        made.post_processor = tokenizers.processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        self._hold(made)
        return self

    def _empty(self, vocabulary: dict[str, int]) -> Any:
        tokenizers = library("WordPieceTokenizer")
        made = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
        made.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=bool(self.lowercase))
        made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
        made.decoder = tokenizers.decoders.WordPiece()
        return made

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], *, max_length: int | str | None = 256) -> Self:
        """The tokenizer of a ``tokenizer.json``, as the library writes it and models on the hub have it.

        Raises      ModelFileError when the file cannot be read, or holds a tokenizer of another kind
        """
        tokenizers = library("WordPieceTokenizer")
        place = Path(path)
        self = cls(max_length=max_length)
        self.validate()
        try:
            self._hold(tokenizers.Tokenizer.from_str(place.read_text("utf-8")))
        except OSError as error:
            raise ModelFileError(f"{place}: the file cannot be read: {error.strerror or error}.") from error
        except Exception as error:  # the library raises bare exceptions
            raise ModelFileError(
                f"{place}: this is no tokenizer of word pieces, as tokenizer.json of a model of BERT's kind holds one "
                f"({error})."
            ) from error
        return self

    def _hold(self, made: Any) -> None:
        made.no_padding()
        made.no_truncation()
        made.encode_special_tokens = True  # "[SEP]" in a text is text
        special = [made.token_to_id(token) for token in _SPECIAL]
        if None in special or special[0] != 0:
            raise ValueError(f"it lacks one of the tokens {', '.join(_SPECIAL)}, or [PAD] is not the first one")
        super()._hold(made)
        self.unknown_ = int(special[1])
        self._end = int(special[3])

    def _encode(self, text: str) -> list[int]:
        found = list(self._tokenizer.encode(text).ids)
        if len(found) == 2:
            raise DataError(f"the text {text[:40]!r} has no token, so there is nothing to read in it. Leave such rows out.")
        return found

    def _cut(self, parts: list[list[int]], name: str) -> list[list[int]]:
        cut = super()._cut(parts, name)
        return [part if len(part) == len(whole) else [*part[:-1], self._end] for part, whole in zip(cut, parts, strict=True)]

    def _decode(self, indices: list[int]) -> str:
        return str(self._tokenizer.decode(indices, skip_special_tokens=True))


def _letters_inside_words(tokenizer: Any, texts: list[str], most: int) -> list[str]:
    """The most frequent letters after the first one of a word, as tokens, in the order of their code points."""
    counts: Counter[str] = Counter()
    for text in texts:
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text)):
            counts.update(word[1:])
    frequent = sorted(counts, key=lambda letter: (-counts[letter], letter))[:most]
    return [f"##{letter}" for letter in sorted(frequent)]
