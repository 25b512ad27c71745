"""What ``chainrule predict`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Table, read_table
from ..data.column_encoders import texts_of
from ..data.csv_file import read_text_columns
from ..errors import DataError, ParameterError
from ..model import Network
from ..network.files import load as load_with_extra
from . import choices, predictions_file
from .console import out, table, warn
from .scores import score, show_scores
from .table_model import IMAGES, TEXTS, Prediction, TableModel

__all__ = ["run"]

Columns = dict[str, Sequence[Any]]
#: Rows of the preview; digits of numbers and decimals of probabilities in the file.
_PREVIEW, _DIGITS, _DECIMALS = 10, 9, 6


def run(
    place: Path,
    given: Sequence[str],
    output: Path | None,
    *,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    broken: str = "stop",
    grid: Path | None = None,
    quiet: bool = False,
) -> None:
    """Predicts with the kind of model that the file holds."""
    extra = load_with_extra(place, Network)[1]
    if TEXTS in extra:
        from .predict_texts_run import run as run_texts

        if grid is not None:
            raise ParameterError("--grid draws pictures, and this is a model of texts. Leave it out.")
        run_texts(place, given, output, delimiter=delimiter, encoding=encoding, quiet=quiet)
        return
    data = [Path(name) for name in given]
    if IMAGES in extra:
        from .predict_images_run import run as run_images

        run_images(place, data, output, broken=broken, grid=grid, quiet=quiet)
        return
    if len(data) > 1:
        raise ParameterError(f"A model of tables predicts one table at a time. Got {', '.join(map(str, data))}.")
    if grid is not None:
        raise ParameterError("--grid draws pictures, and this is a model of tables. Leave it out.")
    _run_table(place, data[0], output, delimiter=delimiter, encoding=encoding, quiet=quiet)


def _run_table(
    place: Path, data_path: Path, output: Path | None, *, delimiter: str | None, encoding: str, quiet: bool
) -> None:
    """Predicts and writes, or shows some rows."""
    delimiter = choices.delimiter_of(delimiter)
    to_stdout = predictions_file.check_place(output)
    model = TableModel.load(place)
    data = read_table(data_path, delimiter=delimiter, encoding=encoding, kinds=model.preprocessor.kinds_)
    prediction = model.predict(data)
    found = _prediction_columns(model, data, prediction)
    if output is None:
        if not quiet:
            _preview(data, model.preprocessor.target, found, prediction)
    else:
        columns: Columns = {**_given_columns(data_path, data, delimiter, encoding), **found}
        predictions_file.write(output, columns)
        if to_stdout:
            return
    if not quiet:
        _scores(model, data, prediction)
        if output is not None:
            out().print(
                f"Wrote {output}: {data.n_rows:,} rows, new columns {_listed(list(found))}",
                style="bold green",
                soft_wrap=True,
            )


def _prediction_columns(model: TableModel, data: Table, prediction: Prediction) -> Columns:
    """The new columns; a name that the table has already gets "_2", as after predicting twice."""

    def unused(name: str) -> str:
        new, count = name, 1
        while new in data.columns:
            count += 1
            new = f"{name}_{count}"
        return new

    name = unused(f"predicted_{model.preprocessor.target}")
    classes = model.preprocessor.classes_
    if classes is None or prediction.probabilities is None:
        return {name: [float(f"{v:.{_DIGITS}g}") for v in prediction.values.tolist()]}
    columns: Columns = {name: prediction.values.tolist()}
    for i, label in enumerate(classes.classes.tolist()):
        columns[unused(f"probability_{label}")] = np.round(prediction.probabilities[:, i], _DECIMALS).tolist()
    return columns


def _given_columns(path: Path, data: Table, delimiter: str | None, encoding: str) -> Columns:
    """The columns as they stand in the file, so that "007" and "5.10" come back as they are."""
    if path.suffix.lower() != ".parquet":
        text = read_text_columns(path, delimiter, encoding)
        return dict(zip(text.names, text.cells, strict=True))
    return {name: texts_of(data, name) for name in data.names}


def _preview(data: Table, target: str, found: Columns, prediction: Prediction) -> None:
    """The first rows: what was predicted and how sure it is, and as many of the given columns as fit."""
    from rich.cells import cell_len

    name = next(iter(found))
    shown: Columns = {name: [_short(v) for v in found[name][:_PREVIEW]]}
    if prediction.probabilities is not None:
        shown["probability"] = [f"{p:.3f}" for p in prediction.probabilities[:_PREVIEW].max(axis=1)]
    first = data.take(slice(0, _PREVIEW))
    given = {n: [_short(v) for v in column.values.tolist()] for n, column in first.columns.items()}
    width = {n: max(cell_len(text) for text in (n, *cells)) + 2 for n, cells in (given | dict(shown)).items()}
    room = out().width - 3 - sum(width[n] for n in shown)
    kept: dict[str, Any] = {}
    for n in sorted(data.names, key=lambda n: n != target):  # what was true is the most useful to see beside
        if width[n] <= room:
            room -= width[n]
            kept[n] = given[n]
    columns = {n: kept[n] for n in data.names if n in kept} | shown
    numbers = [str(i + 1) for i in range(len(shown[name]))]
    table(("row", *columns), list(zip(numbers, *columns.values(), strict=True)), left=0)
    more = data.n_rows - _PREVIEW
    text = f"{more:,} more rows. " if more > 0 else ""
    out().print(f"{text}Write all columns of all rows with: -o out.csv")


def _short(value: Any) -> str:
    text = "" if value is None or value != value else f"{value:.6g}" if isinstance(value, float) else str(value)
    text = text.replace("\n", " ")
    return text if len(text) <= 20 else text[:19] + "…"


def _scores(model: TableModel, data: Table, prediction: Prediction) -> None:
    target = model.preprocessor.target
    if target not in data.columns or data.column(target).is_missing.all():
        return
    try:
        scores = score(model.preprocessor, data, prediction)
    except DataError as error:  # the predictions are good all the same
        warn(f"No metrics: {error}")
        return
    show_scores(f"Against the column {target!r} of {scores.rows:,} rows", scores, [], target=target)


def _listed(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")
