"""From pages and settings to a training of a network that finds lines which can begin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...architectures.text_detector import text_detector
from ...boxes.checking import said
from ...errors import DataError, ParameterError
from ...images.picture import read_header
from ...losses import DifferentiableBinarization
from ...model import Network
from ...optimizers import OneCycle
from ...pages import PageData, TextPage, bounds, decoded_lines, line_scores, read_text_pages, synthetic_pages
from ...training import Callback, WeightAveraging
from ...training.settings import FitSettings
from ..loading import load
from ..task import PreparedNetwork
from ..task_model import TaskModel
from . import TASK
from .page_model import PageModel, text_map
from .settings import PageSettings

if TYPE_CHECKING:
    from ...training import FitState

__all__ = ["PageParts", "ShowFoundLines", "prepare", "read", "resume"]

#: Steps that a training has by default, and the bounds of the epochs that they are made of.
_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 1500, 8, 200
#: The side of the parts of pages that are learned from, and how many of a page make an epoch.
_SIZE, _PARTS = 320, 4
#: The height that most lines get, and the bounds of the width of pages.
_HEIGHT, _NARROWEST, _WIDEST = 20.0, 320, 2048
#: The peak of the learning rate, the share of the training in which it rises, and the decay of weights.
_RATE, _WARM, _DECAY = 0.003, 0.1, 0.01
#: The average of the weights, over the last part of the epochs.
_AVERAGE_FROM, _AVERAGE = 0.7, 0.9
#: Thresholds, and shares of the offset by which lines are made larger, that are tried on the pages to validate on. A network
#: that has learned for a short time marks more than the inside of lines. Without such pages the defaults are taken.
_THRESHOLDS, _ENLARGED = (0.3, 0.4, 0.5, 0.6, 0.7), (0.4, 0.6, 0.8, 1.0)
_DEFAULT = (0.5, 1.0)
#: Texts of drawn pages where the pages have none.
_TEXTS = ("Total 12.30", "No. 4, Main Street", "Thank you", "25/03/2018", "1 x 9.90", "Cash", "Item 00173", "5 %")


class PageParts(NamedTuple):
    """Pages to train on, to validate on and to test on. Parameters  drawn : pages that were drawn ; reader ; notes"""

    train: list[TextPage]
    validation: list[TextPage]
    test: list[TextPage]
    drawn: list[tuple[Any, Any, list[str]]]
    page_width: int
    reader: TaskModel | None
    notes: list[str]


class ShowFoundLines(Callback):
    """Adds "val_f1", the F1 of the lines found on validation pages, to the numbers of an epoch.

    Parameters  data : the pages ; every : epochs from one measurement to the next; the number stays between them
    """

    def __init__(self, data: PageData, *, every: int = 1) -> None:
        self.data, self.every = data, every
        self._last = 0.0

    def measure(self, state: FitState, epoch: int) -> Mapping[str, float]:
        if (epoch - 1) % self.every == 0 or epoch == state.epochs:
            assert isinstance(state.network, Network)
            self._last = _tried(state.network, self.data, [_DEFAULT])[0][2]
        return {"val_f1": self._last}


def _tried(
    network: Network, data: PageData, choices: Sequence[tuple[float, float]] | None = None
) -> list[tuple[float, float, float]]:
    """(threshold, share of the offset, F1 of the lines found on pages) of each choice, None for all, the best one first."""
    maps = []
    for row in data.rows.tolist():
        ink, factor = data.page(row)
        maps.append((text_map(network, ink), factor, row))
    true, unread = [bounds(data.lines[row]) for *_, row in maps], [data.unread[row] for *_, row in maps]
    tried = []
    for threshold, enlarged in choices or [(a, b) for a in _THRESHOLDS for b in _ENLARGED]:
        found = [bounds(decoded_lines(text, threshold=threshold, enlarged=enlarged)[0] / factor) for text, factor, _ in maps]
        tried.append((threshold, enlarged, line_scores(true, found, unread)["F1"]))
    return sorted(tried, key=lambda one: -one[2])


# ---------------------------------------------------------------- reading


def read(settings: PageSettings) -> PageParts:
    """The pages in parts. Raises  DataError, ImageError naming the file ; ParameterError for a reader that reads no lines"""
    reader = None
    if settings.reader is not None:
        reader = load(settings.reader)
        if not isinstance(reader, TaskModel) or reader.target != "text" or reader.noun[0] != "line":
            raise ParameterError(
                f"--reader {settings.reader} holds a {type(reader).__name__}, which does not read pictures of lines. "
                "Train one "
                "with --task read."
            )
    wrong = settings.wrong_boxes or "clip"
    own = {p.name.lower(): p for p in settings.data.iterdir() if p.is_dir()} if settings.data.is_dir() else {}
    whole = read_text_pages(own.get("train", settings.data), wrong=wrong)
    found: dict[str, list[TextPage]] = {}
    for part, names in (("validation", ("val", "valid", "validation")), ("test", ("test",))):
        named = getattr(settings, part) or (next((own[n] for n in names if n in own), None) if "train" in own else None)
        if named is not None:
            found[part] = read_text_pages(named, wrong=wrong)
    rng = np.random.default_rng(settings.random_state)
    for part, share in zip(("test", "validation"), settings.shares, strict=True):
        if part in found or not share:
            continue
        held = round(share * len(whole))
        if not held or held >= len(whole):
            if getattr(settings, f"{part}_fraction") is None:
                continue  # nobody asked for a part of so few pages
            raise DataError(
                f"{settings.data}: {len(whole)} pages cannot be divided with --{part}-fraction {share:g}. Give more "
                "pages, or "
                f"--{part}-fraction 0."
            )
        order = rng.permutation(len(whole))
        found[part], whole = ([whole[i] for i in np.sort(rows)] for rows in (order[:held], order[held:]))
    if not any(len(page.lines) for page in whole) and not settings.synthetic:
        raise DataError(
            f"{settings.data}: none of the {len(whole):,} pages to train on has a line. There is nothing to learn."
        )
    texts = [text for page in whole for text in page.texts or ()] or list(_TEXTS)
    drawn = synthetic_pages(texts, settings.synthetic, random_state=rng) if settings.synthetic else []
    notes = said([fault for page in whole for fault in page.wrong])
    if drawn:
        notes.append(f"{len(drawn):,} pages more are drawn with the fonts of this machine.")
    return PageParts(
        whole, found.get("validation", []), found.get("test", []), drawn, settings.page_width or _fitting_width(whole),
        reader, notes,
    )  # fmt: skip


def _fitting_width(pages: Sequence[TextPage]) -> int:
    """The width at which the middle one of the lines has 20 pixels in height."""
    wanted = []
    for page in pages:
        if len(page.lines):
            boxes = bounds(page.lines)
            height = float(np.median(boxes[:, 3] - boxes[:, 1]))
            wanted.append(read_header(page.picture)[1] * _HEIGHT / max(height, 1.0))
    width = float(np.median(wanted)) if wanted else 448.0
    return int(min(max(32 * round(width / 32), _NARROWEST), _WIDEST))


def _data(pages: Sequence[TextPage], width: int, *, change: bool, drawn: Sequence[Any] = ()) -> PageData:
    pictures: list[Any] = [page.picture for page in pages] + [pixels for pixels, _, _ in drawn]
    lines = [page.lines for page in pages] + [lines for _, lines, _ in drawn]
    unread = [page.unread for page in pages] + [np.zeros(len(lines), bool) for _, lines, _ in drawn]
    size = min(_SIZE, width // 16 * 16)
    return PageData(pictures, lines, width=width, unread=unread, size=size, parts=_PARTS, change=change)


# ---------------------------------------------------------------- preparing


def prepare(data: PageParts, settings: PageSettings) -> PreparedNetwork:
    """A new network for the pages, and its training."""
    train = _data(data.train, data.page_width, change=settings.augment == "light", drawn=data.drawn)
    validation = _data(data.validation, data.page_width, change=False) if data.validation else None
    network = text_detector(width=settings.width, random_state=settings.random_state, dtype=settings.dtype)
    fit = _fit_settings(settings, train, validation)

    def make(trained: Network, facts: Mapping[str, Any]) -> PageModel:
        threshold, enlarged = _DEFAULT if validation is None else _tried(trained, validation)[0][:2]
        return PageModel(
            trained, page_width=data.page_width, threshold=threshold, enlarged=enlarged, reader=data.reader, facts=facts
        )

    return PreparedNetwork(
        TASK,
        f"{settings.data}: {len(data.train):,} pages",
        network,
        (train,),
        fit,
        make,
        settings.data.resolve().name,
        len(data.train),
        description=_description(settings, data, network, fit),
        facts={"augmentation": settings.augment},
        test=data.test or None,
        units={"loss": "loss of differentiable binarisation", "f1": "F1 of found lines"},
    )


def resume(model: PageModel, settings: PageSettings) -> PreparedNetwork:
    """More training of the network of a model, with its own settings where none is set."""
    pages = read_text_pages(settings.data, wrong=settings.wrong_boxes or "clip")
    data = _data(pages, model.page_width, change=True)
    return PreparedNetwork(
        TASK,
        f"{settings.data}: {len(pages):,} pages",
        model.finder,
        (data,),
        settings.resumed(model.finder),
        lambda network, facts: PageModel(
            network, page_width=model.page_width, threshold=model.threshold, enlarged=model.enlarged,
            reader=model.reader,
            facts={**model.facts, **facts},
        ),
        settings.data.resolve().name,
        len(pages),
    )  # fmt: skip


def _fit_settings(settings: PageSettings, data: PageData, validation: PageData | None) -> FitSettings:
    n = data.n_samples
    batch_size = min(settings.batch_size or 4, n)
    steps = math.ceil(n / batch_size)
    epochs = settings.epochs or min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, math.ceil(_STEPS / steps)))
    optimizer = settings.make_optimizer()
    if settings.weight_decay is None and settings.optimizer is None:
        optimizer.weight_decay = _DECAY
    rate = settings.learning_rate or (_RATE if settings.optimizer is None else float(optimizer.learning_rate))
    callbacks: list[Callback] = [WeightAveraging(start=_AVERAGE_FROM, decay=_AVERAGE)] if epochs > 3 else []
    if validation is not None:
        callbacks.append(ShowFoundLines(validation, every=max(1, math.ceil(epochs / 20))))
    return FitSettings.of(
        {
            "loss": DifferentiableBinarization(),
            "optimizer": optimizer,
            "learning_rate": OneCycle(rate, total=epochs * steps, warm=_WARM),
            "epochs": epochs,
            "batch_size": batch_size,
            "metrics": [],
            "callbacks": callbacks,
            **settings.machine(),
        }
    )


def _description(settings: PageSettings, data: PageParts, network: Network, fit: FitSettings) -> list[tuple[str, str]]:
    lines = sum(len(page.lines) for page in data.train)
    counts = [len(part) for part in data[:3]]
    optimizer: Any = fit.optimizer
    rate: Any = fit.learning_rate
    return [
        ("Data", f"{settings.data}: {sum(counts):,} pages, {lines:,} lines to train on"),
        ("Inputs", f"grey pages {data.page_width} pixels wide, in parts of {_SIZE} × {_SIZE} pixels at most"),
        ("Split", f"{counts[0]:,} pages to train on, {counts[1]:,} to validate on, {counts[2]:,} to test on"),
        ("Augmentation", settings.augment),
        ("Reader", "none, lines are only found; --reader MODEL adds one" if data.reader is None else repr(data.reader)),
        *(("Note", note) for note in data.notes),
        ("Network", f"differentiable binarisation, {network.parameters.count:,} parameters"),
        (
            "Training",
            f"{optimizer.name} with weight decay {optimizer.weight_decay:g}, rate up to {rate.peak:g}, batches of "
            f"{fit.batch_size}, {fit.epochs} epochs",
        ),
    ]
