"""What tasks that learn from the columns of a table share: reading, finding columns, splitting rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data import Table, read_table, split_validation
from ..data.column_encoders import texts_of
from ..data.csv_file import read_text_columns
from ..data.frames import frame_kind
from ..data.table import TEXT_SUFFIXES
from ..data.table_files import TableFiles, is_large, table_paths
from ..errors import DataError, DtypeError, ParameterError, ShapeError, TableError, did_you_mean
from ..losses import Loss, get_loss
from .settings import TabularSettings, TrainingSettings, format_of
from .task_model import Samples, TaskModel

__all__ = [
    "FEWEST_SAMPLES",
    "Split",
    "as_table",
    "files_in_chunks",
    "given_columns",
    "inner_share",
    "listed",
    "loss_for",
    "parts_of",
    "plain_rows",
    "read_for",
    "require_columns",
    "require_target",
    "split_rows",
]

Array = NDArray[Any]
Kinds = Mapping[str, Any]
#: The fewest samples that a validation part has; where a share of the data would be fewer, there is none.
FEWEST_SAMPLES = 8
#: Losses by task; those of classes give probabilities, those of numbers may be standardised.
LOSSES = {
    "classification": ("binary_cross_entropy", "softmax_cross_entropy"),
    "regression": ("absolute_error", "huber", "squared_error"),
}


def listed(names: Sequence[object], most: int = 20) -> str:
    """Names for an error message: quoted, and of very many only the first."""
    more = f", ... ({len(names):,} in all)" if len(names) > most else ""
    return ", ".join(repr(str(name)) for name in names[:most]) + more


def read_for(settings: TabularSettings, path: Path, kinds: Kinds | None = None) -> Table:
    """The table of a file, read as the settings say."""
    return read_table(path, format=settings.format(), kinds=kinds)


def require_target(settings: TabularSettings) -> str:
    """The name of the target; errors that help where none is named."""
    data = settings.data
    if settings.target is not None:
        return settings.target
    if not data.exists():
        raise DataError(f"{data}: there is no such file or folder.")
    if data.suffix.lower() in (".png", ".jpg", ".jpeg"):
        raise DataError(f"{data} is one picture. Give a folder that has one folder for each class, with its pictures.")
    raise ParameterError(f"--target is missing: name the column of {data} to predict, such as --target price.")


def require_columns(data: Table, named: Mapping[str, str | Sequence[str]]) -> None:
    """ParameterError unless the table has these columns. Parameters  named : {option: one name or several}"""
    for option, names in named.items():
        for name in [names] if isinstance(names, str) else names:
            if name not in data.columns:
                raise ParameterError(
                    f"{option}: {data.source} has no column {name!r}.{did_you_mean(name, data.columns)} "
                    f"Its columns are: {listed(data.names)}."
                )


class Split(NamedTuple):
    """Numbers of rows to train on and to test on."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def split_rows(settings: TabularSettings, source: str, n: int, classes: Array | None) -> Split:
    """Takes the share of the test part out of n rows, of each class in proportion where there are ``classes``."""
    share = settings.shares[0]
    if not share:
        return Split(np.arange(n), np.arange(0))
    try:
        return Split(*split_validation(n, share, np.random.default_rng(settings.random_state), classes))
    except DataError as error:
        raise DataError(
            f"{source}: {n} rows cannot be split with --test-fraction {share:g}. {error} "
            "Give more rows, or --test-fraction 0 to test on none."
        ) from error


def inner_share(settings: TrainingSettings, n: int) -> float:
    """The share of the n training samples to validate on; 0 for too few of them, unless the share was set.

    Raises      ParameterError where the patience is set and there is nothing to validate on
    """
    share = settings.shares[1]
    if settings.validation_fraction is None and np.ceil(n * share) < FEWEST_SAMPLES:
        share = 0.0
    if settings.patience is not None and not share and settings.validation is None:
        raise ParameterError(
            f"--patience counts epochs without a better validation loss, and of {n} samples none are validated on. Leave it "
            "out, or give a --validation-fraction."
        )
    return share


def loss_for(target: str, task: str, n_classes: int, name: str | None, outputs: int | None = None) -> Loss:
    """The loss of this name, or the one that fits the target.

    Parameters  task : "classification" or "regression" ; n_classes : of a classification ; outputs : of a network that is
                there already
    Raises      UnknownNameError ; ParameterError when the loss is not one for the task
    """
    classes = task == "classification"
    if name is None:
        return get_loss("squared_error" if not classes else f"{'binary' if n_classes == 2 else 'softmax'}_cross_entropy")
    loss = get_loss(name)
    allowed = [known for known in LOSSES[task] if get_loss(known).kind != "independent" or n_classes == 2]
    if classes and outputs is not None:
        allowed = [known for known in allowed if outputs == (1 if get_loss(known).kind == "independent" else n_classes)]
    if not any(loss.name == known for known in allowed):
        what = f"of {n_classes} classes" if classes else "a number"
        what += "" if outputs is None else f", and the network has {outputs} output{'s' * (outputs != 1)}"
        raise ParameterError(f"--loss {name}: the target {target!r} is {what}, which needs one of: {', '.join(allowed)}.")
    return loss


# ---------------------------------------------------------------- data from Python


