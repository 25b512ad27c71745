"""Pictures of lines of text: as sequences of columns, changed at random, drawn with installed fonts, found on a page."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ImageError, MissingDependencyError, ShapeError
from .picture import read_picture

__all__ = ["FontBook", "LineAugmentation", "as_columns", "find_lines", "grey", "installed_fonts", "synthetic_lines"]

Array = NDArray[Any]
Box = tuple[int, int, int, int]
#: The widest line, in heights: wider ones are most likely no line.
_WIDEST = 80
#: Beginnings of the names of fonts that draw signs where letters should be.
_SYMBOLS = (
    "LastResort",
    "cmsy",
    "cmex",
    "STIXSiz",
    "STIXNonUni",
    "DejaVuSansDisplay",
    "DejaVuSerifDisplay",
    "NotoColorEmoji",
)
#: Of lines that are found on a page: the least share of a row that is ink, the gap that parts a line, in heights of it, and
#: the margin of its box. Chosen on scanned receipts.
_ROW_OF_INK, _GAP, _MARGIN = 0.01, 1.5, 0.12


def grey(picture: Any, where: str) -> Array:
    """A picture in any form as grey pixels (H, W) of uint8."""
    if isinstance(picture, (str, os.PathLike)):
        read: Array = read_picture(picture, channels=1)[..., 0]
        return read
    pixels = np.asarray(picture)
    if pixels.ndim == 3 and pixels.shape[2] in (1, 3, 4):
        pixels = pixels[..., :3].mean(axis=2) if pixels.shape[2] > 1 else pixels[..., 0]
    if pixels.ndim != 2 or pixels.dtype.kind not in "uif":
        raise ShapeError(f"{where} must be a picture (H, W) or (H, W, C), or a file. Got {pixels.shape} of {pixels.dtype}.")
    if not pixels.size:
        raise ImageError(f"{where} has no pixels: {pixels.shape}.")
    if not np.isfinite(pixels).all():
        raise DataError(f"{where} has pixels that are not finite.")
    if pixels.dtype.kind == "f" and pixels.max() <= 1:
        pixels = pixels * 255
    whole: Array = np.clip(pixels, 0, 255).astype(np.uint8)
    return whole


def as_columns(picture: Any, height: int, *, where: str = "line") -> Array:
    """A line of text as columns (W, height, 1) of uint8 in the picture's proportions: ink is large, and paper is near 0.

    Parameters  picture : a file, or pixels (H, W) or (H, W, C), 0 ... 255, floats up to 1 too ; height : in pixels
    Raises      ImageError for a file that cannot be read, and a picture that is no line ; ShapeError, DataError for arrays

    Example
        >>> as_columns(np.full((16, 40), 255, np.uint8), 32).shape
        (80, 32, 1)
    """
    pixels = grey(picture, where)
    width = max(1, round(pixels.shape[1] * height / pixels.shape[0]))
    if width > _WIDEST * height:
        size = f"{pixels.shape[1]} × {pixels.shape[0]}"
        raise ImageError(f"{where}: a picture of {size} pixels is too wide for a line of text.")
    if pixels.shape != (height, width):
        from PIL import Image

        pixels = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
    # The border of a line is paper: where that is dark the text is light.
    ink = 255 - pixels if np.median(pixels) > 127 else pixels
    found: Array = np.ascontiguousarray(ink.T)[..., None]
    return found


@dataclass(frozen=True)
class LineAugmentation:
    """Random changes of the columns (W, H, 1) of a line: wider or narrower, higher or lower, paler, with noise.

    Parameters  width : share by which it is wider or narrower at most ; shift : pixels up or down at most ;
                contrast : share of the ink that is lost at most ; noise : standard deviation of what is added, of 255
    """

    width: float = 0.15
    shift: int = 2
    contrast: float = 0.4
    noise: float = 0.08

    def __call__(self, line: Array, rng: np.random.Generator) -> Array:
        count = max(1, round(len(line) * (1 + rng.uniform(-self.width, self.width))))
        places = np.linspace(0, len(line) - 1, count)
        low = places.astype(np.int64)
        high, share = np.minimum(low + 1, len(line) - 1), (places - low)[:, None, None]
        x = line[low] * (1 - share) + line[high] * share
        by = int(rng.integers(-self.shift, self.shift + 1))
        if by:
            x = np.roll(x, by, axis=1)
            x[:, slice(0, by) if by > 0 else slice(by, None)] = 0
        x = x * (1 - rng.uniform(0, self.contrast)) + rng.uniform(0, 40)
        x += 255 * rng.uniform(0, self.noise) * rng.standard_normal(x.shape)
        found: Array = np.clip(x, 0, 255).astype(np.uint8)
        return found


# ---------------------------------------------------------------- lines drawn with fonts


def installed_fonts() -> list[Path]:
    """The TrueType and OpenType fonts of this machine, sorted; those that come with Matplotlib among them."""
    folders = [
        Path("/usr/share/fonts"),
        Path("/usr/local/share/fonts"),
        Path.home() / ".fonts",
        Path.home() / ".local/share/fonts",
    ]
    if sys.platform == "darwin":
        folders += [Path("/System/Library/Fonts"), Path("/Library/Fonts"), Path.home() / "Library/Fonts"]
    if sys.platform == "win32":
        folders.append(Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts")
    try:
        import matplotlib

        folders.append(Path(matplotlib.get_data_path()) / "fonts" / "ttf")
    except ImportError:
        pass
    found = {p.resolve() for folder in folders if folder.is_dir() for p in folder.rglob("*")}
    return sorted(p for p in found if p.suffix.lower() in (".ttf", ".otf") and not p.name.startswith(_SYMBOLS))


def synthetic_lines(
    texts: Sequence[str], *, height: int = 32, fonts: Sequence[Any] | None = None, random_state: Any = None
) -> list[Array]:
    """Each text drawn with a font of this machine, drawn at random, as columns (W, height, 1).

    Margins, ink and a small blur differ from line to line. Fonts that lack a letter of the text are passed over.

    Raises      ImageError where no font has the letters of a text ; MissingDependencyError without Pillow

    Example
        >>> [line.shape[1:] for line in synthetic_lines(["Total 12.30"], random_state=0)]
        [(32, 1)]
    """
    try:
        from PIL import Image, ImageDraw, ImageFilter
    except ImportError as error:
        raise MissingDependencyError("PIL", "drawing lines of text", "images") from error
    rng, book = np.random.default_rng(random_state), FontBook(fonts)
    found = []
    for i, text in enumerate(texts):
        font = book.drawn(text, 28, rng, name=f"texts[{i}], {text!r:.60}")
        left, top, right, bottom = font.getbbox(text or " ")
        margin = rng.integers(1, 6, 4)
        size = int(right - left + margin[0] + margin[1]) or 1, int(bottom - top + margin[2] + margin[3]) or 1
        picture = Image.new("L", size, 255)
        ImageDraw.Draw(picture).text(
            (int(margin[0] - left), int(margin[2] - top)), text, font=font, fill=int(rng.integers(0, 90))
        )
        if rng.random() < 0.5:
            picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.2))))
        found.append(as_columns(np.asarray(picture), height, where=f"texts[{i}]"))
    return found


class FontBook:
    """Fonts in the sizes that they are drawn in, opened when they are first asked for.

    Parameters  fonts : files, None for those of this machine
    """

    def __init__(self, fonts: Sequence[Any] | None = None) -> None:
        self.places = list(installed_fonts() if fonts is None else fonts)
        self._opened: dict[tuple[Any, int], Any] = {}

    def drawn(self, text: str, size: int, rng: np.random.Generator, *, name: str) -> Any:
        """A font drawn at random among those that have all letters of a text.

        Parameters  size : in pixels ; name : of the text, for the error
        Raises      ImageError where no font has its letters
        """
        for at in rng.permutation(len(self.places))[:40]:
            font = self._font(self.places[at], size)
            if font is not None and self.has(font, text):
                return font
        raise ImageError(
            f"{name}: no font of this machine has its letters ({len(self.places)} fonts were found). "
            "Install a font, or name some by fonts=[...]."
        )

    def _font(self, place: Any, size: int) -> Any:
        from PIL import ImageFont

        if (place, size) not in self._opened:
            try:
                self._opened[place, size] = ImageFont.truetype(str(place), size)
            except OSError:
                self._opened[place, size] = None
        return self._opened[place, size]

    @staticmethod
    def has(font: Any, text: str) -> bool:
        """Whether a font draws each letter, and not the box that stands for those it lacks."""
        missing = font.getmask("\U0010ffff").getbbox(), bytes(font.getmask("\U0010ffff"))
        for letter in set(text) - {" "}:
            mask = font.getmask(letter)
            if (mask.getbbox(), bytes(mask)) == missing:
                return False
        return True


# ---------------------------------------------------------------- lines on a page


def find_lines(page: Any, *, least: int = 6) -> list[Box]:
    """Boxes (left, top, right, bottom) of the lines of a page, in reading order, by where there is ink.

    Ink is what is darker than the paper around it; rows with ink that touch are a line, which is parted where a gap is
    wider than one and a half of its heights. It is made for printed text in level lines on even paper; it
    knows no columns whose lines overlap in height, and nothing of slanted lines.

    Parameters  page : a file, or pixels (H, W) or (H, W, C) ; least : the height in pixels below which ink is no line
    Raises      as ``as_columns``
    """
    pixels = grey(page, "page").astype(np.float32)
    if np.median(pixels) <= 127:
        pixels = 255 - pixels
    paper = _paper(pixels)
    ink = paper - pixels > 0.25 * np.maximum(paper, 64)
    boxes: list[Box] = []
    inked: Array = np.asarray(ink.sum(axis=1) > _ROW_OF_INK * ink.shape[1])
    for top, bottom in _runs(inked, 1):
        if bottom - top < least:
            continue
        columns = ink[top:bottom].any(axis=0)
        for left, right in _runs(np.asarray(columns), round(_GAP * (bottom - top))):
            rows = np.flatnonzero(ink[top:bottom, left:right].any(axis=1))
            if right - left >= least / 2 and rows[-1] - rows[0] + 1 >= least:
                first, last = top + int(rows[0]), top + int(rows[-1]) + 1
                margin = round(_MARGIN * (last - first))
                boxes.append(
                    (
                        max(0, left - margin),
                        max(0, first - margin),
                        min(ink.shape[1], right + margin),
                        min(ink.shape[0], last + margin),
                    )
                )
    return boxes


def _paper(pixels: Array, block: int = 32) -> Array:
    """How light the paper is at each pixel: the 90th percentile of the blocks around."""
    rows, columns = (-(-n // block) for n in pixels.shape)
    padded = np.pad(pixels, ((0, rows * block - pixels.shape[0]), (0, columns * block - pixels.shape[1])), mode="edge")
    level = np.percentile(padded.reshape(rows, block, columns, block), 90, axis=(1, 3))
    around = np.pad(level, 1, mode="edge")
    smooth = np.max([around[i : i + rows, j : j + columns] for i in range(3) for j in range(3)], axis=0)
    found: Array = np.repeat(np.repeat(smooth, block, axis=0), block, axis=1)[: pixels.shape[0], : pixels.shape[1]]
    return found


def _runs(flags: Array, gap: int) -> list[tuple[int, int]]:
    """Stretches (start, stop) of True, joined over gaps of fewer than ``gap`` False."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    runs: list[tuple[int, int]] = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if runs and start - runs[-1][1] < gap:
            runs[-1] = (runs[-1][0], stop)
        else:
            runs.append((start, stop))
    return runs
