"""What tasks that write down sequences share: units of texts, decoding, and metrics of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..data import Sequences, beam_search_decode, best_path_decode
from ..errors import DataError, ModelFileError, ParameterError
from ..metrics import character_error_rate, word_error_rate
from .scores import Scores
from .words import some

__all__ = ["Units", "guess_texts", "preview_of_texts", "score_texts", "table_of_texts"]

#: Texts of at most so many different words are written in words, others in characters.
_FEW_WORDS = 200
#: Texts that are shown on the screen.
_SHOWN = 20


@dataclass(frozen=True)
class Units:
    """What texts are made of: the characters or the words that occur, each with a number from 1 on; 0 is the blank of CTC.

    Parameters  names : the characters or words in the order of their numbers ; kind : "characters" or "words"

    Example
        >>> units = Units.of(["cab", "bad"], "characters")
        >>> units.encode(["dab"], name="text"), units.decode([2, 1, 4])
        ([[4, 1, 2]], 'bad')
    """

    names: tuple[str, ...]
    kind: str

    @classmethod
    def of(cls, texts: Sequence[str], kind: str = "auto") -> Self:
        """The units of texts. Parameters  kind : "auto" takes words where there are few different ones, parted by spaces

        Raises      DataError when all texts are empty ; ParameterError for another kind
        """
        if kind not in ("auto", "characters", "words"):
            raise ParameterError(f"units must be auto, characters or words. Got {kind!r}.")
        words = sorted({word for text in texts for word in text.split()})
        if not words:
            raise DataError("every text is empty, so there is nothing to learn to write.")
        if kind == "auto":
            several = sum(len(text.split()) > 1 for text in texts) > len(texts) / 4
            kind = "words" if several and len(words) <= _FEW_WORDS and 4 * len(words) <= len(texts) else "characters"
        if kind == "words":
            return cls(tuple(words), kind)
        return cls(tuple(sorted({letter for text in texts for letter in " ".join(text.split())})), kind)

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, texts: Sequence[str], *, name: str) -> list[list[int]]:
        """The numbers of the units of each text; white space is one space.

        Raises      DataError naming the text and what in it is not known
        """
        numbers = {unit: i for i, unit in enumerate(self.names, 1)}
        found = []
        for i, text in enumerate(texts):
            parts = text.split() if self.kind == "words" else " ".join(text.split())
            unknown = sorted({part for part in parts if part not in numbers})
            if unknown:
                what = "word" if self.kind == "words" else "character"
                raise DataError(
                    f"{name}[{i}], {text!r:.60}, has the {what} {unknown[0]!r}, which the model does not know. "
                    f"It knows {some(list(self.names), 20)}."
                )
            found.append([numbers[part] for part in parts])
        return found

    def knows(self, text: str) -> bool:
        """Whether the text is made of these units alone."""
        return set(text.split() if self.kind == "words" else " ".join(text.split())) <= set(self.names)

    def decode(self, labels: Sequence[int]) -> str:
        """The text of numbers of units."""
        joint = " " if self.kind == "words" else ""
        return " ".join(joint.join(self.names[label - 1] for label in labels).split())

    def read(self, outputs: Sequences, *, beams: int = 1) -> tuple[list[str], NDArray[np.float64]]:
        """(texts, probabilities) of the outputs of a network with CTC.

        Parameters  outputs : logits (T, K) of each sample ; beams : prefixes that are kept, 1 takes the best path, whose
                    probability is that of the path
        """
        if beams > 1:
            best = [found[0] for found in beam_search_decode(outputs, beams=beams)]
            return [self.decode(labels) for labels, _ in best], np.exp([score for _, score in best])
        texts = [self.decode(labels) for labels in best_path_decode(outputs)]
        sure = []
        for z in outputs:
            top = z.max(axis=1, keepdims=True).astype(np.float64)
            sure.append(float(np.exp(-np.log(np.exp(z - top).sum(axis=1)).sum())))
        return texts, np.array(sure)

    def state(self) -> dict[str, Any]:
        """The data that a model file holds."""
        return {"names": list(self.names), "kind": self.kind}

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """The units of a model file. Raises  ModelFileError"""
        names = tuple(state["names"])
        if state["kind"] not in ("characters", "words") or not names or len(set(names)) < len(names):
            raise ModelFileError("its units of texts are damaged.")
        return cls(names, state["kind"])


def score_texts(truth: Sequence[str], found: Sequence[str]) -> Scores:
    """The metrics of texts that were written down: error rates, and the share of texts without an error."""
    true, read = [" ".join(text.split()) for text in truth], [" ".join(text.split()) for text in found]
    values = {"exact": float(np.mean([a == b for a, b in zip(true, read, strict=True)]))}
    if any(true):
        values = {
            "character error rate": character_error_rate(true, read),
            "word error rate": word_error_rate(true, read),
            **values,
        }
    return Scores(values, [], len(true))


def guess_texts(training: Sequence[str], truth: Sequence[str]) -> tuple[str, Scores]:
    """The metrics of the guess that is the most frequent text of the training, and what it is called."""
    texts, counts = np.unique(np.array(training, dtype=object).astype(str), return_counts=True)
    most = str(texts[counts.argmax()])
    return "most frequent text", score_texts(truth, [most] * len(truth))


def table_of_texts(samples: Any, prediction: Any) -> Mapping[str, Sequence[Any]]:
    """The columns of a CSV file: those of the samples, the texts, and how probable they are."""
    sure = [round(float(p), 6) for p in prediction.probabilities[:, 0]]
    return {**samples.columns(), "text": prediction.values.tolist(), "probability": sure}


def preview_of_texts(samples: Any, prediction: Any) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Headings and the first rows for the screen."""
    columns = table_of_texts(samples, prediction)
    rows = [tuple(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row)
            for row in zip(*(list(cells)[:_SHOWN] for cells in columns.values()), strict=True)]  # fmt: skip
    return tuple(columns), rows