def as_table(data: Any, kinds: Kinds | None = None, names: Sequence[str] = (), **reading: Any) -> Table:
    """A table from any form that people have one in.

    Parameters
        data : a Table ; the path of a file ; a DataFrame ; a dict of columns ; a list of dicts, one for each row ; an array
            (N, F) whose columns are ``names`` in this order
        kinds : name -> "numeric" or "categorical", as in training ; reading : how a file is read, such as ``decimal=","``
    Raises      DtypeError, ShapeError, TableError for anything else, naming what came
    """
    if isinstance(data, (str, os.PathLike)):
        return read_table(os.fspath(data), format=format_of(reading), kinds=kinds)
    if reading:
        raise ParameterError(f"{next(iter(reading))} says how a file is read, and the data are no file. Leave it out.")
    if isinstance(data, Table):
        return data
    if frame_kind(data)[0] is not None:
        return Table.from_dataframe(data)
    if isinstance(data, Mapping):
        return _from_columns(data, "The dict")
    if isinstance(data, Sequence) and data and all(isinstance(row, Mapping) for row in data):
        found: dict[str, list[Any]] = {str(name): [] for row in data for name in row}
        for row in data:
            for name, cells in found.items():
                cells.append(row.get(name))
        return _from_columns(found, "The list of dicts")
    array = np.asarray(data) if isinstance(data, (Sequence, np.ndarray)) else np.empty(0)
    if array.ndim != 2 or not array.size:
        came = f"an array of shape {array.shape}" if isinstance(data, np.ndarray) else f"{type(data).__name__}"
        raise DtypeError(
            "Expected a table: the path of a file, a DataFrame, a dict of columns, a list of dicts with one for each row, "
            f"or an array (N, {len(names)}). Got {came}."
        )
    if array.shape[1] != len(names):
        raise ShapeError(
            f"An array of rows must have the {len(names)} columns that the model learned from, in this order: "
            f"{listed(names)}. Got shape {array.shape}."
        )
    return _from_columns({name: array[:, i] for i, name in enumerate(names)}, "The array")


def files_in_chunks(data: Any, reading: Mapping[str, Any], kinds: Kinds | None = None) -> TableFiles | None:
    """The files that are read in chunks; None for data that are read at once.

    A pattern ("data/*.csv"), a folder of tables or a list of files is read in chunks, and so is a file that is large for the
    memory of the machine, unless ``max_memory`` says what may be read at once.
    """
    if isinstance(data, (list, tuple)) and data and all(isinstance(one, (str, os.PathLike)) for one in data):
        return TableFiles(data, format_of(reading), kinds) if _are_tables(data) else None
    if not isinstance(data, (str, os.PathLike)):
        return None
    paths = table_paths(data)
    if paths is None and (reading.get("max_memory") is not None or not is_large(Path(data))):
        return None
    return TableFiles([data] if paths is None else paths, format_of(reading), kinds)


def _are_tables(paths: Sequence[Any]) -> bool:
    endings = (*TEXT_SUFFIXES, ".parquet")
    return all(os.fspath(path).lower().removesuffix(".gz").endswith(endings) for path in paths)


def parts_of(model: TaskModel, files: TableFiles) -> Iterator[Samples]:
    """The samples of each chunk; the columns beside their predictions are as they stand in the files."""
    for chunk in files.chunks():
        yield replace(model.read(chunk.table), columns=chunk.given)


def _from_columns(columns: Mapping[Any, Any], source: str) -> Table:
    for name, values in columns.items():
        if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
            raise TableError(
                f"{source}: column {str(name)!r} must be a list with one value for each row. Got {values!r:.60}. "
                "A single row is a list of one dict."
            )
    return Table.from_columns(columns, source=source)


def plain_rows(data: Any, names: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of plain data from a JSON text: a list of objects with one cell for each column, or one such object.

    Parameters  names : of columns that a row may have, for the error messages
    Raises      DataError for another form, or a cell that is not a number, a text, true, false or null
    """
    rows = [data] if isinstance(data, Mapping) else data
    example = "{" + ", ".join(f'"{name}": ...' for name in names[:3]) + (", ..." if len(names) > 3 else "") + "}"
    if not isinstance(rows, list) or not rows or not all(isinstance(row, Mapping) for row in rows):
        came = "an empty list" if rows == [] else f"{_json_kind(data)}" if not isinstance(data, list) else "a list of others"
        raise DataError(f"Expected rows as a list of objects such as {example}. Got {came}.")
    for i, row in enumerate(rows):
        for name, cell in row.items():
            if cell is not None and not isinstance(cell, (str, int, float, bool)):
                raise DataError(
                    f"Row {i} (counted from 0), column {str(name)!r:.60}: expected a number, a text, true, false or null. "
                    f"Got {_json_kind(cell)}."
                )
    return [dict(row) for row in rows]


def _json_kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def given_columns(data: Any, table: Table, **reading: Any) -> dict[str, Sequence[Any]]:
    """The columns as they stand in a file, so that "007" and "5.10" come back as they are; else as the table has them."""
    if isinstance(data, (str, os.PathLike)) and Path(data).suffix.lower() != ".parquet":
        text = read_text_columns(Path(data), table_format=format_of(reading))
        return dict(zip(text.names, text.cells, strict=True))
    return {name: texts_of(table, name) for name in table.names}
