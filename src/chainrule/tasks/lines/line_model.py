"""A network that reads lines of text, and pages by their lines."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...data import Sequences
from ...errors import DataError, ImageError, ModelFileError, ParameterError
from ...images import picture_files
from ...images.folder import PICTURES
from ...images.lines import as_columns, find_lines, grey
from ...model import Network
from ...pages import FoundLine
from ..scores import Prediction, Scores
from ..task_model import Samples, TaskModel
from ..transcription import Units, score_texts
from ..words import some
from .line_set import has_lines, read_line_set

__all__ = ["FoundLine", "LineModel"]

Array = NDArray[Any]
_FORMAT = 1


class LineModel(TaskModel):
    """A network that reads lines of text of any width, and the characters that its outputs stand for.

    ``chainrule.load`` gives one for a model file that ``chainrule train --task read`` wrote.

    Parameters
        network : from columns and widths to logits of CTC ; height : of a line in pixels ; units : characters ;
        facts : plain data about the training
    Data        what ``predict`` and the others take: the path of a picture of one line, or of a folder of them; a list of
                paths and of arrays (H, W) or (H, W, C). The truth is known from a file labels.csv. ``read_page`` reads pages
    """

    file_key: ClassVar[str] = "lines"
    noun: ClassVar[tuple[str, str]] = ("line", "lines")

    def __init__(self, network: Network, height: int, units: Units, facts: Mapping[str, Any] | None = None) -> None:
        self._network, self.height, self.units = network, int(height), units
        self.facts = dict(facts or {})

    @property
    def network(self) -> Network:
        return self._network

    @property
    def target(self) -> str:
        return "text"

    @property
    def labels(self) -> None:
        return None

    @property
    def compared_by(self) -> str:
        return "exact"

    # ------------------------------------------------------------ lines

    def read(self, data: Any, y: Any = None, **reading: Any) -> Samples:
        if reading:
            raise ParameterError(f"{next(iter(reading))} is no option of lines. Leave it out.")
        if isinstance(data, Samples):
            return data
        single = isinstance(data, (str, os.PathLike)) or (
            isinstance(data, np.ndarray) and data.ndim <= 3 and data.dtype != object
        )
        parts = [data] if single else list(data)
        given: list[Any] = []
        names: list[str] = []
        texts: list[str] | None = []
        for part in parts:
            if not isinstance(part, (str, os.PathLike)) or not Path(part).is_dir():
                names.append(str(part) if isinstance(part, (str, os.PathLike)) else str(len(given)))
                given.append(part)
                texts = None
                continue
            folder = Path(part)
            if has_lines(folder):
                found = read_line_set(folder)
                given, names = given + found.pictures, names + found.names
                texts = None if texts is None else texts + found.texts
                continue
            files = picture_files(folder)
            if not files:
                raise ImageError(f"{folder}: there is no picture in it ({PICTURES.formats}).")
            given, names, texts = [*given, *files], names + [str(file) for file in files], None
        if not given:
            raise DataError("there is no line to read.")
        lines = [as_columns(one, self.height, where=name) for one, name in zip(given, names, strict=True)]
        truth = texts if y is None else [str(text) for text in y]
        if truth is not None and len(truth) != len(lines):
            raise DataError(f"y has {len(truth)} texts for {len(lines)} lines. Give one for each.")
        against = "the file of labels" if y is None else "y"
        missing = "" if truth is not None else "the lines have no texts."
        return Samples(Sequences(lines), len(lines), lambda: {"line": names}, truth, None, against, missing, names=names)

    def prediction(self, samples: Samples) -> Prediction:
        texts, sure = self._texts(samples.data, beams=6)
        return Prediction(np.array(texts, dtype=object), sure[:, None])

    def _texts(self, lines: Sequences, *, beams: int) -> tuple[list[str], NDArray[np.float64]]:
        x = Sequences.from_flat(lines.values.astype(np.float32) / 255, lines.offsets)
        return self.units.read(self.network.predict([x, x.lengths.astype(np.int32)]), beams=beams)

    def scores(self, samples: Samples, prediction: Prediction) -> Scores:
        return score_texts(samples.truth, prediction.values.tolist())

    def score(self, data: Any, y: Any = None, **reading: Any) -> float:
        """The share of lines without an error. Parameters and errors as in ``evaluate``"""
        return self.evaluate(data, y, **reading)["exact"]

    def predict_proba(self, data: Any, **reading: Any) -> Array:
        raise AttributeError("A LineModel writes texts, which are not classes. Use predict.")

    # ------------------------------------------------------------ pages

    def read_page(self, page: Any, *, boxes: Sequence[Sequence[float]] | None = None) -> list[FoundLine]:
        """The lines of a page in reading order, each with its text, its box and how sure it is.

        Parameters  page : a file, or pixels (H, W) or (H, W, C) ; boxes : (left, top, right, bottom) of the lines, where
                    they are known; None finds them by where there is ink, see ``chainrule.images.lines.find_lines``
        Raises      ImageError for a page that cannot be read ; ParameterError for boxes outside it
        """
        pixels = grey(page, "page")
        found = [tuple(round(float(v)) for v in box) for box in boxes] if boxes is not None else find_lines(pixels)
        if not found:
            return []
        lines = []
        height, width = pixels.shape
        for i, (left, top, right, bottom) in enumerate(found):
            if not (0 <= left < right <= width and 0 <= top < bottom <= height):
                raise ParameterError(
                    f"read_page: box {i}, {found[i]}, does not lie on the page of {width} × {height} pixels."
                )
            lines.append(as_columns(pixels[top:bottom, left:right], self.height, where=f"line {i}"))
        texts, sure = self._texts(Sequences(lines), beams=6)
        return [FoundLine(text, box, float(p)) for text, box, p in zip(texts, found, sure, strict=True)]  # type: ignore[arg-type]

    # ------------------------------------------------------------ files

    def state(self) -> dict[str, Any]:
        held = {"format": _FORMAT, "height": self.height, "units": self.units.state(), "facts": self.facts}
        return {self.file_key: held}

    @classmethod
    def from_state(cls, network: Network, extra: Mapping[str, Any], place: Any) -> Self:
        held = extra[cls.file_key]
        if held["format"] > _FORMAT:
            raise ModelFileError(f"it was written by a newer chainrule (line format {held['format']}). Upgrade chainrule.")
        self = cls(network, held["height"], Units.from_state(held["units"]), held["facts"])
        shapes = network.input_shapes or [()]
        if shapes[0][1:] != (self.height, 1) or network.output_shapes[0][-1] != len(self.units) + 1:
            raise ModelFileError("its network and its preprocessing do not belong together.")
        return self

    # ------------------------------------------------------------ words

    def description(self) -> list[tuple[str, list[tuple[str, str]]]]:
        shown = some(["space" if name == " " else name for name in self.units.names], 40)
        rows = [("Texts", f"of {len(self.units)} {self.units.kind}: {shown}"), *self.trained_on()]
        return [("", rows), ("Preprocessing", [("Lines", f"grey, {self.height} pixels high, of any width")])]

    def __repr__(self) -> str:
        return f"LineModel({len(self.units)} {self.units.kind}; {self.network.parameters.count:,} parameters)"
