"""What a tokenizer is: a way to cut texts into tokens, and a vocabulary that numbers them.

    fit(texts)        learns the vocabulary
    encode(texts)     texts -> Sequences of indices
    decode(indices)   indices -> text

Four indices mean the same everywhere: 0 is padding, 1 a token that is not in the vocabulary, 2 and 3 are the start and the
end of a text.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from ...constraints import AnyOf, Interval, OneOf
from ...errors import DataError, DtypeError, ModelFileError, NotFittedError, ParameterError, ShapeError
from ...registry import Configurable, from_config, named, register, to_config
from ..sequences import Sequences
from ..unknown import MOSTLY, UnknownValuesWarning
from .texts import as_texts

__all__ = ["END", "PADDING", "SPECIAL", "START", "UNKNOWN", "LongTextWarning", "Tokenizer", "get_tokenizer"]

PADDING, UNKNOWN, START, END = range(4)
#: A text with a larger share of unknown tokens cannot be read.
_NEARLY_ALL = 0.9
#: By default at least so many tokens of a text are read, and so many times the median number of tokens.
_FEWEST_READ, _MEDIANS_READ = 512, 16
#: The tokens of the indices that mean the same everywhere.
SPECIAL = ("<padding>", "<unknown>", "<start>", "<end>")


class LongTextWarning(UserWarning):
    """Texts are much longer than the others, and only their beginning is read."""


class Tokenizer(Configurable):
    """Base of the tokenizers. A subclass says how a text is cut (``split``) and put together again (``join``).

    Attributes
        max_length : the most tokens of a text that are read: an int, None for all, or "auto", which lets ``encode`` choose
        vocabulary_ : (after fit) list of all tokens, the four special ones first ; a token's place is its index
        limit_ : (after ``encode(choose_limit=True)``) the most tokens that are read, None for all
    """

    max_length: int | str | None = "auto"

    limit_: int | None
    #: The index of a token that is not in the vocabulary.
    unknown_: int = UNKNOWN
    registry: ClassVar[dict[str, type[Tokenizer]]] = {}
    #: Name by which users ask for it.
    name: ClassVar[str] = ""
    hyperparameters = {"max_length": AnyOf(Interval(int, 1), OneOf("auto", None))}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        register(Tokenizer.registry, cls)

    # ------------------------------------------------------------ what a subclass says

    def split(self, text: str) -> list[str]:
        """The tokens of a text."""
        raise NotImplementedError

    def join(self, tokens: Sequence[str]) -> str:
        """A text from its tokens."""
        raise NotImplementedError

    # ------------------------------------------------------------ the vocabulary

    def fit(self, texts: Any) -> Self:
        """Learns the vocabulary from these texts, the most frequent tokens first (in alphabetical order where equal).

        Raises      as ``as_texts`` ; ParameterError for an argument out of its range
        """
        self.validate()
        counts = Counter(token for text in as_texts(texts, name="texts") for token in self.split(text))
        self._set(self._chosen(counts))
        return self

    def _chosen(self, counts: Counter[str]) -> list[str]:
        """The tokens of the vocabulary, without the special ones."""
        return [token for token, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]

    def _set(self, tokens: Iterable[str]) -> None:
        self.vocabulary_ = [*SPECIAL, *(token for token in tokens if token not in SPECIAL)]
        self._index = {token: i for i, token in enumerate(self.vocabulary_)}

    def __len__(self) -> int:
        """The number of indices V."""
        self._require_fitted()
        return len(self.vocabulary_)

    def __bool__(self) -> bool:
        return True

    def _require_fitted(self) -> None:
        if not hasattr(self, "vocabulary_"):
            raise NotFittedError(f"This {type(self).__name__} has no vocabulary yet. Call fit(texts) first.")

    # ------------------------------------------------------------ using

    def encode(
        self, texts: Any, *, start: bool = False, end: bool = False, name: str = "X", choose_limit: bool = False
    ) -> Sequences:
        """The indices of each text's tokens.

        Parameters  start, end : put the index of the start before, of the end behind ; name : what the errors call the texts
                    choose_limit : whether ``max_length="auto"`` becomes, from these texts, 16 times the median number of
                    tokens, and 512 at least, for these and all later texts
        Raises      as ``as_texts`` ; NotFittedError
        Warns       UnknownValuesWarning when nearly all tokens of most texts are unknown ; LongTextWarning when texts
        are cut
        """
        self._require_fitted()
        parts = [self._encode(text) for text in as_texts(texts, name=name)]
        if choose_limit and self.max_length == "auto":
            lengths = [len(part) for part in parts]
            limit = max(_FEWEST_READ, int(_MEDIANS_READ * np.median(lengths)))
            self.limit_ = limit if max(lengths) > limit else None
        parts = self._cut(parts, name)
        empty = next((i for i, part in enumerate(parts) if not part), None)
        if empty is not None:
            raise DataError(f"{name}[{empty}] has no token, so there is nothing to read in it. Leave such rows out.")
        before, behind = [START] * start, [END] * end
        whole = [[*before, *part, *behind] for part in parts] if start or end else parts
        self._warn_of_unknown(parts, name)
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in whole])])
        return Sequences.from_flat(np.fromiter((i for part in whole for i in part), np.int32, offsets[-1]), offsets)

    def _cut(self, parts: list[list[int]], name: str) -> list[list[int]]:
        """The tokens of each text that are read, with a warning where these are not all."""
        limit = getattr(self, "limit_", None) if self.max_length == "auto" else self.max_length
        if limit is None:
            return parts
        long = [i for i, part in enumerate(parts) if len(part) > int(limit)]
        if long:
            have = f"{len(long):,} of {len(parts):,} texts have" if len(parts) > 1 else "the text has"
            warnings.warn(
                f"{name}: {have} more than {int(limit):,} tokens ({name}[{long[0]}]: {len(parts[long[0]]):,}); the rest "
                "of them "
                f"is not read. To read more or less, set max_length of {type(self).__name__}, None for all.",
                LongTextWarning,
                stacklevel=3,
            )
        return [part[: int(limit)] for part in parts] if long else parts

    def _warn_of_unknown(self, parts: list[list[int]], name: str) -> None:
        unread = [i for i, part in enumerate(parts) if part.count(self.unknown_) > _NEARLY_ALL * len(part)]
        if len(unread) > MOSTLY * len(parts):
            texts = f"{len(unread):,} of {len(parts):,} texts hold" if len(parts) > 1 else "the text holds"
            warnings.warn(
                f"{name}: {texts} hardly a token that is among the {len(self.vocabulary_) - len(SPECIAL):,} of the "
                "vocabulary, such as "
                f"{name}[{unread[0]}], so nothing can be read in them. Train on texts of this kind; if these are the "
                "training texts, "
                'count rarer words (WordTokenizer(min_count=1)), or use "characters" or "byte_pairs".',
                UnknownValuesWarning,
                stacklevel=3,
            )

    def _encode(self, text: str) -> list[int]:
        return [self._index.get(token, UNKNOWN) for token in self.split(text)]

    def decode(self, indices: Any) -> str:
        """The text of one sample's indices, up to the end; padding and start are left out.

        Raises      DataError for an index outside the vocabulary ; ShapeError for the indices of several samples ;
                    DtypeError for what is no index
        """
        self._require_fitted()
        kept = []
        samples = isinstance(indices, Sequences) or (isinstance(indices, (list, tuple)) and any(map(np.ndim, indices)))
        if samples or np.ndim(indices) > 1:
            raise ShapeError(
                "decode takes the indices of one sample, (T,). For several: [tokenizer.decode(i) for i in ...]."
            )
        array = np.asarray(indices).reshape(-1)
        if array.dtype.kind not in "iu" and array.size:
            raise DtypeError(f"decode: indices must be whole numbers, got {array.dtype}.")
        for i in array.tolist():
            if not 0 <= i < len(self.vocabulary_):
                raise DataError(f"an index must be in 0, ..., {len(self.vocabulary_) - 1} (the vocabulary). Got {i}.")
            if i == END:
                break
            if i not in (PADDING, START):
                kept.append(int(i))
        return self._decode(kept)

    def _decode(self, indices: list[int]) -> str:
        return self.join([self.vocabulary_[i] for i in indices])

    # ------------------------------------------------------------ keeping

    def state(self) -> dict[str, Any]:
        """All that makes the fitted tokenizer again, as JSON can hold it."""
        self._require_fitted()
        limit = {} if getattr(self, "limit_", None) is None else {"limit": self.limit_}
        return {"kind": self.name, "settings": to_config(self)["args"], **limit, **self._learned()}

    def _learned(self) -> dict[str, Any]:
        return {"vocabulary": self.vocabulary_[len(SPECIAL) :]}

    def _restore(self, state: Mapping[str, Any]) -> None:
        tokens = state["vocabulary"]
        if not isinstance(tokens, list) or not all(isinstance(t, str) for t in tokens) or len(set(tokens)) != len(tokens):
            raise ValueError("its vocabulary must be a list of different texts")
        self._set(tokens)

    @staticmethod
    def from_state(state: Any) -> Tokenizer:
        """The tokenizer that ``state`` described.

        Raises      ModelFileError when the state is damaged
        """
        try:
            kind, settings = state["kind"], dict(state["settings"])
            known = Tokenizer.registry[kind]
            made: Tokenizer = from_config({"class": known.__name__, "args": settings}, {kind: known})
            made._restore(state)
            limit = state.get("limit")
            if limit is not None and (type(limit) is not int or limit < 1):
                raise ValueError(f"it reads {limit!r} tokens of a text")
            made.limit_ = limit
        except ModelFileError:
            raise
        except Exception as error:
            # The values come from a file and nobody has checked them: whatever they lead to, the file is bad.
            raise ModelFileError(f"The saved tokenizer is damaged: {type(error).__name__}: {error}.") from error
        return made


def get_tokenizer(tokenizer: str | Tokenizer) -> Tokenizer:
    """The tokenizer of this name with its defaults, or the tokenizer itself.

    Raises      UnknownNameError, with the names ; ParameterError for what is neither
    """
    if isinstance(tokenizer, Tokenizer):
        return tokenizer
    if not isinstance(tokenizer, str):
        raise ParameterError(f'A tokenizer must be a name such as "words", or a Tokenizer. Got {tokenizer!r}.')
    return named("tokenizer", tokenizer, Tokenizer.registry)()
