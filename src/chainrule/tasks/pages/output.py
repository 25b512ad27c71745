"""What becomes of found lines: rows of a table, pages with their lines drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import ParameterError
from ...pages import FoundLine, drawn_lines
from ..scores import Prediction
from ..task_model import Samples

__all__ = ["preview", "table", "write"]

_COLUMNS = ("page", "text", "left", "top", "right", "bottom", "probability")


def table(names: Sequence[Any] | None, pages: Sequence[Sequence[FoundLine]]) -> Mapping[str, Sequence[Any]]:
    """One row for each line."""
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for name, lines in zip(names or [], pages, strict=True):
        for line in lines:
            row = (str(name), line.text, *line.box, round(line.probability, 6))
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
    return columns


def preview(samples: Samples, prediction: Prediction) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """How many lines the first pages have."""
    rows = [(str(name), f"{len(lines):,}") for name, lines in zip(samples.names or [], prediction.values, strict=True)][:10]
    return ("page", "lines"), rows


def write(place: Path, samples: Samples, prediction: Prediction) -> str:
    """Writes a folder: the pages with their lines, and a CSV file. Returns what was written, in words."""
    from PIL import Image

    from ...data import write_predictions

    try:
        place.mkdir(exist_ok=True, parents=True)
    except OSError as error:
        raise ParameterError(f"--output: the folder {str(place)!r} cannot be made: {error.strerror}.") from error
    used: set[str] = set()
    for name, page, lines in zip(samples.names or [], samples.data, prediction.values, strict=True):
        stem, count = Path(str(name)).stem, 1
        while (unique := stem if count == 1 else f"{stem}-{count}") in used:
            count += 1
        used.add(unique)
        Image.fromarray(drawn_lines(page, lines)).save(place / f"{unique}.png")
    write_predictions(place / "lines.csv", table(samples.names, list(prediction.values)))
    return f"{place}: {samples.count:,} pages with their lines, and lines.csv"
