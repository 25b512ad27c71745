"""A set of pages that a detector of lines trains on: parts of pages, changed at random, with the maps of their lines."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..boxes.geometry import Floats
from ..data.batches import Batch
from ..errors import DataError, ParameterError
from ..images.background import default_workers, in_background
from ..images.lines import grey
from .maps import encoded_lines
from .quadrilaterals import bounds

__all__ = ["PageData", "as_ink"]

Rows = NDArray[np.int64]
#: Random changes of a part of a page: the zoom, the stretch of one axis, the turn in degrees; of ink and paper.
_ZOOM, _STRETCH, _TURN = 1.4, 1.15, 4.0
_PALER, _DARKER, _NOISE, _BLUR = 0.5, 60.0, 0.06, 0.9


def as_ink(page: Any, width: int, *, where: str = "page") -> tuple[NDArray[np.uint8], float]:
    """A page brought to a width, with ink large and paper near 0, and the factor by which it was made larger.

    Parameters  page : a file, or pixels (H, W) or (H, W, C) ; width : in pixels
    """
    from PIL import Image

    pixels = grey(page, where)
    factor = width / pixels.shape[1]
    height = max(1, round(pixels.shape[0] * factor))
    if pixels.shape != (height, width):
        # Pillow's filter covers all pixels that become one, so small print does not turn into dots.
        pixels = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
    return (255 - pixels if np.median(pixels) > 127 else pixels), factor


class PageData:
    """Parts of pages with maps of their lines, for ``Network.fit`` and ``evaluate``: x (N, size, size, 1) in [0, 1].

    In training each part lies at a random place, is larger or smaller, turned, paler and noisier; half of them lie around a
    line. Without random numbers they are the same parts every time and are not changed.

    Parameters
        pages : files, or arrays (H, W) or (H, W, C) ; lines : of each page, corners (n, 4, 2) in its pixels
        unread : of each page which lines do not count, None for none
        width : that pages are brought to, in pixels ; size : side of a part, a multiple of 16 = 320
        parts : of a page in an epoch = 4 ; change : whether parts are changed at random in training
        workers : threads that make batches ; keep_bytes : pages that are kept decoded
    Attributes  n_samples ; pages, lines
    """

    def __init__(
        self,
        pages: Sequence[Any],
        lines: Sequence[Floats],
        *,
        width: int,
        unread: Sequence[NDArray[np.bool_]] | None = None,
        size: int = 320,
        parts: int = 4,
        change: bool = True,
        workers: int | None = None,
        keep_bytes: int = 512 * 2**20,
    ) -> None:
        if not len(pages):
            raise DataError("PageData: there are no pages.")
        if len(pages) != len(lines):
            raise DataError(f"PageData: got {len(pages):,} pages and lines of {len(lines):,}.")
        if size < 16 or size % 16:
            raise ParameterError(f"PageData: size must be a multiple of 16. Got {size!r}.")
        self.pages, self.lines = list(pages), [np.asarray(one, np.float64).reshape(-1, 4, 2) for one in lines]
        self.unread = [np.zeros(len(one), bool) for one in self.lines] if unread is None else list(unread)
        self.width, self.size, self.parts, self.change = width, size, parts, change
        self.workers = default_workers() if workers is None else workers
        self.keep_bytes = keep_bytes
        self._kept: dict[int, tuple[NDArray[np.uint8], float]] = {}
        self._bytes = 0
        self.rows: Rows = np.arange(len(pages))

    @property
    def n_samples(self) -> int:
        """Parts of an epoch."""
        return len(self.rows) * self.parts

    @property
    def repeats_samples(self) -> bool:
        """Whether every epoch has the same samples."""
        return not self.change

    def __repr__(self) -> str:
        count = sum(len(self.lines[row]) for row in self.rows.tolist())
        return f"PageData({len(self.rows):,} pages {self.width} wide, {count:,} lines, parts of {self.size} × {self.size})"

    def take(self, rows: Any, *, change: bool | None = None) -> Self:
        """These pages alone."""
        found = copy.copy(self)
        found.rows = self.rows[np.asarray(rows, np.int64)]
        found.change = self.change if change is None else change
        return found

    def page(self, row: int) -> tuple[NDArray[np.uint8], float]:
        """The ink of a page at the width, and the factor that it was made larger by."""
        known = self._kept.get(row)
        if known is None:
            one = self.pages[row]
            known = as_ink(one, self.width, where=str(one) if isinstance(one, (str, Path)) else f"page {row}")
            if self._bytes + known[0].nbytes <= self.keep_bytes:
                self._bytes += known[0].nbytes
                self._kept[row] = known
        return known

    def batches(self, batch_size: int, rng: np.random.Generator | None = None, *, shuffle: bool = True) -> Iterator[Batch]:
        """One epoch, made by other threads ahead of time; see ``Batches``."""
        if batch_size < 1:
            raise ParameterError(f"batch_size must be at least 1, got {batch_size}.")
        order = np.arange(self.n_samples)
        if rng is not None and shuffle:
            order = rng.permutation(order)
        seed = None if rng is None or not self.change else int(rng.integers(2**63))

        def task(number: int) -> Callable[[], Batch]:
            parts = order[number * batch_size : (number + 1) * batch_size]
            return lambda: self._batch(parts.tolist(), seed)

        return in_background(map(task, range(math.ceil(self.n_samples / batch_size))), workers=self.workers)

    def _batch(self, parts: list[int], seed: int | None) -> Batch:
        x = np.empty((len(parts), self.size, self.size, 1), np.float32)
        maps = []
        for out, part in zip(x, parts, strict=True):
            row = int(self.rows[part // self.parts])
            rng = np.random.default_rng([row, part % self.parts] if seed is None else [seed, part])
            out[..., 0], target = self._part(row, rng, changed=seed is not None)
            maps.append(target)
        x /= 255
        return Batch((x,), (np.stack(maps),))

    def _part(self, row: int, rng: np.random.Generator, *, changed: bool) -> tuple[NDArray[Any], NDArray[np.float32]]:
        from PIL import Image, ImageFilter

        ink, factor = self.page(row)
        lines, (height, width), half = self.lines[row] * factor, ink.shape, self.size / 2
        if len(lines) and rng.random() < 0.5:
            left, top, right, bottom = bounds(lines[[rng.integers(len(lines))]])[0]
            middle = np.array([rng.uniform(left, right), (top + bottom) / 2 + rng.uniform(-half, half)])
        else:
            middle = np.array([rng.uniform(0, width), rng.uniform(0, height)])
        # Hardly a part shall show what lies beside the page, unless the page is smaller than a part.
        edge = 0.8 * half
        middle = np.array(
            [np.clip(m, min(edge, s / 2), max(s - edge, s / 2)) for m, s in zip(middle, (width, height), strict=True)]
        )
        scale, turn = np.ones(2), 0.0
        if changed:
            stretch = math.exp(rng.uniform(-1, 1) * math.log(_STRETCH))
            scale = math.exp(rng.uniform(-1, 1) * math.log(_ZOOM)) * np.array([stretch, 1 / stretch])
            turn = math.radians(rng.uniform(-_TURN, _TURN)) if rng.random() < 0.5 else 0.0
        # From the page to the part: p ↦ M (p − middle) + half, with M the turn after the scale.
        cosine, sine = math.cos(turn), math.sin(turn)
        matrix = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag(scale)
        back = np.linalg.inv(matrix)
        start = middle - back @ np.array([half, half])
        coefficients: Any = (*back[0], start[0], *back[1], start[1])
        picture = Image.fromarray(ink).transform(
            (self.size, self.size), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
        )
        if changed and rng.random() < 0.3:
            picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, _BLUR)))
        pixels = np.asarray(picture, np.float32)
        if changed:
            pixels = pixels * (1 - rng.uniform(0, _PALER)) + rng.uniform(0, _DARKER)
            pixels += 255 * rng.uniform(0, _NOISE) * rng.standard_normal(pixels.shape, np.float32)
            pixels = np.clip(pixels, 0, 255)
        seen = (lines - middle) @ matrix.T + half
        boxes = bounds(seen)
        near = (boxes[:, 2:] > 0).all(axis=1) & (boxes[:, :2] < self.size).all(axis=1)
        return pixels, encoded_lines(seen[near], (self.size, self.size), unread=self.unread[row][near])
