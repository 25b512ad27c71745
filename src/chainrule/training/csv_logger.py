"""The numbers of every epoch as a CSV file."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import DataError, ParameterError
from .callbacks import Callback, Logs

if TYPE_CHECKING:
    from .state import FitState

__all__ = ["CSVLogger"]


class CSVLogger(Callback):
    """Writes one row for every epoch, as soon as the epoch is over: "epoch", and all numbers that History has.

    Parameters
        path : of the file ; append : go on at the end of a file of an earlier fit = False; its columns must be the same
    Raises      ParameterError when the folder does not exist or the columns differ ; DataError when the file cannot be
    written

    Example
        >>> import tempfile
        >>> from chainrule import Dense, Network
        >>> import numpy as np
        >>> place = os.path.join(tempfile.mkdtemp(), "log.csv")
        >>> X = np.ones((8, 2), np.float32)
        >>> net = Network([Dense(1)], random_state=0).fit(X, X[:, :1], epochs=2, callbacks=CSVLogger(place), verbose=0)
        >>> print(*(line.split(",")[0] for line in Path(place).read_text().splitlines()))
        epoch 1 2
    """

    on_every_rank = False
    changes_weights = False

    def __init__(self, path: str | os.PathLike[str], *, append: bool = False) -> None:
        self.path, self.append = path, append
        self._file: TextIO | None = None
        self._columns: list[str] = []

    def on_fit_begin(self, state: FitState) -> None:
        place = Path(self.path)
        if not place.parent.is_dir():
            raise ParameterError(f"CSVLogger: the folder {str(place.parent)!r} does not exist. Make it before the fit.")
        self._columns = []
        try:
            if self.append and place.is_file():
                with open(place, newline="", encoding="utf-8") as file:
                    self._columns = next(csv.reader(file), [])
            self._file = open(place, "a" if self._columns else "w", newline="", encoding="utf-8")  # noqa: SIM115
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"CSVLogger: {os.fspath(self.path)!r} cannot be written: {error}.") from error

    def on_epoch_end(self, state: FitState, epoch: int, logs: Logs) -> None:
        if self._file is None:
            return
        row: dict[str, Any] = {"epoch": epoch, **logs}
        writer = csv.DictWriter(self._file, self._columns or list(row), restval="", extrasaction="raise")
        try:
            if not self._columns:
                self._columns = list(row)
                writer.writeheader()
            writer.writerow(row)
            self._file.flush()
        except ValueError:
            raise ParameterError(
                f"CSVLogger: the columns of {os.fspath(self.path)!r} are {', '.join(self._columns)}; this fit has "
                f"{', '.join(row)}. Write to another file, or give append=False."
            ) from None
        except OSError as error:
            raise DataError(f"CSVLogger: {os.fspath(self.path)!r} cannot be written: {error}.") from error

    def on_fit_end(self, state: FitState) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; also called when a fit ends with an error."""
        if self._file is not None:
            self._file.close()
            self._file = None
