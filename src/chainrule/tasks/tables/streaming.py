"""Training on tables that are larger than the memory: two passes over the files, then epochs over rows that lie on the disk.

    first pass    the kinds of the columns, means, deviations and categories of the training rows
    second pass   the rows as numbers, in files that an epoch reads in random order

Which row is trained on, validated on or tested on is drawn by the number of its chunk, so both passes agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...data import Table, TablePreprocessor
from ...data.preprocessing import Task
from ...data.stored_rows import RowStore, StoredRows
from ...data.table_files import TableChunk, TableFiles, chunk_rows
from ...data.table_statistics import TableStatistics
from ...errors import DataError, ParameterError
from ...training import EarlyStopping
from ...training.settings import FitSettings
from ..scores import Scores, guess_by_shares, score_numbers
from ..tabular import files_in_chunks, loss_for, read_for, require_columns, require_target
from ..task import PreparedNetwork
from ..words import training_text
from . import TASK
from .settings import TableSettings
from .table_model import TableModel

__all__ = ["StreamedParts", "files_of", "prepare", "read"]

Array = NDArray[Any]
#: Rows to test and to validate on at most, unless their shares were set.
_MOST_TEST, _MOST_VALIDATION = 50_000, 200_000
#: Steps that a training has by default, the most epochs they are made of, and rows from which batches are larger.
_STEPS, _MOST_EPOCHS, _MANY = 40_000, 30, 1_000_000
_MOST_NOTES = 6


def files_of(data: Path, settings: TableSettings) -> TableFiles | None:
    """The files that are read in chunks; None for a file that is read at once.     See ``files_in_chunks``."""
    return files_in_chunks(data, settings.reading())


@dataclass
class StreamedParts:
    """The facts that the first pass has found out.

    Parameters  files : with the rows ; preprocessor : fitted on the training rows ; rows : to train, validate and test on ;
                class_counts : of the training rows, None where numbers are predicted ; shares : of the test and, of all
                rows, the validation part
    """

    files: TableFiles
    settings: TableSettings
    preprocessor: TablePreprocessor
    rows: tuple[int, int, int]
    class_counts: Sequence[int] | None
    shares: tuple[float, float]
    names: Sequence[str] = field(default_factory=list)

    def parts(self) -> Iterator[tuple[Table | None, Table | None, Table | None]]:
        """The rows to train, validate and test on of every chunk; None where there are none."""
        for number, chunk in enumerate(self.files.chunks()):
            yield _split(chunk.table, number, self.shares, self.settings)


def _split(
    table: Table, number: int, shares: tuple[float, float], settings: TableSettings
) -> tuple[Table | None, Table | None, Table | None]:
    target = settings.target
    assert target is not None
    known = ~table.column(target).is_missing
    drawn = np.random.default_rng([settings.random_state, number]).random(table.n_rows)
    test, held = drawn < shares[0], drawn < shares[0] + shares[1]
    return chunk_rows(table, known & ~held), chunk_rows(table, known & held & ~test), chunk_rows(table, known & test)


def read(settings: TableSettings, files: TableFiles) -> StreamedParts:
    """The first pass. Raises  as ``training.read``"""
    target = require_target(settings)
    if target in settings.exclude:
        raise ParameterError(f"--exclude: {target!r} is the target, which must be kept.")
    wanted = None if settings.task == "auto" else cast(Task, settings.task)
    statistics = TableStatistics(target, exclude=settings.exclude, keep=settings.keep, task=wanted)
    shares = (0.0, 0.0)
    rows = [0, 0, 0]
    names: list[str] = []
    for number, chunk in enumerate(files.chunks()):
        table = chunk.table
        if not number:
            require_columns(table, {"--target": target, "--exclude": settings.exclude, "--keep": settings.keep})
            shares, names = _shares(settings, _expected_rows(files, chunk)), table.names
        parts = _split(table, number, shares, settings)
        for i, part in enumerate(parts):
            rows[i] += 0 if part is None else part.n_rows
        if parts[0] is not None:
            parts[0].notes[:] = table.notes
            statistics.update(parts[0])
        statistics.without_target += int(table.column(target).is_missing.sum())
    preprocessor = statistics.preprocessor()
    if rows[0] < 2:
        raise DataError(f"{files.source}: {rows[0]} row(s) to train on, {rows[1]} to validate on and {rows[2]} to test on.")
    counts = None if preprocessor.classes_ is None else statistics.class_counts
    return StreamedParts(files, settings, preprocessor, (rows[0], rows[1], rows[2]), counts, shares, names)


def _expected_rows(files: TableFiles, first: TableChunk) -> float:
    """About how many rows there are, by the bytes of the first chunk."""
    if files.is_parquet:
        return float(sum(files.counts()))
    cells = first.cells or {}
    letters = sum(len(cell) for column in cells.values() for cell in column) + len(cells) * first.table.n_rows
    compressed = sum(path.suffix == ".gz" for path in files.paths) / len(files.paths)
    return files.bytes * (1 + 4 * compressed) / max(1, letters) * first.table.n_rows


def _shares(settings: TableSettings, rows: float) -> tuple[float, float]:
    """The share of the test part and, of all rows, that of the validation part."""
    test, validation = settings.shares
    if settings.test_fraction is None:
        test = min(test, _MOST_TEST / rows)
    validation *= 1 - test
    if settings.validation_fraction is None:
        validation = min(validation, _MOST_VALIDATION / rows)
    return test, validation


def prepare(parts: StreamedParts, settings: TableSettings) -> PreparedNetwork:
    """The second pass, a new network, and its training."""
    preprocessor, target = parts.preprocessor, require_target(settings)
    n, n_validation, _ = parts.rows
    classes = preprocessor.classes_
    loss = loss_for(target, preprocessor.task_, 0 if classes is None else classes.n_classes, settings.loss)
    learned, validated, test, model = _stored(parts, loss)
    validation: Any = validated
    kinds = {target: "categorical" if classes is not None else "numeric", **preprocessor.kinds_}
    if settings.validation is not None:
        table = read_for(settings, settings.validation, kinds)
        require_columns(table, {"--validation": target})
        features, y = preprocessor.training_arrays(table)
        validation, n_validation = (TableModel.inputs(features), y), len(y)
    if settings.test is not None:
        test = read_for(settings, settings.test, kinds)
        require_columns(test, {"--test": target})
    fit = _fit_settings(settings, n, loss, validation)
    counts = parts.class_counts

    def guess(truth: Array) -> tuple[str, Scores]:
        if classes is None or counts is None:
            return "mean", score_numbers(truth, np.full(len(truth), preprocessor.scale_.mean))
        return guess_by_shares(classes.classes.tolist(), np.array(counts) / sum(counts), truth)

    notes = preprocessor.notes_[:_MOST_NOTES]
    if len(preprocessor.notes_) > _MOST_NOTES:
        notes = [*notes, f"and {len(preprocessor.notes_) - _MOST_NOTES} more notes, which chainrule show prints."]
    many = f"{len(parts.files.paths):,} files, " if len(parts.files.paths) > 1 else ""
    tested = 0 if test is None else test.n_rows
    return PreparedNetwork(
        TASK,
        f"{settings.data}: {target} from {len(preprocessor.encoders_)} columns, {n:,} rows",
        model.network,
        (learned,),
        fit,
        lambda network, facts: TableModel(network, preprocessor, facts, model.reading),
        settings.data.name,
        n,
        description=[
            ("Data", f"{settings.data}: {many}{sum(parts.rows):,} rows, {len(parts.names)} columns, read in chunks"),
            ("Target", model.target_text()),
            ("Inputs", model.inputs_text()),
            ("Split", f"{n:,} rows to train on, {n_validation:,} to validate on, {tested:,} to test on"),
            *(("Note", note) for note in notes),
            ("Network", f"{settings.activation}, {model.network.parameters.count:,} parameters"),
            ("Training", training_text(fit)),
        ],
        test=test,
        guess=guess,
        units={
            "loss": "nats per row" if "entropy" in loss.name else loss.name.replace("_", " "),
            "accuracy": "share of rows",
        },
    )


def _stored(parts: StreamedParts, loss: Any) -> tuple[StoredRows, StoredRows | None, Table | None, TableModel]:
    """The rows to train and to validate on as numbers on the disk, the rows to test on, and a new model."""
    settings, preprocessor = parts.settings, parts.preprocessor
    rng = np.random.default_rng(settings.random_state)
    learned, validated = RowStore(parts.rows[0], rng), RowStore(parts.rows[1], rng)
    model: TableModel | None = None
    test: list[Table] = []
    for train, held, tested in parts.parts():
        for part, store in ((train, learned), (held, validated)):
            if part is None:
                continue
            features = preprocessor.features(part)
            y, _ = preprocessor.transform_target(part)
            inputs = TableModel.inputs(features)
            store.append(inputs if isinstance(inputs, list) else [inputs], y)
            if model is None:
                model = TableModel.create(preprocessor, features, loss, **settings.model_arguments())
        if tested is not None:
            test.append(tested)
    assert model is not None
    return learned.finish(), validated.finish() if parts.rows[1] else None, Table.joined(test) if test else None, model


def _fit_settings(settings: TableSettings, n: int, loss: Any, validation: Any) -> FitSettings:
    batch_size = settings.batch_size or (256 if n < _MANY else 1024)
    steps = math.ceil(n / batch_size)
    epochs = settings.epochs or min(_MOST_EPOCHS, max(1, math.ceil(_STEPS / steps)))
    stopping = None
    if validation is not None:
        stopping = EarlyStopping(patience=settings.patience or max(3, epochs // 10))
    return FitSettings.of(
        {
            "loss": loss,
            "optimizer": settings.make_optimizer(),
            "learning_rate": settings.learning_rate,
            "epochs": epochs,
            "batch_size": batch_size,
            **({} if validation is None else {"validation_data": validation}),
            "early_stopping": stopping,
            **settings.machine(),
        }
    )
