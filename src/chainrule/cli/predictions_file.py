"""Where ``chainrule predict`` writes predictions: a CSV or Parquet file, or standard output."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.csv_file import Write, csv_writer, predictions_writer
from ..errors import ParameterError
from .options import path_to_write
from .terminal import neutral

if TYPE_CHECKING:
    from ..tasks.task import Task

__all__ = ["check_place", "is_table", "writer"]


_TABLES = (".csv", ".txt", ".parquet")


def is_table(output: Path) -> bool:
    """Whether the place is a CSV or Parquet file, or standard output, rather than one that a task writes itself."""
    return str(output) == "-" or output.suffix.lower() in _TABLES


def check_place(output: Path | None, task: Task | None = None) -> bool:
    """Whether predictions go to standard output; ParameterError, before the work, for a file that cannot be written.

    Parameters  task : of the model, which may write to other places than a table, None while it is not known
    """
    to_stdout = output is not None and str(output) == "-"
    others = () if task is None else task.writes
    if task is not None and output is not None and not task.writes_tables and is_table(output):
        raise ParameterError(
            f"--output: {task.name} gives pictures, no table. Name {', or '.join(others)}. Got {str(output)!r}."
        )
    if output is not None and not to_stdout:
        if is_table(output):
            path_to_write("--output", output)
        elif not others:
            path_to_write("--output", output)
            raise ParameterError(
                f"--output: predictions are written as CSV or Parquet; name the file .csv or .parquet. Got {str(output)!r}."
            )
        elif task is not None and output.suffix.lower() in task.formats and not output.is_dir():
            path_to_write("--output", output)
        elif output.suffix and not output.is_dir():
            known = (*(("a .csv or .parquet file",) if task is None or task.writes_tables else ()), *others)
            raise ParameterError(f"--output: give {', or '.join(known)}. Got {str(output)!r}.")
    return to_stdout


@contextmanager
def writer(output: Path) -> Iterator[Write]:
    """A function that writes some more rows to the file, or to standard output for "-"."""
    if str(output) != "-":
        with predictions_writer(output) as write:
            yield write
    elif sys.stdout.isatty():
        yield _to_terminal
    else:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", errors="strict")  # as in a file
        yield csv_writer(sys.stdout)


def _to_terminal(columns: Mapping[str, Sequence[Any]]) -> None:
    text = io.StringIO()
    csv_writer(text)(columns)
    sys.stdout.write(neutral(text.getvalue()))
