"""Where ``chainrule predict`` writes predictions: a CSV file, or standard output."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from ..data import write_predictions
from ..errors import ParameterError
from .options import path_to_write
from .terminal import neutral

__all__ = ["check_place", "is_csv", "write"]


_CSV = (".csv", ".txt")


def is_csv(output: Path) -> bool:
    """Whether the place is a CSV file, or standard output, rather than one that a task writes itself."""
    return str(output) == "-" or output.suffix.lower() in _CSV


def check_place(output: Path | None, others: Sequence[str] = ()) -> bool:
    """Whether predictions go to standard output; ParameterError, before the work, for a file that cannot be written.

    Parameters  others : places besides a CSV file that the task of the model writes to, in words
    """
    to_stdout = output is not None and str(output) == "-"
    if output is not None and not to_stdout:
        if is_csv(output):
            path_to_write("--output", output)
        elif not others:
            path_to_write("--output", output)
            raise ParameterError(f"--output: predictions are written as CSV; name the file .csv. Got {str(output)!r}.")
        elif output.suffix.lower() == ".json":
            path_to_write("--output", output)
        elif output.suffix and not output.is_dir():
            raise ParameterError(f"--output: give a .csv file, {', or '.join(others)}. Got {str(output)!r}.")
    return to_stdout


def write(output: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Writes the columns to the file, or to standard output for "-"."""
    if str(output) != "-":
        write_predictions(output, columns)
        return
    if sys.stdout.isatty():
        text = io.StringIO()
        _write_rows(text, columns)
        sys.stdout.write(neutral(text.getvalue()))
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="strict")  # as in a file
    _write_rows(sys.stdout, columns)


def _write_rows(stream: TextIO, columns: Mapping[str, Sequence[Any]]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
