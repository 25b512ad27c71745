"""Texts to indices and back: tokenizers, each with a vocabulary learned from texts and saved with the model."""

from .base import END, PADDING, SPECIAL, START, UNKNOWN, LongTextWarning, Tokenizer, get_tokenizer
from .byte_pairs import BytePairTokenizer
from .characters import CharacterTokenizer
from .texts import as_texts, is_text
from .word_pieces import WordPieceTokenizer
from .words import WordTokenizer

__all__ = [
    "END",
    "PADDING",
    "SPECIAL",
    "START",
    "UNKNOWN",
    "BytePairTokenizer",
    "CharacterTokenizer",
    "LongTextWarning",
    "Tokenizer",
    "WordPieceTokenizer",
    "WordTokenizer",
    "as_texts",
    "get_tokenizer",
    "is_text",
]
