"""Rows as numbers in files, for trainings on more of them than the memory holds."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import DataError, ParameterError

from ._types import Array
from .batches import Batch

__all__ = ["RowStore", "StoredRows"]

#: Bytes of a file of rows, which is read whole; and the most files, which then are larger.
_FILE_BYTES, _MOST_FILES = 16 * 2**20, 256


class StoredRows:
    """A data set of rows in files; ``fit`` and ``evaluate`` take it in place of X and y. A ``RowStore`` makes one.

    Each row lies in a file that was drawn for it. An epoch takes the files in random order and the rows of each in random
    order, so a batch holds rows from all over the table, while the disk is read from front to end. One file is in memory.

    Attributes  n_samples
    """

    def __init__(self, folder: Any, files: Sequence[Path], kind: np.dtype[Any], n: int) -> None:
        self._folder, self._files, self._kind, self._n = folder, list(files), kind, n

    @property
    def n_samples(self) -> int:
        return self._n

    def batches(self, batch_size: int, rng: np.random.Generator | None = None, *, shuffle: bool = True) -> Iterator[Batch]:
        """One epoch of batches. Parameters  as of ``Batches``"""
        if batch_size < 1:
            raise ParameterError(f"batch_size must be at least 1, got {batch_size}.")
        mixed = rng is not None and shuffle
        files = [self._files[i] for i in rng.permutation(len(self._files))] if rng is not None and mixed else self._files
        rest: Array = np.empty(0, self._kind)
        for file in files:
            rows: Array = np.fromfile(file, self._kind)
            if rng is not None and mixed:
                rows = rows[rng.permutation(len(rows))]
            if len(rest):
                rows = np.concatenate([rest, rows])
            whole = len(rows) - len(rows) % batch_size
            for at in range(0, whole, batch_size):
                yield self._batch(rows[at : at + batch_size])
            rest = rows[whole:].copy()
        if len(rest):
            yield self._batch(rest)

    def _batch(self, rows: Array) -> Batch:
        names = self._kind.names or ()
        inputs = tuple(np.ascontiguousarray(rows[name]) for name in names if name.startswith("x"))
        return Batch(inputs, (np.ascontiguousarray(rows["y"]),))

    def __repr__(self) -> str:
        return f"StoredRows({self._n:,} rows, {self._kind.itemsize} bytes each, in {len(self._files)} files)"


class _Folder:
    """A temporary folder that is deleted when nobody uses it any more."""

    def __init__(self) -> None:
        self.name = tempfile.mkdtemp(prefix="chainrule-rows-")
        weakref.finalize(self, shutil.rmtree, self.name, ignore_errors=True)


class RowStore:
    """Writes rows to files, each row to one that is drawn for it.

    The files lie in a temporary folder (TMPDIR says where), which is deleted when nothing uses the rows any more.

    Parameters  expected : about how many rows will come ; rng : draws the files

    Example
        >>> store = RowStore(1000, np.random.default_rng(0))
        >>> store.append([np.arange(6, dtype=np.float32).reshape(3, 2)], np.array([0, 1, 0]))
        >>> rows = store.finish()
        >>> rows.n_samples, next(rows.batches(2)).inputs[0].shape
        (3, (2, 2))
    """

    def __init__(self, expected: int, rng: np.random.Generator) -> None:
        self._folder = _Folder()
        self._expected, self._rng = expected, rng
        self._kind: np.dtype[Any] | None = None
        self._files: list[Path] = []
        self._n = 0

    def append(self, inputs: Sequence[Array], y: Array) -> None:
        """Writes some more rows. Parameters  inputs : (n, ...) each ; y : (n,)

        Raises      DataError when the disk is too small
        """
        if self._kind is None:
            fields = [(f"x{i}", x.dtype, x.shape[1:]) for i, x in enumerate(inputs)]
            self._kind = np.dtype([*fields, ("y", y.dtype, y.shape[1:])])
            size = self._kind.itemsize * self._expected
            free = shutil.disk_usage(self._folder.name).free
            if size > free:
                raise DataError(
                    f"The rows take about {size:,} bytes as numbers, and {self._folder.name} has room for {free:,}. Name a "
                    "larger folder by the environment variable TMPDIR."
                )
            count = min(_MOST_FILES, max(1, -(-size // _FILE_BYTES)))
            self._files = [Path(self._folder.name) / f"{i}.rows" for i in range(count)]
        rows = np.empty(len(y), self._kind)
        for i, x in enumerate(inputs):
            rows[f"x{i}"] = x
        rows["y"] = y
        chosen = self._rng.integers(len(self._files), size=len(y))
        order = np.argsort(chosen, kind="stable")
        ends = np.searchsorted(chosen[order], np.arange(len(self._files) + 1))
        rows = rows[order]
        try:
            for i, file in enumerate(self._files):
                if ends[i] < ends[i + 1]:
                    with file.open("ab") as stream:
                        rows[ends[i] : ends[i + 1]].tofile(stream)
        except OSError as error:
            raise DataError(f"{self._folder.name}: the rows cannot be kept there: {error.strerror or error}.") from error
        self._n += len(y)

    def finish(self) -> StoredRows:
        """The data set. Raises  DataError for no rows"""
        if self._kind is None or not self._n:
            raise DataError("There are no rows to learn from.")
        files = [file for file in self._files if file.exists()]
        return StoredRows(self._folder, files, self._kind, self._n)
