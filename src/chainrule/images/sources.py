"""Where the pixels come from: an array, or files that are decoded when they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from .picture import read_mask, read_picture

__all__ = ["ArraySource", "FileSource", "Source"]

Array = NDArray[Any]
Rows = NDArray[np.int64]


class Source(Protocol):
    """Pictures by number.

    Attributes  shape : of one picture ; n : how many there are ; dtype : of the pixels
    """

    shape: tuple[int, ...]
    n: int
    dtype: np.dtype[Any]

    def fetch(self, rows: Rows) -> tuple[Array, Rows]:
        """An array of pictures, and the places in it where those of ``rows`` are."""


class ArraySource:
    """Pictures that are in an array already. A memory map stays on disk; the rows asked for are read.

    Parameters  dtype : given for masks, whose numbers stay as they are; pictures are uint8, uint16 or become float32
    """

    def __init__(self, array: Array, *, dtype: Any = None) -> None:
        self.array, self.shape, self.n = array, array.shape[1:], len(array)
        as_it_is = dtype is not None or array.dtype in (np.uint8, np.uint16, np.float32)
        self.dtype = array.dtype if as_it_is else np.dtype(np.float32)
        self._direct = as_it_is and array.flags.c_contiguous and not isinstance(array, np.memmap)

    def fetch(self, rows: Rows) -> tuple[Array, Rows]:
        if self._direct:
            return self.array, rows
        # Ascending rows are read several times faster from disk than rows in any order.
        order = np.argsort(rows, kind="stable")
        block = np.ascontiguousarray(self.array[rows[order]]).view(np.ndarray)
        places = np.empty(len(rows), np.int64)
        places[order] = np.arange(len(rows))
        return block.astype(self.dtype, copy=False), places


class FileSource:
    """Pictures (or masks) in files. Those decoded are kept while there is room, so that later epochs need no decoding.

    Parameters
        paths ; shape : (H, W, C), or (H, W) of masks ; resize : whether pictures are brought to that size, else another
            size is an error ; fit : how ; keep_bytes : of decoded pictures that are kept in memory
        masks_of : the pictures that the masks belong to, None for pictures
    """

    def __init__(
        self,
        paths: Sequence[Path],
        shape: tuple[int, ...],
        *,
        resize: bool,
        fit: str,
        keep_bytes: int,
        masks_of: Sequence[Path] | None = None,
    ) -> None:
        self.paths, self.shape, self.n, self.dtype = paths, shape, len(paths), np.dtype(np.uint8)
        self.resize, self.fit, self.masks_of = resize, fit, masks_of
        self._kept_count = min(self.n, keep_bytes // max(1, int(np.prod(shape))))
        # Memory is only taken for what is written: an empty array costs nothing yet.
        self._kept: NDArray[np.uint8] = np.empty((self._kept_count, *shape), np.uint8)
        self._is_kept = np.zeros(self._kept_count, bool)
        self._lock = threading.Lock()

    def fetch(self, rows: Rows) -> tuple[Array, Rows]:
        inside = rows[rows < self._kept_count]
        if len(inside) == len(rows) and self._is_kept[rows].all():
            return self._kept, rows
        block: NDArray[np.uint8] = np.empty((len(rows), *self.shape), np.uint8)
        for place, row in enumerate(rows.tolist()):
            if row < self._kept_count and self._is_kept[row]:
                block[place] = self._kept[row]
                continue
            block[place] = self.read(row)
            if row < self._kept_count:
                with self._lock:
                    self._kept[row] = block[place]
                    self._is_kept[row] = True
        return block, np.arange(len(rows))

    def read(self, row: int) -> NDArray[np.uint8]:
        """Decodes one file.

        Raises      ImageError naming it
        """
        path, size = self.paths[row], (self.shape[0], self.shape[1])
        wanted = size if self.resize else None
        if self.masks_of is not None:
            pixels = read_mask(path, size=wanted, fit=self.fit, of=self.masks_of[row])
        else:
            pixels = read_picture(path, channels=self.shape[2], size=wanted, fit=self.fit)
        if pixels.shape[:2] != size:
            raise ImageError(
                f"{path}: {pixels.shape[0]} × {pixels.shape[1]} pixels (height × width), and the first picture, "
                f"{self.paths[0]}, has {size[0]} × {size[1]}. Pictures of several sizes need size=, which resizes them all."
            )
        return pixels
