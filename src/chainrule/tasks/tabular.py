"""What tasks that learn from the columns of a table share: reading, finding columns, splitting rows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data import Table, read_table, split_validation
from ..data.column_encoders import texts_of
from ..data.csv_file import read_text_columns
from ..data.frames import frame_kind
from ..errors import DataError, DtypeError, ParameterError, ShapeError, TableError, did_you_mean
from .settings import TabularSettings, format_of

__all__ = [
    "FEWEST_ROWS",
    "Split",
    "as_table",
    "given_columns",
    "inner_shares",
    "listed",
    "read_for",
    "require_columns",
    "require_target",
    "split_rows",
]

Array = NDArray[Any]
Kinds = Mapping[str, Any]
#: The fewest rows that a validation part may have; with fewer there is none.
FEWEST_ROWS = 8


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


def inner_shares(settings: TabularSettings, n: int) -> float:
    """The share of the training rows to validate on; 0 where that would be too few rows."""
    share = settings.shares[1]
    return share if np.ceil(n * share) >= FEWEST_ROWS else 0.0


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


def _from_columns(columns: Mapping[Any, Any], source: str) -> Table:
    for name, values in columns.items():
        if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
            raise TableError(
                f"{source}: column {str(name)!r} must be a list with one value for each row. Got {values!r:.60}. "
                "A single row is a list of one dict."
            )
    return Table.from_columns(columns, source=source)


def given_columns(data: Any, table: Table, **reading: Any) -> dict[str, Sequence[Any]]:
    """The columns as they stand in a file, so that "007" and "5.10" come back as they are; else as the table has them."""
    if isinstance(data, (str, os.PathLike)) and Path(data).suffix.lower() != ".parquet":
        text = read_text_columns(Path(data), table_format=format_of(reading))
        return dict(zip(text.names, text.cells, strict=True))
    return {name: texts_of(table, name) for name in table.names}
