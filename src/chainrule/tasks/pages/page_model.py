"""A network that finds the lines of pages, with or without a model that reads them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, ImageError, ModelFileError, ParameterError
from ...images import picture_files
from ...images.folder import PICTURES
from ...images.lines import grey
from ...losses import DifferentiableBinarization
from ...metrics import character_error_rate
from ...model import Network
from ...pages import FoundLine, bounds, cut_line, decoded_lines, line_scores, matched_lines, reading_order
from ...pages.annotations import TextPage, is_text_pages, read_text_pages
from ...pages.maps import STRIDE
from ...pages.page_data import as_ink
from ..scores import Prediction, Scores
from ..task import all_tasks
from ..task_model import Samples, TaskModel

__all__ = ["PageModel", "text_map"]

Array = NDArray[Any]
_FORMAT = 1
#: Pages go through the network in strips of so many rows, of which so many at the cut edges are seen and not used. The last
#: strip is filled up to a multiple, so that a few plans serve pages of all heights.
_STRIP, _SEEN, _MULTIPLE = 1024, 64, 64


def text_map(network: Network, ink: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The probability of text at every place of a page (H, W) of ink, whose width is a multiple of 16: (⌈H / 2⌉, W / 2)."""
    height, width = ink.shape
    out = np.zeros((-(-height // STRIDE), width // STRIDE), np.float32)
    for top in range(0, height, _STRIP - 2 * _SEEN):
        rows = min(_STRIP, height - top)
        x = np.zeros((1, -(-rows // _MULTIPLE) * _MULTIPLE, width, 1), np.float32)
        x[0, :rows, :, 0] = ink[top : top + rows] / np.float32(255)
        found = DifferentiableBinarization().prediction(network.predict(x))[0, : -(-rows // STRIDE), :, 0]
        skipped = 0 if top == 0 else _SEEN // STRIDE
        out[top // STRIDE + skipped : top // STRIDE + len(found)] = found[skipped:]
        if top + rows >= height:
            break
    return out


class PageModel(TaskModel):
    """Finds the lines of text of pages, and reads them where it holds a model that reads lines.

    ``chainrule.load`` gives one for a model file that ``chainrule train --task detect-text`` wrote.

    Parameters
        finder : network from a page's ink to maps of text and of thresholds, of any size
        page_width : in pixels, that pages are brought to ; threshold, enlarged : see ``chainrule.pages.decoded_lines``
        reader : a model that writes down the text in pictures of lines, None for none
        facts : plain data about the training
    Data        what ``predict`` and the others take: the path of a picture of a page, or of a folder of them; a list of
                paths and of arrays (H, W) or (H, W, C). The truth is known from text files beside the pictures, see
                ``chainrule.pages.read_text_pages``. A prediction is a list of ``FoundLine`` in reading order for each page
    """

    file_key: ClassVar[str] = "pages"
    noun: ClassVar[tuple[str, str]] = ("page", "pages")

    def __init__(
        self,
        finder: Network,
        *,
        page_width: int,
        threshold: float = 0.5,
        enlarged: float = 1.0,
        reader: TaskModel | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        if reader is not None and reader.target != "text":
            raise ParameterError(
                f"The reader of a PageModel must write down the text in pictures of lines. Got a {type(reader).__name__}."
            )
        self.finder, self.page_width, self.reader = finder, int(page_width), reader
        self.threshold, self.enlarged = float(threshold), float(enlarged)
        self.facts = dict(facts or {})
        self._whole: Network | None = None

    @property
    def network(self) -> Network:
        """The network that finds lines; with a reader the one network that both are parts of, each with its own inputs."""
        if self.reader is None:
            return self.finder
        if self._whole is None:
            parts = (self.finder, self.reader.network)
            self._whole = Network(
                inputs=[x for part in parts for x in part.inputs], outputs=[y for part in parts for y in part.outputs]
            )
            self._whole.build()
        return self._whole

    @property
    def target(self) -> str:
        return "lines"

    @property
    def labels(self) -> None:
        return None

    # ------------------------------------------------------------ pages

    def read(self, data: Any, y: Any = None, *, wrong_boxes: str | None = None, **reading: Any) -> Samples:
        if reading:
            raise ParameterError(f"{next(iter(reading))} is no option of pages. Leave it out.")
        if isinstance(data, Samples):
            return data
        if y is not None:
            raise ParameterError("PageModel: the truth is read from the text files beside pictures, not given as y.")
        single = isinstance(data, (str, os.PathLike)) or (
            isinstance(data, np.ndarray) and data.ndim <= 3 and data.dtype != object
        )
        pages: list[Any] = []
        truth: list[TextPage] | None = []
        for part in [data] if single else list(data):
            if isinstance(part, TextPage):
                found, known = [part.picture], [part]
            elif isinstance(part, (str, os.PathLike)) and Path(part).is_dir():
                known = read_text_pages(part, wrong=wrong_boxes or "clip") if is_text_pages(Path(part)) else []
                found = [page.picture for page in known] or picture_files(part)
                if not found:
                    raise ImageError(f"{part}: there is no picture in it ({PICTURES.formats}).")
            else:
                found, known = [part], []
            pages += found
            truth = truth + known if truth is not None and len(known) == len(found) else None
        if not pages:
            raise DataError("there is no page to read.")
        names = [str(one) if isinstance(one, (str, os.PathLike)) else str(i) for i, one in enumerate(pages)]
        missing = "" if truth is not None else "the pages have no text files with their lines."
        notes = [] if truth is None else [str(fault) for page in truth for fault in page.wrong][:3]
        return Samples(
            pages, len(pages), lambda: {"page": names}, truth, None, "the text files", missing, names=names, notes=notes
        )

    def prediction(self, samples: Samples) -> Prediction:
        values = np.empty(samples.count, dtype=object)
        for i, page in enumerate(samples.data):
            values[i] = self.read_page(page)
        return Prediction(values)

    def find(self, page: Any) -> tuple[Array, Array]:
        """The corners (n, 4, 2) of the lines of a page in its pixels, in reading order, and their scores (n,).

        Parameters  page : a file, or pixels (H, W) or (H, W, C)
        """
        where = str(page) if isinstance(page, (str, os.PathLike)) else "page"
        pixels = grey(page, where)
        ink, factor = as_ink(pixels, self.page_width, where=where)
        lines, scores = decoded_lines(text_map(self.finder, ink), threshold=self.threshold, enlarged=self.enlarged)
        lines = np.clip(lines / factor, 0, [pixels.shape[1], pixels.shape[0]])
        order = reading_order(bounds(lines))
        return lines[order], scores[order]

    def read_page(self, page: Any) -> list[FoundLine]:
        """The lines of a page in reading order, each with its box; with their texts where the model holds a reader.

        Parameters  page : a file, or pixels (H, W) or (H, W, C)
        Raises      ImageError for a page that cannot be read
        """
        lines, scores = self.find(page)
        texts, sure = [""] * len(lines), scores
        if self.reader is not None and len(lines):
            pixels = grey(page, "page")
            read = self.reader.prediction(self.reader.read([cut_line(pixels, line) for line in lines]))
            assert read.probabilities is not None
            texts, sure = read.values.tolist(), read.probabilities[:, 0]
        return [
            FoundLine(text, _whole_pixels(box), float(p), tuple((float(x), float(y)) for x, y in line))
            for text, box, p, line in zip(texts, bounds(lines), sure, lines, strict=True)
        ]

    def scores(self, samples: Samples, prediction: Prediction) -> Scores:
        assert samples.truth is not None
        found = [np.array([line.box for line in page], np.float64).reshape(-1, 4) for page in prediction.values]
        true, unread = [bounds(page.lines) for page in samples.truth], [page.unread for page in samples.truth]
        values = line_scores(true, found, unread)
        pairs = [pair for pair in self._texts(samples.truth, true, found, prediction) if pair[0]]
        if pairs:
            values["character error rate"] = character_error_rate([a for a, _ in pairs], [b for _, b in pairs])
        return Scores(values, [], samples.count)

    def _texts(
        self, truth: Sequence[TextPage], true: Sequence[Array], found: Sequence[Array], prediction: Prediction
    ) -> Iterator[tuple[str, str]]:
        """The true and the read text of each true line; a line that was not found was read as nothing."""
        if self.reader is None:
            return
        for page, boxes, seen, lines in zip(truth, true, found, prediction.values, strict=True):
            if page.texts is None:
                continue
            numbers = matched_lines(boxes, seen, page.unread)[0].tolist()
            for j, text in enumerate(page.texts):
                if not page.unread[j]:
                    yield " ".join(text.split()), lines[numbers.index(j)].text if j in numbers else ""

    def score(self, data: Any, y: Any = None, **reading: Any) -> float:
        """The F1 of found lines. Parameters and errors as in ``evaluate``"""
        return self.evaluate(data, y, **reading)["f1"]

    def predict_proba(self, data: Any, **reading: Any) -> Array:
        raise AttributeError("A PageModel finds lines, which are not classes. Use predict.")

    # ------------------------------------------------------------ files

    def state(self) -> dict[str, Any]:
        held = {
            "format": _FORMAT,
            "page width": self.page_width,
            "threshold": self.threshold,
            "enlarged": self.enlarged,
            "facts": self.facts,
            "reader": None if self.reader is None else self.reader.state(),
        }
        return {self.file_key: held}

    @classmethod
    def from_state(cls, network: Network, extra: Mapping[str, Any], place: Any) -> Self:
        held = extra[cls.file_key]
        if held["format"] > _FORMAT:
            raise ModelFileError(f"it was written by a newer chainrule (page format {held['format']}). Upgrade chainrule.")
        finder, reader = network, None
        if held["reader"] is not None:
            kinds = [task for task in all_tasks() if task.file_key in held["reader"]]
            if len(network.inputs) < 2 or len(network.outputs) < 2 or len(kinds) != 1:
                raise ModelFileError("its reader is not there.")
            finder, lines = (
                Network(inputs=inputs, outputs=outputs)
                for inputs, outputs in ((network.inputs[0], network.outputs[0]), (network.inputs[1:], network.outputs[1]))
            )
            for part in (finder, lines):
                part.build()
            reader = kinds[0].model().from_state(lines, held["reader"], place)
        shapes = finder.input_shapes or [()]
        if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][-1] != 1 or finder.output_shapes[0][-1] != 2:
            raise ModelFileError("its network does not find lines on pages.")
        return cls(
            finder,
            page_width=held["page width"],
            threshold=held["threshold"],
            enlarged=held.get("enlarged", 1.0),
            reader=reader,
            facts=held["facts"],
        )

    # ------------------------------------------------------------ words

    def description(self) -> list[tuple[str, list[tuple[str, str]]]]:
        what = "none: lines are found and not read" if self.reader is None else repr(self.reader)
        pixels = f"grey, {self.page_width} pixels wide, of any height"
        return [("", [("Reader", what), *self.trained_on()]), ("Preprocessing", [("Pages", pixels)])]

    def __repr__(self) -> str:
        what = "finds lines" if self.reader is None else "finds and reads lines"
        return f"PageModel({what}; {self.network.parameters.count:,} parameters)"


def _whole_pixels(box: Array) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(float(v)) for v in box)
    return left, top, max(right, left + 1), max(bottom, top + 1)
